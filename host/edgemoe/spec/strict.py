"""Strict reading of JSON configurations into frozen dataclasses: an unknown or missing key is an error."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from edgemoe.errors import EdgeMoeError

T = TypeVar("T")

MAX_CONFIG_BYTES = 1 << 20


class ConfigError(EdgeMoeError, ValueError):
    """A configuration that cannot be used; the message names the key, what was found and what was expected."""


def read_json(path: Path) -> Any:
    """Read one JSON file of at most 1 MiB; raises ConfigError when it is missing, too large or not JSON."""
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_CONFIG_BYTES} bytes, so this is not a configuration")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path}: not valid JSON ({error})") from error


def from_dict(cls: type[T], data: Any, where: str) -> T:
    """Build dataclass `cls` from a JSON object, checking every key and every type.

    `where` names the place for messages, e.g. `tiny.json`. Keys without a default must be present;
    nested dataclasses, tuples, dicts, optional values and plain scalars are supported.
    Raises ConfigError (also when the dataclass' own `__post_init__` refuses the values).
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected an object, found {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown key '{unknown[0]}'; known keys are {', '.join(fields)}")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: key '{name}' is missing")
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (inner,) = [choice for choice in typing.get_args(kind) if choice is not type(None)]
        return _convert(inner, value, where)
    if dataclasses.is_dataclass(kind):
        return from_dict(kind, value, where)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list, found {type(value).__name__}")
        inner = typing.get_args(kind)[0]
        return tuple(_convert(inner, item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected an object, found {type(value).__name__}")
        inner = typing.get_args(kind)[1]
        return {key: _convert(inner, item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where}: expected {kind.__name__}, found {value!r}")
    return value


def to_dict(config: Any) -> dict[str, Any]:
    """Return the JSON object that `from_dict` reads back to an equal dataclass."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain
