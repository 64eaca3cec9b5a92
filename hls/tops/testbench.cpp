// Runs a kernel on the vectors of a file, golden's, and names the first number that differs; 0 when none does.
#include <cstdio>

#include "kernel_top.hpp"

namespace {

int64_t inputs[KERNEL_CALLS][INPUTS], outputs[KERNEL_CALLS][OUTPUTS], expected[KERNEL_CALLS][OUTPUTS];

bool read_numbers(FILE *file, int64_t *numbers, int count) {
    for (int n = 0; n < count; ++n) {
        long long number = 0;
        if (std::fscanf(file, "%lld", &number) != 1) return false;
        numbers[n] = number;
    }
    return true;
}

}  // namespace

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[1] : "vectors.txt";
    FILE *file = std::fopen(name, "r");
    if (!file) {
        std::printf("%s: cannot be read; write it with python -m edgemoe.kernels.vectors\n", name);
        return 1;
    }
    int calls = 0;
    while (calls < KERNEL_CALLS && read_numbers(file, inputs[calls], INPUTS)) {
        if (!read_numbers(file, expected[calls], OUTPUTS)) {
            std::printf("%s: call %d is cut off\n", name, calls);
            return 1;
        }
        ++calls;
    }
    std::fclose(file);
    kernel_top(inputs, outputs, calls);
    for (int call = 0; call < calls; ++call) {
        for (int n = 0; n < OUTPUTS; ++n) {
            if (outputs[call][n] != expected[call][n]) {
                std::printf("call %d, output %d: %lld, golden has %lld\n", call, n, (long long)outputs[call][n],
                            (long long)expected[call][n]);
                return 1;
            }
        }
    }
    std::printf("%d calls equal golden's\n", calls);
    return calls > 0 ? 0 : 1;
}
