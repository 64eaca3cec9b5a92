"""A headless Chromium, driven through its DevTools protocol: enough to open a page, press, look and take pictures."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 30.0  # seconds


def find_browser() -> str | None:
    """Path of a Chromium, None without one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Page:
    """One page. complaints: what it wrote to the console as errors, and exceptions that nothing caught."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One call of the protocol."""
        number = next(self._numbers)
        await self._connection.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            received = await self._connection.read_message()
            assert received is not None, "the browser is gone"
            message = json.loads(received)
            if message.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(message["params"]["exceptionDetails"]["exception"].get("description", "?"))
            if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                self.complaints.append(message["params"]["entry"]["text"])
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    async def value(self, script: str) -> Any:
        """Value of an expression in the page."""
        found = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def wait_for(self, script: str) -> Any:
        """Wait until an expression is true; its value."""
        deadline = time.monotonic() + _PATIENCE
        while not (value := await self.value(script)):
            assert time.monotonic() < deadline, f"never true: {script}; {self.complaints}"
            await self.value("new Promise((resolve) => setTimeout(resolve, 50))")
        return value

    async def size(self, width: int, height: int, dark: bool = True) -> None:
        """Size of the window, in pixels, and what its user prefers."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def press(self, key: str, text: str = "") -> None:
        """One key; text: what it writes."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, **({"text": text} if text else {}))

    async def picture(self, whole: bool = False) -> bytes:
        """What is to be seen as PNG; whole: of the page, also what one has to scroll to."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])


@contextlib.asynccontextmanager
async def opened(address: str, folder: Path) -> AsyncIterator[Page]:
    """A page at `address` in a browser of its own, whose files lie in `folder`."""
    program = find_browser()
    assert program is not None
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run"]
    command = [program, *options, f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = _port(folder)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
                target = next(each for each in json.load(answer) if each["type"] == "page")
            connection = await websocket_connect(target["webSocketDebuggerUrl"], max_message_size=1 << 28)
            page = Page(connection)
            for domain in ("Page", "Runtime", "Log"):
                await page.call(f"{domain}.enable")
            await page.call("Page.navigate", url=address)
            yield page
            connection.close()
        finally:
            process.kill()


def _port(folder: Path) -> int:
    """The port that the browser has chosen."""
    file, deadline = folder / "DevToolsActivePort", time.monotonic() + _PATIENCE
    while not (file.is_file() and file.read_text().strip()):
        assert time.monotonic() < deadline, "the browser does not start"
        time.sleep(0.05)
    return int(file.read_text().split()[0])
