"""Every transfer syntax gives the film that the uncompressed file gives."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage, UnsupportedImage
from edge_infer.films.dicom import file as dicom_file
from edge_infer.films.dicom.syntax import TransferSyntax
from edge_infer.films.read import read_radiograph
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.films.dicom.dicom_factory import bands, make_dicom, write_dicom

EXACT = [
    *(made.IMPLICIT, made.EXPLICIT, made.BIG, made.DEFLATED, made.RLE),
    *(made.JPEG_LOSSLESS, made.JPEG_LOSSLESS_SV1, made.JPEG_LS),
    *(made.J2K_LOSSLESS, made.HTJ2K_LOSSLESS, made.HTJ2K_RPCL),
]
LOSSY_8 = [made.JPEG_BASELINE, made.JPEG_LS_NEAR, made.J2K, made.HTJ2K]
LOSSY_12 = [made.JPEG_EXTENDED, made.JPEG_LS_NEAR, made.J2K, made.HTJ2K]
COMPRESSED = [
    syntax
    for syntax in (*EXACT, *LOSSY_8, made.JPEG_EXTENDED)
    if syntax not in (made.IMPLICIT, made.EXPLICIT, made.BIG, made.DEFLATED)
]

EIGHT = bands([10, 60, 130, 250], "u1")
EIGHT_GREY = bands([2570, 15420, 33410, 64250])
TWELVE = bands([0, 1024, 2048, 4095])
TWELVE_GREY = bands([0, 16388, 32776, 65535])


def test_every_known_syntax_is_tested() -> None:
    known = {syntax.uid for syntax in TransferSyntax} - {""}
    assert known == {*EXACT, *LOSSY_8, *LOSSY_12}


@pytest.mark.parametrize("syntax", EXACT)
def test_lossless_8_bits(syntax: str, tmp_path: Path) -> None:
    film = read_radiograph(write_dicom(tmp_path, EIGHT, syntax=syntax))
    np.testing.assert_array_equal(film.pixels, EIGHT_GREY)


@pytest.mark.parametrize("syntax", EXACT)
def test_lossless_12_bits(syntax: str, tmp_path: Path) -> None:
    film = read_radiograph(write_dicom(tmp_path, TWELVE, syntax=syntax, bits=12))
    np.testing.assert_array_equal(film.pixels, TWELVE_GREY)


@pytest.mark.parametrize("syntax", EXACT)
def test_lossless_16_bits_with_a_window(syntax: str, tmp_path: Path) -> None:
    pixels = bands([19799, 20000, 30000, 60000])
    # (x - 29999.5) / 20000 + 0.5
    expected = bands([0, 2, 32769, 65535])
    film = read_radiograph(
        write_dicom(tmp_path, pixels, syntax=syntax, WindowCenter=30000, WindowWidth=20001)
    )
    np.testing.assert_array_equal(film.pixels, expected)


@pytest.mark.parametrize("syntax", [s for s in EXACT if s != made.JPEG_LS])
def test_lossless_signed_12_bits(syntax: str, tmp_path: Path) -> None:
    pixels = bands([-2048, -1, 0, 2047], "i2")
    film = read_radiograph(write_dicom(tmp_path, pixels, syntax=syntax, bits=12))
    np.testing.assert_array_equal(film.pixels, bands([0, 32759, 32776, 65535]))


@pytest.mark.parametrize("syntax", LOSSY_8)
def test_lossy_8_bits(syntax: str, tmp_path: Path) -> None:
    film = read_radiograph(write_dicom(tmp_path, EIGHT, syntax=syntax))
    assert np.abs(film.pixels.astype(int) - EIGHT_GREY).max() <= 4 * 257


@pytest.mark.parametrize("syntax", LOSSY_12)
def test_lossy_12_bits(syntax: str, tmp_path: Path) -> None:
    film = read_radiograph(write_dicom(tmp_path, TWELVE, syntax=syntax, bits=12))
    assert np.abs(film.pixels.astype(int) - TWELVE_GREY).max() <= 2 * 257


@pytest.mark.parametrize("syntax", [made.J2K_LOSSLESS, made.RLE])
def test_several_fragments(syntax: str, tmp_path: Path) -> None:
    content = make_dicom(EIGHT, syntax=syntax)
    at = content.rindex(b"\xfe\xff\x00\xe0")
    length = int.from_bytes(content[at + 4 : at + 8], "little")
    frame, end = content[at + 8 : at + 8 + length], content[at + 8 + length :]
    items = [frame[:100], frame[100:]]
    split = b"".join(b"\xfe\xff\x00\xe0" + len(i).to_bytes(4, "little") + i for i in items)
    path = tmp_path / "fragments.dcm"
    path.write_bytes(content[:at] + split + end)
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)


@pytest.mark.parametrize("syntax", [made.JPEG_LOSSLESS_SV1, made.J2K_LOSSLESS])
def test_the_precision_of_the_codestream_wins(syntax: str, tmp_path: Path) -> None:
    frame = made.compress(TWELVE, syntax, bits=12)
    film = read_radiograph(write_dicom(tmp_path, TWELVE, syntax=syntax, frame=frame, bits=16))
    np.testing.assert_array_equal(film.pixels, TWELVE_GREY)


def test_single_values_beyond_bits_stored_do_not_darken_the_film(tmp_path: Path) -> None:
    pixels = TWELVE.copy()
    pixels[:2, 120:] = 4100  # 0.4 % overshoot, as lossy codecs make it at bright edges
    frame = made.compress(pixels, made.J2K_LOSSLESS, bits=16)
    film = read_radiograph(
        write_dicom(tmp_path, pixels, syntax=made.J2K_LOSSLESS, frame=frame, bits=12)
    )
    np.testing.assert_array_equal(film.pixels, TWELVE_GREY)


def test_a_wide_codestream_of_narrow_values_keeps_bits_stored(tmp_path: Path) -> None:
    frame = made.compress(TWELVE, made.JPEG_LOSSLESS_SV1, bits=16)
    film = read_radiograph(
        write_dicom(tmp_path, TWELVE, syntax=made.JPEG_LOSSLESS_SV1, frame=frame, bits=12)
    )
    np.testing.assert_array_equal(film.pixels, TWELVE_GREY)


def test_many_values_beyond_bits_stored_prove_the_header_wrong(tmp_path: Path) -> None:
    rows, columns = np.mgrid[0 : made.ROWS, 0 : made.COLUMNS]
    pixels = (rows * 300 + columns * 160).astype(np.uint16)
    pixels[20:60, 20:60] = 65535
    frame = made.compress(pixels, made.J2K_LOSSLESS, bits=16)
    film = read_radiograph(
        write_dicom(tmp_path, pixels, syntax=made.J2K_LOSSLESS, frame=frame, bits=12)
    )
    np.testing.assert_array_equal(film.pixels, pixels)


@pytest.mark.parametrize("size", [None, (32, 32)])
@pytest.mark.parametrize(
    ("syntax", "signed"),
    [
        *((made.JPEG_LOSSLESS_SV1, False), (made.JPEG_LS, False), (made.J2K_LOSSLESS, False)),
        *((made.JPEG_LOSSLESS_SV1, True), (made.JPEG_LS, True)),
    ],
)
@pytest.mark.parametrize("overlay", ["area", "text", "dots"])
def test_an_overlay_above_bits_stored_is_no_part_of_the_film(
    overlay: str, syntax: str, signed: bool, size: tuple[int, int] | None, tmp_path: Path
) -> None:
    rows, columns = np.mgrid[0:256, 0:320]
    grain = np.random.default_rng(1)
    film = (rows * 9 + columns * 4 + grain.integers(0, 60, rows.shape)).astype(np.uint16)
    film = (film - 2048) & 0xFFF if signed else film
    drawn = film.copy()
    if overlay == "area":
        drawn[30:220, 40:290] |= 0x8000
    elif overlay == "text":
        drawn[10:16, 200:300] |= 0x1000
        drawn[230:236, 10:80] |= 0x2000
    else:
        drawn[grain.random(rows.shape) < 0.005] |= 0x8000
    elements = {"syntax": syntax, "bits": 12, "PixelRepresentation": int(signed)}
    expected = read_radiograph(write_dicom(tmp_path, film, **elements), size=size)
    frame = made.compress(drawn, syntax, bits=16)
    shown = read_radiograph(write_dicom(tmp_path, film, frame=frame, **elements), size=size)
    tolerance = 0 if size is None or syntax != made.J2K_LOSSLESS else 1200
    difference = shown.pixels.astype(np.int32) - expected.pixels
    assert np.abs(difference).max() <= tolerance


def test_a_signed_16_bit_codestream_of_12_bit_values(tmp_path: Path) -> None:
    pixels = bands([-2048, -1, 0, 2047], "i2")
    frame = made.compress(pixels, made.J2K_LOSSLESS, bits=16)
    film = read_radiograph(
        write_dicom(tmp_path, pixels, syntax=made.J2K_LOSSLESS, frame=frame, bits=12)
    )
    np.testing.assert_array_equal(film.pixels, bands([0, 32759, 32776, 65535]))


def test_the_sign_of_the_codestream_wins(tmp_path: Path) -> None:
    pixels = bands([-2048, -1, 0, 2047], "i2")
    path = write_dicom(tmp_path, pixels, syntax=made.J2K_LOSSLESS, bits=12, PixelRepresentation=0)
    np.testing.assert_array_equal(read_radiograph(path).pixels, bands([0, 32759, 32776, 65535]))


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_codestream_of_another_size_is_damaged(syntax: str, tmp_path: Path) -> None:
    bits = 12 if syntax == made.JPEG_EXTENDED else 8
    pixels = TWELVE if bits == 12 else EIGHT
    path = write_dicom(tmp_path, pixels, syntax=syntax, bits=bits, Rows=130, Columns=200)
    _refuse(path, ReasonCode.DAMAGED)


def test_a_codestream_that_claims_to_be_huge_is_not_decoded(tmp_path: Path) -> None:
    frame = bytearray(made.compress(EIGHT, made.JPEG_BASELINE, bits=8))
    at = frame.index(b"\xff\xc0")
    frame[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    path = write_dicom(tmp_path, EIGHT, syntax=made.JPEG_BASELINE, frame=bytes(frame))
    assert "65535 x 65535" in _refuse(path, ReasonCode.DAMAGED)


@pytest.mark.parametrize("syntax", [*EXACT, *LOSSY_8, made.JPEG_EXTENDED])
@pytest.mark.parametrize("kept", [0.6, 0.999])
def test_a_cut_file_is_truncated(syntax: str, kept: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    twelve = syntax == made.JPEG_EXTENDED
    pixels = rng.integers(0, 1024, (140, 150)).astype("u2")
    pixels = pixels if twelve else (pixels // 16).astype("u1")
    content = make_dicom(pixels, syntax=syntax, bits=12 if twelve else 8)
    # Past the end mark of 8 bytes and the padding, where nothing is missing.
    path = tmp_path / "cut.dcm"
    path.write_bytes(content[: min(int(len(content) * kept), len(content) - 12)])
    _refuse(path, ReasonCode.TRUNCATED)


@pytest.mark.parametrize("syntax", [s for s in COMPRESSED if s != made.RLE])
def test_a_frame_cut_before_it_was_wrapped_is_truncated(syntax: str, tmp_path: Path) -> None:
    bits = 12 if syntax == made.JPEG_EXTENDED else 8
    pixels = TWELVE if bits == 12 else EIGHT
    frame = made.compress(pixels, syntax, bits=bits)[:-6]
    path = write_dicom(tmp_path, pixels, syntax=syntax, frame=frame, bits=bits)
    _refuse(path, ReasonCode.TRUNCATED)


def test_an_rle_segment_of_runs_cannot_fill_memory(tmp_path: Path) -> None:
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    frame = header.tobytes() + b"\x81\x07" * 1_000_000  # 128 bytes each
    path = write_dicom(tmp_path, EIGHT, syntax=made.RLE, frame=frame)
    _refuse(path, ReasonCode.DAMAGED)


CORNER = np.vstack([EIGHT, np.full((80, EIGHT.shape[1]), 7, "u1")])


def _rle_frame(segment: bytes) -> bytes:
    header = np.zeros(16, "<u4")
    header[:2] = 1, 64
    return header.tobytes() + segment + b"\0" * (len(segment) % 2)


def _rle_segment(pixels: np.ndarray) -> bytearray:
    """Write each row in runs, none of the longest length."""
    segment = bytearray()
    for row in pixels:
        for start in range(0, row.size, 40):
            assert len(set(row[start : start + 40])) == 1, "bands are 40 wide"
            segment += bytes([257 - 40, row[start]])
    return segment


@pytest.mark.parametrize("grown", [1, 2, 7, 60])
def test_an_rle_run_that_grew_is_damage_even_over_a_corner_all_alike(
    grown: int, tmp_path: Path
) -> None:
    segment = _rle_segment(CORNER)
    path = write_dicom(tmp_path, CORNER, syntax=made.RLE, frame=_rle_frame(bytes(segment)))
    whole = read_radiograph(path)
    assert whole.full_shape == CORNER.shape
    segment[10] -= grown
    path = write_dicom(tmp_path, CORNER, syntax=made.RLE, frame=_rle_frame(bytes(segment)))
    _refuse(path, ReasonCode.DAMAGED)


@pytest.mark.parametrize("padding", [b"\0\0", b"\xff\0", b"\x80\x80", b"\xc1\7"])
def test_padding_of_an_rle_segment_is_no_damage(padding: bytes, tmp_path: Path) -> None:
    segment = bytes(_rle_segment(CORNER))
    path = write_dicom(tmp_path, CORNER, syntax=made.RLE, frame=_rle_frame(segment))
    whole = read_radiograph(path).pixels
    path = write_dicom(tmp_path, CORNER, syntax=made.RLE, frame=_rle_frame(segment + padding))
    np.testing.assert_array_equal(read_radiograph(path).pixels, whole)


def test_a_deflated_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom_file, "MAX_INFLATED_BYTES", 2**20)
    path = tmp_path / "bomb.dcm"
    path.write_bytes(made.encode_deflated(b"\0" * 2**23))
    assert path.stat().st_size < 2**15
    with pytest.raises(UnreadableImage) as caught:
        read_radiograph(path)
    assert caught.value.code is ReasonCode.TOO_LARGE


@pytest.mark.parametrize(("implicit", "little"), [(True, True), (False, True), (False, False)])
def test_without_preamble(implicit: bool, little: bool, tmp_path: Path) -> None:
    dataset = made.make_dataset(EIGHT)
    path = tmp_path / "film"
    path.write_bytes(made.encode_headerless(dataset, implicit=implicit, little=little))
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)


def test_only_the_preamble_is_lost(tmp_path: Path) -> None:
    path = write_dicom(tmp_path, EIGHT)
    expected = read_radiograph(path).pixels
    path.write_bytes(path.read_bytes()[128:])
    np.testing.assert_array_equal(read_radiograph(path).pixels, expected)


def test_file_meta_without_preamble(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(make_dicom(EIGHT, syntax=made.J2K_LOSSLESS)[132:])
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)


@pytest.mark.parametrize("implicit", [True, False])
def test_a_missing_transfer_syntax_is_guessed(implicit: bool, tmp_path: Path) -> None:
    path = tmp_path / "film"
    dataset = made.encode_headerless(made.make_dataset(EIGHT), implicit=implicit)
    path.write_bytes(b"\0" * 128 + b"DICM" + dataset)
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)


def test_pixels_that_begin_at_an_odd_place(tmp_path: Path) -> None:
    content = make_dicom(TWELVE, bits=12, StudyDescription="ab")
    longer = content.replace(b"LO\x02\x00ab", b"LO\x03\x00abc")
    assert len(longer) == len(content) + 1
    path = tmp_path / "film"
    path.write_bytes(longer)
    np.testing.assert_array_equal(read_radiograph(path).pixels, TWELVE_GREY)


def test_eight_bits_in_big_endian_words(tmp_path: Path) -> None:
    dataset = made.make_dataset(EIGHT)
    dataset["PixelData"].VR = "OW"
    dataset.PixelData = EIGHT.view("<u2").byteswap().tobytes()
    path = tmp_path / "film"
    path.write_bytes(made.encode_headerless(dataset, implicit=False, little=False))
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)


@pytest.mark.parametrize(
    ("uid", "pixels"),
    [
        ("1.2.840.10008.1.2.9", b"\1\2\3\4" * 2000),
        ("1.2.840.113619.5.2.", EIGHT.tobytes()),  # a maker's own: the order of its bytes is its
    ],
)
def test_an_unknown_syntax_is_named(uid: str, pixels: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    content = made.encode_meta(made.EXPLICIT).replace(
        b"1.2.840.10008.1.2.1\0", uid.encode().ljust(20, b"\0")
    )
    film = made.encode_headerless(made.make_dataset(EIGHT, PixelData=pixels), implicit=False)
    path.write_bytes(content + film)
    message = _refuse(path, ReasonCode.NO_DECODER)
    assert f"TransferSyntaxUID (0002,0010) is '{uid}'" in message


def retag(content: bytes, syntax: str) -> bytes:
    """Return a file whose meta information names another transfer syntax."""
    at = content.index(b"\x02\x00\x10\x00UI")
    (length,) = struct.unpack("<H", content[at + 6 : at + 8])
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    return content[: at + 6] + struct.pack("<H", len(uid)) + uid + content[at + 8 + length :]


STATED = [
    *(made.EXPLICIT, made.RLE, made.JPEG_BASELINE, made.JPEG_LOSSLESS_SV1, made.JPEG_LS),
    *(made.J2K, made.HTJ2K, "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.58"),
    "1.2.840.10008.1.2.1.98",
]


@pytest.mark.parametrize("stated", STATED)
@pytest.mark.parametrize("real", [made.EXPLICIT, *(s for s in EXACT if s in COMPRESSED)])
def test_content_decides_where_the_transfer_syntax_lies(
    real: str, stated: str, tmp_path: Path
) -> None:
    path = tmp_path / "film.dcm"
    path.write_bytes(retag(make_dicom(EIGHT, syntax=real), stated))
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)


def test_uncompressed_pixels_in_items(tmp_path: Path) -> None:
    content = make_dicom(TWELVE, syntax=made.J2K, frame=TWELVE.tobytes(), bits=12)
    path = tmp_path / "film.dcm"
    path.write_bytes(retag(content, "1.2.840.10008.1.2.1.98"))
    np.testing.assert_array_equal(read_radiograph(path).pixels, TWELVE_GREY)


WRAPPED = [made.RLE, made.JPEG_LOSSLESS_SV1, made.JPEG_LS, made.J2K_LOSSLESS]
_HEAD = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"


@pytest.mark.parametrize("ends", [True, False], ids=["with a delimiter", "without"])
@pytest.mark.parametrize("has_table", [True, False], ids=["table", "no table"])
@pytest.mark.parametrize("is_open", [True, False], ids=["undefined", "defined"])
@pytest.mark.parametrize("syntax", WRAPPED)
def test_items_of_any_length_with_or_without_table(
    syntax: str, is_open: bool, has_table: bool, ends: bool, tmp_path: Path
) -> None:
    before, items = make_dicom(EIGHT, syntax=syntax).split(_HEAD)
    items = items if has_table else items[8 + struct.unpack("<I", items[4:8])[0] :]
    items = items if ends else items.removesuffix(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    length = 0xFFFFFFFF if is_open else len(items)
    path = tmp_path / "film.dcm"
    padding = b"\xfc\xff\xfc\xffOB\0\0\4\0\0\0\0\0\0\0" if not is_open else b""
    path.write_bytes(before + _HEAD[:8] + struct.pack("<I", length) + items + padding)
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)


@pytest.mark.parametrize("syntax", WRAPPED[1:])
@pytest.mark.parametrize("stated", [None, made.EXPLICIT])
def test_a_codestream_without_items(syntax: str, stated: str | None, tmp_path: Path) -> None:
    before, _ = make_dicom(EIGHT, syntax=syntax).split(_HEAD)
    frame = made.compress(EIGHT, syntax, bits=8)
    frame += b"\0" * (len(frame) % 2)
    path = tmp_path / "film.dcm"
    content = before + _HEAD[:8] + struct.pack("<I", len(frame)) + frame
    path.write_bytes(retag(content, stated) if stated else content)
    np.testing.assert_array_equal(read_radiograph(path).pixels, EIGHT_GREY)
    path.write_bytes(content[:-200])
    _refuse(path, ReasonCode.TRUNCATED)


CANNOT_READ: dict[str, tuple[dict[str, Any], ReasonCode]] = {
    "32 bits": ({"BitsAllocated": 32}, ReasonCode.NO_DECODER),
    "1 bit": ({"BitsAllocated": 1}, ReasonCode.NO_DECODER),
    "4 samples": ({"SamplesPerPixel": 4}, ReasonCode.NO_DECODER),
    "too short": ({"Rows": 4000}, ReasonCode.TRUNCATED),
    "no pixel data": ({"PixelData": None}, ReasonCode.NO_PIXELS),
    "empty pixel data": ({"PixelData": b""}, ReasonCode.NO_PIXELS),
    "float pixels": (
        {"PixelData": None, "FloatPixelData": b"\0" * 64, "BitsAllocated": 32},
        ReasonCode.NO_PIXELS,
    ),
    "no Rows": ({"Rows": None}, ReasonCode.NO_PIXELS),
    "no Columns": ({"Columns": 0}, ReasonCode.NO_PIXELS),
}


@pytest.mark.parametrize("name", CANNOT_READ)
def test_pixels_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    elements, code = CANNOT_READ[name]
    _refuse(write_dicom(tmp_path, EIGHT, **elements), code)


def test_pixels_that_are_neither_wrapped_nor_of_native_length_are_damaged(tmp_path: Path) -> None:
    film = made.make_dataset(EIGHT, PixelData=EIGHT.tobytes()[:-400])
    path = tmp_path / "film.dcm"
    content = made.encode_headerless(film, implicit=False)
    path.write_bytes(made.encode_meta(made.J2K) + content)
    _refuse(path, ReasonCode.DAMAGED)


def _refuse(path: Path, code: ReasonCode) -> str:
    with pytest.raises(ImageError) as caught:
        read_radiograph(path)
    assert caught.value.code is code, str(caught.value)
    assert caught.value.study is not None
    assert caught.value.study.modality == "CR"
    unsupported = {ReasonCode.NO_PIXELS, ReasonCode.TOO_LARGE}
    assert isinstance(caught.value, UnsupportedImage if code in unsupported else UnreadableImage)
    return str(caught.value)


def _with_tag(content: bytes, old: tuple[int, int], new: tuple[int, int]) -> bytes:
    before = struct.pack("<HH", *old)
    assert before in content
    return content.replace(before, struct.pack("<HH", *new), 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ((0x0002, 0x0003), (0x0002, 0x2003)),
        ((0x0002, 0x0002), (0x000A, 0x0002)),
        ((0x0028, 0x0101), (0x0028, 0x8101)),
        ((0x0028, 0x0004), (0x0008, 0x0004)),
    ],
)
@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.IMPLICIT])
def test_a_tag_of_which_a_bit_was_lost_is_damage(
    old: tuple[int, int], new: tuple[int, int], syntax: str, tmp_path: Path
) -> None:
    """What it said of the pixels would be missing, and the film be shown another way."""
    path = tmp_path / "film.dcm"
    path.write_bytes(_with_tag(made.make_dicom(EIGHT, syntax=syntax), old, new))
    with pytest.raises(UnreadableImage) as caught:
        read_radiograph(path)
    assert caught.value.code is ReasonCode.DAMAGED


@pytest.mark.parametrize("new", [(0x0018, 0x1400), (0x0019, 0x0010), (0x60FE, 0x0010)])
def test_an_order_of_its_own_is_no_damage(new: tuple[int, int], tmp_path: Path) -> None:
    """A known element, a private one, and an overlay's among 256, where the age stood."""
    path = tmp_path / "film.dcm"
    content = made.make_dicom(EIGHT)
    path.write_bytes(content)
    plain = read_radiograph(path).pixels
    path.write_bytes(_with_tag(content, (0x0010, 0x0020), new))
    np.testing.assert_array_equal(read_radiograph(path).pixels, plain)


