// C interface for Python: the whole top, and single instructions and kernels for tests.
#include <cstdlib>
#include <cstring>
#include <exception>
#include <type_traits>

#include "../edgemoe.hpp"
#include "../machine/run.hpp"

using namespace edgemoe;

namespace {

// Fresh machines are filled with this, so that what is read before it is written shows in the results.
constexpr int POISON = 0xA5;

const Instruction decoded(const uint32_t *words) {
    RawInstruction raw;
    std::memcpy(raw.word, words, sizeof raw.word);
    return decode(raw);
}

// One value of a packed word.
template <typename VALUE, typename WORD, int DEPTH, typename VISIT>
void visit_element(WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], const Target &at, int feature, VISIT visit, int n) {
    WORD &word = pad[at.bank][at.depth][feature % VECTOR / WORD_VALUES];
    VALUE values[WORD_VALUES];
    unpack(word, values);
    visit(values[feature % WORD_VALUES], n);
    pack(values, word);
}

// Every element of a scratchpad, row by row, by `visit(reference to the element, value)`.
template <typename VISIT>
void visit_rows(Machine &m, int buffer, int rows, int features, VISIT visit) {
    for (int n = 0; n < rows * features; ++n) {
        const int row = n / features;
        const int feature = n % features;
        if (buffer == BUFFER_ROUTING) {
            visit(m.pads.routing[n], n);
            continue;
        }
        const Target at = target_of(row, features / VECTOR, feature / VECTOR);
        switch (buffer) {
            case BUFFER_RESIDUAL: visit_element<residual_t>(m.pads.residual, at, feature, visit, n); break;
            case BUFFER_NORM: visit_element<activation_t>(m.pads.norm, at, feature, visit, n); break;
            case BUFFER_GATE_INPUT: visit_element<int16_t>(m.pads.gate_input, at, feature, visit, n); break;
            case BUFFER_QUERY: visit_element<activation_t>(m.pads.query, at, feature, visit, n); break;
            case BUFFER_KEY: visit_element<activation_t>(m.pads.key, at, feature, visit, n); break;
            case BUFFER_VALUE: visit_element<activation_t>(m.pads.value, at, feature, visit, n); break;
            default: visit_element<activation_t>(m.pads.hidden, at, feature, visit, n); break;
        }
    }
}

// So many lines, each streamed once.
StreamPlan plan_of(uint64_t count) {
    StreamPlan plan = {};
    plan.stream_lines = plan.lines = count;
    return plan;
}

void fill_stream(LineStream &lines, WeightReader &reader, const Line *payload, int64_t count) {
    start_reader(reader, plan_of(static_cast<uint64_t>(count)));
    for (int64_t n = 0; n < count; n += 2) {
        LinePair pair = {};
        std::memcpy(&pair, payload + n, static_cast<size_t>(count - n < 2 ? count - n : 2) * sizeof(Line));
        lines.write(pair);
    }
}

}  // namespace

