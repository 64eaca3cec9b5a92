"""`make bench-dense`: frames are counted once, kept, counted again for another RTL, shown beside published designs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import dense_frames
from benchmarks.dense_frames import NETWORKS, main, table
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.model import ModelConfig


class Bench:
    """Stands in for the simulation; `rtl` is the name of its build, `dies` the network that it does not survive."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, str]] = []
        self.rtl, self.dies = "first", ""

    def build(self, hardware: HardwareConfig) -> Path:
        return Path(f"{hardware.name}-{self.rtl}") / "library"

    def count(self, config: ModelConfig, hardware: HardwareConfig) -> SimpleNamespace:
        if config.name == self.dies:
            raise KeyboardInterrupt
        self.counted.append((config.name, hardware.name))
        manifest = SimpleNamespace(model=config, hardware=hardware)
        return SimpleNamespace(
            program=SimpleNamespace(manifest=manifest),
            instructions=[SimpleNamespace(predicted=2_999_999)],
            counters={"mac_busy_cycles": 1_500_000, "bytes_read": 1},
            cycles=3_000_000,
            bit_exact=True,
            seconds=1.0,
        )


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    own = Bench()
    monkeypatch.setattr(dense_frames, "REPORT", tmp_path / "bench_dense.json")
    monkeypatch.setattr(dense_frames, "library_path", own.build)
    monkeypatch.setattr(dense_frames, "counted", own.count)
    return own


FRAMES = [(network.name, shape) for network in NETWORKS for shape in ("zcu102_vit", "kv260_stream")]


def test_what_does_not_fit_is_left_out_with_the_numbers(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--networks", "deit_small", "--hardware", "kv260"]) == 0
    assert bench.counted == []
    text = capsys.readouterr().out
    assert "left out: model 'deit_small' does not fit hardware 'kv260'; " in text
    assert "LayerNorm width: needs 384 features, there are 192" in text


def test_a_run_goes_on_where_it_was_and_counts_again_for_another_rtl(bench: Bench) -> None:
    bench.dies = "deit_small"
    with pytest.raises(KeyboardInterrupt):
        main([])
    bench.dies = ""
    assert main([]) == 0
    assert bench.counted == FRAMES
    bench.rtl = "second"
    assert main(["--networks", "deit_tiny"]) == 0
    assert bench.counted == [*FRAMES, *FRAMES[:2]]
    kept = json.loads(dense_frames.REPORT.read_text())["frames"]
    assert sorted((row["model"], row["hardware"]) for row in kept.values()) == sorted(FRAMES)
    assert sum(name.endswith("second") for name in kept) == 2


def test_a_frame_that_differs_from_golden_ends_the_run_with_1(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(config: ModelConfig, hardware: HardwareConfig) -> SimpleNamespace:
        frame = bench.count(config, hardware)
        frame.bit_exact = False
        return frame

    monkeypatch.setattr(dense_frames, "counted", differs)
    assert main(["--networks", "deit_tiny"]) == 1


def test_what_is_kept_of_a_frame_comes_from_the_rtl() -> None:
    """A dense network that the small shape holds; any class of shape or network goes the same way."""
    small = replace(NETWORKS[0].config, name="small_dense", image_height=32, image_width=48, width=32, depth=1, heads=2)
    frame = dense_frames.counted(small, load_hardware_config("micro"))
    found = dense_frames.row(frame)
    assert found["bit_exact"]
    assert (found["model"], found["hardware"], found["tokens"]) == ("small_dense", "micro", 7)
    assert found["mac_busy_cycles"] < found["cycles"] < 3 * found["predicted"]


def test_published_designs_stand_beside_frames_of_the_same_size(bench: Bench) -> None:
    main([])
    rows = list(json.loads(dense_frames.REPORT.read_text())["frames"].values())
    lines = [line.split() for line in table(rows).splitlines()]
    own = [line for line in lines if "zcu102_vit" in line]
    assert [line[0] for line in own] == [network.name for network in NETWORKS]
    assert all({"3,000,000", "2,999,999", "10.000", "50.0", "True"} <= set(line) for line in own)
    assert [line[0] for line in lines].index("ViT-T") < [line[0] for line in lines].index("deit_small")
    assert any(line[0] == "DeiT-S" and "Auto-ViT-Acc," in line and "10.030" in line for line in lines)
