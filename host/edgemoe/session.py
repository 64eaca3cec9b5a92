"""Session: one program on one device. Places it in memory, runs frames through the registers, reads results back.

with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
    result = session.run(frame)
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from functools import cached_property
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.program import Program, ProgramError
from edgemoe.control import Control
from edgemoe.decoder import decoder_of
from edgemoe.devices.base import FRAME_SECONDS, Bytes, Device
from edgemoe.devices.exclusive import Use
from edgemoe.errors import EdgeMoeError
from edgemoe.frame_run import Clock, FrameRun
from edgemoe.frames import head_outputs, input_image, routings
from edgemoe.results import FrameResult
from edgemoe.spec.memory import stripe
from edgemoe.spec.registers import IDENTITY

_SLOTS_IN_FLIGHT = 2


class SessionError(EdgeMoeError, RuntimeError):
    """A run that did not end well, or that was refused; the message names the instruction and says what to do."""


class Session:
    """Holds a program's memory on a device; usable as a context manager, `close` gives the memory back.

    timeout: seconds that one frame may take; None: ten minutes, and on the RTL engine a millisecond more for each cycle
    that the frame is predicted to take. decoder_note: why the host decoder of the program cannot run here, or "".
    Raises ProgramError when the program was built for other hardware.
    A device does one thing at a time: what is asked of it, or of another session on it, during a frame or a stream,
    from another thread, a signal handler or a forked child, is refused with SessionError before anything is written.
    Several sessions may lie on a device and take turns. `close` alone may come during a stream; it ends it.
    """

    def __init__(self, program: Program, device: Device, timeout: float | None = None) -> None:
        manifest, hardware = program.manifest, device.hardware
        if manifest.config_hash != hardware.hash():
            raise ProgramError(
                f"program was built for hardware '{manifest.hardware.name}' (0x{manifest.config_hash:08X}), the device "
                f"is '{hardware.name}' (0x{hardware.hash():08X}); compile for '{hardware.name}'"
            )
        self.program = program
        self.device = device
        self.timeout = self._patience() if timeout is None else timeout
        self._decoder, self.decoder_note = decoder_of(program)
        self._control = Control(device.read_register, device.write_register)
        self._addresses: dict[str, int] = {}
        self._identified = False
        self._stream: Use | None = None
        use = Use("the loading of a program")
        try:
            self._take(use)
            self._place("program", program.image)
            for port, region in enumerate(stripe(program.stream, hardware.ports)):
                self._place(f"weights_{port}", region)
            self._slot(0)
        except BaseException:
            self._free()
            raise
        finally:
            device.use.uses.pop(use, None)

    def run(self, frame: NDArray[np.uint8]) -> FrameResult:
        """One frame, uint8 H×W×3 RGB of the model's size → outputs, routing, timings and counters, all of them copies.

        Raises ArgumentError for a frame of another shape; SessionError for a fault, a device that does not finish, and
        one that is in use.
        """
        return self._result(*self._execute(frame))

    def run_raw(self, frame: NDArray[np.uint8]) -> Bytes:
        """One frame → the bytes of the output region."""
        return self._execute(frame)[1]

    def stream(self, frames: Iterable[NDArray[np.uint8]]) -> Generator[FrameResult, None, None]:
        """Frames one after the other → results in order, two frames in flight.

        While the accelerator works on one frame the host copies the next in and decodes the last, so a result comes
        when the following frame has been started. Raises as `run` does; the accelerator is at rest afterwards.
        The device is in use from the first result that is asked for until the end, or until the stream is closed;
        threads may pass a stream on, but not share it. A source may give the same array again with other contents.
        """
        use = Use("a stream")
        try:
            self._take(use)
            self._stream = use
            for result in self._streamed(frames):
                use.between_results = True
                yield result
                use.resume()
                self._check_open()
        finally:
            try:
                if use in self.device.use.uses:
                    self._rest()
            finally:
                self.device.use.uses.pop(use, None)

    def counters(self) -> dict[str, int]:
        """Counters of the last run; those that the engine cannot know are left out. Not during a stream."""
        use = Use("the reading of counters")
        try:
            self._take(use)
            return self._control.counters()
        finally:
            self.device.use.uses.pop(use, None)

    def close(self) -> None:
        """Give the device's memory back, when no run goes on; harmless to repeat.

        Ends a stream of this session. Raises SessionError, and gives nothing back, during a call or stream of another
        thread. In a forked child the device is left to its process.
        """
        users = self.device.use
        use = Use("the closing of a session")
        try:
            refusal = users.take_to_close(use)
            if refusal is not None:
                raise SessionError(refusal)
            if users.forked:
                self._addresses.clear()
            if not self._addresses:
                return
            holder = next(iter(list(users.uses)))
            if holder in (use, self._stream):  # else the run is another session's, and so is its memory
                self._rest()
                if holder is self._stream:
                    users.uses.pop(holder, None)
            self._free()
        finally:
            users.uses.pop(use, None)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, use: Use) -> None:
        """Begin to use the device; SessionError when it is in use."""
        refusal = self.device.use.take(use)
        if refusal is not None:
            raise SessionError(refusal)
        self._rest()  # an earlier run, whose end was not waited for

    def _rest(self) -> None:
        """Bring the accelerator to rest when a run may still go on; if this is interrupted, the next use does it."""
        if self.device.use.running and not self.device.use.forked:
            self.device.stop()
            self.device.use.running = False

    def _free(self) -> None:
        while self._addresses:
            self.device.free(self._addresses.popitem()[1])

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

    def _execute(self, frame: NDArray[np.uint8]) -> tuple[FrameRun, Bytes]:
        use = Use("a frame")
        try:
            self._take(use)
            try:
                self._check_usable()
                run = self._prepare(frame, 0)
                self._start(run)
                self._finish(run)
                return run, self._read(run)
            except BaseException:
                self._rest()
                raise
        finally:
            self.device.use.uses.pop(use, None)

    def _streamed(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[FrameResult]:
        """The results of a stream that holds the device; a run may be left going on when this raises."""
        running: FrameRun | None = None
        self._check_usable()
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
            yield self._result(running, self._read(running))

    def _check_usable(self) -> None:
        """SessionError when this is closed, or somebody made the device busy without a session."""
        self._check_open()
        if not self._control.idle():
            raise SessionError(f"device '{self.device.name}' is busy; wait for it or open it afresh")

    def _check_open(self) -> None:
        if not self._addresses:
            raise SessionError("this session is closed; open a new one")

    def _prepare(self, frame: NDArray[np.uint8], slot: int) -> FrameRun:
        """Cut the frame and copy it in; the accelerator may be working on another slot."""
        clock = Clock()
        image = input_image(frame, self.program.manifest.model)
        kept = frame.copy()
        clock.lap("cut_patches")
        names = self._slot(slot)
        self.device.write(self._addresses[names[0]], image)
        clock.lap("write_input")
        return FrameRun(kept, names, clock)

    def _start(self, run: FrameRun) -> None:
        """Set the pointers, for every run, because another session may have used the device in between, and start."""
        fixed = {name: address for name, address in self._addresses.items() if name.startswith(("program", "weights"))}
        slot = zip(("input", "output"), (self._addresses[name] for name in run.slot), strict=True)
        self.device.use.running = True
        self._control.start({**fixed, **dict(slot)})

    def _finish(self, run: FrameRun) -> None:
        """Wait for the end; SessionError unless it was a good one."""
        name = self.device.name
        if not self._control.wait(self.timeout, self.device.pause):
            raise SessionError(
                f"device '{name}' did not finish within {self.timeout:g} s; it stands at "
                f"{self.program.described(self._control.low('program_counter'))}"
            )
        run.clock.lap("engine")
        if not self._identified and self._control.low("identity") != IDENTITY:
            raise SessionError(f"device '{name}' does not answer with this project's identity")
        self._identified = True
        fault = self._control.fault()
        if fault:
            place = self.program.described(self._control.low("program_counter"))
            raise SessionError(f"device '{name}' stopped at {place} with {fault}; compile the program again")
        run.counters = self._control.counters()
        self.device.use.running = False

    def _read(self, run: FrameRun) -> Bytes:
        region = self.device.read(self._addresses[run.slot[1]], self.program.manifest.output_bytes)
        run.clock.lap("read_output")
        return region

    def _result(self, run: FrameRun, region: Bytes) -> FrameResult:
        manifest = self.program.manifest
        outputs, routing = head_outputs(region, manifest), routings(region, manifest)
        run.clock.lap("decode")
        decoded = self._decoded(outputs)
        return FrameResult(
            frame=run.frame,
            outputs=outputs,
            engine=self.device.name,
            model=manifest.model.name,
            hardware=manifest.hardware.name,
            decoded=decoded,
            routing=routing,
            timings_ms=run.clock.result(),
            counters=run.counters,
            clock_mhz=self.device.clock_mhz or manifest.hardware.clock_mhz,
            estimated_cycles=self._estimated_cycles,
        )

    def _decoded(self, outputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        tasks = self.program.manifest.model.tasks
        read = next((outputs[task.name] for task in tasks if task.kind == "features" and task.name in outputs), None)
        return {} if self._decoder is None or read is None else self._decoder(read)

    def _patience(self) -> float:
        return FRAME_SECONDS + ((per_cycle := self.device.seconds_per_cycle) and per_cycle * self._estimated_cycles)

    @cached_property
    def _estimated_cycles(self) -> int:
        return sum(each.cycles for each in predicted_cycles(self.program))
