// The memory's side of one AXI4 port, 128 bits wide: in-order responses, and checks of what the accelerator does.
//
// Per cycle: `sample` sees both sides as they are before the rising edge and leaves the pins alone; `drive`, after it,
// sets the memory's side for the next cycle. A burst whose address is taken in cycle t gives its first beat in cycle t + first_beat_cycles or later.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>

#include "settings.hpp"

namespace device {

// An address channel as the accelerator drives it.
struct AddressPins {
    const uint8_t *valid;
    uint8_t *ready;
    const uint64_t *address;
    const uint8_t *length;
    const uint8_t *size;
    const uint8_t *burst;
};

struct ReadPins {
    AddressPins address;
    uint8_t *valid;
    const uint8_t *ready;
    uint32_t *data;
    uint8_t *last;
    uint8_t *response;
};

struct WritePins {
    AddressPins address;
    const uint8_t *valid;
    uint8_t *ready;
    const uint32_t *data;
    const uint16_t *strobes;
    const uint8_t *last;
    uint8_t *response_valid;
    const uint8_t *response_ready;
    uint8_t *response;
};

struct Burst {
    uint64_t address = 0;
    unsigned beats = 0;
    unsigned done = 0;
    uint64_t due = 0;  // cycle of the first beat, or of the response
    Response response = OKAY;
};

// What an accelerator offers must stay until it is taken.
template <typename PAYLOAD>
class Steady {
  public:
    bool holds(bool valid, bool ready, const PAYLOAD &payload) {
        const bool kept = !waiting_ || (valid && payload == payload_);
        waiting_ = valid && !ready;
        payload_ = payload;
        return kept;
    }
    void forget() { waiting_ = false; }

  private:
    bool waiting_ = false;
    PAYLOAD payload_{};
};

// The address channel of either direction.
class AddressChannel {
  public:
    AddressChannel(const AddressPins &pins, const std::string &name, Shared &shared)
        : pins_(pins), name_(name), shared_(shared) {}

    // True when a burst was taken in this cycle.
    bool sample(Burst &burst) {
        const std::array<uint64_t, 4> payload = {*pins_.address, *pins_.length, *pins_.size, *pins_.burst};
        if (!steady_.holds(*pins_.valid, *pins_.ready, payload)) shared_.complain(name_, "address changed while waiting");
        if (!*pins_.valid || !*pins_.ready) return false;
        burst = Burst{};
        burst.address = *pins_.address;
        burst.beats = *pins_.length + 1u;
        burst.due = shared_.response_time();
        check(burst);
        return true;
    }

    void drive(bool room) { *pins_.ready = room && !shared_.stalls(); }

    // settled: the accelerator has seen a clock edge in reset.
    void reset(bool settled) {
        if (settled && *pins_.valid) shared_.complain(name_, "address offered in reset");
        *pins_.ready = 0;
        steady_.forget();
    }

  private:
    void check(const Burst &burst) {
        const uint64_t last = burst.address + uint64_t(burst.beats) * WORD_BYTES - 1;
        if (burst.address >> 12 != last >> 12) shared_.complain(name_, "burst crosses a 4 KiB boundary");
        if (burst.address % WORD_BYTES) shared_.complain(name_, "address is not aligned to a word");
        if (burst.beats > shared_.settings.burst_beats) shared_.complain(name_, "burst is too long");
        if (*pins_.size != 4 || *pins_.burst != 1) shared_.complain(name_, "burst is not INCR with 16 bytes a beat");
    }

    AddressPins pins_;
    std::string name_;
    Shared &shared_;
    Steady<std::array<uint64_t, 4>> steady_;
};

class ReadPort {
  public:
    ReadPort(const ReadPins &pins, const std::string &name, Shared &shared)
        : pins_(pins), shared_(shared), channel_(pins.address, name + " AR", shared) {}

    void sample() {
        Burst burst;
        if (channel_.sample(burst)) bursts_.push_back(burst);
        if (*pins_.valid && *pins_.ready) {
            offered_ = false;
            bytes_ += WORD_BYTES;
        }
    }

    // True when memory has moved a word.
    bool drive() {
        channel_.drive(bursts_.size() < shared_.settings.outstanding);
        const bool moved = !offered_ && offer();
        *pins_.valid = offered_;
        return moved;
    }

    void reset(bool settled) {
        channel_.reset(settled);
        bursts_.clear();
        offered_ = false;
        *pins_.valid = 0;
    }

