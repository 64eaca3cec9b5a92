"""Edge-MoE's arithmetic once more, one number at a time in exact fractions, as the notes put it in words.

Slow and plain on purpose: no integers in disguise, no arrays, no floating point. A value is a Fraction; `fm` is the
cast to Q10.22. Exponentials and the error function come from their series with proven bounds.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

LSB = Fraction(1, 2**22)
EPSILON = 4 * LSB

Row = list[Fraction]
Matrix = list[Row]


def cast(value: Fraction, bits: int, fraction: int) -> Fraction:
    """ap_fixed<bits, bits − fraction> with AP_TRN and AP_WRAP."""
    whole = math.floor(value * 2**fraction) % 2**bits
    return Fraction(whole - 2**bits if whole >= 2 ** (bits - 1) else whole, 2**fraction)


def fm(value: Fraction) -> Fraction:
    return cast(value, 32, 22)


@cache
def exp_fm(x: Fraction) -> Fraction:
    """Floor of e^x: the series for e^(x/2^n), squared n times, until lower and upper bound have the same floor."""
    halvings = max(0, math.ceil(abs(x)).bit_length() + 4)
    small, terms = x / 2**halvings, 24
    while True:
        term, total = Fraction(1), Fraction(0)
        for n in range(terms):
            total += term
            term = term * small / (n + 1)
        scale = 2 ** (80 + 8 * terms + 2 * math.ceil(abs(x)))
        low = Fraction(math.floor((total - 2 * abs(term)) * scale), scale)
        high = Fraction(math.ceil((total + 2 * abs(term)) * scale), scale)
        for _ in range(halvings):
            low = Fraction(math.floor(low * low * scale), scale)
            high = Fraction(math.ceil(high * high * scale), scale)
        if math.floor(low / LSB) == math.floor(high / LSB):
            return fm(low)
        terms += 16


def recip_fm(x: Fraction) -> Fraction:
    return fm(1 / x)


def sqrt_fm(x: Fraction) -> Fraction:
    return Fraction(math.isqrt(math.floor(x * 2**44)), 2**22)


@cache
def pi() -> Fraction:
    """Machin's formula, off by less than 10^-60."""

    def arctan_of_inverse(n: int) -> Fraction:
        return sum((Fraction((-1) ** i, (2 * i + 1) * n ** (2 * i + 1)) for i in range(50)), Fraction(0))

    return 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))


@cache
def gelu_delta(i: int) -> Fraction:
    """x − GELU(x) at x = i/32, rounded to nearest 2^-22: x·(1 − erf(x/√2))/2 by the series of erf."""
    x = Fraction(i, 32)
    total, power = Fraction(0), x
    for n in range(120):
        total += power / (2 * n + 1)
        power = -power * x * x / (2 * (n + 1))
    root = Fraction(math.isqrt(math.floor(pi() / 2 * 10**100)), 10**50)
    delta = x / 2 * (1 - total / root)
    return Fraction(math.floor(delta / LSB + Fraction(1, 2))) * LSB


def gelu(x: Fraction) -> Fraction:
    size = abs(x)
    relu = max(x, Fraction(0))
    if size >= Fraction(11, 2):
        return relu
    index = math.floor(size * 32)
    a, b = gelu_delta(index), gelu_delta(index + 1)
    return relu - Fraction(math.floor((a + (size * 32 - index) * (b - a)) / LSB)) * LSB


def layernorm(x: Row, weight: Row, bias: Row) -> Row:
    share = Fraction(2**22 // len(x), 2**22)
    t = [fm(value * share) for value in x]
    mean = fm(sum(t, Fraction(0)))
    square = fm(sum((fm(a * b) for a, b in zip(x, t, strict=True)), Fraction(0)))
    variance = fm(square - fm(mean * mean) + EPSILON)
    r = fm(1 / sqrt_fm(variance))
    return [fm(fm(fm((a - mean) * r) * w) + b) for a, w, b in zip(x, weight, bias, strict=True)]


def linear(x: Row, weight: Matrix, bias: Row) -> Row:
    return [
        fm(b + sum((fm(a * w) for a, w in zip(x, row, strict=True)), Fraction(0)))
        for row, b in zip(weight, bias, strict=True)
    ]


def online_softmax(scores: Row) -> tuple[Fraction, Fraction]:
    """(maximum, sum), from −512 and 0; the first factor may be anything finite, so it is not computed."""
    maximum, total = Fraction(-512), Fraction(0)
    for a in scores:
        if a > maximum:
            total = (fm(total * exp_fm(fm(maximum - a))) if total else total) + 1
            maximum = a
        else:
            total = fm(total + exp_fm(fm(a - maximum)))
    return maximum, total


def scores_of(q: Row, keys: Matrix) -> Row:
    scale = Fraction(math.isqrt(2**44 // len(q)), 2**22)
    found = []
    for k in keys:
        a = Fraction(0)
        for start in range(0, len(q), 8):
            products = [fm(x * y) for x, y in zip(q[start : start + 8], k[start : start + 8], strict=True)]
            a = fm(a + fm(scale * fm(sum(products, Fraction(0)))))
        found.append(a)
    return found


def attention(query: Matrix, key: Matrix, value: Matrix) -> tuple[Matrix, list[tuple[Fraction, Fraction]], Matrix]:
    """(scores, (maximum, reciprocal) per query, output) of one head."""
    scores, statistics, output = [], [], []
    count = len(key)
    for i, q in enumerate(query):
        row = scores_of(q, key)
        order = [(i % 4 + step) % count for step in range(count)]
        maximum, total = online_softmax([row[j] for j in order])
        reciprocal = recip_fm(total)
        p = [fm(exp_fm(fm(a - maximum)) * reciprocal) for a in row]
        output.append(
            [fm(sum((fm(v[f] * p[j]) for j, v in enumerate(value)), Fraction(0))) for f in range(len(value[0]))]
        )
        scores.append(row)
        statistics.append((maximum, reciprocal))
    return scores, statistics, output


def gate(x: Row, weight: Matrix, top_k: int) -> tuple[Row, list[int], Row]:
    """(logits, experts, scores) of one token."""
    logits = linear(x, weight, [Fraction(0)] * len(weight))
    maximum, total = online_softmax(logits)
    chosen: list[int] = []
    for _ in range(top_k):
        best = None
        for expert, logit in enumerate(logits):
            if expert not in chosen and (best is None or logit > logits[best]):
                best = expert
        assert best is not None
        chosen.append(best)
    return logits, chosen, [fm(exp_fm(fm(logits[e] - maximum)) / total) for e in chosen]
