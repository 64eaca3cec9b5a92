// SPDX-License-Identifier: MIT
// The register map of docs/registers.md behind AXI4-Lite, with the block-level handshake of Vitis HLS (ap_ctrl_hs).
//
//   control           bit 0 start: written 1 starts a run, stays 1 until done, ignored while it is 1
//                     bit 1 done, bit 3 ready: set at the end of a run, cleared by reading; bit 2 idle
//   global_interrupt  bit 0 lets interrupt_status through to `interrupt`
//   interrupt_enable, interrupt_status   bit 0 done, bit 1 ready; status is set at done where enabled, write 1 to clear
//   outputs           low half, high half, valid flag (set at done, cleared by reading; identity and hash: always 1)
// Inputs are the registers themselves; outputs are sampled when they are read. What is not in the map reads 0 and
// ignores writes. Responses are always OKAY; a write waits for its address and its data in any order.
// Preconditions: done is one cycle, after start; idle falls in the cycle after start.
// Latency: RVALID three cycles after the address, BVALID two after the later of address and data.
// Depth: a 32:1 multiplexer.
`default_nettype none
`include "require.vh"
module control_registers #(
    parameter ADDRESS_BITS = 12
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    s_axi_control_AWVALID,
    output wire                    s_axi_control_AWREADY,
    input  wire [ADDRESS_BITS-1:0] s_axi_control_AWADDR,
    input  wire                    s_axi_control_WVALID,
    output wire                    s_axi_control_WREADY,
    input  wire [31:0]             s_axi_control_WDATA,
    input  wire [3:0]              s_axi_control_WSTRB,
    output reg                     s_axi_control_BVALID,
    input  wire                    s_axi_control_BREADY,
    output wire [1:0]              s_axi_control_BRESP,
    input  wire                    s_axi_control_ARVALID,
    output wire                    s_axi_control_ARREADY,
    input  wire [ADDRESS_BITS-1:0] s_axi_control_ARADDR,
    output reg                     s_axi_control_RVALID,
    input  wire                    s_axi_control_RREADY,
    output reg  [31:0]             s_axi_control_RDATA,
    output wire [1:0]              s_axi_control_RRESP,
    /* verilator lint_off SYMRSVDWORD */  // the name that Vitis HLS gives it
    output reg                     interrupt,
    /* verilator lint_on SYMRSVDWORD */
    output reg                     start,
    input  wire                    done,
    input  wire                    idle,
    output wire [63:0]             program_address,
    output wire [63:0]             input_address,
    output wire [63:0]             output_address,
    output wire [4*64-1:0]         weights_address,
    output wire [31:0]             watchdog_cycles,
    input  wire [31:0]             error_code,
    input  wire [31:0]             program_counter,
    input  wire [10*64-1:0]       counters,  // in the order of the register map, cycles in the low bits
    input  wire [31:0]             experts_run,
    input  wire [31:0]             segments_dropped
);
`include "edgemoe_spec.vh"
    localparam FIRST_OUTPUT = REG_IDENTITY / 16;  // outputs by rows of 16 bytes
    localparam OUTPUTS = 16;
    // Words 0 … 31 of the map that hold a value written by the host.
    localparam [31:0] POINTER = 3;
    localparam [31:0] WRITABLE = POINTER << REG_PROGRAM / 4 | POINTER << REG_INPUT / 4 | POINTER << REG_OUTPUT / 4
        | POINTER << REG_WEIGHTS_0 / 4 | POINTER << REG_WEIGHTS_1 / 4 | POINTER << REG_WEIGHTS_2 / 4
        | POINTER << REG_WEIGHTS_3 / 4 | 32'd1 << REG_WATCHDOG_CYCLES / 4;

    // Writes.
    reg address_held, data_held;
    reg [ADDRESS_BITS-3:0] write_word;
    reg [31:0] write_data;
    reg [3:0] write_strobe;
    wire write = address_held && data_held && !s_axi_control_BVALID;
    wire write_low = write && write_word < 32;
    wire write_flags = write_low && write_strobe[0];

    reg awake;  // reset is over: AXI wants ready low before
    always @(posedge clk) awake <= rst_n;
    assign s_axi_control_AWREADY = awake && !address_held;
    assign s_axi_control_WREADY = awake && !data_held;
    assign s_axi_control_BRESP = 2'b00;

    always @(posedge clk) begin
        if (s_axi_control_AWREADY)
            write_word <= s_axi_control_AWADDR[ADDRESS_BITS-1:2];
        if (s_axi_control_WREADY) begin
            write_data <= s_axi_control_WDATA;
            write_strobe <= s_axi_control_WSTRB;
        end
        if (!rst_n) begin
            address_held <= 1'b0;
            data_held <= 1'b0;
            s_axi_control_BVALID <= 1'b0;
        end else begin
            address_held <= address_held ? !write : awake && s_axi_control_AWVALID;
            data_held <= data_held ? !write : awake && s_axi_control_WVALID;
            s_axi_control_BVALID <= write || (s_axi_control_BVALID && !s_axi_control_BREADY);
        end
    end

    // Inputs.
    reg [31:0] inputs [0:31];
    integer i;
    always @(posedge clk)
        if (!rst_n)
            for (i = 0; i < 32; i = i + 1)
                inputs[i] <= 32'd0;
        else if (write_low && WRITABLE[write_word[4:0]])
            for (i = 0; i < 4; i = i + 1)
                if (write_strobe[i])
                    inputs[write_word[4:0]][8*i +: 8] <= write_data[8*i +: 8];

    assign program_address = {inputs[REG_PROGRAM / 4 + 1], inputs[REG_PROGRAM / 4]};
    assign input_address = {inputs[REG_INPUT / 4 + 1], inputs[REG_INPUT / 4]};
    assign output_address = {inputs[REG_OUTPUT / 4 + 1], inputs[REG_OUTPUT / 4]};
    assign weights_address = {
        inputs[REG_WEIGHTS_3 / 4 + 1], inputs[REG_WEIGHTS_3 / 4],
        inputs[REG_WEIGHTS_2 / 4 + 1], inputs[REG_WEIGHTS_2 / 4],
        inputs[REG_WEIGHTS_1 / 4 + 1], inputs[REG_WEIGHTS_1 / 4],
        inputs[REG_WEIGHTS_0 / 4 + 1], inputs[REG_WEIGHTS_0 / 4]};
    assign watchdog_cycles = inputs[REG_WATCHDOG_CYCLES / 4];

    // Reads: address, row of four words, word.
    reg [1:0] reading;
    reg [ADDRESS_BITS-3:0] read_word;
    reg [31:0] input_value;
    reg [63:0] output_value;
    reg running, pending, done_flag, ready_flag, interrupt_on;
    reg [1:0] interrupt_enable, interrupt_status;
    reg [OUTPUTS-1:0] valid_flags;
    wire [31:0] identity = IDENTITY;
    wire [31:0] config_hash = CONFIG_HASH;
    wire [OUTPUTS*64-1:0] outputs = {
        {32'd0, segments_dropped}, {32'd0, experts_run}, counters,
        {32'd0, program_counter}, {32'd0, error_code}, {32'd0, config_hash}, {32'd0, identity}};
    wire [ADDRESS_BITS-5:0] row = read_word[ADDRESS_BITS-3:2] - FIRST_OUTPUT[ADDRESS_BITS-5:0];
    wire in_outputs = row < OUTPUTS;
    wire read = reading == 2;
    wire read_control = read && read_word == REG_CONTROL / 4;
    reg [OUTPUTS-1:0] flags_read;  // in the cycle of `read`, the valid flag that is cleared by it

    assign s_axi_control_ARREADY = awake && reading == 0 && !s_axi_control_RVALID;
    assign s_axi_control_RRESP = 2'b00;

    always @(posedge clk) begin
        if (s_axi_control_ARREADY)
            read_word <= s_axi_control_ARADDR[ADDRESS_BITS-1:2];
        for (i = 0; i < OUTPUTS; i = i + 1)
            flags_read[i] <= rst_n && reading == 1 && read_word[1:0] == 2 && i > 1 && row == i[ADDRESS_BITS-5:0];
        if (reading == 1) begin
            input_value <= read_word < 32 ? inputs[read_word[4:0]] : 32'd0;
            output_value <= outputs[row[3:0]*64 +: 64];
        end
        if (read)
            case (read_word)
                REG_CONTROL / 4: s_axi_control_RDATA <= {28'd0, ready_flag, idle && !running, done_flag, running};
                REG_GLOBAL_INTERRUPT / 4: s_axi_control_RDATA <= {31'd0, interrupt_on};
                REG_INTERRUPT_ENABLE / 4: s_axi_control_RDATA <= {30'd0, interrupt_enable};
                REG_INTERRUPT_STATUS / 4: s_axi_control_RDATA <= {30'd0, interrupt_status};
                default:
                    if (!in_outputs)
                        s_axi_control_RDATA <= input_value;
                    else
                        case (read_word[1:0])
                            2'd0: s_axi_control_RDATA <= output_value[31:0];
                            2'd1: s_axi_control_RDATA <= output_value[63:32];
                            2'd2: s_axi_control_RDATA <= {31'd0, valid_flags[row[3:0]]};
                            default: s_axi_control_RDATA <= 32'd0;
                        endcase
            endcase
        if (!rst_n) begin
            reading <= 2'd0;
            s_axi_control_RVALID <= 1'b0;
        end else begin
            if (reading != 0)
                reading <= reading == 1 ? 2'd2 : 2'd0;
            else if (s_axi_control_ARREADY && s_axi_control_ARVALID)
                reading <= 2'd1;
            s_axi_control_RVALID <= read || (s_axi_control_RVALID && !s_axi_control_RREADY);
        end
    end

    // A run. Setting wins over clearing.
    wire [1:0] cleared = write_flags && write_word == REG_INTERRUPT_STATUS / 4 ? write_data[1:0] : 2'b00;
    always @(posedge clk)
        if (!rst_n) begin
            running <= 1'b0;
            pending <= 1'b0;
            start <= 1'b0;
            done_flag <= 1'b0;
            ready_flag <= 1'b0;
            interrupt_on <= 1'b0;
            interrupt_enable <= 2'b00;
            interrupt_status <= 2'b00;
            interrupt <= 1'b0;
            valid_flags <= 16'h0003;
        end else begin
            start <= pending && idle;
            if (write_flags && write_word == REG_CONTROL / 4 && write_data[0] && !running) begin
                running <= 1'b1;
                pending <= 1'b1;
            end else begin
                if (done)
                    running <= 1'b0;
                if (idle)
                    pending <= 1'b0;
            end
            done_flag <= done || (done_flag && !read_control);
            ready_flag <= done || (ready_flag && !read_control);
            if (write_flags && write_word == REG_GLOBAL_INTERRUPT / 4)
                interrupt_on <= write_data[0];
            if (write_flags && write_word == REG_INTERRUPT_ENABLE / 4)
                interrupt_enable <= write_data[1:0];
            interrupt_status <= (interrupt_status & ~cleared) | (interrupt_enable & {2{done}});
            interrupt <= interrupt_on && interrupt_status != 0;
            if (done)
                valid_flags <= {OUTPUTS{1'b1}};
            else
                valid_flags <= valid_flags & ~flags_read;
        end

    wire unused = &{1'b0, s_axi_control_AWADDR[1:0], s_axi_control_ARADDR[1:0]};

    // Preconditions.
    `REQUIRE(rst_n && done, running && !pending, "done without a run")
endmodule
`default_nettype wire
