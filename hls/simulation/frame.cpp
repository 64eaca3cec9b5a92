// One run from files: frame DEPTH SEED PROGRAM INPUT OUTPUT OUTPUT_BYTES WEIGHTS_0 [WEIGHTS_1 …].
//
// DEPTH 0: one process after the other, as C simulation does. Otherwise both run on threads of their own, with a stream
// of DEPTH lines and pauses seeded by SEED, so that deadlocks show. Prints fault and program counter. The machine is
// fresh heap memory, so that valgrind finds whatever is read before it was written.
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../machine/run.hpp"

using namespace edgemoe;

namespace {

std::vector<Word> read_words(const char *path) {
    std::vector<Word> words;
    std::FILE *file = std::fopen(path, "rb");
    if (file == nullptr) {
        std::fprintf(stderr, "%s cannot be read\n", path);
        std::exit(2);
    }
    Word word;
    while (std::fread(&word, sizeof word, 1, file) == 1) words.push_back(word);
    std::fclose(file);
    words.shrink_to_fit();  // no room behind the last word that would hide a read beyond it
    return words;
}

}  // namespace

int main(int count, char **arguments) {
    if (count < 8) {
        std::fprintf(stderr, "usage: frame DEPTH SEED PROGRAM INPUT OUTPUT OUTPUT_BYTES WEIGHTS_0 [WEIGHTS_1 ...]\n");
        return 2;
    }
    const unsigned long depth = std::strtoul(arguments[1], nullptr, 10);
    const unsigned long seed = std::strtoul(arguments[2], nullptr, 10);
    const std::vector<Word> program = read_words(arguments[3]);
    const std::vector<Word> input = read_words(arguments[4]);
    const Word untouched = {{0xA5A5A5A5A5A5A5A5, 0xA5A5A5A5A5A5A5A5}};  // as the devices' fresh memory
    std::vector<Word> output(std::strtoul(arguments[6], nullptr, 10) / sizeof(Word), untouched);
    std::vector<std::vector<Word>> weights(MAX_WEIGHT_PORTS);
    for (int port = 0; port + 7 < count; ++port) weights[port] = read_words(arguments[port + 7]);
    const Word *w[MAX_WEIGHT_PORTS];
    for (int port = 0; port < MAX_WEIGHT_PORTS; ++port) w[port] = weights[port].data();
    Machine *machine = static_cast<Machine *>(std::malloc(sizeof(Machine)));
    const Header header = decode_header(read_block(program.data(), 0));
    Results results = refused(header_fault(header));
    StreamPlan plan = {};
    if (results.fault == FAULT_NONE) {
        read_plan(program.data(), header.instructions, header.stream_lines, header.input_bytes, header.output_bytes, plan);
    }
    if (results.fault == FAULT_NONE && depth == 0) {
        LineStream lines;
        fetch_weights(w[0], w[1], w[2], w[3], plan, lines);
        results = execute_all(program.data(), input.data(), output.data(), header.instructions, plan, header.input_bytes,
                              header.output_bytes, lines, *machine);
    } else if (results.fault == FAULT_NONE) {
        LineStream lines;
        lines.limit(depth);
        lines.pause(seed);
        std::thread fetch([&] { fetch_weights(w[0], w[1], w[2], w[3], plan, lines); });
        results = execute_all(program.data(), input.data(), output.data(), header.instructions, plan, header.input_bytes,
                              header.output_bytes, lines, *machine);
        fetch.join();
    }
    std::printf("%d %u\n", results.fault, results.program_counter);
    std::FILE *file = std::fopen(arguments[5], "wb");
    if (file == nullptr) return 2;
    std::fwrite(output.data(), sizeof(Word), output.size(), file);
    std::fclose(file);
    std::free(machine);
    return 0;
}
