"""torch's files from strangers: small ones that would become large in memory are refused before torch reads them."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe_golden.importing.states import read_file
from edgemoe_golden.importing.torch_files import load_torch

STATE = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}
LARGE = b"\x8a\x05\x00\x00\x00\x00\x02"  # 8 GiB as a number of a pickle


def saved(archive: bool = True, content: object = STATE) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=archive)
    return file.getvalue()


def repacked(change: Callable[[list[tuple[str, bytes]]], object], method: int = zipfile.ZIP_STORED) -> bytes:
    """The archive of torch with other members."""
    with zipfile.ZipFile(io.BytesIO(saved())) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def with_pickle(program: bytes) -> bytes:
    """The archive of torch with another pickle."""

    def change(members: list[tuple[str, bytes]]) -> None:
        at = next(index for index, (name, _) in enumerate(members) if name.endswith("data.pkl"))
        members[at] = members[at][0], program

    return repacked(change)


def old_with_pickle(program: bytes) -> bytes:
    """A file without archive: three pickles, then the objects."""
    file = io.BytesIO(saved(archive=False))
    for _ in range(3):
        pickle.load(file)
    start = file.tell()
    return file.getvalue()[:start] + program


def lies_about_sizes() -> bytes:
    """A member that says it is larger than the file, stored and unpacked alike."""
    content = bytearray(repacked(lambda members: members))
    entry = content.index(b"PK\x01\x02")
    for at in (entry + 20, entry + 24):
        content[at : at + 4] = (3 << 30).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def twice() -> bytes:
    return repacked(lambda members: members.append(members[0]))


NESTED = b"N\x85" + b"q\x00h\x00\x86" * 60  # a tuple of two tuples of two tuples …: 2^60 values to hash
FOREIGN = "no torch file or holds objects other than tensors and numbers"
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "a member that grows": (lambda: repacked(lambda m: m.append(("x", bytes(1 << 20))), zipfile.ZIP_DEFLATED),
                            "its members are compressed, which torch never does"),
    "a member beyond the file": (lies_about_sizes, "its members are larger than the file"),
    "a member twice": (twice, "a member stands twice"),
    "something before the archive": (lambda: b"PK\x03\x04" + saved(), "something before the first"),
    "bytearray(8 GiB)": (lambda: with_pickle(b"\x80\x02cbuiltins\nbytearray\n" + LARGE + b"\x85R."),
                         rf"{FOREIGN}.*it calls 'builtins\.bytearray'"),
    "FloatTensor(8 Gi)": (lambda: with_pickle(b"\x80\x02ctorch\nFloatTensor\n" + LARGE + b"\x85R."),
                          rf"{FOREIGN}.*it calls 'torch\.FloatTensor'"),
    "a call from the memo": (lambda: with_pickle(b"\x80\x02cbuiltins\nbytearray\nq\x050h\x05" + LARGE + b"\x85R."),
                             r"it calls 'builtins\.bytearray'"),
    "a call by NEWOBJ": (lambda: with_pickle(b"\x80\x02cbuiltins\nbytearray\n" + LARGE + b"\x85\x81."),
                         r"it calls 'builtins\.bytearray'"),
    "the same in an old file": (lambda: old_with_pickle(b"\x80\x02cbuiltins\nbytearray\n" + LARGE + b"\x85R."),
                                r"it calls 'builtins\.bytearray'"),
    "a key that takes for ever": (lambda: with_pickle(b"\x80\x02}" + NESTED + b"Ns."), "a tuple of more than 10,000"),
    "a pickle that takes what is not there": (lambda: with_pickle(b"\x80\x02R."), "not a readable torch file"),
    "a pickle without end": (lambda: with_pickle(b"\x80\x02N"), "not a readable torch file"),
    "a text that ends lines": (lambda: saved().replace(b"little", b"l\n\x00\x1b[2"), "not a readable torch file"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("case", REFUSED)
def test_little_does_not_become_much(tmp_path: Path, case: str) -> None:
    make, message = REFUSED[case]
    path = tmp_path / "x.pth"
    path.write_bytes(make())
    with pytest.raises(CheckpointError, match=rf"^{path}: .*{message}") as caught:
        read_file(path)
    assert str(caught.value).isprintable()


def test_a_key_that_is_no_name_is_shown_shortly(tmp_path: Path) -> None:
    torch.save({("a", "b") * 500: STATE["a"]}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match="a tensor under the key tuple of 1,000; expected names"):
        read_file(tmp_path / "x.pth")


@pytest.mark.parametrize("archive", [True, False], ids=["archive", "old"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_what_training_saves_is_read(tmp_path: Path, archive: bool, wrapped: bool) -> None:
    """Tensors of all kinds of storages, parameters, optimizer, best result; by both of torch's formats."""
    state = OrderedDict(STATE, c=torch.nn.Parameter(torch.ones(2)), d=torch.arange(9)[2:5], e=torch.zeros(0))
    state["f"] = state["d"]
    optimizer = {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"betas": (0.9, 0.999), "params": [0]}]}
    result = {"mIoU": np.float64(0.5), "n": np.int64(3), "kind": np.dtype("float32"), "shape": torch.Size([2, 3])}
    content = {"state_dict": state, "optimizer": optimizer, "best_result": result} if wrapped else state
    path = tmp_path / "x.pth"
    path.write_bytes(saved(archive, content))
    loaded = load_torch(path)
    for name, value in (loaded["state_dict"] if wrapped else loaded).items():
        assert torch.equal(value, state[name])
    if wrapped:
        assert loaded["best_result"] == result
        assert loaded["optimizer"]["param_groups"] == optimizer["param_groups"]
