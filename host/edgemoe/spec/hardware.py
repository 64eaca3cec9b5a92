"""Hardware configurations: parallelism, precision, buffer sizes and memory ports of one build, read strictly from JSON.

A program is built for one configuration and carries its hash; a device refuses a program of another one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from edgemoe.spec.dsp import DspBlock, dsp_named
from edgemoe.spec.isa import ACTIVATIONS, FIELDS, GATE_FORMS, OPTIONS, STREAM_LINE, STREAMING, Buffer
from edgemoe.spec.precision import MAX_TOKENS, MAX_WIDTH, Precision, precision_named
from edgemoe.spec.registers import WEIGHT_PORTS
from edgemoe.spec.strict import ConfigError, check_name, check_range, from_dict, read_json, to_dict

DEFAULT_HARDWARE = "zcu102"  # for engines on this computer
CONFIG_FOLDER = Path(__file__).resolve().parent.parent / "configs" / "hardware"

ATTENDED = (Buffer.NORM, Buffer.GATE_INPUT, Buffer.QUERY, Buffer.KEY, Buffer.VALUE)  # what ATTENTION works on
VECTOR = 16  # buffer features come in vectors of 16 elements; widths are multiples of it
_MAX_PARALLEL = 1024
_MAX_ELEMENTS = 1 << 26  # more than any device holds on chip
_LIMITS: dict[str, tuple[float, float]] = {
    "clock_mhz": (1, 10_000),
    "bytes_per_cycle": (0.01, 1 << 16),
    "first_beat_cycles": (0, 1 << 16),
    "max_tokens": (1, MAX_TOKENS),
    "max_width": (1, MAX_WIDTH),
    "max_experts": (1, FIELDS["experts"].range[1]),
    "max_top_k": (1, 16),
    "max_rows": (1, FIELDS["rows"].range[1]),
    **dict.fromkeys(("token_par", "in_par", "out_par", "post_lanes", "layernorm_lanes"), (1, _MAX_PARALLEL)),
    **dict.fromkeys(("row_elements", "hidden_elements", "prefetch_bytes"), (1, _MAX_ELEMENTS)),
}


@dataclass(frozen=True)
class HardwareConfig:
    """One build of the accelerator.

    name, part: what it is built for; estimates only until a board has run it.
    precision: `w8a8` or `w16a16`.
    clock_mhz: intended clock.
    token_par, in_par, out_par: the array multiplies token_par × in_par × out_par operands per cycle.
    post_lanes, layernorm_lanes: values per cycle behind the array, and in LayerNorm.
    ports: memory ports of 16 bytes for weights: 1, 2 or 4.
    bytes_per_cycle: what memory delivers over all ports in the long run; first_beat_cycles: latency of a read.
    prefetch_bytes: weight buffer, filled ahead of use.
    max_rows: rows (tasks × tokens) of any buffer, and so the longest queue of an expert.
    max_tokens: keys of one attention. max_width: features under LayerNorm. max_experts, max_top_k: routing.
    row_elements: size of RESIDUAL, NORM, GATE_INPUT, QUERY, KEY and VALUE each, in elements; rows come in whole tiles.
    hidden_elements: size of HIDDEN, which also holds a frame's patches.
    dsp: the part's DSP blocks, `dsp48e2` (UltraScale+) or `dsp48e1` (7-series, W8A8 only); no result depends on them.
    ultra_ram: large memories lie in UltraRAM, which the part must have.
    wide_tokens, wide_inner, narrow_weights: instructions may ask for 16 bits of what LayerNorm and attention give, and
    of queries, keys, values and hidden layers; for weights of 4 bits (W8A8 only).
    activations: and for activation functions other than GELU (erf). gate_forms: for gates with a bias per expert, for
    scores that are divided by the sum over the chosen experts, and for gates that read the input of their block.
    streaming: rows may lie in memory between instructions, weights be streamed several times; KEY and VALUE then hold
    rows up to max_tokens.
    """

    name: str
    part: str
    precision: str
    clock_mhz: int
    token_par: int
    in_par: int
    out_par: int
    post_lanes: int
    layernorm_lanes: int
    ports: int
    bytes_per_cycle: float
    first_beat_cycles: int
    prefetch_bytes: int
    max_rows: int
    max_tokens: int
    max_width: int
    max_experts: int
    max_top_k: int
    row_elements: int
    hidden_elements: int
    dsp: str
    ultra_ram: bool
    wide_tokens: bool
    wide_inner: bool
    narrow_weights: bool
    activations: bool
    gate_forms: bool
    streaming: bool

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_name(self.part, "part")
        precision_named(self.precision)
        check_range(self, _LIMITS)
        for name in ("token_par", "in_par", "out_par", "post_lanes", "layernorm_lanes"):
            value = getattr(self, name)
            if value & (value - 1):
                raise ConfigError(f"{name} must be a power of two, found {value}")
        block = self.dsp_block
        if self.numbers.fine and not block.fine:
            raise ConfigError(f"dsp {self.dsp}: for precision w8a8, found {self.precision}; take dsp48e2")
        if self.ultra_ram and not block.ultra_ram:
            raise ConfigError(f"ultra_ram: parts with {self.dsp} blocks have none; set it to false")
        if self.ports not in (1, 2, WEIGHT_PORTS):
            raise ConfigError(f"ports must be 1, 2 or {WEIGHT_PORTS}, a line is whole beats; found {self.ports}")
        tile = self.in_par * self.out_par * self.numbers.activation_bytes
        if tile % STREAM_LINE or self.out_par * self.numbers.channel_bytes % STREAM_LINE:
            raise ConfigError(
                f"a weight tile ({tile} bytes) and the channel records of an output tile "
                f"({self.out_par * self.numbers.channel_bytes} bytes) must be whole lines of {STREAM_LINE} bytes"
            )
        if self.layernorm_lanes % VECTOR or self.post_lanes % self.out_par:
            raise ConfigError(
                f"layernorm_lanes ({self.layernorm_lanes}) must be whole vectors of {VECTOR} features, "
                f"post_lanes ({self.post_lanes}) whole tokens of out_par ({self.out_par}) values"
            )
        widths = [name for name in self.options if name not in (ACTIVATIONS, GATE_FORMS, STREAMING)]
        if widths and self.numbers.fine:
            raise ConfigError(f"{' and '.join(widths)}: for precision w8a8, found {self.precision}")
        if self.wide_inner and not self.wide_tokens:
            raise ConfigError("wide_inner needs wide_tokens, whose two digits it uses; set both")
        tile = VECTOR * self.token_par
        units = {"row_elements": tile, "hidden_elements": tile, "prefetch_bytes": STREAM_LINE, "max_width": VECTOR}
        for name, unit in units.items():
            if getattr(self, name) % unit or getattr(self, name) < unit:
                raise ConfigError(f"{name} must be a positive multiple of {unit}, found {getattr(self, name)}")

    @property
    def numbers(self) -> Precision:
        """Widths of the arithmetic."""
        return precision_named(self.precision)

    @property
    def dsp_block(self) -> DspBlock:
        """Widths of its DSP blocks."""
        return dsp_named(self.dsp)

    @property
    def options(self) -> tuple[str, ...]:
        """Which of the options that some fields of instructions need it has."""
        return tuple(name for name in OPTIONS if getattr(self, name))

    @property
    def macs_per_cycle(self) -> int:
        """Multiplications of the array per cycle."""
        return self.token_par * self.in_par * self.out_par

    def capacity(self, buffer: Buffer) -> int:
        """Elements that a buffer holds."""
        if buffer == Buffer.HIDDEN:
            return self.hidden_elements
        if buffer == Buffer.ROUTING:
            return self.room(self.max_rows, self.max_top_k)
        return self.row_elements

    def rows_of(self, buffer: Buffer) -> int:
        """Rows that a buffer may have: where they come from memory, those of two attentions in what these work on."""
        moved = self.streaming and buffer in ATTENDED
        return max(self.max_rows, 2 * self.max_tokens) if moved else self.max_rows

    def room(self, rows: int, features: int) -> int:
        """Elements that rows take: whole tiles of token_par rows, one row per lane of the array."""
        return -(-rows // self.token_par) * self.token_par * features

    def hash(self) -> int:
        """32-bit identity, in the ID register and in every program built for this configuration."""
        text = json.dumps(to_dict(self), sort_keys=True)
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def in_w16a16(hardware: HardwareConfig) -> HardwareConfig:
    """The same shape in W16A16: half as many inputs a cycle, no options of widths."""
    return replace(
        hardware,
        name=f"{hardware.name}_w16a16",
        precision="w16a16",
        in_par=hardware.in_par // 2,
        wide_tokens=False,
        wide_inner=False,
        narrow_weights=False,
    )


def load_hardware_config(name_or_path: str | Path) -> HardwareConfig:
    """Load a named configuration (`zcu102`) or a JSON file; raises ConfigError."""
    path = Path(name_or_path)
    if path.suffix != ".json":
        path = CONFIG_FOLDER / f"{name_or_path}.json"
        if str(name_or_path) not in hardware_names():
            raise ConfigError(f"no hardware configuration '{name_or_path}'; there are {', '.join(hardware_names())}")
    return from_dict(HardwareConfig, read_json(path), path.name)


def hardware_names() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(path.stem for path in CONFIG_FOLDER.glob("*.json"))
