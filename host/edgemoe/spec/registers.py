"""The register map: exactly what Vitis HLS generates for the HLS top, so that the RTL top, the driver and every bench
share it. Pointers take 12 bytes, scalars 8, outputs 16 (low, high, valid flag, reserved).
"""

from __future__ import annotations

from dataclasses import dataclass

IDENTITY = 0x454D4F45  # "EMOE" in memory order
WEIGHT_PORTS = 4  # weight pointers in the map; a hardware configuration may use fewer

CONTROL, GLOBAL_INTERRUPT, INTERRUPT_ENABLE, INTERRUPT_STATUS = 0x00, 0x04, 0x08, 0x0C
AP_START, AP_DONE, AP_IDLE, AP_READY = 1 << 0, 1 << 1, 1 << 2, 1 << 3


@dataclass(frozen=True)
class Register:
    """One register. kind: `control` (32 bit), `pointer` (64 bit, written), `scalar` (32 bit, written), `output`
    (64 bit, read). engines: `both`, or `rtl` where HLS cannot know the value and reads 0.
    """

    name: str
    offset: int
    kind: str
    text: str
    engines: str = "both"


def _inputs() -> list[Register]:
    registers, offset = [], 0x10
    pointers = [
        ("program", "program header and instructions"),
        ("input", "frames, patch by patch"),
        ("output", "head outputs, routing and stored buffers"),
    ]
    pointers += [(f"weights_{port}", f"words {port} mod ports of the weight stream") for port in range(WEIGHT_PORTS)]
    for name, text in pointers:
        registers.append(Register(name, offset, "pointer", f"address of the {text}; aligned to 4096 bytes"))
        offset += 12
    registers.append(
        Register("watchdog_cycles", offset, "scalar", "halt with WATCHDOG after so many idle cycles; 0: never", "rtl")
    )
    return registers


def _outputs() -> list[Register]:
    described = [
        ("identity", f"0x{IDENTITY:08X} (HLS builds: valid after the first run)", "both"),
        ("config_hash", "identity of the hardware configuration (HLS builds: valid after the first run)", "both"),
        ("error_code", "fault code of the last run, 0: none", "both"),
        ("program_counter", "index of the instruction that ran last, or that faulted", "both"),
        ("cycles", "cycles from start to done", "rtl"),
        ("mac_busy_cycles", "cycles in which the array accumulated", "rtl"),
        ("weight_wait_cycles", "cycles in which the array waited for weights", "rtl"),
        ("post_wait_cycles", "cycles in which the array waited for the post lanes", "rtl"),
        ("layernorm_cycles", "cycles spent in LayerNorm and nothing else", "rtl"),
        ("softmax_cycles", "cycles spent in reciprocals and row maxima and nothing else", "rtl"),
        ("drain_cycles", "cycles from a layer's last accumulation to its last write", "rtl"),
        ("fill_cycles", "cycles from an instruction's issue to its first accumulation", "rtl"),
        ("bytes_read", "bytes read from memory", "rtl"),
        ("bytes_written", "bytes written to memory", "rtl"),
        ("experts_run", "experts that had at least one token", "both"),
        ("segments_dropped", "weight segments of experts without tokens", "both"),
    ]
    return [
        Register(name, 0x80 + 16 * index, "output", text, engines)
        for index, (name, text, engines) in enumerate(described)
    ]


REGISTERS: tuple[Register, ...] = (
    Register("control", CONTROL, "control", "AP_CTRL: bit 0 start, 1 done (cleared on read), 2 idle, 3 ready"),
    Register("global_interrupt", GLOBAL_INTERRUPT, "control", "bit 0: interrupt output enabled"),
    Register("interrupt_enable", INTERRUPT_ENABLE, "control", "bit 0: interrupt on done"),
    Register("interrupt_status", INTERRUPT_STATUS, "control", "bit 0: done; write 1 to clear"),
    *_inputs(),
    *_outputs(),
)

OFFSETS: dict[str, int] = {register.name: register.offset for register in REGISTERS}
COUNTERS: tuple[str, ...] = tuple(
    register.name for register in REGISTERS if register.kind == "output" and register.offset >= OFFSETS["cycles"]
)
REGISTER_SPACE = 0x1000  # bytes of the AXI4-Lite window
