"""The files of a day: who they are, what they are called in the list, what a look at one found.

A file is its real path: however an input is spelled, through whatever link or from whatever folder
above, it has one row. What the list calls it follows contract 3: relative to the input while the
day has one, and beginning with the input's name, made unique, from the day's second input on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_infer.errors import ImageError, ReasonCode
from edge_infer.films.find import (
    FoundImages,
    identify,
    make_unique,
    name_input,
    name_inputs,
)
from edge_infer.pc.long_paths import reachable
from edge_infer.store.film_record import FilmOutcome


@dataclass(frozen=True, kw_only=True)
class GivenInput:
    """A folder or file of the command line."""

    place: bytes
    """Its real path, encoded."""
    name: str
    """What shown paths begin with where a day has several inputs."""
    is_file: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenFile:
    """A file that is due a row."""

    place: bytes
    """Its real path, encoded: what tells it from others."""
    path: Path
    """Where to open it."""
    given: GivenInput
    tail: str
    """Its path below the input, with `/`; the name where the input is the file itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFile:
    """One row of the day: a place, and what was found there last."""

    row: int
    seen: SeenFile
    first_seen: str
    """Local date, YYYY-MM-DD."""
    size: int | None
    mtime_ns: int | None
    changed_at: float | None
    """When a change was last found, in seconds of `time.time`; None before the first look."""
    checked_at: float | None
    """When the content was last hashed."""
    sha256: str | None
    reason_code: ReasonCode | None
    """Of a refusal that is the place's own and not its content's."""
    audited: str
    """What the audit trail says of it last."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckedFile:
    """What a look at one file found."""

    place: bytes
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    """None where there was no content to hash; the outcome is then the place's own refusal."""
    checked_at: float
    outcome: FilmOutcome | None
    """None where the store has the outcome of this content."""
    arriving: ImageError | None = None
    """Stands in the list instead of the outcome while the file may still be growing."""


@dataclass(frozen=True, kw_only=True)
class SeenFiles:
    """What one look at the inputs found."""

    inputs: tuple[GivenInput, ...]
    """In the order of the command line."""
    files: tuple[SeenFile, ...]


def see_files(inputs: Sequence[Path], found: FoundImages) -> SeenFiles:
    """Tell of each file found below `inputs` which input it belongs to."""
    given = {
        name: GivenInput(
            place=encode_place(path),
            name=name or name_input(path),
            is_file=not reachable(path).is_dir(),
        )
        for name, path in name_inputs(inputs)
    }
    alone = given.get("")
    files = []
    for image in found.images:
        first, _, below = image.shown.partition("/")
        holder, tail = (alone, image.shown) if alone else (given[first], below or first)
        place = os.fsencode(image.identity) if image.identity else encode_place(image.path)
        files.append(SeenFile(place=place, path=image.path.absolute(), given=holder, tail=tail))
    return SeenFiles(inputs=tuple(given.values()), files=tuple(files))


def name_rows(inputs: Sequence[GivenInput], files: Sequence[StoredFile]) -> dict[int, str]:
    """Return what the list calls each row, by row number; `inputs` in order of first use."""
    ranked = sorted(files, key=lambda file: (file.seen.tail, file.seen.place))
    if len(inputs) == 1 and not inputs[0].is_file:
        prefixes = {inputs[0]: ""}
    else:
        taken: set[str] = set()
        prefixes = {
            one: make_unique(one.name, taken, keep_suffix=one.is_file) + "/" * (not one.is_file)
            for one in inputs
        }
    shown: set[str] = set()
    return {
        file.row: make_unique(
            prefixes[file.seen.given] + ("" if file.seen.given.is_file else file.seen.tail),
            shown,
            keep_suffix=True,
        )
        for file in ranked
    }


def encode_place(path: Path) -> bytes:
    """Name a file by its real path, as bytes: a name need not be UTF-8."""
    return os.fsencode(identify(path))
