"""The shapes that a search may choose from: what the Verilog can be built for, with buffers just large enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from edgemoe.compiler.fits import limits, require_fit
from edgemoe.devices.rtl.build import check_shape
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import OPTIONS
from edgemoe.spec.machine import OUT_PAR_CHOICES
from edgemoe.spec.memory import round_up
from edgemoe.spec.model import ModelConfig
from edgemoe.tuning.parts import Part

READ_LATENCY_CYCLES = 64  # of every shipped shape
LEAST_EXPERTS, LEAST_TOP_K = 16, 4  # of every shipped shape
ARRAYS = tuple(
    (tokens, inputs, outputs)
    for outputs in OUT_PAR_CHOICES
    for inputs in (8, 16)
    for tokens in (2, 4, 8, 16)
    if inputs <= outputs and inputs % tokens == 0
)
"""token_par, in_par, out_par; see Limits in docs/hardware/rtl.md."""
POST_ROWS = (1, 2, 4, 8)
LAYERNORM_LANES = (16, 32, 64)
PORTS = (1, 2, 4)
PREFETCH_KIB = (64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Choice:
    """What a search decides. post_rows: rows of the array's sums drained a cycle; prefetch_kib: a power of two;
    whole_hidden: HIDDEN holds the hidden layer of all rows of a dense block, which else goes in blocks of rows.
    """

    array: tuple[int, int, int]
    post_rows: int
    layernorm_lanes: int
    ports: int
    prefetch_kib: int
    ultra_ram: bool
    whole_hidden: bool = False

    def __str__(self) -> str:
        memory = "UltraRAM" if self.ultra_ram else "block RAM"
        return (
            f"{'×'.join(map(str, self.array))}, {self.post_rows * self.array[2]} post lanes, {self.layernorm_lanes} "
            f"LayerNorm lanes, {self.ports} port{'s' * (self.ports > 1)}, {self.prefetch_kib} KiB in {memory}"
            f"{', HIDDEN whole' if self.whole_hidden else ''}"
        )


@dataclass(frozen=True)
class Target:
    """What a shape is for. clock_mhz: what its times are counted at; no board has shown one."""

    model: ModelConfig
    tasks: tuple[str, ...]
    part: Part
    clock_mhz: int


def choices(part: Part) -> Iterator[Choice]:
    """Every one that the part's ports and memories allow, in a fixed order."""
    for array in ARRAYS:
        for rows in (rows for rows in POST_ROWS if rows <= array[0]):
            for lanes in (lanes for lanes in LAYERNORM_LANES if lanes // VECTOR <= array[0]):
                for ports in (ports for ports in PORTS if ports <= part.ports):
                    for prefetch in PREFETCH_KIB:
                        for ultra in (False, True) if part.total.uram else (False,):
                            for whole in (False, True):
                                yield Choice(array, rows, lanes, ports, prefetch, ultra, whole)


def choice_of(hardware: HardwareConfig, model: ModelConfig) -> Choice:
    """What was decided for a configuration that is to run a model."""
    array = hardware.token_par, hardware.in_par, hardware.out_par
    whole = hardware.hidden_elements >= hardware.room(hardware.max_rows, model.mlp_hidden)
    return Choice(array, hardware.post_lanes // hardware.out_par, hardware.layernorm_lanes, hardware.ports,
                  hardware.prefetch_bytes // 1024, hardware.ultra_ram, whole)  # fmt: skip


def shape(choice: Choice, target: Target, name: str) -> HardwareConfig:
    """The configuration of a choice, with the buffers that the target's model and tasks need and no more.

    Raises ConfigError, DeviceError or DoesNotFitError for one that cannot be built or cannot hold the model.
    """
    tokens, inputs, outputs = choice.array
    model = target.model
    tile = VECTOR * tokens
    rows = model.first_row + (len(target.tasks) if model.moe_blocks else 1) * model.tokens
    hardware = HardwareConfig(
        name=name,
        part=target.part.device,
        precision="w8a8",
        clock_mhz=target.clock_mhz,
        token_par=tokens,
        in_par=inputs,
        out_par=outputs,
        post_lanes=outputs * choice.post_rows,
        layernorm_lanes=choice.layernorm_lanes,
        ports=choice.ports,
        bytes_per_cycle=target.part.bytes_per_cycle(choice.ports, target.clock_mhz),
        first_beat_cycles=READ_LATENCY_CYCLES,
        prefetch_bytes=choice.prefetch_kib * 1024,
        max_rows=rows,
        max_tokens=model.tokens,
        max_width=round_up(model.width, VECTOR),
        max_experts=max(LEAST_EXPERTS, model.experts),
        max_top_k=max(LEAST_TOP_K, model.top_k),
        row_elements=tile,
        hidden_elements=tile,
        dsp=target.part.dsp,
        ultra_ram=choice.ultra_ram,
        **dict.fromkeys(OPTIONS, False),
    )
    check_shape(hardware)
    needed = _elements(model, target.tasks, hardware)
    if choice.whole_hidden:
        needed["hidden_elements"] = max(needed["hidden_elements"], hardware.room(rows, model.mlp_hidden))
    sized = {name: round_up(size, tile) for name, size in needed.items()}
    hardware = HardwareConfig(**(asdict(hardware) | sized))
    require_fit(model, target.tasks, hardware)
    return hardware


def _elements(model: ModelConfig, tasks: Sequence[str], hardware: HardwareConfig) -> dict[str, int]:
    """Elements of each kind of scratchpad, from the limits that the compiler checks."""
    found = {"row_elements": 0, "hidden_elements": 0}
    for what, needed, _, unit in limits(model, tuple(tasks), hardware):
        if unit == "elements":
            kind = "hidden_elements" if what.startswith("HIDDEN") else "row_elements"
            found[kind] = max(found[kind], needed)
    return found