    bool quiet() const { return bursts_.empty() && !offered_; }
    uint64_t bytes() const { return bytes_; }

  private:
    bool offer() {
        if (bursts_.empty() || shared_.stalls()) return false;
        Burst &burst = bursts_.front();
        if (shared_.cycle + 1 < burst.due || burst.response == NEVER || !shared_.bandwidth.take_word()) return false;
        burst.response = shared_.memory.read(burst.address + uint64_t(burst.done) * WORD_BYTES, word_.data());
        if (burst.response == NEVER) return false;
        std::memcpy(pins_.data, word_.data(), WORD_BYTES);
        offered_ = true;
        *pins_.response = static_cast<uint8_t>(burst.response);
        *pins_.last = ++burst.done == burst.beats;
        if (*pins_.last) bursts_.pop_front();
        return true;
    }

    ReadPins pins_;
    Shared &shared_;
    AddressChannel channel_;
    std::deque<Burst> bursts_;
    std::array<uint8_t, WORD_BYTES> word_{};
    bool offered_ = false;  // a beat stands at the pins
    uint64_t bytes_ = 0;
};

class WritePort {
  public:
    WritePort(const WritePins &pins, const std::string &name, Shared &shared)
        : pins_(pins), name_(name + " W"), shared_(shared), channel_(pins.address, name + " AW", shared) {}

    void sample() {
        if (*pins_.response_valid && *pins_.response_ready) responding_ = false;
        std::array<uint32_t, 6> beat = {0, 0, 0, 0, *pins_.strobes, *pins_.last};
        std::memcpy(beat.data(), pins_.data, WORD_BYTES);
        if (!steady_.holds(*pins_.valid, *pins_.ready, beat)) shared_.complain(name_, "data changed while waiting");
        if (*pins_.valid && *pins_.ready) take_beat();
        Burst burst;
        if (channel_.sample(burst)) open_.push_back(burst);
    }

    // True when memory has given a word its share of the bandwidth.
    bool drive() {
        channel_.drive(open_.size() + to_respond_.size() < shared_.settings.outstanding);
        const bool grants = !granted_ && !open_.empty() && shared_.bandwidth.take_word();
        granted_ = granted_ || grants;
        *pins_.ready = granted_ && !open_.empty() && !shared_.stalls();
        if (!responding_) respond();
        *pins_.response_valid = responding_;
        return grants;
    }

    void reset(bool settled) {
        if (settled && *pins_.valid) shared_.complain(name_, "data offered in reset");
        channel_.reset(settled);
        steady_.forget();
        open_.clear();
        to_respond_.clear();
        granted_ = responding_ = false;
        *pins_.ready = 0;
        *pins_.response_valid = 0;
    }

    bool quiet() const { return open_.empty() && to_respond_.empty() && !responding_; }
    uint64_t bytes() const { return bytes_; }

  private:
    void respond() {
        if (to_respond_.empty() || shared_.stalls()) return;
        const Burst &burst = to_respond_.front();
        if (shared_.cycle + 1 < burst.due || burst.response == NEVER) return;
        *pins_.response = static_cast<uint8_t>(burst.response);
        responding_ = true;
        to_respond_.pop_front();
    }

    void take_beat() {
        Burst &burst = open_.front();
        const uint64_t address = burst.address + uint64_t(burst.done) * WORD_BYTES;
        std::memcpy(word_.data(), pins_.data, WORD_BYTES);
        const Response response = shared_.memory.write(address, word_.data(), *pins_.strobes);
        if (burst.response == OKAY) burst.response = response;
        bytes_ += WORD_BYTES;
        granted_ = false;
        const bool last = ++burst.done == burst.beats;
        if (last != bool(*pins_.last)) shared_.complain(name_, "WLAST does not stand at the last beat");
        if (!last) return;
        burst.due = shared_.response_time();
        to_respond_.push_back(burst);
        open_.pop_front();
    }

    WritePins pins_;
    std::string name_;
    Shared &shared_;
    AddressChannel channel_;
    Steady<std::array<uint32_t, 6>> steady_;
    std::deque<Burst> open_;
    std::deque<Burst> to_respond_;
    std::array<uint8_t, WORD_BYTES> word_{};
    bool responding_ = false;  // a response stands at the pins
    bool granted_ = false;     // the next beat has its share of the bandwidth
    uint64_t bytes_ = 0;
};

}  // namespace device
