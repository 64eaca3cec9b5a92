// SPDX-License-Identifier: MIT
// Reads blocks of words over an AXI4 read master and hands them on in order.
//
// A command is command_words words (0 allowed: none) from command_address on, whose four low bits are taken as 0. The
// next command is accepted once all of this one is requested, so that blocks follow each other closely. Bursts end
// at 16-beat boundaries of the address, so that none crosses 4 KiB; the queue has room for what is requested.
// flush gives up what was commanded: nothing more is requested or handed on, words in flight are dropped, flushed says
// that nothing is left. A command given during flush is not accepted.
// Latency: 5 cycles from command to request and per further request; two from a beat to word_valid.
// Depth: an addition of 60 bits; an address comparison and a LUT RAM of 2^DATA_QUEUE_BITS words.
`default_nettype none
module data_reader #(
    parameter DATA_QUEUE_BITS = 7,  // 2^DATA_QUEUE_BITS words requested or waiting at most; at least 16 words
    parameter OUTSTANDING_BITS = 4  // 2^OUTSTANDING_BITS bursts in flight at most
) (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         begin_run,  // clears bus_error
    input  wire         command_valid,
    output wire         command_ready,
    input  wire [63:0]  command_address,
    input  wire [31:0]  command_words,
    output reg          word_valid,
    input  wire         word_ready,
    output reg  [127:0] word,
    input  wire         flush,
    output wire         flushed,
    output reg          bus_error,
    output reg          beat,  // a beat of 16 bytes came, one cycle later

    output wire         m_axi_ARID,
    output reg  [63:0]  m_axi_ARADDR,
    output reg  [7:0]   m_axi_ARLEN,
    output wire [2:0]   m_axi_ARSIZE,
    output wire [1:0]   m_axi_ARBURST,
    output wire         m_axi_ARLOCK,
    output wire [3:0]   m_axi_ARCACHE,
    output wire [2:0]   m_axi_ARPROT,
    output wire [3:0]   m_axi_ARQOS,
    output reg          m_axi_ARVALID,
    input  wire         m_axi_ARREADY,
    input  wire         m_axi_RID,
    input  wire [127:0] m_axi_RDATA,
    input  wire [1:0]   m_axi_RRESP,
    input  wire         m_axi_RLAST,
    input  wire         m_axi_RVALID,
    output wire         m_axi_RREADY
);
    localparam QUEUE = 1 << DATA_QUEUE_BITS;
    localparam [2:0] STATE_IDLE = 0;  // takes a command
    localparam [2:0] STATE_MEASURE = 2;  // length of the burst
    localparam [2:0] STATE_FIT = 1;  // whether there is room for it
    localparam [2:0] STATE_REQUEST = 4;  // waits for room
    localparam [2:0] STATE_ISSUED = 3;  // waits for the address to be accepted

    // Requests.
    reg [2:0] state;
    reg [63:4] address;
    reg [31:0] remaining;
    reg [4:0] length;
    reg [DATA_QUEUE_BITS:0] reserved;  // words requested and not yet handed on
    reg [OUTSTANDING_BITS:0] in_flight;
    reg dropping;  // after flush, until nothing is in flight
    wire stop = flush || dropping;
    wire [4:0] to_boundary = 5'd16 - {1'b0, address[7:4]};
    reg room;  // a cycle ago; from STATE_FIT to the request there can only become more
    wire fits = reserved <= QUEUE[DATA_QUEUE_BITS:0] - {{(DATA_QUEUE_BITS-4){1'b0}}, length} && !in_flight[OUTSTANDING_BITS];
    wire request = state == STATE_REQUEST && room && !stop;
    wire last_beat = m_axi_RVALID && m_axi_RLAST;
    wire handed_on;

    assign command_ready = state == STATE_IDLE && !stop;
    assign flushed = !m_axi_ARVALID && in_flight == 0 && !dropping;

    always @(posedge clk) begin
        room <= fits;
        if (request) begin
            m_axi_ARADDR <= {address, 4'b0000};
            m_axi_ARLEN <= {3'b000, length} - 8'd1;
        end
        if (!rst_n) begin
            state <= STATE_IDLE;
            m_axi_ARVALID <= 1'b0;
            reserved <= 0;
            in_flight <= 0;
            dropping <= 1'b0;
        end else begin
            case (state)
                STATE_IDLE: begin
                    address <= command_address[63:4];
                    remaining <= command_words;
                    if (command_valid && command_ready)
                        state <= STATE_MEASURE;
                end
                STATE_MEASURE: begin
                    length <= remaining < {27'd0, to_boundary} ? remaining[4:0] : to_boundary;
                    state <= stop || remaining == 0 ? STATE_IDLE : STATE_FIT;
                end
                STATE_FIT: state <= stop ? STATE_IDLE : STATE_REQUEST;
                STATE_REQUEST: begin
                    m_axi_ARVALID <= request;
                    if (request) begin
                        address <= address + {55'd0, length};
                        remaining <= remaining - {27'd0, length};
                        state <= STATE_ISSUED;
                    end else if (stop)
                        state <= STATE_IDLE;
                end
                default:
                    if (m_axi_ARREADY) begin
                        m_axi_ARVALID <= 1'b0;
                        state <= stop || remaining == 0 ? STATE_IDLE : STATE_MEASURE;
                    end
            endcase
            reserved <= stop ? {(DATA_QUEUE_BITS+1){1'b0}} : reserved + (request ? {{(DATA_QUEUE_BITS-4){1'b0}}, length} : 0)
                - {{DATA_QUEUE_BITS{1'b0}}, handed_on};
            in_flight <= in_flight + {{OUTSTANDING_BITS{1'b0}}, request} - {{OUTSTANDING_BITS{1'b0}}, last_beat};
            dropping <= stop && (m_axi_ARVALID || in_flight != 0);
        end
    end

    // Queue and output register.
    (* ram_style = "distributed" *) reg [127:0] queue [0:QUEUE-1];
    reg [DATA_QUEUE_BITS:0] newest, oldest;
    wire move = newest != oldest && (!word_valid || word_ready);
    assign handed_on = word_valid && word_ready;

    always @(posedge clk) begin
        if (m_axi_RVALID)
            queue[newest[DATA_QUEUE_BITS-1:0]] <= m_axi_RDATA;
        if (move)
            word <= queue[oldest[DATA_QUEUE_BITS-1:0]];
        if (!rst_n || stop) begin
            newest <= 0;
            oldest <= 0;
            word_valid <= 1'b0;
        end else begin
            newest <= newest + {{DATA_QUEUE_BITS{1'b0}}, m_axi_RVALID};
            oldest <= oldest + {{DATA_QUEUE_BITS{1'b0}}, move};
            word_valid <= move || (word_valid && !word_ready);
        end
        beat <= rst_n && m_axi_RVALID;
        bus_error <= rst_n && !begin_run && (bus_error || (m_axi_RVALID && m_axi_RRESP[1] && !stop));
    end

    assign m_axi_ARID = 1'b0;
    assign m_axi_ARSIZE = 3'd4;  // 16 bytes
    assign m_axi_ARBURST = 2'b01;  // incrementing
    assign m_axi_ARLOCK = 1'b0;
    assign m_axi_ARCACHE = 4'b0011;  // normal, not cacheable
    assign m_axi_ARPROT = 3'b000;
    assign m_axi_ARQOS = 4'b0000;
    assign m_axi_RREADY = 1'b1;  // room was there before the request
    wire unused = &{1'b0, m_axi_RID, m_axi_RRESP[0], command_address[3:0]};
endmodule
`default_nettype wire
