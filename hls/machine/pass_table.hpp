// The passes of an instruction in the order in which the array takes them, so many at a time.
#pragma once

#include "../kernels/experts.hpp"
#include "pass.hpp"
#include "weight_stream.hpp"

namespace edgemoe {

constexpr int TABLE_PASSES = 32;  // passes between which the array need not run empty

// The tokens of an expert that an up pass needs side by side.
struct GatherJob {
    int expert, rows, vectors, buffer;
    int wide;  // from GATE_INPUT, not from NORM
};

struct PassTable {
    Pass pass[TABLE_PASSES];
    GatherJob gather[TABLE_PASSES];
    int count, gathers;
};

// How many passes an instruction is; EXPERTS: up and down of each, whether it has tokens or not.
inline int pass_count(const Instruction &i) {
    switch (i.opcode) {
        case OPCODE_PATCH_EMBED:
        case OPCODE_LINEAR:
        case OPCODE_GATE:
        case OPCODE_HEAD: return 1;
        case OPCODE_ATTENTION: return i.heads * attention_blocks(i) * 2;
        case OPCODE_EXPERTS: return 2 * i.experts;
        default: return 0;
    }
}

// Where ATTENTION's scores and its values have come to: block after block of a head, head after head.
struct BlockCursor {
    int number, block, head_feature;
};

inline void next_block(BlockCursor &at, int blocks, int width) {
    at.number += 1;
    at.block += 1;
    if (at.block == blocks) {
        at.block = 0;
        at.head_feature += width;
    }
}

// The scores of a block go before the values of the block before, which so need not wait for their own scores' drain.
inline Pass next_attention_pass(const Instruction &i, int number, int count, int blocks, int width,
                                BlockCursor &scores, BlockCursor &values) {
    const bool weighs = number == count - 1 || (number > 0 && number % 2 == 0);
    Pass pass;
    if (weighs) {
        pass = attention_pass(i, width, values.head_feature, values.block, true);
        pass.buffer = values.number % 2;
        pass.wait = number == count - 1 ? WAIT_LAST : WAIT_BEFORE_LAST;
        next_block(values, blocks, width);
    } else {
        pass = attention_pass(i, width, scores.head_feature, scores.block, false);
        pass.buffer = scores.number % 2;
        next_block(scores, blocks, width);
    }
    return pass;
}

// Up or down of one expert; the pass of an expert without tokens is there for its weights, which are dropped.
inline Pass next_expert_pass(const Instruction &i, int number, const ExpertQueues &queues, int &buffer) {
    const int expert = number / 2;
    const bool down = number % 2 == 1;
    Pass pass = expert_pass(i, expert, queues.length[expert], down);
    pass.has_header = !down;
    pass.segment = i.segment + expert;
    pass.segment_lines =
        linear_lines(i.hidden_features, i.in_features, i.narrow_weights) +
        linear_lines(i.in_features, i.hidden_features, i.narrow_weights);
    pass.buffer = buffer;
    if (down && pass.rows > 0) buffer = 1 - buffer;
    return pass;
}

inline Pass single_pass(const Instruction &i) {
    switch (i.opcode) {
        case OPCODE_PATCH_EMBED: return patch_embed_pass(i);
        case OPCODE_GATE: return gate_pass(i);
        case OPCODE_HEAD: return head_pass(i);
        default: return linear_pass(i);
    }
}

// Where the passes of an instruction have come to.
struct PassCursor {
    int number, count;
    int blocks, width;
    BlockCursor scores, values;
    int buffer;
};

inline PassCursor first_pass(const Instruction &i) {
    PassCursor at = {};
    at.count = pass_count(i);
    if (i.opcode == OPCODE_ATTENTION) {
        at.blocks = attention_blocks(i);
        at.width = i.in_features / i.heads;
    }
    return at;
}

// The next passes, TABLE_PASSES at most; down passes of experts without tokens are left out.
inline void fill_table(const Instruction &i, const ExpertQueues &queues, PassCursor &at, PassTable &table) {
    int count = 0, gathers = 0;
FILL:
    for (int n = 0; n < TABLE_PASSES; ++n) {  // trip TABLE_PASSES
        if (at.number < at.count) {
            Pass pass = {};
            switch (i.opcode) {
                case OPCODE_ATTENTION:
                    pass = next_attention_pass(i, at.number, at.count, at.blocks, at.width, at.scores, at.values);
                    break;
                case OPCODE_EXPERTS: pass = next_expert_pass(i, at.number, queues, at.buffer); break;
                default: pass = single_pass(i); break;
            }
            if (pass.rows > 0 || pass.has_header) {
                table.pass[count] = pass;
                count += 1;
            }
            if (pass.rows > 0 && is_gathered(pass.left)) {
                const GatherJob job = {pass.expert, pass.rows, pass.left_vectors, pass.buffer, pass.left == LEFT_GATHERED_WIDE};
                table.gather[gathers] = job;
                gathers += 1;
            }
            at.number += 1;
        }
    }
    table.count = count;
    table.gathers = gathers;
}

}  // namespace edgemoe
