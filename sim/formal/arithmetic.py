"""Proofs of exactness: the packed pair of products, chains of additions, rounding and requantising."""

from __future__ import annotations

from sim.formal.proof import AllInputs, Mutant, Proof, Property

DOT, PACK = "compute/dot_product.v", "compute/pack_weights.v"
SHIFT, SCALE, MULTIPLY = "parts/round_shift.v", "parts/requantise.v", "parts/multiplier.v"

DOT_PRODUCT = Proof(
    "dot_product_proof", "dot_product", AllInputs(4), invariants=("halves_come_apart",),
    properties=(
        Property("packed_is_both", "two weights are packed as w1·2^18 + w0",
                 Mutant(PACK, "- {{WEIGHT_BITS{1'b0}}, low[WEIGHT_BITS-1]}", "- {{WEIGHT_BITS{1'b0}}, low[0]}")),
        Property("operands_arrive", "a lane multiplies its own activation by its own packed weights",
                 Mutant(DOT, "activations[(4*g+lane)*OPERAND_BITS +: OPERAND_BITS];",
                        "activations[(4*g+3-lane)*OPERAND_BITS +: OPERAND_BITS];")),
        Property("product_is_exact", "their product is exact",
                 Mutant(DOT, "product[lane] = activation[lane] * packed_weight[lane];",
                        "product[lane] = activation[lane] * $signed(packed_weight[lane][25:0]);")),
        Property("groups_are_exact", "four pairs of products add up exactly, each borrowed 1 given back",
                 Mutant(DOT, "product[0][17]});", "product[1][17]});")),
        Property("sums_are_exact", "groups add up exactly, the last borrowed ones given back",
                 Mutant(DOT, "carry[GROUPS-1]});", "carry[0]});")),
    ),
)  # fmt: skip

ROUNDED = "the floor of (value + half) / 2^shift, saturated, for every value and shift"
ROUND_SHIFTS = tuple(
    Proof(
        "round_shift_proof", "round_shift", AllInputs(6), parameters={"IN_BITS": inputs, "OUT_BITS": outputs},
        properties=(
            Property("rounds_and_saturates", ROUNDED,
                     Mutant(SHIFT, "half <= fine[0] & !over & !at_upper_bound;", "half <= fine[0] & !over;")),
        ),
    )
    for inputs, outputs in ((49, 20), (24, 8), (66, 33))
)  # fmt: skip

REQUANTISE = Proof(
    "requantise_proof", "requantise", AllInputs(10),
    properties=(
        Property("partials_are_exact", "each digit of 17 bits is multiplied exactly",
                 Mutant(MULTIPLY, "$signed({1'b0, wide[17*low +: 17]})", "$signed(wide[17*low +: 17])")),
        Property("product_is_their_sum", "the product is the sum of its digits' products",
                 Mutant(MULTIPLY, "<< 17 * (DIGITS - 1);", "<< 16 * (DIGITS - 1);")),
        Property("rounds_the_product", "the product is rounded by the shift that came with its value, and saturated",
                 Mutant(SCALE, ".shift(shift_3)", ".shift(shift_2)")),
        Property("valid_follows", "valid_out is valid_in 7 cycles later",
                 Mutant(SCALE, "assign valid_out = valid[6];", "assign valid_out = valid[5];")),
    ),
)  # fmt: skip

PROOFS = (DOT_PRODUCT, *ROUND_SHIFTS, REQUANTISE)
