// SPDX-License-Identifier: MIT
// Writes words to memory over an AXI4 write master; words at neighbouring addresses become bursts.
//
// A burst is open while every word follows the one before it; it is closed by another address, by the end of a 16-beat
// block of the address (so none crosses 4 KiB), by WAIT cycles without a word, and by flush. Its words are all in the
// queue by then, so that the write channel never waits for the engine. The four low bits of addresses are taken as 0.
// flush: from the next cycle on no words are accepted, what was accepted is written; idle says that memory has answered
// for all of it.
// Latency: at most WAIT + 8 cycles from the last word to its beat. Depth: a comparison of 56 bits; a 64-entry LUT RAM.
`default_nettype none
module data_writer #(
    parameter QUEUE_BITS = 6,  // 2^QUEUE_BITS words in the queue at most; at least 16 words
    parameter OUTSTANDING_BITS = 4,  // 2^OUTSTANDING_BITS bursts without a response, and closed ones waiting, at most
    parameter WAIT_BITS = 5  // WAIT = 2^WAIT_BITS − 1
) (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         begin_run,  // clears bus_error
    input  wire         word_valid,
    output reg          word_ready,
    input  wire [63:0]  word_address,
    input  wire [127:0] word,
    input  wire         flush,
    output wire         idle,
    output reg          bus_error,
    output reg          beat,  // a beat of 16 bytes was accepted, one cycle later

    output wire         m_axi_AWID,
    output reg  [63:0]  m_axi_AWADDR,
    output reg  [7:0]   m_axi_AWLEN,
    output wire [2:0]   m_axi_AWSIZE,
    output wire [1:0]   m_axi_AWBURST,
    output wire         m_axi_AWLOCK,
    output wire [3:0]   m_axi_AWCACHE,
    output wire [2:0]   m_axi_AWPROT,
    output wire [3:0]   m_axi_AWQOS,
    output reg          m_axi_AWVALID,
    input  wire         m_axi_AWREADY,
    output reg  [127:0] m_axi_WDATA,
    output wire [15:0]  m_axi_WSTRB,
    output reg          m_axi_WLAST,
    output reg          m_axi_WVALID,
    input  wire         m_axi_WREADY,
    input  wire         m_axi_BID,
    input  wire [1:0]   m_axi_BRESP,
    input  wire         m_axi_BVALID,
    output wire         m_axi_BREADY
);
    localparam QUEUE = 1 << QUEUE_BITS;
    localparam BURSTS = 1 << OUTSTANDING_BITS;

    // Words on their way in; word_ready comes from a register.
    wire [187:0] incoming;
    wire none_incoming, pop;
    wire [3:0] incoming_words;
    always @(posedge clk) word_ready <= rst_n && incoming_words < 4'd6 && !flush;  // two more may come after that
    word_fifo #(.BITS(188), .DEPTH(8)) incoming_queue (
        .clk(clk), .rst_n(rst_n), .push(word_valid && word_ready), .value({word_address[63:4], word}), .pop(pop),
        .front(incoming), .empty(none_incoming), .count(incoming_words));

    // A word and whether its address follows that of the word before it.
    reg staged;
    reg [63:4] staged_address;
    reg [127:0] staged_word;
    reg follows;
    wire advance;
    wire [63:4] incoming_address = incoming[187:128];

    always @(posedge clk) begin
        staged <= rst_n && (pop || (staged && !advance));
        if (pop) begin
            staged_address <= incoming_address;
            staged_word <= incoming[127:0];
            follows <= incoming_address[63:8] == staged_address[63:8]
                && incoming_address[7:4] == staged_address[7:4] + 4'd1;
        end
    end

    // The open burst, the queue of closed ones, and the words of both.
    reg open, full;  // full: up to the end of its block
    reg [63:4] open_address;
    reg [3:0] open_length;  // beats − 1
    reg [WAIT_BITS-1:0] waited;
    reg [63:0] burst_queue [0:BURSTS-1];  // address of words, beats − 1
    reg [127:0] word_queue [0:QUEUE-1];
    reg [OUTSTANDING_BITS:0] newest_burst, oldest_burst;
    reg [QUEUE_BITS:0] newest_word, oldest_word;
    reg [OUTSTANDING_BITS:0] closed_bursts;  // newest − oldest
    reg [QUEUE_BITS:0] queued_words;
    wire next_burst, next_word;

    wire join_open = staged && follows && open && !full;
    wire close = open && !closed_bursts[OUTSTANDING_BITS]
        && (full || (staged ? !join_open : none_incoming && (&waited || flush)));
    wire room = !queued_words[QUEUE_BITS] && !closed_bursts[OUTSTANDING_BITS];
    assign advance = staged && room;
    assign pop = !none_incoming && (!staged || room);

    always @(posedge clk) begin
        if (close)
            burst_queue[newest_burst[OUTSTANDING_BITS-1:0]] <= {open_address, open_length};
        if (advance) begin
            word_queue[newest_word[QUEUE_BITS-1:0]] <= staged_word;
            if (!join_open)
                open_address <= staged_address;
            full <= &staged_address[7:4];
            open_length <= join_open ? open_length + 4'd1 : 4'd0;
        end
        waited <= staged ? {WAIT_BITS{1'b0}} : waited + {{(WAIT_BITS-1){1'b0}}, !(&waited)};
        if (!rst_n) begin
            open <= 1'b0;
            closed_bursts <= 0;
            queued_words <= 0;
            newest_burst <= 0;
            oldest_burst <= 0;
            newest_word <= 0;
            oldest_word <= 0;
        end else begin
            open <= advance || (open && !close);
            closed_bursts <= closed_bursts + {{OUTSTANDING_BITS{1'b0}}, close} - {{OUTSTANDING_BITS{1'b0}}, next_burst};
            queued_words <= queued_words + {{QUEUE_BITS{1'b0}}, advance} - {{QUEUE_BITS{1'b0}}, next_word};
            newest_burst <= newest_burst + {{OUTSTANDING_BITS{1'b0}}, close};
            oldest_burst <= oldest_burst + {{OUTSTANDING_BITS{1'b0}}, next_burst};
            newest_word <= newest_word + {{QUEUE_BITS{1'b0}}, advance};
            oldest_word <= oldest_word + {{QUEUE_BITS{1'b0}}, next_word};
        end
    end

    // One burst after the other: the next begins when address and all words of this one are accepted.
    reg sending;
    reg [3:0] to_send;  // beats − 1 that are not yet in the output register
    reg [OUTSTANDING_BITS:0] unanswered;
    wire [63:0] oldest = burst_queue[oldest_burst[OUTSTANDING_BITS-1:0]];
    assign next_burst = closed_bursts != 0 && !sending && !m_axi_AWVALID && !unanswered[OUTSTANDING_BITS];
    assign next_word = sending && (!m_axi_WVALID || m_axi_WREADY);

    always @(posedge clk) begin
        if (next_burst) begin
            m_axi_AWADDR <= {oldest[63:4], 4'b0000};
            m_axi_AWLEN <= {4'b0000, oldest[3:0]};
        end
        if (next_word) begin
            m_axi_WDATA <= word_queue[oldest_word[QUEUE_BITS-1:0]];
            m_axi_WLAST <= to_send == 0;
        end
        to_send <= next_burst ? oldest[3:0] : to_send - {3'b000, next_word};
        if (!rst_n) begin
            sending <= 1'b0;
            m_axi_AWVALID <= 1'b0;
            m_axi_WVALID <= 1'b0;
            unanswered <= 0;
        end else begin
            sending <= next_burst || (sending && !(next_word && to_send == 0));
            m_axi_AWVALID <= next_burst || (m_axi_AWVALID && !m_axi_AWREADY);
            m_axi_WVALID <= next_word || (m_axi_WVALID && !m_axi_WREADY);
            unanswered <= unanswered + {{OUTSTANDING_BITS{1'b0}}, next_burst}
                - {{OUTSTANDING_BITS{1'b0}}, m_axi_BVALID};
        end
        beat <= rst_n && m_axi_WVALID && m_axi_WREADY;
        bus_error <= rst_n && !begin_run && (bus_error || (m_axi_BVALID && m_axi_BRESP[1]));
    end

    assign idle = !(word_valid && word_ready) && incoming_words == 0 && !staged && !open && closed_bursts == 0
        && unanswered == 0;
    assign m_axi_AWID = 1'b0;
    assign m_axi_AWSIZE = 3'd4;  // 16 bytes
    assign m_axi_AWBURST = 2'b01;  // incrementing
    assign m_axi_AWLOCK = 1'b0;
    assign m_axi_AWCACHE = 4'b0011;  // normal, not cacheable
    assign m_axi_AWPROT = 3'b000;
    assign m_axi_AWQOS = 4'b0000;
    assign m_axi_WSTRB = 16'hFFFF;
    assign m_axi_BREADY = 1'b1;
    wire unused = &{1'b0, m_axi_BID, m_axi_BRESP[0], word_address[3:0]};
endmodule
`default_nettype wire
