"""Show a film's file in the PC's own file manager."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def show_in_folder(path: Path) -> bool:
    """Open the folder of `path`, the file chosen where the system can; tell whether it began."""
    try:
        subprocess.Popen(  # it outlives us, and says nothing that we need
            _command(path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return False
    return True


def _command(path: Path) -> str | list[str]:
    if sys.platform == "win32":
        # One string: Explorer reads its command line in its own way. No name there has a quote.
        return f'explorer.exe /select,"{path}"'
    if sys.platform == "darwin":
        return ["open", "-R", str(path)]
    return ["xdg-open", str(path.parent)]
