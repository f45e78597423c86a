"""Which model a gate or a lung head was taught for: it goes into no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxr_train.errors import DataError
from edge_infer.model.model_file import ModelFile


def require_taught_for(facts: dict[str, Any], file: ModelFile, *, what: str, folder: Path) -> None:
    """Raise DataError unless `folder`, whose facts these are, holds `what` taught for `file`."""
    named = facts["model"]
    if named["sha256"] != file.sha256:
        raise DataError(
            f"The {what} in {folder} was trained for {named['name']} {named['version']} "
            f"({named['sha256'][:12]}), and {file.path} is another file: name that one with "
            "--model."
        )
