// SPDX-License-Identifier: MIT
// What a late signal chooses between, both made before it: `chosen` is one level of logic behind `late`.
//
// A module of its own because in one module with what makes the two, synthesis shares logic of theirs behind the choice.
// Latency: combinational.
`default_nettype none
module late_choice #(
    parameter BITS = 8
) (
    input  wire            late,
    input  wire [BITS-1:0] if_set,
    input  wire [BITS-1:0] if_clear,
    output wire [BITS-1:0] chosen
);
    assign chosen = late ? if_set : if_clear;
endmodule
`default_nettype wire
