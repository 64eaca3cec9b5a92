"""Program folders: written whole or not at all, read back equal, refused when anything about them is not as written."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.program import (
    MANIFEST_FILE,
    PROGRAM_FILE,
    WEIGHTS_FILE,
    Program,
    ProgramError,
    digests,
    load_program,
)
from edgemoe.compiler.quantise import quantise
from edgemoe.spec.checkpoint import DECODER_FILE, PREPROCESSOR_FILE
from edgemoe.spec.files import _aside
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import ISA_VERSION
from edgemoe.spec.memory import REGION_ALIGNMENT
from edgemoe.spec.model import load_model_config
from edgemoe.spec.strict import to_dict
from edgemoe.spec.task import TaskConfig
from tests.examples import program as examples


@pytest.fixture(scope="module")
def program() -> Program:
    return examples.small_program()


@pytest.fixture
def folder(program: Program, tmp_path: Path) -> Path:
    program.save(tmp_path / "program")
    return tmp_path / "program"


def test_a_saved_program_comes_back_equal(program: Program, folder: Path) -> None:
    again = load_program(folder)
    assert again.manifest == program.manifest
    assert np.array_equal(again.words, program.words)
    assert np.array_equal(again.stream, program.stream)
    assert sorted(path.name for path in folder.iterdir()) == sorted([MANIFEST_FILE, PROGRAM_FILE, WEIGHTS_FILE])
    text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    assert text == json.dumps(to_dict(program.manifest), indent=1) + "\n", "to be read by people, too"


def test_a_graph_of_any_size_comes_back_with_its_program(program: Program, tmp_path: Path) -> None:
    graphs = {DECODER_FILE: b"any", PREPROCESSOR_FILE: b"graph"}
    whole = replace(program, decoder=b"any", preprocessor=b"graph")
    whole = replace(whole, manifest=replace(whole.manifest, sha256=digests(whole)))
    whole.save(tmp_path / "whole")
    assert load_program(tmp_path / "whole").graphs == graphs
    assert load_program(tmp_path / "whole").manifest == whole.manifest


@pytest.mark.parametrize("then", ["save", "load"])
def test_a_program_that_stands_aside_comes_back(program: Program, folder: Path, then: str) -> None:
    """As where a writer was killed in between; what has taken the place of a program is not replaced."""
    folder.rename(_aside(folder))
    if then == "load":
        assert load_program(folder).manifest == program.manifest
    else:
        (_aside(folder) / MANIFEST_FILE).unlink()
        with pytest.raises(ProgramError, match="not a program folder"):
            program.save(folder)
    assert not _aside(folder).exists()


def test_an_instruction_is_described_whatever_there_is_of_it(program: Program) -> None:
    last = len(program.words) - 1
    assert program.described(0) == "instruction 0 PATCH_EMBED (patch embed)"
    assert program.described(last) == f"instruction {last} HALT (halt)"
    assert program.described(last + 1) == f"instruction {last + 1}, beyond the program's end"
    short = replace(program, manifest=replace(program.manifest, labels=program.manifest.labels[:last]))
    assert short.described(last) == f"instruction {last} HALT"
    words = program.words.copy()
    words[last, 0] |= 0xFF
    assert replace(program, words=words).described(last) == f"instruction {last} opcode 255 (halt)"


def test_compiling_twice_gives_the_same_bytes(program: Program) -> None:
    again = examples.small_program()
    assert again.manifest == program.manifest
    assert np.array_equal(again.stream, program.stream)


@pytest.mark.parametrize("name", [PROGRAM_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_altered_byte_is_found(folder: Path, name: str, place: float) -> None:
    data = bytearray((folder / name).read_bytes())
    data[round(place * (len(data) - 1))] ^= 0x10
    (folder / name).write_bytes(data)
    with pytest.raises(ProgramError, match=rf"{name}: contents differ .* truncated or altered"):
        load_program(folder)


@pytest.mark.parametrize("name", [PROGRAM_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("cut", [1, 64])
def test_a_truncated_file_is_found(folder: Path, name: str, cut: int) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-cut])
    with pytest.raises(ProgramError, match=rf"{name}: .* truncated or altered"):
        load_program(folder)


@pytest.mark.parametrize("name", [PROGRAM_FILE, WEIGHTS_FILE])
def test_a_size_that_a_file_cannot_have_is_refused_whatever_its_hash(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = max((folder / each).stat().st_size for each in (PROGRAM_FILE, WEIGHTS_FILE))
    monkeypatch.setattr("edgemoe.compiler.program.MAX_FILE_BYTES", size)
    load_program(folder)
    content = (folder / name).read_bytes()
    for data in (b"", content[:-1], content[:-8], bytes((size // 64 + 1) * 64)):
        (folder / name).write_bytes(data)
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        manifest["sha256"][name] = hashlib.sha256(data).hexdigest()
        (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(ProgramError, match=f"{name}: {len(data)} bytes is not a size that this file can have"):
            load_program(folder)


@pytest.mark.parametrize("name", [MANIFEST_FILE, PROGRAM_FILE, WEIGHTS_FILE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ProgramError, match=name):
        load_program(folder)


def test_a_folder_that_holds_no_program_is_said_to_hold_none(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ProgramError, match=rf"^{folder}: not a program folder \(no manifest.json\); make one with"):
            load_program(folder)


CHANGES: dict[str, tuple[Callable[[dict[str, object]], None], str]] = {
    "an unknown key": (lambda m: m.update(colour="red"), "unknown key 'colour'"),
    "a missing key": (lambda m: m.pop("labels"), "key 'labels' is missing"),
    "another version": (lambda m: m.update(program_version=99), r"program version 99\.\d+, this package runs 2\."),
    "a value of another type": (lambda m: m.update(tasks="semseg"), "tasks"),
    "another hash": (lambda m: m.update(config_hash=1), "config hash and hardware configuration disagree"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_manifest_that_is_not_as_written_is_refused(folder: Path, case: str) -> None:
    change, message = CHANGES[case]
    manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    change(manifest)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ProgramError, match=rf"{message}.*compile the model again"):
        load_program(folder)


def first(record: str, **changes: object) -> Callable[[dict[str, Any]], object]:
    """Change fields of the first record of a kind."""
    return lambda manifest: manifest[record][0].update(changes)


# What a stranger may write, with hashes that fit: each record is held against the model and the instructions.
FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no tasks": (lambda m: m.update(tasks=[]), "tasks must be named once each and at least one"),
    "a task twice": (lambda m: m.update(tasks=["semseg", "semseg"]), "tasks must be named once each"),
    "an unknown task": (lambda m: m.update(tasks=["semseg", "x"]), "has no task 'x'"),
    "a task without output": (lambda m: m["outputs"].pop(), "outputs must name each of the tasks once"),
    "an output twice": (lambda m: m["outputs"].append(m["outputs"][0]), "outputs must name each of the tasks once"),
    "a misaligned output": (first("outputs", address=7), "address 7 is not a multiple of 16"),
    "a negative address": (first("outputs", address=-16), "address -16 is not a multiple of 16"),
    "an output outside": (first("outputs", address=1 << 62), "are not inside the .* bytes of the output region"),
    "an output elsewhere": (
        lambda m: m["outputs"][0].update(address=m["output_bytes"] - 1024),
        "no instruction writes|overlaps|not inside",
    ),
    "overlapping outputs": (lambda m: m["outputs"][1].update(address=m["outputs"][0]["address"]), "overlaps"),
    "other rows": (first("outputs", rows=5), "is 5 × 28, the model's is 6 × 28"),
    "other features": (first("outputs", features=1), "is 6 × 1, the model's is 6 × 28"),
    "scale 0": (first("outputs", scale=0.0), "scale must be finite and above 0"),
    "a negative scale": (first("outputs", scale=-1.0), "scale must be finite and above 0"),
    "a scale beyond float32": (first("outputs", scale=1.01e30), "scale must be finite and above 0, at most 1e.30"),
    "a block without experts": (first("routing", block=0), r"routing must name each task in each of the blocks \[1"),
    "a block that does not exist": (first("routing", block=99), "routing must name each task in each of the blocks"),
    "routing of another task": (first("routing", task="x"), "routing must name each task in each of the blocks"),
    "routing that is missing": (lambda m: m["routing"].pop(), "routing must name each task in each of the blocks"),
    "another top k": (first("routing", top_k=3), "is 7 × 3, the model's is 7 × 2"),
    "misaligned routing": (lambda m: m["routing"][0].update(address=m["routing"][0]["address"] + 4), "multiple of 16"),
    "a buffer that does not exist": (first("trace", buffer="HEAP"), r"trace\[0\]: no buffer 'HEAP'"),
    "no buffer": (first("trace", buffer="NONE"), r"trace\[0\]: no buffer 'NONE'"),
    "an instruction that does not exist": (first("trace", instruction=10**6), "no instruction 1000000, there are"),
    "the instruction behind the last": (
        lambda m: m["trace"][0].update(instruction=len(m["labels"])),
        r"trace\[0\]: no instruction",
    ),
    "the instruction before the first": (first("trace", instruction=-1), r"trace\[0\]: no instruction -1"),
    "a trace of no features": (first("trace", features=0), "rows of 0 at .* are not inside"),
    "a byte of output": (lambda m: m.update(output_bytes=1), "are not inside the 1 bytes of the output region"),
    "a trace of no rows": (first("trace", rows=0), "0 rows of .* are not inside"),
    "a trace of features": (first("trace", features=1), "no instruction writes"),
    "a trace of 2^62 rows": (first("trace", rows=1 << 62), "are not inside"),
    "no labels": (lambda m: m.update(labels=[], trace=[]), "0 labels for .* instructions"),
    "a label too many": (lambda m: m["labels"].append("x"), "labels for .* instructions"),
    "a label that moves the cursor": (lambda m: m["labels"].insert(0, "\x1b[2J"), "must be free of control characters"),
    "a hash too many": (lambda m: m["sha256"].update(other="0"), "sha256 must name program.bin and weights.bin"),
    "a slow clock": (lambda m: m["hardware"].update(clock_mhz=0), "clock_mhz must lie in 1"),
    "no memory": (lambda m: m["hardware"].update(bytes_per_cycle=0), "bytes_per_cycle must lie in"),
    "a deep model": (lambda m: m["model"].update(depth=10**9), "depth must lie in 1"),
}
REGIONS = [-1, 0, 1 << 31, (1 << 32) - 64, (1 << 63) - 1, 1 << 70]


def test_a_program_of_another_instruction_set_says_so(folder: Path) -> None:
    image = bytearray((folder / PROGRAM_FILE).read_bytes())
    image[4] += 1
    examples.forge_program(folder, lambda manifest: None, bytes(image))
    with pytest.raises(ProgramError, match=f"{PROGRAM_FILE}: not a program of instruction set version {ISA_VERSION}"):
        load_program(folder)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traced") / "program"
    examples.small_program(trace=True).save(folder)
    load_program(folder)
    return folder


@pytest.fixture
def forged(traced: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(traced, tmp_path / "forged"))


@pytest.mark.parametrize("case", FORGERIES)
def test_a_record_that_cannot_be_true_is_refused(forged: Path, case: str) -> None:
    change, message = FORGERIES[case]
    examples.forge_program(forged, change)
    with pytest.raises(ProgramError, match=rf"^{forged}: .*({message}).*; compile the model again$"):
        load_program(forged)


def test_the_largest_scale_may_be_that(forged: Path) -> None:
    examples.forge_program(forged, first("outputs", scale=1e30))
    assert load_program(forged).manifest.outputs[0].scale == 1e30


@pytest.mark.parametrize("name", ["input_bytes", "output_bytes"])
@pytest.mark.parametrize("size", REGIONS)
def test_a_region_has_the_size_that_the_program_needs(forged: Path, name: str, size: int) -> None:
    """The header of program.bin says the same as the manifest."""
    image = bytearray((forged / PROGRAM_FILE).read_bytes())
    at = {"input_bytes": 24, "output_bytes": 32}[name]
    image[at : at + 8] = (size & (1 << 64) - 1).to_bytes(8, "little")
    examples.forge_program(forged, lambda manifest: manifest.update({name: size}), image)
    message = f"{name} must|does not fit 64 bits|is not legal"
    if (name, size) == ("output_bytes", 1 << 31):  # the most that a region may have, and more than is written
        message = "output_bytes is .*, the instructions write up to"
    with pytest.raises(ProgramError, match=rf"({message}).*; compile the model again$"):
        load_program(forged)


def test_where_heads_write_last_the_region_ends_there(tmp_path: Path) -> None:
    """A dense model stores nothing behind its heads' outputs."""
    micro = load_model_config("micro")
    heads = (TaskConfig("features", "features", micro.width),)  # 100 rows, more than a region's granule of 4 KiB
    config = replace(micro, moe_blocks=(), tasks=heads, head_cells=1, image_height=160, image_width=160)
    hardware = load_hardware_config("micro")
    model = quantise(config, examples.random_tensors(config), examples.plain_calibration(config), hardware.numbers)
    dense = compile_model(model, [task.name for task in config.tasks], hardware)
    assert dense.manifest.output_bytes > REGION_ALIGNMENT
    dense.save(tmp_path / "dense")
    assert load_program(tmp_path / "dense").manifest == dense.manifest
    size = dense.manifest.output_bytes + REGION_ALIGNMENT
    image = bytearray((tmp_path / "dense" / PROGRAM_FILE).read_bytes())
    image[32:40] = size.to_bytes(8, "little")
    examples.forge_program(tmp_path / "dense", lambda manifest: manifest.update(output_bytes=size), bytes(image))
    with pytest.raises(ProgramError, match=r"output_bytes is .*, the instructions write up to"):
        load_program(tmp_path / "dense")


