"""Read a film that arrives as PNG, JPEG, TIFF or BMP.

A raster file has no BitsStored and no window, so its whole range is the display range: 8 bit
grey is multiplied by 257 and 16 bit grey is taken as it is. A 16 bit file that holds 8 to 12 bit
numbers, which looks almost black in any viewer, is stretched: see `narrow_range.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_infer.area_mean import area_sums, round_means
from edge_infer.errors import ImageError, ReasonCode, UnsupportedImage
from edge_infer.films.codecs.jpeg import decode_jpeg, jpeg_scale
from edge_infer.films.codecs.opencv import decode_with_opencv
from edge_infer.films.file import FilmFile
from edge_infer.films.memory import MOST_PACKED_BYTES, require_memory, too_large
from edge_infer.films.narrow_range import fill_range, find_narrow_range, is_blank, order_sample
from edge_infer.films.radiograph import Radiograph
from edge_infer.films.raster.headers import RasterHeader, damaged, read_raster_header
from edge_infer.films.raster.orientation import turn
from edge_infer.films.raster.tiff_directory import TiffDirectory
from edge_infer.films.raster.tiff_pieces import read_pieces
from edge_infer.films.shrink import scaled_shape, shrink_factor
from edge_infer.films.sniff import FileKind
from edge_infer.films.study import InputType, StudyInfo

_MOST_PIXELS = 120_000_000
_SHORTEST_SIDE = 128
_COLOUR_SAMPLE_SIDE, _BLANK_SAMPLE_SIDE = 1024, 256
"""Colour and blankness are judged on a grid of about this many rows and columns."""
_COLOUR_TOLERANCE = 8 / 255
"""JPEG rounds a grey picture's channels apart by 2 or 3 of 255; a tint or a photograph by tens."""
_COLOUR_SHARE = 99.0
"""Percent of the pixels that must be grey: a small coloured label does not make a film a photo."""


def read_raster(
    file: FilmFile,
    kind: FileKind,
    *,
    size: tuple[int, int] | None = None,
    is_judged: bool = True,
) -> Radiograph:
    """Read one PNG, JPEG, TIFF or BMP film, `kind` saying which.

    `size` and `is_judged` are explained at `read_radiograph`.

    `pixels` covers the file's whole range as 0..65535, transparency over black, EXIF orientation
    applied; `pixel_aspect` is 1.0 and the study knows only its input type. Raises UnreadableImage
    (no_decoder, truncated, damaged) or UnsupportedImage (too_large, too_small, several_frames,
    colour, blank).
    """
    study = StudyInfo(input_type=InputType.RASTER)
    try:
        if file.size > MOST_PACKED_BYTES:
            raise too_large(f"its file has {file.size >> 20} MB")
        data = file.stream.read()
        header = read_raster_header(data, kind)
        _check_size(header)
        factor = shrink_factor((header.height, header.width), size)
        decoded, scale = _decode(data, header, factor)
        if decoded.ndim == 3:
            decoded = _without_idle_alpha(decoded, header)
            if is_judged:
                _check_colour(decoded[..., :3])
        sample = order_sample(_to_grey(_sample(decoded, _BLANK_SAMPLE_SIDE), header))
        _check_not_blank(sample)
        full_shape = _turn(header, decoded, scale)
        if size is None or factor == 1:
            grey = _to_grey(decoded, header)
        else:
            grey = _to_small_grey(decoded, header, size, scale=scale, full_shape=full_shape)
        if (found := find_narrow_range(sample)) is not None:
            grey = fill_range(grey, found)
    except ImageError as error:
        error.study = study
        raise
    return Radiograph(
        pixels=grey,
        pixel_aspect=1.0,
        study=study,
        full_shape=full_shape,
        decoded_scale=scale,
    )


def _check_size(header: RasterHeader) -> None:
    width, height = header.width, header.height
    if width * height > _MOST_PIXELS:
        raise UnsupportedImage(
            f"The picture has {width} x {height} pixels, more than the 120 million of the largest "
            "film; export it at its usual size.",
            ReasonCode.TOO_LARGE,
        )
    # Of colours a second copy is made, of grey none.
    copies = 2 if header.pixel_bytes > 2 else 1
    require_memory(width * height * header.pixel_bytes * copies)
    if min(width, height) < _SHORTEST_SIDE:
        raise UnsupportedImage(
            f"The picture has only {width} x {height} pixels, too few for a chest film (at least "
            f"{_SHORTEST_SIDE} on the shorter side); export the full-size picture.",
            ReasonCode.TOO_SMALL,
        )


def _decode(data: bytes, header: RasterHeader, factor: int) -> tuple[NDArray[Any], int]:
    """Return the picture, red first, and by how much the decoder has reduced its sides."""
    import cv2

    if header.jpeg is not None:
        scale = jpeg_scale(factor)
        decoded = turn(decode_jpeg(header.jpeg, scale=scale), header.jpeg.orientation)
        return _to_rgb(decoded) if decoded.ndim == 3 and decoded.shape[2] == 4 else decoded, scale
    if header.tiff is not None:
        return turn(_read_tiff(data, header.tiff), header.tiff.orientation), 1
    if header.is_rare_tiff:
        _check_with_libtiff(data)
    # UNCHANGED alone keeps transparency, but it ignores EXIF orientation.
    plain = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    picture = decode_with_opencv(data, cv2.IMREAD_UNCHANGED if header.has_alpha else plain)
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise damaged()
    if sorted(picture.shape[:2]) != sorted((header.height, header.width)):
        raise damaged()
    if picture.ndim == 3:
        code = cv2.COLOR_BGR2RGB if picture.shape[2] == 3 else cv2.COLOR_BGRA2RGBA
        picture = np.asarray(cv2.cvtColor(picture, code))
    return picture, 1


