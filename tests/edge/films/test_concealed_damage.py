"""What a decoder had to make up is never a film: JPEG of every process, JPEG-LS and JPEG 2000.

In DICOM and as a picture, whole and reduced alike; and what is no damage is no reason to refuse.
"""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.codecs.jpeg import decode_jpeg, read_jpeg
from edge_infer.films.read import read_radiograph
from tests.edge.films.area_reference import SIZE
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import write_dicom


def _film(height: int = 263, width: int = 240) -> NDArray[np.uint16]:
    rows, columns = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(0).normal(0, 12, (height, width))
    grey = 2000 + 1200 * np.sin(columns / 20) * np.cos(rows / 30) + noise
    return np.asarray(grey.clip(0, 4095), np.uint16)


TWELVE = _film()
EIGHT = (TWELVE >> 4).astype("u1")


def _pillow(pixels: NDArray[np.uint8] = EIGHT, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


def _lossless(predictor: int, pixels: NDArray[np.uint16 | np.uint8] = TWELVE) -> bytes:
    bits = 8 if pixels.dtype == np.uint8 else 12
    encoded = imagecodecs.jpeg8_encode(
        pixels, lossless=True, predictor=predictor, bitspersample=bits
    )
    return bytes(encoded)


EIGHT_BIT = {
    "baseline": _pillow(),
    "optimised": _pillow(optimize=True),
    "progressive": _pillow(progressive=True),
    "restarts": _pillow(restart_marker_rows=1),
    "colour": _pillow(np.dstack([EIGHT] * 3)),
}
DEEP = {
    "extended": bytes(imagecodecs.jpeg8_encode(TWELVE, level=95, bitspersample=12)),
    "lossless 8 bit": _lossless(1, EIGHT),
    "jpeg-ls": bytes(imagecodecs.jpegls_encode(TWELVE)),
    **{f"lossless {predictor}": _lossless(predictor) for predictor in range(1, 8)},
}
STREAMS = {**EIGHT_BIT, **DEEP}
SYNTAX = {"extended": made.JPEG_EXTENDED, "jpeg-ls": made.JPEG_LS, "colour": made.JPEG_BASELINE}


def _cut(data: bytes, at: int) -> bytes:
    return data[:at] + b"\xff\xd9"


def _ended_twice(data: bytes, at: int) -> bytes:
    return data[:at] + b"\xff\xd9\xff\xd9"


def _ended_inside(data: bytes, at: int) -> bytes:
    return data[:at] + b"\xff\xd9" + data[at:]


def _zeroed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes(400) + data[at + 400 :]


def _lost(data: bytes, at: int) -> bytes:
    return data[:at] + data[at + 400 :]


def _unended(data: bytes, at: int) -> bytes:
    return data[:at]


HARM: list[Callable[[bytes, int], bytes]] = [
    *(_cut, _ended_twice, _ended_inside, _zeroed, _lost, _unended)
]


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", STREAMS)
def test_a_jpeg_that_lost_something_is_refused_either_way(
    name: str, harm: Callable[[bytes, int], bytes], tmp_path: Path
) -> None:
    data = STREAMS[name]
    scan = data.rindex(b"\xff\xda") + 10 if name != "progressive" else len(data) // 3
    for seed in range(2):
        at = random.Random(seed).randrange(scan + 20, len(data) - 450)
        frame = harm(data, at)
        pixels = EIGHT if name in EIGHT_BIT or "8 bit" in name else TWELVE
        if name == "colour":
            pixels = np.dstack([EIGHT] * 3)
        path = write_dicom(
            tmp_path,
            pixels,
            syntax=SYNTAX.get(name, made.JPEG_LOSSLESS if name in DEEP else made.JPEG_BASELINE),
            frame=frame,
            bits=8 if pixels.dtype == np.uint8 else 12,
        )
        _refuse(path)
        if name in EIGHT_BIT:
            picture = tmp_path / "film.jpg"
            picture.write_bytes(frame)
            _refuse(picture)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("harmless", ["whole", "no end mark", "more after it", "stray", "zero"])
def test_what_lost_nothing_is_read_to_the_same_samples(name: str, harmless: str) -> None:
    data = STREAMS[name]
    first = data.index(b"\xff", 3)
    variants = {
        "whole": data,
        "no end mark": data[:-2],
        "more after it": data + b"\0more\xff\xd9",
        # Before a marker of the header, which viewers pass over.
        "stray": data[:first] + b"\0" + data[first:] if first > 3 else data,
        "zero": data[:-2] + bytes(3) + data[-2:] if name in EIGHT_BIT else data,
    }
    if name == "jpeg-ls":
        expected = imagecodecs.jpegls_decode(data)
    elif name in EIGHT_BIT:
        flag = cv2.IMREAD_COLOR if name == "colour" else cv2.IMREAD_GRAYSCALE
        expected = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), flag))
        expected = expected[..., ::-1] if name == "colour" else expected
    else:
        expected = imagecodecs.jpeg8_decode(data)
    np.testing.assert_array_equal(decode_jpeg(read_jpeg(variants[harmless])), expected)


