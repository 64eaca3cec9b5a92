"""One graph of single-bit nets from the netlists of all modules: what is inside is copied once per instance, in NumPy.

A module is described once, with its nets numbered from 0; each instance gets numbers of its own, except for the bits of
its ports, which are the nets around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.area_synthesis import Module
from benchmarks.timing_delays import Cell, describe

Integers = NDArray[np.int64]
# Columns of the tables of a module and of the graph. label: of the register or memory, by its number in the module.
TABLES = {"arcs": 3, "starts": 2, "sampled": 2, "loads": 2, "drives": 2, "same": 2, "registers": 2}
# Columns that are nets.
NETS_OF = {
    "arcs": (0, 1),
    "starts": (0,),
    "sampled": (0,),
    "loads": (0,),
    "drives": (0,),
    "same": (0, 1),
    "registers": (0, 1),
}


@dataclass
class Template:
    """A module: its tables; start_delays beside `starts`; names of what starts and samples; the instances in it."""

    name: str
    nets: int
    tables: dict[str, Integers]
    start_delays: NDArray[np.float64]
    start_labels: list[str]
    sampled_labels: list[str]
    names: dict[int, str]
    ports: dict[str, list[int | str]]
    directions: dict[str, str]
    inside: list[tuple[str, str, dict[str, list[int | str]]]]  # instance, module, its connections


@dataclass
class Graph:
    """Everything below a top. A row of a table belongs to the instance whose first row is the last one up to it."""

    nets: int
    tables: dict[str, Integers]
    start_delays: NDArray[np.float64]
    instances: list[tuple[str, Template]]  # with the path from the top
    first: dict[str, Integers]  # by table: first row of each instance
    bases: Integers  # by instance: its first net
    maps: list[Integers]  # by instance: nets of the module → nets

    def instance_of(self, table: str, row: int) -> int:
        """Number of the instance that a row of a table belongs to."""
        return int(np.searchsorted(self.first[table], row, side="right")) - 1

    def name_of(self, net: int) -> str:
        """Name of a net that has one where it lies, else an empty text."""
        number = int(np.searchsorted(self.bases, net, side="right")) - 1
        path, template = self.instances[number]
        found = np.flatnonzero(self.maps[number] == net)
        name = next((template.names[int(bit)] for bit in found if int(bit) in template.names), "")
        return f"{path}.{name}".lstrip(".") if name else ""


def template_of(module: Module, known: Iterable[str]) -> Template:
    """Describe one module; `known`: types of cells that are modules. Raises RuntimeError for an unknown cell."""
    netlist = module.netlist
    names = _names(netlist)
    known = set(known)
    bits = [bit for cell in netlist["cells"].values() for wires in cell["connections"].values() for bit in wires]
    bits += [bit for port in netlist["ports"].values() for bit in port["bits"]]
    nets = 1 + max((bit for bit in bits if isinstance(bit, int)), default=0)
    rows: dict[str, list[Any]] = {table: [] for table in TABLES}
    delays: list[float] = []
    start_labels: list[str] = []
    sampled_labels: list[str] = []
    inside = []
    for name, cell in netlist["cells"].items():
        if cell["type"] in known:
            inside.append((name, cell["type"], cell["connections"]))
            continue
        found = describe(cell["type"], cell["connections"], cell["port_directions"], nets)
        nets += any(target == nets for _, target, _ in found.arcs)
        label = _label(name, found, names)
        rows["arcs"] += found.arcs
        rows["loads"] += found.loads
        rows["drives"] += found.drives
        rows["same"] += [found.same] if found.same else []
        rows["registers"] += [found.register] if found.register else []
        for bit, delay in found.starts:
            rows["starts"].append((bit, len(start_labels)))
            delays.append(delay)
            start_labels.append(label)
        for bit, port in found.sampled:
            rows["sampled"].append((bit, len(sampled_labels)))
            sampled_labels.append(label if port == "D" else f"{label} {port}")
    tables = {table: np.array(rows[table], np.int64).reshape(-1, columns) for table, columns in TABLES.items()}
    ports = {port: each["bits"] for port, each in netlist["ports"].items()}
    directions = {port: each["direction"] for port, each in netlist["ports"].items()}
    return Template(module.name, nets, tables, np.array(delays), start_labels, sampled_labels, names, ports,
                    directions, inside)  # fmt: skip


def _names(netlist: Mapping[str, Any]) -> dict[int, str]:
    names: dict[int, str] = {}
    for name, net in netlist["netnames"].items():
        if not net.get("hide_name"):
            wide = len(net["bits"]) > 1
            for place, bit in enumerate(net["bits"]):
                if isinstance(bit, int):
                    names.setdefault(bit, f"{name}[{place}]" if wide else name)
    return names


def _label(name: str, cell: Cell, names: Mapping[int, str]) -> str:
    """A register by what it holds, a memory by the cell's own name."""
    return names.get(cell.register[1], name) if cell.register else name


@dataclass
class _Growing:
    nets: int = 0
    tables: dict[str, list[Integers]] = field(default_factory=lambda: {table: [] for table in TABLES})
    delays: list[NDArray[np.float64]] = field(default_factory=list)
    instances: list[tuple[str, Template]] = field(default_factory=list)
    bases: list[int] = field(default_factory=list)
    maps: list[Integers] = field(default_factory=list)


def flatten(modules: Mapping[str, Module]) -> Graph:
    """`modules`: by full name, the top last, as `area_synthesis.synthesise` gives them."""
    short = {name.removeprefix("\\"): name for name in modules}
    templates = {name: template_of(module, short) for name, module in modules.items()}
    growing = _Growing()
    *_, top = modules
    _add(growing, "", templates[top], {}, templates, short)
    first = {}
    for table, parts in growing.tables.items():
        first[table] = np.cumsum([0, *map(len, parts[:-1])])
    tables = {table: np.concatenate(parts) for table, parts in growing.tables.items()}
    return Graph(growing.nets, tables, np.concatenate(growing.delays), growing.instances, first,
                 np.array(growing.bases), growing.maps)  # fmt: skip


def _add(growing: _Growing, path: str, template: Template, around: Mapping[str, list[int]],
         templates: Mapping[str, Template], short: Mapping[str, str]) -> None:  # fmt: skip
    """around: nets at the bits of each port; −1 where there is none."""
    here = np.full(template.nets, -1, np.int64)
    joined = []
    for port, nets in around.items():
        for bit, net in zip(template.ports.get(port, []), nets, strict=False):
            if isinstance(bit, int) and net >= 0:
                if here[bit] >= 0:
                    joined.append((int(here[bit]), net))
                here[bit] = net
    own = np.flatnonzero(here < 0)
    growing.bases.append(growing.nets)
    here[own] = growing.nets + np.arange(own.size)
    growing.nets += own.size
    growing.instances.append((path, template))
    growing.maps.append(here)
    for table, rows in template.tables.items():
        copied = rows.copy()
        for column in NETS_OF[table]:
            copied[:, column] = here[rows[:, column]]
        growing.tables[table].append(copied)
    if joined:
        growing.tables["same"][-1] = np.concatenate([growing.tables["same"][-1], np.array(joined, np.int64)])
    growing.delays.append(template.start_delays)
    for name, kind, connections in template.inside:
        inside = {port: [int(here[bit]) if isinstance(bit, int) else -1 for bit in bits]
                  for port, bits in connections.items()}  # fmt: skip
        _add(growing, f"{path}.{name}".lstrip("."), templates[short[kind]], inside, templates, short)
