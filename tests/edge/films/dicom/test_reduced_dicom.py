"""DICOM films read for a small network: the area means of the exact path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.errors import ImageError, ReasonCode
from edge_infer.films.codecs.jpeg_2000 import decode_reduced
from edge_infer.films.read import read_radiograph
from tests.edge.films.area_reference import SIZE, assert_area_means, plain_means
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import make_lut, write_dicom

LOSSLESS = [
    made.IMPLICIT,
    made.BIG,
    made.DEFLATED,
    made.RLE,
    made.JPEG_LOSSLESS,
    made.JPEG_LOSSLESS_SV1,
    made.JPEG_LS,
]
"""Decoded whole: the exact path's area means."""
BY_LEVEL = [made.J2K_LOSSLESS, made.J2K, made.HTJ2K_LOSSLESS, made.HTJ2K]


def smooth(height: int = 300, width: int = 262, *, bits: int = 12) -> NDArray[np.uint16]:
    """Return a film of slow waves over most of `bits`, with a little noise."""
    rows, columns = np.mgrid[0:height, 0:width]
    wave = 0.5 + 0.3 * np.sin(rows / 31) * np.cos(columns / 23)
    noise = np.random.default_rng(0).normal(0, 0.004, (height, width))
    film: NDArray[Any] = (wave + noise) * ((1 << bits) - 1)
    return film.astype(np.uint16 if bits > 8 else np.uint8)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_syntaxes_give_area_means(syntax: str, tmp_path: Path) -> None:
    path = write_dicom(tmp_path, smooth(301, 262), syntax=syntax, bits=12)
    assert_area_means(path, 1, within=1)  # of 65535


GREY_STEPS: dict[str, dict[str, Any]] = {
    "inverted": {"photometric": "MONOCHROME1"},
    "rescale": {"RescaleSlope": "2", "RescaleIntercept": "-1000"},
    "clipping window": {"WindowCenter": "2048", "WindowWidth": "900"},
    "inverted window": {"WindowCenter": "2500", "WindowWidth": "700", "photometric": "MONOCHROME1"},
    "sigmoid": {"WindowCenter": "2048", "WindowWidth": "500", "VOILUTFunction": "SIGMOID"},
    "table": {
        "VOILUTSequence": make_lut(
            first=0, bits=8, entries=[(7 * i // 99) % 256 for i in range(4096)]
        )
    },
    "padding": {"PixelPaddingValue": 2100, "PixelPaddingRangeLimit": 2300},
}


@pytest.mark.parametrize("name", GREY_STEPS)
@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.JPEG_LS])
def test_windows_and_tables_are_applied_before_the_mean(
    name: str, syntax: str, tmp_path: Path
) -> None:
    path = write_dicom(tmp_path, smooth(), syntax=syntax, bits=12, **GREY_STEPS[name])
    # A window begins between two values; the line's ends are off by 4 of 65535 at most.
    assert_area_means(path, 1, within=5 if "window" in name else 1)


def test_clipping_comes_before_averaging_by_hand(tmp_path: Path) -> None:
    # 0 and 4095 alternate; the window shows 1000 as black and 2001 as white (width 1002: 1001
    # steps). Each area of 5 x 8 is half black, half white; averaged first it would be all white.
    film = np.tile(np.array([[0, 4095]], np.uint16), (320, 240))
    path = write_dicom(tmp_path, film, bits=12, WindowCenter="1501", WindowWidth="1002")
    half = read_radiograph(path, size=SIZE).pixels
    assert np.unique(half).tolist() == [32768]
    reversed_film = np.where(film == 4095, np.uint16(2100), np.uint16(1600))
    path = write_dicom(tmp_path, reversed_film, bits=12, WindowCenter="1501", WindowWidth="1002")
    # 1600 is 600 of 1001 steps (39281), 2100 white: their mean is 52408.
    third = read_radiograph(path, size=SIZE).pixels
    assert np.abs(third.astype(int) - 52408).max() <= 33


def test_signed_values(tmp_path: Path) -> None:
    film = smooth().astype(np.int16) - 2048
    for syntax in (made.EXPLICIT, made.RLE):
        path = write_dicom(tmp_path, film, syntax=syntax, bits=12)
        assert_area_means(path, 1, within=1)


def test_eight_bits(tmp_path: Path) -> None:
    for window in ({}, {"WindowCenter": "120", "WindowWidth": "100"}):
        path = write_dicom(tmp_path, smooth(bits=8), **window)
        assert_area_means(path, 1, within=4 if window else 0.5)


@pytest.mark.parametrize("syntax", BY_LEVEL)
@pytest.mark.parametrize("shape", [(300, 262), (301, 263), (302, 261), (299, 300)])
def test_jpeg_2000_by_resolution_level(syntax: str, shape: tuple[int, int], tmp_path: Path) -> None:
    path = write_dicom(tmp_path, smooth(*shape), syntax=syntax, bits=12)
    # Noise of 0.4 % (262 of 65535) is averaged over 20 pixels, with other weights in each way; a
    # film compressed without loss is also read without its two planes of noise, steps of 64.
    assert_area_means(path, 2, within=520 if syntax == made.J2K_LOSSLESS else 160)


