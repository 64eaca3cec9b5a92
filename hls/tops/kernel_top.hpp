// The top of one kernel: INPUTS numbers in, OUTPUTS numbers out, by the function `call` of its file in this folder.
#pragma once

#include "kernel.hpp"

constexpr int KERNEL_CALLS = 1024;

void kernel_top(const int64_t inputs[KERNEL_CALLS][INPUTS], int64_t outputs[KERNEL_CALLS][OUTPUTS], int count);
