// SPDX-License-Identifier: MIT
// Which of KEYS neighbouring rows are keys of the task.
//
//   mask[i] = first_key ≤ base + i < end_key,  i < KEYS
//
// Precondition: KEYS at most 16; base + KEYS < 2^16. Latency: 0. Depth: a 16-bit subtraction; a comparison of 4 bits.
`default_nettype none
module key_mask #(
    parameter KEYS = 16
) (
    input  wire [15:0]     base,
    input  wire [15:0]     first_key,
    input  wire [15:0]     end_key,
    output reg  [KEYS-1:0] mask
);
    // How far behind base the range begins and ends; negative: before it.
    wire [16:0] from = {1'b0, first_key} - {1'b0, base};
    wire [16:0] to = {1'b0, end_key} - {1'b0, base};
    wire begun = from[16];
    wire begins_here = from[16:4] == 13'd0;
    wire ended = to[16];
    wire ends_here = to[16:4] == 13'd0;
    integer key;
    always @*
        for (key = 0; key < KEYS; key = key + 1)
            mask[key] = (begun || (begins_here && key[3:0] >= from[3:0]))
                && !(ended || (ends_here && key[3:0] >= to[3:0]));

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (KEYS > 16) begin : refused
            keys_must_be_at_most_16 stop ();
        end
    endgenerate
endmodule
`default_nettype wire
