"""RLE Lossless (PS3.5 Annex G): one PackBits segment per byte of a sample, highest byte first."""

from __future__ import annotations

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage

_HEADER_BYTES = 64
_SLACK_BYTES = 64
"""Some encoders pad the last row or the segment; the rest of a longer segment is an error."""


def decode_rle(
    data: bytes | memoryview, *, pixels: int, samples: int, bytes_per_sample: int
) -> NDArray[np.uint8 | np.uint16]:
    """Return the samples as [samples, pixels], uint8 or uint16.

    Raises UnreadableImage TRUNCATED or DAMAGED. Segments are decoded into buffers of the size the
    header promises, so a segment of runs cannot fill memory.
    """
    count = samples * bytes_per_sample
    if len(data) <= _HEADER_BYTES:
        raise UnreadableImage(
            "The file is cut off: the RLE compressed picture is incomplete.", ReasonCode.TRUNCATED
        )
    header = np.frombuffer(data[:_HEADER_BYTES], "<u4").astype(np.int64)
    starts = header[1 : 1 + count].tolist()
    ends = [*starts[1:], len(data)]
    if header[0] != count or any(
        not _HEADER_BYTES <= a < b for a, b in zip(starts, ends, strict=True)
    ):
        raise _damaged()
    view = memoryview(data)
    segments = [_unpack(view[a:b], pixels) for a, b in zip(starts, ends, strict=True)]
    if bytes_per_sample == 1:
        return segments[0][None] if samples == 1 else np.stack(segments)
    values = np.empty((samples, pixels), np.uint16)
    # In place: copies of both bytes took a third of the whole decoding.
    for sample, high, low in zip(values, segments[0::2], segments[1::2], strict=True):
        sample[:] = high
        sample <<= 8
        sample |= low
    return values


def _unpack(segment: memoryview, size: int) -> NDArray[np.uint8]:
    out = np.empty(size + _SLACK_BYTES, np.uint8)
    try:
        unpacked = imagecodecs.packbits_decode(segment, out=out)
    # The boundary of decoding; see dicom_codestream.
    except Exception as error:
        raise _damaged() from error
    if unpacked.size < size:
        raise _damaged()
    # What is more than the picture is padding: all alike, and of codes of its own. A run that grew
    # moves the film's last bytes out, which in a dark corner are all alike too.
    is_over = unpacked.size > size
    if is_over and (np.unique(unpacked[size:]).size > 1 or not _has_code_end(segment, size)):
        raise _damaged()
    return np.asarray(unpacked[:size], dtype=np.uint8)


def _has_code_end(segment: memoryview, size: int) -> bool:
    """Tell whether one of the segment's codes (G.3.1) ends with byte `size` of what it stands for.

    It takes 0.1 s for a million codes; few films are padded.
    """
    at = made = 0
    while at < len(segment) and made < size:
        code = segment[at]
        is_run = code >= 128
        if code != 128:  # which stands for nothing
            made += 257 - code if is_run else code + 1
        at += (1 + (code != 128)) if is_run else code + 2
    return made == size


def _damaged() -> UnreadableImage:
    return UnreadableImage(
        "The picture is damaged: its RLE compressed data cannot be decoded.", ReasonCode.DAMAGED
    )
