"""What a command line names: the films, and where the results go (never inside an input)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge_infer.commands.terminal import printable, speaker
from edge_infer.pc.language import Lang

if TYPE_CHECKING:
    from edge_infer.films.find import FoundFilms


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


def require_films(
    inputs: Sequence[Path], *, may_be_empty: bool, lang: Lang = Lang.EN
) -> FoundFilms:
    """Look through the inputs; a usage error where one is missing, exit 5 where no film is."""
    from edge_infer.films.find import find_films
    from edge_infer.worklist.rows import NOTHING_FOUND

    try:
        found = find_films(inputs)
    except OSError as error:
        raise typer.BadParameter(
            f"'{printable(str(error.filename))}' cannot be opened ({error.strerror}): "
            "check the spelling, and that the drive is connected.",
            param_hint="INPUT",
        ) from error
    say = speaker(lang)
    for name in found.unreadable_folders:
        sentence = say(f"the folder {printable(name)} cannot be opened.")
        typer.echo(f"cxr-infer: {sentence}", err=True)
    if not found.films and not may_be_empty:
        for name in found.archives:
            typer.echo(say(f"Packed, so not looked into: {printable(name)}"))
        sentence = (
            say(
                f"no X-ray film found (other files: {found.ignored}), so nothing was written: "
                "check the folder."
            )
            if found.ignored
            else say("no X-ray film found, so nothing was written: check the folder.")
        )
        typer.echo(f"cxr-infer: {sentence}", err=True)
        raise typer.Exit(NOTHING_FOUND)
    return found


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
