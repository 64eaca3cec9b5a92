// SPDX-License-Identifier: MIT
// Right tiles of attention, assembled from the KEY and VALUE scratchpads: one key or value vector per bank and cycle. Tiles
// of weights pass through the register in which they are assembled.
//
//   keys:   for output tile (OUT_PAR keys):  for input tile (IN_PAR features of the head):         one tile
//   values: for group of output tiles:       for input tile (IN_PAR keys):  for member of the group:  one tile
//
// Of a slice of the keys, first_key is its first one. Tiles of keys are aligned to absolute rows; keys that are not of the task are masked where scores are used. A tile is
// read in OUT_PAR/TOKEN_PAR or IN_PAR/TOKEN_PAR parts and serves all queries in flight, so what is read per step does not
// grow with their number.
// Precondition: fields are held from start until not busy; OUT_PAR and IN_PAR are multiples of TOKEN_PAR.
// weights_coming is up two cycles before weights, and never while tiles of attention are on their way.
// Latency: 3 from the last part's depth to tile_push, 1 from weights; tile_coming is 3 cycles before either.
// Depth: an addition; a multiplexer of keys, values and weights.
`default_nettype none
`include "require.vh"
module attention #(
    parameter TOKEN_PAR = 8,
    parameter IN_PAR = 16,
    parameter OUT_PAR = 16,
    parameter IN_PARTS = 1,  // input tiles per vector
    parameter OUT_PARTS = 1,  // output tiles per vector
    parameter ACTIVATION_BITS = 8,
    parameter WEIGHT_BITS = 8,
    parameter VECTOR_BITS = 128,
    parameter TILE_BITS = 2048,
    parameter LANE_BITS = 3,
    parameter VECTORS_BITS = 11
) (
    input  wire                             clk,
    input  wire                             rst_n,
    input  wire                             start,
    input  wire                             of_values,
    input  wire [15:0]                      first_key,
    input  wire [VECTORS_BITS-1:0]          vectors,
    input  wire [VECTORS_BITS-1:0]          head_base,
    input  wire [11:0]                      output_tiles,
    input  wire [11:0]                      input_tiles,
    input  wire [3:0]                       members,
    output wire                             busy,
    input  wire                             tile_room,
    output wire                             tile_reserve,
    output reg  [15:0]                      read_depth,
    input  wire [TOKEN_PAR*VECTOR_BITS-1:0] key_values,
    input  wire [TOKEN_PAR*VECTOR_BITS-1:0] value_values,
    input  wire                             weights_coming,
    input  wire [TILE_BITS-1:0]             weights,
    output wire                             tile_coming,
    output reg                              tile_push,
    output reg  [TILE_BITS-1:0]             tile
);
    localparam KEY_PARTS = OUT_PAR / TOKEN_PAR;
    localparam VALUE_PARTS = IN_PAR / TOKEN_PAR;
    localparam LAST_KEY_PART = KEY_PARTS - 1;
    localparam LAST_VALUE_PART = VALUE_PARTS - 1;
    localparam OUT_SHIFT = $clog2(OUT_PAR);
    localparam IN_SHIFT = $clog2(IN_PAR);
    localparam UPPER_OUTPUT = OUT_PARTS > 1 ? OUT_PAR : 0;  // where the second half of a vector begins
    localparam UPPER_INPUT = IN_PARTS > 1 ? IN_PAR : 0;

    // Depth of the first row of the tiles, then of the part that is read; column counts output or input tiles of the head.
    wire [15:0] first_row = of_values ? (first_key >> IN_SHIFT) << IN_SHIFT : (first_key >> OUT_SHIFT) << OUT_SHIFT;
    reg [26:0] product;  // of the fields, ready in state 1
    reg [1:0] state;  // 0 idle, 1 first depth, 2 reading
    reg [15:0] first_depth, row_depth, part_depth;
    reg [11:0] group, input_tile;
    reg [11:0] column;
    reg [3:0] member, part;
    wire [3:0] last_part_of_tile = of_values ? LAST_VALUE_PART[3:0] : LAST_KEY_PART[3:0];
    reg opens, last_part, last_member, last_input, last_group;  // of the part that is next, made a cycle before
    wire go = state == 2'd2 && (!opens || tile_room);
    wire closes = go && last_part;
    // Fields that stand a cycle after they came; where the next part and tile are.
    reg [11:0] last_output_tile, last_input_tile;
    reg [3:0] last_of_members;
    reg [15:0] rows_of_tile;
    wire [3:0] next_part = last_part ? 4'd0 : part + 4'd1;
    wire [3:0] next_member = last_member ? 4'd0 : member + 4'd1;
    wire [11:0] next_input = !last_member ? input_tile : last_input ? 12'd0 : input_tile + 12'd1;
    wire [11:0] next_column = last_member && !last_input ? column - {8'd0, member} : column + 12'd1;
    wire [11:0] next_group = group + {11'd0, last_member && last_input};
    wire next_last_column = next_column == last_output_tile;
    wire [11:0] place = of_values ? column : input_tile;
    wire [11:0] vector = (of_values ? OUT_PARTS : IN_PARTS) == 1 ? place : place >> 1;
    wire half = place[0];

    reg arriving_1, arriving_2, arriving_3, closing_1, closing_2, closing_3, half_1, half_2, half_3;
    reg [3:0] part_1, part_2;
    reg weights_2, weights_3, values_3;  // what stands in cycle 3
    reg [KEY_PARTS*VALUE_PARTS-1:0] load_3;  // which parts of the tile it goes to
    assign tile_coming = weights_coming || (arriving_1 && closing_1);
    assign busy = state != 2'd0 || arriving_1 || arriving_2 || arriving_3;
    assign tile_reserve = go && opens;
    always @(posedge clk) begin
        product <= {{LANE_BITS{1'b0}}, first_row[15:LANE_BITS]} * vectors;
        if (!rst_n) state <= 2'd0;
        else case (state)
            2'd0: state <= {1'b0, start};
            2'd1: state <= 2'd2;
            default: if (closes && last_member && last_input && last_group) state <= 2'd0;
        endcase
        last_output_tile <= output_tiles - 12'd1;
        last_input_tile <= input_tiles - 12'd1;
        last_of_members <= members - 4'd1;
        rows_of_tile <= of_values ? VALUE_PARTS[15:0] * {5'd0, vectors} : KEY_PARTS[15:0] * {5'd0, vectors};
        if (state != 2'd2) begin
            first_depth <= product[15:0] + {5'd0, head_base};
            row_depth <= product[15:0] + {5'd0, head_base};
            part_depth <= product[15:0] + {5'd0, head_base};
            group <= 12'd0;
            input_tile <= 12'd0;
            column <= 12'd0;
            member <= 4'd0;
            part <= 4'd0;
            opens <= 1'b1;
            last_part <= last_part_of_tile == 4'd0;
            last_member <= !of_values || members == 4'd1 || output_tiles == 12'd1;
            last_input <= input_tiles == 12'd1;
            last_group <= output_tiles == 12'd1;
        end else if (go) begin
            part <= next_part;
            opens <= last_part;
            last_part <= next_part == last_part_of_tile;
            part_depth <= part_depth + {5'd0, vectors};
            if (last_part) begin
                member <= next_member;
                input_tile <= next_input;
                column <= next_column;
                group <= next_group;
                last_member <= !of_values || next_member == last_of_members || next_last_column;
                last_input <= next_input == last_input_tile;
                last_group <= of_values ? next_last_column : next_group == last_output_tile;
                part_depth <= row_depth;
                if (last_member && of_values) begin
                    row_depth <= last_input ? first_depth : row_depth + rows_of_tile;
                    part_depth <= last_input ? first_depth : row_depth + rows_of_tile;
                end else if (last_input && !of_values) begin
                    row_depth <= row_depth + rows_of_tile;
                    part_depth <= row_depth + rows_of_tile;
                end
            end
        end
        read_depth <= part_depth + {4'd0, vector};
        arriving_1 <= rst_n && go;
        arriving_2 <= rst_n && arriving_1;
        arriving_3 <= rst_n && arriving_2;
        {closing_3, closing_2, closing_1} <= {closing_2, closing_1, closes};
        {half_3, half_2, half_1} <= {half_2, half_1, half};
        part_1 <= part;
        part_2 <= part_1;
        weights_2 <= rst_n && weights_coming;
        weights_3 <= rst_n && weights_2;
        values_3 <= of_values;
        tile_push <= rst_n && (weights_3 || (arriving_3 && closing_3));
    end

    wire unused = &{1'b0, product[26:16], first_row[LANE_BITS-1:0], half_3};

    // Values stand two cycles after their depth: tile[OUT_PAR][IN_PAR].
    genvar output_, input_;
    generate
        for (output_ = 0; output_ < OUT_PAR; output_ = output_ + 1) begin : outputs
            localparam KEY_PART = output_ / TOKEN_PAR;
            localparam KEY_BANK = output_ % TOKEN_PAR;
            for (input_ = 0; input_ < IN_PAR; input_ = input_ + 1) begin : inputs
                localparam AT = (output_ * IN_PAR + input_) * WEIGHT_BITS;
                localparam VALUE_PART = input_ / TOKEN_PAR;
                localparam VALUE_BANK = input_ % TOKEN_PAR;
                localparam PART = KEY_PART * VALUE_PARTS + VALUE_PART;
                localparam KEY_AT = KEY_BANK * VECTOR_BITS + input_ * ACTIVATION_BITS;
                localparam VALUE_AT = VALUE_BANK * VECTOR_BITS + output_ * ACTIVATION_BITS;
                wire [WEIGHT_BITS-1:0] key = IN_PARTS > 1 && half_3
                    ? key_values[KEY_AT + UPPER_INPUT*ACTIVATION_BITS +: WEIGHT_BITS]
                    : key_values[KEY_AT +: WEIGHT_BITS];
                wire [WEIGHT_BITS-1:0] value = OUT_PARTS > 1 && half_3
                    ? value_values[VALUE_AT + UPPER_OUTPUT*ACTIVATION_BITS +: WEIGHT_BITS]
                    : value_values[VALUE_AT +: WEIGHT_BITS];
                always @(posedge clk)
                    if (load_3[PART])
                        tile[AT +: WEIGHT_BITS] <= weights_3 ? weights[AT +: WEIGHT_BITS] : values_3 ? value : key;
                if (output_ % TOKEN_PAR == 0 && input_ % TOKEN_PAR == 0) begin : parts
                    always @(posedge clk)
                        load_3[PART] <= weights_2 || (arriving_2 && part_2 == (of_values ? VALUE_PART[3:0] : KEY_PART[3:0]));
                end
            end
        end
    endgenerate

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (OUT_PAR % TOKEN_PAR != 0 || IN_PAR % TOKEN_PAR != 0) begin : refused
            tiles_must_be_whole_multiples_of_token_par stop ();
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && weights_2, !arriving_2, "weights come between tiles of attention")
endmodule
`default_nettype wire
