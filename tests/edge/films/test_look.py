"""What is hashed is what is read, whoever writes meanwhile, and no film outlives its reading."""

from __future__ import annotations

import gc
import hashlib
import os
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films import file as film_file
from edge_infer.films.file import FilmFile
from edge_infer.films.look import Look, look_at
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import bands, make_dicom
from tests.edge.made_films import png

LIGHT = make_dicom(bands([10, 60, 130, 250], "u1"))
DARK = make_dicom(bands([0, 20, 40, 255], "u1"))
assert len(LIGHT) == len(DARK)


def look(path: Path, *, known: frozenset[str] = frozenset()) -> Look[Radiograph]:
    return look_at(path, read=read_radiograph, known=known)


def key(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pixels_of(folder: Path, content: bytes) -> object:
    (folder / "alone").write_bytes(content)
    return read_radiograph(folder / "alone").pixels


def read_after(change: Callable[[], None]) -> Callable[[FilmFile], Radiograph]:
    """Return a reader before which, and after hashing, `change` happens."""

    def read(file: FilmFile) -> Radiograph:
        change()
        return read_radiograph(file)

    return read


def test_a_change_behind_the_same_size_and_time_leaves_what_was_hashed(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(LIGHT)
    before = path.stat()

    def overwrite() -> None:
        path.write_bytes(DARK)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    found = look_at(path, read=read_after(overwrite), known=frozenset())
    assert path.read_bytes() == DARK
    assert found.sha256 == key(LIGHT)
    assert isinstance(found.outcome, Radiograph)
    np.testing.assert_array_equal(found.outcome.pixels, pixels_of(tmp_path, LIGHT))


@pytest.mark.parametrize(
    "whole_bytes",
    [
        film_file.WHOLE_BYTES,
        pytest.param(
            0,
            marks=pytest.mark.skipif(
                sys.platform == "win32", reason="Windows lets nobody replace an open file"
            ),
        ),
    ],
)
def test_a_file_replaced_meanwhile_is_read_again(
    whole_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_file, "WHOLE_BYTES", whole_bytes)
    path, other = tmp_path / "film.dcm", tmp_path / "other"
    path.write_bytes(LIGHT)
    other.write_bytes(DARK)
    os.utime(other, ns=(0, 0))

    def replace_once() -> None:
        if other.exists():
            other.replace(path)

    found = look_at(path, read=read_after(replace_once), known=frozenset())
    assert (found.sha256, found.size, found.mtime_ns) == (key(DARK), len(DARK), 0)
    assert isinstance(found.outcome, Radiograph)
    np.testing.assert_array_equal(found.outcome.pixels, pixels_of(tmp_path, DARK))


@pytest.mark.parametrize("whole_bytes", [film_file.WHOLE_BYTES, 0])
def test_a_file_that_never_rests_is_arriving(
    whole_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_file, "WHOLE_BYTES", whole_bytes)
    path = tmp_path / "film.dcm"
    path.write_bytes(LIGHT)

    def grow() -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(UnreadableImage) as caught:
        look_at(path, read=read_after(grow), known=frozenset())
    assert caught.value.code is ReasonCode.ARRIVING
    assert path.stat().st_size == len(LIGHT) + 3 * len(b"more")


@pytest.mark.parametrize("whole_bytes", [film_file.WHOLE_BYTES, 0])
def test_a_known_content_is_hashed_only(
    whole_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_file, "WHOLE_BYTES", whole_bytes)
    (tmp_path / "film.dcm").write_bytes(LIGHT)
    found = look(tmp_path / "film.dcm", known=frozenset({key(LIGHT)}))
    assert (found.sha256, found.outcome) == (key(LIGHT), None)


@pytest.mark.parametrize("whole_bytes", [film_file.WHOLE_BYTES, -1])
def test_an_empty_file_has_a_key_and_a_reason(
    whole_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_file, "WHOLE_BYTES", whole_bytes)
    (tmp_path / "film.dcm").write_bytes(b"")
    found = look(tmp_path / "film.dcm")
    assert (found.sha256, found.size) == (key(b""), 0)
    assert isinstance(found.outcome, UnreadableImage)
    assert found.outcome.code is ReasonCode.EMPTY_FILE


def test_what_cannot_be_read_has_no_key(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(film_file.MAX_FILE_BYTES + 1)  # sparse: takes no space
    for name, code in (
        ("gone", ReasonCode.CANNOT_OPEN),
        (".", ReasonCode.CANNOT_OPEN),
        ("huge", ReasonCode.TOO_LARGE),
    ):
        with pytest.raises(ImageError) as caught:
            look(tmp_path / name)
        assert caught.value.code is code


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    with pytest.raises(UnreadableImage) as caught:
        look(tmp_path / "pipe.dcm")
    assert caught.value.code is ReasonCode.CANNOT_OPEN


def test_a_large_file_that_is_no_film_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "disc.zip"
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        file.truncate(film_file.WHOLE_BYTES + 1)
    found, _, highest = traced(lambda: look(path))
    assert highest < 4 * 2**20
    assert found.sha256 == key(b"PK\x03\x04" + bytes(film_file.WHOLE_BYTES - 3))
    assert isinstance(found.outcome, UnreadableImage)
    assert found.outcome.code is ReasonCode.NOT_AN_IMAGE


@pytest.mark.parametrize("pixels", ["sound", "blank", "cut"])
@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.RLE, made.JPEG_LS])
def test_a_film_s_bytes_end_with_its_reading(syntax: str, pixels: str, tmp_path: Path) -> None:
    """Films of 8 MB, most of it before the picture: neither result nor refusal may hold on to it.

    Without the garbage collector, which may not come for a long time: it counts objects.
    """
    greys = [9, 9] if pixels == "blank" else [0, 2, 8, 250]
    note = make_dicom(bands(greys, "u1"), syntax=syntax, ImageComments="x" * 2**23)
    path = tmp_path / "film.dcm"
    path.write_bytes(note[:-100] if pixels == "cut" else note)
    look(path)  # imports
    gc.collect()
    gc.disable()
    try:
        found, held, highest = traced(lambda: look(path))
    finally:
        gc.enable()
    assert highest > 2**23, "it was in memory"
    assert held < 2**20
    if pixels == "sound":
        assert isinstance(found.outcome, Radiograph)
    else:
        code = {"blank": ReasonCode.BLANK, "cut": ReasonCode.TRUNCATED}[pixels]
        assert isinstance(found.outcome, ImageError) and found.outcome.code is code


def traced(
    work: Callable[[], Look[Radiograph]],
) -> tuple[Look[Radiograph], int, int]:
    """Return the result, and how many bytes are held after it and were at most."""
    tracemalloc.start()
    try:
        result = work()
        return result, *tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


def test_a_refusal_keeps_its_kind_sentence_and_study(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(make_dicom(bands([0, 9], "u1"), Modality="CT"))
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(path)
    found = look(path).outcome
    assert type(found) is UnsupportedImage
    assert (str(found), found.code) == (str(caught.value), caught.value.code)
    assert found.study is not None and found.study == caught.value.study


def test_a_picture_s_key_is_that_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(png(1))
    found = look(tmp_path / "1.png")
    assert (found.sha256, found.size) == (key(png(1)), len(png(1)))
    assert isinstance(found.outcome, Radiograph)