@pytest.mark.parametrize("classes", [1, 32])
def test_a_region_may_be_filled_up_and_records_touch_or_be_of_one_value(tmp_path: Path, classes: int) -> None:
    """A row of one feature, or a whole line of memory, each. The last granule belongs to what is written."""
    micro, hardware = load_model_config("micro"), load_hardware_config("micro")
    tasks = tuple(TaskConfig(name, "classification", classes, pool="class") for name in ("first", "second"))
    config = replace(micro, moe_blocks=(), tasks=tasks, head_cells=1)
    model = quantise(config, examples.random_tensors(config), examples.plain_calibration(config), hardware.numbers)
    program = compile_model(model, ["first", "second"], hardware)
    assert [(each.rows, each.features) for each in program.manifest.outputs] == [(1, classes)] * 2
    assert [each.address for each in program.manifest.outputs] == [0, 64]
    program.save(tmp_path / "one")
    assert load_program(tmp_path / "one").manifest == program.manifest
    image = bytearray((tmp_path / "one" / PROGRAM_FILE).read_bytes())
    image[32:40] = REGION_ALIGNMENT.to_bytes(8, "little")
    examples.forge_program(
        tmp_path / "one", lambda manifest: manifest.update(output_bytes=REGION_ALIGNMENT), bytes(image)
    )
    assert load_program(tmp_path / "one").manifest.output_bytes == REGION_ALIGNMENT


