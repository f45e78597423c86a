"""Folders that a system or a program keeps for itself, told by their names."""

from __future__ import annotations

_SYSTEM = frozenset(
    {
        "@eadir",  # Synology: small copies and indexes
        "#recycle",
        "#snapshot",
        "@recycle",  # QNAP
        "@recently-snapshot",
        ".@__thumb",
        ".@__qini",
        ".@__comments",
        "$recycle.bin",  # Windows
        "recycler",
        "recycled",
        "system volume information",
        ".trash",  # Linux, macOS; also with the number of a user behind
        ".trashes",
        "lost+found",
        ".thumbnails",
        ".thumb",
        ".thumbs",
        "__macosx",
        ".appledouble",
        ".appledb",
        ".spotlight-v100",
        ".fseventsd",
        ".temporaryitems",
        ".documentrevisions-v100",
        ".snapshot",
        ".snapshots",
        ".zfs",
        ".sync",
        ".stfolder",
        ".stversions",
        ".dropbox.cache",
        ".ipynb_checkpoints",
        ".git",
        "__pycache__",
    }
)
_SYSTEM_BEGINNINGS = (".trash-", "found.0")
_VIEWERS = frozenset({"weasis", "microdicom", "radiant", "osirix", "onis", "autorun", "jre"})


def is_of_system(name: str) -> bool:
    """Tell a folder of thumbnails, deleted files, snapshots or a system's own records."""
    name = name.casefold().rstrip()
    return name in _SYSTEM or name.startswith(_SYSTEM_BEGINNINGS)


def is_of_viewer(name: str) -> bool:
    """Tell the folder of the program that shows the films of a disc."""
    name = name.casefold()
    return name in _VIEWERS or name.rstrip("s0123456789 _-").endswith("viewer")
