"""Which revision of this program made something."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_revision(file: Path) -> str:
    """Return the revision of the checkout that tracks `file`; empty when none does.

    A wheel installed inside somebody's own repository must not wear that repository's revision.
    """
    tracked = _ask_git(file.parent, "ls-files", "--error-unmatch", file.name)
    return _ask_git(file.parent, "describe", "--always", "--dirty") if tracked else ""


def _ask_git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ("git", *words), capture_output=True, encoding="utf-8", check=False, cwd=folder
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
