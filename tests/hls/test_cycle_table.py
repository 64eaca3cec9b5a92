"""The table of cycles in docs/hardware/hls.md is what both models say today; the schedule keeps its bounds."""

from __future__ import annotations

import pytest

from benchmarks.hls_cycles import PAGE, page, steps


def test_the_table_of_the_page_is_fresh() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "stale: run `python -m benchmarks.hls_cycles --write`"


@pytest.mark.parametrize(("tasks", "most"), [(("semseg",), 550_000), ((), 950_000)], ids=["one task", "two tasks"])
def test_a_frame_of_tiny_takes_no_more_than_is_meant(tasks: tuple[str, ...], most: int) -> None:
    *kinds, total = steps("tiny", "zcu102", tasks)
    assert total.hls <= most
    assert total.hls == sum(kind.hls for kind in kinds)
    assert total.instructions == sum(kind.instructions for kind in kinds)
