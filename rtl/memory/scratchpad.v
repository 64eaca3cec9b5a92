// SPDX-License-Identifier: MIT
// One scratchpad: TOKEN_PAR banks of vectors, each bank with one write and one read port.
//
// Row r lies in bank r mod TOKEN_PAR, its vector v at depth ⌊r / TOKEN_PAR⌋·V + v (docs/hardware/rtl.md).
// write_parts: which parts of a vector are written, PARTS = output tiles of the array per vector.
// ULTRA: the banks lie in UltraRAM, which the part must have, else in block RAM.
// Precondition: depths below DEPTH; a read beyond it, or of what is written in the same cycle, gives something, which
// the reader masks or discards: in simulation it is neither the old value nor the new one.
// Latency: 2 from read_depth to read_values (address and memory, output register), so that block RAM is inferred.
`default_nettype none
`include "require.vh"
module scratchpad #(
    parameter BANKS = 8,
    parameter BITS = 128,
    parameter PARTS = 1,
    parameter DEPTH = 512,
    parameter ULTRA = 0
) (
    input  wire                  clk,
    input  wire [BANKS-1:0]      write_enable,
    input  wire [PARTS-1:0]      write_parts,
    input  wire [BANKS*16-1:0]   write_depth,
    input  wire [BANKS*BITS-1:0] write_values,
    input  wire [BANKS*16-1:0]   read_depth,
    output wire [BANKS*BITS-1:0] read_values
);
    localparam INDEX_BITS = $clog2(DEPTH);
    localparam QUARTER = INDEX_BITS > 2 ? 1 << (INDEX_BITS - 2) : 1;
    localparam ROWS = (DEPTH + QUARTER - 1) / QUARTER * QUARTER;  // at most four blocks deep, at no more LUTs than that takes
    localparam PART_BITS = BITS / PARTS;
    localparam STYLE = ULTRA != 0 ? "ultra" : "block";
    wire unused_style = &{1'b0, STYLE};  // in an attribute only

    genvar bank, part;
    generate
        for (bank = 0; bank < BANKS; bank = bank + 1) begin : banks
            wire [INDEX_BITS-1:0] write_index = write_depth[bank*16 +: INDEX_BITS];
            wire [INDEX_BITS-1:0] read_index = read_depth[bank*16 +: INDEX_BITS];
            for (part = 0; part < PARTS; part = part + 1) begin : parts
                (* ram_style = STYLE *) reg [PART_BITS-1:0] memory [0:ROWS-1];
                reg [PART_BITS-1:0] found, registered;
                always @(posedge clk) begin
                    if (write_enable[bank] & write_parts[part])
                        memory[write_index] <= write_values[bank*BITS + part*PART_BITS +: PART_BITS];
`ifdef SIMULATION
                    if (write_enable[bank] && write_parts[part] && write_index == read_index)
                        found <= ~write_values[bank*BITS + part*PART_BITS +: PART_BITS];
                    else
`endif
                    found <= memory[read_index];
                    registered <= found;
                end
                assign read_values[bank*BITS + part*PART_BITS +: PART_BITS] = registered;
            end
            `REQUIRE(write_enable[bank], {16'd0, write_depth[bank*16 +: 16]} < DEPTH, "a write beyond DEPTH")
            if (INDEX_BITS < 16) begin : beyond
                wire unused = &{1'b0, write_depth[bank*16+INDEX_BITS +: 16-INDEX_BITS],
                                read_depth[bank*16+INDEX_BITS +: 16-INDEX_BITS]};
            end
        end
    endgenerate
endmodule
`default_nettype wire
