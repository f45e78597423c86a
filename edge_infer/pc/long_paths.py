"""Paths of 260 characters and more, which Windows opens only in their extended spelling.

Archives nest a film under patient, study and series, each a UID of up to 64 characters. Without
`LongPathsEnabled` in its registry, Windows then says that the file does not exist.
"""

from __future__ import annotations

import ntpath
import os
import sys
from pathlib import Path

_LONGEST = 240
"""Characters of a plain absolute path; of a folder, Windows wants twelve to be left below 260."""


def reachable(path: Path) -> Path:
    """Return `path` as the operating system opens it, however long; on Windows it may be spelt
    anew, so it is for opening and not for showing or comparing."""
    return Path(extended(str(path))) if sys.platform == "win32" else path


def real_path(path: Path) -> str:
    """Return the absolute path behind all links, in its plain spelling.

    Where the operating system does not tell (some network drives do not), links stay.
    """
    try:
        real = os.path.realpath(reachable(path))
    except OSError:
        return os.path.abspath(path)  # noqa: PTH100 - `resolve` has just failed
    return plain(real) if sys.platform == "win32" else real


def extended(path: str) -> str:
    r"""Return a Windows path that is long as `\\?\C:\...` or `\\?\UNC\server\...`, others as is."""
    whole = ntpath.abspath(path)
    if len(whole) <= _LONGEST or whole.startswith(("\\\\?\\", "\\\\.\\")):
        return path
    if whole.startswith("\\\\"):
        return f"\\\\?\\UNC{whole[1:]}"
    return f"\\\\?\\{whole}"


def plain(path: str) -> str:
    """Return an extended Windows path as people write it, others as they are."""
    if path.startswith("\\\\?\\UNC\\"):
        return f"\\\\{path[8:]}"
    return path.removeprefix("\\\\?\\")
