"""Small netlists drawn by hand, in the form that Yosys writes. Bit 1 is the clock."""

from __future__ import annotations

from typing import Any

Cell = dict[str, Any]


def cell(kind: str, inputs: dict[str, list[int]], outputs: dict[str, list[int]]) -> Cell:
    directions = dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output")
    return {"type": kind, "connections": inputs | outputs, "port_directions": directions}


def register(data: int, value: int) -> Cell:
    return cell("FDRE", {"C": [1], "D": [data]}, {"Q": [value]})


def lut(inputs: list[int], output: int) -> Cell:
    return cell("LUT2", {f"I{n}": [bit] for n, bit in enumerate(inputs)}, {"O": [output]})


def module(cells: list[Cell], inputs: dict[str, list[int]], outputs: dict[str, list[int]]) -> dict[str, Any]:
    ports = {name: {"direction": "input", "bits": bits} for name, bits in inputs.items()}
    ports |= {name: {"direction": "output", "bits": bits} for name, bits in outputs.items()}
    nets = {name: {"hide_name": 0, "bits": port["bits"]} for name, port in ports.items()}
    return {"ports": ports, "cells": {f"c{n}": each for n, each in enumerate(cells)}, "netnames": nets}
