"""Proofs of exactness: the packed pair of products, chains of additions, rounding and requantising."""

from __future__ import annotations

from sim.formal.proof import AllInputs, Mutant, Proof, Property

DOT, PACK, CHAIN = "compute/dot_product.v", "compute/pack_weights.v", "parts/multiply_add.v"
SHIFT, SCALE, MULTIPLY = "parts/round_shift.v", "parts/requantise.v", "parts/multiplier.v"

SHIFTS = {18: "DSP48E2", 16: "DSP48E1"}
"""PAIR_SHIFT, and the DSP block whose wide operand has room for it."""
DOT_PRODUCTS = tuple(
    Proof(
        "dot_product_proof", "dot_product", AllInputs(4), parameters={"PAIR_SHIFT": pair_shift},
        properties=(
            Property("packed_is_both", f"two weights are packed as w1·2^{pair_shift} + w0, beside w1 mod 4",
                     Mutant(PACK, "- {{WEIGHT_BITS{1'b0}}, low[WEIGHT_BITS-1]}", "- {{WEIGHT_BITS{1'b0}}, low[0]}")),
            Property("operands_arrive", "a lane multiplies its own activation by its own packed weights",
                     Mutant(DOT, ".b(packed_weights[n*PACKED_BITS +: PAIR_BITS])",
                            ".b(packed_weights[(LANES-1-n)*PACKED_BITS +: PAIR_BITS])")),
            Property("product_is_exact", "their product is exact",
                     Mutant(CHAIN, "product <= a_1 * b_1;", "product <= a_1 * $signed(b_1[B_BITS-2:0]);")),
            Property("chain_adds_up", "it is added to what the lane before has summed",
                     Mutant(CHAIN, "{product[A_BITS+B_BITS-1]}}", "{1'b0}}")),
        ),
    )
    for pair_shift in SHIFTS
)  # fmt: skip
DOT_PRODUCT_SUMS = tuple(
    Proof(
        "dot_product_sums_proof", "dot_product", AllInputs(16), parameters={"PAIR_SHIFT": pair_shift},
        beside=("multiply_add",), invariants=("chain_is_both", "chain_is_bounded"), slow=pair_shift == 16,
        properties=(
            Property("sums_are_exact", f"the halves of a chain of eight {SHIFTS[pair_shift]} come apart exactly, "
                     "whatever its products are", mutant),
        ),
    )
    for pair_shift, mutant in (
        (18, Mutant(DOT, "low_before == 2'd0 && low[1]", "low_before == 2'd1 && low[1]")),
        (16, Mutant(DOT, "step == 2'd2 && !falls[3]", "step == 2'd2 && !falls[2]")),
    )
)  # fmt: skip

ROUNDED = "the floor of (value + half) / 2^shift, saturated, for every value and shift"
ROUND_SHIFTS = tuple(
    Proof(
        "round_shift_proof", "round_shift", AllInputs(6),
        parameters={"IN_BITS": inputs, "OUT_BITS": outputs, "SATURATES": saturates},
        properties=(
            Property("rounds_and_saturates", ROUNDED,
                     Mutant(SHIFT, "half <= fine[0] & !over & !at_upper_bound;",
                            "half <= fine[0] & !over;" if saturates else "half <= !over & !at_upper_bound;")),
        ),
    )
    for inputs, outputs, saturates in ((49, 20, 1), (24, 8, 1), (66, 33, 1), (46, 18, 0))
)  # fmt: skip

REQUANTISE = Proof(
    "requantise_proof", "requantise", AllInputs(10),
    properties=(
        Property("partials_are_exact", "the digit of 26 bits and the three pairs of bits above are multiplied exactly",
                 Mutant(MULTIPLY, "{bits[2*PAIRS-2]}} & once) -", "{bits[2*PAIRS-2]}} & once) +")),
        Property("product_is_their_sum", "the product is the sum of these products, each at its place",
                 Mutant(MULTIPLY, "<< DIGIT_BITS * (DIGITS - 1);", "<< (DIGIT_BITS - 1) * (DIGITS - 1);")),
        Property("rounds_the_product", "the product is rounded by the shift that came with its value, and saturated",
                 Mutant(SCALE, ".shift(shift_3)", ".shift(shift_2)")),
        Property("valid_follows", "valid_out is valid_in 7 cycles later",
                 Mutant(SCALE, "assign valid_out = valid[6];", "assign valid_out = valid[5];")),
    ),
)  # fmt: skip

PROOFS = (*DOT_PRODUCTS, *DOT_PRODUCT_SUMS, *ROUND_SHIFTS, REQUANTISE)
