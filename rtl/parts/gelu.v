// SPDX-License-Identifier: MIT
// GELU, or another activation function, as ReLU minus a small table, scaled to the hidden grid.
//
//   g = max(x, 0) − δ(|x|), δ of the activation function                         x, g in Q.GELU_FRACTION
//   result = saturate(round_shift(g · multiplier, shift) + zero)
//
// δ has one entry T[i] per 1/64 and is 0 beyond its last entry: the nearest entry in W8A8, in W16A16
//   δ(a) = T[i] + round_shift((T[i+1] − T[i])·(a mod 2^s), s),  i = a div 2^s,  s = GELU_FRACTION − GELU_STEP_BITS
// SHARES: the scaling is lent in cycle 4 to another value, of a step that has no use for GELU, and gives in cycle 11
//   lent_result = saturate(round_shift(lent_value · lent_multiplier, lent_shift))
//
// Precondition: activation (below GELU_TABLES), multiplier, shift and zero are held while values are in flight.
// Latency: 12 (magnitude, tables, interpolation 2, requantise of the difference 7, zero and saturate).
// Depth: a negation and rounding; a table of GELU_TABLES·DELTA_ENTRIES; one multiplication; an addition with clipping.
`default_nettype none
module gelu #(
    parameter FINE = 0,  // 1: entries are interpolated
    parameter ACTIVATION_BITS = 8,
    parameter MULTIPLIER_BITS = 16,
    parameter ZERO_BITS = 16,
    parameter GELU_BITS = 18,
    parameter GELU_FRACTION = 10,
    parameter GELU_STEP_BITS = 6,  // entries of δ per unit, log2
    parameter GELU_TABLES = 1,  // activation functions, 1, 2 or 4
    parameter DELTA_ENTRIES = 256,  // of each table
    parameter SHARES = 0,
    parameter LENT_BITS = 20,
    parameter LENT_MULTIPLIER_BITS = 17,  // at least MULTIPLIER_BITS
    parameter LENT_RESULT_BITS = 18,  // at least ZERO_BITS + 2
    parameter GELU_DELTA_TABLE_BITS = 8,
    parameter [GELU_TABLES*(DELTA_ENTRIES+FINE)*GELU_DELTA_TABLE_BITS-1:0] GELU_DELTA_TABLE = 0  // δ, entry 0 lowest
) (
    input  wire                              clk,
    input  wire                              rst_n,
    input  wire                              valid_in,
    input  wire signed [GELU_BITS-1:0]       value,
    input  wire        [1:0]                 activation,
    input  wire        [MULTIPLIER_BITS-1:0] multiplier,
    input  wire        [5:0]                 shift,
    input  wire signed [ZERO_BITS-1:0]       zero,
    input  wire                              lend,
    input  wire signed [LENT_BITS-1:0]       lent_value,
    input  wire [LENT_MULTIPLIER_BITS-1:0]   lent_multiplier,
    input  wire        [5:0]                 lent_shift,
    output wire signed [LENT_RESULT_BITS-1:0] lent_result,
    output reg                               valid_out,
    output reg  signed [ACTIVATION_BITS-1:0] result
);
    localparam STEP = GELU_FRACTION - GELU_STEP_BITS;
    localparam INDEX_BITS = GELU_BITS - STEP;
    localparam ADDRESS = $clog2(DELTA_ENTRIES);  // within a table, filled up with 0 beyond DELTA_ENTRIES
    localparam WHOLE = ADDRESS + $clog2(GELU_TABLES);
    localparam LOW_PLACES = (1 << ADDRESS) - 1;
    localparam DELTA = GELU_DELTA_TABLE_BITS;
    localparam SCALED_BITS = SHARES != 0 ? LENT_RESULT_BITS : ZERO_BITS + 2;  // what is clipped saturates whatever zero is
    localparam VALUE_BITS = SHARES != 0 && LENT_BITS > GELU_BITS + 1 ? LENT_BITS : GELU_BITS + 1;
    localparam FACTOR_BITS = SHARES != 0 ? LENT_MULTIPLIER_BITS : MULTIPLIER_BITS;
    localparam signed [SCALED_BITS:0] LARGEST = (1 << (ACTIVATION_BITS - 1)) - 1;
    localparam signed [SCALED_BITS:0] SMALLEST = -(1 << (ACTIVATION_BITS - 1));

    // Place p of all tables together: entry p mod 2^ADDRESS of table p div 2^ADDRESS.
    reg [DELTA-1:0] delta_table [0:(1<<WHOLE)-1];
    integer entry;
    initial
        for (entry = 0; entry < 1 << WHOLE; entry = entry + 1)
            delta_table[entry] = (entry & LOW_PLACES) >= DELTA_ENTRIES ? {DELTA{1'b0}}
                : GELU_DELTA_TABLE[((entry >> ADDRESS)*(DELTA_ENTRIES+FINE) + (entry & LOW_PLACES))*DELTA +: DELTA];

    // The magnitude of the smallest value needs all GELU_BITS bits, unsigned.
    wire [GELU_BITS-1:0] magnitude = value < 0 ? -value : value;
    localparam [GELU_BITS-1:0] HALF_STEP = FINE != 0 ? 0 : 1 << (STEP - 1);
    wire [GELU_BITS-1:0] located = magnitude + HALF_STEP;
    reg [INDEX_BITS-1:0] index_1;
    wire [WHOLE-1:0] place_1;
    reg [GELU_BITS-2:0] positive_1, positive_2, positive_3, positive_4;
    reg [DELTA-1:0] entry_2, entry_3;
    reg inside_2, inside_3;
    wire [DELTA-1:0] delta_3;
    reg [DELTA-1:0] delta_4;
    reg [4:1] valid;

    always @(posedge clk) begin
        valid <= rst_n ? {valid[3:1], valid_in} : 4'd0;
        positive_1 <= value < 0 ? {(GELU_BITS-1){1'b0}} : value[GELU_BITS-2:0];
        positive_2 <= positive_1;
        positive_3 <= positive_2;
        positive_4 <= positive_3;
        index_1 <= located[GELU_BITS-1:STEP];
        inside_2 <= ~|index_1[INDEX_BITS-1:ADDRESS];
        inside_3 <= inside_2;
        entry_2 <= delta_table[place_1];
        entry_3 <= entry_2;
        delta_4 <= inside_3 ? delta_3 : {DELTA{1'b0}};
    end

    generate
        if (GELU_TABLES > 1) begin : chosen
            assign place_1 = {activation[$clog2(GELU_TABLES)-1:0], index_1[ADDRESS-1:0]};
        end else begin : only
            wire unused_activation = &{1'b0, activation};
            assign place_1 = index_1[ADDRESS-1:0];
        end
        if (FINE != 0) begin : interpolated
            localparam SLOPE = STEP + 2;  // |δ'| ≤ 1/2, and a sign
            reg signed [SLOPE-1:0] slope_table [0:(1<<WHOLE)-1];
            integer interval, from;
            initial
                for (interval = 0; interval < 1 << WHOLE; interval = interval + 1) begin
                    from = (interval >> ADDRESS)*(DELTA_ENTRIES+FINE) + (interval & LOW_PLACES);
                    slope_table[interval] = (interval & LOW_PLACES) >= DELTA_ENTRIES ? {SLOPE{1'b0}}
                        : GELU_DELTA_TABLE[(from+1)*DELTA +: SLOPE] - GELU_DELTA_TABLE[from*DELTA +: SLOPE];
                end
            reg [STEP-1:0] rest_1, rest_2;
            reg signed [SLOPE-1:0] slope;
            reg signed [SLOPE+STEP:0] product;
            wire signed [SLOPE+STEP:0] rise = (product + (1 << (STEP - 1))) >>> STEP;
            wire unused = &{1'b0, rise[SLOPE+STEP:DELTA]};  // T + rise lies between two entries
            always @(posedge clk) begin
                rest_1 <= located[STEP-1:0];
                rest_2 <= rest_1;
                slope <= slope_table[place_1];
                product <= slope * $signed({1'b0, rest_2});
            end
            assign delta_3 = entry_3 + rise[DELTA-1:0];
        end else begin : nearest
            assign delta_3 = entry_3;
            wire unused = &{1'b0, located[STEP-1:0]};
        end
    endgenerate

    wire signed [GELU_BITS:0] difference = $signed({2'b00, positive_4}) - $signed({{(GELU_BITS+1-DELTA){1'b0}}, delta_4});
    wire scaled_valid;
    wire signed [SCALED_BITS-1:0] scaled;
    wire signed [VALUE_BITS-1:0] scaled_value;
    wire [FACTOR_BITS-1:0] factor;
    wire [5:0] scaled_shift;
    generate
        if (SHARES != 0) begin : shared
            assign scaled_value = lend ? {{(VALUE_BITS-LENT_BITS){lent_value[LENT_BITS-1]}}, lent_value}
                : {{(VALUE_BITS-GELU_BITS-1){difference[GELU_BITS]}}, difference};
            assign factor = lend ? lent_multiplier : {{(FACTOR_BITS-MULTIPLIER_BITS){1'b0}}, multiplier};
            assign scaled_shift = lend ? lent_shift : shift;
            assign lent_result = scaled;
        end else begin : alone
            assign scaled_value = difference;
            assign factor = multiplier;
            assign scaled_shift = shift;
            assign lent_result = {LENT_RESULT_BITS{1'b0}};
            wire unused = &{1'b0, lend, lent_value, lent_multiplier, lent_shift};
        end
    endgenerate
    requantise #(.VALUE_BITS(VALUE_BITS), .MULTIPLIER_WIDTH(FACTOR_BITS), .RESULT_BITS(SCALED_BITS)) scale (
        .clk(clk), .rst_n(rst_n), .valid_in(valid[4]), .value(scaled_value),
        .multiplier(factor), .shift(scaled_shift), .valid_out(scaled_valid), .result(scaled));

    wire signed [SCALED_BITS:0] moved =
        $signed({scaled[SCALED_BITS-1], scaled}) + $signed({{(SCALED_BITS+1-ZERO_BITS){zero[ZERO_BITS-1]}}, zero});
    always @(posedge clk) begin
        valid_out <= rst_n & scaled_valid;
        result <= moved > LARGEST ? LARGEST[ACTIVATION_BITS-1:0]
                : moved < SMALLEST ? SMALLEST[ACTIVATION_BITS-1:0] : moved[ACTIVATION_BITS-1:0];
    end
endmodule
`default_nettype wire
