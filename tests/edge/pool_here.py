"""The pool's stand-in: it works in this process, for starting workers takes a second, and notes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from edge_infer.errors import ImageError
from edge_infer.films.look import Look


class PoolHere:
    """Takes the place of `run_isolated`; notes which files it was given and which were read."""

    def __init__(self, *, backwards: bool = False) -> None:
        self.looked_at: list[str] = []
        self.decoded: list[str] = []
        """Files that were read, not only hashed."""
        self.before_each: Callable[[Path], object] | None = None
        self._backwards = backwards

    def __call__(
        self, work: Callable[[Path], Any], paths: Sequence[Path], *, workers: int, **_: object
    ) -> Generator[tuple[int, Any], None, None]:
        assert workers > 0
        indices = range(len(paths))
        for index in reversed(indices) if self._backwards else indices:
            if self.before_each is not None:
                self.before_each(paths[index])
            self.looked_at.append(paths[index].name)
            result: Any
            try:
                result = work(paths[index])
            except ImageError as error:
                result = error
            if isinstance(result, Look) and result.outcome is not None:
                self.decoded.append(paths[index].name)
            yield index, result

    def take(self) -> tuple[list[str], list[str]]:
        """Return the names looked at and decoded since the last time, sorted."""
        taken = sorted(self.looked_at), sorted(self.decoded)
        self.looked_at, self.decoded = [], []
        return taken
