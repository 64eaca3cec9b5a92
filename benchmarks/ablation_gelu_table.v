// SPDX-License-Identifier: MIT
// GELU by a wide table, what the ablation compares rtl/parts/gelu.v with: every value of the function itself, both signs.
//
//   g = T[nearest(x, 2^−STEP_BITS)] while |x| < RANGE, else max(x, 0);  result as in rtl/parts/gelu.v
//
// The table comes from the bench, TABLE[ENTRY_BITS·i +: ENTRY_BITS] for the i-th value from −RANGE up.
// Latency: 12, that of rtl/parts/gelu.v.
`default_nettype none
module ablation_gelu_table (
    clk, rst_n, valid_in, value, multiplier, shift, zero, valid_out, result
);
`include "edgemoe_spec.vh"
`include "gelu_table.vh"
    localparam STEP = GELU_FRACTION - TABLE_STEP_BITS;
    localparam INDEX_BITS = GELU_BITS - STEP + 1;
    localparam SCALED_BITS = FIELD_OUTPUT_ZERO_WIDTH + 2;
    localparam signed [SCALED_BITS:0] LARGEST = (1 << (ACTIVATION_BITS - 1)) - 1;
    localparam signed [SCALED_BITS:0] SMALLEST = -(1 << (ACTIVATION_BITS - 1));
    localparam signed [INDEX_BITS-1:0] END = 1 << (TABLE_ADDRESS_BITS - 1);

    input  wire                                      clk;
    input  wire                                      rst_n;
    input  wire                                      valid_in;
    input  wire signed [GELU_BITS-1:0]               value;
    input  wire        [MULTIPLIER_BITS-1:0]         multiplier;
    input  wire        [5:0]                         shift;
    input  wire signed [FIELD_OUTPUT_ZERO_WIDTH-1:0] zero;
    output reg                                       valid_out;
    output reg  signed [ACTIVATION_BITS-1:0]         result;

    reg signed [ENTRY_BITS-1:0] values [0:(1<<TABLE_ADDRESS_BITS)-1];
    integer entry;
    initial
        for (entry = 0; entry < 1 << TABLE_ADDRESS_BITS; entry = entry + 1)
            values[entry] = TABLE[entry*ENTRY_BITS +: ENTRY_BITS];

    wire signed [GELU_BITS:0] located = $signed({value[GELU_BITS-1], value}) + $signed(1 << (STEP - 1));
    reg signed [INDEX_BITS-1:0] index_1;
    reg [GELU_BITS-2:0] positive_1, positive_2, positive_3;
    reg inside_2, inside_3;
    reg signed [ENTRY_BITS-1:0] entry_2, entry_3;
    reg signed [GELU_BITS:0] chosen;
    reg [4:1] valid;
    wire [INDEX_BITS-1:0] address = index_1 + END;
    always @(posedge clk) begin
        valid <= rst_n ? {valid[3:1], valid_in} : 4'd0;
        positive_1 <= value < 0 ? {(GELU_BITS-1){1'b0}} : value[GELU_BITS-2:0];
        positive_2 <= positive_1;
        positive_3 <= positive_2;
        index_1 <= located[GELU_BITS:STEP];
        inside_2 <= index_1 >= -END && index_1 < END;
        inside_3 <= inside_2;
        entry_2 <= values[address[TABLE_ADDRESS_BITS-1:0]];
        entry_3 <= entry_2;
        chosen <= inside_3 ? {{(GELU_BITS+1-ENTRY_BITS){entry_3[ENTRY_BITS-1]}}, entry_3} : {2'b00, positive_3};
    end

    wire scaled_valid;
    wire signed [SCALED_BITS-1:0] scaled;
    requantise #(.VALUE_BITS(GELU_BITS + 1), .MULTIPLIER_WIDTH(MULTIPLIER_BITS), .RESULT_BITS(SCALED_BITS)) scale (
        .clk(clk), .rst_n(rst_n), .valid_in(valid[4]), .value(chosen),
        .multiplier(multiplier), .shift(shift), .valid_out(scaled_valid), .result(scaled));
    wire signed [SCALED_BITS:0] moved =
        $signed({scaled[SCALED_BITS-1], scaled}) + $signed({{3{zero[FIELD_OUTPUT_ZERO_WIDTH-1]}}, zero});
    always @(posedge clk) begin
        valid_out <= rst_n & scaled_valid;
        result <= moved > LARGEST ? LARGEST[ACTIVATION_BITS-1:0]
                : moved < SMALLEST ? SMALLEST[ACTIVATION_BITS-1:0] : moved[ACTIVATION_BITS-1:0];
    end
    wire unused = &{1'b0, address, located[STEP-1:0]};
endmodule
`default_nettype wire
