// SPDX-License-Identifier: MIT
// Counters and flags of a word_fifo: where the next entry is written and taken, and whether its output register is empty.
//
// A module of its own because `pop` enables all of the output register beside: in one module with that, synthesis shares
// the enable's net with the counters, and they wait for it.
// Ports and preconditions are those of word_fifo.
// Latency: 1. Depth: two levels of logic behind pop.
`default_nettype none
`include "attributes.vh"
module word_fifo_counters #(
    parameter INDEX_BITS = 4
) (
    input  wire                clk,
    input  wire                rst_n,
    input  wire                push,
    input  wire                pop,
    output reg  [INDEX_BITS:0] written,
    output reg  [INDEX_BITS:0] taken,
    output reg                 empty,
    output reg  [INDEX_BITS:0] count
);
    reg waits;  // something in memory: written is not taken
    // `KEEP: what is compared comes before the choice, as `pop` is late.
    `KEEP wire last_waits = written == taken + 1'b1;
    wire load = waits && (empty || pop);
    wire [INDEX_BITS:0] kept = count + {{INDEX_BITS{1'b0}}, push};
    wire [INDEX_BITS:0] next_count;
    late_choice #(.BITS(INDEX_BITS + 1)) of_pop (
        .late(pop), .if_set(kept - 1'b1), .if_clear(kept), .chosen(next_count));

    always @(posedge clk)
        if (!rst_n) begin
            written <= {(INDEX_BITS+1){1'b0}};
            taken <= {(INDEX_BITS+1){1'b0}};
            count <= {(INDEX_BITS+1){1'b0}};
            empty <= 1'b1;
            waits <= 1'b0;
        end else begin
            if (push) written <= written + 1'b1;
            if (load) taken <= taken + 1'b1;
            waits <= push || (waits && !(load && last_waits));
            empty <= !waits && (empty || pop);
            count <= next_count;
        end
endmodule
`default_nettype wire
