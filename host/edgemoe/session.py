"""Session: one program on one device. Places it in memory, runs frames through the registers, reads results back.

with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
    result = session.run(frame)
"""

from __future__ import annotations

import time
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program, ProgramError
from edgemoe.devices.base import Bytes, Device
from edgemoe.frames import head_maps, input_image, routings
from edgemoe.media.results import FrameResult
from edgemoe.spec.faults import FAULT_TEXT, Fault
from edgemoe.spec.isa import Opcode, raw_fields
from edgemoe.spec.memory import stripe
from edgemoe.spec.registers import AP_DONE, AP_IDLE, AP_START, CONTROL, COUNTERS, IDENTITY, OFFSETS

_POLL_SECONDS = 2e-4


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
        self._addresses: dict[str, int] = {}
        try:
            self._place("program", program.image)
            for port, region in enumerate(stripe(program.stream, hardware.ports)):
                self._place(f"weights_{port}", region)
            self._allocate("input", manifest.input_bytes)
            self._allocate("output", manifest.output_bytes)
        except BaseException:
            self.close()
            raise

    def run(self, frame: NDArray[np.uint8]) -> FrameResult:
        """One frame, uint8 H×W×3 RGB of the model's size → outputs, routing, timings and counters.

        Raises ValueError for a frame of another shape, SessionError for a fault or a device that does not finish.
        """
        manifest, clock = self.program.manifest, _Clock()
        image = input_image(frame, manifest.model)
        clock.lap("cut_patches")
        region = self._execute(image, clock)
        outputs, routing = head_maps(region, manifest), routings(region, manifest)
        clock.lap("decode")
        return FrameResult(
            frame=frame,
            outputs=outputs,
            engine=self.device.name,
            model=manifest.model.name,
            hardware=manifest.hardware.name,
            routing=routing,
            timings_ms=clock.result(),
            counters=self.counters(),
        )

    def run_raw(self, frame: NDArray[np.uint8]) -> Bytes:
        """One frame → the bytes of the output region."""
        return self._execute(input_image(frame, self.program.manifest.model), _Clock())

    def counters(self) -> dict[str, int]:
        """Counters of the last run; those that the engine cannot know are left out."""
        values = {name: self._register(name) for name in COUNTERS}
        return {name: value for name, value in values.items() if value or name in ("experts_run", "segments_dropped")}

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

    def _point(self) -> None:
        """Set the pointers, for every run: another session may have used the device in between."""
        for name, address in self._addresses.items():
            self.device.write_register(OFFSETS[name], address & 0xFFFFFFFF)
            self.device.write_register(OFFSETS[name] + 4, address >> 32)

    def _register(self, name: str) -> int:
        low, high = (self.device.read_register(OFFSETS[name] + half) for half in (0, 4))
        return low | high << 32

    def _execute(self, image: Bytes, clock: _Clock) -> Bytes:
        if not self._addresses:
            raise SessionError("this session is closed; open a new one")
        if not self.device.read_register(CONTROL) & AP_IDLE:
            raise SessionError(f"device '{self.device.name}' is busy; wait for it or open it afresh")
        self.device.write(self._addresses["input"], image)
        self._point()
        clock.lap("write_input")
        self.device.write_register(CONTROL, AP_START)
        self._wait()
        clock.lap("engine")
        self._check()
        region = self.device.read(self._addresses["output"], self.program.manifest.output_bytes)
        clock.lap("read_output")
        return region

    def _wait(self) -> None:
        deadline = time.monotonic() + self.timeout
        while not self.device.read_register(CONTROL) & AP_DONE:
            if time.monotonic() > deadline:
                raise SessionError(
                    f"device '{self.device.name}' did not finish within {self.timeout:g} s; it stands at "
                    f"{self._instruction(self._register('program_counter'))}"
                )
            time.sleep(_POLL_SECONDS)

    def _check(self) -> None:
        if self._register("identity") != IDENTITY:
            raise SessionError(f"device '{self.device.name}' does not answer with this project's identity")
        code = self._register("error_code")
        if code == Fault.NONE:
            return
        known = code in list(Fault)
        text = f"{Fault(code).name}: {FAULT_TEXT[Fault(code)]}" if known else f"unknown code {code}"
        place = self._instruction(self._register("program_counter"))
        raise SessionError(f"device '{self.device.name}' stopped at {place} with {text}; compile the program again")

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
