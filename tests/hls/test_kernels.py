"""Every kernel as a design of its own equals golden on golden's vectors, and these find a slip at each boundary."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest
from frame_runner import mutated

from edgemoe.devices.csim.build import HLS_FOLDER, WARNINGS, compiler, header_folder
from edgemoe.kernels.vectors import KERNELS, write_bench
from edgemoe.spec.hardware import load_hardware_config

NO_OPERATION = {"packed", "products", "types"}  # headers that other kernels are made of


def ended(folder: Path, kernel: str, shape: str, sources: Path = HLS_FOLDER, *flags: str) -> tuple[int, str]:
    """Status and text of the testbench, built as Vitis sees the sources."""
    write_bench(kernel, load_hardware_config(shape), folder)
    includes = ["-I", str(folder), "-I", str(sources / "simulation"), "-I", str(sources)]
    command = [compiler(), "-std=c++14", "-O0", "-DEDGEMOE_AS_SYNTHESISED", *WARNINGS, *flags, *includes]
    command += ["-isystem", str(header_folder()), "-o", str(folder / "bench")]
    unit = folder / "unit.cpp"  # both files: the headers are read once
    unit.write_text('#include "tops/kernel_top.cpp"\n#include "tops/testbench.cpp"\n', encoding="utf-8")
    built = subprocess.run([*command, str(unit)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    done = subprocess.run(
        [str(folder / "bench"), str(folder / "vectors.txt")], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.strip()


def test_every_header_of_a_kernel_has_a_top_and_vectors() -> None:
    headers = {path.stem for path in (HLS_FOLDER / "kernels").glob("*.hpp")} - NO_OPERATION
    tops = {path.stem for path in (HLS_FOLDER / "tops").glob("*.hpp")} - {"kernel_top"}
    assert headers == tops == KERNELS.keys()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", ["kv260", pytest.param("zcu102_w16a16", marks=pytest.mark.slow)])
def test_a_kernel_equals_golden(kernel: str, shape: str, tmp_path: Path) -> None:
    status, text = ended(tmp_path, kernel, shape)
    assert (status, text.endswith("calls equal golden's")) == (0, True), text


def test_two_weights_sixteen_bits_apart_equal_golden(tmp_path: Path) -> None:
    """As the 25 bits of a DSP48E1 have room for, where the low product outgrows them."""
    status, text = ended(tmp_path, "matmul", "pynq_z2")
    assert (status, text.endswith("calls equal golden's")) == (0, True), text


class Slip(NamedTuple):
    """One replacement in the header of a kernel."""

    kernel: str
    before: str
    after: str


SLIPS = {
    "gelu: rounded down to an entry": Slip(
        "gelu", "round_shift(magnitude, step);\n        return", "magnitude >> step;\n        return"
    ),
    "gelu: the table ends too early": Slip(
        "gelu", "return index < DELTA_ENTRIES ?", "return index < DELTA_ENTRIES / 2 ?"
    ),
    "gelu: an odd δ": Slip("gelu", "value < 0 ? -value : value", "value"),
    "gelu: zero added before the shift": Slip("gelu", "multiplier), shift) + zero", "multiplier), shift) - zero"),
    "layernorm: an odd length rounded down": Slip("layernorm", "(length + 1) / 2", "length / 2"),
    "layernorm: a Newton step less": Slip("layernorm", "step < RSQRT_STEPS", "step < RSQRT_STEPS - 1"),
    "layernorm: no ε": Slip("layernorm", " + variance_t(epsilon)", " + variance_t(1)"),
    "layernorm: the mean not taken off": Slip("layernorm", "(value, width) - total", "(value, width)"),
    "layernorm: ±32768 for the gate": Slip(
        "requantise", "const int64_t limit = WIDE_LIMIT;", "const int64_t limit = 32767;"
    ),
    "softmax: a maximum below its octave": Slip("softmax", "(score + ((int64_t)1 << fraction) - 1)", "score"),
    "attention: a divisor too small": Slip("softmax", "RECIPROCAL_BITS - 1)) - 1", "RECIPROCAL_BITS - 1))"),
    "gate: ties to the highest index": Slip("gate", "logits[expert] > most", "logits[expert] >= most"),
    "gate: a score of 2^16": Slip("gate", "(1 << SCORE_WEIGHT_BITS) - 1;", "(1 << SCORE_WEIGHT_BITS);"),
    "requantise: halves rounded down": Slip(
        "requantise", "(int64_t)1 << (shift - 1);", "((int64_t)1 << (shift - 1)) - 1;"
    ),
    "requantise: one beyond the type": Slip(
        "requantise", "const int64_t bottom = -top - 1;", "const int64_t bottom = -top;"
    ),
    "products: nothing borrowed from the high one": Slip("products", "(lower < 0 ? 1 : 0)", "0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLIPS)
def test_the_vectors_find_a_slip(name: str, tmp_path: Path) -> None:
    header, before, after = SLIPS[name]
    kernel = name.partition(":")[0]
    kernel = kernel if kernel in KERNELS else "matmul"
    sources = mutated(tmp_path, f"kernels/{header}.hpp", before, after)
    status, text = ended(tmp_path, kernel, "kv260", sources, "-Wno-error")
    assert status != 0, f"nobody notices: {text}"