def test_a_file_beyond_two_gib_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, size = np.fromfile, (1 << 31) + 64
    os.truncate(folder / WEIGHTS_FILE, size)
    monkeypatch.setattr(np, "fromfile", lambda path, dtype: None if "weights" in path.name else real(path, dtype))
    with pytest.raises(ProgramError, match=f"weights.bin: {size} bytes is not a size that this file can have"):
        load_program(folder)


@pytest.mark.parametrize("change", ["none", "illegal", "unknown"])
def test_instructions_are_legal_and_there(forged: Path, change: str) -> None:
    words = np.frombuffer((forged / PROGRAM_FILE).read_bytes(), dtype="<u4").reshape(-1, 16).copy()
    if change == "none":
        words = words[:1]
        words[0, 3] = 0
    else:
        words[1, 0 if change == "unknown" else 1] = 0xFF
    examples.forge_program(forged, lambda _: None, words.tobytes())
    message = {"none": "there are no instructions", "illegal": "is not legal", "unknown": "the opcode is unknown"}
    with pytest.raises(ProgramError, match=rf"{message[change]}.*; compile the model again$"):
        load_program(forged)


@pytest.mark.parametrize("text", ['"scale": NaN', '"scale": Infinity', '"scale": 1, "scale": 1'])
def test_numbers_and_keys_of_a_manifest_are_plain(forged: Path, text: str) -> None:
    path = forged / MANIFEST_FILE
    plain = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'"scale": [0-9.e-]+', text, plain, count=1), encoding="utf-8")
    with pytest.raises(ProgramError, match=r"(is not finite|stands twice).*; compile the model again$"):
        load_program(forged)


def test_a_program_replaces_an_older_program_only(program: Program, folder: Path, tmp_path: Path) -> None:
    program.save(folder)
    load_program(folder)
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter1.tex").write_text("…", encoding="utf-8")
    with pytest.raises(ProgramError, match="not a program folder"):
        program.save(precious)
    assert [path.name for path in precious.iterdir()] == ["chapter1.tex"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["program", "thesis"]


@pytest.mark.parametrize("before", [False, True])
def test_a_full_disk_leaves_the_old_program_or_none(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    if before:
        program.save(tmp_path / "program")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        program.save(tmp_path / "program")
    assert [path.name for path in tmp_path.iterdir()] == (["program"] if before else [])
    if before:
        assert np.array_equal(load_program(tmp_path / "program").stream, program.stream)
