#include "simulation.hpp"


#include "pins.hpp"
#include "verilated_syms.h"

namespace device {

namespace {

constexpr unsigned RESET_CYCLES = 16;     // as Vivado's reset block holds it
constexpr unsigned REGISTER_CYCLES = 200;  // longest AXI4-Lite access that passes as an answer
constexpr unsigned POLL_CYCLES = 64;

}  // namespace

Simulation::Simulation(const Settings &settings, const std::string &waves)
    : context_(new VerilatedContext),
      top_(new Vtop(context_.get())),
      shared_(settings, 1 + EDGEMOE_PORTS),
      data_write_(data_write_pins(*top_), "gmem_data", shared_) {
    reads_.emplace_back(data_read_pins(*top_), "gmem_data", shared_);
    unsigned number = 0;
    for (const ReadPins &pins : weight_pins(*top_)) {
        reads_.emplace_back(pins, "gmem" + std::to_string(number++), shared_);
    }
#if VM_TRACE
    if (!waves.empty()) {
        context_->traceEverOn(true);
        waves_.reset(new VerilatedVcdC);
        top_->trace(waves_.get(), 99);
        waves_->open(waves.c_str());
    }
#else
    (void)waves;
#endif
    context_->fatalOnError(false);  // where a precondition does not hold, Verilog stops; the process goes on
    top_->ap_rst_n = 0;
    top_->ap_clk = 0;
    top_->eval();
    find_signals();
    reset();
}

Simulation::~Simulation() {
#if VM_TRACE
    if (waves_) waves_->close();
#endif
    Verilated::threadContextp(context_.get());  // that of the youngest simulation, which may be gone
    top_->final();
    top_.reset();
}

void Simulation::find_signals() {
    for (const auto &scope : *context_->scopeNameMap()) {
        if (scope.second->varsp() == nullptr) continue;
        for (const auto &entry : *scope.second->varsp()) {
            if (entry.second.totalSize() > sizeof(uint64_t)) continue;
            signals_.push_back({entry.first, static_cast<const uint8_t *>(entry.second.datap()),
                               static_cast<unsigned>(entry.second.entSize())});
        }
    }
    for (const TracedSignal &signal : signals_) {
        if (signal.name == "trace_index") index_ = &signal;
    }
}

void *Simulation::variable(const char *scope, const char *name, uint64_t &bytes) const {
    const VerilatedScope *const in = context_->scopeFind(scope);
    const VerilatedVar *const found = in == nullptr ? nullptr : in->varFind(name);
    bytes = found == nullptr ? 0 : found->totalSize();
    return found == nullptr ? nullptr : found->datap();
}

void Simulation::reset() {
    top_->ap_rst_n = 0;
    top_->s_axi_control_AWVALID = 0;
    top_->s_axi_control_WVALID = 0;
    top_->s_axi_control_BREADY = 0;
    top_->s_axi_control_ARVALID = 0;
    top_->s_axi_control_RREADY = 0;
    for (unsigned cycle = 0; cycle < RESET_CYCLES; ++cycle) {
        tick();
        for (ReadPort &port : reads_) port.reset(cycle > 0);
        data_write_.reset(cycle > 0);
    }
    top_->ap_rst_n = 1;
    tick();
}

void Simulation::tick() {
    if (context_->gotError()) {
        ++shared_.cycle;  // whoever waits for some cycles comes to an end
        return;
    }
    top_->eval();  // what the inputs set since the last edge lead to
#if VM_TRACE
    if (waves_) waves_->dump(4 * shared_.cycle);
#endif
    if (top_->ap_rst_n) sample();
    top_->ap_clk = 1;
    top_->eval();
    if (context_->gotError()) shared_.complain("verilog", "a precondition, named above, does not hold");
#if VM_TRACE
    if (waves_) waves_->dump(4 * shared_.cycle + 2);
#endif
    top_->ap_clk = 0;
    if (top_->ap_rst_n) drive();
    ++shared_.cycle;
}

void Simulation::sample() {
    for (ReadPort &port : reads_) port.sample();
    data_write_.sample();
    const char *writing = writing_weight_port(*top_);
    if (writing != nullptr) shared_.complain(writing, "a weight port wants to write");
    if (index_ != nullptr) record();
}

void Simulation::drive() {
    shared_.bandwidth.next_cycle();
    // In turns: after the port that was served last the next one comes first, so that none waits longer than the others.
    const size_t count = reads_.size() + 1, begin = first_;
    for (size_t turn = 0; turn < count; ++turn) {
        const size_t port = (begin + turn) % count;
        if (port < reads_.size() ? reads_[port].drive() : data_write_.drive()) first_ = (port + 1) % count;
    }
}

void Simulation::record() {
    const uint64_t instruction = index_->value();
    if (instruction == instruction_) return;
    instruction_ = instruction;
    trace_.push_back(shared_.cycle);
    for (const TracedSignal &signal : signals_) trace_.push_back(signal.value());
}

void Simulation::clear_trace() {
    trace_.clear();
    instruction_ = UINT64_MAX;
}

void Simulation::run(uint64_t cycles) {
    for (uint64_t cycle = 0; cycle < cycles; ++cycle) tick();
}

bool Simulation::write_register(uint32_t offset, uint32_t value) {
    top_->s_axi_control_AWADDR = offset;
    top_->s_axi_control_WDATA = value;
    top_->s_axi_control_WSTRB = 0xF;
    top_->s_axi_control_AWVALID = 1;
    top_->s_axi_control_WVALID = 1;
    top_->s_axi_control_BREADY = 1;
    bool answered = false;
    for (unsigned cycle = 0; cycle < REGISTER_CYCLES && !answered; ++cycle) {
        top_->eval();
        const bool address = top_->s_axi_control_AWVALID && top_->s_axi_control_AWREADY;
        const bool data = top_->s_axi_control_WVALID && top_->s_axi_control_WREADY;
        answered = top_->s_axi_control_BVALID;
        tick();
        if (address) top_->s_axi_control_AWVALID = 0;
        if (data) top_->s_axi_control_WVALID = 0;
    }
    top_->s_axi_control_AWVALID = 0;
    top_->s_axi_control_WVALID = 0;
    top_->s_axi_control_BREADY = 0;
    return answered;
}

bool Simulation::read_register(uint32_t offset, uint32_t &value) {
    top_->s_axi_control_ARADDR = offset;
    top_->s_axi_control_ARVALID = 1;
    top_->s_axi_control_RREADY = 1;
    bool answered = false;
    for (unsigned cycle = 0; cycle < REGISTER_CYCLES && !answered; ++cycle) {
        top_->eval();
        const bool address = top_->s_axi_control_ARVALID && top_->s_axi_control_ARREADY;
        answered = top_->s_axi_control_RVALID;
        value = top_->s_axi_control_RDATA;
        tick();
        if (address) top_->s_axi_control_ARVALID = 0;
    }
    top_->s_axi_control_ARVALID = 0;
    top_->s_axi_control_RREADY = 0;
    return answered;
}

bool Simulation::wait(uint64_t cycles, uint32_t &control) {
    const uint64_t end = shared_.cycle + cycles;
    while (read_register(0, control)) {
        const bool running = !(control & AP_DONE) && (control & AP_START || !(control & AP_IDLE));
        if (!running || shared_.cycle >= end) return true;
        run(POLL_CYCLES);
    }
    return false;
}

bool Simulation::interrupt() const { return interrupt_pin(*top_); }

bool Simulation::quiet() const {
    for (const ReadPort &port : reads_) {
        if (!port.quiet()) return false;
    }
    return data_write_.quiet();
}

uint64_t Simulation::bytes_read() const {
    uint64_t bytes = 0;
    for (const ReadPort &port : reads_) bytes += port.bytes();
    return bytes;
}

}  // namespace device
