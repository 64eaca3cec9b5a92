// SPDX-License-Identifier: MIT
// Rows of one drain step to the banks they belong to.
//
// Row r goes to bank bank[r] at depth[r]; part says which part of a vector all rows of the step are. valid and bank stand
// a cycle before depth and values, so that registers choose. The rows lie behind each other, so banks ROWS apart are offered
// the same row: bank b takes depth and values number b mod ROWS.
// Precondition: bank[r] = bank[0] + r modulo BANKS; ROWS is a power of two. Latency: 1 from valid, 0 from values.
// Depth: a multiplexer of ROWS.
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
    output reg  [BANKS-1:0]              write_enable,
    output reg  [ROWS*16-1:0]            write_depth,
    output wire [ROWS*PARTS*BITS-1:0]    write_values
);
    localparam BANK_BITS = $clog2(BANKS);
    localparam [BANK_BITS-1:0] IN_ROWS = ROWS - 1;
    integer b, of_bank;
    always @(posedge clk)
        for (b = 0; b < BANKS; b = b + 1) begin
            write_enable[b] <= 1'b0;
            for (of_bank = 0; of_bank < ROWS; of_bank = of_bank + 1)
                if (rst_n && valid[of_bank] && bank[of_bank*BANK_BITS +: BANK_BITS] == b[BANK_BITS-1:0])
                    write_enable[b] <= 1'b1;
        end
    genvar n;
    generate
        for (n = 0; n < ROWS; n = n + 1) begin : offers
            reg [ROWS-1:0] offered;  // which row
            reg [BITS-1:0] chosen;
            integer row;
            always @(posedge clk)
                for (row = 0; row < ROWS; row = row + 1)
                    offered[row] <= (bank[row*BANK_BITS +: BANK_BITS] & IN_ROWS) == n[BANK_BITS-1:0];
            always @* begin
                chosen = values[BITS-1:0];
                write_depth[n*16 +: 16] = depth[15:0];
                for (row = 1; row < ROWS; row = row + 1)
                    if (offered[row]) begin
                        write_depth[n*16 +: 16] = depth[row*16 +: 16];
                        chosen = values[row*BITS +: BITS];
                    end
            end
            assign write_values[n*PARTS*BITS +: PARTS*BITS] = {PARTS{chosen}};
            wire unused = &{1'b0, offered[0]};
        end
    endgenerate
endmodule
`default_nettype wire
