"""Training data made small for the way to another machine: a rented or lent GPU.

A training sees films of 256 pixels (for an input of 224) and nothing of a held-out split, so no
more travels: training films as `fit` would decode them, validation films at the input's own size,
masks and boxes of these films. Names, classes, splits and groups stay, so a run that comes back has
the fingerprint of the data here and is exported with it. What travels is JPEG: the pixels differ a
little, and only `fit` should see them; thresholds and figures are made from the films themselves.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from cxr_train.data.dataset import LoadedImages, load_films, training_side
from cxr_train.data.manifest import Example, fingerprint, read_data, require_every_class, select
from cxr_train.data.tables import BOX_COLUMNS, MASK_COLUMNS, read_rows
from cxr_train.errors import ConfigError, DataError
from cxr_train.result_files import csv_table, require_writable, unwritable
from cxr_train.terminal import working
from edge_infer.model.model_card import CLASSES
from edge_infer.pc.whole_files import remove

FILMS, EXTRA, LUNGS, BOXES = "films", "extra", "lungs", "boxes.csv"
"""What lies where after unpacking; further data is `extra-1`, `extra-2`, ..."""
_COLUMNS = ("path", "class", "split", "group_id", "source", "squashed", "age")
_LEAST_SIDE = 128
"""The reader takes a smaller picture for no film; a training of a smaller input shrinks these."""
_MIB = 1 << 20
_TAR_BLOCK = 512


@dataclass(frozen=True, kw_only=True)
class Pack:
    """What was packed."""

    parts: tuple[Path, ...]
    train: int
    """Films, those of further data among them."""
    val: int
    masks: int
    boxes: int
    extras: int
    """Folders of further data."""
    size: int
    """Of all parts together, in bytes."""
    fingerprint: str
    """That of a run on DATA, and of one on what was packed."""


def pack_data(
    data: Path,
    out: Path,
    *,
    extra: Sequence[Path] = (),
    lungs: Path | None = None,
    boxes: Path | None = None,
    size: int = 224,
    quality: int = 85,
    part_bytes: int = 60 * _MIB,
    cache: Path | None = None,
) -> Pack:
    """Write the films that train a network of `size` pixels to `out` as part-1.tar and on.

    Of `data` the train and val splits, of `extra` the train split; `quality` is JPEG's, 1..100.
    All parts are unpacked into one folder. Raises DataError for data that cannot be used, a name
    that leaves the data's folder, or masks and boxes of other films, ConfigError where `out` holds
    a pack already, ReportError where it cannot be written; nothing is left then.
    """
    require_writable(out)
    if any(out.glob("part-*.tar")):
        raise ConfigError(f"{out} already holds a pack: remove it, or choose another --out.")
    folders = _read_folders(data, extra)
    films = [film for some in folders.values() for film in some]
    for film in films:
        _check_name(film.name)
    names = frozenset(film.name for film in films)
    masks = list(_masks(lungs, names)) if lungs is not None else []
    drawn = _rows_of(names, boxes, BOX_COLUMNS) if boxes is not None else []
    with _Parts(out, part_bytes) as parts:
        for folder, some in folders.items():
            for split, side in (("train", training_side(size)), ("val", size)):
                if chosen := select(some, split):
                    what = split if folder == FILMS else folder
                    loaded = load_films(chosen, max(side, _LEAST_SIDE), what=what, cache=cache)
                    for film, picture in _encode(loaded, quality, what):
                        parts.add(f"{folder}/{film.name}", picture)
            parts.add(f"{folder}/manifest.csv", _manifest(some))
        for row, picture in masks:
            parts.add(f"{LUNGS}/{row['mask']}", picture)
        if masks:
            parts.add(f"{LUNGS}/manifest.csv", csv_table(MASK_COLUMNS, [row for row, _ in masks]))
        if drawn:
            parts.add(BOXES, csv_table(BOX_COLUMNS, drawn))
    return Pack(
        parts=tuple(parts.paths),
        train=len(select(films, "train")),
        val=len(select(films, "val")),
        masks=len(masks),
        boxes=len(drawn),
        extras=len(extra),
        size=sum(path.stat().st_size for path in parts.paths),
        fingerprint=fingerprint(films),
    )


def describe_pack(pack: Pack) -> Iterator[str]:
    """Say what was packed, and what to do with it there and back here."""
    beside = [
        f"{count} {name}"
        for count, name in ((pack.masks, "lung masks"), (pack.boxes, "boxes"))
        if count
    ]
    films = ", ".join([f"{pack.train} training and {pack.val} validation films", *beside])
    yield f"{films}: {pack.size / _MIB:.1f} MiB, fingerprint {pack.fingerprint[:16]}"
    for path in pack.parts:
        yield f"  {path}"
    options = [f"--extra {EXTRA}-{number}" for number in range(1, pack.extras + 1)]
    options += [f"--lungs {LUNGS}"] if pack.masks else []
    options += [f"--boxes {BOXES}"] if pack.boxes else []
    yield 'There, in one folder: for part in part-*.tar; do tar -xf "$part"; done'
    yield "  " + " ".join(["cxr-train fit", FILMS, *options, "--out run"])
    yield "Back here: cxr-export run --calibration DATA --out model.onnx"


class _Parts:
    """Tar files that are begun anew before they grow beyond a size."""

    def __init__(self, folder: Path, part_bytes: int) -> None:
        self.paths: list[Path] = []
        self._folder, self._most = folder, part_bytes
        self._part: tarfile.TarFile | None = None
        self._bytes = 0

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self._end()
        if error is not None:
            remove(self.paths)

    def add(self, name: str, content: bytes) -> None:
        """Put a file into the part that is open, or into a new one."""
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        # A name of more than 100 bytes takes a head of its own.
        heads = len(entry.tobuf(tarfile.PAX_FORMAT))
        room = heads + -(-len(content) // _TAR_BLOCK) * _TAR_BLOCK
        with unwritable(self._folder):
            if self._part is None or self._bytes + room > self._most - tarfile.RECORDSIZE:
                self._begin()
            assert self._part is not None
            self._part.addfile(entry, io.BytesIO(content))
        self._bytes += room

    def _begin(self) -> None:
        self._end()
        self.paths.append(self._folder / f"part-{len(self.paths) + 1}.tar")
        self._part = tarfile.TarFile(self.paths[-1], "w", format=tarfile.PAX_FORMAT)
        self._bytes = 0

    def _end(self) -> None:
        if self._part is not None:
            self._part.close()


def _read_folders(data: Path, extra: Sequence[Path]) -> dict[str, tuple[Example, ...]]:
    """Return what is packed into which folder: nothing of a held-out split."""
    everything = read_data(data)
    for split in ("train", "val"):
        require_every_class(everything, split)
    folders = {FILMS: (*select(everything, "train"), *select(everything, "val"))}
    for number, folder in enumerate(extra, 1):
        folders[f"{EXTRA}-{number}"] = select(read_data(folder), "train")
    return folders


def _encode(films: LoadedImages, quality: int, what: str) -> Iterator[tuple[Example, bytes]]:
    import cv2

    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    with working(f"packing {what} films") as task:
        for number, film in enumerate(films.examples):
            encoded, picture = cv2.imencode(".jpg", np.array(films.pixels[number, 0]), settings)
            assert encoded, "JPEG encoding of a small grey picture cannot fail"
            yield film, picture.tobytes()
            task.at(number + 1, len(films.examples))


def _manifest(films: Sequence[Example]) -> bytes:
    rows = [
        {
            "path": film.name,
            "class": CLASSES[film.label],
            "split": film.split,
            "group_id": film.group,
            "source": film.source,
            "squashed": "" if film.squashed is None else int(film.squashed),
            "age": "" if film.age is None else f"{film.age:.4f}",
        }
        for film in films
    ]
    return csv_table(_COLUMNS, rows)


def _masks(folder: Path, names: frozenset[str]) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield the rows of films that are packed, each with its mask as it is stored."""
    for row in _rows_of(names, folder / "manifest.csv", MASK_COLUMNS):
        _check_name(row["mask"])
        path = folder / row["mask"]
        try:
            yield row, path.read_bytes()
        except OSError as error:
            raise DataError(f"The lung mask {path} cannot be read: {error}.") from error


def _rows_of(names: frozenset[str], table: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of the films that are packed, these columns alone."""
    rows = [row for row in read_rows(table, columns) if row["film"] in names]
    if not rows:
        raise DataError(f"{table} names no film here: are its names those of DATA?")
    return [{column: row[column] for column in columns} for row in rows]


def _check_name(name: str) -> None:
    """Refuse a name that would be unpacked beside the folder and not into it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise DataError(f"'{name}' does not lie in the data's folder: it cannot be packed.")
