"""Strict reading of JSON configurations into frozen dataclasses: an unknown or missing key is an error."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.files import read_limited
from edgemoe.spec.names import NAME_RULE, complaint, is_name, is_text, shown

T = TypeVar("T")

MAX_CONFIG_BYTES = 1 << 20
MAX_TEXT = 1000  # characters of one string
MAX_DEPTH = 16  # of lists and objects inside each other
_INTEGERS = range(-(1 << 63), 1 << 64)


class ConfigError(EdgeMoeError, ValueError):
    """A configuration that cannot be used; the message names the key, what was found and what was expected."""


def read_json(path: Path) -> Any:
    """Read one JSON file of at most 1 MiB, without anything that other readers of JSON would take another way.

    Raises ConfigError when it is missing, too large, not JSON or nested too deeply, for a key that stands twice in an
    object, and for numbers beyond 64 bits or not finite.
    """
    try:
        data = _parsed(read_limited(path, MAX_CONFIG_BYTES))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not valid JSON ({complaint(error)})") from error
    except RecursionError:
        raise ConfigError(f"{path}: {_TOO_DEEP}") from None
    if _too_deep(data):
        raise ConfigError(f"{path}: {_TOO_DEEP}")
    return data


def _parsed(content: bytes) -> Any:
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError(f"larger than {MAX_CONFIG_BYTES} bytes, so this is not a configuration")
    return json.loads(
        content.decode(),
        object_pairs_hook=distinct,
        parse_int=_integer,
        parse_float=_finite,
        parse_constant=_finite,
    )


_TOO_DEEP = f"lists and objects are nested more than {MAX_DEPTH} deep, so this is not a configuration"


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, for `object_pairs_hook`; raises ConfigError for a key that stands twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ConfigError(f"key {shown(key)} stands twice in one object")
        found[key] = value
    return found


def _integer(text: str) -> int:
    value = int(text) if len(text) <= len(str(_INTEGERS[0])) else None
    if value is None or value not in _INTEGERS:
        raise ConfigError(f"number {shown(text)[1:-1]} does not fit 64 bits")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ConfigError(f"number {shown(text)[1:-1]} is not finite")
    return value


def _too_deep(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH):
        objects = [each.values() for each in level if isinstance(each, dict)]
        level = [item for each in (*objects, *(each for each in level if isinstance(each, list))) for item in each]
    return any(isinstance(each, dict | list) for each in level)


def check_name(text: str, what: str) -> None:
    """Raise ConfigError beginning with `what` unless `text` may be a name (`edgemoe.spec.names`)."""
    if not is_name(text):
        raise ConfigError(f"{what} must be {NAME_RULE}, found {shown(text)}")


def check_text(text: str, what: str, length: int = 200) -> None:
    """Raise ConfigError beginning with `what` for control characters, or for more than `length` characters."""
    if len(text) > length:
        raise ConfigError(f"{what} must have at most {length} characters, found {len(text):,}")
    if not is_text(text):
        raise ConfigError(f"{what} must be free of control characters, found {shown(text)}")


def check_range(config: Any, limits: dict[str, tuple[float, float]]) -> None:
    """Raise ConfigError unless the numbers that `limits` names lie between its bounds, both included."""
    for name, (low, high) in limits.items():
        value = getattr(config, name)
        if not low <= value <= high:
            raise ConfigError(f"{name} must lie in {low:g} … {high:,}, found {value}")


def from_dict(cls: type[T], data: Any, where: str) -> T:
    """Build dataclass `cls` from a JSON object, checking every key and every type.

    `where` names the place for messages, e.g. `tiny.json`. Keys without a default must be present;
    nested dataclasses, tuples, dicts, optional values and plain scalars are supported. Strings and the keys of dicts
    are free of control characters and at most MAX_TEXT long.
    Raises ConfigError (also when the dataclass' own `__post_init__` refuses the values).
    """
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected an object, found {type(data).__name__}")
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise ConfigError(f"{where}: unknown key {shown(unknown[0])}; known keys are {', '.join(fields)}")
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
        for key in value:
            check_text(key, f"{where}: a key")
        return {key: _convert(inner, item, f"{where}.{key}") for key, item in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{where}: expected {kind.__name__}, found {shown(value)}")
    if kind is str:
        check_text(value, where, MAX_TEXT)
    return value


def to_dict(config: Any) -> dict[str, Any]:
    """Return the JSON object that `from_dict` reads back to an equal dataclass."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return plain
