"""Peak memory of a whole `cxr-infer` (process tree, PSS) on 100 made films of 2500 x 2048.

    python -m benchmarks.memory [--films 100] [--workers 2]

Linux only (reads /proc/*/smaps_rollup).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.made_films import SYNTAXES, enlarge, write_dicom

PHANTOMS = Path(__file__).resolve().parents[1] / "examples" / "day"


def tree_pss(root: int) -> int:
    """Sum the proportional set size, in bytes, of `root` and all its descendants."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents[int(folder.name)] = int(fields[1])
    family = {root}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    total = 0
    for pid in family:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


@dataclass(frozen=True, kw_only=True)
class WatchedRun:
    """A command that has ended."""

    exit_code: int
    peak_bytes: int
    """The largest PSS of the process tree that was seen."""
    seconds: float


def watch(
    command: Sequence[str], *, every_s: float = 0.05, env: Mapping[str, str] | None = None
) -> WatchedRun:
    """Run `command`, looking at its memory every `every_s` seconds (a look took 8 ms)."""
    started, peak = time.perf_counter(), 0
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env)
    while True:
        peak = max(peak, tree_pss(running.pid))
        try:
            running.wait(every_s)
            break
        except subprocess.TimeoutExpired:
            continue
    seconds = time.perf_counter() - started
    return WatchedRun(exit_code=running.returncode, peak_bytes=peak, seconds=seconds)


def main() -> None:
    """Make the films, screen them, print the peak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    phantom = cv2.imread(str(next(PHANTOMS.glob("*.png"))), cv2.IMREAD_GRAYSCALE)
    names = list(SYNTAXES)
    with tempfile.TemporaryDirectory() as folder:
        day = Path(folder) / "day"
        day.mkdir()
        for number, name in enumerate(names):
            write_dicom(
                day / f"{name}.dcm",
                enlarge(np.asarray(phantom, np.uint8), (2500, 2048), number),
                name,
            )
        masters = sorted(day.iterdir())
        for number in range(len(masters), options.films):
            source = masters[number % len(masters)]
            (day / f"{number:04}.dcm").write_bytes(source.read_bytes() + b"")
        command = [sys.executable, "-m", "edge_infer", str(day), "--quiet"]
        command += ["--out", str(Path(folder) / "out"), "--workers", str(options.workers)]
        run = watch(command)
        print(
            f"{options.films} films of 2500 x 2048, {options.workers} workers: exit "
            f"{run.exit_code}, peak {run.peak_bytes / 1e6:.0f} MB of the process tree (PSS), "
            f"{run.seconds:.1f} s"
        )


if __name__ == "__main__":
    main()
