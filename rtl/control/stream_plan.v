// SPDX-License-Identifier: MIT
// Rule 7 of docs/isa.md where REPEAT has parts of the weight stream streamed several times.
//
//   a REPEAT adds a part, which begins where the one before it ended; all of them come before any other instruction
//   an instruction's segments are the next ones, and all of one part: behind its last one comes its first, or the next part
//
// Parts leave at part_push for those who read the stream; begin_stream says that there will be no more: it comes with the
// check of the first instruction that is none. range_lines are those of the pass over a part that begins then, and at
// range_begin, in the commit of an instruction that closes one: its last segment has to end its part.
// Precondition: fields are held from check to commit; commits come 8 cycles after check or later.
// Latency: fault 4 cycles after check; begin_stream, part_push and closes with it; range_begin 1 after commit.
// Depth: a 64-bit subtraction or comparison; a 64-entry LUT RAM.
`default_nettype none
module stream_plan (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        begin_run,
    input  wire        check,
    input  wire        commit,
    input  wire        repeats,  // the instruction is a REPEAT
    input  wire [15:0] times,
    input  wire [31:0] segment,
    input  wire [31:0] segments,
    input  wire [57:0] end_line,
    input  wire [63:0] stream_lines,
    output reg  [4:0]  fault,
    output reg         part_push,
    output reg  [57:0] part_end_line,
    output reg  [15:0] part_times,
    output reg         begin_stream,
    output reg         range_begin,
    output reg  [63:0] range_lines,
    output reg         closes,
    output reg  [31:0] last_segment
);
`include "edgemoe_spec.vh"
    localparam INDEX_BITS = $clog2(MAX_PARTS);

    // Parts, and where the last one ends.
    reg [32:0] segment_ends [0:MAX_PARTS-1];
    reg [57:0] line_ends [0:MAX_PARTS-1];
    reg [15:0] passes_of [0:MAX_PARTS-1];
    reg [INDEX_BITS:0] count;
    reg [32:0] parts_end;
    reg [57:0] parts_end_line;
    reg started;  // an instruction that is no REPEAT was checked

    // The part whose segments come next, and how often it has passed.
    reg [INDEX_BITS:0] part;
    reg [15:0] passes;
    reg [32:0] first_segment, next_segment;
    reg [57:0] begin_line;
    reg behind;  // all parts
    reg [32:0] own_end;
    reg [57:0] own_end_line;
    reg [15:0] own_times;
    wire again = {1'b0, passes} + 17'd1 < {1'b0, own_times};

    reg [3:1] steps;
    reg [32:0] instruction_end;
    reg wrong, beyond_part, too_many, no_lines, beyond_stream;
    reg added;
    always @(posedge clk) begin
        steps <= rst_n && !begin_run ? {steps[2:1], check} : 3'd0;
        behind <= part == count;
        own_end <= segment_ends[part[INDEX_BITS-1:0]];
        own_end_line <= line_ends[part[INDEX_BITS-1:0]];
        own_times <= passes_of[part[INDEX_BITS-1:0]];
        range_lines <= (behind ? stream_lines : {6'd0, own_end_line}) - {6'd0, begin_line};
        // The instruction against them.
        instruction_end <= {1'b0, segment} + {1'b0, segments};
        too_many <= count == MAX_PARTS[INDEX_BITS:0];
        no_lines <= end_line <= parts_end_line;
        beyond_stream <= {6'd0, end_line} > stream_lines;
        if (steps[1]) wrong <= {1'b0, segment} != (repeats ? parts_end : next_segment);
        if (steps[2]) begin
            beyond_part <= !behind && instruction_end > own_end;
            closes <= !repeats && segments != 32'd0 && !behind && instruction_end == own_end;
            last_segment <= instruction_end[31:0] - 32'd1;
        end
        if (steps[3])
            fault <= !repeats ? (segments != 32'd0 && (wrong || beyond_part) ? FAULT_SEGMENT_MISMATCH[4:0] : FAULT_NONE[4:0])
                : started ? FAULT_ILLEGAL_OPERAND[4:0]
                : too_many ? FAULT_BUFFER_RANGE[4:0]
                : wrong ? FAULT_SEGMENT_MISMATCH[4:0]
                : no_lines || beyond_stream ? FAULT_ADDRESS_RANGE[4:0] : FAULT_NONE[4:0];
        added <= steps[3] && repeats && !started && !too_many && !wrong && !no_lines && !beyond_stream;
        begin_stream <= rst_n && steps[3] && !repeats && !started;
        range_begin <= rst_n && commit && closes;
        part_push <= rst_n && added;
        if (added) begin
            segment_ends[count[INDEX_BITS-1:0]] <= instruction_end;
            line_ends[count[INDEX_BITS-1:0]] <= end_line;
            passes_of[count[INDEX_BITS-1:0]] <= times;
            part_end_line <= end_line;
            part_times <= times;
        end

        if (begin_run) begin
            count <= {(INDEX_BITS+1){1'b0}};
            parts_end <= 33'd0;
            parts_end_line <= 58'd0;
            started <= 1'b0;
            part <= {(INDEX_BITS+1){1'b0}};
            passes <= 16'd0;
            first_segment <= 33'd0;
            next_segment <= 33'd0;
            begin_line <= 58'd0;
            closes <= 1'b0;
        end else begin
            if (added) begin
                count <= count + 1'b1;
                parts_end <= instruction_end;
                parts_end_line <= end_line;
            end
            if (steps[3] && !repeats) started <= 1'b1;
            if (steps[3] && closes) begin
                passes <= again ? passes + 16'd1 : 16'd0;
                next_segment <= again ? first_segment : own_end;
                if (!again) begin
                    part <= part + 1'b1;
                    first_segment <= own_end;
                    begin_line <= own_end_line;
                end
            end else if (steps[3] && !repeats && segments != 32'd0)
                next_segment <= instruction_end;
        end
    end
endmodule
`default_nettype wire
