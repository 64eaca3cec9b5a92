"""Headers of the micro-architecture: sizes of one build; records, instruction fields and enumerations of all builds.

What is the same whatever the hardware lies in rtl/include and hls/include; nothing there is written by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from edgemoe.spec.generate.constants import Constant, tables
from edgemoe.spec.generate.headers import (
    NOTICE,
    VERILOG_END,
    VERILOG_START,
    all_groups,
    verilog_constant,
    verilog_header,
)
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import FIELDS, Field
from edgemoe.spec.machine import Fetch, Left, PassKind, Sizes, sizes
from edgemoe.spec.records import HEADERS, Record

_ENUM_BITS = 3
_ENUMS: tuple[tuple[str, str, type[IntEnum]], ...] = (
    ("PASS", "What a pass does with its sums", PassKind),
    ("LEFT", "Where its left operands come from", Left),
    ("FETCH", "Fetches of stream_reader", Fetch),
)
_UNUSED_SIGNALS = "/* verilator lint_off UNUSEDSIGNAL */", "/* verilator lint_on UNUSEDSIGNAL */"


def verilog_headers(hardware: HardwareConfig) -> dict[str, str]:
    """The headers of one build by their names: what every module of rtl/ may include beside rtl/include."""
    return {"edgemoe_spec.vh": verilog_header(hardware), "edgemoe_machine.vh": _machine_header(hardware)}


def verilog_values(hardware: HardwareConfig) -> dict[str, str]:
    """Literals of one build's constants and tables by name: what a module's parameters of these names are given."""
    build = Sizes(hardware)
    found = {constant.name: str(constant.value) for group in all_groups(hardware) for constant in group.constants}
    found |= {size.name.upper(): str(getattr(build, size.name)) for size in sizes()}
    for table in tables(hardware.numbers, hardware.activations):
        entries, bits = table.values.tolist(), table.bits
        packed = sum(entry << bits * place for place, entry in enumerate(entries))
        found |= {f"{table.name}_SIZE": str(len(entries)), f"{table.name}_BITS": str(bits)}
        found[table.name] = f"{len(entries) * bits}'h{packed:x}"
    return found


def common_headers() -> dict[str, str]:
    """The headers that are the same for all builds, by their paths from the repository root."""
    files = {f"rtl/include/{records[0].name}.vh": _record_header(records) for records in HEADERS}
    files["rtl/include/instruction_fields.vh"] = _instruction_wires()
    files["hls/include/instruction_fields.hpp"] = _instruction_struct()
    files["hls/include/pass_kinds.hpp"] = _pass_enums()
    return files


def _machine_header(hardware: HardwareConfig) -> str:
    """Localparams, to be included inside a module after edgemoe_spec.vh."""
    build = Sizes(hardware)
    lines = [NOTICE, "// Sizes of the machine. Include after edgemoe_spec.vh, inside a module body.", VERILOG_START]
    for size in sizes():
        lines += ["", f"// {size.title}"] if size.title else []
        lines.append(verilog_constant(Constant(size.name.upper(), getattr(build, size.name), size.text)))
    for prefix, text, members in _ENUMS:
        lines += ["", f"// {text}"]
        lines += [f"localparam [{_ENUM_BITS - 1}:0] {prefix}_{member.name} = {int(member)};" for member in members]
    return "\n".join([*lines, VERILOG_END, ""])


def _record_header(records: tuple[Record, ...]) -> str:
    """Of every field its lowest bit, then the bits of the record."""
    lines = [NOTICE, "// Lowest bit of each field. Include after edgemoe_machine.vh, inside a module.", VERILOG_START]
    for record in records:
        prefix = record.name.upper()
        lines += ["", f"// Fields of {record.text}."]
        place = f"{record.after.name.upper()}_BITS" if record.after else "0"
        for field in record.fields:
            name, width = f"{prefix}_{field.name.upper()}", str(field.width).upper()
            text = "; ".join(part for part in (width, field.text) if part)
            lines.append(f"localparam {name} = {place};  // {text}")
            place = f"{name} + {width}"
        lines.append(f"localparam {prefix}_BITS = {place};")
    return "\n".join([*lines, VERILOG_END, ""])


def _joined() -> Iterator[tuple[str, tuple[Field, ...]]]:
    """Fields as the engines have them: a 64-bit value, low half first, is one."""
    for name, field in FIELDS.items():
        if name.endswith("_low"):
            yield name.removesuffix("_low"), (field, FIELDS[name.removesuffix("_low") + "_high"])
        elif not name.endswith("_high"):
            yield name, (field,)


def _instruction_wires() -> str:
    off, on = _UNUSED_SIGNALS
    lines = [
        NOTICE,
        "// Fields of the instruction in a vector `instruction`, by their names in docs/isa.md.",
        "// Include after edgemoe_spec.vh and the vector, inside a module body; a module uses those that it needs.",
        off,
    ]
    for name, parts in _joined():
        width = sum(part.width for part in parts)
        vector = f"[{width - 1}:0] " if width > 1 else ""
        value = _slice(name)
        if len(parts) > 1:
            value = f"{{{_slice(f'{name}_high')},\n    {_slice(f'{name}_low')}}}"
        lines.append(f"wire {vector}{name} = {value};")
    return "\n".join([*lines, on, ""])


def _slice(name: str) -> str:
    field = f"FIELD_{name.upper()}"
    return f"instruction[{field}_WORD*32 + {field}_LOW +: {field}_WIDTH]"


def _type(parts: tuple[Field, ...]) -> str:
    if len(parts) > 1:
        return "uint64_t"
    return "uint32_t" if parts[0].width == 32 else "int"


def _value(name: str, parts: tuple[Field, ...]) -> str:
    upper = name.upper()
    if len(parts) > 1:
        return f"wide(raw, FIELD_{upper}_LOW_WORD)"
    if parts[0].width == 32:
        return f"raw.word[FIELD_{upper}_WORD]"
    place = f"raw, FIELD_{upper}_WORD, FIELD_{upper}_LOW, FIELD_{upper}_WIDTH"
    return f"{'signed_field' if parts[0].signed else 'field'}({place})"


def _instruction_struct() -> str:
    lines = [NOTICE, "#pragma once", "", '#include "../machine/words.hpp"', "", "namespace edgemoe {", ""]
    lines += ["// Fields of one instruction, by their names in docs/isa.md.", "struct Instruction {"]
    lines += [f"    {_type(parts)} {name};  // {parts[0].text.removesuffix(', low half')}" for name, parts in _joined()]
    lines += ["};", "", "inline Instruction decode(const RawInstruction &raw) {", "    Instruction i;"]
    lines += [f"    i.{name} = {_value(name, parts)};" for name, parts in _joined()]
    return "\n".join([*lines, "    return i;", "}", "", "}  // namespace edgemoe", ""])


def _pass_enums() -> str:
    lines = [NOTICE, "#pragma once", "", "namespace edgemoe {"]
    for prefix, name, members in (("PASS", "PassEpilogue", PassKind), ("LEFT", "LeftOperand", Left)):
        lines += ["", f"enum {name} {{"]
        lines += [*(f"    {prefix}_{member.name} = {int(member)}," for member in members), "};"]
    return "\n".join([*lines, "", "}  // namespace edgemoe", ""])
