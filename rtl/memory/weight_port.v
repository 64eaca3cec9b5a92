// SPDX-License-Identifier: MIT
// Reads the words of one weight port in order, ahead of use, over an AXI4 read master.
//
// Words are counted from the beginning of the run; word i lies at base_address + 16·i. Requests go on up to word
// room_words (exclusive) and up to the last one; what lies below skip_to and was not requested yet is left out. Bursts
// end at 16-beat boundaries of the address, so that none crosses 4 KiB; one that does not fit into the room waits until
// it does. Words come with their index, since a skip leaves a gap; those below skip_to that were requested before come
// too.
// Precondition: begin_run only while flushed and no request is under way: after a flush, or once all words have
// come; room_words and skip_to never fall within a run, and are those of the new run from the cycle after begin_run;
// the buffer behind holds more than 16 words of this port beyond what its reader waits for. The four low bits of
// base_address are taken as 0.
// RANGES: word i of the run lies at base_address + 16·(i + range_shift), and a run goes from range to range (see
// stream_ranges) until no more follow; `words` has no meaning.
// flush ends the run: nothing more is requested, words in flight are dropped, flushed says that none is left, bus_error
// falls: the next run's header comes before begin_run.
// Latency: 5 cycles per request; word_valid one cycle after the beat. Depth: an addition or a comparison of INDEX_BITS.
`default_nettype none
`include "require.vh"
module weight_port #(
    parameter INDEX_BITS = 40,  // of a word's index; a run has fewer words than 2^INDEX_BITS
    parameter OUTSTANDING_BITS = 4,  // 2^OUTSTANDING_BITS bursts in flight at most
    parameter RANGES = 0
) (
    input  wire                  clk,
    input  wire                  rst_n,
    input  wire                  begin_run,
    input  wire [63:0]           base_address,
    input  wire [INDEX_BITS-1:0] words,
    input  wire [INDEX_BITS-1:0] room_words,
    input  wire [INDEX_BITS-1:0] skip_to,
    input  wire                  range_more,
    input  wire                  range_ready,
    output wire                  range_next,
    input  wire [INDEX_BITS-1:0] range_end,
    input  wire [INDEX_BITS-1:0] range_shift,
    output reg                   word_valid,
    output reg  [127:0]          word,
    output reg  [INDEX_BITS-1:0] word_index,
    input  wire                  flush,
    output wire                  flushed,
    output reg                   bus_error,
    output reg                   beat,  // a beat of 16 bytes came, one cycle later

    output wire                  m_axi_ARID,
    output reg  [63:0]           m_axi_ARADDR,
    output wire [7:0]            m_axi_ARLEN,
    output wire [2:0]            m_axi_ARSIZE,
    output wire [1:0]            m_axi_ARBURST,
    output wire                  m_axi_ARLOCK,
    output wire [3:0]            m_axi_ARCACHE,
    output wire [2:0]            m_axi_ARPROT,
    output wire [3:0]            m_axi_ARQOS,
    output reg                   m_axi_ARVALID,
    input  wire                  m_axi_ARREADY,
    input  wire                  m_axi_RID,
    input  wire [127:0]          m_axi_RDATA,
    input  wire [1:0]            m_axi_RRESP,
    input  wire                  m_axi_RLAST,
    input  wire                  m_axi_RVALID,
    output wire                  m_axi_RREADY
);
    localparam OUTSTANDING = 1 << OUTSTANDING_BITS;
    localparam [2:0] STATE_LOCATE = 0;  // leaves out what was skipped
    localparam [2:0] STATE_MEASURE = 1;  // length of the burst
    localparam [2:0] STATE_EXTEND = 2;  // end of the burst
    localparam [2:0] STATE_REQUEST = 3;  // waits for room, and looks for skips meanwhile
    localparam [2:0] STATE_ISSUED = 4;  // waits for the address to be accepted
    localparam [2:0] STATE_RANGE = 5;  // waits for the next range

    reg [2:0] state;
    reg active;
    reg [INDEX_BITS-1:0] room_known, skip_known;  // a cycle late: too little, never too much
    reg [63:4] base;  // of this range
    reg [63:4] first_base;
    reg [INDEX_BITS-1:0] total, next, remaining, burst_end;
    reg finished;
    wire next_range = RANGES != 0 && active && finished && range_more;
    reg [63:4] address;
    reg [4:0] length, requested_length;

    wire [3:0] offset = base[7:4] + next[3:0];
    wire [4:0] to_boundary = 5'd16 - {1'b0, offset};

    reg [OUTSTANDING_BITS:0] in_flight;
    wire room = burst_end <= room_known && !in_flight[OUTSTANDING_BITS];
    wire request = state == STATE_REQUEST && active && !flush && !finished && room;
    wire last_beat = m_axi_RVALID && m_axi_RLAST;

    assign range_next = RANGES != 0 && state == STATE_RANGE && range_ready && !begin_run;
    assign flushed = !m_axi_ARVALID && in_flight == 0;

    always @(posedge clk) begin
        room_known <= begin_run ? {INDEX_BITS{1'b0}} : room_words;
        skip_known <= begin_run ? {INDEX_BITS{1'b0}} : skip_to;
        if (begin_run) begin
            base <= base_address[63:4];
            first_base <= base_address[63:4];
            total <= RANGES != 0 ? {INDEX_BITS{1'b0}} : words;
        end else if (range_next) begin
            base <= first_base + {{(60-INDEX_BITS){range_shift[INDEX_BITS-1]}}, range_shift};
            total <= range_end;
        end
        remaining <= total - next;
        length <= remaining < {{(INDEX_BITS-5){1'b0}}, to_boundary} ? remaining[4:0] : to_boundary;
        address <= base + {{(60-INDEX_BITS){1'b0}}, next};
        burst_end <= next + {{(INDEX_BITS-5){1'b0}}, length};
        if (request) begin
            m_axi_ARADDR <= {address, 4'b0000};
            requested_length <= length;
        end

        if (!rst_n) begin
            state <= STATE_LOCATE;
            active <= 1'b0;
            m_axi_ARVALID <= 1'b0;
        end else begin
            if (flush)
                active <= 1'b0;
            case (state)
                STATE_LOCATE:
                    if (skip_known > next)
                        next <= skip_known;
                    else begin
                        finished <= next >= total;
                        state <= STATE_MEASURE;
                    end
                STATE_MEASURE: state <= next_range ? STATE_RANGE : STATE_EXTEND;
                STATE_RANGE: if (range_ready) state <= STATE_LOCATE;
                STATE_EXTEND: state <= STATE_REQUEST;
                STATE_REQUEST: begin
                    m_axi_ARVALID <= request;
                    state <= request ? STATE_ISSUED : STATE_LOCATE;
                end
                default:
                    if (m_axi_ARREADY) begin
                        m_axi_ARVALID <= 1'b0;
                        next <= burst_end;
                        state <= STATE_LOCATE;
                    end
            endcase
            if (begin_run) begin
                active <= 1'b1;
                next <= {INDEX_BITS{1'b0}};
                state <= STATE_LOCATE;
            end
        end
    end

    // First index of every burst in flight, in order.
    reg [INDEX_BITS-1:0] burst_index [0:OUTSTANDING-1];
    reg [OUTSTANDING_BITS-1:0] newest, oldest;
    reg first;  // beat of its burst

    always @(posedge clk) begin
        if (request)
            burst_index[newest] <= next;
        if (m_axi_RVALID) begin
            word <= m_axi_RDATA;
            word_index <= first ? burst_index[oldest] : word_index + 1'b1;
        end
        if (!rst_n) begin
            newest <= 0;
            oldest <= 0;
            in_flight <= 0;
            first <= 1'b1;
            word_valid <= 1'b0;
            beat <= 1'b0;
            bus_error <= 1'b0;
        end else begin
            newest <= newest + {{(OUTSTANDING_BITS-1){1'b0}}, request};
            oldest <= oldest + {{(OUTSTANDING_BITS-1){1'b0}}, last_beat};
            in_flight <= in_flight + {{OUTSTANDING_BITS{1'b0}}, request} - {{OUTSTANDING_BITS{1'b0}}, last_beat};
            if (m_axi_RVALID)
                first <= m_axi_RLAST;
            word_valid <= m_axi_RVALID && active && !flush;
            beat <= m_axi_RVALID;
            bus_error <= !begin_run && !flush && (bus_error || (m_axi_RVALID && m_axi_RRESP[1] && active));
        end
    end

    assign m_axi_ARID = 1'b0;
    assign m_axi_ARLEN = {3'b000, requested_length} - 8'd1;
    assign m_axi_ARSIZE = 3'd4;  // 16 bytes
    assign m_axi_ARBURST = 2'b01;  // incrementing
    assign m_axi_ARLOCK = 1'b0;
    assign m_axi_ARCACHE = 4'b0011;  // normal, not cacheable
    assign m_axi_ARPROT = 3'b000;
    assign m_axi_ARQOS = 4'b0000;
    assign m_axi_RREADY = 1'b1;  // room was there before the request
    wire unused = &{1'b0, m_axi_RID, m_axi_RRESP[0], base_address[3:0], first_base, range_more, range_ready, range_end, range_shift,
                    words};

    // Preconditions.
    `REQUIRE(rst_n && begin_run, flushed && !request, "begin_run before the last run is flushed")

`ifdef SIMULATION
    reg [INDEX_BITS-1:0] room_before, skip_before;
    reg begun_before;
    always @(posedge clk) {begun_before, room_before, skip_before} <= {begin_run, room_words, skip_to};
    wire in_run = active && !begin_run && !begun_before;
`endif
    `REQUIRE(rst_n && in_run, room_words >= room_before && skip_to >= skip_before, "room_words or skip_to fell within a run")
endmodule
`default_nettype wire
