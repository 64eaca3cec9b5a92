"""The fuzzer finds what is planted, keeps it in a file and repeats it; its programs reach the whole instruction set."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from edgemoe.devices.base import DeviceError
from edgemoe.devices.csim import build as csim
from edgemoe.devices.rtl import build as rtl
from edgemoe.spec.isa import OPTIONS, USED_FIELDS, WIDE_INNER, WIDE_TOKENS, Opcode, raw_fields
from edgemoe.spec.names import path_part
from tests.fuzz import planted
from tests.fuzz.__main__ import main
from tests.fuzz.campaign import Budget, Campaign, Tally, replay
from tests.fuzz.engines import TAKEN, build
from tests.fuzz.programs import Generator
from tests.fuzz.target import Target

CASES = 20


@pytest.fixture(scope="module")
def tallies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tally]:
    """Of one campaign over all planted readers."""
    campaign = Campaign(list(planted.READERS), 1, tmp_path_factory.mktemp("kept"))
    return {tally.target.name: tally for tally in campaign.run(Budget(cases=CASES))}


@pytest.mark.parametrize("target", planted.READERS, ids=lambda target: target.name.split(":")[1])
def test_a_planted_fault_is_found_kept_and_repeated(target: Target, tallies: dict[str, Tally]) -> None:
    (path,) = tallies[target.name].kept
    with zipfile.ZipFile(path) as archive:
        facts = json.loads(archive.read("case.json"))
        assert any(archive.read("in/x.bin"))
    assert (facts["target"], facts["seed"]) == (target.name, 1)
    assert path.name.startswith(f"{path_part(target.name)}-seed1-{facts['number']}")
    assert planted.READERS[target] in facts["fault"]
    again, fault = replay(path)
    assert again == facts
    assert fault is not None
    assert planted.READERS[target] in fault


def test_the_command_says_how_to_repeat_a_fault_and_when_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = planted.TRACEBACK.name
    assert main(["--only", name, "--cases", str(CASES), "--out", str(tmp_path)]) == 1
    (path,) = tmp_path.iterdir()
    assert f"make fuzz REPLAY={path}" in capsys.readouterr().out
    assert main(["--replay", str(path)]) == 1
    monkeypatch.setenv(planted.MENDED, "1")
    assert main(["--replay", str(path)]) == 0
    assert capsys.readouterr().out.endswith("ends well now\n")


def test_every_case_is_counted_whatever_happens_to_the_process(tallies: dict[str, Tally]) -> None:
    assert {tally.cases for tally in tallies.values()} == {CASES}
    assert all(0 < tally.places.total() < CASES for tally in tallies.values())


def test_the_same_seed_gives_the_same_cases(tmp_path: Path) -> None:
    for number in range(20):
        contents = set()
        for attempt in range(2):
            folder = tmp_path / f"{number}-{attempt}"
            folder.mkdir()
            planted.TRACEBACK.make(folder, planted.TRACEBACK.rng(3, number))
            contents.add((folder / "x.bin").read_bytes())
        assert len(contents) == 1


def test_one_wrong_bit_of_an_engine_is_found(tmp_path: Path) -> None:
    """In the result of the first ATTENTION; and its programs stand in the file, so that the case can be repeated."""
    (tally,) = Campaign([planted.WRONG_BIT], 1, tmp_path).run(Budget(cases=12))
    assert any("bytes of the output differ" in place for place in tally.places)
    assert main(["--replay", str(tally.kept[0])]) == 1


def test_legal_programs_use_all_opcodes_and_vary_all_fields() -> None:
    """A field that the instruction set gains, and that is always the same here, fails."""
    found: dict[tuple[Opcode, str], set[int]] = defaultdict(set)
    for hardware in (build("w8a8"), build("w8a8", OPTIONS), build("w16a16")):
        for seed in range(40):
            for words in Generator(hardware, np.random.default_rng(seed)).legal().words:
                values = raw_fields(words)
                for name in USED_FIELDS[Opcode(values["opcode"])]:
                    found[Opcode(values["opcode"]), name].add(values[name])
    one_size = set(Opcode) - {Opcode.EXPERTS, Opcode.REPEAT}
    fixed = {"segments": one_size, "address_high": set(Opcode), "rows": {Opcode.REPEAT}}
    wanted = {(opcode, name) for opcode, names in USED_FIELDS.items() for name in names}
    wanted -= {(opcode, name) for name, opcodes in fixed.items() for opcode in opcodes}
    same = sorted(f"{key[0].name}.{key[1]}" for key in wanted if len(found[key]) < 2)
    assert not same, f"always the same in random programs: {same}"


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("engine", TAKEN)
def test_no_engine_takes_an_option_that_is_not_fuzzed(engine: str, option: str) -> None:
    if option in TAKEN[engine]:
        return
    options = (WIDE_TOKENS, option) if option == WIDE_INNER else (option,)
    with pytest.raises(DeviceError, match="does not take hardware"):
        (csim if engine == "csim" else rtl).library_path(build("w8a8", options))
