"""Whatever a file holds, reading it gives a Radiograph or an ImageError, by its content alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films import file as film_file
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import bands, make_dicom

PIXELS = bands([10, 60, 130, 250], "u1")
QUICK = settings(
    max_examples=400,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


def _make_small_films() -> list[bytes]:
    """One film per encoding, rich in header values, so that mutations reach every reader."""
    elements: dict[str, Any] = {
        "WindowCenter": 100,
        "WindowWidth": 200,
        "RescaleSlope": 1,
        "PixelPaddingValue": 3,
        "VOILUTSequence": made.make_lut(first=0, bits=8, entries=list(range(256))),
        "ViewCodeSequence": made.make_code("postero-anterior"),
        "SpecificCharacterSet": "ISO_IR 192",
        "StudyDescription": "흉부",
    }
    syntaxes = [
        *(made.IMPLICIT, made.EXPLICIT, made.BIG, made.DEFLATED, made.RLE, made.JPEG_BASELINE),
        *(made.JPEG_LOSSLESS_SV1, made.JPEG_LS, made.J2K_LOSSLESS, made.HTJ2K_LOSSLESS),
    ]
    films = [make_dicom(PIXELS, syntax=syntax, **elements) for syntax in syntaxes]
    headerless = made.encode_headerless(made.make_dataset(PIXELS), implicit=True)
    return [*films, headerless]


FILMS = _make_small_films()
PICTURES = [
    cv2.imencode(suffix, bands([0, 90, 180, 255], "u1"))[1].tobytes()
    for suffix in (".png", ".jpg", ".tiff", ".bmp")
]


def test_unchanged_films_are_read(tmp_path: Path) -> None:
    for content in FILMS:
        assert isinstance(_read(tmp_path, content), Radiograph)


@QUICK
@given(
    film=st.sampled_from(range(len(FILMS))),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
    ),
    header_only=st.booleans(),
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_any_mutation_gives_a_film_or_an_image_error(
    film: int,
    changes: list[tuple[float, int]],
    header_only: bool,
    kept: float,
    tmp_path: Path,
) -> None:
    content = bytearray(FILMS[film])
    # Nearly all bytes are pixels: half of the examples change the first 1,200 only.
    span = min(1200, len(content)) if header_only else len(content)
    for where, value in changes:
        content[int(where * span)] = value
    _require_a_sentence(_read(tmp_path, bytes(content[: int(len(content) * kept)])))


@QUICK
@given(content=st.binary(max_size=400), start=st.sampled_from([0, 128, 132, 300]))
@example(content=b"", start=0)
@example(content=b"\xff" * 400, start=132)
def test_any_bytes_give_an_image_error(content: bytes, start: int, tmp_path: Path) -> None:
    _require_a_sentence(_read(tmp_path, FILMS[1][:start] + content))


def _require_a_sentence(result: Radiograph | ImageError) -> None:
    assert isinstance(result, Radiograph) or str(result).endswith(".")


def _read(folder: Path, content: bytes) -> Radiograph | ImageError:
    """Read `content`; anything raised that is no ImageError fails the test."""
    path = folder / "film.dcm"
    path.write_bytes(content)
    try:
        film = read_radiograph(path)
    except ImageError as error:
        return error
    assert film.pixels.dtype == np.uint16
    assert film.pixels.ndim == 2
    return film


def test_a_file_too_large_for_memory_is_the_same_film(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read through the open file, in pieces: whole films, and ones cut in header or picture."""
    cut = [film[: len(film) * share // 8] for film in FILMS for share in (1, 4, 7)]
    for content in [*FILMS, *cut, *PICTURES]:
        monkeypatch.setattr(film_file, "WHOLE_BYTES", 2**26)
        whole = _read(tmp_path, content)
        monkeypatch.setattr(film_file, "WHOLE_BYTES", 0)
        pieces = _read(tmp_path, content)
        assert type(pieces) is type(whole)
        assert pieces.study == whole.study
        if isinstance(whole, ImageError):
            assert str(pieces) == str(whole)
        elif isinstance(pieces, Radiograph):
            np.testing.assert_array_equal(pieces.pixels, whole.pixels)


UNREADABLE = Path("/proc/self/mem")
"""Linux calls it a regular file and lets its owner open it, but not read at its start."""


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
@pytest.mark.parametrize("whole_bytes", [2**26, -1])
def test_a_disk_that_fails_while_reading_is_said(
    whole_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(film_file, "WHOLE_BYTES", whole_bytes)
    with pytest.raises(UnreadableImage, match="cannot be opened: Input/output error") as caught:
        read_radiograph(UNREADABLE)
    assert caught.value.code is ReasonCode.CANNOT_OPEN


def test_the_name_is_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(FILMS[0])
    assert read_radiograph(path).study.modality == "CR"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", ReasonCode.EMPTY_FILE),
        (b"The patient's film is on the other disc.\n" * 20, ReasonCode.NOT_AN_IMAGE),
        (b"II", ReasonCode.NOT_AN_IMAGE),
        (b"\0" * 1000, ReasonCode.NOT_AN_IMAGE),
        (b"GIF89a" + b"\1" * 50, ReasonCode.NO_DECODER),
        (b"\0" * 128 + b"DICM", ReasonCode.NO_PIXELS),
    ],
)
def test_what_is_no_film(content: bytes, code: ReasonCode, tmp_path: Path) -> None:
    error = _read(tmp_path, content)
    assert isinstance(error, ImageError)
    assert error.code is code


def test_a_header_cut_in_the_middle_is_truncated(tmp_path: Path) -> None:
    at = FILMS[1].index(b"ROE^RICHARD")
    error = _read(tmp_path, FILMS[1][: at + 4])
    assert isinstance(error, UnreadableImage)
    assert error.code is ReasonCode.TRUNCATED
    assert error.study is not None
    assert error.study.modality == "CR"


def test_missing_files_and_folders_cannot_be_opened(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.dcm", tmp_path):
        with pytest.raises(UnreadableImage) as caught:
            read_radiograph(path)
        assert caught.value.code is ReasonCode.CANNOT_OPEN


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs on this system")
def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    with pytest.raises(UnreadableImage) as caught:
        read_radiograph(tmp_path / "pipe.dcm")
    assert caught.value.code is ReasonCode.CANNOT_OPEN


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    with path.open("wb") as file:
        file.write(FILMS[0])
        file.truncate(film_file.MAX_FILE_BYTES + 1)  # sparse: takes no space
    with pytest.raises(UnsupportedImage) as caught:
        read_radiograph(path)
    assert caught.value.code is ReasonCode.TOO_LARGE
