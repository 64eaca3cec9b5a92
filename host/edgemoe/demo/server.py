"""The page's server: Tornado on one address of this computer, for whoever has the token."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

from edgemoe.demo.show import Show
from edgemoe.errors import ArgumentError
from edgemoe.media.errors import reason

_FILES = Path(__file__).resolve().parent / "page"
_MOST_COMMAND = 4096  # bytes that a page may send
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class DemoServer:
    """Serves the page of one show.

    about: the message about the model. host, port: the address to listen on, port 0 any that is free.
    Raises ArgumentError where that address cannot be had. `url` has the token, without which nothing is answered.
    """

    def __init__(self, about: dict[str, Any], host: str, port: int) -> None:
        self.token = secrets.token_urlsafe(24)
        self.about = json.dumps(about)
        self.show: Show | None = None
        self.sockets: set[FrameSocket] = set()
        try:
            listening = tornado.netutil.bind_sockets(port, host, family=socket.AF_UNSPEC)
        except (OSError, UnicodeError, OverflowError) as error:
            why = reason(error) if isinstance(error, OSError) else str(error)
            raise ArgumentError(f"{host}, port {port} cannot be served: {why}; choose another --port") from error
        self.port: int = listening[0].getsockname()[1]
        self.cookie = f"edgemoe-{self.port}"
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/?token={self.token}"
        handlers: list[Any] = [
            (r"/", PageHandler, {"server": self}),
            (r"/frames", FrameSocket, {"server": self}),
            (r"/(page\.css|page\.js|paint\.js)", FileHandler, {"server": self, "path": str(_FILES)}),
        ]
        self._http = tornado.httpserver.HTTPServer(tornado.web.Application(handlers, log_function=lambda handler: None))
        self._http.add_sockets(listening)

    def publish(self, message: bytes) -> None:
        """Hand a frame on to every page that is ready for one; in the thread of the server."""
        for each in list(self.sockets):
            each.offer(message)

    def tell_state(self) -> None:
        """Tell every page what the show does now."""
        if self.show is not None:
            state = {"type": "state", "paused": self.show.paused, "tasks": self.show.tasks}
            for each in list(self.sockets):
                each.send(json.dumps(state))

    def close(self) -> None:
        """Stop listening, and end all pages."""
        self._http.stop()
        for each in list(self.sockets):
            each.close(1001, "the demonstration has ended")

    def admits(self, handler: tornado.web.RequestHandler) -> bool:
        """Whether a request brings the token, in its address or in the cookie that it was given for it."""
        given = handler.get_query_argument("token", "") or handler.get_cookie(self.cookie, "") or ""
        return hmac.compare_digest(given.encode(), self.token.encode())


class _Handler(tornado.web.RequestHandler):
    """What all answers have in common."""

    server: DemoServer

    def initialize(self, server: DemoServer) -> None:
        """Tornado's constructor."""
        self.server = server

    def set_default_headers(self) -> None:
        """On errors, too."""
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        """Without the token: nothing."""
        if not self.server.admits(self):
            raise tornado.web.HTTPError(403)

    def write_error(self, status_code: int, **rest: Any) -> None:
        """One sentence, and nothing of what went wrong inside."""
        text = "Open the address that `edgemoe demo` has printed: it has the token." if status_code == 403 else ""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(text or f"{status_code}")


class PageHandler(_Handler):
    """The page; an address with the token is answered with a cookie, so that the token does not stay in the address."""

    def get(self) -> None:
        """GET /."""
        if self.get_query_argument("token", ""):
            self.set_cookie(self.server.cookie, self.server.token, path="/", httponly=True, samesite="Strict")
            self.redirect("/")
            return
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish((_FILES / "page.html").read_bytes())


class FileHandler(_Handler, tornado.web.StaticFileHandler):
    """Style and code of the page."""

    def initialize(self, server: DemoServer, path: str) -> None:  # type: ignore[override]
        """Both parents'."""
        self.server = server
        tornado.web.StaticFileHandler.initialize(self, path)


class FrameSocket(tornado.websocket.WebSocketHandler):
    """Frames to one page, one at a time: the next one when it has drawn the last; and its commands back."""

    def initialize(self, server: DemoServer) -> None:
        """Tornado's constructor."""
        self._server = server
        self._ready = False
        self._sent: bytes | None = None

    def prepare(self) -> None:
        """Without the token: nothing. Pages of other places are refused by Tornado's check of the origin."""
        if not self._server.admits(self):
            raise tornado.web.HTTPError(403)

    def open(self, *arguments: str) -> None:
        """A page is there."""
        self._server.sockets.add(self)
        self.send(self._server.about)
        self._server.tell_state()
        self._ready = True
        if self._server.show is not None:
            self._server.show.watch(True)
            if self._server.show.newest is not None:
                self.offer(self._server.show.newest)

    def on_close(self) -> None:
        """It is gone; without any page the show rests."""
        self._server.sockets.discard(self)
        if self._server.show is not None and not self._server.sockets:
            self._server.show.watch(False)

    def on_message(self, message: str | bytes) -> None:
        """A command; what is none is left alone."""
        show = self._server.show
        if len(message) > _MOST_COMMAND or show is None:
            return
        with contextlib.suppress(ValueError, RecursionError):
            command = json.loads(message)
            if not isinstance(command, dict):
                return
            self._obey(command, show)

    def _obey(self, command: dict[str, Any], show: Show) -> None:
        if command.get("ready") is True:
            self._ready = True
            if show.newest is not None and show.newest is not self._sent:
                self.offer(show.newest)
        if command.get("step") is True:
            show.step()
        if isinstance(command.get("pause"), bool):
            show.pause(command["pause"])
        if isinstance(command.get("tasks"), list):
            show.choose([str(name) for name in command["tasks"]])
        if not command.get("ready"):
            self._server.tell_state()

    def offer(self, message: bytes) -> None:
        """Send a frame if the page is ready for it."""
        if self._ready:
            self._ready, self._sent = False, message
            self.send(message)

    def send(self, message: str | bytes) -> None:
        """Words as text, frames as bytes."""
        with contextlib.suppress(tornado.websocket.WebSocketClosedError):
            self.write_message(message, binary=isinstance(message, bytes))


async def serve(server: DemoServer, show: Show, on_ready: Callable[[], None]) -> None:
    """Run a show until it ends by an error, or this is cancelled."""
    server.show = show
    on_ready()
    show.start()
    try:
        while show.error is None:
            await asyncio.sleep(0.2)
    finally:
        server.close()
        show.stop()