@pytest.mark.parametrize("syntax", [made.J2K_LOSSLESS, made.HTJ2K_LOSSLESS])
def test_jpeg_2000_at_a_quarter_lies_where_area_means_lie(syntax: str, tmp_path: Path) -> None:
    rows, columns = np.mgrid[0:515, 0:513]
    ramp = (3 * rows + 4 * columns).astype(np.uint16)
    path = write_dicom(tmp_path, ramp, syntax=syntax, bits=12)
    exact, reduced = read_radiograph(path), read_radiograph(path, size=SIZE)
    assert reduced.decoded_scale == 4
    gap = reduced.pixels - plain_means(exact.pixels, SIZE)
    # A step of one stored value is 16; half a block of displacement would be 10 values, 168.
    assert np.abs(gap[1:-1, 1:-1]).max() <= 16


@pytest.mark.parametrize("noise", [0, 3, 12, 30, 200])
def test_only_bit_planes_of_noise_are_left_out(noise: float) -> None:
    rows, columns = np.mgrid[0:520, 0:530]
    wave = 2048 + 900 * np.sin(rows / 31) * np.cos(columns / 23)
    wave += np.random.default_rng(0).normal(0, noise, wave.shape)
    film = wave.clip(0, 4095).astype(np.uint16)
    frame = made.compress(film, made.J2K_LOSSLESS, bits=12)
    # The quantisation of component 0 once more: the same film, but not one that is simple enough.
    quantisation = frame[(at := frame.index(b"\xff\x5c")) : at + 2 + 19]
    same = b"\xff\x5d\x00\x14\x00" + quantisation[4:]
    at += len(quantisation)
    whole = decode_reduced(frame[:at] + same + frame[at:], 4)
    fewer = decode_reduced(frame, 4)
    assert whole is not None and fewer is not None
    assert whole[1] == fewer[1] == 4
    gap = np.abs(whole[0].astype(int) - fewer[0])
    assert bool(gap.any()) is (noise >= 12)
    assert gap.mean() <= 0.4 * noise
    assert gap.max() <= 3 * noise


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_2000_keeps_depth_and_sign(bits: int, signed: bool, tmp_path: Path) -> None:
    film = smooth(bits=bits)
    if signed:
        film = (film.astype(np.int32) - (1 << (bits - 1))).astype("i1" if bits == 8 else "i2")
    path = write_dicom(tmp_path, film, syntax=made.J2K_LOSSLESS, bits=bits)
    assert_area_means(path, 2, within=640)


@pytest.mark.parametrize(("resolutions", "scale"), [(1, 1), (2, 2), (3, 4)])
def test_jpeg_2000_with_few_levels_is_averaged_for_the_rest(
    resolutions: int, scale: int, tmp_path: Path
) -> None:
    film = smooth(520, 530)
    frame = imagecodecs.jpeg2k_encode(
        film,
        level=None,
        codecformat="J2K",
        bitspersample=12,
        reversible=True,
        resolutions=resolutions,
    )
    path = write_dicom(tmp_path, film, syntax=made.J2K_LOSSLESS, frame=bytes(frame), bits=12)
    assert_area_means(path, scale, within=1 if resolutions == 1 else 320)


def test_jpeg_2000_in_tiles(tmp_path: Path) -> None:
    film = smooth(520, 530)
    frame = bytes(imagecodecs.htj2k_encode(film, reversible=True, tile=(128, 128)))
    path = write_dicom(tmp_path, film, syntax=made.HTJ2K_LOSSLESS, frame=frame, bits=12)
    assert_area_means(path, 4, within=320)
    # Without its last tile decoders leave a black corner of their own making.
    last = frame.rindex(b"\xff\x90\x00\x0a")
    cut = frame[:last] + b"\xff\xd9"
    path = write_dicom(tmp_path, film, syntax=made.HTJ2K_LOSSLESS, frame=cut, bits=12)
    for size in (None, SIZE):
        with pytest.raises(ImageError) as caught:
            read_radiograph(path, size=size)
        assert caught.value.code is ReasonCode.TRUNCATED


def test_padding_keeps_jpeg_2000_whole(tmp_path: Path) -> None:
    # The padded frame is white by its values; its edge must stay black to the pixel.
    film = smooth()
    film[:20], film[:, :17] = 4095, 4095
    for syntax in BY_LEVEL[::2]:
        path = write_dicom(tmp_path, film, syntax=syntax, bits=12, PixelPaddingValue=4095)
        assert_area_means(path, 1, within=1)


def wide_film(tmp_path: Path, drawn: NDArray[Any]) -> Path:
    """Write 12 bits in a codestream of 16, as encoders do that know bytes only."""
    frame = made.compress(drawn, made.HTJ2K_LOSSLESS, bits=16)
    return write_dicom(tmp_path, drawn, syntax=made.HTJ2K_LOSSLESS, frame=frame, bits=12)


