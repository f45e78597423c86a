"""Stand in for the worker processes in tests: read in this process, and remember what was read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import ImageError
from edge_infer.films.file import FilmFile
from edge_infer.flow import screen


class Reading:
    """What was handed to workers, and which of it was decoded."""

    def __init__(self) -> None:
        self.looked_at: list[str] = []
        self.decoded: list[str] = []
        self.before_each: Callable[[Path], None] | None = None

    def take(self) -> tuple[list[str], list[str]]:
        """Return the names looked at and decoded since the last time, sorted."""
        taken = sorted(self.looked_at), sorted(self.decoded)
        self.looked_at, self.decoded = [], []
        return taken


def read_here(monkeypatch: pytest.MonkeyPatch) -> Reading:
    reading = Reading()
    prepare = screen.prepare_film

    def prepare_and_note(file: FilmFile, **options: Any) -> Any:
        reading.decoded.append(file.path.name)
        return prepare(file, **options)

    def run_here(
        work: Callable[[Path], Any], paths: Sequence[Path], **_: object
    ) -> Iterator[tuple[int, Any]]:
        for index, path in enumerate(paths):
            if reading.before_each is not None:
                reading.before_each(path)
            reading.looked_at.append(path.name)
            try:
                yield index, work(path)
            except ImageError as error:
                yield index, error

    monkeypatch.setattr(screen, "prepare_film", prepare_and_note)
    monkeypatch.setattr(screen, "run_isolated", run_here)
    return reading
