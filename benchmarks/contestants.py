"""Who runs in `day`: each contestant is a whole process, timed from outside, start-up included."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from benchmarks.stock import MISSING

ROOT = Path(__file__).resolve().parents[1]
STOCK_INT8 = "stock, INT8"
STOCK_TORCH = "stock, torch fp32"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A command over a folder of films."""

    name: str
    command: Callable[[Path, Path], list[str]]
    """From the folder and a place for results to the command line."""
    unfit: str = ""
    """Why it cannot run, where that is known before."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a contestant took for a folder; `unfit` says why where it took nothing."""

    name: str
    films: int = 0
    seconds: float = 0.0
    """Whole process, the best of the rounds."""
    start_s: float = 0.0
    """Whole process on a folder of one film, the best of the rounds."""
    note: str = ""
    unfit: str = ""

    @property
    def films_per_s(self) -> float:
        """Start-up included."""
        return self.films / self.seconds

    @property
    def steady(self) -> float:
        """Films per second without start-up: what every film after the first took."""
        return (self.films - 1) / max(self.seconds - self.start_s, 1e-9)


def environment() -> dict[str, str]:
    """Return the environment in which every contestant finds this clone's packages."""
    paths = [str(ROOT), str(ROOT / "train"), str(ROOT / "export"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}


def ours(workers: int) -> Contestant:
    """Return this program with `workers` workers, as a clinic starts it."""

    def command(folder: Path, out: Path) -> list[str]:
        line = [sys.executable, "-m", "edge_infer", str(folder), "--quiet"]
        return [*line, "--out", str(out), "--workers", str(workers)]

    return Contestant(name=f"cxr-infer, {workers} worker{'s' * (workers > 1)}", command=command)


def stock(name: str, engine: str, python: str, model: Path | None, unfit: str = "") -> Contestant:
    """Return the stock loop with `engine`, run by the interpreter `python`."""

    def command(folder: Path, out: Path) -> list[str]:
        line = [python, "-m", "benchmarks.stock", str(folder), "--engine", engine]
        line += ["--out", str(out.with_suffix(".csv"))]
        return [*line, "--model", str(model)] if model else line

    return Contestant(name=name, command=command, unfit=unfit)


def random_fp32(python: str, file: Path) -> str:
    """Write a random fp32 network to `file`; return why that was not possible, or ''."""
    command = [python, "-m", "benchmarks.random_fp32", str(file)]
    return run_timed(command)[1]


def race(
    folder: Path, one: Path, contestants: Sequence[Contestant], *, rounds: int, scratch: Path
) -> list[Result]:
    """Time every contestant on `folder` and on `one` (a single film), in `rounds` turns."""
    films = sum(1 for path in folder.iterdir())
    taken: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    starts: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    unfit = {contestant.name: contestant.unfit for contestant in contestants}
    notes = dict.fromkeys(taken, "")
    numbers = count()
    for _ in range(rounds):
        for contestant in contestants:
            name = contestant.name
            for place, times in ((one, starts), (folder, taken)):
                if unfit[name]:
                    continue
                out = scratch / f"{folder.name}-{next(numbers)}"
                seconds, unfit[name] = run_timed(contestant.command(place, out))
                times[name].append(seconds)
            if not unfit[name]:
                notes[name] = count_missing(out, films)
                print(f"  {name}: {taken[name][-1]:.1f} s", file=sys.stderr, flush=True)
    return [
        Result(name=name, unfit=unfit[name])
        if unfit[name]
        else Result(
            name=name,
            films=films,
            seconds=min(taken[name]),
            start_s=min(starts[name]),
            note=notes[name],
        )
        for name in taken
    ]


def run_timed(command: Sequence[str]) -> tuple[float, str]:
    """Return the seconds a command took, and why its time does not count ('' where it does)."""
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    last = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode == MISSING and last.startswith("missing: "):
        return seconds, f"not measured: {last.removeprefix('missing: ')} missing"
    # 4: the day is done, some film was not screened; `count_missing` says how many.
    if done.returncode not in (0, 4):
        return seconds, f"not measured: exit {done.returncode}, {last}"
    return seconds, ""


def count_missing(out: Path, films: int) -> str:
    """Say how many of `films` have no score in what a contestant wrote; '' where all have one."""
    if out.is_dir():
        with (out / "worklist.csv").open(encoding="utf-8-sig", newline="") as file:
            scored = sum(row["status"] == "screened" for row in csv.DictReader(file))
    else:
        with out.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
            scored = sum(1 for _ in csv.reader(file))
    return f"{films - scored} of {films} films not read" if scored != films else ""
