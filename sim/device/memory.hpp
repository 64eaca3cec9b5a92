// What lies behind the AXI ports: host memory by address, responses that tests put there, the rate that all ports share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>

namespace device {

constexpr unsigned WORD_BYTES = 16;

enum Response : int { OKAY = 0, SLVERR = 2, DECERR = 3, NEVER = 4 };

// Host memory that the accelerator can reach. An access must lie inside one region, or the response is DECERR.
class Memory {
  public:
    void map(uint64_t base, uint8_t *bytes, uint64_t size) { regions_[base] = {bytes, size}; }
    void unmap(uint64_t base) { regions_.erase(base); }

    // From now on the word at `address` has this response, and nothing is written there. OKAY: as usual again.
    void respond(uint64_t address, Response with) {
        if (with == OKAY) {
            responses_.erase(address / WORD_BYTES);
        } else {
            responses_[address / WORD_BYTES] = with;
        }
    }

    Response read(uint64_t address, uint8_t *word) {
        const uint8_t *at = find(address);
        const Response with = expected(address, at);
        if (with == OKAY) {
            std::memcpy(word, at, WORD_BYTES);
        } else {
            std::memset(word, 0xEE, WORD_BYTES);  // so that data of a failed read show where they are used
        }
        return with;
    }

    Response write(uint64_t address, const uint8_t *word, unsigned strobes) {
        uint8_t *at = find(address);
        const Response with = expected(address, at);
        if (with == OKAY) {
            for (unsigned byte = 0; byte < WORD_BYTES; ++byte) {
                if (strobes >> byte & 1) at[byte] = word[byte];
            }
        }
        return with;
    }

    uint64_t outside() const { return outside_; }  // accesses beside every region

  private:
    struct Region {
        uint8_t *bytes;
        uint64_t size;
    };

    uint8_t *find(uint64_t address) const {
        auto next = regions_.upper_bound(address);
        if (next == regions_.begin()) return nullptr;
        const auto &[base, region] = *std::prev(next);
        const uint64_t offset = address - base;
        return offset < region.size && region.size - offset >= WORD_BYTES ? region.bytes + offset : nullptr;
    }

    Response expected(uint64_t address, const uint8_t *at) {
        if (!responses_.empty()) {
            auto found = responses_.find(address / WORD_BYTES);
            if (found != responses_.end()) return found->second;
        }
        if (at == nullptr) ++outside_;
        return at == nullptr ? DECERR : OKAY;
    }

    std::map<uint64_t, Region> regions_;
    std::map<uint64_t, Response> responses_;
    uint64_t outside_ = 0;
};

// All ports together move at most `rate` bytes per cycle in the long run, and one word per port in any cycle.
class Bandwidth {
  public:
    Bandwidth(double rate, unsigned ports) : rate_(rate), most_(rate + ports * WORD_BYTES) {}

    void next_cycle() { level_ = std::min(level_ + rate_, most_); }

    bool take_word() {
        if (level_ < WORD_BYTES) return false;
        level_ -= WORD_BYTES;
        return true;
    }

  private:
    double rate_;
    double most_;
    double level_ = 0;
};

}  // namespace device
