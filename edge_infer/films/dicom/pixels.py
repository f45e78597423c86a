"""Stored pixel values: from the bytes of the file to masked bit patterns of known width."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.codecs.rle import decode_rle
from edge_infer.films.dicom.codestream import decode_codestream, describe_codestream
from edge_infer.films.dicom.elements import DicomElements, name_tag
from edge_infer.films.dicom.pixel_data import (
    Frame,
    PixelData,
    read_frame,
)
from edge_infer.films.dicom.syntax import Encoding
from edge_infer.films.memory import require_memory
from edge_infer.films.shrink import scaled_shape, shrink_factor

_TOLERATED_SHARE = 0.01
"""Of pixels beyond BitsStored by more than a sixteenth of its range, above which the codestream's
precision is believed. One pixel (a marker) must not change the grey of all others."""
_OVERSHOOT_SHARE = 0.001
"""Of a reduced film's pixels that its wavelet may lift beyond BitsStored; a film with a marker or
two has a tenth of that."""


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """The Image Pixel Module (PS3.3 C.7.6.3), made consistent."""

    rows: int
    columns: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_planar: bool
    """PlanarConfiguration 1: all red, then all green, then all blue."""

    @property
    def is_422(self) -> bool:
        """Whether Y Y Cb Cr stand for two pixels of a row (PS3.3 C.7.6.3.1.2)."""
        return self.samples == 3 and self.photometric == "YBR_FULL_422"

    @property
    def count(self) -> int:
        """Samples of the uncompressed picture."""
        if self.is_422:
            return self.rows * (self.columns + self.columns % 2) * 2
        return self.rows * self.columns * self.samples


@dataclass(frozen=True, kw_only=True)
class StoredPixels:
    """Samples as unsigned bit patterns; `2**bits` values, two's complement where signed."""

    patterns: NDArray[np.uint8 | np.uint16]
    """[H, W] or [H, W, 3], every value below 2**bits."""
    bits: int
    is_signed: bool
    scale: int = 1
    """By which the decoder has already reduced both sides; the last row and column may stand for
    less than that."""
    has_rgb: bool = False
    """A JPEG or JPEG 2000 decoder made the samples: three are RGB, whatever the header says."""


def describe_pixels(elements: DicomElements) -> PixelFormat:
    """Read the Image Pixel Module; raises UnreadableImage NO_DECODER for 1, 32 or 64 bits.

    BitsStored and HighBit are optional for us: what they say is used as far as it is possible.
    """
    allocated = elements.integer("BitsAllocated") or 0
    if allocated not in (8, 16):
        raise UnreadableImage(
            f"The picture cannot be read here: {name_tag('BitsAllocated')} is {allocated}; "
            "8 and 16 can be read.",
            ReasonCode.NO_DECODER,
        )
    stored = elements.integer("BitsStored") or allocated
    stored = stored if stored <= allocated else allocated
    high_bit = elements.integer("HighBit")
    if high_bit is None or not stored - 1 <= high_bit < allocated:
        high_bit = stored - 1
    return PixelFormat(
        rows=elements.integer("Rows") or 0,
        columns=elements.integer("Columns") or 0,
        samples=elements.integer("SamplesPerPixel") or 1,
        photometric=elements.text("PhotometricInterpretation").upper(),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        is_signed=elements.integer("PixelRepresentation") == 1,
        is_planar=elements.integer("PlanarConfiguration") == 1,
    )


def read_pixels(
    pixel_data: PixelData, pixel_format: PixelFormat, *, size: tuple[int, int] | None = None
) -> StoredPixels:
    """Read and decode the one frame of a film, in any syntax.

    Given `size`, formats that hold smaller pictures decode to one whose sides stay at least twice
    that; all others, and None, decode to the whole film.

    Raises UnsupportedImage NO_PIXELS, UnreadableImage TRUNCATED, DAMAGED or NO_DECODER.
    """
    if pixel_format.samples not in (1, 3):
        raise UnreadableImage(
            f"The picture cannot be read here: {name_tag('SamplesPerPixel')} is "
            f"{pixel_format.samples}; 1 and 3 can be read.",
            ReasonCode.NO_DECODER,
        )
    sample_bytes = pixel_format.bits_allocated // 8
    require_memory(pixel_format.count * sample_bytes)
    line = sample_bytes * min(pixel_format.rows, pixel_format.columns)
    frame = read_frame(pixel_data, size=pixel_format.count * sample_bytes, line=line)
    if frame.encoding is Encoding.UNKNOWN:
        raise UnreadableImage(
            "The film is compressed in a way that cannot be read here: "
            f"TransferSyntaxUID (0002,0010) is '{pixel_data.syntax_uid}'.",
            ReasonCode.NO_DECODER,
        )
    if frame.encoding is Encoding.NATIVE:
        return _mask(_read_native(frame.data, pixel_data, pixel_format), pixel_format)
    if frame.encoding is Encoding.RLE:
        return _mask(_read_rle(frame.data, pixel_format), pixel_format)
    return _read_codestream(frame, pixel_format, size)


