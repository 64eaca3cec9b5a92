// Fields of the instruction that stands in a vector `instruction` of 512 bits, by their names in docs/isa.md.
// Include after edgemoe_spec.vh and the vector, inside a module body; a module uses those that it needs.
/* verilator lint_off UNUSEDSIGNAL */
wire [7:0] opcode = instruction[FIELD_OPCODE_WORD*32 + FIELD_OPCODE_LOW +: 8];
wire [3:0] epilogue = instruction[FIELD_EPILOGUE_WORD*32 + FIELD_EPILOGUE_LOW +: 4];
wire [3:0] source = instruction[FIELD_SOURCE_WORD*32 + FIELD_SOURCE_LOW +: 4];
wire [3:0] destination = instruction[FIELD_DESTINATION_WORD*32 + FIELD_DESTINATION_LOW +: 4];
wire gate_copy = instruction[FIELD_GATE_COPY_WORD*32 + FIELD_GATE_COPY_LOW];
wire [15:0] rows = instruction[FIELD_ROWS_WORD*32 + FIELD_ROWS_LOW +: 16];
wire [15:0] in_features = instruction[FIELD_IN_FEATURES_WORD*32 + FIELD_IN_FEATURES_LOW +: 16];
wire [15:0] out_features = instruction[FIELD_OUT_FEATURES_WORD*32 + FIELD_OUT_FEATURES_LOW +: 16];
wire [15:0] hidden_features = instruction[FIELD_HIDDEN_FEATURES_WORD*32 + FIELD_HIDDEN_FEATURES_LOW +: 16];
wire [15:0] source_row = instruction[FIELD_SOURCE_ROW_WORD*32 + FIELD_SOURCE_ROW_LOW +: 16];
wire [15:0] destination_row = instruction[FIELD_DESTINATION_ROW_WORD*32 + FIELD_DESTINATION_ROW_LOW +: 16];
wire [7:0] heads = instruction[FIELD_HEADS_WORD*32 + FIELD_HEADS_LOW +: 8];
wire [7:0] experts = instruction[FIELD_EXPERTS_WORD*32 + FIELD_EXPERTS_LOW +: 8];
wire [7:0] top_k = instruction[FIELD_TOP_K_WORD*32 + FIELD_TOP_K_LOW +: 8];
wire [15:0] multiplier = instruction[FIELD_MULTIPLIER_WORD*32 + FIELD_MULTIPLIER_LOW +: 16];
wire [7:0] shift = instruction[FIELD_SHIFT_WORD*32 + FIELD_SHIFT_LOW +: 8];
wire [15:0] output_multiplier = instruction[FIELD_OUTPUT_MULTIPLIER_WORD*32 + FIELD_OUTPUT_MULTIPLIER_LOW +: 16];
wire [7:0] output_shift = instruction[FIELD_OUTPUT_SHIFT_WORD*32 + FIELD_OUTPUT_SHIFT_LOW +: 8];
wire [15:0] output_zero = instruction[FIELD_OUTPUT_ZERO_WORD*32 + FIELD_OUTPUT_ZERO_LOW +: 16];
wire [31:0] segment = instruction[FIELD_SEGMENT_WORD*32 +: 32];
wire [31:0] segments = instruction[FIELD_SEGMENTS_WORD*32 +: 32];
wire [63:0] epsilon = {instruction[FIELD_EPSILON_HIGH_WORD*32 +: 32], instruction[FIELD_EPSILON_LOW_WORD*32 +: 32]};
wire [63:0] address = {instruction[FIELD_ADDRESS_HIGH_WORD*32 +: 32], instruction[FIELD_ADDRESS_LOW_WORD*32 +: 32]};
/* verilator lint_on UNUSEDSIGNAL */
