// SPDX-License-Identifier: MIT
// control_registers under any host that keeps to AXI4-Lite, and any machine that its precondition allows.
`default_nettype none
module control_registers_proof (
    input wire              clk,
    input wire              s_axi_control_AWVALID,
    input wire [11:0]       s_axi_control_AWADDR,
    input wire              s_axi_control_WVALID,
    input wire [31:0]       s_axi_control_WDATA,
    input wire [3:0]        s_axi_control_WSTRB,
    input wire              s_axi_control_BREADY,
    input wire              s_axi_control_ARVALID,
    input wire [11:0]       s_axi_control_ARADDR,
    input wire              s_axi_control_RREADY,
    input wire              done,
    input wire              idle,
    input wire [31:0]       error_code,
    input wire [31:0]       program_counter,
    input wire [10*64-1:0]  counters,
    input wire [31:0]       experts_run,
    input wire [31:0]       segments_dropped
);
`include "edgemoe_spec.vh"
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire s_axi_control_AWREADY, s_axi_control_WREADY, s_axi_control_BVALID, s_axi_control_ARREADY, s_axi_control_RVALID;
    wire [1:0] s_axi_control_BRESP, s_axi_control_RRESP;
    wire [31:0] s_axi_control_RDATA, watchdog_cycles;
    wire interrupt, start;
    wire [63:0] program_address, input_address, output_address;
    wire [4*64-1:0] weights_address;
    control_registers unit (.*);

    wire address_comes = s_axi_control_AWVALID && s_axi_control_AWREADY;
    wire data_comes = s_axi_control_WVALID && s_axi_control_WREADY;
    wire answered = s_axi_control_BVALID && s_axi_control_BREADY;
    wire asked = s_axi_control_ARVALID && s_axi_control_ARREADY;
    wire told = s_axi_control_RVALID && s_axi_control_RREADY;

    // Transactions under way, and the last address and data of each kind.
    reg [1:0] addresses, data;
    reg read;
    reg [9:0] word, read_word;
    reg [31:0] value;
    reg [3:0] strobe;
    always @(posedge clk) begin
        addresses <= rst_n ? addresses + address_comes - answered : 0;
        data <= rst_n ? data + data_comes - answered : 0;
        read <= rst_n && (asked || (read && !told));
        if (address_comes) word <= s_axi_control_AWADDR[11:2];
        if (data_comes) {value, strobe} <= {s_axi_control_WDATA, s_axi_control_WSTRB};
        if (asked) read_word <= s_axi_control_ARADDR[11:2];
    end
    reg answering, telling;
    always @(posedge clk) {answering, telling} <= {s_axi_control_BVALID, s_axi_control_RVALID};
    wire written = s_axi_control_BVALID && !answering;  // a write took place a cycle ago
    wire just_read = s_axi_control_RVALID && !telling;  // a read did

    // AXI4-Lite.
    always @(posedge clk)
        if (rst_n) begin
            if ($past(rst_n && s_axi_control_BVALID && !s_axi_control_BREADY))
                write_response_waits: assert (s_axi_control_BVALID && $stable(s_axi_control_BRESP));
            if ($past(rst_n && s_axi_control_RVALID && !s_axi_control_RREADY))
                read_data_waits: assert (s_axi_control_RVALID && $stable({s_axi_control_RDATA, s_axi_control_RRESP}));
            if (s_axi_control_BVALID)
                one_response_a_write: assert (addresses != 0 && data != 0 && s_axi_control_BRESP == 0);
            writes_do_not_pile_up: assert (addresses <= 2 && data <= 2);
            if (s_axi_control_RVALID) one_answer_a_read: assert (read && s_axi_control_RRESP == 0);
            if (asked) one_read_at_a_time: assert (!read);
            if ($past(!rst_n)) reset_is_quiet: assert (!s_axi_control_BVALID && !s_axi_control_RVALID && !interrupt && !start);
        end

    // Any one register of the host's: it has what was written there last, byte by byte, and nothing else changes it.
    localparam [31:0] POINTER = 3;
    localparam [31:0] WRITABLE = POINTER << REG_PROGRAM / 4 | POINTER << REG_INPUT / 4 | POINTER << REG_OUTPUT / 4
        | POINTER << REG_WEIGHTS_0 / 4 | POINTER << REG_WEIGHTS_1 / 4 | POINTER << REG_WEIGHTS_2 / 4
        | POINTER << REG_WEIGHTS_3 / 4 | 32'd1 << REG_WATCHDOG_CYCLES / 4;
    (* anyconst *) reg [4:0] chosen;
    reg [31:0] expected, now;
    integer i;
    always @* begin
        now = expected;
        if (written && word == {5'd0, chosen})
            for (i = 0; i < 4; i = i + 1)
                if (strobe[i]) now[8*i +: 8] = value[8*i +: 8];
    end
    reg [31:0] there;
    always @*
        case (chosen)
            REG_PROGRAM / 4: there = program_address[31:0];
            REG_PROGRAM / 4 + 1: there = program_address[63:32];
            REG_INPUT / 4: there = input_address[31:0];
            REG_INPUT / 4 + 1: there = input_address[63:32];
            REG_OUTPUT / 4: there = output_address[31:0];
            REG_OUTPUT / 4 + 1: there = output_address[63:32];
            REG_WEIGHTS_0 / 4: there = weights_address[31:0];
            REG_WEIGHTS_0 / 4 + 1: there = weights_address[63:32];
            REG_WEIGHTS_1 / 4: there = weights_address[95:64];
            REG_WEIGHTS_1 / 4 + 1: there = weights_address[127:96];
            REG_WEIGHTS_2 / 4: there = weights_address[159:128];
            REG_WEIGHTS_2 / 4 + 1: there = weights_address[191:160];
            REG_WEIGHTS_3 / 4: there = weights_address[223:192];
            REG_WEIGHTS_3 / 4 + 1: there = weights_address[255:224];
            default: there = watchdog_cycles;
        endcase
    (* anyconst *) reg [9:0] unmapped;
    always @(posedge clk) begin
        assume (WRITABLE[chosen]);
        assume (unmapped >= REG_IDENTITY / 4 + 64);
        expected <= rst_n ? now : 32'd0;
        if (rst_n) registers_keep_what_was_written: assert (there == now);
        if (rst_n && just_read && read_word == {5'd0, chosen})
            reads_give_it_back: assert (s_axi_control_RDATA == $past(there, 2));
        if (rst_n && s_axi_control_RVALID && read_word == unmapped)
            unmapped_reads_0: assert (s_axi_control_RDATA == 0);
    end

    // A run, one cycle late as writes and reads are seen here: a start once the machine is idle for a written 1 that
    // finds no run; done, and interrupts where they are enabled, until the host has them.
    reg running, pending, shown, was_idle, was_done, on;
    reg [1:0] enabled, status;
    wire flags = written && strobe[0];
    wire starts = flags && word == REG_CONTROL / 4 && value[0] && !running;
    wire running_now = starts || (running && !was_done);
    wire pending_now = starts || (pending && !was_idle);
    wire control_read = just_read && read_word == REG_CONTROL / 4;
    wire [1:0] cleared = flags && word == REG_INTERRUPT_STATUS / 4 ? value[1:0] : 2'b00;
    wire [1:0] status_now = (status & ~cleared) | (enabled & {2{was_done}});
    always @(posedge clk) begin
        {was_idle, was_done} <= {idle, done && rst_n};
        running <= rst_n && running_now;
        pending <= rst_n && pending_now;
        shown <= rst_n && (was_done || (shown && !control_read));
        on <= rst_n && (flags && word == REG_GLOBAL_INTERRUPT / 4 ? value[0] : on);
        enabled <= !rst_n ? 2'b00 : flags && word == REG_INTERRUPT_ENABLE / 4 ? value[1:0] : enabled;
        status <= rst_n ? status_now : 2'b00;
        if (rst_n) begin
            start_for_each_written_one: assert (start == (pending && was_idle));
            if (control_read) done_until_it_is_read: assert (s_axi_control_RDATA[1:0] == {shown, running});
            interrupt_while_status: assert (interrupt == (on && status != 0));
        end
    end

    // Invariants.
    (* hierconn *) wire \unit.address_held ;
    (* hierconn *) wire \unit.data_held ;
    (* hierconn *) wire [9:0] \unit.write_word ;
    (* hierconn *) wire [31:0] \unit.write_data ;
    (* hierconn *) wire [3:0] \unit.write_strobe ;
    (* hierconn *) wire [1:0] \unit.reading ;
    (* hierconn *) wire [9:0] \unit.read_word ;
    (* hierconn *) wire [31:0] \unit.input_value ;
    (* hierconn *) wire \unit.running ;
    (* hierconn *) wire \unit.pending ;
    (* hierconn *) wire \unit.done_flag ;
    (* hierconn *) wire \unit.interrupt_on ;
    (* hierconn *) wire [1:0] \unit.interrupt_enable ;
    (* hierconn *) wire [1:0] \unit.interrupt_status ;
    always @(posedge clk)
        if (rst_n) begin
            held: assert (addresses == \unit.address_held + s_axi_control_BVALID
                          && data == \unit.data_held + s_axi_control_BVALID);
            if (\unit.address_held ) words: assert (\unit.write_word == word);
            if (\unit.data_held ) values: assert (\unit.write_data == value && \unit.write_strobe == strobe);
            reads: assert (read == (\unit.reading != 0 || s_axi_control_RVALID) && \unit.reading <= 2'd2
                           && !(\unit.reading != 0 && s_axi_control_RVALID));
            if (read) read_words: assert (\unit.read_word == read_word);
            runs: assert (\unit.running == running_now && \unit.pending == pending_now
                && \unit.done_flag == (was_done || (shown && !control_read))
                && \unit.interrupt_on == (flags && word == REG_GLOBAL_INTERRUPT / 4 ? value[0] : on)
                && \unit.interrupt_enable == (flags && word == REG_INTERRUPT_ENABLE / 4 ? value[1:0] : enabled)
                && \unit.interrupt_status == status_now);
        end
endmodule
`default_nettype wire
