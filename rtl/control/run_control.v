// SPDX-License-Identifier: MIT
// One run: from start until memory is quiet again.
//
//   idle → clear (memory units drop what an earlier run left, the engine is reset) → header → run → end → idle, done
//
// A run ends with the sequencer's fault or HALT, with a bus error, or with WATCHDOG when nothing has moved for
// watchdog_cycles; then nothing waits for memory any more, and what still comes is dropped at the next start.
// program_counter is the index of the instruction that ran last. Results stand until the next start.
`default_nettype none
module run_control (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        start,
    output reg         done,
    output wire        idle,
    input  wire [31:0] watchdog_cycles,
    input  wire        progress,
    input  wire        read_error,
    input  wire        write_error,
    output reg         flush,  // in IDLE, CLEAR and END
    input  wire        flushed,  // readers have nothing in flight
    input  wire        written,  // memory has answered for every write
    output reg         engine_rst_n,
    output reg         begin_run,
    input  wire        header_valid,
    input  wire [4:0]  header_fault,
    output reg         begin_stream,
    input  wire        halted,
    input  wire [4:0]  fault,
    input  wire [31:0] index,
    output wire        running,
    output reg  [31:0] error_code,
    output reg  [31:0] program_counter
);
`include "edgemoe_spec.vh"

    localparam [2:0] IDLE = 0, CLEAR = 1, RESET = 2, HEADER = 3, RUN = 4, WRITES = 5, END = 6;
    reg [2:0] state;
    reg written_before;  // a cycle ago, which shortens the path; nothing is accepted any more when it counts
    reg [31:0] still;  // cycles without progress
    reg hung;  // as of a cycle ago
    assign idle = state == IDLE;
    assign running = state != IDLE;

    always @(posedge clk) begin
        done <= 1'b0;
        begin_run <= 1'b0;
        begin_stream <= 1'b0;
        written_before <= written;
        hung <= state != IDLE && !progress && watchdog_cycles != 32'd0 && still >= watchdog_cycles;
        still <= progress || state == IDLE ? 32'd0 : still + 32'd1;
        if (!rst_n) begin
            state <= IDLE;
            flush <= 1'b1;
            engine_rst_n <= 1'b0;
            error_code <= 32'd0;
            program_counter <= 32'd0;
        end else case (state)
            IDLE: if (start) begin
                state <= CLEAR;
                engine_rst_n <= 1'b0;
                error_code <= 32'd0;
                program_counter <= 32'd0;
            end
            CLEAR: if (flushed && written_before) begin
                state <= RESET;
                flush <= 1'b0;
                begin_run <= 1'b1;
            end
            RESET: begin
                state <= HEADER;
                engine_rst_n <= 1'b1;
            end
            HEADER: begin
                if (header_valid) begin
                    state <= header_fault == 5'd0 ? RUN : END;
                    flush <= header_fault != 5'd0;
                    begin_stream <= header_fault == 5'd0;
                    error_code <= {27'd0, header_fault};
                end
                if (read_error) begin
                    state <= END;
                    flush <= 1'b1;
                    error_code <= FAULT_BUS_READ;
                end
            end
            RUN: begin
                program_counter <= index;
                if (halted) begin
                    state <= WRITES;
                    error_code <= {27'd0, fault};
                end else if (read_error || write_error) begin
                    state <= WRITES;
                    error_code <= read_error ? FAULT_BUS_READ : FAULT_BUS_WRITE;
                end
            end
            WRITES: if (written_before) begin
                state <= END;
                flush <= 1'b1;
                if (write_error && error_code == 32'd0) error_code <= FAULT_BUS_WRITE;
            end
            default: if (flushed) begin
                state <= IDLE;
                done <= 1'b1;
            end
        endcase
        if (rst_n && state != IDLE && hung) begin
            state <= IDLE;
            flush <= 1'b1;
            done <= 1'b1;
            if (error_code == 32'd0) error_code <= FAULT_WATCHDOG;
        end
    end
endmodule
`default_nettype wire