extern "C" {

// A run of the top; registers receives the output registers in the order of the map. 1: the simulation itself failed.
int edgemoe_run(const Word *program, const Word *input, Word *output, const Word *const weights[MAX_WEIGHT_PORTS],
                uint64_t *registers) {
    uint64_t *r = registers;
    try {
        edgemoe_top(program, input, output, weights[0], weights[1], weights[2], weights[3], 0, r, r + 1, r + 2, r + 3,
                    r + 4, r + 5, r + 6, r + 7, r + 8, r + 9, r + 10, r + 11, r + 12, r + 13, r + 14, r + 15);
    } catch (const std::exception &) {
        return 1;
    }
    return 0;
}

Machine *edgemoe_machine() {
    Machine *machine = static_cast<Machine *>(std::malloc(sizeof(Machine)));
    std::memset(static_cast<void *>(machine), POISON, sizeof(Machine));
    begin(*machine, plan_of(0));
    return machine;
}

void edgemoe_free(Machine *machine) { std::free(machine); }

// Put values into a scratchpad and declare them valid.
void edgemoe_poke(Machine *machine, int buffer, int rows, int features, const int64_t *values) {
    visit_rows(*machine, buffer, rows, features, [&](auto &element, int n) {
        element = static_cast<typename std::remove_reference<decltype(element)>::type>(values[n]);
    });
    machine->valid.rows[buffer] = rows;
    machine->valid.features[buffer] = features;
}

void edgemoe_peek(Machine *machine, int buffer, int rows, int features, int64_t *values) {
    visit_rows(*machine, buffer, rows, features, [&](auto &element, int n) { values[n] = element; });
}

void edgemoe_enqueue(Machine *machine, int expert, int source, int destination, int score) {
    ExpertQueues &queues = machine->work.queues;
    enqueue(queues, expert, source, destination, (uint16_t)score);
    queues.source_end = larger(queues.source_end, source + 1);
    queues.destination_end = larger(queues.destination_end, destination + 1);
}

// One legal instruction on a machine whose scratchpads were put in place; returns the fault. 100: lines were left over.
int edgemoe_execute(Machine *machine, const uint32_t *words, const Line *payload, int64_t count, const Word *input,
                    Word *output) {
    LineStream lines;
    fill_stream(lines, machine->reader, payload, count);
    const Instruction i = decoded(words);
    machine->reader.next_segment = i.segment;
    Results results = refused(FAULT_NONE);
    const fault_t fault = execute(i, *machine, plan_of(static_cast<uint64_t>(count)), input, output, lines, results);
    return fault == FAULT_NONE && machine->reader.remaining != 0 ? 100 : fault;
}

// The gate's product alone: logits [rows, experts] of what GATE_INPUT holds.
void edgemoe_logits(Machine *machine, const uint32_t *words, const Line *payload, int64_t count, int64_t *logits) {
    LineStream lines;
    fill_stream(lines, machine->reader, payload, count);
    const Instruction i = decoded(words);
    Results results = refused(FAULT_NONE);
    compute(i, machine->pads, machine->work, lines, machine->reader, nullptr, results);
    for (int n = 0; n < i.rows; ++n) {
        int64_t row[EXPERT_WORDS * OUT_PAR];
        read_logits(machine->work.logits, n, row);
        for (int e = 0; e < i.experts; ++e) logits[n * i.experts + e] = row[e];
    }
}

// The second layer of expert 0 alone: what HIDDEN holds, weighted by the scores of its queue, onto RESIDUAL.
void edgemoe_weighted(Machine *machine, const uint32_t *words, const Line *payload, int64_t count) {
    LineStream lines;
    Workspace &work = machine->work;
    Results results = refused(FAULT_NONE);
    fill_stream(lines, machine->reader, payload, count);
    work.table.pass[0] = expert_pass(decoded(words), 0, work.queues.length[0], true);
    work.table.pass[0].wait = WAIT_NOTHING;
    work.table.count = 1;
    work.table.gathers = 0;
    run_table(work, machine->pads, lines, machine->reader, nullptr, results);
    clear_queues(work.queues);
}

// Cycles of the array's loop since the machine began.
uint64_t edgemoe_cycles(const Machine *machine) { return machine->work.cycles; }

void edgemoe_requantise(int64_t count, const int64_t *values, const int64_t *multipliers, const int64_t *shifts,
                        int bits, int64_t *results) {
    for (int64_t n = 0; n < count; ++n) results[n] = requantise(values[n], multipliers[n], (int)shifts[n], bits);
}

void edgemoe_gelu(int64_t count, const int64_t *values, int multiplier, int shift, int zero, int64_t *results) {
    for (int64_t n = 0; n < count; ++n) results[n] = gelu_requantise(values[n], ACTIVATION_GELU, multiplier, shift, zero);
}

// Exponentials of one row of scores.
void edgemoe_exponential(int64_t count, const int64_t *scores, int64_t *results) {
    int64_t maximum = octave(scores[0], SCORE_FRACTION);
    for (int64_t n = 1; n < count; ++n) {
        const int64_t upper = octave(scores[n], SCORE_FRACTION);
        if (upper > maximum) maximum = upper;
    }
    for (int64_t n = 0; n < count; ++n) results[n] = exponential(scores[n], maximum);
}

void edgemoe_reciprocal(int64_t count, const int64_t *totals, int64_t *values, int64_t *lengths) {
    for (int64_t n = 0; n < count; ++n) {
        const Reciprocal result = reciprocal(totals[n]);
        values[n] = result.value;
        lengths[n] = result.length;
    }
}
}
