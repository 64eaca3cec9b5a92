// SPDX-License-Identifier: MIT
// LayerNorm of rows of RESIDUAL into NORM and, with gate_copy, GATE_INPUT: one sweep, GROUP rows side by side.
//
//   NORM[destination_row + r] = LayerNorm(RESIDUAL[source_row + r]),  r < rows       see layernorm_normalise
//   GATE_INPUT likewise in 16 bits, or with residual_copy the residual stream itself  see layernorm_copy
//
// A vector of each row in the group is read per cycle, goes into Σx and Σx², and at the same time into a memory, from
// which layernorm_normalise takes it when the row's root is there: groups follow each other without a gap. Groups are
// aligned to absolute source rows; rows of a group outside the range are computed and not written. A destination row
// may lie in any bank: the group's rows are rotated there, those that wrap around one tile further.
// Fields are held from start until not busy; affine lines come after start, at any pace, and are always accepted
// (layernorm_affine); normalising begins with the last of them.
// written_row: rows of NORM before it have been written, or soon will be: in less time than the array takes to read one.
// Precondition: vectors = width/16 ≤ MAX_WIDTH/16, rows ≥ 1; residual_values READ_LATENCY = 2 cycles after read_depth.
// Rate: ⌈rows/GROUP⌉·max(vectors, GROUP) cycles (one group more where unaligned); besides that, from start to not
// busy, 55 cycles in W8A8 and 62 in W16A16. Depth: an addition of 16 bits; a TOKEN_PAR/GROUP : 1 multiplexer.
`default_nettype none
`include "require.vh"
module layernorm #(
    parameter TOKEN_PAR = 8,
    parameter LAYERNORM_LANES = 64,
    parameter VECTOR = 16,
    parameter MAX_WIDTH = 192,
    parameter RESIDUAL_BITS = 16,
    parameter ROW_SUM_BITS = 26,
    parameter ROW_SQUARES_BITS = 41,
    parameter VARIANCE_BITS = 68,
    parameter ROOT_BITS = 17,
    parameter ACTIVATION_BITS = 8,
    parameter GAIN_BITS = 16,
    parameter OFFSET_BITS = 32,
    parameter NORMALISED_BITS = 18,
    parameter NORMALISED_FRACTION = 12,
    parameter WIDE_LIMIT = 32639,
    parameter DSP_WIDE_BITS = 27,
    parameter FINE = 0,
    parameter GATE_FORMS = 0,  // 1: there is `residual_copy`
    parameter RSQRT_MANTISSA_BITS = 16,
    parameter RSQRT_FRACTION = 15,
    parameter RSQRT_STEPS = 1,  // Newton steps
    parameter RSQRT_INDEX_BITS = 8,
    parameter RSQRT_TABLE_SIZE = 192,
    parameter RSQRT_TABLE_BITS = 16,
    parameter [RSQRT_TABLE_SIZE*RSQRT_TABLE_BITS-1:0] RSQRT_TABLE = 0  // entry 0 in the low bits
) (
    input  wire                           clk,
    input  wire                           rst_n,
    input  wire                           start,
    output reg                            busy,
    output reg  [15:0]                    written_row,
    input  wire [15:0]                    rows,
    input  wire [15:0]                    source_row,
    input  wire [15:0]                    destination_row,
    input  wire [6:0]                     vectors,
    input  wire [10:0]                    width,
    input  wire [5:0]                     shift,
    input  wire [5:0]                     gate_shift,
    input  wire                           gate_copy,
    input  wire                           residual_copy,
    input  wire [63:0]                    epsilon,
    input  wire                           affine_valid,
    input  wire [511:0]                   affine_line,
    output wire [15:0]                    read_depth,
    input  wire [TOKEN_PAR*VECTOR*RESIDUAL_BITS-1:0] residual_values,
    output reg  [TOKEN_PAR-1:0]           write_enable,
    output reg  [TOKEN_PAR*16-1:0]        write_depth,
    output reg  [LAYERNORM_LANES*ACTIVATION_BITS-1:0] norm_values,
    output wire [TOKEN_PAR-1:0]           gate_enable,
    output reg  [LAYERNORM_LANES*16-1:0]  gate_values
);
    localparam GROUP = LAYERNORM_LANES / VECTOR;
    localparam SLOTS = TOKEN_PAR / GROUP;  // groups of a tile
    localparam SLOT_BITS = SLOTS > 1 ? $clog2(SLOTS) : 1;
    localparam GROUP_SHIFT = $clog2(GROUP);
    localparam INDEX_BITS = GROUP > 1 ? GROUP_SHIFT : 1;
    localparam TILE_SHIFT = $clog2(TOKEN_PAR);
    localparam ROW_BITS = VECTOR * RESIDUAL_BITS;  // of one row's vector
    localparam PART_BITS = 8;
    localparam WAITING_BITS = 8;  // vectors that may be on their way, more than the latency and a row of 64
    localparam GROUPS_BITS = 6;  // groups that may be on their way, more than the latency
    localparam NORMALISING = 18;  // cycles in layernorm_normalise

    // Where the first group lies; its destination may begin before row 0 (modulo 2^16, not written).
    localparam [15:0] IN_GROUP = GROUP - 1;
    localparam [15:0] IN_TILE = TOKEN_PAR - 1;
    wire [15:0] last_row = source_row + rows - 1'b1;
    reg [3:1] setup;
    reg signed [15:0] first_destination;
    wire [15:0] destination_tile = first_destination >>> TILE_SHIFT;
    reg [15:0] source_base, destination_base, groups;
    reg [6:0] last_vector;  // of a row
    always @(posedge clk) begin
        setup <= rst_n ? {setup[2:1], start} : 3'd0;
        last_vector <= vectors - 1'b1;
        first_destination <= destination_row - (source_row & IN_GROUP);
        groups <= (last_row >> GROUP_SHIFT) - (source_row >> GROUP_SHIFT) + 1'b1;
        source_base <= (source_row >> TILE_SHIFT) * {9'd0, vectors};
        destination_base <= destination_tile * {9'd0, vectors};
    end

    // Reading: the parts of one group, then the next group, while memories have room.
    localparam [6:0] SHORTEST = GROUP;  // the roots of a group take a cycle each
    reg reading;
    reg [6:0] position, last_of_group, before_last;
    reg last_position;  // `position` is last_of_group
    reg [15:0] groups_left, tile_base;
    reg [SLOT_BITS-1:0] slot;
    reg [WAITING_BITS:0] vectors_out;
    reg [GROUPS_BITS:0] groups_out;
    wire taken, group_taken;
    reg taken_1, group_taken_1;  // room is given back a cycle later, which shortens the path
    wire issue = reading & ~vectors_out[WAITING_BITS] & ~groups_out[GROUPS_BITS];
    wire read = issue & position < vectors;
    wire next_group = issue & last_position;
    wire next_tile = slot == SLOTS[SLOT_BITS-1:0] - 1'b1;
    assign read_depth = tile_base + {9'd0, position};
    always @(posedge clk) begin
        if (!rst_n) begin
            reading <= 1'b0;
            vectors_out <= {(WAITING_BITS+1){1'b0}};
            groups_out <= {(GROUPS_BITS+1){1'b0}};
        end else begin
            if (setup[3]) reading <= 1'b1;
            else if (next_group && groups_left == 1) reading <= 1'b0;
            vectors_out <= vectors_out + {{WAITING_BITS{1'b0}}, read} - {{WAITING_BITS{1'b0}}, taken_1};
            groups_out <= groups_out + {{GROUPS_BITS{1'b0}}, next_group} - {{GROUPS_BITS{1'b0}}, group_taken_1};
        end
        last_of_group <= (vectors < SHORTEST ? SHORTEST : vectors) - 1'b1;
        before_last <= last_of_group - 1'b1;
        if (setup[3]) begin
            position <= 7'd0;
            last_position <= last_of_group == 0;
            groups_left <= groups;
            tile_base <= source_base;
            slot <= SLOTS == 1 ? {SLOT_BITS{1'b0}} : source_row[GROUP_SHIFT +: SLOT_BITS];
        end else if (issue) begin
            position <= last_position ? 7'd0 : position + 1'b1;
            last_position <= last_position ? last_of_group == 0 : position == before_last;
            if (last_position) begin
                groups_left <= groups_left - 1'b1;
                slot <= next_tile ? {SLOT_BITS{1'b0}} : slot + 1'b1;
                if (next_tile) tile_base <= tile_base + {9'd0, vectors};
            end
        end
    end

    // The vectors of a group: into the statistics and into the memory.
    reg [3:1] valid, first, last;
    reg [SLOT_BITS-1:0] slot_1, slot_2;
    reg [GROUP*ROW_BITS-1:0] values_3;
    reg [GROUP*ROW_BITS-1:0] held [0:(1<<WAITING_BITS)-1];
    reg [WAITING_BITS-1:0] write_pointer, read_pointer;
    always @(posedge clk) begin
        valid <= rst_n ? {valid[2:1], read} : 3'd0;
        first <= {first[2:1], position == 0};
        last <= {last[2:1], position == last_vector};
        slot_1 <= slot;
        slot_2 <= slot_1;
        values_3 <= residual_values[slot_2*GROUP*ROW_BITS +: GROUP*ROW_BITS];
        if (valid[3]) held[write_pointer] <= values_3;
        write_pointer <= rst_n ? write_pointer + {{(WAITING_BITS-1){1'b0}}, valid[3]} : {WAITING_BITS{1'b0}};
        read_pointer <= rst_n ? read_pointer + {{(WAITING_BITS-1){1'b0}}, taken} : {WAITING_BITS{1'b0}};
    end

    wire group_ready, affine_ready;
    wire [GROUP*ROW_SUM_BITS-1:0] sums;
    wire [GROUP*ROOT_BITS-1:0] roots;
    wire [GROUP*7-1:0] exponents;
    layernorm_roots #(
        .GROUP(GROUP), .ENTRY_BITS(GROUPS_BITS), .VECTOR(VECTOR), .RESIDUAL_BITS(RESIDUAL_BITS),
        .ROW_SUM_BITS(ROW_SUM_BITS), .ROW_SQUARES_BITS(ROW_SQUARES_BITS), .VARIANCE_BITS(VARIANCE_BITS),
        .ROOT_BITS(ROOT_BITS), .RSQRT_MANTISSA_BITS(RSQRT_MANTISSA_BITS), .RSQRT_FRACTION(RSQRT_FRACTION),
        .RSQRT_STEPS(RSQRT_STEPS), .RSQRT_INDEX_BITS(RSQRT_INDEX_BITS), .RSQRT_TABLE_SIZE(RSQRT_TABLE_SIZE),
        .RSQRT_TABLE_BITS(RSQRT_TABLE_BITS), .RSQRT_TABLE(RSQRT_TABLE)
    ) row_roots (
        .clk(clk), .rst_n(rst_n), .valid_in(valid[3]), .first(first[3]), .last(last[3]), .values(values_3),
        .width(width), .epsilon(epsilon), .ready(group_ready), .take(group_taken),
        .sums(sums), .roots(roots), .exponents(exponents));

    // Normalising: vectors and their rows' roots leave the memories together.
    reg [PART_BITS-1:0] part, part_1, part_2;
    reg taken_2;
    reg [GROUP*ROW_BITS-1:0] held_1, held_2;
    reg [GROUP*ROW_SUM_BITS-1:0] sums_1, sums_2;
    reg [GROUP*ROOT_BITS-1:0] roots_1, roots_2;
    reg [GROUP*7-1:0] exponents_1, exponents_2;
    assign taken = group_ready & affine_ready;
    assign group_taken = taken & part == {1'b0, last_vector};
    always @(posedge clk) begin
        if (!rst_n | group_taken) part <= {PART_BITS{1'b0}};
        else if (taken) part <= part + 1'b1;
        taken_1 <= rst_n & taken;
        group_taken_1 <= rst_n & group_taken;
        taken_2 <= rst_n & taken_1;
        part_1 <= part;
        part_2 <= part_1;
        held_1 <= held[read_pointer];
        held_2 <= held_1;
        sums_1 <= sums;
        sums_2 <= sums_1;
        roots_1 <= roots;
        roots_2 <= roots_1;
        exponents_1 <= exponents;
        exponents_2 <= exponents_1;
    end

    wire [PART_BITS-1:0] part_out, channel_part;
    wire [VECTOR*GAIN_BITS-1:0] gains;
    wire [VECTOR*OFFSET_BITS-1:0] offsets;
    wire [GROUP*VECTOR*ACTIVATION_BITS-1:0] norm;
    wire [GROUP*VECTOR*16-1:0] gate;
    wire written;
    layernorm_affine #(
        .VECTOR(VECTOR), .MAX_WIDTH(MAX_WIDTH), .GAIN_BITS(GAIN_BITS), .OFFSET_BITS(OFFSET_BITS), .FINE(FINE)
    ) affine (
        .clk(clk), .start(start), .vectors(vectors), .line_valid(affine_valid), .line(affine_line),
        .ready(affine_ready), .part(channel_part), .gains(gains), .offsets(offsets));
    genvar row, bank;
    generate
        for (row = 0; row < GROUP; row = row + 1) begin : group_rows
            wire row_valid;
            wire [PART_BITS-1:0] row_part, row_channel_part;
            wire [VECTOR*16-1:0] row_gate;
            layernorm_normalise #(
                .LANES(VECTOR), .PART_BITS(PART_BITS), .MAX_WIDTH(MAX_WIDTH), .RESIDUAL_BITS(RESIDUAL_BITS),
                .ROW_SUM_BITS(ROW_SUM_BITS), .ROOT_BITS(ROOT_BITS), .ACTIVATION_BITS(ACTIVATION_BITS), .GAIN_BITS(GAIN_BITS),
                .OFFSET_BITS(OFFSET_BITS), .NORMALISED_BITS(NORMALISED_BITS),
                .NORMALISED_FRACTION(NORMALISED_FRACTION), .RSQRT_MANTISSA_BITS(RSQRT_MANTISSA_BITS),
                .RSQRT_FRACTION(RSQRT_FRACTION), .WIDE_LIMIT(WIDE_LIMIT), .DSP_WIDE_BITS(DSP_WIDE_BITS)
            ) normalise (
                .clk(clk), .rst_n(rst_n), .valid_in(taken_2), .part(part_2),
                .values(held_2[row*ROW_BITS +: ROW_BITS]), .sum(sums_2[row*ROW_SUM_BITS +: ROW_SUM_BITS]),
                .root(roots_2[row*ROOT_BITS +: ROOT_BITS]), .exponent(exponents_2[row*7 +: 7]), .width(width),
                .channel_part(row_channel_part), .gains(gains), .offsets(offsets),
                .shift(shift), .gate_shift(gate_shift), .valid_out(row_valid), .part_out(row_part),
                .norm(norm[row*VECTOR*ACTIVATION_BITS +: VECTOR*ACTIVATION_BITS]),
                .gate(row_gate));
            if (GATE_FORMS != 0) begin : forms
                wire [VECTOR*16-1:0] copied;
                layernorm_copy #(
                    .LANES(VECTOR), .RESIDUAL_BITS(RESIDUAL_BITS), .WIDE_LIMIT(WIDE_LIMIT), .LATENCY(NORMALISING)
                ) upper_bits (
                    .clk(clk), .values(held_2[row*ROW_BITS +: ROW_BITS]), .copied(copied));
                assign gate[row*VECTOR*16 +: VECTOR*16] = residual_copy ? copied : row_gate;
            end else begin : one_form
                assign gate[row*VECTOR*16 +: VECTOR*16] = row_gate;
            end
            if (row == 0) begin : leads
                assign written = row_valid;
                assign part_out = row_part;
                assign channel_part = row_channel_part;
            end else begin : follows
                wire unused = &{1'b0, row_valid, row_part, row_channel_part};
            end
        end
    endgenerate

    // Writing: bank b takes row (b − first bank) mod TOKEN_PAR of the group, wrapped around where b < first bank.
    reg [15:0] write_base, wrapped_base, groups_to_write, first_bank;
    reg first_group;
    localparam [GROUP-1:0] ALL = {GROUP{1'b1}};
    wire [GROUP-1:0] from_first = first_group ? ALL << (source_row & IN_GROUP) : ALL;
    wire [GROUP-1:0] to_last = groups_to_write == 1 ? ALL >> (IN_GROUP - (last_row & IN_GROUP)) : ALL;
    wire [GROUP-1:0] allowed_rows = from_first & to_last;
    // The last vectors of a group are written: known from when they were taken.
    reg [NORMALISING:0] closing;
    reg group_written;
    always @(posedge clk) begin
        closing <= {closing[NORMALISING-1:0], group_taken};
        group_written <= rst_n & closing[NORMALISING];
    end
    wire [15:0] next_bank = first_bank + GROUP[15:0];
    always @(posedge clk) begin
        if (setup[3]) begin
            write_base <= destination_base;
            wrapped_base <= destination_base + {9'd0, vectors};
            first_bank <= first_destination & IN_TILE;
            groups_to_write <= groups;
            first_group <= 1'b1;
            written_row <= first_destination;
        end else if (group_written) begin
            written_row <= written_row + GROUP[15:0];
            first_bank <= next_bank & IN_TILE;
            groups_to_write <= groups_to_write - 1'b1;
            first_group <= 1'b0;
            if (next_bank > IN_TILE) begin
                write_base <= wrapped_base;
                wrapped_base <= wrapped_base + {9'd0, vectors};
            end
        end
        busy <= rst_n & (start | (busy & (groups_to_write != 0 | |setup)));
    end
    // Banks GROUP apart take the same row of the group, if any: bank b values number b mod GROUP.
    generate
        for (row = 0; row < GROUP; row = row + 1) begin : rotated
            localparam [15:0] NUMBER = row;
            wire [15:0] difference = NUMBER - first_bank;
            wire [INDEX_BITS-1:0] row_in_group = difference[INDEX_BITS-1:0] & IN_GROUP[INDEX_BITS-1:0];
            always @(posedge clk) begin
                norm_values[row*VECTOR*ACTIVATION_BITS +: VECTOR*ACTIVATION_BITS] <=
                    norm[row_in_group*VECTOR*ACTIVATION_BITS +: VECTOR*ACTIVATION_BITS];
                gate_values[row*VECTOR*16 +: VECTOR*16] <= gate[row_in_group*VECTOR*16 +: VECTOR*16];
            end
            wire unused_difference = &{1'b0, difference};
        end
        for (bank = 0; bank < TOKEN_PAR; bank = bank + 1) begin : banks
            localparam [15:0] NUMBER = bank;
            wire [15:0] row_in_tile = (NUMBER - first_bank) & IN_TILE;
            wire [INDEX_BITS-1:0] row_in_group = row_in_tile[INDEX_BITS-1:0] & IN_GROUP[INDEX_BITS-1:0];
            wire in_range = row_in_tile <= IN_GROUP && allowed_rows[row_in_group];
            wire wraps = NUMBER < first_bank;
            always @(posedge clk) begin
                write_enable[bank] <= rst_n & written & in_range;
                write_depth[bank*16 +: 16] <= (wraps ? wrapped_base : write_base) + {8'd0, part_out};
            end
        end
    endgenerate
    assign gate_enable = gate_copy ? write_enable : {TOKEN_PAR{1'b0}};
    wire unused = &{1'b0, residual_copy};

    // Preconditions.
    `REQUIRE(rst_n && start, rows != 0 && vectors != 0, "no rows or no vectors")
    `REQUIRE(rst_n && start, {9'd0, vectors} <= MAX_WIDTH[15:0] / VECTOR[15:0], "rows are wider than MAX_WIDTH")
endmodule
`default_nettype wire
