"""Let atheris look for bytes that our own parsers do not answer as they promise.

    python -m benchmarks.fuzz FOLDER [--seconds 3600] [--parser NAME]

Each parser has its share of the time, in a process of its own, beginning with small sound films in
every format; FOLDER keeps what atheris found of use and goes on from there. Printed: each parser's
runs and crashes, each error that is not one of those promised (by type and place, with the bytes
that make it), and every input that took over 2 s.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.hostile_films import make_seeds

ROOT = Path(__file__).resolve().parents[1]
_SLOW_S = 2.0
_MOST_BYTES = 60_000
_MOST_PIXELS = 1 << 20
_HEIGHT = 132
"""Of the seeds: just enough rows to be screened."""


def main() -> None:
    """Run every parser, or the one named, then say what was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=3600, help="for all parsers together")
    parser.add_argument("--parser", choices=[*PARSERS, "all"], default="all")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        _fuzz(options.folder, options.parser, options.seconds)
        return
    names = list(PARSERS) if options.parser == "all" else [options.parser]
    for name in names:
        _run_apart(options.folder, name, options.seconds // len(names))
    for name in names:
        found = options.folder / name / "found.jsonl"
        for line in found.read_text().splitlines() if found.exists() else ():
            print(name, line)


def _run_apart(folder: Path, name: str, seconds: int) -> None:
    corpus = folder / name / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in make_seeds(None, height=_HEIGHT):
        (corpus / f"seed_{seed.name}").write_bytes(seed.content[:_MOST_BYTES])
    command = [sys.executable, "-m", "benchmarks.fuzz", str(folder), "--inside", "--parser", name]
    until, runs, crashes = time.monotonic() + seconds, 0, 0
    while (left := int(until - time.monotonic())) > 0:
        done = subprocess.run(
            [*command, "--seconds", str(left)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        counted = re.findall(
            r"^(?:#|Done |stat::number_of_executed_units: +)(\d+)", done.stderr, re.M
        )
        runs += int(counted[-1]) if counted else 0
        if done.returncode == 0:
            break
        crashes += 1
        (folder / name / f"crash-{crashes}.txt").write_text(done.stderr[-20_000:])
    print(f"{name}: {runs} runs in {seconds} s, {crashes} crashes", flush=True)


def _fuzz(folder: Path, name: str, seconds: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["edge_infer.films", "pydicom.filereader"]):
        parse = PARSERS[name]()
    known = set[str]()

    def test_one(data: bytes) -> None:
        start = time.monotonic()
        try:
            parse(data)
        except Exception as error:  # noqa: BLE001 - whatever is not promised is a finding
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "edge_infer" in frame.filename] or frames
            place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
            _tell(folder / name, known, f"{type(error).__name__} at {place}: {error}"[:200], data)
        if time.monotonic() - start > _SLOW_S:
            _tell(folder / name, known, f"slow: {int(time.monotonic() - start)} s", data)

    flags = [f"-max_total_time={seconds}", f"-max_len={_MOST_BYTES}", "-rss_limit_mb=2500"]
    flags += ["-timeout=60", f"-artifact_prefix={folder / name}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *flags, str(folder / name / "corpus")], test_one)
    atheris.Fuzz()


def _tell(folder: Path, known: set[str], said: str, data: bytes) -> None:
    key = said.partition(":")[0] + said.partition(":")[2].partition(":")[0]
    if key in known:
        return
    known.add(key)
    place = folder / f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    place.write_bytes(data)
    with (folder / "found.jsonl").open("a") as file:
        file.write(json.dumps({"said": said, "bytes": str(place)}) + "\n")


def _jpeg() -> Callable[[bytes], object]:
    from edge_infer.errors import ImageError
    from edge_infer.films.codecs.jpeg import decode_jpeg, read_jpeg

    def parse(data: bytes) -> None:
        try:
            jpeg = read_jpeg(data)
        except (ValueError, IndexError, struct.error):  # as it promises
            return
        if jpeg.is_decodable and jpeg.rows * jpeg.columns < _MOST_PIXELS:
            with contextlib.suppress(ImageError):
                decoded = decode_jpeg(jpeg)
                assert decoded.shape[:2] == (jpeg.rows, jpeg.columns), "another size"

    return parse


def _jpeg_2000() -> Callable[[bytes], object]:
    from edge_infer.errors import ImageError
    from edge_infer.films.codecs.jpeg_2000 import complete_jpeg_2000, read_jpeg_2000_header

    def parse(data: bytes) -> None:
        with contextlib.suppress(ImageError, ValueError, IndexError, struct.error):
            read_jpeg_2000_header(data)
        with contextlib.suppress(ImageError):
            assert complete_jpeg_2000(data).endswith(b"\xff\xd9"), "no end mark"

    return parse


def _tiff() -> Callable[[bytes], object]:
    from edge_infer.errors import ImageError
    from edge_infer.films.raster.tiff_directory import read_tiff_directories
    from edge_infer.films.raster.tiff_pieces import can_read_pieces, read_pieces

    def parse(data: bytes) -> None:
        try:
            pages = read_tiff_directories(data)
        except (ImageError, struct.error):
            return
        for page in pages[:3]:
            if can_read_pieces(page) and page.width * page.height * page.samples < _MOST_PIXELS:
                with contextlib.suppress(ImageError):
                    shape = read_pieces(data, page).shape
                    assert shape[:2] == (page.height, page.width), "another size"

    return parse


def _heads() -> Callable[[bytes], object]:
    from edge_infer.errors import ImageError
    from edge_infer.films.raster.headers import read_raster_header
    from edge_infer.films.sniff import FileKind, is_archive, sniff

    def parse(data: bytes) -> None:
        kind = sniff(data[:4096])
        is_archive("film", data[:4096])
        if kind in (FileKind.PNG, FileKind.BMP, FileKind.TIFF, FileKind.JPEG):
            with contextlib.suppress(ImageError):
                read_raster_header(data, kind)

    return parse


def _elements() -> Callable[[bytes], object]:
    from edge_infer.errors import ImageError
    from edge_infer.films.dicom.elements import DicomElements
    from edge_infer.films.dicom.file import parse_dicom
    from edge_infer.films.dicom.pixel_data import open_pixel_data, read_frame

    keywords = ("PatientName", "StudyDescription", "Rows", "WindowCenter", "PatientAge")

    def ask(elements: DicomElements) -> None:
        for keyword in keywords:
            elements.text(keyword)
            elements.spellings(keyword)
            elements.numbers(keyword)
            elements.integers(keyword)
        for keyword in ("VOILUTSequence", "AnatomicRegionSequence"):
            for item in elements.items(keyword):
                item.integers("LUTDescriptor")
                item.text("CodeMeaning")

    def parse(data: bytes) -> None:
        with contextlib.suppress(ImageError):
            film = parse_dicom(io.BytesIO(data))
            ask(film.elements)
            read_frame(open_pixel_data(film), size=132 * 115 * 2, line=230)

    return parse


def _film() -> Callable[[bytes], object]:
    from edge_infer.errors import ImageError
    from edge_infer.films.file import FilmFile
    from edge_infer.films.read import read_radiograph

    def parse(data: bytes) -> None:
        for size in (None, (64, 64)):
            stream = io.BytesIO(data)
            file = FilmFile(path=Path("film"), size=len(data), mtime_ns=0, stream=stream)
            with contextlib.suppress(ImageError):
                read_radiograph(file, size=size, min_age_years=15)

    return parse


PARSERS: dict[str, Callable[[], Callable[[bytes], object]]] = {
    "elements": _elements,
    "tiff": _tiff,
    "jpeg": _jpeg,
    "jpeg_2000": _jpeg_2000,
    "heads": _heads,
    "film": _film,
}


if __name__ == "__main__":
    main()
