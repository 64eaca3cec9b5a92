"""Waveforms of a bench, and lists of signals to begin with: for Surfer (.sucl) and for GTKWave (.gtkw)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from edgemoe.spec.files import write_text

PORT = re.compile(r"^\s*(?:input|output)\b[^;,)/]*?(\w+)\s*(?:,|;|\)|$)", re.MULTILINE)
HEADER_BYTES = 1 << 20  # of a VCD file: scopes and signals stand before the first value


@dataclass(frozen=True)
class Waves:
    """Files of one simulation. values: VCD of Verilator, FST of Icarus. top: the module's scope in it."""

    values: Path
    surfer: Path
    gtkwave: Path
    top: str


def ports_of(module: Path) -> list[str]:
    """Names of the ports that a Verilog file declares, in their order."""
    code = re.sub(r"//[^\n]*", "", module.read_text(encoding="utf-8"))
    return list(dict.fromkeys(PORT.findall(code)))


def keep_waves(dump: Path, place: Path, module: Path) -> Waves:
    """Move a simulator's dump to `place`, of its kind, and write the lists beside it: the ports of this module."""
    place.parent.mkdir(parents=True, exist_ok=True)
    values = place.with_name(place.name + dump.suffix)
    shutil.move(dump, values)
    top, widths = _signals(values, module.stem)
    names = [(port, widths.get(port, 1)) for port in ports_of(module) if port in widths or not widths]
    waves = Waves(values, place.with_name(place.name + ".sucl"), place.with_name(place.name + ".gtkw"), top)
    write_text(waves.surfer, "".join(f"variable_add {top}.{name}\n" for name, _ in names) + "zoom_fit\n")
    rows = [f"{top}.{name}" + (f"[{width - 1}:0]" if width > 1 else "") for name, width in names]
    write_text(waves.gtkwave, f'[dumpfile] "{values}"\n[timestart] 0\n@28\n' + "\n".join(rows) + "\n")
    return waves


def _signals(values: Path, module: str) -> tuple[str, dict[str, int]]:
    """The scope of the module and the widths of its signals, as the header of a VCD file has them."""
    scopes: list[str] = []
    widths: dict[str, int] = {}
    if values.suffix != ".vcd":
        return module, widths
    top = ""
    with values.open(encoding="utf-8", errors="replace") as file:
        for line in file.read(HEADER_BYTES).splitlines():
            words = line.split()
            if words[:1] == ["$scope"]:
                scopes.append(words[2])
                if words[2] == module and not top:
                    top = ".".join(scopes)
            elif words[:1] == ["$upscope"]:
                scopes.pop()
            elif words[:1] == ["$var"] and top and ".".join(scopes) == top:
                widths[words[4]] = int(words[2])
            elif words[:1] == ["$enddefinitions"]:
                break
    return top or module, widths