@pytest.mark.parametrize("marker", [b"\xff\xdb", b"\xff\xc0", b"\xff\xda"])
def test_a_stray_byte_before_a_marker_is_passed_over(marker: bytes, tmp_path: Path) -> None:
    data = EIGHT_BIT["baseline"]
    at = data.index(marker)
    frame = data[:at] + b"\0" + data[at:]
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "stray.jpg").write_bytes(frame)
    whole = read_radiograph(tmp_path / "whole.jpg").pixels
    np.testing.assert_array_equal(read_radiograph(tmp_path / "stray.jpg").pixels, whole)
    path = write_dicom(tmp_path, EIGHT, syntax=made.JPEG_BASELINE, frame=frame)
    np.testing.assert_array_equal(read_radiograph(path).pixels, whole)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_the_dct_gives_what_opencv_gives(scale: int) -> None:
    modes = {
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
        8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    }
    for name in ("baseline", "progressive", "restarts"):
        data = EIGHT_BIT[name]
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), modes[scale])
        np.testing.assert_array_equal(decode_jpeg(read_jpeg(data), scale=scale), expected)


LEVELS = [made.J2K_LOSSLESS, made.J2K, made.HTJ2K_LOSSLESS]


def _j2k(syntax: str) -> bytes:
    return made.compress(TWELVE, syntax, bits=12)


@pytest.mark.parametrize("syntax", LEVELS)
def test_jpeg_2000_that_lost_something_is_refused_either_way(syntax: str, tmp_path: Path) -> None:
    frame = _j2k(syntax)
    for harm in (_cut, _unended, _lost):
        for part in (0.2, 0.5, 0.9):
            data = harm(frame, int(len(frame) * part))
            path = write_dicom(tmp_path, TWELVE, syntax=syntax, frame=data, bits=12)
            assert _refuse(path) is ReasonCode.TRUNCATED


@pytest.mark.parametrize("syntax", LEVELS)
def test_jpeg_2000_with_padding_or_a_comment_before_its_end(syntax: str, tmp_path: Path) -> None:
    frame = _j2k(syntax)
    path = write_dicom(tmp_path, TWELVE, syntax=syntax, frame=frame, bits=12)
    whole = read_radiograph(path).pixels
    comment = b"\xff\x64\x00\x0b\x00\x01PADDING"
    for between in (comment, bytes(8), bytes(7), comment + bytes(3)):
        data = frame[:-2] + between + frame[-2:]
        path = write_dicom(tmp_path, TWELVE, syntax=syntax, frame=data, bits=12)
        np.testing.assert_array_equal(read_radiograph(path).pixels, whole)
    path = write_dicom(tmp_path, TWELVE, syntax=syntax, frame=frame[:-2], bits=12)
    np.testing.assert_array_equal(read_radiograph(path).pixels, whole)


def test_jpeg_2000_whose_tiles_are_more_than_there_are(tmp_path: Path) -> None:
    frame = bytearray(_j2k(made.J2K_LOSSLESS))
    frame[24:32] = struct.pack(">II", 128, 128)  # XTsiz, YTsiz: 12 tiles instead of one
    path = write_dicom(tmp_path, TWELVE, syntax=made.J2K_LOSSLESS, frame=bytes(frame), bits=12)
    assert _refuse(path) is ReasonCode.TRUNCATED


