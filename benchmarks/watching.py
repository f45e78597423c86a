"""Watch a folder with the real command and tell how long after its arrival each film is listed.

    python -m benchmarks.watching WORK_FOLDER [--films 20] [--at-once 500] [--model FILE]

First films come one by one, each put there whole by a rename, and then as many at once. The time
is from the rename until `worklist.csv` has the film as screened.
"""

from __future__ import annotations

import argparse
import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.kills import ROOT, make_films


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--films", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=500)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    source, films, out = (options.folder / name for name in ("source", "films", "out"))
    make_films(source, options.films + options.at_once, are_whole=True)
    films.mkdir()
    made = sorted(path for path in source.rglob("*.png"))
    model = ["--model", str(options.model)] if options.model else []
    command = [sys.executable, "-m", "edge_infer", str(films), "--out", str(out), "--watch"]
    with subprocess.Popen([*command, "--quiet", *model], cwd=ROOT) as process:
        try:
            wait_until(lambda: (out / "day.sqlite").exists(), 120)
            time.sleep(5)
            took = []
            for number, path in enumerate(made[: options.films]):
                path.rename(films / f"{number}.png")
                took.append(wait_until(lambda n=number: f"{n}.png" in listed(out), 120))  # type: ignore[misc]
            took.sort()
            print(f"one by one, {len(took)} films: median {took[len(took) // 2]:.1f} s, ", end="")
            print(f"longest {took[-1]:.1f} s after arriving")
            for number, path in enumerate(made[options.films :]):
                path.rename(films / f"together {number}.png")
            total = options.films + options.at_once
            lasted = wait_until(lambda: len(listed(out)) == total, 900)
            print(f"{options.at_once} at once: all listed after {lasted:.1f} s")
        finally:
            process.send_signal(signal.SIGINT)
    print(f"exit code after Control-C: {process.returncode}")


def listed(out: Path) -> set[str]:
    """Return the paths with a final row."""
    place = out / "worklist.csv"
    if not place.exists():
        return set()
    with place.open(encoding="utf-8-sig", newline="") as file:
        return {row["path"] for row in csv.DictReader(file) if row["reason_code"] != "arriving"}


def wait_until(holds: Callable[[], bool], limit_s: float) -> float:
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > limit_s:
            raise TimeoutError(f"not within {limit_s:g} s")
        time.sleep(0.05)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
