// SPDX-License-Identifier: MIT
// Stands for rtl/control/legality.v in proofs of what is around it: any verdict, any number of cycles after a start.
`default_nettype none
module legality (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         start,
    input  wire [511:0] instruction,
    input  wire [63:0]  input_bytes,
    input  wire [63:0]  output_bytes,
    output wire         done,
    output wire [4:0]   fault
);
    (* anyseq *) wire ends;
    (* anyseq *) wire [4:0] verdict;
    reg busy = 1'b0;
    assign done = busy && ends;
    assign fault = verdict;
    always @(posedge clk) busy <= rst_n && (start || (busy && !ends));
    wire unused = &{1'b0, instruction, input_bytes, output_bytes};
endmodule
`default_nettype wire
