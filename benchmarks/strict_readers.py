"""Independent readers that say aloud what they had to repair; oracles of `benchmarks.hostile`.

Debian's libjpeg-turbo-progs, dcmtk, libtiff-tools and libopenjp2-tools; zlib is Python's own.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import pydicom
from PIL import Image, TiffTags
from pydicom.encaps import generate_frames

PROGRAMS = ("djpeg", "dcmdjpeg", "dcmdjpls", "dcmdrle", "dcmdump", "opj_decompress", "tiffcp")
_COMPLAINTS = ("corrupt", "premature", "warning", "error", "W: ", "E: ", "F: ")
_LIMIT_S = 20.0


def missing_programs() -> list[str]:
    """Return those that are not installed."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def refuse(path: Path, kind: str) -> str:
    """Return what a strict reader says against a file that began as a seed of `kind`, or ''."""
    if kind.startswith("jpg"):
        return _run("djpeg", "-outfile", "/dev/null", str(path))
    if kind.startswith("png"):
        return _read_png(path.read_bytes())
    if kind.startswith("tiff"):
        with tempfile.TemporaryDirectory() as folder:
            said = _run("tiffcp", "-c", "none", str(path), str(Path(folder) / "out.tif"))
        return said or (_inflate_strips(path) if kind == "tiff_deflate" else "")
    if kind == "bmp":
        return ""
    return _read_dicom(path, kind)


def _read_dicom(path: Path, kind: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.dcm")
        if kind in ("jpeg_baseline", "jpeg_extended", "jpeg_lossless"):
            return _run("dcmdjpeg", str(path), out)
        if kind == "jpeg_ls":
            return _run("dcmdjpls", str(path), out)
        if kind == "rle":
            return _run("dcmdrle", str(path), out)
        if kind == "deflated":
            return _inflate_dicom(path)
        if kind in ("jpeg2000", "htj2k"):
            try:
                film = pydicom.dcmread(path)
                frame = next(generate_frames(film.PixelData, number_of_frames=1))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no film to it
                return f"pydicom: {type(error).__name__}"
            stream = Path(folder) / "film.j2k"
            stream.write_bytes(frame)
            return _run("opj_decompress", "-i", str(stream), "-o", str(Path(folder) / "film.pgm"))
        return _run("dcmdump", "-q", str(path))


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{command[0]}: no end"
    said = (done.stderr + done.stdout[-4000:] * (command[0] == "opj_decompress")).decode(
        "utf-8", "replace"
    )
    lines = [line for line in said.splitlines() if any(word in line for word in _COMPLAINTS)]
    lines += [line for line in said.splitlines() if "Corrupt" in line or "[WARN" in line]
    if done.returncode or lines:
        return f"{command[0]}: {(lines or said.splitlines() or ['exit code'])[0][:120]}"
    return ""


def _read_png(data: bytes) -> str:
    """Inflate the IDAT chunks to their end; the picture is as long as its header says."""
    at, packed, head = 8, b"", b""
    while at + 12 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body, check = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if name[:1].isupper() and zlib.crc32(name + body).to_bytes(4, "big") != check:
            return f"crc of {name!r}"
        packed += body if name == b"IDAT" else b""
        head = body if name == b"IHDR" else head
        at += 12 + length
        if name == b"IEND":
            break
    else:
        return "no IEND"
    try:
        inflater = zlib.decompressobj()
        inflater.decompress(packed)
    except zlib.error as error:
        return f"zlib: {error}"
    return "" if inflater.eof and len(head) == 13 else "zlib: no end"


def _inflate_strips(path: Path) -> str:
    tags = {value.name: key for key, value in TiffTags.TAGS_V2.items()}
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            directory = dict(picture.tag_v2)  # type: ignore[attr-defined]
        places = zip(
            directory[tags["StripOffsets"]], directory[tags["StripByteCounts"]], strict=True
        )
        for start, count in places:
            inflater = zlib.decompressobj()
            inflater.decompress(content[start : start + count])
            if not inflater.eof:
                return "zlib: no end"
    except zlib.error as error:
        return f"zlib: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no film to it
        return f"Pillow: {type(error).__name__}"
    return ""


def _inflate_dicom(path: Path) -> str:
    try:
        return "" if pydicom.dcmread(path).PixelData else "pydicom: no pixels"
    except Exception as error:  # noqa: BLE001 - zlib's, and whatever a harmed header raises
        return f"pydicom: {type(error).__name__}"
