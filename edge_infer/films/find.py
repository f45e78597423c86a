"""List the films of the inputs; nothing is lost and nothing comes twice.

A row stands for each regular file whose content is an image or DICOM, or whose name claims it. Of
the rest (text, DICOMDIR, `._*`, pipes, sockets, links to nowhere) only the number is kept.

Links: first everything is listed where it really lies, then links are followed, in the order of
their names. So a folder is entered once, a loop ends, a file that also lies in the inputs
itself keeps its own name, and one reached only through links has the first link's name. Hard
links are files of their own. A broken link whose name claims an image has a row like any other
file that cannot be opened.

What a system keeps for itself is passed over: recycle bins hold films that were deleted, network
drives keep small copies beside every picture, and a stick's System Volume Information cannot be
opened. So are pictures that are no DICOM in a viewer's folder, and below a folder that has both a
DICOMDIR and a program: they belong to the disc's viewer. An input itself is always entered.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from edge_infer.films.sniff import (
    HEAD_BYTES,
    NAME_CLAIMS_DICOM,
    NAME_CLAIMS_IMAGE,
    FileKind,
    is_archive,
    sniff,
)
from edge_infer.films.system_folders import is_of_system, is_of_viewer
from edge_infer.pc.long_paths import reachable, real_path


@dataclass(frozen=True, kw_only=True)
class GivenInput:
    """A folder or file of the command line."""

    place: bytes
    """Its real path, encoded."""
    name: str
    """Its own name; of several inputs, the films' names begin with it (see `name_films`)."""
    is_file: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundFilm:
    """A file that gets a row."""

    place: bytes
    """Its real path, encoded, for a name need not be UTF-8: what tells it from others, however it
    was reached."""
    path: Path
    """Where to open it; absolute."""
    given: GivenInput
    """The input it was found under first."""
    tail: str
    """Its path below the input, with `/`, valid UTF-8; the name where the input is the file."""


@dataclass(frozen=True, kw_only=True)
class FoundFilms:
    """What the inputs hold."""

    inputs: tuple[GivenInput, ...] = ()
    """In the order of the command line."""
    films: tuple[FoundFilm, ...] = ()
    """In the order of their names."""
    ignored: int = 0
    """Files that get no row."""
    archives: tuple[str, ...] = ()
    """Zip, gz and the like among them, by name: films in them are missing from `films`."""
    unreadable_folders: tuple[str, ...] = ()
    """Folders that could not be listed, by name; films in them are missing from `films`."""


def find_films(inputs: Sequence[Path]) -> FoundFilms:
    """List every file below `inputs` (folders, or files themselves) that gets a row.

    An input named twice counts once. Raises FileNotFoundError or PermissionError where one cannot
    be looked at.
    """
    unique: dict[str, Path] = {}
    for path in inputs:
        unique.setdefault(_real_name(path), path)
    search = _Search()
    for path in unique.values():
        search.add_input(path)
    search.follow_links()
    return search.finish()


def name_films(inputs: Sequence[GivenInput], films: Iterable[FoundFilm]) -> dict[bytes, str]:
    """Return what the list calls each film, by place: every name once, and the same in every run.

    Relative to the input where that is one folder; with several inputs, or a file, it begins with
    the input's name, made unique in the order of `inputs` (`day`, `day-2`).
    """
    prefixes, taken = _name_inputs(inputs), set[str]()
    return {
        film.place: _make_unique(
            prefixes[film.given] + ("" if film.given.is_file else film.tail),
            taken,
            keep_suffix=True,
        )
        for film in sorted(films, key=lambda film: (film.tail, film.place))
    }


def _name_inputs(inputs: Sequence[GivenInput]) -> dict[GivenInput, str]:
    """Return what the names of each input's films begin with."""
    if len(inputs) == 1 and not inputs[0].is_file:
        return {inputs[0]: ""}
    taken: set[str] = set()
    return {
        one: _make_unique(one.name, taken, keep_suffix=one.is_file) + "/" * (not one.is_file)
        for one in inputs
    }