def _read_native(
    data: bytes | memoryview, pixel_data: PixelData, pixel_format: PixelFormat
) -> NDArray[np.uint8 | np.uint16]:
    rows, columns = pixel_format.rows, pixel_format.columns
    data = data[: pixel_format.count * (pixel_format.bits_allocated // 8)]
    is_big = not pixel_data.syntax.is_little_endian
    if pixel_format.bits_allocated == 16:
        values = np.frombuffer(data, ">u2" if is_big else "<u2").astype(np.uint16, copy=False)
    elif is_big and pixel_data.representation == "OW":
        # Bytes in 16-bit words are swapped in pairs; an odd last byte stays.
        padded = bytes(data) + b"\0" * (len(data) % 2)
        values = np.frombuffer(padded, np.uint16).byteswap().view(np.uint8)
        values = values[: len(data)]
    else:
        values = np.frombuffer(data, np.uint8)
    if pixel_format.is_422:
        pairs = values.reshape(rows, -1, 4)
        spread = pairs[:, :, [0, 2, 3, 1, 2, 3]].reshape(rows, -1, 3)
        return spread[:, :columns]
    return _arrange(values, pixel_format)


def _arrange(
    values: NDArray[np.uint8 | np.uint16], pixel_format: PixelFormat
) -> NDArray[np.uint8 | np.uint16]:
    rows, columns, samples = pixel_format.rows, pixel_format.columns, pixel_format.samples
    if samples == 1:
        return values.reshape(rows, columns)
    if pixel_format.is_planar:
        return values.reshape(samples, rows, columns).transpose(1, 2, 0)
    return values.reshape(rows, columns, samples)


def _read_rle(data: bytes | memoryview, pixel_format: PixelFormat) -> NDArray[np.uint8 | np.uint16]:
    planes = decode_rle(
        data,
        pixels=pixel_format.rows * pixel_format.columns,
        samples=pixel_format.samples,
        bytes_per_sample=pixel_format.bits_allocated // 8,
    )
    # RLE is always planar, whatever PlanarConfiguration says.
    return _arrange(planes.reshape(-1), replace(pixel_format, is_planar=True))


def _mask(values: NDArray[np.uint8 | np.uint16], pixel_format: PixelFormat) -> StoredPixels:
    """Keep the BitsStored bits below HighBit: the others hold overlays or junk."""
    shift = pixel_format.high_bit + 1 - pixel_format.bits_stored
    if shift:
        values = values >> values.dtype.type(shift)
    values = _clear_above(values, pixel_format.bits_stored)
    return StoredPixels(
        patterns=values, bits=pixel_format.bits_stored, is_signed=pixel_format.is_signed
    )


def _clear_above(values: NDArray[np.uint8 | np.uint16], bits: int) -> NDArray[np.uint8 | np.uint16]:
    """Keep the lowest `bits`; most films have nothing above, and looking costs a third of it."""
    if bits == 8 * values.dtype.itemsize or int(values.max(initial=0)) >> bits == 0:
        return values
    return np.asarray(values & values.dtype.type((1 << bits) - 1), dtype=values.dtype)


def _read_codestream(
    frame: Frame, pixel_format: PixelFormat, size: tuple[int, int] | None
) -> StoredPixels:
    # Its markers are searched for, which views cannot: copying 4 MB takes 0.2 ms of 9 and more.
    data = bytes(frame.data)
    stream = describe_codestream(data, frame.encoding)
    shape = stream.rows, stream.columns
    if shape != (pixel_format.rows, pixel_format.columns):
        raise UnreadableImage(
            f"The picture is damaged: {name_tag('Rows')} and {name_tag('Columns')} say "
            f"{pixel_format.rows} x {pixel_format.columns}, the compressed picture says "
            f"{stream.rows} x {stream.columns}.",
            ReasonCode.DAMAGED,
        )
    decoded, scale = decode_codestream(
        data,
        stream,
        is_rgb=pixel_format.photometric == "RGB",
        factor=shrink_factor(shape, size),
    )
    if decoded.shape != scaled_shape(shape, scale) + (3,) * (stream.samples == 3):
        raise UnreadableImage(
            "The picture is damaged: it decodes to another size than its header says.",
            ReasonCode.DAMAGED,
        )
    # The codestream's sign and precision win over the header's (contract 2); only JPEG 2000
    # states a sign.
    is_signed = pixel_format.is_signed if stream.is_signed is None else stream.is_signed
    values: NDArray[np.uint8 | np.uint16] = decoded.view(
        np.uint8 if decoded.dtype.itemsize == 1 else np.uint16
    )
    bits, stored = stream.bits, pixel_format.bits_stored
    if scale > 1 and stored < bits:
        if _is_far_beyond(values, bits, stored, is_signed=is_signed):
            # What lies in single bits, an overlay, is mixed with the film at lower resolutions.
            return _read_codestream(frame, pixel_format, None)
        values, bits = _clip(values, bits, stored, is_signed=is_signed), stored
    elif stored < bits:
        narrow = _narrow(values, bits, stored, is_signed=is_signed)
        values, bits = (values, bits) if narrow is None else (narrow, stored)
    # `decode_jpeg` has looked already whether anything is above.
    is_clear = frame.encoding is Encoding.JPEG and bits == stream.bits
    return StoredPixels(
        patterns=values if is_clear else _clear_above(values, bits),
        bits=bits,
        is_signed=is_signed,
        scale=scale,
        has_rgb=frame.encoding in (Encoding.JPEG, Encoding.JPEG_2000),
    )


def _clip(
    values: NDArray[np.uint8 | np.uint16], precision: int, stored: int, *, is_signed: bool
) -> NDArray[np.uint8 | np.uint16]:
    """Return the patterns of `stored` bits that are nearest."""
    lowest, highest = _limits(stored, is_signed=is_signed)
    if not is_signed:
        return np.minimum(values, values.dtype.type(highest))
    numbers = np.clip(_to_numbers(values, precision, is_signed=True), lowest, highest)
    return np.asarray(numbers & ((1 << stored) - 1), dtype=np.uint16)


def _narrow(
    values: NDArray[np.uint8 | np.uint16], precision: int, stored: int, *, is_signed: bool
) -> NDArray[np.uint8 | np.uint16] | None:
    """Return the patterns cut to `stored` bits, or None where the film needs the precision.

    Encoders often write 12-bit films as 16-bit codestreams; taking 16 bits there would show the
    film at a sixteenth of its brightness. Lossy ones overshoot BitsStored by a few steps, so values
    are clipped; only many and clearly beyond it prove the header wrong. Where the film is smoother
    without the bits above BitsStored, they are an overlay or junk, as in uncompressed films.
    """
    if not is_signed and int(values.max(initial=0)) >> stored == 0:
        return values  # nothing is beyond, at a hundredth of the time of finding out how much
    numbers = _to_numbers(values, precision, is_signed=is_signed)
    masked = _to_numbers(values, stored, is_signed=is_signed)
    if _roughness(masked, stored) < _roughness(numbers, stored):
        return np.asarray(masked & ((1 << stored) - 1), dtype=np.uint16)
    lowest, highest = _limits(stored, is_signed=is_signed)
    clipped = np.clip(numbers, lowest, highest)
    far = np.abs(clipped - numbers) > 1 << max(0, stored - 4)
    if np.count_nonzero(far) > _TOLERATED_SHARE * numbers.size:
        return None
    return np.asarray(clipped & ((1 << stored) - 1), dtype=np.uint16)


def _is_far_beyond(
    values: NDArray[np.uint8 | np.uint16], precision: int, stored: int, *, is_signed: bool
) -> bool:
    """Tell whether a reduced film is beyond BitsStored in a way that its wavelet does not explain.

    A low-pass filter overshoots along the strokes of a white marker: few pixels, one or two
    abreast, by less than half of the range. An overlay is more of them, a patch, or further beyond.
    (One of thin strokes in the lowest bit beyond is not told from a marker, and is seen as one.)
    """
    if not is_signed and int(values.max(initial=0)) >> stored == 0:
        return False
    lowest, highest = _limits(stored, is_signed=is_signed)
    numbers = _to_numbers(values, precision, is_signed=True) if is_signed else values
    margin = 1 << max(0, stored - 4)
    far = (numbers > highest + margin) | (numbers < lowest - margin if is_signed else False)
    if np.count_nonzero(far) > _OVERSHOOT_SHARE * far.size:
        return True
    rows = np.flatnonzero(far.any(axis=1))
    if not rows.size:
        return False
    near = numbers[max(0, rows[0] - 2) : rows[-1] + 3].astype(np.int32)
    beyond = np.maximum(near - highest, lowest - near)
    return int(beyond.max()) > 1 << (stored - 1) or int(_mean_of_nine(beyond).max()) > margin


def _mean_of_nine(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the mean of each pixel inside the border and its eight neighbours."""
    down = numbers[:-2] + numbers[1:-1] + numbers[2:]
    return np.asarray((down[:, :-2] + down[:, 1:-1] + down[:, 2:]) // 9)


def _to_numbers(
    values: NDArray[np.uint8 | np.uint16], bits: int, *, is_signed: bool
) -> NDArray[np.int32]:
    """Return what the lowest `bits` of each pattern stand for."""
    numbers = values.astype(np.int32) & ((1 << bits) - 1)
    if is_signed:
        numbers -= (numbers >> (bits - 1)) << bits
    return numbers


def _limits(bits: int, *, is_signed: bool) -> tuple[int, int]:
    half = 1 << (bits - 1)
    return (-half, half - 1) if is_signed else (0, 2 * half - 1)


def _roughness(numbers: NDArray[np.int32], bits: int) -> int:
    """Return the sum of all steps between neighbours, none counted as more than 2**bits.

    An overlay's edges are such steps, and so is each place where a film that does need more bits
    would start again from 0 without them; its own few edges must not outweigh those.
    """
    steps = (np.abs(np.diff(numbers, axis=axis)) for axis in (0, 1))
    return sum(int(np.minimum(step, 1 << bits).sum(dtype=np.int64)) for step in steps)
