"""List the files of the inputs that are due a row; nothing is lost and nothing comes twice.

A row is due for a regular file whose content is an image or DICOM, or whose name claims it. Of
the rest (text, DICOMDIR, `._*`, pipes, sockets, links to nowhere) only the number is kept.

Links: first everything is listed where it really lies, then links are followed, in the order of
their shown paths. So a folder is entered once, a loop ends, a file that also lies in the inputs
itself keeps its own path, and one reached only through links has the first link's path. Hard
links are files of their own. A broken link whose name claims an image is due a row like any other
file that cannot be opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.films.sniff import HEAD_BYTES, NAME_CLAIMS_IMAGE, FileKind, sniff
from edge_infer.pc.long_paths import reachable, real_path


@dataclass(frozen=True, slots=True)
class FoundImage:
    path: Path
    """Where to open the file."""
    shown: str
    """Its name in the worklist: relative to the input, with `/`, valid UTF-8, unique."""
    identity: str = field(default="", compare=False)
    """Its real path, however it was reached; empty where nobody looked."""


@dataclass(frozen=True)
class FoundImages:
    images: tuple[FoundImage, ...]
    """Sorted by the code points of `shown`."""
    ignored: int
    """Files that are due no row."""
    unreadable_folders: tuple[str, ...]
    """Folders that could not be listed, as shown; films in them are missing from `images`."""


def find_images(inputs: Sequence[Path]) -> FoundImages:
    """List every file below `inputs` (folders, or files themselves) that is due a row.

    With several inputs, shown paths begin with the input's name, made unique (`day`, `day-2`).
    Raises FileNotFoundError or PermissionError where an input itself cannot be looked at.
    """
    search = _Search()
    for name, path in name_inputs(inputs):
        search.add_input(path, name)
    search.follow_links()
    return search.finish()


def name_inputs(inputs: Sequence[Path]) -> list[tuple[str, Path]]:
    """Pair each input with what its shown paths begin with; one named twice counts once."""
    unique: dict[str, Path] = {}
    for path in inputs:
        unique.setdefault(identify(path), path)
    paths = list(unique.values())
    if len(paths) == 1 and reachable(paths[0]).is_dir():
        return [("", paths[0])]
    taken: set[str] = set()
    return [
        (make_unique(name_input(path), taken, keep_suffix=not reachable(path).is_dir()), path)
        for path in paths
    ]


def name_input(path: Path) -> str:
    """Return an input's name; `.` and `..` have none of their own, a drive has none at all."""
    name = path.name if path.name not in ("", "..") else path.resolve().name
    return _to_text(name or "input")


