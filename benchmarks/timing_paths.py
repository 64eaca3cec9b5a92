"""Arrival times over a flattened netlist, in NumPy: nets in the order in which they settle, a front at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing_delays import (
    ARC_DELAY,
    DEDICATED,
    DSP_REGISTER,
    LUT,
    NET,
    NET_PER_DOUBLING,
    REGISTER,
    SETUP,
    THROUGH_LUT,
    UNCERTAINTY,
    Arc,
    Driver,
)
from benchmarks.timing_netlist import Graph, Integers

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Timing:
    """What is known of every net and every endpoint.

    arrival: ns at which a net's driver has settled, −inf where nothing of a clock leads to it; coming: the arc that
    makes it so, −1 at a start; start: the row of `starts` where the longest path to a net begins, −1 for a port;
    loads: of each net; endpoints: ns with setup and uncertainty, by row of `sampled`, then one for each output of the
    top; −inf where no path ends. ends: their nets; sources: by arc, the net it comes from.
    """

    arrival: Floats
    coming: Integers
    start: Integers
    loads: Integers
    endpoints: Floats
    ends: Integers
    sources: Integers


def analyse(graph: Graph) -> Timing:
    """Raises RuntimeError when nets form a loop."""
    find = _joined(graph.nets, graph.tables["same"])
    arcs, loads, drives = (graph.tables[name].copy() for name in ("arcs", "loads", "drives"))
    for table, columns in ((arcs, 2), (loads, 1), (drives, 1)):
        table[:, :columns] = find[table[:, :columns]]
    starts, sampled = find[graph.tables["starts"][:, 0]], find[graph.tables["sampled"][:, 0]]
    registers = find[graph.tables["registers"]]
    ports = {direction: find[_port_nets(graph, direction)] for direction in ("input", "output")}

    driver = np.zeros(graph.nets, np.int64)
    driver[drives[:, 0]] = drives[:, 1]
    dedicated = np.zeros((len(Arc) + 1, len(Driver)), bool)  # the last row: kind −1, what is sampled
    for kind, by in DEDICATED:
        dedicated[kind, by] = True
    real = loads[~dedicated[loads[:, 1], driver[loads[:, 0]]], 0]
    fan_out = np.bincount(np.concatenate([real, ports["output"]]), minlength=graph.nets)
    net = NET + NET_PER_DOUBLING * np.log2(np.maximum(fan_out, 1))

    in_block = _registered_products(graph.nets, arcs, loads, fan_out, registers)
    net[in_block] = 0.0
    delays = graph.start_delays.copy()
    behind = np.zeros(graph.nets, bool)
    behind[registers[in_block[registers[:, 0]], 1]] = True
    delays[behind[starts] & (delays == REGISTER)] = DSP_REGISTER

    kinds = arcs[:, 2]
    straight = dedicated[kinds, driver[arcs[:, 0]]]
    more = np.where(np.isin(kinds, THROUGH_LUT), LUT, 0.0)
    weight = np.array(ARC_DELAY)[kinds] + np.where(straight, 0.0, net[arcs[:, 0]] + more)

    arrival = np.full(graph.nets, -np.inf)
    start = np.full(graph.nets, -1)
    arrival[ports["input"]] = REGISTER
    arrival[starts] = delays
    start[starts] = np.arange(starts.size)
    coming = _propagate(arcs, weight, arrival, start)
    ends = np.concatenate([sampled, ports["output"]])
    endpoints = arrival[ends] + net[ends] + SETUP + UNCERTAINTY
    return Timing(arrival, coming, start, fan_out, endpoints, ends, arcs[:, 0])


def path_to(timing: Timing, net: int) -> list[int]:
    """Arcs of the longest path to a net, first to last, as rows of the graph's table."""
    rows: list[int] = []
    while (row := int(timing.coming[net])) >= 0:
        rows.append(row)
        net = int(timing.sources[row])
    return rows[::-1]


def _port_nets(graph: Graph, direction: str) -> Integers:
    top = graph.instances[0][1]
    bits = [bit for port, wires in top.ports.items() if top.directions[port] == direction
            for bit in wires if isinstance(bit, int)]  # fmt: skip
    return graph.maps[0][np.array(bits, np.int64)]


def _joined(nets: int, pairs: Integers) -> Integers:
    """By net, the lowest of those that are one wire with it."""
    lowest = np.arange(nets)
    while pairs.size:
        least = np.minimum(lowest[pairs[:, 0]], lowest[pairs[:, 1]])
        before = lowest.copy()
        for column in (0, 1):
            np.minimum.at(lowest, pairs[:, column], least)
        lowest = lowest[lowest]
        if np.array_equal(before, lowest):
            break
    return lowest


def _registered_products(nets: int, arcs: Integers, loads: Integers, fan_out: Integers, registers: Integers) -> Flags:
    """Nets between a product and registers that lie in its block: every bit in use leads to one register alone."""
    out = arcs[arcs[:, 2] == Arc.DSP_OUT]
    into_register = np.zeros(nets, bool)
    into_register[registers[:, 0]] = True
    alone = np.zeros(nets, bool)
    alone[out[:, 1]] = (fan_out[out[:, 1]] == 0) | ((fan_out[out[:, 1]] == 1) & into_register[out[:, 1]])
    whole = np.ones(nets, bool)
    np.logical_and.at(whole, out[:, 0], alone[out[:, 1]])
    found = np.zeros(nets, bool)
    found[out[whole[out[:, 0]], 1]] = True
    return found


def _propagate(arcs: Integers, weight: Floats, arrival: Floats, start: Integers) -> Integers:
    """Settle every net behind the starts in `arrival`; the arc that each net waits for."""
    nets = arrival.size
    waiting = np.bincount(arcs[:, 1], minlength=nets)
    order = np.argsort(arcs[:, 0], kind="stable")
    begin = np.concatenate([[0], np.cumsum(np.bincount(arcs[:, 0], minlength=nets))])
    coming = np.full(nets, -1)
    front = np.flatnonzero(waiting == 0)
    settled = 0
    while front.size:
        settled += front.size
        counts = begin[front + 1] - begin[front]
        places = np.repeat(begin[front] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        rows = order[places]
        targets = arcs[rows, 1]
        found = arrival[arcs[rows, 0]] + weight[rows]
        rising = np.argsort(found, kind="stable")  # of several assignments to one net the last holds
        better = rising[found[rising] > arrival[targets[rising]]]
        arrival[targets[better]] = found[better]
        coming[targets[better]] = rows[better]
        start[targets[better]] = start[arcs[rows[better], 0]]
        reached, times = np.unique(targets, return_counts=True)
        waiting[reached] -= times
        front = reached[waiting[reached] == 0]
    if settled < nets:
        raise RuntimeError(f"{nets - settled} nets form a loop of logic or lie behind one")
    return coming
