// SPDX-License-Identifier: MIT
// What a run counts, in the order of the register map (docs/registers.md). A cycle of an array instruction is counted as
// the first of these that holds: array busy; waits for weights; waits for room, that is for the post lanes; reciprocals
// and row maxima (ATTENTION, nothing drains); drain (no step is left to make); fill.
`default_nettype none
module counters #(
    parameter PORTS = 4
) (
    input  wire             clk,
    input  wire             rst_n,
    input  wire             running,
    input  wire             executing,
    input  wire             of_layernorm,
    input  wire             of_attention,
    input  wire             of_array,
    input  wire             step_issued,
    input  wire             waits_for_weights,
    input  wire             waits_for_room,
    input  wire             drains,  // sums or results are on their way
    input  wire             array_idle,  // no pass is left
    input  wire             stepped,  // this instruction has had its first step
    input  wire [PORTS-1:0] weight_beats,
    input  wire             read_beat,
    input  wire             write_beat,
    output wire [10*64-1:0] values
);
    localparam BITS = 48;
    reg [BITS-1:0] cycles, mac_busy, weight_wait, post_wait, layernorm, softmax, drain, fill, beats_read, beats_written;
    reg [2:0] beats;
    integer port;
    always @* begin
        beats = {2'b00, read_beat};
        for (port = 0; port < PORTS; port = port + 1) beats = beats + {2'b00, weight_beats[port]};
    end

    // Cycles are counted one later, all alike.
    reg run, execute, layernorm_runs, attention_runs, array_runs, step, weights_late, no_room, draining_on, idle, begun;
    always @(posedge clk) begin
        {run, execute, layernorm_runs, attention_runs, array_runs, step} <=
            rst_n ? {running, executing, of_layernorm, of_attention, of_array, step_issued} : 6'd0;
        {weights_late, no_room, draining_on, idle, begun} <=
            {waits_for_weights, waits_for_room, drains, array_idle, stepped};
    end
    wire array = execute && array_runs && !step;
    wire weights = array && weights_late;
    wire room = array && !weights_late && no_room;
    wire rest = array && !weights_late && !no_room;
    wire rows = rest && attention_runs && begun && !draining_on && !idle;
    wire draining = rest && !rows && begun && idle;
    always @(posedge clk)
        if (!rst_n) begin
            cycles <= {BITS{1'b0}};
            mac_busy <= {BITS{1'b0}};
            weight_wait <= {BITS{1'b0}};
            post_wait <= {BITS{1'b0}};
            layernorm <= {BITS{1'b0}};
            softmax <= {BITS{1'b0}};
            drain <= {BITS{1'b0}};
            fill <= {BITS{1'b0}};
            beats_read <= {BITS{1'b0}};
            beats_written <= {BITS{1'b0}};
        end else begin
            cycles <= cycles + {{(BITS-1){1'b0}}, run};
            mac_busy <= mac_busy + {{(BITS-1){1'b0}}, step};
            weight_wait <= weight_wait + {{(BITS-1){1'b0}}, weights};
            post_wait <= post_wait + {{(BITS-1){1'b0}}, room};
            layernorm <= layernorm + {{(BITS-1){1'b0}}, execute && layernorm_runs};
            softmax <= softmax + {{(BITS-1){1'b0}}, rows};
            drain <= drain + {{(BITS-1){1'b0}}, draining};
            fill <= fill + {{(BITS-1){1'b0}}, rest && !rows && !draining};
            beats_read <= beats_read + {{(BITS-3){1'b0}}, beats};
            beats_written <= beats_written + {{(BITS-1){1'b0}}, write_beat};
        end
    localparam [63-BITS:0] ZERO = 0;
    assign values = {ZERO[59-BITS:0], beats_written, 4'd0, ZERO[59-BITS:0], beats_read, 4'd0, ZERO, fill, ZERO, drain,
                     ZERO, softmax, ZERO, layernorm, ZERO, post_wait, ZERO, weight_wait, ZERO, mac_busy, ZERO, cycles};
endmodule
`default_nettype wire
