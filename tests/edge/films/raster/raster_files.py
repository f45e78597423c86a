"""Small PNG and TIFF files written by hand, for the variants no writer here offers."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def make_png(
    rows: NDArray[np.uint8],
    *,
    width: int,
    bits: int,
    colour_type: int,
    extra: bytes = b"",
) -> bytes:
    """Pack `rows` ([H, bytes per row]) unfiltered; `extra` goes between IHDR and IDAT."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour_type, 0, 0, 0)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(raw))
        + png_chunk(b"IEND", b"")
    )


def make_tiff(
    pixels: NDArray[Any],
    *,
    photometric: int = 1,
    order: Literal["<", ">"] = "<",
    pages: int = 1,
    tags: dict[int, tuple[int, ...]] | None = None,
) -> bytes:
    """Write `pixels` ([H, W] or [H, W, C]) uncompressed, the same page `pages` times.

    `tags` are added to, or replace, those derived from the array; all are written as LONG.
    """
    height, width = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    data = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4
    for _ in range(pages):
        entries = {
            256: (width,),
            257: (height,),
            258: (pixels.dtype.itemsize * 8,) * samples,
            259: (1,),
            262: (photometric,),
            273: (len(out),),
            277: (samples,),
            278: (height,),
            279: (len(data),),
            **(tags or {}),
        }
        out += data + bytes(len(data) % 2)
        struct.pack_into(f"{order}I", out, link, len(out))
        directory, tail = struct.pack(f"{order}H", len(entries)), b""
        tail_at = len(out) + 2 + 12 * len(entries) + 4
        for tag in sorted(entries):
            values = entries[tag]
            packed = struct.pack(f"{order}{len(values)}I", *values)
            directory += struct.pack(f"{order}HHI", tag, 4, len(values))
            directory += (
                packed if len(values) == 1 else struct.pack(f"{order}I", tail_at + len(tail))
            )
            tail += packed if len(values) > 1 else b""
        out += directory
        link = len(out)
        out += bytes(4) + tail
    return bytes(out)


def make_strips(
    strips: list[bytes],
    *,
    shape: tuple[int, int],
    bits: int,
    compression: int = 1,
    rows: int = 0,
    samples: int = 1,
    tags: dict[int, tuple[int, ...]] | None = None,
    order: str = "<",
) -> bytes:
    """Write a TIFF of one page from its packed strips (or tiles: `tags` says so)."""
    height, width = shape
    start, body = 8, b"".join(strips)
    offsets = [start + sum(map(len, strips[:index])) for index in range(len(strips))]
    entries: dict[int, tuple[int, ...]] = {
        256: (width,),
        257: (height,),
        258: (bits,) * samples,
        259: (compression,),
        262: (2 if samples >= 3 else 1,),
        273: tuple(offsets),
        277: (samples,),
        278: (rows or height,),
        279: tuple(map(len, strips)),
        **(tags or {}),
    }
    entries = {tag: values for tag, values in sorted(entries.items()) if values}
    at = start + len(body)
    tail_at, directory, tail = at + 2 + 12 * len(entries) + 4, b"", b""
    for tag, values in entries.items():
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) > 1:
            packed, tail = struct.pack(f"{order}I", tail_at + len(tail)), tail + packed
        directory += struct.pack(f"{order}HHI", tag, 4, len(values)) + packed
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
    return head + body + struct.pack(f"{order}H", len(entries)) + directory + bytes(4) + tail