def test_a_transfer_syntax_that_is_no_uid_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "film.dcm"
    content = made.make_dicom(EIGHT, syntax=made.JPEG_BASELINE)
    harmed = content.replace(b"1.2.840.10008.1.2.4.50", b"1.2.840.1000:.1.2.4.50")
    assert harmed != content
    path.write_bytes(harmed)
    with pytest.raises(UnreadableImage, match="header is damaged"):
        read_radiograph(path)


MOVED = bytes.fromhex("a60c8484 59c55a0c a7458185 ffff0c84 8c59965a")


@pytest.mark.parametrize("start", range(0, len(MOVED) - 8, 2))
@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.IMPLICIT, made.DEFLATED])
def test_pixels_that_were_moved_behind_the_last_are_no_element(
    start: int, syntax: str, tmp_path: Path
) -> None:
    """Bytes put in before them; a film's numbers are as large as a tag of a later group."""
    if syntax == made.DEFLATED:
        film = made.encode_headerless(made.make_dataset(TWELVE, bits=12), implicit=False)
        content = made.encode_deflated(film + MOVED[start:])
    else:
        content = made.make_dicom(TWELVE, bits=12, syntax=syntax) + MOVED[start:]
    path = tmp_path / "film.dcm"
    path.write_bytes(content)
    _refuse(path, ReasonCode.DAMAGED)


