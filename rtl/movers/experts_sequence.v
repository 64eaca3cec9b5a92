// SPDX-License-Identifier: MIT
// Passes of EXPERTS: expert by expert, each with tokens once (patch reordering).
//
//   for e in 0 … experts − 1:  its segment's header;  no tokens: skip its weights
//                              else up: GELU of gathered · W1 → hidden;  down: residual += score · (hidden · W2)
//
// Gathering runs ahead of headers and weights: the next expert's tokens are gathered while `down` of the one before runs,
// as soon as the array has read the last of those gathered before. Fields are held from start to the end.
// header_fault other than 0 ends the sequence; what is in the queues stays.
`default_nettype none
module experts_sequence (
    clk, rst_n, start, busy, fault, experts, vectors, hidden_vectors, segment, wide, narrow, expert_lines, lengths,
    fetch_room, fetch_push, fetch, header_done, header_fault, pass_room, pass_push, pass, pass_issued,
    start_gather, gather_expert, gather_busy, ran, dropped
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "pass.vh"
`include "fetch.vh"

    input  wire                      clk;
    input  wire                      rst_n;
    input  wire                      start;
    output wire                      busy;
    output reg  [4:0]                fault;
    input  wire [7:0]                experts;
    input  wire [VECTORS_BITS-1:0]   vectors;
    input  wire [VECTORS_BITS-1:0]   hidden_vectors;
    input  wire [31:0]               segment;
    input  wire                      wide;    // tokens of 16 bits
    input  wire                      narrow;  // weights of 4 bits
    input  wire [31:0]               expert_lines;
    input  wire [MAX_EXPERTS*16-1:0] lengths;
    input  wire                      fetch_room;
    output wire                      fetch_push;
    output wire [FETCH_BITS-1:0]     fetch;
    input  wire                      header_done;
    input  wire [4:0]                header_fault;
    input  wire                      pass_room;
    output wire                      pass_push;
    output wire [PASS_BITS-1:0]      pass;
    input  wire                      pass_issued;
    output wire                      start_gather;
    output wire [7:0]                gather_expert;
    input  wire                      gather_busy;
    output wire                      ran;
    output wire                      dropped;

    localparam [2:0] IDLE = 0, HEADER = 1, ANSWER = 2, SKIP = 3, UP_WEIGHTS = 4, DOWN_WEIGHTS = 5, UP = 6, DOWN = 7;
    reg [2:0] state;
    reg [7:0] expert;
    reg [15:0] length;  // a cycle late: `expert` stands while its header comes
    always @(posedge clk) length <= lengths[expert*16 +: 16];
    wire last = expert + 8'd1 == experts;
    reg gathered;  // the tokens of `expert` stand in GATHERED
    assign busy = state != IDLE;
    assign fetch_push = fetch_room && (state == HEADER || state == SKIP || state == UP_WEIGHTS || state == DOWN_WEIGHTS);
    assign pass_push = pass_room && ((state == UP && gathered) || state == DOWN);
    assign ran = state == ANSWER && header_done && header_fault == 5'd0 && length != 16'd0;
    assign dropped = state == ANSWER && header_done && header_fault == 5'd0 && length == 16'd0;
    always @(posedge clk) begin
        if (!rst_n) state <= IDLE;
        else case (state)
            IDLE: if (start) state <= HEADER;
            HEADER: if (fetch_room) state <= ANSWER;
            ANSWER: if (header_done) state <= header_fault != 5'd0 ? IDLE : length == 16'd0 ? SKIP : UP_WEIGHTS;
            SKIP: if (fetch_room) state <= last ? IDLE : HEADER;
            UP_WEIGHTS: if (fetch_room) state <= DOWN_WEIGHTS;
            DOWN_WEIGHTS: if (fetch_room) state <= UP;
            UP: if (pass_push) state <= DOWN;
            default: if (pass_room) state <= last ? IDLE : HEADER;
        endcase
        if (state == IDLE) expert <= 8'd0;
        else if ((state == SKIP && fetch_room) || (state == DOWN && pass_room)) expert <= expert + 8'd1;
        if (start) fault <= 5'd0;
        else if (state == ANSWER && header_done) fault <= header_fault;
    end

    // Gathering: the next expert with tokens, once the array no longer reads what was gathered before.
    localparam [1:0] FIND = 0, FREE = 1, WAIT = 2, READY = 3;
    reg [1:0] gathering;
    reg [7:0] next;
    reg issued_up, occupied;
    reg [5:0] reading;
    reg gather_started;  // busy rises one cycle after start
    reg found, looked;  // looked: `found` is that of `next`
    always @(posedge clk) begin
        found <= lengths[next*16 +: 16] != 16'd0;
        looked <= rst_n && busy && gathering == FIND && !looked;
    end
    wire more = busy && next < experts;
    assign gather_expert = next;
    assign start_gather = gathering == FREE && !occupied;
    always @(posedge clk) begin
        if (!rst_n || !busy) begin
            gathering <= FIND;
            next <= 8'd0;
            gathered <= 1'b0;
            occupied <= 1'b0;
            issued_up <= 1'b0;
            reading <= 6'd0;
        end else begin
            case (gathering)
                FIND: if (more && looked) begin
                    if (found) gathering <= FREE;
                    else next <= next + 8'd1;
                end
                FREE: if (!occupied) gathering <= WAIT;
                WAIT: if (gather_started && !gather_busy) gathering <= READY;
                default: if (pass_push && state == UP) begin
                    gathering <= FIND;
                    next <= next + 8'd1;
                end
            endcase
            gathered <= gathering == READY && !(pass_push && state == UP);
            // Passes are issued in turn: up, down, up, down.
            if (pass_issued) issued_up <= !issued_up;
            if (pass_push && state == UP) occupied <= 1'b1;
            else if (reading == 6'd1) occupied <= 1'b0;
            if (pass_issued && !issued_up) reading <= READ_CYCLES[5:0];
            else if (reading != 6'd0) reading <= reading - 6'd1;
        end
    end
    always @(posedge clk) gather_started <= gathering == WAIT;

    wire down = state == DOWN || state == DOWN_WEIGHTS;
    wire [VECTORS_BITS-1:0] in_vectors = down ? hidden_vectors : vectors;
    wire [VECTORS_BITS-1:0] out_vectors = down ? vectors : hidden_vectors;
    wire [11:0] inputs = IN_PARTS == 1 ? {1'b0, in_vectors} : {in_vectors, 1'b0};
    wire [11:0] outputs = OUT_PARTS == 1 ? {1'b0, out_vectors} : {out_vectors, 1'b0};
    assign pass[PASS_KIND +: 3] = down ? PASS_WEIGHTED : PASS_GELU;
    assign pass[PASS_LEFT +: 3] = down ? LEFT_HIDDEN : wide ? LEFT_GATHERED_WIDE : LEFT_GATHERED;
    assign pass[PASS_FIRST_ROW +: 16] = 16'd0;
    assign pass[PASS_END_ROW +: 16] = length;
    assign pass[PASS_LEFT_VECTORS +: VECTORS_BITS] = in_vectors;
    assign pass[PASS_LEFT_BASE +: VECTORS_BITS] = {VECTORS_BITS{1'b0}};
    assign pass[PASS_INPUT_TILES +: 12] = inputs;
    assign pass[PASS_OUTPUT_TILES +: 12] = outputs;
    assign pass[PASS_MEMBERS +: 4] = 4'd1;
    assign pass[PASS_DESTINATION_ROW +: 16] = 16'd0;
    assign pass[PASS_DESTINATION_VECTORS +: VECTORS_BITS] = out_vectors;
    assign pass[PASS_DESTINATION_BASE +: VECTORS_BITS] = {VECTORS_BITS{1'b0}};
    assign pass[PASS_BLOCK] = 1'b0;
    assign pass[PASS_AFTER_DRAIN] = down;
    assign pass[PASS_EXPERT +: 8] = expert;
    assign pass[PASS_WIDE] = wide && !down;
    assign pass[PASS_BITS-1:PASS_SLICED] = {(PASS_BITS-PASS_SLICED){1'b0}};  // fields of attention

    assign fetch[FETCH_KIND +: 3] = state == HEADER ? FETCH_HEADER : state == SKIP ? FETCH_SKIP : FETCH_WEIGHTS;
    assign fetch[FETCH_NUMBER +: 32] = segment + {24'd0, expert};
    assign fetch[FETCH_COUNT +: 32] = expert_lines;
    assign fetch[FETCH_OUTPUT_TILES +: 12] = outputs;
    assign fetch[FETCH_INPUT_TILES +: 12] = inputs;
    assign fetch[FETCH_CHANNELS] = 1'b1;
    assign fetch[FETCH_NARROW] = narrow;
    assign fetch[FETCH_MEMBERS +: 4] = 4'd1;
    assign fetch[FETCH_HEAD_BASE +: VECTORS_BITS] = {VECTORS_BITS{1'b0}};
    assign fetch[FETCH_FIRST_KEY +: 16] = 16'd0;
endmodule
`default_nettype wire
