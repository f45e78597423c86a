"""Kill `cxr-infer` at random moments, run it again, and compare the list with an undisturbed one.

    python -m benchmarks.kills WORK_FOLDER [--kills 100] [--films 300] [--model FILE]

Every kill is a trial of its own: a new result folder, a run ended without warning at a moment drawn
evenly over the time an undisturbed run takes (start-up, screening and writing alike), after every
third kill a second one during the rerun, then a run to the end. `worklist.csv` must equal the
undisturbed run's byte for byte, and the audit trail must have every decision of the list.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from edge_infer.store.day_store import STORE_NAME
from edge_infer.worklist.audit_trail import read_trail

ROOT = Path(__file__).resolve().parents[1]


def make_films(folder: Path, count: int, *, are_whole: bool = False) -> None:
    """Write small made-up films; every tenth is a copy, every twentieth cut off if not whole."""
    import cv2

    rows, columns = np.mgrid[0:160, 0:200]
    data = b""
    for number in range(count):
        ward = folder / f"ward {number % 3}"
        ward.mkdir(parents=True, exist_ok=True)
        wave = np.sin(rows / (9 + number % 37)) + np.cos(columns / (7 + number % 41))
        if number % 10 or not data:
            noise = np.random.default_rng(number).normal(0, 6, rows.shape)
            grey = np.clip(wave * 60 + 128 + noise, 0, 255).astype(np.uint8)
            data = cv2.imencode(".png", grey)[1].tobytes()
        end = len(data) // 2 if number % 20 == 7 and not are_whole else len(data)
        (ward / f"film {number:03}.png").write_bytes(data[:end])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--films", type=int, default=300)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    films = options.folder / "films"
    if not films.exists():
        make_films(films, options.films)
    draw = random.Random(options.seed)
    started = time.monotonic()
    whole = options.folder / "undisturbed"
    run(films, whole, options.model, kill_after=None)
    took = time.monotonic() - started
    wanted = (whole / "worklist.csv").read_bytes()
    print(f"{options.films} films, undisturbed: {took:.1f} s", flush=True)
    found_at: Counter[str] = Counter()
    failed = 0
    for number in range(options.kills):
        out = options.folder / f"kill-{number:03}"
        run(films, out, options.model, kill_after=draw.uniform(0, took))
        found_at[stage(out)] += 1
        if number % 3 == 2:
            run(films, out, options.model, kill_after=draw.uniform(0, took))
        run(films, out, options.model, kill_after=None)
        if faults := compare(out, wanted):
            failed += 1
            print(f"kill {number}: {', '.join(faults)}; kept in {out}")
        else:
            shutil.rmtree(out)
    print(f"{options.kills} kills, {failed} faults, in {time.monotonic() - started:.0f} s")
    for name, count in sorted(found_at.items()):
        print(f"  killed {name}: {count}")


def run(films: Path, out: Path, model: Path | None, *, kill_after: float | None) -> None:
    """Run the command; to the end, or for so many seconds."""
    words: Sequence[str | Path] = (films, "--out", out, "--workers", "1", "--quiet")
    words = (*words, "--model", model) if model else words
    command = [sys.executable, "-m", "edge_infer", *map(str, words)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            code = process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            return
    assert code == 4, f"exit code {code}"  # some films are cut off


def stage(out: Path) -> str:
    """Tell how far a killed run had come."""
    if not (out / STORE_NAME).exists():
        return "before the store was there"
    if (out / "worklist.csv").exists():
        return "after the list was there"
    try:
        with closing(sqlite3.connect(out / STORE_NAME)) as store:
            (count,) = store.execute("SELECT count(*) FROM film").fetchone()
    except sqlite3.OperationalError:
        return "while the store was made"
    return "between the first and the last film" if count else "before the first film was kept"


def compare(out: Path, wanted: bytes) -> list[str]:
    faults = []
    if (out / "worklist.csv").read_bytes() != wanted:
        faults.append("another worklist.csv")
    if leftovers := [path.name for path in out.iterdir() if path.name.endswith(".part")]:
        faults.append(f"left over: {leftovers}")
    with closing(sqlite3.connect(out / STORE_NAME)) as store:
        rows = {row for (row,) in store.execute("SELECT row FROM path")}
    if {line["row"] for line in read_trail(out)} != rows:
        faults.append("a row without its line in the audit trail")
    return faults


if __name__ == "__main__":
    main()
