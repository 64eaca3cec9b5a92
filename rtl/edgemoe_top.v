// SPDX-License-Identifier: MIT
// The accelerator: AXI4-Lite control, one AXI4 master for program, frames and outputs, four for weights.
//
// Ports and registers are those that Vitis HLS gives the HLS top (docs/registers.md, docs/memory.md), so either drops into
// the same benches, driver and block design. A build with fewer weight ports than four leaves the others quiet,
// and no weight port ever writes.
`default_nettype none
module edgemoe_top (
    input wire ap_clk,
    input wire ap_rst_n,
    /* verilator lint_off SYMRSVDWORD */  // the name that Vitis HLS gives it
    output wire interrupt,
    /* verilator lint_on SYMRSVDWORD */
    // Control
    input wire s_axi_control_AWVALID, output wire s_axi_control_AWREADY, input wire [11:0] s_axi_control_AWADDR,
    input wire s_axi_control_WVALID, output wire s_axi_control_WREADY, input wire [31:0] s_axi_control_WDATA,
    input wire [3:0] s_axi_control_WSTRB,
    output wire s_axi_control_BVALID, input wire s_axi_control_BREADY, output wire [1:0] s_axi_control_BRESP,
    input wire s_axi_control_ARVALID, output wire s_axi_control_ARREADY, input wire [11:0] s_axi_control_ARADDR,
    output wire s_axi_control_RVALID, input wire s_axi_control_RREADY, output wire [31:0] s_axi_control_RDATA,
    output wire [1:0] s_axi_control_RRESP,
    // Weights, port 0
    output wire m_axi_gmem0_AWID, output wire [63:0] m_axi_gmem0_AWADDR, output wire [7:0] m_axi_gmem0_AWLEN,
    output wire [2:0] m_axi_gmem0_AWSIZE, output wire [1:0] m_axi_gmem0_AWBURST, output wire m_axi_gmem0_AWLOCK,
    output wire [3:0] m_axi_gmem0_AWCACHE, output wire [2:0] m_axi_gmem0_AWPROT, output wire [3:0] m_axi_gmem0_AWQOS,
    output wire m_axi_gmem0_AWVALID, input wire m_axi_gmem0_AWREADY,
    output wire [127:0] m_axi_gmem0_WDATA, output wire [15:0] m_axi_gmem0_WSTRB, output wire m_axi_gmem0_WLAST,
    output wire m_axi_gmem0_WVALID, input wire m_axi_gmem0_WREADY,
    input wire m_axi_gmem0_BID, input wire [1:0] m_axi_gmem0_BRESP, input wire m_axi_gmem0_BVALID,
    output wire m_axi_gmem0_BREADY,
    output wire m_axi_gmem0_ARID, output wire [63:0] m_axi_gmem0_ARADDR, output wire [7:0] m_axi_gmem0_ARLEN,
    output wire [2:0] m_axi_gmem0_ARSIZE, output wire [1:0] m_axi_gmem0_ARBURST, output wire m_axi_gmem0_ARLOCK,
    output wire [3:0] m_axi_gmem0_ARCACHE, output wire [2:0] m_axi_gmem0_ARPROT, output wire [3:0] m_axi_gmem0_ARQOS,
    output wire m_axi_gmem0_ARVALID, input wire m_axi_gmem0_ARREADY,
    input wire m_axi_gmem0_RID, input wire [127:0] m_axi_gmem0_RDATA, input wire [1:0] m_axi_gmem0_RRESP,
    input wire m_axi_gmem0_RLAST, input wire m_axi_gmem0_RVALID, output wire m_axi_gmem0_RREADY,
    // Weights, port 1
    output wire m_axi_gmem1_AWID, output wire [63:0] m_axi_gmem1_AWADDR, output wire [7:0] m_axi_gmem1_AWLEN,
    output wire [2:0] m_axi_gmem1_AWSIZE, output wire [1:0] m_axi_gmem1_AWBURST, output wire m_axi_gmem1_AWLOCK,
    output wire [3:0] m_axi_gmem1_AWCACHE, output wire [2:0] m_axi_gmem1_AWPROT, output wire [3:0] m_axi_gmem1_AWQOS,
    output wire m_axi_gmem1_AWVALID, input wire m_axi_gmem1_AWREADY,
    output wire [127:0] m_axi_gmem1_WDATA, output wire [15:0] m_axi_gmem1_WSTRB, output wire m_axi_gmem1_WLAST,
    output wire m_axi_gmem1_WVALID, input wire m_axi_gmem1_WREADY,
    input wire m_axi_gmem1_BID, input wire [1:0] m_axi_gmem1_BRESP, input wire m_axi_gmem1_BVALID,
    output wire m_axi_gmem1_BREADY,
    output wire m_axi_gmem1_ARID, output wire [63:0] m_axi_gmem1_ARADDR, output wire [7:0] m_axi_gmem1_ARLEN,
    output wire [2:0] m_axi_gmem1_ARSIZE, output wire [1:0] m_axi_gmem1_ARBURST, output wire m_axi_gmem1_ARLOCK,
    output wire [3:0] m_axi_gmem1_ARCACHE, output wire [2:0] m_axi_gmem1_ARPROT, output wire [3:0] m_axi_gmem1_ARQOS,
    output wire m_axi_gmem1_ARVALID, input wire m_axi_gmem1_ARREADY,
    input wire m_axi_gmem1_RID, input wire [127:0] m_axi_gmem1_RDATA, input wire [1:0] m_axi_gmem1_RRESP,
    input wire m_axi_gmem1_RLAST, input wire m_axi_gmem1_RVALID, output wire m_axi_gmem1_RREADY,
    // Weights, port 2
    output wire m_axi_gmem2_AWID, output wire [63:0] m_axi_gmem2_AWADDR, output wire [7:0] m_axi_gmem2_AWLEN,
    output wire [2:0] m_axi_gmem2_AWSIZE, output wire [1:0] m_axi_gmem2_AWBURST, output wire m_axi_gmem2_AWLOCK,
    output wire [3:0] m_axi_gmem2_AWCACHE, output wire [2:0] m_axi_gmem2_AWPROT, output wire [3:0] m_axi_gmem2_AWQOS,
    output wire m_axi_gmem2_AWVALID, input wire m_axi_gmem2_AWREADY,
    output wire [127:0] m_axi_gmem2_WDATA, output wire [15:0] m_axi_gmem2_WSTRB, output wire m_axi_gmem2_WLAST,
    output wire m_axi_gmem2_WVALID, input wire m_axi_gmem2_WREADY,
    input wire m_axi_gmem2_BID, input wire [1:0] m_axi_gmem2_BRESP, input wire m_axi_gmem2_BVALID,
    output wire m_axi_gmem2_BREADY,
    output wire m_axi_gmem2_ARID, output wire [63:0] m_axi_gmem2_ARADDR, output wire [7:0] m_axi_gmem2_ARLEN,
    output wire [2:0] m_axi_gmem2_ARSIZE, output wire [1:0] m_axi_gmem2_ARBURST, output wire m_axi_gmem2_ARLOCK,
    output wire [3:0] m_axi_gmem2_ARCACHE, output wire [2:0] m_axi_gmem2_ARPROT, output wire [3:0] m_axi_gmem2_ARQOS,
    output wire m_axi_gmem2_ARVALID, input wire m_axi_gmem2_ARREADY,
    input wire m_axi_gmem2_RID, input wire [127:0] m_axi_gmem2_RDATA, input wire [1:0] m_axi_gmem2_RRESP,
    input wire m_axi_gmem2_RLAST, input wire m_axi_gmem2_RVALID, output wire m_axi_gmem2_RREADY,
    // Weights, port 3
    output wire m_axi_gmem3_AWID, output wire [63:0] m_axi_gmem3_AWADDR, output wire [7:0] m_axi_gmem3_AWLEN,
    output wire [2:0] m_axi_gmem3_AWSIZE, output wire [1:0] m_axi_gmem3_AWBURST, output wire m_axi_gmem3_AWLOCK,
    output wire [3:0] m_axi_gmem3_AWCACHE, output wire [2:0] m_axi_gmem3_AWPROT, output wire [3:0] m_axi_gmem3_AWQOS,
    output wire m_axi_gmem3_AWVALID, input wire m_axi_gmem3_AWREADY,
    output wire [127:0] m_axi_gmem3_WDATA, output wire [15:0] m_axi_gmem3_WSTRB, output wire m_axi_gmem3_WLAST,
    output wire m_axi_gmem3_WVALID, input wire m_axi_gmem3_WREADY,
    input wire m_axi_gmem3_BID, input wire [1:0] m_axi_gmem3_BRESP, input wire m_axi_gmem3_BVALID,
    output wire m_axi_gmem3_BREADY,
    output wire m_axi_gmem3_ARID, output wire [63:0] m_axi_gmem3_ARADDR, output wire [7:0] m_axi_gmem3_ARLEN,
    output wire [2:0] m_axi_gmem3_ARSIZE, output wire [1:0] m_axi_gmem3_ARBURST, output wire m_axi_gmem3_ARLOCK,
    output wire [3:0] m_axi_gmem3_ARCACHE, output wire [2:0] m_axi_gmem3_ARPROT, output wire [3:0] m_axi_gmem3_ARQOS,
    output wire m_axi_gmem3_ARVALID, input wire m_axi_gmem3_ARREADY,
    input wire m_axi_gmem3_RID, input wire [127:0] m_axi_gmem3_RDATA, input wire [1:0] m_axi_gmem3_RRESP,
    input wire m_axi_gmem3_RLAST, input wire m_axi_gmem3_RVALID, output wire m_axi_gmem3_RREADY,
    // Program, frames and outputs
    output wire m_axi_gmem_data_AWID, output wire [63:0] m_axi_gmem_data_AWADDR,
    output wire [7:0] m_axi_gmem_data_AWLEN, output wire [2:0] m_axi_gmem_data_AWSIZE,
    output wire [1:0] m_axi_gmem_data_AWBURST, output wire m_axi_gmem_data_AWLOCK,
    output wire [3:0] m_axi_gmem_data_AWCACHE, output wire [2:0] m_axi_gmem_data_AWPROT,
    output wire [3:0] m_axi_gmem_data_AWQOS, output wire m_axi_gmem_data_AWVALID, input wire m_axi_gmem_data_AWREADY,
    output wire [127:0] m_axi_gmem_data_WDATA, output wire [15:0] m_axi_gmem_data_WSTRB,
    output wire m_axi_gmem_data_WLAST, output wire m_axi_gmem_data_WVALID, input wire m_axi_gmem_data_WREADY,
    input wire m_axi_gmem_data_BID, input wire [1:0] m_axi_gmem_data_BRESP, input wire m_axi_gmem_data_BVALID,
    output wire m_axi_gmem_data_BREADY,
    output wire m_axi_gmem_data_ARID, output wire [63:0] m_axi_gmem_data_ARADDR,
    output wire [7:0] m_axi_gmem_data_ARLEN, output wire [2:0] m_axi_gmem_data_ARSIZE,
    output wire [1:0] m_axi_gmem_data_ARBURST, output wire m_axi_gmem_data_ARLOCK,
    output wire [3:0] m_axi_gmem_data_ARCACHE, output wire [2:0] m_axi_gmem_data_ARPROT,
    output wire [3:0] m_axi_gmem_data_ARQOS, output wire m_axi_gmem_data_ARVALID, input wire m_axi_gmem_data_ARREADY,
    input wire m_axi_gmem_data_RID, input wire [127:0] m_axi_gmem_data_RDATA, input wire [1:0] m_axi_gmem_data_RRESP,
    input wire m_axi_gmem_data_RLAST, input wire m_axi_gmem_data_RVALID, output wire m_axi_gmem_data_RREADY
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
    localparam INDEX_BITS = 40;  // of words of a weight port

    wire clk = ap_clk;
    wire rst_n = ap_rst_n;
    wire start, done, idle, running, engine_rst_n, begin_run, begin_stream, flush;
    wire header_good, begin_ranges, range_begin, part_push;
    wire [57:0] part_end_line;
    wire [15:0] part_times;
    wire [63:0] program_address, input_address, output_address, stream_lines, range_lines, left;
    wire [4*64-1:0] weights_address;
    wire [31:0] watchdog_cycles, error_code, program_counter, index, experts_run, segments_dropped;
    wire [10*64-1:0] counts;
    control_registers registers (
        .clk(clk), .rst_n(rst_n),
        .s_axi_control_AWVALID(s_axi_control_AWVALID), .s_axi_control_AWREADY(s_axi_control_AWREADY),
        .s_axi_control_AWADDR(s_axi_control_AWADDR), .s_axi_control_WVALID(s_axi_control_WVALID),
        .s_axi_control_WREADY(s_axi_control_WREADY), .s_axi_control_WDATA(s_axi_control_WDATA),
        .s_axi_control_WSTRB(s_axi_control_WSTRB), .s_axi_control_BVALID(s_axi_control_BVALID),
        .s_axi_control_BREADY(s_axi_control_BREADY), .s_axi_control_BRESP(s_axi_control_BRESP),
        .s_axi_control_ARVALID(s_axi_control_ARVALID), .s_axi_control_ARREADY(s_axi_control_ARREADY),
        .s_axi_control_ARADDR(s_axi_control_ARADDR), .s_axi_control_RVALID(s_axi_control_RVALID),
        .s_axi_control_RREADY(s_axi_control_RREADY), .s_axi_control_RDATA(s_axi_control_RDATA),
        .s_axi_control_RRESP(s_axi_control_RRESP),
        .interrupt(interrupt), .start(start), .done(done), .idle(idle), .program_address(program_address),
        .input_address(input_address), .output_address(output_address), .weights_address(weights_address),
        .watchdog_cycles(watchdog_cycles), .error_code(error_code), .program_counter(program_counter),
        .counters(counts), .experts_run(experts_run), .segments_dropped(segments_dropped));

    wire header_valid, halted, progress, reader_flushed, writer_idle, reader_error, writer_error,
        weights_flushed, weights_error;
    wire [4:0] header_fault, fault;
    run_control run_controller (
        .clk(clk), .rst_n(rst_n), .start(start), .done(done), .idle(idle), .watchdog_cycles(watchdog_cycles),
        .progress(progress), .read_error(reader_error || weights_error), .write_error(writer_error), .flush(flush),
        .flushed(reader_flushed && weights_flushed), .written(writer_idle), .engine_rst_n(engine_rst_n),
        .begin_run(begin_run), .header_valid(header_valid), .header_fault(header_fault), .begin_stream(header_good),
        .halted(halted), .fault(fault), .index(index), .running(running), .error_code(error_code),
        .program_counter(program_counter));

    // Weights: every port its words, the buffer its lines. Parts that are streamed again are known when the program has
    // said so.
    assign begin_stream = STREAMING != 0 ? begin_ranges : header_good;
    wire [8:1] available;
    wire take, taken_valid, skip, hold_back, keep, again;
    wire [2:0] take_lines;
    wire [TILE_BITS-1:0] taken;
    wire [31:0] skip_lines;
    wire [PORTS*128-1:0] port_words;
    wire [PORTS-1:0] port_valid, port_beats;
    wire [PORTS*INDEX_BITS-1:0] port_indices;
    wire [INDEX_BITS-1:0] run_words, room_words, skip_to;
    weight_buffer #(
        .INDEX_BITS(INDEX_BITS), .PORTS(PORTS), .TILE_LINES(TILE_LINES), .PREFETCH_BYTES(PREFETCH_BYTES),
        .HELD_BACK_LINES(HELD_BACK_LINES), .ULTRA_RAM(ULTRA_RAM)
    ) prefetch (
        .clk(clk), .rst_n(rst_n), .begin_run(begin_stream), .run_lines(range_lines), .run_words(run_words),
        .available(available), .take(take), .take_lines(take_lines), .taken_valid(taken_valid), .taken(taken),
        .skip(skip), .skip_lines(skip_lines), .hold_back(hold_back), .keep(keep), .again(again), .left(left), .range_begin(range_begin),
        .range_lines(range_lines), .port_word_valid(port_valid),
        .port_word(port_words), .port_word_index(port_indices), .room_words(room_words), .skip_to(skip_to));
    weight_ports #(.INDEX_BITS(INDEX_BITS), .PORTS(PORTS), .MAX_WEIGHT_PORTS(MAX_WEIGHT_PORTS),
                   .RANGES(STREAMING), .MAX_PARTS(MAX_PARTS)) readers (
        .clk(clk), .rst_n(rst_n), .begin_run(begin_stream), .base_address(weights_address), .words(run_words),
        .room_words(room_words), .skip_to(skip_to), .clear_parts(begin_run), .part_push(part_push),
        .part_end_line(part_end_line), .part_times(part_times), .stream_lines(stream_lines), .word_valid(port_valid), .word(port_words),
        .word_index(port_indices), .flush(flush), .flushed(weights_flushed), .bus_error(weights_error),
        .beat(port_beats),
        .m_axi_ARID({m_axi_gmem3_ARID, m_axi_gmem2_ARID, m_axi_gmem1_ARID, m_axi_gmem0_ARID}),
        .m_axi_ARADDR({m_axi_gmem3_ARADDR, m_axi_gmem2_ARADDR, m_axi_gmem1_ARADDR, m_axi_gmem0_ARADDR}),
        .m_axi_ARLEN({m_axi_gmem3_ARLEN, m_axi_gmem2_ARLEN, m_axi_gmem1_ARLEN, m_axi_gmem0_ARLEN}),
        .m_axi_ARSIZE({m_axi_gmem3_ARSIZE, m_axi_gmem2_ARSIZE, m_axi_gmem1_ARSIZE, m_axi_gmem0_ARSIZE}),
        .m_axi_ARBURST({m_axi_gmem3_ARBURST, m_axi_gmem2_ARBURST, m_axi_gmem1_ARBURST, m_axi_gmem0_ARBURST}),
        .m_axi_ARLOCK({m_axi_gmem3_ARLOCK, m_axi_gmem2_ARLOCK, m_axi_gmem1_ARLOCK, m_axi_gmem0_ARLOCK}),
        .m_axi_ARCACHE({m_axi_gmem3_ARCACHE, m_axi_gmem2_ARCACHE, m_axi_gmem1_ARCACHE, m_axi_gmem0_ARCACHE}),
        .m_axi_ARPROT({m_axi_gmem3_ARPROT, m_axi_gmem2_ARPROT, m_axi_gmem1_ARPROT, m_axi_gmem0_ARPROT}),
        .m_axi_ARQOS({m_axi_gmem3_ARQOS, m_axi_gmem2_ARQOS, m_axi_gmem1_ARQOS, m_axi_gmem0_ARQOS}),
        .m_axi_ARVALID({m_axi_gmem3_ARVALID, m_axi_gmem2_ARVALID, m_axi_gmem1_ARVALID, m_axi_gmem0_ARVALID}),
        .m_axi_ARREADY({m_axi_gmem3_ARREADY, m_axi_gmem2_ARREADY, m_axi_gmem1_ARREADY, m_axi_gmem0_ARREADY}),
        .m_axi_RID({m_axi_gmem3_RID, m_axi_gmem2_RID, m_axi_gmem1_RID, m_axi_gmem0_RID}),
        .m_axi_RDATA({m_axi_gmem3_RDATA, m_axi_gmem2_RDATA, m_axi_gmem1_RDATA, m_axi_gmem0_RDATA}),
        .m_axi_RRESP({m_axi_gmem3_RRESP, m_axi_gmem2_RRESP, m_axi_gmem1_RRESP, m_axi_gmem0_RRESP}),
        .m_axi_RLAST({m_axi_gmem3_RLAST, m_axi_gmem2_RLAST, m_axi_gmem1_RLAST, m_axi_gmem0_RLAST}),
        .m_axi_RVALID({m_axi_gmem3_RVALID, m_axi_gmem2_RVALID, m_axi_gmem1_RVALID, m_axi_gmem0_RVALID}),
        .m_axi_RREADY({m_axi_gmem3_RREADY, m_axi_gmem2_RREADY, m_axi_gmem1_RREADY, m_axi_gmem0_RREADY}));
    // Write channels of the weight ports.
    assign {m_axi_gmem0_AWID, m_axi_gmem0_AWADDR, m_axi_gmem0_AWLEN, m_axi_gmem0_AWSIZE, m_axi_gmem0_AWBURST,
            m_axi_gmem0_AWLOCK, m_axi_gmem0_AWCACHE, m_axi_gmem0_AWPROT, m_axi_gmem0_AWQOS, m_axi_gmem0_AWVALID,
            m_axi_gmem0_WDATA, m_axi_gmem0_WSTRB, m_axi_gmem0_WLAST, m_axi_gmem0_WVALID, m_axi_gmem0_BREADY} = 0;
    assign {m_axi_gmem1_AWID, m_axi_gmem1_AWADDR, m_axi_gmem1_AWLEN, m_axi_gmem1_AWSIZE, m_axi_gmem1_AWBURST,
            m_axi_gmem1_AWLOCK, m_axi_gmem1_AWCACHE, m_axi_gmem1_AWPROT, m_axi_gmem1_AWQOS, m_axi_gmem1_AWVALID,
            m_axi_gmem1_WDATA, m_axi_gmem1_WSTRB, m_axi_gmem1_WLAST, m_axi_gmem1_WVALID, m_axi_gmem1_BREADY} = 0;
    assign {m_axi_gmem2_AWID, m_axi_gmem2_AWADDR, m_axi_gmem2_AWLEN, m_axi_gmem2_AWSIZE, m_axi_gmem2_AWBURST,
            m_axi_gmem2_AWLOCK, m_axi_gmem2_AWCACHE, m_axi_gmem2_AWPROT, m_axi_gmem2_AWQOS, m_axi_gmem2_AWVALID,
            m_axi_gmem2_WDATA, m_axi_gmem2_WSTRB, m_axi_gmem2_WLAST, m_axi_gmem2_WVALID, m_axi_gmem2_BREADY} = 0;
    assign {m_axi_gmem3_AWID, m_axi_gmem3_AWADDR, m_axi_gmem3_AWLEN, m_axi_gmem3_AWSIZE, m_axi_gmem3_AWBURST,
            m_axi_gmem3_AWLOCK, m_axi_gmem3_AWCACHE, m_axi_gmem3_AWPROT, m_axi_gmem3_AWQOS, m_axi_gmem3_AWVALID,
            m_axi_gmem3_WDATA, m_axi_gmem3_WSTRB, m_axi_gmem3_WLAST, m_axi_gmem3_WVALID, m_axi_gmem3_BREADY} = 0;
    wire unused = &{1'b0,
                    m_axi_gmem0_AWREADY, m_axi_gmem0_WREADY, m_axi_gmem0_BID, m_axi_gmem0_BRESP, m_axi_gmem0_BVALID,
                    m_axi_gmem1_AWREADY, m_axi_gmem1_WREADY, m_axi_gmem1_BID, m_axi_gmem1_BRESP, m_axi_gmem1_BVALID,
                    m_axi_gmem2_AWREADY, m_axi_gmem2_WREADY, m_axi_gmem2_BID, m_axi_gmem2_BRESP, m_axi_gmem2_BVALID,
                    m_axi_gmem3_AWREADY, m_axi_gmem3_WREADY, m_axi_gmem3_BID, m_axi_gmem3_BRESP, m_axi_gmem3_BVALID};

    // Program, frames and outputs.
    wire command_valid, command_ready, read_valid, read_ready, read_beat, word_valid, word_ready, write_beat;
    wire [63:0] command_address, word_address;
    wire [31:0] command_words;
    wire [127:0] read_word, word;
    data_reader #(.DATA_QUEUE_BITS(DATA_QUEUE_BITS)) reader (
        .clk(clk), .rst_n(rst_n), .begin_run(begin_run), .command_valid(command_valid), .command_ready(command_ready),
        .command_address(command_address), .command_words(command_words), .word_valid(read_valid),
        .word_ready(read_ready), .word(read_word), .flush(flush), .flushed(reader_flushed), .bus_error(reader_error),
        .beat(read_beat),
        .m_axi_ARID(m_axi_gmem_data_ARID), .m_axi_ARADDR(m_axi_gmem_data_ARADDR),
        .m_axi_ARLEN(m_axi_gmem_data_ARLEN), .m_axi_ARSIZE(m_axi_gmem_data_ARSIZE),
        .m_axi_ARBURST(m_axi_gmem_data_ARBURST), .m_axi_ARLOCK(m_axi_gmem_data_ARLOCK),
        .m_axi_ARCACHE(m_axi_gmem_data_ARCACHE), .m_axi_ARPROT(m_axi_gmem_data_ARPROT),
        .m_axi_ARQOS(m_axi_gmem_data_ARQOS), .m_axi_ARVALID(m_axi_gmem_data_ARVALID),
        .m_axi_ARREADY(m_axi_gmem_data_ARREADY), .m_axi_RID(m_axi_gmem_data_RID),
        .m_axi_RDATA(m_axi_gmem_data_RDATA), .m_axi_RRESP(m_axi_gmem_data_RRESP),
        .m_axi_RLAST(m_axi_gmem_data_RLAST), .m_axi_RVALID(m_axi_gmem_data_RVALID),
        .m_axi_RREADY(m_axi_gmem_data_RREADY));
    data_writer writer (
        .clk(clk), .rst_n(rst_n), .begin_run(begin_run), .word_valid(word_valid), .word_ready(word_ready),
        .word_address(word_address), .word(word), .flush(flush), .idle(writer_idle), .bus_error(writer_error),
        .beat(write_beat),
        .m_axi_AWID(m_axi_gmem_data_AWID), .m_axi_AWADDR(m_axi_gmem_data_AWADDR),
        .m_axi_AWLEN(m_axi_gmem_data_AWLEN), .m_axi_AWSIZE(m_axi_gmem_data_AWSIZE),
        .m_axi_AWBURST(m_axi_gmem_data_AWBURST), .m_axi_AWLOCK(m_axi_gmem_data_AWLOCK),
        .m_axi_AWCACHE(m_axi_gmem_data_AWCACHE), .m_axi_AWPROT(m_axi_gmem_data_AWPROT),
        .m_axi_AWQOS(m_axi_gmem_data_AWQOS), .m_axi_AWVALID(m_axi_gmem_data_AWVALID),
        .m_axi_AWREADY(m_axi_gmem_data_AWREADY), .m_axi_WDATA(m_axi_gmem_data_WDATA),
        .m_axi_WSTRB(m_axi_gmem_data_WSTRB), .m_axi_WLAST(m_axi_gmem_data_WLAST),
        .m_axi_WVALID(m_axi_gmem_data_WVALID), .m_axi_WREADY(m_axi_gmem_data_WREADY),
        .m_axi_BID(m_axi_gmem_data_BID), .m_axi_BRESP(m_axi_gmem_data_BRESP), .m_axi_BVALID(m_axi_gmem_data_BVALID),
        .m_axi_BREADY(m_axi_gmem_data_BREADY));

    edgemoe_core core (
        .clk(clk), .rst_n(rst_n), .engine_rst_n(engine_rst_n), .begin_run(begin_run),
        .stream_lines(stream_lines), .begin_ranges(begin_ranges), .range_begin(range_begin), .range_lines(range_lines),
        .part_push(part_push), .part_end_line(part_end_line), .part_times(part_times), .written(writer_idle),
        .program_address(program_address), .input_address(input_address),
        .output_address(output_address), .header_valid(header_valid), .header_fault(header_fault), .halted(halted),
        .fault(fault), .index(index), .experts_run(experts_run), .segments_dropped(segments_dropped),
        .progress(progress), .counts_running(running), .available(available), .take(take), .take_lines(take_lines),
        .taken_valid(taken_valid), .taken(taken), .skip(skip), .skip_lines(skip_lines), .hold_back(hold_back), .keep(keep), .again(again), .left(left),
        .command_valid(command_valid), .command_ready(command_ready), .command_address(command_address),
        .command_words(command_words), .read_valid(read_valid), .read_ready(read_ready), .read_word(read_word),
        .word_valid(word_valid), .word_ready(word_ready), .word_address(word_address), .word(word),
        .weight_beats(port_beats), .read_beat(read_beat), .write_beat(write_beat), .counters(counts));
endmodule
`default_nettype wire
