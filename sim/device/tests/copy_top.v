// SPDX-License-Identifier: MIT
// A stand-in for the accelerator in tests of the device: copies words from port gmem0 to port gmem_data.
//
// Pins of the micro top; registers of docs/registers.md as far as it needs them: weights_0 is the source, output the
// destination, the low half of input the number of words. watchdog_cycles is the breach of the AXI protocol to commit:
// 1 the read address changes while it waits, 2 a burst crosses 4 KiB, 3 the last beat of a burst lacks WLAST,
// 4 bursts of one beat that is not 16 bytes, 5 a weight port writes, 6 nothing answers on the control port,
// 7 none of AXI, but of a precondition.
// Bursts of 16 words; error_code is 11 or 12 after a refused read or write.
`default_nettype none
`include "require.vh"
module edgemoe_top (
    input  wire         ap_clk,
    input  wire         ap_rst_n,
    output wire         interrupt,
    input  wire         s_axi_control_AWVALID,
    output wire         s_axi_control_AWREADY,
    input  wire [11:0]  s_axi_control_AWADDR,
    input  wire         s_axi_control_WVALID,
    output wire         s_axi_control_WREADY,
    input  wire [31:0]  s_axi_control_WDATA,
    input  wire [3:0]   s_axi_control_WSTRB,
    output reg          s_axi_control_BVALID,
    input  wire         s_axi_control_BREADY,
    output wire [1:0]   s_axi_control_BRESP,
    input  wire         s_axi_control_ARVALID,
    output wire         s_axi_control_ARREADY,
    input  wire [11:0]  s_axi_control_ARADDR,
    output reg          s_axi_control_RVALID,
    input  wire         s_axi_control_RREADY,
    output reg  [31:0]  s_axi_control_RDATA,
    output wire [1:0]   s_axi_control_RRESP,
    output wire         m_axi_gmem_data_AWVALID,
    input  wire         m_axi_gmem_data_AWREADY,
    output wire [63:0]  m_axi_gmem_data_AWADDR,
    output wire [7:0]   m_axi_gmem_data_AWLEN,
    output wire [2:0]   m_axi_gmem_data_AWSIZE,
    output wire [1:0]   m_axi_gmem_data_AWBURST,
    output wire         m_axi_gmem_data_WVALID,
    input  wire         m_axi_gmem_data_WREADY,
    output wire [127:0] m_axi_gmem_data_WDATA,
    output wire [15:0]  m_axi_gmem_data_WSTRB,
    output wire         m_axi_gmem_data_WLAST,
    input  wire         m_axi_gmem_data_BVALID,
    output wire         m_axi_gmem_data_BREADY,
    input  wire [1:0]   m_axi_gmem_data_BRESP,
    output wire         m_axi_gmem_data_ARVALID,
    input  wire         m_axi_gmem_data_ARREADY,
    output wire [63:0]  m_axi_gmem_data_ARADDR,
    output wire [7:0]   m_axi_gmem_data_ARLEN,
    output wire [2:0]   m_axi_gmem_data_ARSIZE,
    output wire [1:0]   m_axi_gmem_data_ARBURST,
    input  wire         m_axi_gmem_data_RVALID,
    output wire         m_axi_gmem_data_RREADY,
    input  wire [127:0] m_axi_gmem_data_RDATA,
    input  wire         m_axi_gmem_data_RLAST,
    input  wire [1:0]   m_axi_gmem_data_RRESP,
    output wire         m_axi_gmem0_AWVALID,
    output wire         m_axi_gmem0_WVALID,
    output wire         m_axi_gmem0_ARVALID,
    input  wire         m_axi_gmem0_ARREADY,
    output wire [63:0]  m_axi_gmem0_ARADDR,
    output wire [7:0]   m_axi_gmem0_ARLEN,
    output wire [2:0]   m_axi_gmem0_ARSIZE,
    output wire [1:0]   m_axi_gmem0_ARBURST,
    input  wire         m_axi_gmem0_RVALID,
    output wire         m_axi_gmem0_RREADY,
    input  wire [127:0] m_axi_gmem0_RDATA,
    input  wire         m_axi_gmem0_RLAST,
    input  wire [1:0]   m_axi_gmem0_RRESP
);
`include "edgemoe_spec.vh"

    reg [31:0] registers [0:63];  // by offset / 4
    reg running, done, interrupting;
    reg [63:0] cycles;
    reg [3:0] error;
    wire [31:0] words = registers[REG_INPUT/4];
    wire [2:0] breach = registers[REG_WATCHDOG_CYCLES/4][2:0];
    wire [63:0] source = {registers[REG_WEIGHTS_0/4+1], registers[REG_WEIGHTS_0/4]};
    wire [63:0] destination = {registers[REG_OUTPUT/4+1], registers[REG_OUTPUT/4]};

    // Control port: one access at a time.
    wire write = s_axi_control_AWVALID & s_axi_control_WVALID & ~s_axi_control_BVALID;
    wire read = s_axi_control_ARVALID & ~s_axi_control_RVALID & breach != 3'd6;
    assign s_axi_control_AWREADY = write;
    assign s_axi_control_WREADY = write;
    assign s_axi_control_BRESP = 2'd0;
    assign s_axi_control_ARREADY = read;
    assign s_axi_control_RRESP = 2'd0;
    wire start = write && s_axi_control_AWADDR == REG_CONTROL && s_axi_control_WDATA[0];
    wire finish;

    always @(posedge ap_clk) begin
        s_axi_control_BVALID <= ap_rst_n & (write | (s_axi_control_BVALID & ~s_axi_control_BREADY));
        s_axi_control_RVALID <= ap_rst_n & (read | (s_axi_control_RVALID & ~s_axi_control_RREADY));
        if (write && s_axi_control_AWADDR < 12'h080 && s_axi_control_WSTRB[0])
            registers[s_axi_control_AWADDR[7:2]] <= s_axi_control_WDATA;
        if (read)
            case (s_axi_control_ARADDR)
                REG_CONTROL: s_axi_control_RDATA <= {28'd0, done, ~running, done, running};
                REG_IDENTITY: s_axi_control_RDATA <= IDENTITY;
                REG_ERROR_CODE: s_axi_control_RDATA <= {28'd0, error};
                REG_CYCLES: s_axi_control_RDATA <= cycles[31:0];
                default: s_axi_control_RDATA <= s_axi_control_ARADDR < 12'h080
                                              ? registers[s_axi_control_ARADDR[7:2]] : 32'd0;
            endcase
        running <= ap_rst_n & (start | (running & ~finish));
        done <= ap_rst_n & ((running & finish) | (done & ~start & ~(read && s_axi_control_ARADDR == REG_CONTROL)));
        interrupting <= ap_rst_n & ((running & finish) | (interrupting & ~start));
        cycles <= start ? 64'd0 : cycles + {63'd0, running};
        if (!ap_rst_n) registers[REG_WATCHDOG_CYCLES/4] <= 32'd0;
    end
    assign interrupt = interrupting & registers[REG_GLOBAL_INTERRUPT/4][0] & registers[REG_INTERRUPT_ENABLE/4][0];

    // Counts of words asked for, passed on, and announced to the writing side, and of bursts answered.
    reg [31:0] asked, passed, announced, opened, closed;
    reg wobble;
    wire [31:0] left_to_ask = words - asked;
    wire [31:0] left_to_announce = words - announced;
    wire [7:0] ask_length = breach == 3'd4 ? 8'd0 : breach == 3'd2 ? 8'd20 : left_to_ask < 16 ? left_to_ask[7:0] - 8'd1 : 8'd15;
    wire [7:0] announce_length = left_to_announce < 16 ? left_to_announce[7:0] - 8'd1 : 8'd15;

    assign m_axi_gmem0_AWVALID = 1'b0;
    assign m_axi_gmem0_WVALID = running & breach == 3'd5;
    assign m_axi_gmem0_ARVALID = running && asked < words;
    assign m_axi_gmem0_ARADDR = source + {28'd0, asked, 4'd0} + {57'd0, wobble & breach == 3'd1, 6'd0}
                              + (breach == 3'd2 ? 64'd4080 : 64'd0);
    assign m_axi_gmem0_ARLEN = ask_length;
    assign m_axi_gmem0_ARSIZE = breach == 3'd4 ? 3'd3 : 3'd4;
    assign m_axi_gmem0_ARBURST = 2'd1;
    assign m_axi_gmem0_RREADY = m_axi_gmem_data_WREADY & passed < words;

    assign m_axi_gmem_data_AWVALID = running && announced < words;
    assign m_axi_gmem_data_AWADDR = destination + {28'd0, announced, 4'd0};
    assign m_axi_gmem_data_AWLEN = announce_length;
    assign m_axi_gmem_data_AWSIZE = 3'd4;
    assign m_axi_gmem_data_AWBURST = 2'd1;
    assign m_axi_gmem_data_WVALID = m_axi_gmem0_RVALID & passed < words;
    assign m_axi_gmem_data_WDATA = m_axi_gmem0_RDATA;
    assign m_axi_gmem_data_WSTRB = 16'hFFFF;
    assign m_axi_gmem_data_WLAST = (passed[3:0] == 4'd15 || passed + 1 == words) && breach != 3'd3;
    assign m_axi_gmem_data_BREADY = 1'b1;
    assign m_axi_gmem_data_ARVALID = 1'b0;
    assign m_axi_gmem_data_ARADDR = 64'd0;
    assign m_axi_gmem_data_ARLEN = 8'd0;
    assign m_axi_gmem_data_ARSIZE = 3'd4;
    assign m_axi_gmem_data_ARBURST = 2'd1;
    assign m_axi_gmem_data_RREADY = 1'b1;
    assign finish = closed == opened && announced == words && passed == words;

    wire pass_on = m_axi_gmem_data_WVALID & m_axi_gmem_data_WREADY;
    always @(posedge ap_clk)
        if (!ap_rst_n || !running) begin
            {asked, passed, announced, opened, closed} <= 0;
            wobble <= 1'b0;
            if (start) error <= 4'd0;
        end else begin
            wobble <= ~wobble;
            if (m_axi_gmem0_ARVALID & m_axi_gmem0_ARREADY) asked <= asked + {24'd0, ask_length} + 1;
            if (pass_on) passed <= passed + 1;
            if (m_axi_gmem_data_AWVALID & m_axi_gmem_data_AWREADY) begin
                announced <= announced + {24'd0, announce_length} + 1;
                opened <= opened + 1;
            end
            if (m_axi_gmem_data_BVALID) closed <= closed + 1;
            if (m_axi_gmem0_RVALID && m_axi_gmem0_RRESP != 2'd0) error <= FAULT_BUS_READ;
            else if (m_axi_gmem_data_BVALID && m_axi_gmem_data_BRESP != 2'd0) error <= FAULT_BUS_WRITE;
        end

    wire clk = ap_clk;
    `REQUIRE(running && read, breach != 3'd7, "a run with breach 7")  // so that RVALID stays for ever

    // What the device may look at: a "program counter" that moves on every 64 words.
    wire [15:0] trace_index = passed[21:6];
    wire [31:0] trace_words = passed;
endmodule
`default_nettype wire
