// SPDX-License-Identifier: MIT
// data_writer over any memory, with any words, flushes and pauses.
`default_nettype none
module data_writer_proof #(
    parameter QUEUE_BITS = 6,
    parameter OUTSTANDING_BITS = 4,
    parameter WAIT_BITS = 5
) (
    input wire         clk,
    input wire         begin_run,
    input wire         word_valid,
    input wire [63:0]  word_address,
    input wire [127:0] word,
    input wire         flush,
    input wire         m_axi_AWREADY,
    input wire         m_axi_WREADY,
    input wire         m_axi_BID,
    input wire [1:0]   m_axi_BRESP,
    input wire         m_axi_BVALID
);
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire word_ready, idle, bus_error, beat;
    wire m_axi_AWID, m_axi_AWLOCK, m_axi_AWVALID, m_axi_WLAST, m_axi_WVALID, m_axi_BREADY;
    wire [63:0] m_axi_AWADDR;
    wire [7:0] m_axi_AWLEN;
    wire [2:0] m_axi_AWSIZE, m_axi_AWPROT;
    wire [1:0] m_axi_AWBURST;
    wire [3:0] m_axi_AWCACHE, m_axi_AWQOS;
    wire [127:0] m_axi_WDATA;
    wire [15:0] m_axi_WSTRB;
    data_writer #(.QUEUE_BITS(QUEUE_BITS), .OUTSTANDING_BITS(OUTSTANDING_BITS), .WAIT_BITS(WAIT_BITS)) unit (.*);

    wire offered;
    wire [1:0] bursts;
    wire [7:0] left, behind;
    wire [5:0] unanswered;
    axi_write_rules #(.LIMIT(1 << OUTSTANDING_BITS)) rules (
        .clk(clk), .rst_n(rst_n), .awaddr(m_axi_AWADDR), .awlen(m_axi_AWLEN), .awsize(m_axi_AWSIZE),
        .awburst(m_axi_AWBURST), .awvalid(m_axi_AWVALID), .awready(m_axi_AWREADY), .wdata(m_axi_WDATA),
        .wstrb(m_axi_WSTRB), .wlast(m_axi_WLAST), .wvalid(m_axi_WVALID), .wready(m_axi_WREADY),
        .bvalid(m_axi_BVALID), .bready(m_axi_BREADY), .offered(offered), .bursts(bursts), .left(left),
        .behind(behind), .unanswered(unanswered));

    // Invariants: the W channel against what was offered, the open burst and the closed ones against the words.
    (* hierconn *) wire \unit.none_incoming ;
    (* hierconn *) wire [3:0] \unit.incoming_words ;
    (* hierconn *) wire [3:0] \unit.incoming_queue.count ;
    (* hierconn *) wire [3:0] \unit.incoming_queue.written ;
    (* hierconn *) wire [3:0] \unit.incoming_queue.taken ;
    (* hierconn *) wire \unit.incoming_queue.counters.waits ;
    (* hierconn *) wire [OUTSTANDING_BITS:0] \unit.closed_bursts ;
    (* hierconn *) wire [QUEUE_BITS:0] \unit.newest_word ;
    (* hierconn *) wire [QUEUE_BITS:0] \unit.oldest_word ;
    wire [3:0] behind_front = \unit.incoming_queue.written - \unit.incoming_queue.taken ;
    wire [QUEUE_BITS:0] words_between = \unit.newest_word - \unit.oldest_word ;
    (* hierconn *) wire \unit.staged ;
    (* hierconn *) wire \unit.follows ;
    (* hierconn *) wire \unit.open ;
    (* hierconn *) wire \unit.full ;
    (* hierconn *) wire [63:4] \unit.staged_address ;
    (* hierconn *) wire [63:4] \unit.open_address ;
    (* hierconn *) wire [3:0] \unit.open_length ;
    (* hierconn *) wire [OUTSTANDING_BITS:0] \unit.newest_burst ;
    (* hierconn *) wire [OUTSTANDING_BITS:0] \unit.oldest_burst ;
    (* hierconn *) wire [QUEUE_BITS:0] \unit.queued_words ;
    (* hierconn *) wire [63:0] \unit.burst_queue[0] ;
    (* hierconn *) wire [63:0] \unit.burst_queue[1] ;
    (* hierconn *) wire \unit.sending ;
    (* hierconn *) wire [3:0] \unit.to_send ;
    (* hierconn *) wire [OUTSTANDING_BITS:0] \unit.unanswered ;
    wire sending = \unit.sending ;
    wire [7:0] to_send = {4'd0, \unit.to_send };
    wire last_waits = m_axi_WVALID && m_axi_WLAST;
    wire [7:0] left_now = bursts == 0 ? m_axi_AWLEN : left;
    wire [7:0] behind_now = bursts == 1 && offered ? m_axi_AWLEN : behind;
    wire [OUTSTANDING_BITS:0] closed = \unit.newest_burst - \unit.oldest_burst ;
    wire valid_0 = closed == 2 || (closed == 1 && !\unit.oldest_burst [0]);
    wire valid_1 = closed == 2 || (closed == 1 && \unit.oldest_burst [0]);
    wire [63:0] closed_0 = \unit.burst_queue[0] ;
    wire [63:0] closed_1 = \unit.burst_queue[1] ;
    wire [4:0] end_0 = {1'b0, closed_0[7:4]} + {1'b0, closed_0[3:0]};
    wire [4:0] end_1 = {1'b0, closed_1[7:4]} + {1'b0, closed_1[3:0]};
    wire [4:0] open_end = {1'b0, \unit.open_address [7:4]} + {1'b0, \unit.open_length };
    wire [QUEUE_BITS:0] words_of_bursts = (valid_0 ? {1'b0, closed_0[3:0]} + 5'd1 : 5'd0)
        + (valid_1 ? {1'b0, closed_1[3:0]} + 5'd1 : 5'd0) + (sending ? {1'b0, \unit.to_send } + 5'd1 : 5'd0)
        + (\unit.open ? {1'b0, \unit.open_length } + 5'd1 : 5'd0);
    always @(posedge clk)
        if (rst_n) begin
            counts: assert (\unit.unanswered == unanswered + m_axi_AWVALID && (!offered || sending));
            channels: assert ({1'b0, bursts} + offered == {1'b0, sending} + last_waits
                && (!m_axi_WVALID || m_axi_WLAST || sending) && (!m_axi_WVALID || bursts != 0));
            if (last_waits) lasts: assert (left == 0);
            if (sending)
                beats: assert (last_waits ? behind_now == to_send
                               : m_axi_WVALID ? left == to_send + 8'd1 : left_now == to_send);
            blocks: assert (!m_axi_AWVALID || {4'd0, m_axi_AWADDR[7:4]} + m_axi_AWLEN < 8'd16);
            closes: assert (closed <= 2 && !(valid_0 && end_0[4]) && !(valid_1 && end_1[4]));
            words: assert (words_of_bursts == \unit.queued_words && \unit.queued_words <= (1 << QUEUE_BITS));
            if (\unit.open ) opens: assert (open_end <= 5'd15 && \unit.full == (open_end == 5'd15));
            if (\unit.open && !\unit.staged )
                lasts_open: assert (\unit.staged_address == {\unit.open_address [63:8], open_end[3:0]});
            if (\unit.open && \unit.staged && \unit.follows && !\unit.full )
                joins: assert (\unit.staged_address == {\unit.open_address [63:8], open_end[3:0] + 4'd1});
            incoming: assert (\unit.incoming_words <= 4'd6 + !word_ready);
            queued: assert (behind_front <= 4'd8 && \unit.incoming_words == behind_front + !\unit.none_incoming
                && \unit.incoming_queue.counters.waits == (behind_front != 0) && \unit.closed_bursts == closed
                && \unit.queued_words == words_between);
            totals: assert (taken == sent + \unit.incoming_words + \unit.staged + \unit.queued_words + m_axi_WVALID);
        end

    // Any one word, counted from reset: it leaves as the same one, to its address.
    (* anyconst *) reg [7:0] chosen;
    reg [7:0] taken, sent;
    reg [63:4] address;
    reg [127:0] value;
    reg [63:4] oldest_address, newest_address;
    reg [7:0] offset;
    wire written = m_axi_WVALID && m_axi_WREADY;
    wire [63:4] now_address = (bursts == 2 ? oldest_address : newest_address) + {52'd0, offset};
    always @(posedge clk)
        if (!rst_n) begin
            taken <= 0;
            sent <= 0;
            offset <= 0;
        end else begin
            taken <= taken + (word_valid && word_ready);
            sent <= sent + written;
            if (word_valid && word_ready && taken == chosen) begin
                address <= word_address[63:4];
                value <= word;
            end
            if (offered) begin
                oldest_address <= newest_address;
                newest_address <= m_axi_AWADDR[63:4];
            end
            if (written) offset <= m_axi_WLAST ? 8'd0 : offset + 8'd1;
            if (m_axi_WVALID && sent == chosen)
                word_at_its_address: assert (chosen < taken && m_axi_WDATA == value && now_address == address
                                             && m_axi_WSTRB == 16'hFFFF);
            if (idle) idle_is_empty: assert (taken == sent && bursts == 0 && unanswered == 0 && !m_axi_AWVALID);
            if ($past(rst_n && flush)) nothing_after_flush: assert (!word_ready);
            response_is_taken: assert (m_axi_BREADY);
        end
endmodule
`default_nettype wire