class _Search:
    """What has been seen so far; real paths tell what has been seen already."""

    def __init__(self) -> None:
        self._inputs: list[GivenInput] = []
        self._films: dict[str, FoundFilm] = {}
        self._ignored: set[str] = set()
        self._archives: dict[str, _Item] = {}
        self._entered: set[str] = set()
        self._links: list[_Item] = []
        self._unreadable: list[_Item] = []

    def add_input(self, path: Path) -> None:
        """List an input; one that is a link is followed at once, for it was asked for by name."""
        mode = reachable(path).stat().st_mode
        is_file = not stat.S_ISDIR(mode)
        name = path.name if path.name not in ("", "..") else path.resolve().name
        given = GivenInput(
            place=os.fsencode(_real_name(path)), name=_to_text(name or "input"), is_file=is_file
        )
        self._inputs.append(given)
        if is_file:
            self._add_file(_Item(path.absolute(), given, name), _real_name(path), mode)
        else:
            self._enter(_Item(path.absolute(), given, ""))

    def follow_links(self) -> None:
        prefixes = _name_inputs(self._inputs)
        while self._links:
            links = sorted(self._links, key=lambda link: _to_text(prefixes[link.given] + link.tail))
            self._links = []
            for link in links:
                self._follow(link)

    def finish(self) -> FoundFilms:
        prefixes = _name_inputs(self._inputs)
        names = name_films(self._inputs, self._films.values())

        def by_name(items: Iterable[_Item]) -> list[str]:
            return sorted(_to_text(prefixes[one.given] + one.tail) for one in items)

        return FoundFilms(
            inputs=tuple(self._inputs),
            films=tuple(sorted(self._films.values(), key=lambda film: names[film.place])),
            ignored=len(self._ignored),
            archives=tuple(by_name(self._archives.values())),
            unreadable_folders=tuple(n.rstrip("/") or "." for n in by_name(self._unreadable)),
        )

    def _enter(self, folder: _Item) -> None:
        """List a folder and those below it, each once; without recursion, however deep."""
        waiting = [folder]
        while waiting:
            folder = waiting.pop()
            real = _real_name(folder.path)
            if real in self._entered:
                continue
            self._entered.add(real)
            begin = f"{folder.tail}/" if folder.tail else ""
            try:
                entries = list(_scan(folder.path))
            except OSError:
                self._unreadable.append(folder)
                continue
            is_disc = folder.is_of_program or _is_disc([entry.name for entry in entries])
            for entry in entries:
                item = _Item(folder.path / entry.name, folder.given, begin + entry.name)
                # A Windows junction passes for a folder; its real path keeps it from looping.
                if entry.is_symlink():
                    self._links.append(item)
                elif entry.is_dir(follow_symlinks=False):
                    if not is_of_system(entry.name):
                        waiting.append(
                            item._replace(is_of_program=is_disc or is_of_viewer(entry.name))
                        )
                else:
                    item = item._replace(is_of_program=folder.is_of_program)
                    self._add_entry(entry, item, str(Path(real, os.path.normcase(entry.name))))

    def _add_entry(self, entry: os.DirEntry[str], item: _Item, real: str) -> None:
        try:
            mode = entry.stat(follow_symlinks=False).st_mode
        except FileNotFoundError:
            return  # it vanished since the folder was listed
        except OSError:
            mode = stat.S_IFREG  # it is there; whether it can be read shows on opening
        self._add_file(item, real, mode)

    def _follow(self, link: _Item) -> None:
        try:
            mode = reachable(link.path).stat().st_mode
        except OSError:
            mode = 0
        if stat.S_ISDIR(mode):
            self._enter(link)
        else:
            self._add_file(link, _real_name(link.path), mode, is_link=True)

    def _add_file(self, item: _Item, real: str, mode: int, *, is_link: bool = False) -> None:
        if real in self._films:
            return
        names = [item.path.name, Path(real).name]
        # A link to nowhere has only its name to go by.
        is_broken = is_link and mode == 0 and _name_claims(names)
        if is_broken or (stat.S_ISREG(mode) and _gets_row(item, names)):
            self._films[real] = FoundFilm(
                place=os.fsencode(real),
                path=item.path,
                given=item.given,
                tail=_to_text(item.tail),
            )
            self._ignored.discard(real)
        elif stat.S_ISREG(mode) or _is_there(item.path):
            self._ignored.add(real)
            if stat.S_ISREG(mode) and is_archive(item.path.name, _read_head(item.path)):
                self._archives.setdefault(real, item)


class _Item(NamedTuple):
    """Something in a folder, its name as the operating system gives it."""

    path: Path
    given: GivenInput
    tail: str
    is_of_program: bool = False
    """Among the files of a viewer, or of the disc that it comes on."""


def _gets_row(item: _Item, names: Sequence[str]) -> bool:
    """Tell whether the content is an image or a name claims it; look inside only if none does.

    Among a viewer's files only DICOM counts.
    """
    if any(_never_gets_row(name) for name in names):
        return False
    if _name_claims(names, NAME_CLAIMS_DICOM if item.is_of_program else NAME_CLAIMS_IMAGE):
        return True
    try:
        with reachable(item.path).open("rb") as file:
            kind = sniff(file.read(HEAD_BYTES))
    except FileNotFoundError:
        return False
    except OSError:
        return all(_says_nothing(name) for name in names)
    return kind is FileKind.DICOM or (kind is not FileKind.OTHER and not item.is_of_program)


def _read_head(path: Path) -> bytes:
    try:
        with reachable(path).open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _is_there(path: Path) -> bool:
    """Tell whether there is something, be it a link to nowhere."""
    return os.path.lexists(reachable(path))


def _never_gets_row(name: str) -> bool:
    """Tell the index of a disc and the shadows macOS leaves beside its files."""
    return name.startswith("._") or _is_directory(name)


def _is_directory(name: str) -> bool:
    return name.upper() == "DICOMDIR"


def _is_disc(names: Sequence[str]) -> bool:
    """Tell the top of a disc as hospitals hand them out, with films and a viewer."""
    has_program = any(name.lower().endswith((".exe", ".app", "autorun.inf")) for name in names)
    return has_program and any(map(_is_directory, names))


def _name_claims(names: Sequence[str], endings_of: frozenset[str] = NAME_CLAIMS_IMAGE) -> bool:
    # Not Path.suffix: a file named just `.dcm` has none there, and gets a row all the same.
    endings = (f".{name.lower().rpartition('.')[2]}" for name in names if "." in name)
    claims = any(ending in endings_of for ending in endings)
    return claims and not any(_never_gets_row(name) for name in names)


def _says_nothing(name: str) -> bool:
    """Tell names without a suffix and UIDs: archives name DICOM files so.

    Such a file that cannot be opened may be a film and gets a row; a locked `.docx` is not.
    """
    suffix = Path(name).suffix[1:]
    return not suffix or suffix.isdigit()


def _scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(reachable(folder)) as entries:
        yield from entries


def _real_name(path: Path) -> str:
    """Tell a file or folder by its real path: inode numbers repeat on some network drives."""
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


def _make_unique(name: str, taken: set[str], *, keep_suffix: bool) -> str:
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
