"""The meaning of each instruction as a loop nest, for docs/isa.md; edgemoe_golden.ops is the arithmetic bit by bit.

TOKENS stands for NORM, or for GATE_INPUT where activations are 16 bits wide. `activation` saturates to the width of the
result: activation_bits, or ±32639.
"""

from __future__ import annotations

from edgemoe.spec.isa import Opcode

PURPOSE: dict[Opcode, str] = {
    Opcode.HALT: "Ends the program.",
    Opcode.PATCH_EMBED: "Loads a frame's patches, embeds them and adds the position embedding.",
    Opcode.LAYERNORM: "Normalises rows of the residual stream, optionally with a 16-bit copy for the gate.",
    Opcode.LINEAR: "One linear layer: QKV, output projection, either layer of a dense MLP.",
    Opcode.ATTENTION: "Attention of all heads over the rows of one task.",
    Opcode.GATE: "Routes the tokens of one task: top-k experts and scores, appended to the experts' queues.",
    Opcode.EXPERTS: "Runs every expert that has tokens, ascending, each once, and empties the queues.",
    Opcode.COPY: "Copies rows of the residual stream; the two ranges do not overlap.",
    Opcode.HEAD: "A task's linear head; outputs go to memory.",
    Opcode.STORE: "Writes rows of a scratchpad to memory.",
    Opcode.LOAD: "Reads rows that were stored back into a scratchpad; waits until all that was stored is in memory.",
    Opcode.REPEAT: "Says that the next part of the weight stream is streamed several times; stands before all others.",
}

LOOP_NEST: dict[Opcode, str] = {
    Opcode.HALT: "stop",
    Opcode.PATCH_EMBED: """\
position = next segment (POSITION, rows + 1 rows);  W, b, M, S = next segment (LINEAR)
for row in 0 … rows − 1:
    for f in 0 … in_features − 1:
        HIDDEN[row][f] = input[address + row·pitch(in_features) + f] − 128
for row in 0 … rows:                     # row 0 is the class token
    for o in 0 … out_features − 1:
        RESIDUAL[destination_row + row][o] = position[row][o]
for row in 0 … rows − 1:
    for o in 0 … out_features − 1:
        acc = b[o] + Σ_f HIDDEN[row][f]·W[o][f]
        RESIDUAL[destination_row + 1 + row][o] = saturate(… + round_shift(acc·M[o], S[o]))""",
    Opcode.LAYERNORM: """\
gain, offset = next segment (LAYERNORM);  D = in_features;  ε = epsilon
for row in 0 … rows − 1:
    x = RESIDUAL[source_row + row]
    v = D·Σx² − (Σx)² + ε;  (r, e) = reciprocal_square_root(v)
    for f in 0 … D − 1:
        n = saturate(round_shift((D·x[f] − Σx)·r, R + e + P/2 − F))
        a = n·gain[f] + offset[f]
        NORM[destination_row + row][f] = saturate(round_shift(a, shift))
        c = round_shift(x[f], residual_bits − 16) if residual_copy else round_shift(a, output_shift)
        if gate_copy: GATE_INPUT[destination_row + row][f] = clip(c, ±32639)""",
    Opcode.LINEAR: """\
W, b, M, S = next segment (LINEAR)
for row in 0 … rows − 1:
    for o in 0 … out_features − 1:
        acc = b[o] + Σ_f source[source_row + row][f]·W[o][f]
        y = round_shift(acc·M[o], S[o])
        QKV:      QUERY, KEY, VALUE[destination_row + row] = thirds of activation(y)
        GELU:     g = ReLU(y) − δ(|y|)
                  HIDDEN[destination_row + row][o] =
                      activation(round_shift(g·output_multiplier, output_shift) + output_zero)
        RESIDUAL: RESIDUAL[destination_row + row][o] = saturate(… + y)""",
    Opcode.ATTENTION: """\
for head in 0 … heads − 1:               # f runs over the head's in_features/heads features
    for query in source_row … source_row + rows − 1:
        for key in source_row … source_row + rows − 1:         # with `keys`: key_row … key_row + keys − 1
            t[key] = saturate(round_shift(Σ_f QUERY[query][f]·KEY[key][f] · multiplier, shift))
            m = max(m, ⌈t[key]⌉)                                # whole octaves
        for key in the same:                                   # the only sweep over the scores
            e = exp2(t[key] − m);  s += e
            for f: a[f] += e·VALUE[key][f]
        (R, L) = reciprocal(s);  R' = round_shift(R·output_multiplier, 16)
        for f: TOKENS[query][f] = activation(round_shift(a[f]·R', output_shift + L + reciprocal_bits − 17))""",
    Opcode.GATE: """\
W = next segment (GATE)
for row in 0 … rows − 1:
    for e in 0 … experts − 1: logit[e] = Σ_f GATE_INPUT[source_row + row][f]·W[e][f] (+ b[e] if biased)
    chosen = indices of the top_k largest logits, descending, ties to the lowest index
    t[e] = saturate(round_shift(logit[e]·multiplier, shift));  w[e] = exp2(t[e] − max ⌈t⌉)   # all experts
    if renormalise: w[e] = 0 for all e that are not chosen
    for j in 0 … top_k − 1:
        score = min(⌊w[chosen[j]]·2^16 / Σw⌋, 2^16 − 1)
        ROUTING[destination_row + row][j] = chosen[j] | score << 16
        queue[chosen[j]].append(source_row + row, destination_row + row, score)""",
    Opcode.EXPERTS: """\
for e in 0 … experts − 1:
    W1, b1, M1, S1, W2, b2, M2, S2 = next segment (EXPERT);  dropped when queue[e] is empty
    for (source, destination, score) in queue[e]:
        for h in 0 … hidden_features − 1:
            hidden[h] = GELU epilogue of LINEAR on TOKENS[source] with W1
        for o in 0 … in_features − 1:
            y = saturate(round_shift((b2[o] + Σ_h hidden[h]·W2[o][h])·M2[o], S2[o]))   # 4 guard bits
            RESIDUAL[destination][o] = saturate(… + round_shift(y·score, 20))
    queue[e].clear()
HIDDEN is left without valid rows""",
    Opcode.COPY: """\
for row in 0 … rows − 1:
    for f in 0 … in_features − 1: RESIDUAL[destination_row + row][f] = RESIDUAL[source_row + row][f]""",
    Opcode.HEAD: """\
W, b, M, S = next segment (LINEAR)
for row in 0 … rows − 1:
    for o in 0 … out_features − 1:
        acc = b[o] + Σ_f TOKENS[source_row + row][f]·W[o][f]
        output[address + row·pitch(2·out_features) + 2·o] = saturate16(round_shift(acc·M[o], S[o]))""",
    Opcode.STORE: """\
for row in 0 … rows − 1:
    for f in 0 … in_features − 1:        # bytes: activations 1, wide ones 2; RESIDUAL 2 or 4; GATE_INPUT 2; ROUTING 4
        output[address + row·pitch(bytes·in_features) + bytes·f] = source[source_row + row][f]
                                         # 16·`pitch` instead, where it is not 0""",
    Opcode.LOAD: """\
for row in 0 … rows − 1:
    for f in 0 … in_features − 1:        # bytes and pitch as in STORE
        destination[destination_row + row][f] = output[address + row·pitch(bytes·in_features) + bytes·f]""",
    Opcode.REPEAT: """\
part = segments `segment` … segment + segments − 1, in the stream from the end of the part before (0) to `address`
the stream holds the part once and delivers it `rows` times, its first segment after its last""",
}
