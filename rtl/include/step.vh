// Fields of a step of the array, lowest bit of each. Include after edgemoe_machine.vh.
/* verilator lint_off UNUSEDPARAM */
localparam STEP_VALID = 0;
localparam STEP_FIRST = 1;          // the sums begin here
localparam STEP_LOW_DIGIT = 2;      // gate: the low digit of the left operand
localparam STEP_EXPONENTIAL = 3;    // the left operand is exponentials of scores
localparam STEP_FIRST_KEYS = 4;     // Σe begins here
localparam STEP_LAST_KEYS = 5;      // Σe is complete after this
localparam STEP_SUMMED = 6;         // exponentials are added to Σe
localparam STEP_PART = 7;           // which part of the vector, or of the score word
localparam STEP_LEFT = 8;
localparam STEP_SLOT = 11;
localparam STEP_DEPTH = STEP_SLOT + SLOT_BITS;
localparam STEP_SCORE = STEP_DEPTH + DEPTH_BITS;
localparam STEP_MASK = STEP_SCORE + SCORE_ADDRESS_BITS;
localparam STEP_BITS = STEP_MASK + IN_PAR;
