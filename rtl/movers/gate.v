// SPDX-License-Identifier: MIT
// Gate: routes the rows of one instruction, from their exact integer logits to experts' queues and ROUTING.
//
//   chosen = the top_k largest logits, ties to the lowest expert                                    gate_choice
//   score  = min(⌊w[chosen]·2^16 / Σ w⌋, 2^16 − 1), w = exp2(t − max ⌈t⌉) over all experts, or over the chosen ones
//            with `renormalise`                                                            gate_scores, gate_divide
//
// Logits come from the array's drain in tiles of OUT_PAR experts, up to POST_ROWS rows a cycle (rows of a cycle differ
// modulo POST_ROWS), tiles ascending, rows of a tile ascending, and are kept until their row's last tile is there. Then
// the row passes a pipeline that never waits, LANES experts a cycle. Entries of ROUTING beyond top_k are 0.
// Precondition: fields held from start until not busy; 1 ≤ top_k ≤ experts ≤ MAX_EXPERTS; MAX_TOP_K ≤ 8.
// Rate: CYCLES = 4 cycles a row (8 where MAX_TOP_K is above 4). Latency: 49 cycles from a row's last logits to its
// first push, with CYCLES = 4; GATE_TURNS - 1 more where tiles are read in turn.
// Depth: see the parts; a memory of MAX_ROWS rows of all logits.
`default_nettype none
`include "require.vh"
module gate #(
    parameter POST_ROWS = 2,
    parameter OUT_PAR = 16,
    parameter MAX_EXPERTS = 16,
    parameter MAX_TOP_K = 4,
    parameter MAX_ROWS = 258,
    parameter LOGIT_BITS = 42,
    parameter GATE_CYCLES = 4,
    parameter GATE_TURNS = 1,  // tiles of a row's logits that lie in one memory: all of them, or one
    parameter GATE_FORMS = 0,  // 1: there is `renormalise`
    parameter GATE_LOGIT_BITS = 24,
    parameter GATE_FRACTION = 12,
    parameter GATE_EXPONENTIAL_BITS = 16,
    parameter FINE_EXP2_HIGH_TABLE_BITS = 16,
    parameter [64*FINE_EXP2_HIGH_TABLE_BITS-1:0] FINE_EXP2_HIGH_TABLE = 0,
    parameter FINE_EXP2_LOW_TABLE_BITS = 17,
    parameter [64*FINE_EXP2_LOW_TABLE_BITS-1:0] FINE_EXP2_LOW_TABLE = 0
) (
    input  wire                                    clk,
    input  wire                                    rst_n,
    input  wire                                    start,
    output reg                                     busy,
    input  wire [15:0]                             rows,
    input  wire [15:0]                             source_row,
    input  wire [15:0]                             destination_row,
    input  wire [7:0]                              experts,
    input  wire [7:0]                              top_k,
    input  wire [15:0]                             multiplier,
    input  wire [5:0]                              shift,
    input  wire                                    renormalise,
    input  wire [POST_ROWS-1:0]                    logits_valid,
    input  wire [POST_ROWS*16-1:0]                 logits_row,
    input  wire [7:0]                              logits_tile,
    input  wire [POST_ROWS*OUT_PAR*LOGIT_BITS-1:0] logits,
    output reg                                     push_valid,
    output reg  [7:0]                              push_expert,
    output reg  [15:0]                             push_source,
    output reg  [15:0]                             push_destination,
    output reg  [15:0]                             push_score,
    output reg                                     routing_valid,
    output reg  [15:0]                             routing_row,
    output reg  [MAX_TOP_K*32-1:0]                 routing_entries
);
    localparam TILES = (MAX_EXPERTS + OUT_PAR - 1) / OUT_PAR;
    localparam TOTAL = TILES * OUT_PAR;
    localparam CYCLES = GATE_CYCLES;
    localparam LANES = TOTAL / CYCLES;
    localparam INDEX_BITS = $clog2(TOTAL);
    localparam BEAT_BITS = $clog2(CYCLES);
    localparam TILE_LOGITS_BITS = OUT_PAR * LOGIT_BITS;
    localparam BANK_SHIFT = $clog2(POST_ROWS);
    localparam BANK_BITS = POST_ROWS > 1 ? BANK_SHIFT : 1;
    localparam DEPTH = (MAX_ROWS + POST_ROWS - 1) / POST_ROWS;
    localparam MEMORY_INDEX_BITS = $clog2(DEPTH);
    localparam SUM_BITS = GATE_EXPONENTIAL_BITS + INDEX_BITS;
    localparam PENDING_BITS = 4;  // rows between their choice and their scores: fewer than 16

    // Logits as they come.
    reg [POST_ROWS-1:0] valid_in;
    reg [POST_ROWS*16-1:0] row_in;
    reg [7:0] tile_in;
    reg [POST_ROWS*TILE_LOGITS_BITS-1:0] logits_in;
    always @(posedge clk) begin
        valid_in <= rst_n ? logits_valid : {POST_ROWS{1'b0}};
        row_in <= logits_row;
        tile_in <= logits_tile;
        logits_in <= logits;
    end

    // Rows whose last tile is there, and the next one to be read: one every CYCLES cycles.
    wire [7:0] last_expert = experts - 1'b1;
    wire last_tile = tile_in == last_expert >> $clog2(OUT_PAR);
    reg [15:0] arrived, next_row;
    reg [BEAT_BITS-1:0] pause;
    wire read = busy & arrived != next_row & pause == 0;
    reg [15:0] arriving;
    integer lane;
    always @* begin
        arriving = arrived;
        for (lane = 0; lane < POST_ROWS; lane = lane + 1)
            arriving = arriving + {15'd0, valid_in[lane] & last_tile};
    end
    always @(posedge clk)
        if (!rst_n | start) begin
            arrived <= 16'd0;
            next_row <= 16'd0;
            pause <= {BEAT_BITS{1'b0}};
        end else begin
            arrived <= arriving;
            next_row <= next_row + {15'd0, read};
            pause <= read ? CYCLES[BEAT_BITS-1:0] - 1'b1 : pause - {{(BEAT_BITS-1){1'b0}}, pause != 0};
        end

    // Row r in bank r mod POST_ROWS, its tiles behind each other, so that they fill blocks of memory, and are read one a
    // cycle; or each tile in a memory of its own.
    localparam TURNS = GATE_TURNS;
    localparam BESIDE = TILES / TURNS;  // memories
    localparam TURN_BITS = TURNS > 1 ? $clog2(TURNS) : 1;
    localparam LAST_TURN = TURNS - 1;
    localparam PLACES = TURNS << MEMORY_INDEX_BITS;
    localparam PLACE_BITS = $clog2(PLACES);
    localparam KEPT_BITS = BESIDE * TILE_LOGITS_BITS;
    wire [POST_ROWS*KEPT_BITS-1:0] kept;
    reg [TURN_BITS-1:0] turn;
    reg [15:0] read_row;
    wire reads = read | turn != 0;
    wire [15:0] asked_row = read ? next_row : read_row;
    always @(posedge clk) begin
        if (read) read_row <= next_row;
        turn <= !rst_n || turn == LAST_TURN[TURN_BITS-1:0] ? {TURN_BITS{1'b0}} : turn + {{(TURN_BITS-1){1'b0}}, reads};
    end
    genvar bank, tile, place;
    generate
        for (bank = 0; bank < POST_ROWS; bank = bank + 1) begin : banks
            localparam [15:0] IN_BANK = POST_ROWS - 1;
            reg hit;
            reg [15:0] row;
            reg [TILE_LOGITS_BITS-1:0] arrived_tile;
            integer from;
            always @* begin
                hit = 1'b0;
                row = row_in[15:0];
                arrived_tile = logits_in[TILE_LOGITS_BITS-1:0];
                for (from = 0; from < POST_ROWS; from = from + 1)
                    if (valid_in[from] && (row_in[from*16 +: 16] & IN_BANK) == bank) begin
                        hit = 1'b1;
                        row = row_in[from*16 +: 16];
                        arrived_tile = logits_in[from*TILE_LOGITS_BITS +: TILE_LOGITS_BITS];
                    end
            end
            wire [PLACE_BITS-1:0] write_place, read_place;
            if (TURNS > 1) begin : in_turn
                assign write_place = {tile_in[TURN_BITS-1:0], row[BANK_SHIFT +: MEMORY_INDEX_BITS]};
                assign read_place = {turn, asked_row[BANK_SHIFT +: MEMORY_INDEX_BITS]};
            end else begin : at_once
                assign write_place = row[BANK_SHIFT +: MEMORY_INDEX_BITS];
                assign read_place = asked_row[BANK_SHIFT +: MEMORY_INDEX_BITS];
            end
            for (tile = 0; tile < BESIDE; tile = tile + 1) begin : tiles
                reg [TILE_LOGITS_BITS-1:0] memory [0:PLACES-1];
                reg [TILE_LOGITS_BITS-1:0] memory_1, memory_2;
                always @(posedge clk) begin
                    if (hit && (TURNS > 1 || tile_in == tile)) memory[write_place] <= arrived_tile;
                    if (reads) memory_1 <= memory[read_place];
                    memory_2 <= memory_1;
                end
                assign kept[(bank*BESIDE+tile)*TILE_LOGITS_BITS +: TILE_LOGITS_BITS] = memory_2;
            end
            wire unused = &{1'b0, row};
        end
    endgenerate

    // From a row's logits, LANES of them a cycle.
    reg read_1;
    reg [TURNS-1:0] arrives;  // TURNS - 1: the last tiles of a row
    reg beat_valid;
    reg [BANK_BITS-1:0] bank_1, bank_2;
    reg [BEAT_BITS-1:0] next_beat, beat;
    reg [TOTAL*LOGIT_BITS-1:0] row_logits;
    reg [LANES*LOGIT_BITS-1:0] beat_logits;
    reg [TOTAL-1:0] present;  // which experts there are
    wire [KEPT_BITS-1:0] read_tiles = kept[bank_2*KEPT_BITS +: KEPT_BITS];
    wire [TOTAL*LOGIT_BITS-1:0] read_logits;  // tiles before the last one are kept from the cycles before
    generate
        if (TURNS > 1) begin : together
            reg [LAST_TURN*TILE_LOGITS_BITS-1:0] earlier;
            always @(posedge clk) earlier <= read_logits[TILE_LOGITS_BITS +: LAST_TURN*TILE_LOGITS_BITS];
            assign read_logits = {read_tiles, earlier};
        end else begin : at_once
            assign read_logits = read_tiles;
        end
    endgenerate
    wire [TURNS:0] arriving_tiles = {arrives, read_1};
    wire unused = &{1'b0, asked_row, arriving_tiles};
    wire complete = arrives[TURNS-1];
    wire reading = complete | next_beat != 0;
    always @(posedge clk) begin
        present <= {TOTAL{1'b1}} >> (TOTAL - {24'd0, experts});
        read_1 <= rst_n & read;
        arrives <= rst_n ? arriving_tiles[TURNS-1:0] : {TURNS{1'b0}};
        bank_1 <= next_row[BANK_BITS-1:0] & (POST_ROWS > 1 ? {BANK_BITS{1'b1}} : {BANK_BITS{1'b0}});
        if (read_1) bank_2 <= bank_1;
        next_beat <= !rst_n ? {BEAT_BITS{1'b0}} : next_beat + {{(BEAT_BITS-1){1'b0}}, reading};
        beat_valid <= rst_n & reading;
        beat <= next_beat;
        if (complete) row_logits <= read_logits;
        beat_logits <= complete ? read_logits[0 +: LANES*LOGIT_BITS]
            : row_logits[next_beat*LANES*LOGIT_BITS +: LANES*LOGIT_BITS];
    end

    wire choice_valid, closing;
    wire [MAX_TOP_K*INDEX_BITS-1:0] choice;
    wire [TOTAL*GATE_EXPONENTIAL_BITS-1:0] exponentials;
    wire [SUM_BITS-1:0] sum;
    gate_choice #(.LOGIT_BITS(LOGIT_BITS), .LANES(LANES), .CYCLES(CYCLES), .MAX_TOP_K(MAX_TOP_K)) choose (
        .clk(clk), .rst_n(rst_n), .beat_valid(beat_valid), .beat(beat), .beat_logits(beat_logits),
        .row_logits(row_logits), .present(present), .choice_valid(choice_valid), .choice(choice));
    gate_scores #(
        .LOGIT_BITS(LOGIT_BITS), .GATE_FORMS(GATE_FORMS), .MAX_TOP_K(MAX_TOP_K), .LANES(LANES), .CYCLES(CYCLES), .GATE_LOGIT_BITS(GATE_LOGIT_BITS),
        .GATE_FRACTION(GATE_FRACTION), .GATE_EXPONENTIAL_BITS(GATE_EXPONENTIAL_BITS),
        .FINE_EXP2_HIGH_TABLE_BITS(FINE_EXP2_HIGH_TABLE_BITS), .FINE_EXP2_HIGH_TABLE(FINE_EXP2_HIGH_TABLE),
        .FINE_EXP2_LOW_TABLE_BITS(FINE_EXP2_LOW_TABLE_BITS), .FINE_EXP2_LOW_TABLE(FINE_EXP2_LOW_TABLE)
    ) weigh (
        .clk(clk), .rst_n(rst_n), .beat_valid(beat_valid), .beat(beat), .beat_logits(beat_logits),
        .present(present[beat*LANES +: LANES]), .multiplier(multiplier), .shift(shift),
        .renormalise(renormalise), .top_k(top_k), .choice(choice),
        .closing(closing), .exponentials(exponentials), .sum(sum));

    // The chosen ones' exponentials, one a cycle, best first.
    reg [MAX_TOP_K*INDEX_BITS-1:0] pending [0:(1<<PENDING_BITS)-1];
    reg [MAX_TOP_K*INDEX_BITS-1:0] chosen;
    reg [PENDING_BITS-1:0] choice_pointer, score_pointer;
    reg dividing, selected_valid;
    reg [7:0] rank;
    reg [GATE_EXPONENTIAL_BITS-1:0] selected;
    reg [SUM_BITS-1:0] selected_sum;
    reg [INDEX_BITS-1:0] selected_expert;
    wire [INDEX_BITS-1:0] best = chosen[INDEX_BITS-1:0];
    always @(posedge clk) begin
        if (choice_valid) pending[choice_pointer] <= choice;
        choice_pointer <= rst_n ? choice_pointer + {{(PENDING_BITS-1){1'b0}}, choice_valid} : {PENDING_BITS{1'b0}};
        score_pointer <= rst_n ? score_pointer + {{(PENDING_BITS-1){1'b0}}, closing} : {PENDING_BITS{1'b0}};
        dividing <= rst_n & (closing | (dividing & rank != top_k - 1'b1));
        rank <= closing ? 8'd0 : rank + 1'b1;
        chosen <= closing ? pending[score_pointer] : chosen >> INDEX_BITS;
        selected_valid <= rst_n & dividing;
        selected <= exponentials[best*GATE_EXPONENTIAL_BITS +: GATE_EXPONENTIAL_BITS];
        selected_sum <= sum;
        selected_expert <= best;
    end
    wire divided;
    wire [INDEX_BITS-1:0] expert_out;
    wire [15:0] score_out;
    gate_divide #(.DIVISOR_BITS(SUM_BITS), .TAG_BITS(INDEX_BITS)) divide (
        .clk(clk), .rst_n(rst_n), .valid_in(selected_valid), .dividend(selected), .divisor(selected_sum),
        .tag_in(selected_expert), .valid_out(divided), .quotient(score_out), .tag_out(expert_out));

    // Pushes, and the row's ROUTING with its last one.
    reg [15:0] row_out;
    reg [7:0] rank_out;
    reg finished;
    wire last_rank = rank_out == top_k - 1'b1;
    always @(posedge clk) begin
        if (!rst_n | start) begin
            row_out <= 16'd0;
            rank_out <= 8'd0;
        end else if (divided) begin
            row_out <= row_out + {15'd0, last_rank};
            rank_out <= last_rank ? 8'd0 : rank_out + 1'b1;
        end
        push_valid <= rst_n & divided;
        push_expert <= {{(8-INDEX_BITS){1'b0}}, expert_out};
        push_source <= source_row + row_out;
        push_destination <= destination_row + row_out;
        push_score <= score_out;
        routing_valid <= rst_n & divided & last_rank;
        routing_row <= destination_row + row_out;
        finished <= divided & last_rank & row_out == rows - 1'b1;
        busy <= rst_n & (start | (busy & ~finished));
    end
    generate
        for (place = 0; place < MAX_TOP_K; place = place + 1) begin : entries
            always @(posedge clk)
                if (divided && rank_out == place)
                    routing_entries[place*32 +: 32] <= {score_out, {(16-INDEX_BITS){1'b0}}, expert_out};
                else if (divided && rank_out == 0) routing_entries[place*32 +: 32] <= 32'd0;
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && start, top_k != 0 && top_k <= experts && experts <= MAX_EXPERTS, "top_k and experts do not fit")
endmodule
`default_nettype wire
