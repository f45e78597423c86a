"""The floor: the least a day can cost with today's decoders; imports nothing of ours.

    python -m benchmarks.floor FOLDER [--model FILE] [--cores N] [--json]

FOLDER holds films named NUMBER_SYNTAX.ext (see made_day). Per syntax: the time to read the file,
plus the fastest of the known decoders for its bytes, at the lowest resolution that leaves at least
448 pixels on the shorter side, plus one single-thread INT8 inference at batch 1. Header parsing,
shrinking, windowing, result and report cost nothing here. Everything runs on one thread, the
best of some repetitions counts; the sum over the day's mix is divided by the cores. Cores share
caches, memory and clock rate, so `--together` also runs one such process per core at once, the
median of the repetitions counting: what that division promises and the machine does not keep.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LEAST = 448
MOST_FILMS = 4
"""Films of a syntax that are timed; more of the same size change nothing."""
SIDE = 224
INT8 = Path(__file__).resolve().parents[1] / "edge_infer" / "models" / "cxr-lite0.onnx"
Decoder = Callable[[bytes, int, int], Any]
"""From a codestream, its rows and its columns to pixels."""


def halvings(rows: int, columns: int, most: int) -> int:
    """Return how often both sides can be halved (at most `most`) with LEAST pixels left."""
    times = 0
    while times < most and -(-min(rows, columns) // 2 ** (times + 1)) >= LEAST:
        times += 1
    return times


def native(data: bytes, rows: int, columns: int) -> Any:
    """Take the bytes as they are."""
    return np.frombuffer(data, "<u2", rows * columns).reshape(rows, columns)


def jpeg2000_pillow(data: bytes, rows: int, columns: int) -> Any:
    """Decode a lower resolution level with Pillow (OpenJPEG)."""
    from PIL import Image

    image: Any = Image.open(io.BytesIO(data))
    image.reduce = halvings(rows, columns, 5)
    image.load()
    return image


def htj2k_imagecodecs(data: bytes, rows: int, columns: int) -> Any:
    """Skip the finest resolutions with imagecodecs (OpenJPH)."""
    import imagecodecs

    return imagecodecs.htj2k_decode(data, skipres=halvings(rows, columns, 5))


def jpeg_opencv(data: bytes, rows: int, columns: int) -> Any:
    """Scale in the DCT with OpenCV (libjpeg-turbo)."""
    import cv2

    flags = (
        cv2.IMREAD_GRAYSCALE,
        cv2.IMREAD_REDUCED_GRAYSCALE_2,
        cv2.IMREAD_REDUCED_GRAYSCALE_4,
        cv2.IMREAD_REDUCED_GRAYSCALE_8,
    )
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags[halvings(rows, columns, 3)])


def jpeg_pillow(data: bytes, rows: int, columns: int) -> Any:
    """Scale in the DCT with Pillow's draft mode (libjpeg-turbo)."""
    from PIL import Image

    image = Image.open(io.BytesIO(data))
    times = halvings(rows, columns, 3)
    image.draft("L", (columns >> times, rows >> times))
    image.load()
    return image


def png_opencv(data: bytes, _rows: int, _columns: int) -> Any:
    """Decode all of a PNG with OpenCV (libpng)."""
    import cv2

    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def rle_pylibjpeg(data: bytes, rows: int, columns: int) -> Any:
    """Decode DICOM RLE with pylibjpeg-rle."""
    from rle.rle import decode_frame

    return decode_frame(data, rows * columns, 16, "<")


def rle_imagecodecs(data: bytes, _rows: int, _columns: int) -> Any:
    """Decode DICOM RLE with imagecodecs."""
    import imagecodecs

    return imagecodecs.dicomrle_decode(data, np.dtype("<u2"))


def jpeg_ls_pyjpegls(data: bytes, _rows: int, _columns: int) -> Any:
    """Decode JPEG-LS with pyjpegls (CharLS)."""
    import jpeg_ls

    return jpeg_ls.decode(np.frombuffer(data, np.uint8))


def whole(name: str) -> Decoder:
    """Return imagecodecs' decoder `name` for a whole picture."""

    def decode(data: bytes, _rows: int, _columns: int) -> Any:
        import imagecodecs

        return getattr(imagecodecs, name)(data)

    return decode


DECODERS: dict[str, dict[str, Decoder]] = {
    "uncompressed": {"numpy": native},
    "jpeg_lossless": {"jpeg8": whole("jpeg8_decode"), "ljpeg": whole("ljpeg_decode")},
    "jpeg2000": {"Pillow, reduced": jpeg2000_pillow},
    "jpeg_ls": {"imagecodecs": whole("jpegls_decode"), "pyjpegls": jpeg_ls_pyjpegls},
    "rle": {"pylibjpeg-rle": rle_pylibjpeg, "imagecodecs": rle_imagecodecs},
    "htj2k": {"imagecodecs, skipres": htj2k_imagecodecs},
    "png16": {"OpenCV": png_opencv, "imagecodecs": whole("png_decode")},
    "jpeg": {"OpenCV, scaled": jpeg_opencv, "Pillow, scaled": jpeg_pillow},
}
DECODERS["jpeg_dicom"] = DECODERS["jpeg"]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How often something is timed, and which of the times counts."""

    repeats: int
    pick: Callable[[list[float]], float] = min
    now: Callable[[], float] = time.perf_counter

    def ms(self, work: Callable[[], Any], *, times: int = 1) -> float:
        """Return the milliseconds of `work`, called `times` as often as usual."""
        taken = []
        for _ in range(self.repeats * times):
            started = self.now()
            work()
            taken.append(1000 * (self.now() - started))
        return self.pick(taken)


def find_codestream(path: Path) -> tuple[bytes, int, int]:
    """Return the picture's bytes, rows and columns (not timed)."""
    if path.suffix != ".dcm":
        import cv2

        data = path.read_bytes()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        return data, picture.shape[0], picture.shape[1]
    import pydicom
    from pydicom.encaps import generate_frames

    film = pydicom.dcmread(path)
    data = film.PixelData
    if film.file_meta.TransferSyntaxUID.is_encapsulated:
        data = next(generate_frames(data, number_of_frames=1))
    return data, film.Rows, film.Columns


