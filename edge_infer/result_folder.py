"""Where the results go: never inside an input, which is never written to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import typer


def choose_folder(inputs: Sequence[Path], out: Path | None) -> Path:
    """Return where the results go; a usage error where that would be inside an input."""
    if out is not None:
        holder = _input_holding(out, inputs)
        if holder is not None:
            raise typer.BadParameter(
                f"'{out}' is inside the input '{holder}', which is never written to: "
                "name a folder outside it.",
                param_hint="--out",
            )
        return out
    folder = Path(f"cxr-{datetime.now():%Y-%m-%d}")
    while (holder := _input_holding(folder, inputs)) is not None:
        beside = holder.resolve().parent / folder.name
        if beside == folder.resolve():
            raise typer.BadParameter(
                f"there is no place beside '{holder}': name a folder with --out.",
                param_hint="INPUT",
            )
        folder = beside
    return folder


def _input_holding(folder: Path, inputs: Sequence[Path]) -> Path | None:
    """Return the input that `folder` is or lies in; links and other spellings do not hide it."""
    place = folder.resolve()
    for candidate in (place, *place.parents):
        for path in inputs:
            try:
                if candidate.samefile(path):
                    return path
            except OSError:
                continue  # one of them does not exist yet
    return None
