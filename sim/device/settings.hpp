// How memory behaves, and what a port shares with the others.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "memory.hpp"

namespace device {

struct Settings {
    double bytes_per_cycle = 45.5;    // all ports together
    unsigned first_beat_cycles = 64;  // from address to first beat, and from last write beat to response
    unsigned outstanding = 16;        // bursts that a port accepts before the response to the first one
    unsigned burst_beats = 16;        // longest burst allowed
    unsigned extra_latency = 0;       // up to so many cycles more, at random, per burst
    double stall_share = 0;           // share of cycles in which a channel holds back, at random
    uint64_t seed = 1;
};

// What all ports of one simulation share.
struct Shared {
    explicit Shared(const Settings &with, unsigned ports)
        : settings(with), bandwidth(with.bytes_per_cycle, ports), random(with.seed) {}

    bool stalls() {
        return settings.stall_share > 0 && std::uniform_real_distribution<double>(0, 1)(random) < settings.stall_share;
    }

    uint64_t response_time() {
        const unsigned extra = settings.extra_latency;
        const unsigned more = extra ? std::uniform_int_distribution<unsigned>(0, extra)(random) : 0;
        return cycle + settings.first_beat_cycles + more;
    }

    void complain(const std::string &port, const std::string &what) {
        if (complaints++ == 0) complaint = port + ": " + what + " in cycle " + std::to_string(cycle);
    }

    Settings settings;
    Memory memory;
    Bandwidth bandwidth;
    std::mt19937_64 random;
    uint64_t cycle = 0;
    uint64_t complaints = 0;  // breaches of the AXI protocol, and of preconditions of the Verilog
    std::string complaint;    // the first one
};

}  // namespace device
