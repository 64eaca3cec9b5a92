"""Reports of Vitis HLS, written by hand to its format, are set beside what is expected; what is none is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgemoe.spec.hardware import load_hardware_config
from tests.checks.vitis_report import Loop, Report, ReportError, compare, intervals, main, read

PART = load_hardware_config("zcu102").part
COUNTS = {"dsp": 1590.0, "bram36": 885.5, "uram": 0.0}


def loop(name: str, interval: int, depth: int, trips: str = "100") -> str:
    body = f"<TripCount>{trips}</TripCount><Latency>400</Latency>"
    body += f"<PipelineII>{interval}</PipelineII><PipelineDepth>{depth}</PipelineDepth>"
    return f"<{name}><Name>{name}</Name>{body}</{name}>"


def module(name: str, loops: str) -> str:
    summary = f"<SummaryOfLoopLatency>{loops}</SummaryOfLoopLatency>"
    return f"<Module><Name>{name}</Name><PerformanceEstimates>{summary}</PerformanceEstimates></Module>"


def report_text(
    array: int = 1, depth: int = 70, clock: str = "2.431", dsp: str = "1650", bram: str = "1760", fetch: bool = True
) -> str:
    """As Vitis writes it: loops in the top, or, more often, pipelined in modules of their own."""
    modules = module("edgemoe_top_Pipeline_ARRAY", loop("ARRAY", array, depth))
    modules += module("fetch_weights_Pipeline_FETCH", loop("FETCH", 1, 12)) if fetch else ""
    modules += module("execute_program", f"<TABLES><TripCount>1 ~ 2</TripCount></TABLES>{loop('ROWS', 4, 60)}")
    return f"""<profile>
  <ReportVersion><Version>2025.2</Version></ReportVersion>
  <UserAssignments>
    <unit>ns</unit><ProductFamily>zynquplus</ProductFamily><Part>{PART}</Part>
    <TopModelName>edgemoe_top</TopModelName><TargetClockPeriod>3.333</TargetClockPeriod>
  </UserAssignments>
  <PerformanceEstimates>
    <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>{clock}</EstimatedClockPeriod></SummaryOfTimingAnalysis>
    <SummaryOfLoopLatency></SummaryOfLoopLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources><BRAM_18K>{bram}</BRAM_18K><DSP>{dsp}</DSP><FF>1</FF><LUT>1</LUT><URAM>0</URAM></Resources>
    <AvailableResources><BRAM_18K>1824</BRAM_18K><DSP>2520</DSP></AvailableResources>
  </AreaEstimates>
  <ModuleInformation>{modules}</ModuleInformation>
</profile>
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "hls/syn/report/csynth.xml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_report_is_found_and_read(tmp_path: Path) -> None:
    path = written(tmp_path, report_text())
    loops = (Loop("ARRAY", 1, 70), Loop("FETCH", 1, 12), Loop("ROWS", 4, 60))
    assert read(tmp_path) == read(path)
    assert read(path) == Report("edgemoe_top", PART, 2.431, loops, {"dsp": 1650, "bram36": 880, "uram": 0})


def worse(text: str, folder: Path, counts: dict[str, float] = COUNTS) -> list[tuple[str, str]]:
    rows = compare(read(written(folder, text)), "zcu102", counts)
    return [(row.what, row.verdict) for row in rows if row.verdict.isupper()]


def test_what_is_expected_is_no_complaint(tmp_path: Path) -> None:
    assert worse(report_text(), tmp_path) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (report_text(array=4), ("ARRAY: interval", "SLOWER")),
        (report_text(depth=111), ("ARRAY: depth", "DEEPER")),
        (report_text(clock="3.334"), ("clock, ns", "SLOWER")),
        (report_text(dsp="1750"), ("dsp", "MORE")),
        (report_text(bram="1950"), ("bram36", "MORE")),
        (report_text(fetch=False), ("FETCH: interval", "MISSING")),
    ],
)
def test_what_is_worse_is_said(text: str, complaint: tuple[str, str], tmp_path: Path) -> None:
    assert worse(text, tmp_path) == [complaint]


def test_without_counts_resources_are_not_judged(tmp_path: Path) -> None:
    assert worse(report_text(dsp="9999"), tmp_path, {}) == []


def test_every_loop_with_a_pipeline_has_an_expected_interval() -> None:
    assert intervals("zcu102") == {
        **dict.fromkeys(("ARRAY", "FETCH", "READ", "DROP", "PAIRS", "SUMS", "ROOTS", "OUTPUTS", "VECTORS"), 1),
        **dict.fromkeys(("WORDS", "ELEMENTS"), 1),
        "ROWS": 4,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("== Vitis HLS Report for 'edgemoe_top'\n", "not a report of Vitis HLS"),
        ("<profile></profile>", "no AreaEstimates or no timing"),
        ("<!DOCTYPE profile [<!ENTITY a 'b'>]><profile>&a;</profile>", "with a document type"),
        (report_text(dsp="many"), "'many' stands where a report of Vitis HLS has a number"),
        (report_text(clock=""), "'' stands where"),
    ],
)
def test_another_file_is_refused_in_words(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=message):
        read(written(tmp_path, text))


def test_an_empty_folder_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"no csynth\.xml in this folder"):
        read(tmp_path)
    with pytest.raises(ReportError, match="cannot be read"):
        read(tmp_path / "csynth.xml")


def test_the_command_prints_a_table_and_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, report_text(array=2))
    monkeypatch.setattr("sys.argv", ["vitis_report", str(path), "--shape", "kv260"])
    assert main() == 1
    text = capsys.readouterr().out
    assert f"the report is for {PART}, shape kv260 for xck26" in text
    assert "SLOWER" in text
    monkeypatch.setattr("sys.argv", ["vitis_report", str(tmp_path / "none.xml")])
    assert main() == 2
