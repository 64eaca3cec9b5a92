"""Session: one program on one device. Places it in memory, runs frames through the registers, reads results back.

with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
    result = session.run(frame)
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program, ProgramError
from edgemoe.control import Control
from edgemoe.devices.base import Bytes, Device
from edgemoe.frames import head_maps, input_image, routings
from edgemoe.media.results import FrameResult
from edgemoe.spec.isa import Opcode, raw_fields
from edgemoe.spec.memory import stripe
from edgemoe.spec.registers import IDENTITY

_SLOTS_IN_FLIGHT = 2


class SessionError(RuntimeError):
    """A run that did not end well; the message names the instruction and says what to do."""


class Session:
    """Holds a program's memory on a device; usable as a context manager, `close` gives the memory back.

    timeout: seconds that one frame may take. Raises ProgramError when the program was built for other hardware.
    """

    def __init__(self, program: Program, device: Device, timeout: float = 600.0) -> None:
        manifest, hardware = program.manifest, device.hardware
        if manifest.config_hash != hardware.hash():
            raise ProgramError(
                f"program was built for hardware '{manifest.hardware.name}' (0x{manifest.config_hash:08X}), the device "
                f"is '{hardware.name}' (0x{hardware.hash():08X}); compile for '{hardware.name}'"
            )
        self.program = program
        self.device = device
        self.timeout = timeout
        self._control = Control(device.read_register, device.write_register)
        self._addresses: dict[str, int] = {}
        self._identified = False
        try:
            self._place("program", program.image)
            for port, region in enumerate(stripe(program.stream, hardware.ports)):
                self._place(f"weights_{port}", region)
            self._slot(0)
        except BaseException:
            self.close()
            raise

    def run(self, frame: NDArray[np.uint8]) -> FrameResult:
        """One frame, uint8 H×W×3 RGB of the model's size → outputs, routing, timings and counters.

        Raises ValueError for a frame of another shape, SessionError for a fault or a device that does not finish.
        """
        return self._result(*self._execute(frame))

    def run_raw(self, frame: NDArray[np.uint8]) -> Bytes:
        """One frame → the bytes of the output region."""
        return self._execute(frame)[1]

    def stream(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[FrameResult]:
        """Frames one after the other → results in order, two frames in flight.

        While the accelerator works on one frame the host copies the next in and decodes the last, so a result comes
        when the following frame has been started. Raises as `run` does; the accelerator is at rest afterwards.
        """
        running: _Run | None = None
        try:
            for index, frame in enumerate(frames):
                following = self._prepare(frame, index % _SLOTS_IN_FLIGHT)
                if running:
                    self._finish(running)
                finished, running = running, following
                self._start(following)
                if finished:
                    yield self._result(finished, self._read(finished))
            if running:
                self._finish(running)
                finished, running = running, None
                yield self._result(finished, self._read(finished))
        finally:
            if running and running.started:
                self.device.stop()

    def counters(self) -> dict[str, int]:
        """Counters of the last run; those that the engine cannot know are left out."""
        return self._control.counters()

    def close(self) -> None:
        """Give the device's memory back; harmless to repeat."""
        while self._addresses:
            self.device.free(self._addresses.popitem()[1])

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _allocate(self, name: str, size: int) -> int:
        self._addresses[name] = self.device.allocate(size)
        return self._addresses[name]

    def _place(self, name: str, data: Bytes) -> None:
        self.device.write(self._allocate(name, data.size), data)

    def _slot(self, number: int) -> tuple[str, str]:
        """Names of the input and output regions of one frame in flight, allocated when first used."""
        names = (f"input{number or ''}", f"output{number or ''}")
        for name, size in zip(
            names, (self.program.manifest.input_bytes, self.program.manifest.output_bytes), strict=True
        ):
            if name not in self._addresses:
                self._allocate(name, size)
        return names

    def _execute(self, frame: NDArray[np.uint8]) -> tuple[_Run, Bytes]:
        run = self._prepare(frame, 0)
        try:
            self._start(run)
            self._finish(run)
        except BaseException:
            if run.started:
                self.device.stop()
            raise
        return run, self._read(run)

    def _prepare(self, frame: NDArray[np.uint8], slot: int) -> _Run:
        """Cut the frame and copy it in; the accelerator may be working on another slot."""
        if not self._addresses:
            raise SessionError("this session is closed; open a new one")
        clock = _Clock()
        image = input_image(frame, self.program.manifest.model)
        clock.lap("cut_patches")
        names = self._slot(slot)
        self.device.write(self._addresses[names[0]], image)
        clock.lap("write_input")
        return _Run(frame, names, clock)

    def _start(self, run: _Run) -> None:
        """Set the pointers, for every run, because another session may have used the device in between, and start."""
        if not self._control.idle():
            raise SessionError(f"device '{self.device.name}' is busy; wait for it or open it afresh")
        fixed = {name: address for name, address in self._addresses.items() if name.startswith(("program", "weights"))}
        slot = zip(("input", "output"), (self._addresses[name] for name in run.slot), strict=True)
        run.started = True
        self._control.start({**fixed, **dict(slot)})

    def _finish(self, run: _Run) -> None:
        """Wait for the end; SessionError unless it was a good one."""
        name = self.device.name
        if not self._control.wait(self.timeout, self.device.pause):
            raise SessionError(
                f"device '{name}' did not finish within {self.timeout:g} s; it stands at "
                f"{self._instruction(self._control.low('program_counter'))}"
            )
        run.clock.lap("engine")
        if not self._identified and self._control.low("identity") != IDENTITY:
            raise SessionError(f"device '{name}' does not answer with this project's identity")
        self._identified = True
        fault = self._control.fault()
        if fault:
            place = self._instruction(self._control.low("program_counter"))
            raise SessionError(f"device '{name}' stopped at {place} with {fault}; compile the program again")
        run.counters = self._control.counters()

    def _read(self, run: _Run) -> Bytes:
        region = self.device.read(self._addresses[run.slot[1]], self.program.manifest.output_bytes)
        run.clock.lap("read_output")
        return region

    def _result(self, run: _Run, region: Bytes) -> FrameResult:
        manifest = self.program.manifest
        outputs, routing = head_maps(region, manifest), routings(region, manifest)
        run.clock.lap("decode")
        return FrameResult(
            frame=run.frame,
            outputs=outputs,
            engine=self.device.name,
            model=manifest.model.name,
            hardware=manifest.hardware.name,
            routing=routing,
            timings_ms=run.clock.result(),
            counters=run.counters,
        )

    def _instruction(self, index: int) -> str:
        words, labels = self.program.words, self.program.manifest.labels
        if index >= len(words):
            return f"instruction {index}, beyond the program's end"
        number = raw_fields(words[index])["opcode"]
        name = Opcode(number).name if number in list(Opcode) else f"opcode {number}"
        label = f" ({labels[index]})" if index < len(labels) else ""
        return f"instruction {index} {name}{label}"


class _Clock:
    """Milliseconds by name, one after the other."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._laps[name] = (now - self._last) * 1e3
        self._last = now

    def result(self) -> dict[str, float]:
        return {**self._laps, "total": (self._last - self._start) * 1e3}


@dataclass(eq=False)
class _Run:
    """One frame on its way. slot: names of its input and output regions."""

    frame: NDArray[np.uint8]
    slot: tuple[str, str]
    clock: _Clock
    started: bool = False
    counters: dict[str, int] = field(default_factory=dict)
