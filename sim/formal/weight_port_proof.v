// SPDX-License-Identifier: MIT
// weight_port over any memory, with any runs, rooms, skips and flushes that its preconditions allow.
`default_nettype none
module weight_port_proof #(
    parameter INDEX_BITS = 40,
    parameter OUTSTANDING_BITS = 4
) (
    input wire                  clk,
    input wire                  begin_run,
    input wire [63:0]           base_address,
    input wire [INDEX_BITS-1:0] words,
    input wire [INDEX_BITS-1:0] room_words,
    input wire [INDEX_BITS-1:0] skip_to,
    input wire                  flush,
    input wire                  m_axi_ARREADY,
    input wire                  m_axi_RID,
    input wire [127:0]          m_axi_RDATA,
    input wire [1:0]            m_axi_RRESP,
    input wire                  m_axi_RLAST,
    input wire                  m_axi_RVALID
);
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire word_valid, flushed, bus_error, beat;
    wire [127:0] word;
    wire [INDEX_BITS-1:0] word_index;
    wire m_axi_ARID, m_axi_ARLOCK, m_axi_ARVALID, m_axi_RREADY;
    wire [63:0] m_axi_ARADDR;
    wire [7:0] m_axi_ARLEN;
    wire [2:0] m_axi_ARSIZE, m_axi_ARPROT;
    wire [1:0] m_axi_ARBURST;
    wire [3:0] m_axi_ARCACHE, m_axi_ARQOS;
    wire range_more = 1'b0, range_ready = 1'b0, range_next;
    wire [INDEX_BITS-1:0] range_end = 0, range_shift = 0;
    weight_port #(.INDEX_BITS(INDEX_BITS), .OUTSTANDING_BITS(OUTSTANDING_BITS)) unit (.*);

    wire [5:0] in_flight;
    wire [11:0] due;
    axi_read_rules #(.LIMIT(1 << OUTSTANDING_BITS)) rules (
        .clk(clk), .rst_n(rst_n), .araddr(m_axi_ARADDR), .arlen(m_axi_ARLEN), .arsize(m_axi_ARSIZE),
        .arburst(m_axi_ARBURST), .arvalid(m_axi_ARVALID), .arready(m_axi_ARREADY), .rvalid(m_axi_RVALID),
        .rready(m_axi_RREADY), .rlast(m_axi_RLAST), .in_flight(in_flight), .due(due));

    // Invariants: what the registers before a request hold in each state.
    (* hierconn *) wire [2:0] \unit.state ;
    (* hierconn *) wire [INDEX_BITS-1:0] \unit.room_known ;
    (* hierconn *) wire [INDEX_BITS-1:0] \unit.skip_known ;
    (* hierconn *) wire \unit.active ;
    (* hierconn *) wire [63:4] \unit.base ;
    (* hierconn *) wire [INDEX_BITS-1:0] \unit.total ;
    (* hierconn *) wire [INDEX_BITS-1:0] \unit.next ;
    (* hierconn *) wire [INDEX_BITS-1:0] \unit.remaining ;
    (* hierconn *) wire [INDEX_BITS-1:0] \unit.burst_end ;
    (* hierconn *) wire \unit.finished ;
    (* hierconn *) wire [63:4] \unit.address ;
    (* hierconn *) wire [4:0] \unit.length ;
    (* hierconn *) wire [OUTSTANDING_BITS:0] \unit.in_flight ;
    wire [2:0] state = \unit.state ;
    wire [4:0] to_boundary = \unit.to_boundary ;
    (* hierconn *) wire [4:0] \unit.to_boundary ;
    wire [INDEX_BITS-1:0] left = \unit.total - \unit.next ;
    always @(posedge clk)
        if (rst_n) begin
            states: assert (state <= 3'd4 && m_axi_ARVALID == (state == 3'd4));
            counts: assert (\unit.in_flight == in_flight + m_axi_ARVALID);
            blocks: assert (!m_axi_ARVALID || {4'd0, m_axi_ARADDR[7:4]} + m_axi_ARLEN < 8'd16);
            if (\unit.active && state >= 3'd1)
                measured: assert (\unit.finished == (\unit.next >= \unit.total ));
            if (\unit.active && state >= 3'd1)
                located: assert (\unit.remaining == left
                    && \unit.address == \unit.base + {{(60-INDEX_BITS){1'b0}}, \unit.next });
            if (\unit.active && state >= 3'd2)
                lengths: assert ({{(INDEX_BITS-5){1'b0}}, \unit.length } <= left && \unit.length <= to_boundary
                    && (\unit.length == left || \unit.length == to_boundary));
            if (\unit.active && state >= 3'd3)
                ends: assert (\unit.burst_end == \unit.next + {{(INDEX_BITS-5){1'b0}}, \unit.length });
        end

    // Words are asked for one after the other, where they lie, within the run and the room; skipped ones left out.
    reg [INDEX_BITS-1:0] asked;  // words before this one are
    reg [63:4] base;
    reg [INDEX_BITS-1:0] total, room_before, skip_before;
    reg waiting, running;
    wire offered = m_axi_ARVALID && !waiting;
    wire [INDEX_BITS-1:0] first = skip_before > asked ? skip_before : asked;
    wire [INDEX_BITS-1:0] past_last = \unit.next + {{(INDEX_BITS-8){1'b0}}, m_axi_ARLEN} + 1'b1;
    always @(posedge clk) begin
        room_before <= room_words;
        skip_before <= skip_to;
        waiting <= rst_n && m_axi_ARVALID && !m_axi_ARREADY;
        running <= rst_n && (begin_run || (running && !flush));
        if (begin_run) begin
            base <= base_address[63:4];
            total <= words;
            asked <= 0;
        end else if (offered)
            asked <= past_last;
        if (rst_n && offered) begin
            address_of_word: assert (m_axi_ARADDR[63:4] == base + {{(60-INDEX_BITS){1'b0}}, \unit.next });
            in_order: assert (\unit.next >= asked && (\unit.next == asked || \unit.next <= skip_before));
            within_the_run: assert (past_last <= total && past_last > \unit.next );
            within_the_room: assert (past_last <= room_before);
        end
        if (rst_n && running) runs: assert (\unit.active && base == \unit.base && total == \unit.total );
        if (rst_n) begin
            known: assert ((\unit.room_known == room_before || \unit.room_known == 0)
                           && (\unit.skip_known == skip_before || \unit.skip_known == 0));
            actives: assert (!\unit.active || running);
            if (running && !offered && m_axi_ARVALID) asks: assert (asked == \unit.burst_end );
            if (running && !m_axi_ARVALID)
                nexts: assert (\unit.next >= asked && (\unit.next == asked || \unit.next <= skip_before));
            if (waiting) waits: assert (m_axi_ARVALID);
        end
    end

    // The port.
    always @(posedge clk)
        if (rst_n) begin
            room_for_every_beat: assert (m_axi_RREADY);
            if (flushed) flushed_is_empty: assert (in_flight == 0 && !m_axi_ARVALID);
            if ($past(rst_n && flush)) nothing_after_flush: assert (!word_valid && !$rose(m_axi_ARVALID));
        end

    // A beat carries the index of its word: any one burst, counted from reset.
    (* anyconst *) reg [5:0] chosen;
    reg [5:0] requests, answers;
    reg [INDEX_BITS-1:0] index;
    reg was_answer;
    always @(posedge clk)
        if (!rst_n) begin
            requests <= 0;
            answers <= 0;
            was_answer <= 0;
        end else begin
            requests <= requests + offered;
            if (offered && requests == chosen) index <= \unit.next ;
            answers <= answers + (m_axi_RVALID && m_axi_RLAST);
            was_answer <= m_axi_RVALID && answers == chosen;
            if (was_answer) index <= index + 1'b1;
            if (word_valid && was_answer) index_of_word: assert (word_index == index);
            if ($past(rst_n && m_axi_RVALID && \unit.active && !flush))
                every_word_passes: assert (word_valid && word == $past(m_axi_RDATA));
        end
endmodule
`default_nettype wire
