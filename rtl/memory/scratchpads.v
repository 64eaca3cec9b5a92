// SPDX-License-Identifier: MIT
// All scratchpads, and which unit has their ports.
//
// Reads: the array has all of them but RESIDUAL, KEY and VALUE; LAYERNORM, COPY, STORE and EXPERTS take over the ports
// of what they read while they work. Writes: each buffer has its writers, never two at a time.
// ULTRA_RAM: QUERY, KEY, VALUE and HIDDEN lie in UltraRAM; with the weight buffer they fill the one of `kv260`'s part.
// What EXPERTS gathers then lies behind QUERY in the same memories, half empty otherwise, which EXPERTS has while it works;
// not where LOAD or STORE may use QUERY meanwhile, nor where what is gathered is wider.
// STREAMING: LOAD writes vectors of any buffer but HIDDEN; it and STORE work beside instructions that leave the port that
// they have alone (move_queue).
// WIDE_TOKENS: attention may write rows of 16 bits to GATE_INPUT, and EXPERTS may gather them.
// Writers of several rows have them behind each other, so banks as far apart as there are rows are offered the same one:
// bank b takes number b mod POST_ROWS of the array's, b mod GROUP of LAYERNORM's.
// STORE, COPY and EXPERTS take one vector of a bank each, through one multiplexer of banks per buffer.
// Latency: 2 from a depth to its values; token_vector 3, store_values 4; what COPY writes has been read 3 cycles before
// copy_enable. Writes of the array and of single vectors come a cycle later.
// Depth: a multiplexer of readers in front of the memories; of banks, then of buffers behind them.
`default_nettype none
`include "require.vh"
module scratchpads #(
    parameter TOKEN_PAR = 8,
    parameter POST_ROWS = 2,
    parameter LAYERNORM_LANES = 64,
    parameter VECTOR = 16,
    parameter ACTIVATION_BITS = 8,
    parameter VECTOR_BITS = 128,
    parameter RESIDUAL_BITS = 16,
    parameter RESIDUAL_VECTOR = 256,
    parameter GATHERED_BITS = 128,  // VECTOR·16 with WIDE_TOKENS
    parameter WIDE_TOKENS = 0,
    parameter STREAMING = 0,
    parameter OUT_PARTS = 1,  // output tiles per vector
    parameter ROW_DEPTH = 396,  // vectors in a bank
    parameter GATHERED_FIRST = 0,  // depth behind QUERY where EXPERTS gathers; 0: in a scratchpad of its own
    parameter HIDDEN_DEPTH = 1584,
    parameter ULTRA_RAM = 0,
    parameter LANE_BITS = 3,
    parameter DEPTH_BITS = 16,
    parameter BUFFER_RESIDUAL = 1,
    parameter BUFFER_NORM = 2,
    parameter BUFFER_GATE_INPUT = 3,
    parameter BUFFER_QUERY = 4,
    parameter BUFFER_KEY = 5,
    parameter BUFFER_VALUE = 6,
    parameter BUFFER_HIDDEN = 7
) (
    input  wire                                 clk,
    input  wire                                 of_layernorm,
    input  wire                                 of_copy,
    input  wire                                 of_store,
    input  wire                                 of_experts,
    input  wire [TOKEN_PAR*DEPTH_BITS-1:0]      array_depth,
    output wire [TOKEN_PAR*VECTOR_BITS-1:0]     norm,
    output wire [TOKEN_PAR*VECTOR_BITS-1:0]     hidden,
    output wire [TOKEN_PAR*VECTOR*16-1:0]       gate_input,
    output wire [TOKEN_PAR*VECTOR_BITS-1:0]     query,
    output wire [TOKEN_PAR*GATHERED_BITS-1:0]   gathered,
    input  wire [DEPTH_BITS-1:0]                attention_depth,
    output wire [TOKEN_PAR*VECTOR_BITS-1:0]     keys,
    output wire [TOKEN_PAR*VECTOR_BITS-1:0]     values,
    output wire [TOKEN_PAR*RESIDUAL_VECTOR-1:0] residual,
    input  wire [POST_ROWS*DEPTH_BITS-1:0]      epilogue_read_depth,
    input  wire [TOKEN_PAR-1:0]                 epilogue_residual_enable,
    input  wire [OUT_PARTS-1:0]                 epilogue_residual_parts,
    input  wire [POST_ROWS*DEPTH_BITS-1:0]      epilogue_residual_depth,
    input  wire [POST_ROWS*RESIDUAL_VECTOR-1:0] epilogue_residual_values,
    input  wire [TOKEN_PAR-1:0]                 epilogue_enable,
    input  wire [3:0]                           epilogue_buffer,
    input  wire [OUT_PARTS-1:0]                 epilogue_parts,
    input  wire [POST_ROWS*DEPTH_BITS-1:0]      epilogue_depth,
    input  wire [POST_ROWS*VECTOR_BITS-1:0]     epilogue_values,
    input  wire [POST_ROWS*VECTOR*16-1:0]       epilogue_wide,
    input  wire [DEPTH_BITS-1:0]                layernorm_read_depth,
    input  wire [TOKEN_PAR-1:0]                 layernorm_enable,
    input  wire [TOKEN_PAR*DEPTH_BITS-1:0]      layernorm_depth,
    input  wire [LAYERNORM_LANES*ACTIVATION_BITS-1:0] layernorm_norm,
    input  wire [TOKEN_PAR-1:0]                 layernorm_gate_enable,
    input  wire [LAYERNORM_LANES*16-1:0]        layernorm_gate,
    input  wire [LANE_BITS-1:0]                 copy_read_bank,
    input  wire [DEPTH_BITS-1:0]                copy_read_depth,
    input  wire                                 copy_enable,
    input  wire [LANE_BITS-1:0]                 copy_bank,
    input  wire [DEPTH_BITS-1:0]                copy_depth,
    input  wire                                 position_enable,
    input  wire [LANE_BITS-1:0]                 position_bank,
    input  wire [DEPTH_BITS-1:0]                position_depth,
    input  wire [RESIDUAL_VECTOR-1:0]           position_values,
    input  wire                                 patch_enable,
    input  wire [LANE_BITS-1:0]                 patch_bank,
    input  wire [DEPTH_BITS-1:0]                patch_depth,
    input  wire [VECTOR_BITS-1:0]               patch_values,
    input  wire                                 load_enable,
    input  wire [3:0]                           load_destination,
    input  wire [LANE_BITS-1:0]                 load_bank,
    input  wire [DEPTH_BITS-1:0]                load_depth,
    input  wire [VECTOR_BITS-1:0]               load_activations,
    input  wire [VECTOR*16-1:0]                 load_gate,
    input  wire [RESIDUAL_VECTOR-1:0]           load_residual,
    input  wire [LANE_BITS-1:0]                 gather_read_bank,
    input  wire [DEPTH_BITS-1:0]                gather_read_depth,
    input  wire                                 gather_wide,
    output reg  [GATHERED_BITS-1:0]             token_vector,
    input  wire                                 gather_enable,
    input  wire [LANE_BITS-1:0]                 gather_bank,
    input  wire [DEPTH_BITS-1:0]                gather_depth,
    input  wire [GATHERED_BITS-1:0]             gather_values,
    input  wire [3:0]                           store_source,
    input  wire [LANE_BITS-1:0]                 store_bank,
    input  wire [DEPTH_BITS-1:0]                store_depth,
    output reg  [VECTOR*32-1:0]                 store_values
);
    localparam GATE_VECTOR = VECTOR * 16;
    localparam DEPTHS = TOKEN_PAR * DEPTH_BITS;
    localparam ROW_DEPTHS = POST_ROWS * DEPTH_BITS;
    localparam REPEATED = TOKEN_PAR / POST_ROWS;  // banks that are offered the same row
    localparam GROUP = LAYERNORM_LANES / VECTOR;
    localparam OFFERED = GROUP > POST_ROWS ? GROUP : POST_ROWS;  // rows that LAYERNORM or the array offers

    localparam [OUT_PARTS-1:0] WHOLE = {OUT_PARTS{1'b1}};
    wire [DEPTHS-1:0] store_depths = {TOKEN_PAR{store_depth}};
    wire [TOKEN_PAR-1:0] one = {{(TOKEN_PAR-1){1'b0}}, 1'b1};
    // Of which buffer STORE has the read ports: others may be read meanwhile.
    reg [BUFFER_HIDDEN:0] stores;
    integer pad;
    always @(posedge clk)
        for (pad = 0; pad <= BUFFER_HIDDEN; pad = pad + 1)
            stores[pad] <= of_store && store_source == pad[3:0];
    wire [DEPTHS-1:0] hidden_depth = stores[BUFFER_HIDDEN] ? store_depths : array_depth;
    wire [DEPTHS-1:0] query_depth = stores[BUFFER_QUERY] ? store_depths : array_depth;
    wire [DEPTHS-1:0] gathered_depth = of_experts ? {TOKEN_PAR{gather_read_depth}} : array_depth;
    wire [DEPTHS-1:0] norm_depth = stores[BUFFER_NORM] ? store_depths : gathered_depth;
    wire [DEPTHS-1:0] gate_depth = stores[BUFFER_GATE_INPUT] ? store_depths
        : WIDE_TOKENS != 0 ? gathered_depth : array_depth;
    wire [DEPTHS-1:0] key_depth = stores[BUFFER_KEY] || stores[BUFFER_VALUE] ? store_depths : {TOKEN_PAR{attention_depth}};
    wire [DEPTH_BITS-1:0] one_residual_depth = stores[BUFFER_RESIDUAL] ? store_depth
        : of_layernorm ? layernorm_read_depth : copy_read_depth;
    wire [ROW_DEPTHS-1:0] residual_depth = stores[BUFFER_RESIDUAL] || of_layernorm || of_copy
        ? {POST_ROWS{one_residual_depth}} : epilogue_read_depth;

    // What the array writes, with its buffer decoded.
    reg [TOKEN_PAR-1:0] array_residual_enable, norm_enable, gate_enable, query_enable, key_enable, value_enable, hidden_enable;
    reg [OUT_PARTS-1:0] array_residual_parts, array_parts;
    reg [ROW_DEPTHS-1:0] array_residual_depth, array_depth_written;
    reg [POST_ROWS*RESIDUAL_VECTOR-1:0] array_residual_values;
    reg [POST_ROWS*VECTOR_BITS-1:0] array_values;
    reg [POST_ROWS*GATE_VECTOR-1:0] array_wide;
    wire [DEPTHS-1:0] array_write_depth = {REPEATED{array_depth_written}};
    always @(posedge clk) begin
        array_residual_enable <= epilogue_residual_enable;
        array_residual_parts <= epilogue_residual_parts;
        array_residual_depth <= epilogue_residual_depth;
        array_residual_values <= epilogue_residual_values;
        norm_enable <= epilogue_enable & {TOKEN_PAR{epilogue_buffer == BUFFER_NORM[3:0]}};
        gate_enable <= epilogue_enable & {TOKEN_PAR{epilogue_buffer == BUFFER_GATE_INPUT[3:0]}};
        query_enable <= epilogue_enable & {TOKEN_PAR{epilogue_buffer == BUFFER_QUERY[3:0]}};
        key_enable <= epilogue_enable & {TOKEN_PAR{epilogue_buffer == BUFFER_KEY[3:0]}};
        value_enable <= epilogue_enable & {TOKEN_PAR{epilogue_buffer == BUFFER_VALUE[3:0]}};
        hidden_enable <= epilogue_enable & {TOKEN_PAR{epilogue_buffer == BUFFER_HIDDEN[3:0]}};
        array_parts <= epilogue_parts;
        array_depth_written <= epilogue_depth;
        array_values <= epilogue_values;
        array_wide <= epilogue_wide;
    end

    // What is loaded, one bank at a time.
    wire loading = STREAMING != 0 && load_enable;
    wire residual_loaded = loading && load_destination == BUFFER_RESIDUAL[3:0];
    reg [BUFFER_VALUE:0] loaded;  // into which buffer
    reg [TOKEN_PAR-1:0] loaded_bank;
    reg [DEPTH_BITS-1:0] loaded_depth;
    reg [VECTOR_BITS-1:0] loaded_activations;
    reg [GATE_VECTOR-1:0] loaded_gate;
    wire [DEPTHS-1:0] loaded_depths = {TOKEN_PAR{loaded_depth}};
    integer buffer;
    always @(posedge clk) begin
        for (buffer = 0; buffer <= BUFFER_VALUE; buffer = buffer + 1)
            loaded[buffer] <= loading && load_destination == buffer[3:0];
        loaded_bank <= STREAMING != 0 ? one << load_bank : {TOKEN_PAR{1'b0}};
        loaded_depth <= STREAMING != 0 ? load_depth : {DEPTH_BITS{1'b0}};
        loaded_activations <= STREAMING != 0 ? load_activations : {VECTOR_BITS{1'b0}};
        loaded_gate <= STREAMING != 0 ? load_gate : {GATE_VECTOR{1'b0}};
    end

    // Copies and positions go to one bank at a time, results of the array to all of them.
    reg single, patching;
    reg [TOKEN_PAR-1:0] single_bank, patched_bank;
    reg [DEPTH_BITS-1:0] single_depth, patched_depth;
    reg [RESIDUAL_VECTOR-1:0] single_value;
    reg [VECTOR_BITS-1:0] patched_values;
    reg [RESIDUAL_VECTOR-1:0] residual_3;  // the vector asked for by COPY or STORE
    always @(posedge clk) begin
        single <= copy_enable || position_enable || residual_loaded;
        single_bank <= one << (residual_loaded ? load_bank : copy_enable ? copy_bank : position_bank);
        single_depth <= residual_loaded ? load_depth : copy_enable ? copy_depth : position_depth;
        single_value <= residual_loaded ? load_residual : copy_enable ? residual_3 : position_values;
        patching <= patch_enable;
        patched_bank <= one << patch_bank;
        patched_depth <= patch_depth;
        patched_values <= patch_values;
    end
    scratchpad #(.BANKS(TOKEN_PAR), .BITS(RESIDUAL_VECTOR), .PARTS(OUT_PARTS), .DEPTH(ROW_DEPTH)) residual_rows (
        .clk(clk),
        .write_enable(single ? single_bank : array_residual_enable),
        .write_parts(single ? WHOLE : array_residual_parts),
        .write_depth({REPEATED{single ? {POST_ROWS{single_depth}} : array_residual_depth}}),
        .write_values({REPEATED{single ? {POST_ROWS{single_value}} : array_residual_values}}),
        .read_depth({REPEATED{residual_depth}}), .read_values(residual));
    wire [OFFERED*VECTOR_BITS-1:0] norm_offered = loaded[BUFFER_NORM] ? {OFFERED{loaded_activations}}
        : of_layernorm ? {(OFFERED/GROUP){layernorm_norm}} : {(OFFERED/POST_ROWS){array_values}};
    scratchpad #(.BANKS(TOKEN_PAR), .BITS(VECTOR_BITS), .PARTS(OUT_PARTS), .DEPTH(ROW_DEPTH)) norm_rows (
        .clk(clk),
        .write_enable(loaded[BUFFER_NORM] ? loaded_bank : of_layernorm ? layernorm_enable : norm_enable),
        .write_parts(loaded[BUFFER_NORM] || of_layernorm ? WHOLE : array_parts),
        .write_depth(loaded[BUFFER_NORM] ? loaded_depths : of_layernorm ? layernorm_depth : array_write_depth),
        .write_values({(TOKEN_PAR/OFFERED){norm_offered}}),
        .read_depth(norm_depth), .read_values(norm));
    // Rows of 16 bits: LAYERNORM's, and attention's where tokens may be wide.
    localparam GATE_PARTS = WIDE_TOKENS != 0 ? OUT_PARTS : 1;
    wire of_attention = WIDE_TOKENS != 0 && !of_layernorm;
    wire [OFFERED*GATE_VECTOR-1:0] gate_offered = loaded[BUFFER_GATE_INPUT] ? {OFFERED{loaded_gate}}
        : of_attention ? {(OFFERED/POST_ROWS){array_wide}} : {(OFFERED/GROUP){layernorm_gate}};
    scratchpad #(.BANKS(TOKEN_PAR), .BITS(GATE_VECTOR), .PARTS(GATE_PARTS), .DEPTH(ROW_DEPTH)) gate_rows (
        .clk(clk),
        .write_enable(loaded[BUFFER_GATE_INPUT] ? loaded_bank : of_attention ? gate_enable : layernorm_gate_enable),
        .write_parts(of_attention && !loaded[BUFFER_GATE_INPUT] ? array_parts[GATE_PARTS-1:0] : {GATE_PARTS{1'b1}}),
        .write_depth(loaded[BUFFER_GATE_INPUT] ? loaded_depths : of_attention ? array_write_depth : layernorm_depth),
        .write_values({(TOKEN_PAR/OFFERED){gate_offered}}),
        .read_depth(gate_depth), .read_values(gate_input));
    wire unused_wide = &{1'b0, gate_enable, array_wide, gather_wide};
    wire [TOKEN_PAR-1:0] gathered_bank = gather_enable ? one << gather_bank : {TOKEN_PAR{1'b0}};
    // EXPERTS reads none of QUERY's rows, so that what it gathers can have both of QUERY's ports.
    localparam [DEPTH_BITS-1:0] BEHIND = GATHERED_FIRST[DEPTH_BITS-1:0];
    wire of_gathered = GATHERED_FIRST != 0 && of_experts;
    wire [DEPTH_BITS-1:0] query_first = of_gathered ? BEHIND : {DEPTH_BITS{1'b0}};
    wire [VECTOR_BITS-1:0] single_activations = of_gathered ? gather_values[VECTOR_BITS-1:0] : loaded_activations;
    scratchpad #(
        .BANKS(TOKEN_PAR), .BITS(VECTOR_BITS), .PARTS(OUT_PARTS), .DEPTH(GATHERED_FIRST + ROW_DEPTH), .ULTRA(ULTRA_RAM)
    ) query_rows (
        .clk(clk), .write_enable(of_gathered ? gathered_bank : loaded[BUFFER_QUERY] ? loaded_bank : query_enable),
        .write_parts(of_gathered || loaded[BUFFER_QUERY] ? WHOLE : array_parts),
        .write_depth(of_gathered ? {TOKEN_PAR{BEHIND | gather_depth}}
            : loaded[BUFFER_QUERY] ? loaded_depths : array_write_depth),
        .write_values({REPEATED{of_gathered || loaded[BUFFER_QUERY] ? {POST_ROWS{single_activations}} : array_values}}),
        .read_depth(query_depth | {TOKEN_PAR{query_first}}), .read_values(query));
    generate
        if (GATHERED_FIRST != 0) begin : behind_query
            assign gathered = query;
        end else begin : beside_query
            scratchpad #(.BANKS(TOKEN_PAR), .BITS(GATHERED_BITS), .PARTS(1), .DEPTH(ROW_DEPTH)) gathered_rows (
                .clk(clk), .write_enable(gathered_bank), .write_parts(1'b1),
                .write_depth({TOKEN_PAR{gather_depth}}), .write_values({TOKEN_PAR{gather_values}}),
                .read_depth(array_depth), .read_values(gathered));
        end
    endgenerate
    scratchpad #(
        .BANKS(TOKEN_PAR), .BITS(VECTOR_BITS), .PARTS(OUT_PARTS), .DEPTH(ROW_DEPTH), .ULTRA(ULTRA_RAM)
    ) key_rows (
        .clk(clk), .write_enable(loaded[BUFFER_KEY] ? loaded_bank : key_enable),
        .write_parts(loaded[BUFFER_KEY] ? WHOLE : array_parts),
        .write_depth(loaded[BUFFER_KEY] ? loaded_depths : array_write_depth),
        .write_values({REPEATED{loaded[BUFFER_KEY] ? {POST_ROWS{loaded_activations}} : array_values}}),
        .read_depth(key_depth), .read_values(keys));
    scratchpad #(
        .BANKS(TOKEN_PAR), .BITS(VECTOR_BITS), .PARTS(OUT_PARTS), .DEPTH(ROW_DEPTH), .ULTRA(ULTRA_RAM)
    ) value_rows (
        .clk(clk), .write_enable(loaded[BUFFER_VALUE] ? loaded_bank : value_enable),
        .write_parts(loaded[BUFFER_VALUE] ? WHOLE : array_parts),
        .write_depth(loaded[BUFFER_VALUE] ? loaded_depths : array_write_depth),
        .write_values({REPEATED{loaded[BUFFER_VALUE] ? {POST_ROWS{loaded_activations}} : array_values}}),
        .read_depth(key_depth), .read_values(values));
    scratchpad #(
        .BANKS(TOKEN_PAR), .BITS(VECTOR_BITS), .PARTS(OUT_PARTS), .DEPTH(HIDDEN_DEPTH), .ULTRA(ULTRA_RAM)
    ) hidden_rows (
        .clk(clk),
        .write_enable(patching ? patched_bank : hidden_enable),
        .write_parts(patching ? WHOLE : array_parts),
        .write_depth({REPEATED{patching ? {POST_ROWS{patched_depth}} : array_depth_written}}),
        .write_values({REPEATED{patching ? {POST_ROWS{patched_values}} : array_values}}),
        .read_depth(hidden_depth), .read_values(hidden));

    // One vector: the bank asked for two cycles ago. STORE: of all buffers, then of its source.
    // Where other instructions execute beside STORE, each buffer's bank is that of who has its port.
    reg [LANE_BITS-1:0] bank_1, store_1;
    reg [LANE_BITS-1:0] store_2, residual_bank_2, norm_bank_2, gate_bank_2;
    reg [GATE_VECTOR-1:0] gate_3;
    reg [VECTOR_BITS-1:0] norm_3, query_3, key_3, value_3, hidden_3, activation;
    integer element;
    always @* begin
        token_vector = {GATHERED_BITS{1'b0}};
        token_vector[VECTOR_BITS-1:0] = norm_3;
        if (WIDE_TOKENS != 0 && gather_wide) token_vector = gate_3[GATHERED_BITS-1:0];
    end
    always @* case (store_source)
        BUFFER_NORM: activation = norm_3;
        BUFFER_QUERY: activation = query_3;
        BUFFER_KEY: activation = key_3;
        BUFFER_VALUE: activation = value_3;
        default: activation = hidden_3;
    endcase
    always @(posedge clk) begin
        bank_1 <= of_copy ? copy_read_bank : of_experts ? gather_read_bank : store_bank;
        store_1 <= store_bank;
        store_2 <= STREAMING != 0 ? store_1 : bank_1;
        residual_bank_2 <= STREAMING != 0 && stores[BUFFER_RESIDUAL] ? store_1 : bank_1;
        norm_bank_2 <= STREAMING != 0 && stores[BUFFER_NORM] ? store_1 : bank_1;
        gate_bank_2 <= STREAMING != 0 && stores[BUFFER_GATE_INPUT] ? store_1 : bank_1;
        if (of_copy || of_store) residual_3 <= residual[residual_bank_2*RESIDUAL_VECTOR +: RESIDUAL_VECTOR];
        if (of_experts || of_store) begin
            gate_3 <= gate_input[gate_bank_2*GATE_VECTOR +: GATE_VECTOR];
            norm_3 <= norm[norm_bank_2*VECTOR_BITS +: VECTOR_BITS];
        end
        if (of_store) begin
            query_3 <= query[store_2*VECTOR_BITS +: VECTOR_BITS];
            key_3 <= keys[store_2*VECTOR_BITS +: VECTOR_BITS];
            value_3 <= values[store_2*VECTOR_BITS +: VECTOR_BITS];
            hidden_3 <= hidden[store_2*VECTOR_BITS +: VECTOR_BITS];
            for (element = 0; element < VECTOR; element = element + 1)
                store_values[element*32 +: 32] <=
                    store_source == BUFFER_RESIDUAL[3:0]
                        ? {{(32-RESIDUAL_BITS){residual_3[(element+1)*RESIDUAL_BITS-1]}},
                           residual_3[element*RESIDUAL_BITS +: RESIDUAL_BITS]}
                    : store_source == BUFFER_GATE_INPUT[3:0]
                        ? {{16{gate_3[element*16+15]}}, gate_3[element*16 +: 16]}
                    : {{(32-ACTIVATION_BITS){activation[(element+1)*ACTIVATION_BITS-1]}},
                       activation[element*ACTIVATION_BITS +: ACTIVATION_BITS]};
        end
    end

    // A buffer has one writer at a time, and one of the units that take over ports executes.
    `REQUIRE(single, !(|array_residual_enable), "the array and a copy or positions write RESIDUAL")
    `REQUIRE(copy_enable, !position_enable, "a copy and positions write RESIDUAL")
    `REQUIRE(loaded[BUFFER_NORM], !(|norm_enable) && !(|layernorm_enable), "LOAD and another unit write NORM")
    `REQUIRE(loaded[BUFFER_GATE_INPUT], !(|gate_enable) && !(|layernorm_gate_enable), "LOAD and another unit write GATE_INPUT")
    `REQUIRE(|loaded[BUFFER_VALUE:BUFFER_QUERY], !(|{query_enable, key_enable, value_enable}), "LOAD writes with the array")
    `REQUIRE(residual_loaded, !copy_enable && !position_enable, "LOAD and another unit write RESIDUAL")
    `REQUIRE(loading, load_destination != 4'd0 && load_destination <= BUFFER_VALUE[3:0], "LOAD into no buffer of its own")
    `REQUIRE(|layernorm_enable, of_layernorm, "LAYERNORM writes after its instruction")
    `REQUIRE(of_layernorm, !(|norm_enable), "LAYERNORM and the array write NORM")
    `REQUIRE(patching, !(|hidden_enable), "patches and the array write HIDDEN")
    `REQUIRE(of_layernorm, !of_copy && !of_experts, "LAYERNORM has the ports with another instruction")
    `REQUIRE(of_copy, !of_experts, "COPY has the ports with another instruction")
    `REQUIRE(copy_enable || |layernorm_enable, !stores[BUFFER_RESIDUAL], "STORE has RESIDUAL with another instruction")
    `REQUIRE(gather_enable, of_experts || !(of_layernorm || of_copy || of_store), "rows are gathered in another instruction")
    `REQUIRE(of_experts, !(|query_enable), "the array writes QUERY while EXPERTS has its memory")
    `REQUIRE(gather_enable, !stores[BUFFER_NORM] && !stores[BUFFER_GATE_INPUT], "STORE has the ports with EXPERTS")
endmodule
`default_nettype wire
