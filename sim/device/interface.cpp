// C interface for Python: host/edgemoe/devices/rtl/device.py declares the same functions.
#include <algorithm>
#include <cstdint>
#include <string>

#include "simulation.hpp"

using device::Response;
using device::Settings;
using device::Simulation;

#define EDGEMOE_CALL extern "C" __attribute__((visibility("default")))

// waves: path of a VCD file, or nullptr.
EDGEMOE_CALL Simulation *edgemoe_create(const char *waves, double bytes_per_cycle, uint32_t first_beat_cycles,
                                        uint32_t outstanding, uint32_t extra_latency, double stall_share,
                                        uint64_t seed) {
    Settings settings;
    settings.bytes_per_cycle = bytes_per_cycle;
    settings.first_beat_cycles = first_beat_cycles;
    settings.outstanding = outstanding;
    settings.extra_latency = extra_latency;
    settings.stall_share = stall_share;
    settings.seed = seed;
    return new Simulation(settings, waves == nullptr ? "" : waves);
}

EDGEMOE_CALL void edgemoe_destroy(Simulation *simulation) { delete simulation; }

// The accelerator sees `size` bytes of the host at `base`.
EDGEMOE_CALL void edgemoe_map(Simulation *simulation, uint64_t base, uint8_t *bytes, uint64_t size) {
    simulation->memory().map(base, bytes, size);
}

EDGEMOE_CALL void edgemoe_unmap(Simulation *simulation, uint64_t base) { simulation->memory().unmap(base); }

// response: of AXI, or 4: never.
EDGEMOE_CALL void edgemoe_respond(Simulation *simulation, uint64_t address, int response) {
    simulation->memory().respond(address, static_cast<Response>(response));
}

EDGEMOE_CALL void edgemoe_reset(Simulation *simulation) { simulation->reset(); }

EDGEMOE_CALL void edgemoe_run(Simulation *simulation, uint64_t cycles) { simulation->run(cycles); }

// Register accesses return 0, or 1 when the accelerator does not answer.
EDGEMOE_CALL int edgemoe_write_register(Simulation *simulation, uint32_t offset, uint32_t value) {
    return !simulation->write_register(offset, value);
}

EDGEMOE_CALL int edgemoe_read_register(Simulation *simulation, uint32_t offset, uint32_t *value) {
    return !simulation->read_register(offset, *value);
}

// The control register, once the accelerator is not running, or after so many cycles.
EDGEMOE_CALL int edgemoe_wait(Simulation *simulation, uint64_t cycles, uint32_t *control) {
    return !simulation->wait(cycles, *control);
}

EDGEMOE_CALL int edgemoe_interrupt(Simulation *simulation) { return simulation->interrupt(); }
EDGEMOE_CALL int edgemoe_quiet(Simulation *simulation) { return simulation->quiet(); }
EDGEMOE_CALL uint64_t edgemoe_cycle(Simulation *simulation) { return simulation->shared().cycle; }
EDGEMOE_CALL uint64_t edgemoe_bytes_read(Simulation *simulation) { return simulation->bytes_read(); }
EDGEMOE_CALL uint64_t edgemoe_bytes_written(Simulation *simulation) { return simulation->bytes_written(); }
EDGEMOE_CALL uint64_t edgemoe_outside(Simulation *simulation) { return simulation->shared().memory.outside(); }

// The first breach of the AXI protocol, or of a precondition of the Verilog, in words, or "".
EDGEMOE_CALL const char *edgemoe_complaint(Simulation *simulation) { return simulation->shared().complaint.c_str(); }

// Names of the traced signals, in the order of their values; nullptr beyond the last.
EDGEMOE_CALL const char *edgemoe_trace_name(Simulation *simulation, uint32_t number) {
    return number < simulation->signals().size() ? simulation->signals()[number].name.c_str() : nullptr;
}

// How many values the trace has gathered since the last call that took them; takes them where `values` is given.
EDGEMOE_CALL uint64_t edgemoe_trace(Simulation *simulation, uint64_t *values) {
    const std::vector<uint64_t> &trace = simulation->trace();
    const uint64_t count = trace.size();
    if (values != nullptr) {
        std::copy(trace.begin(), trace.end(), values);
        simulation->clear_trace();
    }
    return count;
}

// Where a variable inside the top stands that this build shows, and its size in bytes; nullptr: there is none.
EDGEMOE_CALL void *edgemoe_variable(Simulation *simulation, const char *scope, const char *name, uint64_t *bytes) {
    return simulation->variable(scope, name, *bytes);
}
