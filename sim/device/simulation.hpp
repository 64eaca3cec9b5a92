// The Verilated top between a host that reads and writes its registers and memory behind its ports.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "axi_port.hpp"
#include "settings.hpp"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace device {

// A signal inside the top that trace.vlt shows.
struct TracedSignal {
    std::string name;
    const uint8_t *at;
    unsigned bytes;

    uint64_t value() const {
        uint64_t read = 0;
        std::memcpy(&read, at, bytes);
        return read;
    }
};

class Simulation {
  public:
    // waves: path of a VCD file, or empty. Begins in reset, idle.
    Simulation(const Settings &settings, const std::string &waves);
    ~Simulation();

    void reset();
    void run(uint64_t cycles);

    // AXI4-Lite, one access at a time; false when the accelerator does not answer.
    bool write_register(uint32_t offset, uint32_t value);
    bool read_register(uint32_t offset, uint32_t &value);

    // Reads CONTROL now and then until the accelerator is not running or `cycles` have passed.
    bool wait(uint64_t cycles, uint32_t &control);

    Memory &memory() { return shared_.memory; }
    const Shared &shared() const { return shared_; }
    bool interrupt() const;
    bool quiet() const;  // nothing in flight
    uint64_t bytes_read() const;
    uint64_t bytes_written() const { return data_write_.bytes(); }
    const std::vector<TracedSignal> &signals() const { return signals_; }
    // Where a variable that Verilator was told to show stands, and its size; nullptr: there is none.
    void *variable(const char *scope, const char *name, uint64_t &bytes) const;
    // Per instruction: the cycle in which `trace_index` took its number, then all traced signals in that cycle.
    const std::vector<uint64_t> &trace() const { return trace_; }
    void clear_trace();

  private:
    void tick();
    void sample();
    void drive();
    void find_signals();
    void record();

    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vtop> top_;
    Shared shared_;
    std::vector<ReadPort> reads_;  // the data port first
    size_t first_ = 0;             // port whose turn it is; the last one is data_write_
    WritePort data_write_;
    std::vector<TracedSignal> signals_;
    const TracedSignal *index_ = nullptr;  // trace_index, where the top has it
    uint64_t instruction_ = UINT64_MAX;
    std::vector<uint64_t> trace_;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> waves_;
#endif
};

}  // namespace device
