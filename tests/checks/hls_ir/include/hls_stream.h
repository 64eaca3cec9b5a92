// A stream for the IR check: a port that is read or written, one entry at a time.
#pragma once

namespace hls {

template <typename T>
struct stream {
    T entry;
    explicit stream(const char *) {}
    void write(const T &value) { entry = value; }
    T read() { return entry; }
};

}  // namespace hls
