"""Do time per image and memory stay flat as the folder grows? 100 to 10,000 images.

    python -m benchmarks.growth DAY [--images 100 1000 10000] [--workers 2 4]

DAY comes from `python -m benchmarks.made_day`, with `--height 640 --width 512` for instance: the
images are copies of its films in its mix, each with UIDs of its own (a day screens equal contents
once), and 10,000 of 2500 x 2048 would fill 60 GB. Memory is the peak of the process tree (PSS),
looked at every half second; a look takes 8 ms of one core. Linux only.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants import environment
from benchmarks.day import describe_machine
from benchmarks.made_day import films_of, link_films, syntax_of, take_subset
from benchmarks.memory import WatchedRun, watch

FLAT = 0.1
"""Time per image and memory of the largest folder may exceed the one before by this share."""
_LOOK_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Growth:
    """One run over `images` images."""

    images: int
    run: WatchedRun
    start_s: float
    """What a folder of one image takes, with the same workers."""
    rows: int
    """Of the worklist; as many as images, or something was lost."""

    @property
    def ms_per_image(self) -> float:
        """Start-up taken off: it weighs ten times more on 100 images than on 1,000."""
        return 1000 * (self.run.seconds - self.start_s) / max(self.images - 1, 1)


def screen_links(films: Sequence[Path], images: int, workers: int, scratch: Path) -> Growth:
    """Screen `images` links to `films`, and one image for the start-up."""
    quick = [film for film in films if syntax_of(film) == "uncompressed"] or films
    one = _screen(quick[:1], 1, workers, scratch / f"one-{images}-{workers}")[0]
    run, rows = _screen(films, images, workers, scratch / f"{images}-{workers}")
    return Growth(images=images, run=run, start_s=one.seconds, rows=rows)


def _screen(
    films: Sequence[Path], images: int, workers: int, scratch: Path
) -> tuple[WatchedRun, int]:
    link_films(films, scratch / "in", count=images)
    out = scratch / "out"
    command = [sys.executable, "-m", "edge_infer", str(scratch / "in"), "--quiet"]
    command += ["--out", str(out), "--workers", str(workers)]
    run = watch(command, every_s=_LOOK_S if images > 1 else 0.05, env=environment())
    if run.exit_code not in (0, 4):
        raise SystemExit(f"cxr-infer ended with {run.exit_code}")
    with (out / "worklist.csv").open(encoding="utf-8-sig", newline="") as file:
        return run, sum(1 for _ in csv.DictReader(file))


def judge(runs: Sequence[Growth]) -> str:
    """Compare the largest folder with the one before."""
    if len(runs) < 2:
        return "one size tells nothing of growth"
    before, after = runs[-2:]
    time_growth = after.ms_per_image / before.ms_per_image - 1
    memory_growth = after.run.peak_bytes / before.run.peak_bytes - 1
    words = [
        f"{name} {growth:+.0%} ({'flat' if growth <= FLAT else 'NOT flat'})"
        for name, growth in (("time per image", time_growth), ("memory", memory_growth))
    ]
    return f"{before.images} to {after.images} images: {', '.join(words)}"


def main() -> None:
    """Parse the command line, screen, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("day", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--set", type=int, default=20, help="films copied from")
    options = parser.parse_args()
    films = take_subset(films_of(options.day), options.set)
    print(f"Copies of {len(films)} films. {describe_machine()}\n")
    print("| workers | images | rows | s | ms an image, start-up taken off | peak PSS, MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    verdicts = []
    for workers in options.workers:
        runs = []
        for images in sorted(options.images):
            with tempfile.TemporaryDirectory(dir=options.day) as scratch:
                growth = screen_links(films, images, workers, Path(scratch))
            runs.append(growth)
            print(
                f"| {workers} | {images} | {growth.rows} | {growth.run.seconds:.1f} | "
                f"{growth.ms_per_image:.1f} | {growth.run.peak_bytes / 1e6:.0f} |",
                flush=True,
            )
        verdicts.append(f"{workers} workers, {judge(runs)}.")
    print("\n" + "\n".join(verdicts))


if __name__ == "__main__":
    main()
