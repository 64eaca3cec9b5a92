// SPDX-License-Identifier: MIT
// Right tiles of attention, assembled from the KEY and VALUE scratchpads: one key or value vector per bank and cycle.
//
//   keys:   for output tile (OUT_PAR keys):  for input tile (IN_PAR features of the head):         one tile
//   values: for group of output tiles:       for input tile (IN_PAR keys):  for member of the group:  one tile
//
// Tiles of keys are aligned to absolute rows; keys that are not of the task are masked where scores are used. A tile is
// read in OUT_PAR/TOKEN_PAR or IN_PAR/TOKEN_PAR parts and serves all queries in flight, so what is read per step does not
// grow with their number.
// Precondition: fields are held from start until not busy; OUT_PAR and IN_PAR are multiples of TOKEN_PAR.
// Latency: 3 from the last part's depth to tile_push. Depth: an addition; a 2:1 multiplexer.
`default_nettype none
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
    reg [3:0] part_1, part_2, part_3;
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
        part_3 <= part_2;
        tile_push <= rst_n && arriving_3 && closing_3;
    end

    wire unused = &{1'b0, product[26:16], first_row[LANE_BITS-1:0], half_3};

    // Values stand two cycles after their depth: tile[OUT_PAR][IN_PAR].
    integer part_number, bank, output_;
    always @(posedge clk)
        if (arriving_3 && of_values) begin
            for (part_number = 0; part_number < VALUE_PARTS; part_number = part_number + 1)
                if (part_3 == part_number[3:0])
                    for (bank = 0; bank < TOKEN_PAR; bank = bank + 1)
                        for (output_ = 0; output_ < OUT_PAR; output_ = output_ + 1)
                            tile[(output_*IN_PAR + part_number*TOKEN_PAR + bank)*WEIGHT_BITS +: WEIGHT_BITS] <=
                                OUT_PARTS > 1 && half_3
                                ? value_values[bank*VECTOR_BITS + (UPPER_OUTPUT+output_)*ACTIVATION_BITS
                                    +: ACTIVATION_BITS]
                                : value_values[bank*VECTOR_BITS + output_*ACTIVATION_BITS +: ACTIVATION_BITS];
        end else if (arriving_3)
            for (part_number = 0; part_number < KEY_PARTS; part_number = part_number + 1)
                if (part_3 == part_number[3:0])
                    for (bank = 0; bank < TOKEN_PAR; bank = bank + 1)
                        tile[(part_number*TOKEN_PAR + bank)*IN_PAR*WEIGHT_BITS +: IN_PAR*WEIGHT_BITS] <=
                            IN_PARTS > 1 && half_3
                            ? key_values[bank*VECTOR_BITS + UPPER_INPUT*ACTIVATION_BITS +: IN_PAR*ACTIVATION_BITS]
                            : key_values[bank*VECTOR_BITS +: IN_PAR*ACTIVATION_BITS];

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (OUT_PAR % TOKEN_PAR != 0 || IN_PAR % TOKEN_PAR != 0) begin : refused
            tiles_must_be_whole_multiples_of_token_par stop ();
        end
    endgenerate
endmodule
`default_nettype wire