def _refuse(path: Path) -> ReasonCode:
    codes = []
    for size in (None, SIZE):
        with pytest.raises(UnreadableImage) as caught:
            read_radiograph(path, size=size)
        codes.append(caught.value.code)
    assert codes[0] is codes[1]
    assert codes[0] in (ReasonCode.TRUNCATED, ReasonCode.DAMAGED)
    return codes[0]


@pytest.mark.parametrize("lost", range(1, 9))
def test_a_frame_that_eats_its_end_mark_has_lost_something(lost: int, tmp_path: Path) -> None:
    path = write_dicom(tmp_path, EIGHT, syntax=made.JPEG_BASELINE, frame=EIGHT_BIT["baseline"])
    content = path.read_bytes()
    at = content.rindex(b"\xff\xda") + 500
    path.write_bytes(content[:at] + content[at + lost :])
    assert _refuse(path) is ReasonCode.TRUNCATED
    path.write_bytes(content[:-8])  # no end mark, nothing eaten
    assert read_radiograph(path).full_shape == EIGHT.shape


@pytest.mark.parametrize("predictor", range(1, 8))
def test_a_lossless_jpeg_with_one_byte_left(predictor: int) -> None:
    data = _lossless(predictor)
    for left in (b"\x5b", b"\x35\xa7", b"\x12\x34\x56\x79"):
        with pytest.raises(UnreadableImage):
            decode_jpeg(read_jpeg(data[:-2] + left + data[-2:]))
    np.testing.assert_array_equal(decode_jpeg(read_jpeg(data[:-2] + b"\0" + data[-2:])), TWELVE)


def _scans(data: bytes) -> list[int]:
    """Return where the scans of a progressive JPEG begin, their tables aside."""
    return [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]


@pytest.mark.parametrize("predictor", range(1, 8))
def test_a_lossless_jpeg_of_more_than_its_precision_was_changed(predictor: int) -> None:
    """One changed step of a row's first sample moves all rows below, and dark becomes 65,000."""
    data = bytearray(
        imagecodecs.jpeg8_encode(TWELVE - 100, lossless=True, predictor=predictor, bitspersample=16)
    )
    data[data.index(b"\xff\xc3") + 4] = 12  # its first sample is predicted as 2,048 now
    with pytest.raises(UnreadableImage) as caught:
        decode_jpeg(read_jpeg(bytes(data)))
    assert caught.value.code is ReasonCode.DAMAGED


PROGRESSIVE = {
    "Pillow": EIGHT_BIT["progressive"],
    "Pillow, colour": _pillow(np.dstack([EIGHT] * 3), progressive=True),
    "OpenCV": cv2.imencode(".jpg", EIGHT, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
}


@pytest.mark.parametrize("name", PROGRESSIVE)
def test_a_progressive_jpeg_cut_between_two_scans_is_refused(name: str, tmp_path: Path) -> None:
    """Without a warning it would be the film out of focus."""
    data, path = PROGRESSIVE[name], tmp_path / "film.jpg"
    path.write_bytes(data)
    assert read_radiograph(path).full_shape == EIGHT.shape
    scans = _scans(data)
    assert len(scans) >= 5
    for at in scans[1:]:
        for end in (b"", b"\xff\xd9"):
            path.write_bytes(data[:at] + end)
            assert _refuse(path) is ReasonCode.TRUNCATED
    path.write_bytes(data[:-2])
    assert read_radiograph(path).full_shape == EIGHT.shape


def test_a_table_of_codes_that_is_too_short_is_damage_and_no_bug(tmp_path: Path) -> None:
    """Found by atheris: the search for zeroed stretches looked behind the header's end."""
    data = DEEP["lossless 1"]
    at = data.index(b"\xff\xc4")
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    frame = data[:at] + b"\xff\xc4\0\3\0" + data[end:]
    syntax = made.JPEG_LOSSLESS
    _refuse(write_dicom(tmp_path, TWELVE, syntax=syntax, frame=frame, bits=12))
