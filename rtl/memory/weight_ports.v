// SPDX-License-Identifier: MIT
// The weight ports side by side: a reader on each one that the build has; the others are quiet.
//
// RANGES: each goes from range to range of the stream on its own, see stream_ranges.
// Port 0 stands in the low bits of every vector. flushed: all ports are; bus_error: one has met an error.
// Precondition and latency: those of weight_port.
`default_nettype none
module weight_ports #(
    parameter INDEX_BITS = 40,  // of a word's index
    parameter PORTS = 4,  // that the build has
    parameter MAX_WEIGHT_PORTS = 4,
    parameter RANGES = 0,
    parameter MAX_PARTS = 64
) (
    input  wire                            clk,
    input  wire                            rst_n,
    input  wire                            begin_run,
    input  wire [MAX_WEIGHT_PORTS*64-1:0]  base_address,
    input  wire [INDEX_BITS-1:0]           words,
    input  wire [INDEX_BITS-1:0]           room_words,
    input  wire [INDEX_BITS-1:0]           skip_to,
    output wire [PORTS-1:0]                word_valid,
    output wire [PORTS*128-1:0]            word,
    output wire [PORTS*INDEX_BITS-1:0]     word_index,
    input  wire                            clear_parts,
    input  wire                            part_push,
    input  wire [57:0]                     part_end_line,
    input  wire [15:0]                     part_times,
    input  wire [63:0]                     stream_lines,
    input  wire                            flush,
    output wire                            flushed,
    output wire                            bus_error,
    output wire [PORTS-1:0]                beat,
    output wire [MAX_WEIGHT_PORTS-1:0]     m_axi_ARID,
    output wire [MAX_WEIGHT_PORTS*64-1:0]  m_axi_ARADDR,
    output wire [MAX_WEIGHT_PORTS*8-1:0]   m_axi_ARLEN,
    output wire [MAX_WEIGHT_PORTS*3-1:0]   m_axi_ARSIZE,
    output wire [MAX_WEIGHT_PORTS*2-1:0]   m_axi_ARBURST,
    output wire [MAX_WEIGHT_PORTS-1:0]     m_axi_ARLOCK,
    output wire [MAX_WEIGHT_PORTS*4-1:0]   m_axi_ARCACHE,
    output wire [MAX_WEIGHT_PORTS*3-1:0]   m_axi_ARPROT,
    output wire [MAX_WEIGHT_PORTS*4-1:0]   m_axi_ARQOS,
    output wire [MAX_WEIGHT_PORTS-1:0]     m_axi_ARVALID,
    input  wire [MAX_WEIGHT_PORTS-1:0]     m_axi_ARREADY,
    input  wire [MAX_WEIGHT_PORTS-1:0]     m_axi_RID,
    input  wire [MAX_WEIGHT_PORTS*128-1:0] m_axi_RDATA,
    input  wire [MAX_WEIGHT_PORTS*2-1:0]   m_axi_RRESP,
    input  wire [MAX_WEIGHT_PORTS-1:0]     m_axi_RLAST,
    input  wire [MAX_WEIGHT_PORTS-1:0]     m_axi_RVALID,
    output wire [MAX_WEIGHT_PORTS-1:0]     m_axi_RREADY
);

    wire [PORTS-1:0] port_flushed, port_errors;
    assign flushed = &port_flushed;
    assign bus_error = |port_errors;
    genvar port;
    generate
        for (port = 0; port < MAX_WEIGHT_PORTS; port = port + 1) begin : ports
            if (port < PORTS) begin : built
                wire more, ready, next;
                wire [INDEX_BITS-1:0] range_end, range_shift;
                if (RANGES != 0) begin : parts
                    stream_ranges #(.INDEX_BITS(INDEX_BITS), .PORTS(PORTS), .MAX_PARTS(MAX_PARTS)) ranges (
                        .clk(clk), .clear(clear_parts), .part_push(part_push), .part_end_line(part_end_line),
                        .part_times(part_times), .begin_run(begin_run), .stream_lines(stream_lines), .next(next),
                        .ready(ready), .more(more), .range_end(range_end), .range_shift(range_shift));
                end else begin : whole
                    assign {more, ready, range_end, range_shift} = 0;
                    wire unused_next = &{1'b0, next};
                end
                weight_port #(.INDEX_BITS(INDEX_BITS), .RANGES(RANGES)) reader (
                    .clk(clk), .rst_n(rst_n), .begin_run(begin_run), .base_address(base_address[port*64 +: 64]),
                    .words(words), .room_words(room_words), .skip_to(skip_to), .range_more(more),
                    .range_ready(ready), .range_next(next), .range_end(range_end), .range_shift(range_shift),
                    .word_valid(word_valid[port]),
                    .word(word[port*128 +: 128]), .word_index(word_index[port*INDEX_BITS +: INDEX_BITS]),
                    .flush(flush), .flushed(port_flushed[port]), .bus_error(port_errors[port]), .beat(beat[port]),
                    .m_axi_ARID(m_axi_ARID[port]), .m_axi_ARADDR(m_axi_ARADDR[port*64 +: 64]),
                    .m_axi_ARLEN(m_axi_ARLEN[port*8 +: 8]), .m_axi_ARSIZE(m_axi_ARSIZE[port*3 +: 3]),
                    .m_axi_ARBURST(m_axi_ARBURST[port*2 +: 2]), .m_axi_ARLOCK(m_axi_ARLOCK[port]),
                    .m_axi_ARCACHE(m_axi_ARCACHE[port*4 +: 4]), .m_axi_ARPROT(m_axi_ARPROT[port*3 +: 3]),
                    .m_axi_ARQOS(m_axi_ARQOS[port*4 +: 4]), .m_axi_ARVALID(m_axi_ARVALID[port]),
                    .m_axi_ARREADY(m_axi_ARREADY[port]), .m_axi_RID(m_axi_RID[port]),
                    .m_axi_RDATA(m_axi_RDATA[port*128 +: 128]), .m_axi_RRESP(m_axi_RRESP[port*2 +: 2]),
                    .m_axi_RLAST(m_axi_RLAST[port]), .m_axi_RVALID(m_axi_RVALID[port]),
                    .m_axi_RREADY(m_axi_RREADY[port]));
            end else begin : quiet
                assign {m_axi_ARID[port], m_axi_ARADDR[port*64 +: 64], m_axi_ARLEN[port*8 +: 8],
                        m_axi_ARSIZE[port*3 +: 3], m_axi_ARBURST[port*2 +: 2], m_axi_ARLOCK[port],
                        m_axi_ARCACHE[port*4 +: 4], m_axi_ARPROT[port*3 +: 3], m_axi_ARQOS[port*4 +: 4],
                        m_axi_ARVALID[port], m_axi_RREADY[port]} = 0;
            end
        end
    endgenerate
    wire unused = &{1'b0, base_address, m_axi_ARREADY, m_axi_RID, m_axi_RDATA, m_axi_RRESP, m_axi_RLAST, m_axi_RVALID,
                    clear_parts, part_push, part_end_line, part_times, stream_lines};
endmodule
`default_nettype wire
