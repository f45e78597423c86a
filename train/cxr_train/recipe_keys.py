"""Every key of a recipe with its default and what it does, taken from the settings themselves."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from enum import StrEnum

from cxr_train.config import Augment, Balance, Stage, TrainConfig

_WIDTH = 96


def describe_keys() -> Iterator[str]:
    """Yield the lines of a TOML recipe with all defaults, each key under what it does."""
    yield "# Settings of one training, each with its default: `cxr-train fit --recipe FILE`."
    yield "# What is left out keeps its default; an option of the command overrides a key."
    notes = describe_fields(TrainConfig)
    for field in dataclasses.fields(TrainConfig):
        yield ""
        yield from textwrap.wrap(
            " ".join(filter(None, (notes[field.name], _choices(field.default)))),
            _WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
        )
        yield f"{field.name} = {_toml(field.default)}"


def describe_fields(settings: type) -> dict[str, str]:
    """Return the sentence under each field of a dataclass of settings; ValueError for a gap."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for before, after in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
            text = _string(after)
            if text is None:
                raise ValueError(f"{before.target.id} says nowhere what it does")
            found[before.target.id] = " ".join(text.split())
    return found


def _string(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return str(statement.value.value)
    return None


def _choices(default: object) -> str:
    if isinstance(default, (Augment, Balance)):
        return f"One of: {', '.join(type(default))}."
    return ""


def _toml(value: object) -> str:
    if isinstance(value, Stage):
        return f"{{ size = {value.size}, epochs = {value.epochs} }}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (StrEnum, str)):
        return f'"{value}"'
    return repr(value)
