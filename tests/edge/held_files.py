"""Files that another program has open, as Windows keeps them from everybody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def hold_files(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the set of names, empty as yet, of files that cannot be replaced or written."""
    held: set[str] = set()
    really_replace, really_open = Path.replace, Path.open

    def refuse(path: Path) -> None:
        if path.name in held:
            raise PermissionError(13, "The process cannot access the file", str(path))

    def replace(self: Path, target: Path) -> Path:
        refuse(target)
        return really_replace(self, target)

    def open_file(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if mode.strip("bt") != "r":
            refuse(self)
        return really_open(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(Path, "open", open_file)
    return held
