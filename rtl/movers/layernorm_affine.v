// SPDX-License-Identifier: MIT
// Gains and offsets of LayerNorm: a table filled from lines of the weight stream, read one vector of features a cycle.
//
// A line holds RECORDS records in the order of the features, each offset, then gain (W8A8 int32, int16 in 8 bytes;
// W16A16 int64, int32 in 16 bytes). Lines come after `start` and are always accepted; `ready` from two cycles after the last one.
// Latency: gains and offsets one cycle after part. Depth: a memory of MAX_WIDTH/16 entries.
`default_nettype none
module layernorm_affine #(
    parameter VECTOR = 16,
    parameter MAX_WIDTH = 192,
    parameter GAIN_BITS = 16,
    parameter OFFSET_BITS = 32,
    parameter FINE = 0  // 1: records of W16A16
) (
    input  wire                          clk,
    input  wire                          start,
    input  wire [6:0]                    vectors,
    input  wire                          line_valid,
    input  wire [511:0]                  line,
    output reg                           ready,
    input  wire [7:0]                    part,
    output wire [VECTOR*GAIN_BITS-1:0]   gains,
    output wire [VECTOR*OFFSET_BITS-1:0] offsets
);
    localparam RECORD_BITS = FINE != 0 ? 128 : 64;
    localparam GAIN_AT = FINE != 0 ? 64 : 32;
    localparam RECORDS = 512 / RECORD_BITS;
    localparam LINES = VECTOR / RECORDS;  // lines of a vector
    localparam LINE_SHIFT = $clog2(LINES);
    localparam ENTRIES = MAX_WIDTH / VECTOR;
    localparam ENTRY_BITS = $clog2(ENTRIES);
    localparam WORD = GAIN_BITS + OFFSET_BITS;
    localparam COUNT_BITS = 6 + LINE_SHIFT + 1;

    reg [COUNT_BITS-1:0] count;
    always @(posedge clk) begin
        count <= start ? {COUNT_BITS{1'b0}} : count + {{(COUNT_BITS-1){1'b0}}, line_valid};
        ready <= !start && count[COUNT_BITS-1:LINE_SHIFT] == vectors;
    end

    genvar place, record;
    generate
        for (place = 0; place < LINES; place = place + 1) begin : places
            reg [RECORDS*WORD-1:0] table_words [0:ENTRIES-1];
            wire [RECORDS*WORD-1:0] words;
            reg [RECORDS*WORD-1:0] words_out;
            wire chosen = line_valid & count[LINE_SHIFT-1:0] == place;
            always @(posedge clk) begin
                if (chosen) table_words[count[LINE_SHIFT +: ENTRY_BITS]] <= words;
                words_out <= table_words[part[ENTRY_BITS-1:0]];
            end
            for (record = 0; record < RECORDS; record = record + 1) begin : records
                assign words[record*WORD +: WORD] = {line[record*RECORD_BITS+GAIN_AT +: GAIN_BITS],
                                                     line[record*RECORD_BITS +: OFFSET_BITS]};
                assign gains[(place*RECORDS+record)*GAIN_BITS +: GAIN_BITS] =
                    words_out[record*WORD+OFFSET_BITS +: GAIN_BITS];
                assign offsets[(place*RECORDS+record)*OFFSET_BITS +: OFFSET_BITS] =
                    words_out[record*WORD +: OFFSET_BITS];
            end
        end
    endgenerate
    wire unused = &{1'b0, part, line};
endmodule
`default_nettype wire
