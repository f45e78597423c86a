"""One worklist on every PC: the same folder on this processor and on three older ones, emulated.

    python -m benchmarks.one_worklist [FOLDER] [--films 3] [--full-decode] [--model FILE]

Without FOLDER, phantoms of examples/day are written as every kind of file, lossy ones among them.
Compares worklist.csv byte for byte with qemu-x86_64 (Debian package qemu-user) as Haswell (AVX2, no
VNNI), SandyBridge (AVX) and Denverton (SSE4.2 only), 2 to 4 s a film, and names for each film that
differs the first stage that does. Exit 1 where a list differs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2

from benchmarks.every_syntax import KINDS, write_film
from benchmarks.film_stages import STAGES
from benchmarks.made_films import enlarge

PROCESSORS = ("Haswell", "SandyBridge", "Denverton")
ROOT = Path(__file__).resolve().parents[1]
_SHAPES = ((1024, 1024), (1250, 1024), (1003, 1201))
"""The last is odd both ways: its blocks and levels do not come out even."""

Stages = dict[str, dict[str, Any]]


def make_folder(folder: Path, films: int) -> None:
    """Write `films` phantoms as every kind of file."""
    phantoms = sorted((ROOT / "examples" / "day").glob("*.png"))
    for number in range(films):
        grey = cv2.imread(str(phantoms[number % len(phantoms)]), cv2.IMREAD_GRAYSCALE)
        pixels = enlarge(grey, _SHAPES[number % len(_SHAPES)], number)
        place = folder / f"film{number}"
        place.mkdir()
        for kind in KINDS:
            write_film(place, pixels, kind)


def screen_as(folder: Path, processor: str | None, *options: str) -> tuple[bytes, Stages]:
    """Return worklist.csv and every film's stages, on `processor` (None: this one)."""
    emulator = [str(shutil.which("qemu-x86_64")), "-cpu", processor] if processor else []
    with tempfile.TemporaryDirectory() as place:
        csv = Path(place) / "worklist.csv"
        command = [sys.executable, "-m", "benchmarks.film_stages", str(folder), str(csv), *options]
        done = subprocess.run(
            [*emulator, *command], check=True, capture_output=True, encoding="utf-8", cwd=ROOT
        )
        return csv.read_bytes(), json.loads(done.stdout)


def first_difference(here: dict[str, Any], there: dict[str, Any]) -> str | None:
    """Name the first stage at which one film differs, or None."""
    if here.get("refused") != there.get("refused"):
        return "refused"
    return next((stage for stage in STAGES if here.get(stage) != there.get(stage)), None)


def compare(folder: Path, *options: str) -> bool:
    """Print what differs between this processor and the others; True where no list does."""
    csv, here = screen_as(folder, None, *options)
    print(f"{len(here)} films, worklist.csv of {len(csv)} bytes")
    is_one = True
    for processor in PROCESSORS:
        other, there = screen_as(folder, processor, *options)
        is_one &= other == csv
        raw = sum(here[name].get("raw_logits") != there[name].get("raw_logits") for name in here)
        print(
            f"{processor:12} {'identical' if other == csv else 'DIFFERENT'}; unrounded logits "
            f"differ for {raw} films",
            flush=True,
        )
        for name in here:
            stage = first_difference(here[name], there[name])
            if stage:
                print(f"  {name}: first in its {stage}")
    return is_one


def main() -> None:
    """Parse the command line, make the films, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--films", type=int, default=3)
    parser.add_argument("--full-decode", action="store_true")
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    if shutil.which("qemu-x86_64") is None:
        sys.exit("qemu-x86_64 is not installed (Debian package qemu-user)")
    passed = ["--full-decode"] if options.full_decode else []
    passed += ["--model", str(options.model)] if options.model is not None else []
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder
        if folder is None:
            folder = Path(made)
            make_folder(folder, options.films)
        is_one = compare(folder, *passed)
    sys.exit(0 if is_one else 1)


if __name__ == "__main__":
    main()