def marked() -> NDArray[np.uint16]:
    """Return a dark film with a white stroke, whose edges the wavelet lifts beyond 12 bits."""
    film = smooth(600, 524) // 4
    film[40:72, 40:50] = 4095
    return film


def test_a_marker_whose_edges_overshoot_keeps_the_film_reduced(tmp_path: Path) -> None:
    film = marked()
    lifted, scale = decode_reduced(made.compress(film, made.HTJ2K_LOSSLESS, bits=16), 4) or (0, 0)
    assert scale == 4 and np.max(lifted) > 4095 + 256
    shown = read_radiograph(wide_film(tmp_path, film), size=SIZE)
    assert shown.decoded_scale == 4
    same = write_dicom(tmp_path, film, syntax=made.EXPLICIT, bits=12)
    gap = shown.pixels.astype(np.int64) - plain_means(read_radiograph(same).pixels, SIZE)
    assert np.abs(gap).max() <= 0.06 * 65535  # where the stroke's edge lies


@pytest.mark.parametrize("bit", [12, 13, 14, 15])
def test_an_overlay_beside_a_marker_has_the_film_read_whole(bit: int, tmp_path: Path) -> None:
    film = marked()
    drawn = film.copy()
    drawn[300:324, 200:330] |= 1 << bit
    shown = read_radiograph(wide_film(tmp_path, drawn), size=SIZE)
    assert shown.decoded_scale == 1
    expected = read_radiograph(
        write_dicom(tmp_path, film, syntax=made.EXPLICIT, bits=12), size=SIZE
    )
    np.testing.assert_array_equal(shown.pixels, expected.pixels)


@pytest.mark.parametrize("syntax", [made.JPEG_BASELINE, made.JPEG_EXTENDED])
def test_jpeg_is_scaled_by_its_dct_or_averaged(syntax: str, tmp_path: Path) -> None:
    bits = 12 if syntax == made.JPEG_EXTENDED else 8
    # A scale of half of what would fit; OpenCV scales no 12-bit JPEG.
    for shape, scale in (((301, 262), 1), ((530, 521), 2), ((400, 397), 1)):
        path = write_dicom(tmp_path, smooth(*shape, bits=bits), syntax=syntax, bits=bits)
        assert_area_means(path, scale if bits == 8 else 1, within=120)


@pytest.mark.parametrize("syntax", [*LOSSLESS, *BY_LEVEL])
def test_a_small_film_is_left_as_it_is(syntax: str, tmp_path: Path) -> None:
    path = write_dicom(tmp_path, smooth(250, 230), syntax=syntax, bits=12)
    exact, reduced = read_radiograph(path), read_radiograph(path, size=(116, 100))
    assert reduced.decoded_scale == 1
    np.testing.assert_array_equal(exact.pixels, reduced.pixels)


def test_proportions_survive(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, smooth(), bits=12, PixelAspectRatio=["2", "1"])
    assert read_radiograph(path, size=SIZE).pixel_aspect == 2.0


def outcome(path: Path, size: tuple[int, int] | None) -> str:
    try:
        read_radiograph(path, size=size)
    except ImageError as error:
        return str(error)
    return "read"


@pytest.mark.parametrize(
    "syntax", [made.RLE, made.JPEG_BASELINE, made.JPEG_LOSSLESS_SV1, made.JPEG_LS, *BY_LEVEL]
)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.999])
def test_a_cut_stream_is_refused_either_way(syntax: str, kept: float, tmp_path: Path) -> None:
    bits = 8 if syntax == made.JPEG_BASELINE else 12
    film = smooth(bits=bits)
    whole = made.compress(film, syntax, bits=bits)
    for ending in (b"", b"\xff\xd9"):
        frame = whole[: int(len(whole) * kept)] + ending
        path = write_dicom(tmp_path, film, syntax=syntax, frame=frame, bits=bits)
        exact = outcome(path, None)
        assert outcome(path, SIZE) == exact
        assert ending or exact != "read"


def test_a_blank_film_is_blank_either_way(tmp_path: Path) -> None:
    film = np.full((300, 262), 700, np.uint16)
    for syntax in (made.EXPLICIT, made.J2K_LOSSLESS, made.HTJ2K_LOSSLESS, made.RLE):
        path = write_dicom(tmp_path, film, syntax=syntax, bits=12)
        assert "blank" in outcome(path, None)
        assert outcome(path, SIZE) == outcome(path, None)


def test_a_stray_marker_in_a_jpeg_is_damage_either_way(tmp_path: Path) -> None:
    film = smooth(bits=8)
    frame = bytearray(made.compress(film, made.JPEG_BASELINE, bits=8))
    frame[len(frame) // 2 : len(frame) // 2 + 2] = b"\xff\xce"
    path = write_dicom(tmp_path, film, syntax=made.JPEG_BASELINE, frame=bytes(frame))
    assert outcome(path, SIZE) == outcome(path, None) != "read"