def time_syntax(syntax: str, films: list[Path], clock: Clock) -> dict[str, Any]:
    """Return mean milliseconds of reading and decoding, and the decoder that was fastest."""
    films = films[:MOST_FILMS]
    read = float(np.mean([clock.ms(film.read_bytes) for film in films]))
    streams = [find_codestream(film) for film in films]
    decoders, missing = dict[str, float](), list[str]()
    for name, decode in DECODERS[syntax].items():
        try:
            decode(*streams[0])
        except ImportError as error:
            missing.append(f"{name} (missing: {error.name})")
            continue
        decoders[name] = float(np.mean([clock.ms(lambda s=s, d=decode: d(*s)) for s in streams]))
    if not decoders:
        raise SystemExit(f"no decoder for {syntax}: {', '.join(missing)}")
    fastest = min(decoders, key=lambda name: decoders[name])
    return {"read_ms": read, "decode_ms": decoders[fastest], "decoder": fastest}


def time_network(model: Path, clock: Clock) -> float:
    """Return the milliseconds of one INT8 inference at batch 1 on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).integers(0, 256, (1, 1, SIDE, SIDE), dtype=np.uint8)
    return clock.ms(lambda: session.run(["logits"], {"image": image}), times=10)


def measure(folder: Path, model: Path, *, cores: int, clock: Clock) -> dict[str, Any]:
    """Return the floor of the films in `folder`, per syntax and over their mix."""
    by_syntax: dict[str, list[Path]] = {}
    for film in sorted(folder.glob("*_*")):
        by_syntax.setdefault(film.stem.split("_", 1)[1], []).append(film)
    if not by_syntax:
        raise SystemExit(f"{folder} holds no film named NUMBER_SYNTAX.ext")
    network = time_network(model, clock)
    syntaxes = {}
    for name, films in by_syntax.items():
        row = time_syntax(name, films, clock)
        row["films"] = len(films)
        row["film_ms"] = row["read_ms"] + row["decode_ms"] + network
        syntaxes[name] = row
    count = sum(row["films"] for row in syntaxes.values())
    mean = sum(row["films"] * row["film_ms"] for row in syntaxes.values()) / count
    return {
        "network_ms": network,
        "syntaxes": syntaxes,
        "film_ms": mean,
        "cores": cores,
        "films_per_s": 1000 * cores / mean,
    }


def measure_together(folder: Path, model: Path, cores: int) -> float:
    """Return films per second of one process per core, all measuring at once, medians counting."""
    command = [sys.executable, __file__, str(folder), "--model", str(model)]
    command += ["--median", "--json", "--cores", "1"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(cores)]
    told = [process.communicate()[0] for process in running]
    return float(sum(json.loads(text)["films_per_s"] for text in told))


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=INT8, help="default: the bundled INT8 file")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--median", action="store_true", help="not the best, the median counts")
    parser.add_argument("--cpu-time", action="store_true", help="for a busy PC: processor time")
    parser.add_argument("--together", action="store_true", help="also with all cores at once")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    import cv2

    cv2.setNumThreads(1)
    clock = Clock(
        repeats=options.repeats,
        pick=statistics.median if options.median else min,
        now=time.thread_time if options.cpu_time else time.perf_counter,
    )
    floor = measure(options.folder, options.model, cores=options.cores, clock=clock)
    if options.together:
        floor["together"] = measure_together(options.folder, options.model, options.cores)
    if options.json:
        print(json.dumps(floor))
    else:
        print_floor(floor)


def print_floor(floor: dict[str, Any]) -> None:
    """Print a line per syntax and the day's."""
    print(f"network, INT8, one thread: {floor['network_ms']:.1f} ms a film")
    for name, row in floor["syntaxes"].items():
        print(
            f"{name:14} {row['films']:5} films: read {row['read_ms']:5.1f} ms, decode "
            f"{row['decode_ms']:5.1f} ms ({row['decoder']}), with network {row['film_ms']:5.1f} ms"
        )
    print(
        f"the day: {floor['film_ms']:.1f} ms a film, {floor['films_per_s']:.1f} films/s "
        f"on {floor['cores']} cores"
    )
    if "together" in floor:
        print(f"with one process per core at once: {floor['together']:.1f} films/s")


if __name__ == "__main__":
    main()