def _read_tiff(data: bytes, page: TiffDirectory) -> NDArray[Any]:
    """Return [H, W], or three or four channels, the fourth of them transparency."""
    picture = read_pieces(data, page)
    if picture.ndim == 3 and picture.shape[2] == 2:  # grey and something else
        return picture[..., [0, 0, 0, 1]]
    if picture.ndim == 3 and picture.shape[2] > 3 and page.photometric < 2:
        return picture[..., 0]
    return picture


def _check_with_libtiff(data: bytes) -> None:
    """Refuse what libtiff cannot decode: OpenCV does not ask it."""
    import imagecodecs

    # The boundary of decoding; see jpeg.py.
    try:
        imagecodecs.tiff_decode(data)
    except MemoryError:
        raise
    except Exception as error:
        raise damaged() from error


def _to_rgb(inverted_cmyk: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the colours of Adobe's CMYK, in which 255 is no ink."""
    inks, black = inverted_cmyk[..., :3].astype(np.uint16), inverted_cmyk[..., 3:]
    return np.asarray(black - ((255 - inks) * black >> 8), dtype=np.uint8)


def _turn(header: RasterHeader, decoded: NDArray[Any], scale: int) -> tuple[int, int]:
    """Return the rows and columns of the whole picture, turned as EXIF says.

    A turned JPEG whose sides the scale does not divide has its short row or column first instead of
    last, up to seven pixels of 3,584 off: such films are rarer than the care would be worth.
    """
    shape = header.height, header.width
    return shape if decoded.shape[:2] == scaled_shape(shape, scale) else shape[::-1]


def _to_grey(decoded: NDArray[Any], header: RasterHeader) -> NDArray[np.uint16]:
    """Return [H, W] uint16 over the whole range from [H, W] or [H, W, 3 or 4] uint8 or uint16."""
    grey = _merge_channels(decoded)
    full = grey.astype(np.uint16) * np.uint16(65535 // _white(grey))
    return 65535 - full if header.white_is_zero else full


def _to_small_grey(
    decoded: NDArray[Any],
    header: RasterHeader,
    size: tuple[int, int],
    *,
    scale: int,
    full_shape: tuple[int, int],
) -> NDArray[np.uint16]:
    """Return the area means [h, w] of what `_to_grey` would give."""
    grey = _merge_channels(decoded)
    bits = 8 * grey.dtype.itemsize
    sums, parts = area_sums(grey, size, bits=bits, scale=scale, full=full_shape)
    sums *= np.uint64(65535 // _white(grey))
    if header.white_is_zero:
        sums = np.uint64(65535 * parts) - sums
    return round_means(sums, parts)


def _merge_channels(decoded: NDArray[Any]) -> NDArray[np.uint8 | np.uint16]:
    """Return one channel, [H, W]; of a picture that has only one, that."""
    if decoded.ndim == 2:
        return decoded
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(decoded[..., :3]), cv2.COLOR_RGB2GRAY)
    if decoded.shape[2] == 4:
        alpha, white = decoded[..., 3], _white(decoded)
        grey = ((grey.astype(np.uint32) * alpha + white // 2) // white).astype(grey.dtype)
    return np.asarray(grey)


def _white(pixels: NDArray[Any]) -> int:
    return int(np.iinfo(pixels.dtype).max)


def _without_idle_alpha(decoded: NDArray[Any], header: RasterHeader) -> NDArray[Any]:
    """Drop transparency that shows nothing; refuse one that hides most of the film.

    A writer's alpha of 0 or 1 everywhere would leave a black film.
    """
    if not header.has_alpha or decoded.shape[2] < 4:
        return decoded[..., :3]
    alpha = _sample(decoded[..., 3], _COLOUR_SAMPLE_SIDE)
    middle, high = np.percentile(alpha, (50, 99.5), method="nearest")
    clear = _white(decoded) // 4
    if high < clear:
        return decoded[..., :3]
    if middle < clear:
        raise UnsupportedImage(
            "Most of the picture is hidden by its transparency; export it without transparency.",
            ReasonCode.BLANK,
        )
    return decoded


def _check_colour(colours: NDArray[Any]) -> None:
    sample = _sample(colours, _COLOUR_SAMPLE_SIDE).astype(np.int32)
    spread = np.percentile(np.ptp(sample, axis=2), _COLOUR_SHARE)
    if spread > _COLOUR_TOLERANCE * np.iinfo(colours.dtype).max:
        raise UnsupportedImage(
            "The picture is in colour, so it is not a plain X-ray film; "
            "export the film itself in grey.",
            ReasonCode.COLOUR,
        )


def _check_not_blank(sample: NDArray[np.uint16]) -> None:
    if is_blank(sample):
        raise UnsupportedImage(
            "The picture shows the same grey everywhere; check that the film was exposed and "
            "exported.",
            ReasonCode.BLANK,
        )


def _sample(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    rows, columns = (max(1, length // side) for length in pixels.shape[:2])
    return pixels[::rows, ::columns]
