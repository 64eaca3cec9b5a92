// SPDX-License-Identifier: MIT
// The words of one weight port where parts of the stream are streamed several times: range after range, as they follow
// each other in the stream of a run.
//
//   words are counted through the run; the next range ends before word range_end, and its word i is word i + range_shift
//   of the port's region (modulo 2^INDEX_BITS). Behind all parts comes the rest of the stream, then none: more falls.
//
// clear forgets the parts, part_push adds one, which begins at the end of the one before it; begin_run goes to the first
// range. `next` takes the one that is shown.
// Precondition: parts are added between clear and begin_run, at most MAX_PARTS; next only while ready; stream_lines is
// held. Lines beyond 2^(INDEX_BITS−2) − 1 are cut off.
// Latency: ready 4 cycles after begin_run or next. Depth: an addition of INDEX_BITS; a 64-entry LUT RAM.
`default_nettype none
`include "require.vh"
module stream_ranges #(
    parameter INDEX_BITS = 40,
    parameter PORTS = 4,
    parameter MAX_PARTS = 64
) (
    input  wire                  clk,
    input  wire                  clear,
    input  wire                  part_push,
    input  wire [57:0]           part_end_line,
    input  wire [15:0]           part_times,
    input  wire                  begin_run,
    input  wire [63:0]           stream_lines,
    input  wire                  next,
    output reg                   ready,
    output reg                   more,
    output wire [INDEX_BITS-1:0] range_end,
    output wire [INDEX_BITS-1:0] range_shift
);
    localparam NUMBER_BITS = $clog2(MAX_PARTS);
    localparam LINE_BITS = INDEX_BITS - 2;
    localparam [INDEX_BITS-1:0] LINE_WORDS = 4 / PORTS;  // words of a line on one port, a power of two

    function [LINE_BITS-1:0] cut;
        input [63:0] line;
        cut = |line[63:LINE_BITS] ? {LINE_BITS{1'b1}} : line[LINE_BITS-1:0];
    endfunction

    reg [LINE_BITS-1:0] ends [0:MAX_PARTS-1];
    reg [15:0] times [0:MAX_PARTS-1];
    reg [NUMBER_BITS:0] count, part;
    reg [15:0] passes, own_times;
    reg behind;  // all parts
    reg [LINE_BITS-1:0] last_line, own_end, begin_line, length;
    reg [LINE_BITS-1:0] given;  // lines of all ranges before
    reg [LINE_BITS-1:0] range_lines, shift;
    reg [2:0] preparing;
    wire again = {1'b0, passes} + 17'd1 < {1'b0, own_times};
    assign range_end = {2'b00, range_lines} * LINE_WORDS;
    assign range_shift = {{2{shift[LINE_BITS-1]}}, shift} * LINE_WORDS;
    always @(posedge clk) begin
        if (part_push) begin
            ends[count[NUMBER_BITS-1:0]] <= cut({6'd0, part_end_line});
            times[count[NUMBER_BITS-1:0]] <= part_times;
        end
        if (clear) count <= {(NUMBER_BITS+1){1'b0}};
        else if (part_push) count <= count + 1'b1;

        last_line <= cut(stream_lines);
        behind <= part == count;
        own_end <= ends[part[NUMBER_BITS-1:0]];
        own_times <= times[part[NUMBER_BITS-1:0]];
        length <= (behind ? last_line : own_end) - begin_line;
        range_lines <= given + length;
        shift <= begin_line - given;
        preparing <= begin_run || next ? 3'd1 : {preparing[1:0], 1'b0};
        ready <= !begin_run && !next && (ready || preparing[2]);
        if (begin_run) begin
            part <= {(NUMBER_BITS+1){1'b0}};
            passes <= 16'd0;
            begin_line <= {LINE_BITS{1'b0}};
            given <= {LINE_BITS{1'b0}};
            more <= 1'b1;
        end else if (next) begin
            given <= range_lines;
            if (behind) more <= 1'b0;
            else if (again) passes <= passes + 16'd1;
            else begin
                part <= part + 1'b1;
                passes <= 16'd0;
                begin_line <= own_end;
            end
        end
    end

    // Preconditions.
    `REQUIRE(next, ready, "next before a range is ready")
endmodule
`default_nettype wire
