// SPDX-License-Identifier: MIT
// data_reader over any memory, with any commands, flushes and pauses of who takes its words.
`default_nettype none
module data_reader_proof #(
    parameter QUEUE_BITS = 7,
    parameter OUTSTANDING_BITS = 4
) (
    input wire         clk,
    input wire         begin_run,
    input wire         command_valid,
    input wire [63:0]  command_address,
    input wire [31:0]  command_words,
    input wire         word_ready,
    input wire         flush,
    input wire         m_axi_ARREADY,
    input wire         m_axi_RID,
    input wire [127:0] m_axi_RDATA,
    input wire [1:0]   m_axi_RRESP,
    input wire         m_axi_RLAST,
    input wire         m_axi_RVALID
);
    localparam QUEUE = 1 << QUEUE_BITS;
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire command_ready, word_valid, flushed, bus_error, beat;
    wire [127:0] word;
    wire m_axi_ARID, m_axi_ARLOCK, m_axi_ARVALID, m_axi_RREADY;
    wire [63:0] m_axi_ARADDR;
    wire [7:0] m_axi_ARLEN;
    wire [2:0] m_axi_ARSIZE, m_axi_ARPROT;
    wire [1:0] m_axi_ARBURST;
    wire [3:0] m_axi_ARCACHE, m_axi_ARQOS;
    data_reader #(.DATA_QUEUE_BITS(QUEUE_BITS), .OUTSTANDING_BITS(OUTSTANDING_BITS)) unit (.*);

    wire [5:0] in_flight;
    wire [11:0] due;
    axi_read_rules #(.LIMIT(1 << OUTSTANDING_BITS)) rules (
        .clk(clk), .rst_n(rst_n), .araddr(m_axi_ARADDR), .arlen(m_axi_ARLEN), .arsize(m_axi_ARSIZE),
        .arburst(m_axi_ARBURST), .arvalid(m_axi_ARVALID), .arready(m_axi_ARREADY), .rvalid(m_axi_RVALID),
        .rready(m_axi_RREADY), .rlast(m_axi_RLAST), .in_flight(in_flight), .due(due));

    // Invariants.
    (* hierconn *) wire [2:0] \unit.state ;
    (* hierconn *) wire \unit.room ;
    (* hierconn *) wire \unit.fits ;
    (* hierconn *) wire [63:4] \unit.address ;
    (* hierconn *) wire [31:0] \unit.remaining ;
    (* hierconn *) wire [4:0] \unit.length ;
    (* hierconn *) wire [QUEUE_BITS:0] \unit.reserved ;
    (* hierconn *) wire [OUTSTANDING_BITS:0] \unit.in_flight ;
    (* hierconn *) wire \unit.dropping ;
    (* hierconn *) wire [QUEUE_BITS:0] \unit.newest ;
    (* hierconn *) wire [QUEUE_BITS:0] \unit.oldest ;
    wire [QUEUE_BITS:0] queued = \unit.newest - \unit.oldest ;
    wire [11:0] asked = m_axi_ARVALID ? {4'd0, m_axi_ARLEN} + 12'd1 : 13'd0;
    always @(posedge clk)
        if (rst_n) begin
            states: assert (\unit.state <= 3'd4 && m_axi_ARVALID == (\unit.state == 3'd3));
            rooms: assert (\unit.state != 3'd4 || !\unit.room || \unit.fits );
            lengths: assert ((\unit.state != 3'd1 && \unit.state != 3'd4) || (\unit.length != 0 && {27'd0, \unit.length } <= \unit.remaining
                             && {3'd0, \unit.address [7:4]} + \unit.length <= 6'd16));
            if (m_axi_ARVALID)
                blocks: assert ({4'd0, m_axi_ARADDR[7:4]} + m_axi_ARLEN < 8'd16);
            counts: assert (\unit.in_flight == in_flight + m_axi_ARVALID);
            if (\unit.dropping )
                dropped: assert (\unit.reserved == 0 && queued == 0 && !word_valid);
            else
                reserves: assert (\unit.reserved == due + asked + queued + word_valid && \unit.reserved <= QUEUE);
        end

    // The reader.
    always @(posedge clk)
        if (rst_n) begin
            room_for_every_beat: assert (m_axi_RREADY && (!m_axi_RVALID || queued < QUEUE || \unit.dropping ));
            if (flushed) flushed_is_empty: assert (in_flight == 0 && !m_axi_ARVALID);
            if ($past(rst_n && word_valid && !word_ready && !flush)) word_is_held: assert (word_valid && $stable(word));
            if ($past(rst_n && flush)) nothing_after_flush: assert (!word_valid && !$rose(m_axi_ARVALID));
        end

    // What was commanded is what is requested: address by address, all of it before the next command.
    reg [63:4] next;
    reg [31:0] left;
    reg waiting;
    wire offered = m_axi_ARVALID && !waiting;
    wire [31:0] words = {24'd0, m_axi_ARLEN} + 32'd1;
    always @(posedge clk)
        if (!rst_n) begin
            left <= 0;
            waiting <= 0;
        end else begin
            waiting <= m_axi_ARVALID && !m_axi_ARREADY;
            if (command_valid && command_ready) begin
                next <= command_address[63:4];
                left <= command_words;
            end else if (offered) begin
                next <= next + words;
                left <= flush ? 0 : left - words;
            end else if (flush)
                left <= 0;
        end
    wire [31:0] now_left = left - (offered ? words : 33'd0);
    always @(posedge clk)
        if (rst_n) begin
            if (offered) requests_follow_the_command: assert (m_axi_ARADDR[63:4] == next && words <= left);
            if (command_valid && command_ready) whole_command_requested: assert (left == 0);
            if (!\unit.dropping && \unit.state != 3'd0)
                commands: assert (\unit.remaining == now_left && \unit.address == next + (offered ? words : 33'd0));
            if (\unit.dropping || \unit.state == 3'd0)
                nothing_left: assert (left == 0 && !offered);
            waits: assert (!waiting || m_axi_ARVALID);
        end

    // Words leave in the order of the beats: any one of them.
    (* anyconst *) reg [5:0] chosen;
    reg [5:0] came, handed;
    reg [127:0] value;
    reg flushed_once;
    always @(posedge clk)
        if (!rst_n) begin
            came <= 0;
            handed <= 0;
            flushed_once <= 0;
        end else begin
            flushed_once <= flushed_once || flush;
            came <= came + m_axi_RVALID;
            handed <= handed + (word_valid && word_ready);
            if (m_axi_RVALID && came == chosen) value <= m_axi_RDATA;
        end
    always @(posedge clk)
        if (rst_n && !flushed_once && word_valid && handed == chosen)
            words_in_order: assert (chosen < came && word == value);
endmodule
`default_nettype wire
