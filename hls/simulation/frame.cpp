// One run from files, for valgrind: frame PROGRAM INPUT OUTPUT OUTPUT_BYTES WEIGHTS_0 [WEIGHTS_1 …].
//
// The machine is fresh heap memory, so that whatever is read before it was written is found.
#include <cstdio>
#include <cstdlib>
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
    if (count < 6) {
        std::fprintf(stderr, "usage: frame PROGRAM INPUT OUTPUT OUTPUT_BYTES WEIGHTS_0 [WEIGHTS_1 ...]\n");
        return 2;
    }
    const std::vector<Word> program = read_words(arguments[1]);
    const std::vector<Word> input = read_words(arguments[2]);
    const Word untouched = {{0xA5A5A5A5A5A5A5A5, 0xA5A5A5A5A5A5A5A5}};  // as the devices' fresh memory
    std::vector<Word> output(std::strtoul(arguments[4], nullptr, 10) / sizeof(Word), untouched);
    std::vector<std::vector<Word>> weights(MAX_WEIGHT_PORTS);
    for (int port = 0; port + 5 < count; ++port) weights[port] = read_words(arguments[port + 5]);
    Machine *machine = static_cast<Machine *>(std::malloc(sizeof(Machine)));
    const Header header = decode_header(read_block(program.data(), 0));
    Results results = refused(header_fault(header));
    if (results.fault == FAULT_NONE) {
        run_program(program.data(), input.data(), output.data(), weights[0].data(), weights[1].data(),
                    weights[2].data(), weights[3].data(), header, *machine, results);
    }
    std::FILE *file = std::fopen(arguments[3], "wb");
    if (file == nullptr) return 2;
    std::fwrite(output.data(), sizeof(Word), output.size(), file);
    std::fclose(file);
    std::free(machine);
    return results.fault;
}
