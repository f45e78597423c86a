"""A film of few bits in a container of 16 gives the network what the plain film gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.films.narrow_range import fill_range, find_narrow_range, is_blank, order_sample
from edge_infer.films.read import read_radiograph
from edge_infer.model.preprocess import to_model_input
from tests.edge.films.dicom.dicom_factory import EXPLICIT, J2K_LOSSLESS, make_lut, write_dicom

SIDE = 64


def film(bits: int) -> NDArray[np.uint16]:
    """Return [512, 512], a slope with grain, over most of the range of so many bits."""
    rows, columns = np.mgrid[0:512, 0:512] / 511
    grain = np.random.default_rng(2).normal(0, 0.02, (512, 512))
    shown = np.clip(0.1 + 0.5 * rows + 0.3 * columns**2 + grain, 0, 1)
    return np.asarray(np.rint(shown * ((1 << bits) - 1)), dtype=np.uint16)


def network_input(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.int32]:
    grey = read_radiograph(path, size=size).pixels
    return to_model_input(grey, height=SIDE, width=SIDE).astype(np.int32)


def plain(
    tmp_path: Path, bits: int, size: tuple[int, int] | None = None, syntax: str = EXPLICIT
) -> NDArray[np.int32]:
    pixels = film(bits) if bits > 8 else film(bits).astype(np.uint8)
    return network_input(write_dicom(tmp_path, pixels, bits=bits, syntax=syntax), size)


@pytest.mark.parametrize("size", [None, (SIDE, SIDE)])
@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"syntax": J2K_LOSSLESS},
        {"photometric": "MONOCHROME1"},
        {"WindowCenter": 32768, "WindowWidth": 65536},
        {"RescaleSlope": 1, "RescaleIntercept": 0},
        {"VOILUTSequence": make_lut(first=0, bits=16, entries=list(range(4096)))},
    ],
    ids=["plain", "JPEG 2000", "MONOCHROME1", "window of all", "rescale", "VOI LUT"],
)
def test_few_bits_in_a_dicom_of_16(
    elements: dict[str, Any], bits: int, size: tuple[int, int] | None, tmp_path: Path
) -> None:
    expected = plain(tmp_path, bits, size, elements.get("syntax", EXPLICIT))
    if "photometric" in elements:
        expected = 255 - expected
    path = write_dicom(tmp_path, film(bits), bits=16, **elements)
    assert np.abs(network_input(path, size) - expected).max() <= 4


@pytest.mark.parametrize("size", [None, (SIDE, SIDE)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_few_bits_in_a_picture_of_16(
    bits: int, suffix: str, size: tuple[int, int] | None, tmp_path: Path
) -> None:
    path = tmp_path / f"film{suffix}"
    path.write_bytes(cv2.imencode(suffix, film(bits))[1].tobytes())
    assert np.abs(network_input(path, size) - plain(tmp_path, bits)).max() <= 2


def test_a_marker_does_not_hide_what_the_film_is(tmp_path: Path) -> None:
    pixels = film(8)
    pixels[0:4, 0:8] = 65535
    found = network_input(write_dicom(tmp_path, pixels, bits=16))
    assert np.abs(found - plain(tmp_path, 8))[:, 1:, 1:].max() <= 2


@pytest.mark.parametrize(
    ("grey", "found"),
    [
        (np.arange(200), (0, 255)),
        (np.arange(900), (0, 1023)),
        (np.arange(3000), (0, 4095)),
        (65535 - np.arange(900), (64512, 65535)),
        (np.append(np.zeros(500), 65535 - np.arange(900)), (64512, 65535)),
        (np.arange(5000), None),
        (np.arange(30000, 30900), None),
        (np.arange(20), None),  # a blank film's noise
        (257 * np.arange(12), None),  # 8 bits
        (np.zeros(10), None),
    ],
)
def test_which_range_is_narrow(grey: NDArray[Any], found: tuple[int, int] | None) -> None:
    assert find_narrow_range(order_sample(grey.astype(np.uint16))) == found


@pytest.mark.parametrize("size", [1, 2, 101, 1000, 71_003])
def test_blank_is_what_numpys_percentiles_say(size: int) -> None:
    draw = np.random.default_rng(size)
    for others in (0, size // 300, size // 190, size // 100, size):
        grey = np.full(size, 700, np.uint16)
        grey[:others] = draw.integers(0, 65536, others)
        low, high = np.percentile(grey, (0.5, 99.5), method="nearest")
        assert is_blank(order_sample(draw.permutation(grey))) == (low == high)


def test_the_range_found_becomes_the_whole() -> None:
    grey = np.array([0, 1, 255, 300], np.uint16)
    np.testing.assert_array_equal(fill_range(grey, (0, 255)), [0, 257, 65535, 65535])
    np.testing.assert_array_equal(fill_range(65535 - grey, (65280, 65535)), [65535, 65278, 0, 0])
