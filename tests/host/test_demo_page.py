"""The page of the demonstration in a headless Chromium: frames, keys, clicks, and a telephone's width."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("tornado", reason="needs the extra 'demo'")

from tests.examples.browser import Page, find_browser, opened
from tests.examples.program import write_checkpoint
from tests.host.test_demo import served

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_browser() is None, reason="needs Chromium")]


def text(name: str) -> str:
    return f"document.getElementById('{name}').textContent"


async def shown(page: Page, number: int = 1) -> np.ndarray:
    """Pixels of the canvas of tile `number`, when something is on it."""
    canvas = f"document.querySelectorAll('.tile canvas')[{number}]"
    size = f"{canvas}.width, {canvas}.height"
    script = f"[...{canvas}.getContext('2d').getImageData(0, 0, {size}).data]"
    await page.wait_for(f"{script}.some((value, index) => index % 4 < 3 && value)")
    return np.array(await page.value(script))


def test_the_page_shows_frames_and_obeys(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "micro")

    async def look() -> None:
        async with served(checkpoint) as (server, show), opened(server.url, tmp_path / "browser") as page:
            await page.size(1400, 900)
            await page.wait_for(f"/ms/.test({text('accelerator')}) && /[0-9]/.test({text('rate')})")
            assert await page.value("location.search") == "", "the token is gone from the address"
            assert await page.value("document.querySelectorAll('.tile').length") == 5
            for number in range(5):
                await shown(page, number)

            await page.press(" ", " ")
            await page.wait_for(f"{text('pause')} == 'Go on'")
            assert show.paused
            before = await shown(page, 0)
            await page.press(".", ".")
            for _ in range(100):
                if not np.array_equal(before, await shown(page, 0)):
                    break
            else:
                raise AssertionError("a step shows another frame")

            await page.press("1", "1")
            await page.wait_for("!document.querySelector('#tasks input').checked")
            await page.press(".", ".")
            await page.wait_for("document.querySelectorAll('.tile')[1].hidden")
            assert show.tasks == ["depth"]

            await page.value("document.querySelectorAll('.experts')[1].children[2].click()")
            pressed = "document.querySelectorAll('.experts')[1].children[2].getAttribute('aria-pressed')"
            assert await page.value(pressed) == "true"
            await page.value("document.getElementById('pause').click()")
            await page.wait_for(f"{text('pause')} == 'Pause'")

            for width in (390, 320):
                await page.size(width, 844, dark=False)
                assert await page.value("document.documentElement.scrollWidth") <= width, "nothing is cut off"
            with Image.open(io.BytesIO(await page.picture())) as picture:
                assert np.asarray(picture.convert("L")).mean() > 128, "light for who prefers it"
            focus = "document.activeElement.id || document.activeElement.tagName"
            await page.value("document.getElementById('pause').focus()")
            await page.press("Tab")
            assert await page.value(focus) in ("step", "INPUT"), "controls are reached by the keyboard"
            assert page.complaints == []

    asyncio.run(look())
