// SPDX-License-Identifier: MIT
// Rules 1 … 6 of docs/isa.md for one instruction, in their order: what makes it legal, whatever the run did before.
//
//   rules 1 … 3: field_rules
//   rule 4: row_end ≤ MAX_ROWS (or rows of two attentions, where STREAMING) and round_up(row_end, TOKEN_PAR)·features ≤ capacity, for each of six accesses in turn
//   rule 5: experts and top_k within the build's limits
//   rule 6: address is whole words and address + (rows − 1)·step + row ≤ size of the region; step: `pitch`, or the row
//
// One multiplier, with an addition behind it, serves the six accesses and then the memory access. Sums that could wrap are differences here.
// Precondition: instruction, input_bytes and output_bytes are held from start to done.
// Latency: done, with fault, 17 cycles after start.
// Depth: a 17-bit addition and a 17-bit comparison; one multiplication; a 32-bit subtraction.
`default_nettype none
`include "require.vh"
module legality (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         start,
    input  wire [511:0] instruction,
    input  wire [63:0]  input_bytes,
    input  wire [63:0]  output_bytes,
    output reg          done,
    output reg  [4:0]   fault
);
`include "edgemoe_spec.vh"
    localparam FIRST_SLOT = 1;                  // step at which `accesses` is given slot 0
    localparam FIRST_CHECK = FIRST_SLOT + 4;    // its product is compared here
    localparam LENGTH_STEP = FIRST_SLOT + 10;   // the bytes of all rows are the multiplier's result here
    localparam LAST_STEP = LENGTH_STEP + 4;
    localparam [16:0] TILE_MASK = TOKEN_PAR - 1;
    localparam [16:0] MOST_ROWS = MAX_ROWS;
    localparam [16:0] MOST_MOVED_ROWS = STREAMING != 0 && 2 * MAX_TOKENS > MAX_ROWS ? 2 * MAX_TOKENS : MAX_ROWS;
    localparam ROUTING_ELEMENTS = (MAX_ROWS + TOKEN_PAR - 1) / TOKEN_PAR * TOKEN_PAR * MAX_TOP_K;

`include "instruction_fields.vh"

    reg busy;
    reg [4:0] step;
    always @(posedge clk) begin
        if (!rst_n) busy <= 1'b0;
        else if (start) busy <= 1'b1;
        else if (step == LAST_STEP[4:0]) busy <= 1'b0;
        step <= start ? 5'd0 : step + 5'd1;
    end

    // Rules 1 … 3.
    wire [15:0] third;
    wire fields_done;
    reg [18:0] row_pitch;
    wire [4:0] fields_fault;
    field_rules fields (.clk(clk), .rst_n(rst_n), .start(start), .instruction(instruction), .third(third),
                        .row_pitch(row_pitch), .done(fields_done), .fault(fields_fault));
    reg [4:0] first_fault;
    always @(posedge clk) if (fields_done) first_fault <= fields_fault;

    // Rule 4: access, whole tiles, product, comparison, one after the other.
    wire access_valid;
    wire [3:0] access_buffer;
    wire [15:0] access_first, access_features;
    wire [16:0] access_end;
    reg [4:0] slot;  // step − FIRST_SLOT
    always @(posedge clk) slot <= start ? 5'd0 - FIRST_SLOT[4:0] : slot + 5'd1;
    accesses rows_of (.clk(clk), .instruction(instruction), .slot(slot[2:0]), .valid(access_valid),
                      .scratchpad(access_buffer), .first(access_first), .row_end(access_end),
                      .features(access_features), .third(third));

    wire own_step = STREAMING != 0 && pitch != 0;
    // What attention works on may have more rows, for the instructions that move them and for attention.
    reg moved;
    always @(posedge clk)
        moved <= opcode == OPCODE_ATTENTION[7:0] || opcode == OPCODE_LOAD[7:0] || opcode == OPCODE_STORE[7:0];
    wire of_attention = moved && access_buffer >= BUFFER_NORM[3:0] && access_buffer <= BUFFER_VALUE[3:0];
    wire own_rule = access_buffer == BUFFER_ROUTING[3:0] && opcode == OPCODE_GATE[7:0];
    wire [16:0] whole_end = (access_end + TILE_MASK) & ~TILE_MASK;
    wire memory_turn = step == LENGTH_STEP[4:0] - 5'd2;
    reg [16:0] factor;
    reg [19:0] other_factor;
    reg [18:0] addend;
    reg [35:0] product;
    reg [2:1] used, beyond_rows, has_room;
    reg [3:0] buffer_1, buffer_2;
    reg [35:0] capacity;
    always @* begin
        capacity = ROW_ELEMENTS;
        if (buffer_2 == BUFFER_HIDDEN[3:0]) capacity = HIDDEN_ELEMENTS;
        if (buffer_2 == BUFFER_ROUTING[3:0]) capacity = ROUTING_ELEMENTS;
    end
    reg too_large;
    always @(posedge clk) begin
        factor <= memory_turn ? {1'b0, own_step ? rows - 16'd1 : rows} : whole_end;
        other_factor <= memory_turn ? (own_step ? {pitch, 4'd0} : {1'b0, row_pitch}) : {4'd0, access_features};
        addend <= memory_turn && own_step ? row_pitch : 19'd0;
        product <= factor * other_factor + {17'd0, addend};
        used <= {used[1], access_valid};
        beyond_rows <= {beyond_rows[1], access_end > (of_attention ? MOST_MOVED_ROWS : MOST_ROWS)};
        has_room <= {has_room[1], own_rule};
        buffer_1 <= access_buffer;
        buffer_2 <= buffer_1;
        if (start)
            too_large <= 1'b0;
        else if (step >= FIRST_CHECK[4:0] && step <= FIRST_CHECK[4:0] + 5'd5 && used[2]
                 && (beyond_rows[2] || (!has_room[2] && product > capacity)))
            too_large <= 1'b1;
    end

    // Rules 4 (limits of two units) and 5.
    reg beyond_unit, too_many;
    always @(posedge clk) begin
        beyond_unit <= (opcode == OPCODE_ATTENTION[7:0] && {16'd0, STREAMING != 0 && keys != 0 ? keys : rows} > MAX_TOKENS)
            || (opcode == OPCODE_LAYERNORM[7:0] && {16'd0, in_features} > MAX_WIDTH);
        too_many <= {24'd0, experts} > MAX_EXPERTS || {24'd0, top_k} > MAX_TOP_K;
    end

    // Rule 6: bytes of a row, of all rows; what is left of the region; the address against that.
    wire is_load = STREAMING != 0 && opcode == OPCODE_LOAD[7:0];
    wire is_store = opcode == OPCODE_STORE[7:0] || is_load;
    wire [3:0] stored = is_load ? destination : source;
    wire is_head = opcode == OPCODE_HEAD[7:0];
    wire is_patch_embed = opcode == OPCODE_PATCH_EMBED[7:0];
    reg [2:0] element_bytes;
    always @*
        if (is_patch_embed) element_bytes = 3'd1;
        else if (is_head || stored == BUFFER_GATE_INPUT[3:0]) element_bytes = 3'd2;
        else if (stored == BUFFER_RESIDUAL[3:0]) element_bytes = RESIDUAL_BYTES[2:0];
        else if (stored == BUFFER_ROUTING[3:0]) element_bytes = 3'd4;
        else element_bytes = ACTIVATION_BITS[5:3];
    reg [15:0] row_features;
    reg [17:0] row_bytes;
    reg [63:0] region, rest;
    reg borrow, short, below, equal, below_low;
    wire [18:0] whole_words = {1'b0, row_bytes} + 19'd15;
    always @(posedge clk) begin
        row_features <= is_head ? out_features : in_features;
        row_bytes <= element_bytes[2] ? {row_features, 2'b00}
            : element_bytes[1] ? {1'b0, row_features, 1'b0} : {2'b00, row_features};
        row_pitch <= {whole_words[18:4], 4'd0};
        region <= is_patch_embed ? input_bytes : output_bytes;
        if (step == LENGTH_STEP[4:0]) {borrow, rest[31:0]} <= {1'b0, region[31:0]} - {1'b0, product[31:0]};
        if (step == LENGTH_STEP[4:0]) rest[35:32] <= product[35:32];
        if (step == LENGTH_STEP[4:0] + 5'd1)
            {short, rest[63:32]} <= {1'b0, region[63:32]} - {29'd0, rest[35:32]} - {32'd0, borrow};
        below_low <= address[31:0] <= rest[31:0];
        below <= address[63:32] < rest[63:32];
        equal <= address[63:32] == rest[63:32];
    end
    wire in_region = !short && (below || (equal && below_low));
    wire half_line = STREAMING != 0 && opcode == OPCODE_REPEAT[7:0] && address[5:4] != 0;
    wire outside = address[3:0] != 0 || half_line || ((is_patch_embed || is_head || is_store) && !in_region);
    reg bad_address;
    always @(posedge clk) bad_address <= outside;

    wire unused = &{1'b0, instruction, access_first, slot[4:3], whole_words[3:0], element_bytes[0]};
    always @(posedge clk) begin
        done <= rst_n & busy & ~start & step == LAST_STEP[4:0];
        fault <= first_fault != FAULT_NONE[4:0] ? first_fault
            : too_large || beyond_unit ? FAULT_BUFFER_RANGE[4:0]
            : too_many ? FAULT_TOO_MANY_EXPERTS[4:0]
            : bad_address ? FAULT_ADDRESS_RANGE[4:0] : FAULT_NONE[4:0];
    end

`ifdef SIMULATION
    reg [511:0] held;
    always @(posedge clk) if (start) held <= instruction;
`endif
    `REQUIRE(rst_n && busy, instruction == held, "the instruction changed before it was checked")
endmodule
`default_nettype wire
