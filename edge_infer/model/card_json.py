"""Turn card dataclasses into JSON values and back, checking every type on the way in."""

from __future__ import annotations

import dataclasses
import sys
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from edge_infer.errors import ModelError

Card = TypeVar("Card")


def to_plain(value: Any) -> Any:
    """Turn dataclasses, tuples and Enums into dicts, lists and strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[Card], value: Any, where: str = "") -> Card:
    """Build dataclass `kind` from a JSON object; unknown keys are ignored.

    Raises ModelError naming the first key that is missing or of the wrong type.
    """
    if not isinstance(value, dict):
        raise _wrong(where or "card", "an object", value)
    hints = _hints(kind)  # type: ignore[arg-type] # every class can be hashed
    built: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        name = f"{where}.{field.name}" if where else field.name
        if field.name in value:
            built[field.name] = _convert(hints[field.name], value[field.name], name)
        elif field.default is dataclasses.MISSING:
            raise ModelError(f"The model card lacks '{name}': re-export the model with cxr-export.")
    return kind(**built)


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """Resolve a dataclass's types once: for each metric of a card it took 6 of 10 ms."""
    return get_type_hints(kind)


def _convert(kind: Any, value: Any, name: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in get_args(kind):
            return None
        (inner,) = (part for part in get_args(kind) if part is not type(None))
        return _convert(inner, value, name)
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(name, "a list", value)
        return tuple(
            _convert(get_args(kind)[0], item, f"{name}[{number}]")
            for number, item in enumerate(value)
        )
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _wrong(name, "an object", value)
        return value
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return from_plain(kind, value, name)
    return _scalar(kind, value, name)


def _scalar(kind: Any, value: Any, name: str) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        # Python's JSON reads 1e999 as infinity, and 400 digits as an int that no float can hold.
        if not abs(value) <= sys.float_info.max:
            raise ModelError(
                f"The model card's '{name}' is not a finite number: "
                "re-export the model with cxr-export."
            )
        return float(value)
    if type(value) is not kind:
        raise _wrong(name, kind.__name__, value)
    return value


def _wrong(name: str, wanted: str, value: Any) -> ModelError:
    return ModelError(
        f"The model card's '{name}' should be {wanted} and is {type(value).__name__}: "
        "re-export the model with cxr-export."
    )
