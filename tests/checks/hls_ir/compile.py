"""The sources as LLVM IR of one function: all inlined, loops unrolled as the pragmas say, pipelined loops marked.

Compiled by the clang of the package ziglang; llvmlite, of the same LLVM, runs the few passes. No pass that rewrites
addresses or merges accesses is among them, so that what is read and written where stays as the sources say it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm

INCLUDE = Path(__file__).parent / "include"
MARK = "pipelined"
_FLAGS = ("-std=c++20", "-target", "x86_64-linux-gnu", "-O1", "-g0", "-fno-exceptions", "-fno-threadsafe-statics")
_FLAGS += ("-Xclang", "-disable-llvm-passes", "-DEDGEMOE_AS_SYNTHESISED", "-w", "-S", "-emit-llvm")
_ROUNDS = 2  # of unrolling after inlining


def prepared(text: str, name: str) -> str:
    """A source whose pragmas a C++ compiler obeys: unrolling, and a mark in every pipelined loop. Lines stay."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("#pragma HLS "):
            continue
        words = line.split()
        loop = next((n for n in range(number - 1, -1, -1) if re.match(r"\s*(for|while) \(", lines[n])), None)
        lines[number] = ""
        if loop is None or words[2] not in ("unroll", "pipeline"):
            continue
        label = re.match(r"\s*([A-Z_]+):", lines[loop - 1])
        if words[2] == "unroll":
            lines[loop - 1] += ' _Pragma("clang loop unroll(full)")'
        elif label:
            interval = next((word[3:] for word in words if word.startswith("II=")), "1")
            lines[number] = f'asm volatile("{MARK} {name} {label[1]} {interval}");'
    return "\n".join(lines) + "\n"


def ir_text(folder: Path, generated: Path, work: Path, source: str = "edgemoe.cpp") -> str:
    """IR of one of a folder of sources, as the front end leaves it; ValueError when it does not compile.

    generated: what else is included, edgemoe_spec.hpp above all.
    """
    for path in [*folder.rglob("*.hpp"), *folder.rglob("*.cpp")]:
        if {"generated", "simulation"} & {*path.relative_to(folder).parts}:
            continue
        target = work / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(prepared(path.read_text(encoding="utf-8"), path.name), encoding="utf-8")
    command = [sys.executable, "-m", "ziglang", "c++", *_FLAGS, "-I", str(INCLUDE), "-I", str(generated)]
    command += ["-I", str(work)]
    output = work / "edgemoe.ll"
    done = subprocess.run(
        [*command, "-o", str(output), str(work / source)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError(f"the sources do not compile: {done.stderr.strip()[:2000]}")
    return output.read_text(encoding="utf-8")


def module_of(text: str) -> llvm.ModuleRef:
    """The module after inlining and unrolling."""
    text = re.sub(r"^attributes #(\d+) = \{ (?!.*noinline)", r"attributes #\1 = { alwaysinline ", text, flags=re.M)
    text = re.sub(r"\bnoinline\b ?", "", text)
    module = llvm.parse_assembly(text)
    llvm.initialize_native_target()
    machine = llvm.Target.from_default_triple().create_target_machine()
    options = llvm.create_pipeline_tuning_options(speed_level=1)
    options.loop_unrolling = True
    builder = llvm.create_pass_builder(machine, options)
    _straighten(module, builder)  # before functions are inlined many times over
    inlining = llvm.create_new_module_pass_manager()
    inlining.add_always_inliner_pass()
    inlining.add_global_dead_code_eliminate_pass()
    inlining.run(module, builder)
    for _ in range(_ROUNDS):
        _straighten(module, builder)
    return module


def _straighten(module: llvm.ModuleRef, builder: llvm.PassBuilder) -> None:
    passes = llvm.create_new_function_pass_manager()
    passes.add_sroa_pass()
    passes.add_sccp_pass()
    passes.add_simplify_cfg_pass()
    passes.add_loop_simplify_pass()
    passes.add_lcssa_pass()
    passes.add_loop_unroll_pass()
    passes.add_sroa_pass()
    passes.add_sccp_pass()
    passes.add_dead_code_elimination_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
