// ap_int for the IR check: integers of the compiler itself, so that a product is a multiplication of its true width.
#pragma once

#include <cstdint>

template <int W, bool SIGNED>
struct Bits;

template <int W>
struct Bits<W, true> {
    typedef _BitInt(W) type;
};

template <int W>
struct Bits<W, false> {
    typedef unsigned _BitInt(W) type;
};

template <int W>
struct ap_int;
template <int W>
struct ap_uint;

constexpr int wider(int one, int other) { return one > other ? one : other; }

template <int W, bool SIGNED>
struct ap_base {
    typedef typename Bits<W, SIGNED>::type type;
    type v;

    ap_base() = default;
    template <typename NUMBER>
    ap_base(NUMBER number) : v((type)plain(number)) {}

    template <typename NUMBER>
    static NUMBER plain(NUMBER number) {
        return number;
    }
    template <int V>
    static typename Bits<V, true>::type plain(const ap_int<V> &number) {
        return number.v;
    }
    template <int V>
    static typename Bits<V, false>::type plain(const ap_uint<V> &number) {
        return number.v;
    }

    uint64_t to_uint64() const { return (uint64_t)v; }
    int64_t to_int64() const { return (int64_t)v; }
    int to_int() const { return (int)v; }

    struct Range {
        ap_base &word;
        int high, low;
        uint64_t to_uint64() const {
            return (uint64_t)(word.v >> low) & (~(uint64_t)0 >> (63 - (high - low)));
        }
        template <int V, bool S>
        void operator=(const ap_base<V, S> &value) {
            const auto mask = (typename Bits<W, false>::type)(~(uint64_t)0 >> (63 - (high - low))) << low;
            const auto placed = (typename Bits<W, false>::type)(uint64_t)value.v << low;
            word.v = (type)(((typename Bits<W, false>::type)word.v & ~mask) | (placed & mask));
        }
    };
    Range range(int high, int low) { return Range{*this, high, low}; }
    const Range range(int high, int low) const { return Range{const_cast<ap_base &>(*this), high, low}; }
    bool operator[](int bit) const { return (bool)((v >> bit) & 1); }
};

template <int W>
struct ap_int : ap_base<W, true> {
    ap_int() = default;
    template <typename NUMBER>
    ap_int(NUMBER number) : ap_base<W, true>(number) {}
};

template <int W>
struct ap_uint : ap_base<W, false> {
    ap_uint() = default;
    template <typename NUMBER>
    ap_uint(NUMBER number) : ap_base<W, false>(number) {}
};

template <int W, bool SIGNED>
struct Number {
    typedef ap_int<W> type;
};

template <int W>
struct Number<W, false> {
    typedef ap_uint<W> type;
};

template <int A, bool S, int B, bool T>
inline ap_int<A + B> operator*(const ap_base<A, S> &one, const ap_base<B, T> &other) {
    typedef typename Bits<A + B, true>::type wide;
    return ap_int<A + B>((wide)one.v * (wide)other.v);
}

template <int A, bool S, int B, bool T>
inline ap_uint<A> operator/(const ap_base<A, S> &one, const ap_base<B, T> &other) {
    return ap_uint<A>(one.v / other.v);
}

template <int A, bool S, int B, bool T>
inline ap_int<wider(A, B) + 1> operator+(const ap_base<A, S> &one, const ap_base<B, T> &other) {
    typedef typename Bits<wider(A, B) + 1, true>::type wide;
    return ap_int<wider(A, B) + 1>((wide)one.v + (wide)other.v);
}

template <int A, bool S, int B, bool T>
inline ap_int<wider(A, B) + 1> operator-(const ap_base<A, S> &one, const ap_base<B, T> &other) {
    typedef typename Bits<wider(A, B) + 1, true>::type wide;
    return ap_int<wider(A, B) + 1>((wide)one.v - (wide)other.v);
}

template <int A, bool S>
inline typename Number<A, S>::type operator<<(const ap_base<A, S> &one, int amount) {
    return typename Number<A, S>::type(one.v << amount);
}

template <int A, bool S>
inline typename Number<A, S>::type operator>>(const ap_base<A, S> &one, int amount) {
    return typename Number<A, S>::type(one.v >> amount);
}

template <int A, bool S>
inline bool operator<(const ap_base<A, S> &one, int other) {
    return one.v < other;
}
