// A stream for C simulation with the interface of Vitis HLS's: found by include path only, so that Vitis uses its own.
//
// Unlimited, it holds whatever a process writes before the next one runs. With a depth (`limit`), reads and writes wait
// for each other, so that processes on threads find out about deadlocks that an endless stream would hide.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <random>
#include <stdexcept>
#include <thread>

namespace hls {

template <typename T>
class stream {
  public:
    stream() = default;
    explicit stream(const char *) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;

    void limit(std::size_t depth) { depth_ = depth; }

    // Now and then a writer or reader rests, by a seeded choice.
    void pause(std::uint64_t seed) {
        pauses_ = true;
        choice_.seed(static_cast<std::minstd_rand::result_type>(seed));
    }

    void write(const T &value) {
        std::unique_lock<std::mutex> lock(mutex_);
        rest(lock);
        if (depth_ != 0) changed_.wait(lock, [this] { return values_.size() < depth_; });
        values_.push_back(value);
        changed_.notify_all();
    }

    T read() {
        std::unique_lock<std::mutex> lock(mutex_);
        rest(lock);
        if (depth_ != 0) changed_.wait(lock, [this] { return !values_.empty(); });
        if (values_.empty()) throw std::runtime_error("a stream was read while empty");
        const T value = values_.front();
        values_.pop_front();
        changed_.notify_all();
        return value;
    }

    bool empty() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return values_.empty();
    }

  private:
    void rest(std::unique_lock<std::mutex> &lock) {
        if (!pauses_ || choice_() % 64 != 0) return;
        lock.unlock();
        std::this_thread::sleep_for(std::chrono::microseconds(20));
        lock.lock();
    }

    std::size_t depth_ = 0;
    bool pauses_ = false;
    std::minstd_rand choice_;
    std::deque<T> values_;
    std::mutex mutex_;
    std::condition_variable changed_;
};

}  // namespace hls