@pytest.mark.parametrize("tag", [0x7FE10010, 0xFFFCFFFC, 0xFFFAFFFA])
@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.IMPLICIT, made.DEFLATED, made.BIG])
def test_elements_after_the_pixels_are_no_damage(tag: int, syntax: str, tmp_path: Path) -> None:
    film = made.make_dataset(TWELVE, bits=12)
    if tag == 0xFFFAFFFA:
        film.DigitalSignaturesSequence = Sequence([Dataset()])
    else:
        film.add_new(tag, "LO" if tag == 0x7FE10010 else "OB", "X" if tag == 0x7FE10010 else b"ab")
    path = tmp_path / "film.dcm"
    little, implicit = syntax != made.BIG, syntax == made.IMPLICIT
    if syntax == made.BIG:
        film.PixelData = TWELVE.astype(">u2").tobytes()
    encoded = made.encode_headerless(film, implicit=implicit, little=little)
    if syntax == made.DEFLATED:
        path.write_bytes(made.encode_deflated(encoded))
    else:
        path.write_bytes(made.encode_meta(syntax) + encoded)
    assert read_radiograph(path).full_shape == TWELVE.shape


def test_a_deflated_film_may_end_with_its_checksum(tmp_path: Path) -> None:
    """As a file that pydicom brings does; and a wrong one is damage."""
    film = made.encode_headerless(made.make_dataset(EIGHT), implicit=False)
    whole, path = made.encode_deflated(film), tmp_path / "film.dcm"
    of_gzip = struct.pack("<II", zlib.crc32(film), len(film))
    of_zlib = struct.pack(">I", zlib.adler32(film))
    for end in (of_gzip, of_zlib, of_gzip + b"\0"):
        path.write_bytes(whole + end)
        assert read_radiograph(path).full_shape == EIGHT.shape
        path.write_bytes(whole + bytes([end[0] ^ 1]) + end[1:])
        with pytest.raises(UnreadableImage, match="header is damaged"):
            read_radiograph(path)
