// SPDX-License-Identifier: MIT
// Rows of one drain step to the banks they belong to.
//
// Row r goes to bank bank[r] at depth[r]; part says which part of a vector all rows of the step are. valid and bank stand
// a cycle before depth and values, so that registers choose.
// Precondition: valid rows have different banks. Latency: 1 from valid, 0 from values. Depth: a multiplexer of ROWS.
`default_nettype none
module bank_writer #(
    parameter ROWS = 2,
    parameter BANKS = 8,
    parameter BITS = 128,  // of a part of a vector
    parameter PARTS = 1
) (
    input  wire                          clk,
    input  wire                          rst_n,
    input  wire [ROWS-1:0]               valid,
    input  wire [ROWS*$clog2(BANKS)-1:0] bank,
    input  wire [ROWS*16-1:0]            depth,
    input  wire [ROWS*BITS-1:0]          values,
    output wire [BANKS-1:0]              write_enable,
    output reg  [BANKS*16-1:0]           write_depth,
    output wire [BANKS*PARTS*BITS-1:0]   write_values
);
    localparam BANK_BITS = $clog2(BANKS);
    genvar b;
    generate
        for (b = 0; b < BANKS; b = b + 1) begin : banks
            reg [ROWS-1:0] comes;  // which row, if any
            reg [BITS-1:0] chosen;
            integer row;
            always @(posedge clk)
                for (row = 0; row < ROWS; row = row + 1)
                    comes[row] <= rst_n && valid[row] && bank[row*BANK_BITS +: BANK_BITS] == b[BANK_BITS-1:0];
            assign write_enable[b] = |comes;
            always @* begin
                chosen = values[BITS-1:0];
                write_depth[b*16 +: 16] = depth[15:0];
                for (row = 1; row < ROWS; row = row + 1)
                    if (comes[row]) begin
                        write_depth[b*16 +: 16] = depth[row*16 +: 16];
                        chosen = values[row*BITS +: BITS];
                    end
            end
            assign write_values[b*PARTS*BITS +: PARTS*BITS] = {PARTS{chosen}};
        end
    endgenerate
endmodule
`default_nettype wire