class _Search:
    """What has been seen so far; real paths tell what has been seen already."""

    def __init__(self) -> None:
        self._images: dict[str, FoundImage] = {}
        self._ignored: set[str] = set()
        self._entered: set[str] = set()
        self._links: list[FoundImage] = []
        self._unreadable: list[str] = []

    def add_input(self, path: Path, shown: str) -> None:
        """List an input; one that is a link is followed at once, for it was asked for by name."""
        mode = reachable(path).stat().st_mode
        if stat.S_ISDIR(mode):
            self._enter(path, shown)
        else:
            self._add_file(FoundImage(path, shown), identify(path), mode)

    def follow_links(self) -> None:
        while self._links:
            links = sorted(self._links, key=lambda link: _to_text(link.shown))
            self._links = []
            for link in links:
                self._follow(link)

    def finish(self) -> FoundImages:
        taken: set[str] = set()
        found = sorted(
            self._images.items(), key=lambda item: (_to_text(item[1].shown), item[1].path)
        )
        images = [
            FoundImage(
                image.path, make_unique(_to_text(image.shown), taken, keep_suffix=True), identity
            )
            for identity, image in found
        ]
        return FoundImages(
            images=tuple(sorted(images, key=lambda image: image.shown)),
            ignored=len(self._ignored),
            unreadable_folders=tuple(sorted(_to_text(shown or ".") for shown in self._unreadable)),
        )

    def _enter(self, folder: Path, shown: str) -> None:
        """List a folder and those below it, each once; without recursion, however deep."""
        waiting = [(folder, shown)]
        while waiting:
            folder, shown = waiting.pop()
            identity = identify(folder)
            if identity in self._entered:
                continue
            self._entered.add(identity)
            prefix = f"{shown}/" if shown else ""
            try:
                entries = list(_scan(folder))
            except OSError:
                self._unreadable.append(shown)
                continue
            for entry in entries:
                item = FoundImage(folder / entry.name, prefix + entry.name)
                # A Windows junction passes for a folder; its real path keeps it from looping.
                if entry.is_symlink():
                    self._links.append(item)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append((item.path, item.shown))
                else:
                    self._add_entry(entry, item, str(Path(identity, os.path.normcase(entry.name))))

    def _add_entry(self, entry: os.DirEntry[str], item: FoundImage, identity: str) -> None:
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except FileNotFoundError:
            return  # it vanished since the folder was listed
        except OSError:
            mode = stat.S_IFREG  # it is there; whether it can be read shows on opening
        self._add_file(item, identity, mode)

    def _follow(self, link: FoundImage) -> None:
        try:
            mode = reachable(link.path).stat().st_mode
        except OSError:
            mode = 0
        if stat.S_ISDIR(mode):
            self._enter(link.path, link.shown)
        else:
            self._add_file(link, identify(link.path), mode, is_link=True)

    def _add_file(
        self, item: FoundImage, identity: str, mode: int, *, is_link: bool = False
    ) -> None:
        if identity in self._images:
            return
        names = [item.path.name, Path(identity).name]
        # A link to nowhere has only its name to go by.
        is_broken = is_link and mode == 0 and _name_claims(names)
        if is_broken or (stat.S_ISREG(mode) and _is_due(item.path, names)):
            self._images[identity] = item
            self._ignored.discard(identity)
        elif stat.S_ISREG(mode) or _is_there(item.path):
            self._ignored.add(identity)


def _is_due(path: Path, names: Sequence[str]) -> bool:
    """Tell whether the content is an image or a name claims it; look inside only if none does."""
    if any(_is_never_due(name) for name in names):
        return False
    if _name_claims(names):
        return True
    try:
        with reachable(path).open("rb") as file:
            return sniff(file.read(HEAD_BYTES)) is not FileKind.OTHER
    except FileNotFoundError:
        return False
    except OSError:
        return all(_says_nothing(name) for name in names)


def _is_there(path: Path) -> bool:
    """Tell whether there is something, be it a link to nowhere."""
    return os.path.lexists(reachable(path))


def _is_never_due(name: str) -> bool:
    """Tell the index of a disc and the shadows macOS leaves beside its files."""
    return name.startswith("._") or name.upper() == "DICOMDIR"


def _name_claims(names: Sequence[str]) -> bool:
    # Not Path.suffix: a file named just `.dcm` has none there, and is due a row all the same.
    endings = (f".{name.lower().rpartition('.')[2]}" for name in names if "." in name)
    claims = any(ending in NAME_CLAIMS_IMAGE for ending in endings)
    return claims and not any(_is_never_due(name) for name in names)


def _says_nothing(name: str) -> bool:
    """Tell names without a suffix and UIDs: archives name DICOM files so.

    Such a file that cannot be opened may be a film and is due a row; a locked `.docx` is not.
    """
    suffix = Path(name).suffix[1:]
    return not suffix or suffix.isdigit()


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(reachable(folder)) as entries:
        yield from entries


def identify(path: Path) -> str:
    """Name a file or folder by its real path: inode numbers repeat on some network drives."""
    return os.path.normcase(real_path(path))


def _to_text(name: str) -> str:
    """Return the name as text that can be stored, the same under every locale.

    Where the locale is not UTF-8, Python hands UTF-8 names over as escaped bytes: they are read as
    UTF-8 again. Bytes that are no UTF-8, and lone surrogates, are written as visible escapes.
    """
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return name.encode("utf-8", "backslashreplace").decode("utf-8")


def make_unique(name: str, taken: set[str], *, keep_suffix: bool) -> str:
    """Return `name`, or its first numbered form (`a-2.png`) that is not in `taken`; enter it."""
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".") if keep_suffix else (last, "", "")
    if not stem:
        stem, dot, suffix = last, "", ""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{folder}{slash}{stem}-{number}{dot}{suffix}"
    taken.add(candidate)
    return candidate
