"""Where each millisecond of a film goes in this program, per kind of file.

    python -m benchmarks.breakdown DAY [--films 4] [--repeats 3] [--full-decode] [--cpu-time]

One film at a time in one process, hashed and read with the same functions that the workers call,
their wall time measured around them (no profiler); `--cpu-time` takes the thread's processor time
instead, which means something on a busy PC too. Every film's best repetition counts. Transport is
pickling a prepared film, sending it through a pipe to another thread and unpickling it (one worker;
several send only scores). The report is written once and shared.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.made_day import describe_day, films_of, syntax_of
from benchmarks.stopwatch import Stopwatch

STAGES = {
    "open, hash": ("films.look:look_at",),
    "header": (
        "films.dicom.file:parse_dicom",
        "films.dicom.gates:check_header",
        "films.dicom.reader:describe_study",
        "films.dicom.pixel_data:open_pixel_data",
        "films.dicom.pixel_data:read_native_frame",
        "films.dicom.pixel_data:read_frame",
        "films.raster.headers:read_raster_header",
    ),
    "decode": (
        "films.dicom.codestream:describe_codestream",
        "films.dicom.codestream:decode_codestream",
        "films.codecs.jpeg:decode_jpeg",
        "films.codecs.opencv:decode_with_opencv",
        "films.codecs.rle:decode_rle",
    ),
    "shrink": ("area_mean:area_sums", "area_mean:area_means"),
    "grey, checks": (
        "films.dicom.pixels:read_pixels",
        "films.dicom.grey:build_grey_table",
        "films.dicom.display:show",
        "films.dicom.reader:read_dicom",
        "films.raster.reader:read_raster",
    ),
    "model input": ("model.preprocess:shrink_grey", "model.preprocess:stretch_grey"),
    "thumbnail": ("flow.screen:prepare_film",),
}
"""Public functions of edge_infer; what one calls beside those named counts as its own."""
AFTER = ("transport", "network", "finding, row")
COLUMNS = (*STAGES, *AFTER)


class Line:
    """One film at a time from path to row, as `screen` does it."""

    def __init__(self, *, full_decode: bool = False, cpu_time: bool = False) -> None:
        from edge_infer.flow import screen

        self.stopwatch = Stopwatch(time.thread_time if cpu_time else time.perf_counter)
        self.stopwatch.install(STAGES, "edge_infer")
        self.classifier = screen.open_model()
        card = self.classifier.card
        self._wanted: dict[str, Any] = {
            "height": card.input.height,
            "width": card.input.width,
            "min_age_years": card.min_age_years,
            "include_patient": False,
            "full_decode": full_decode,
        }
        self._pipe = multiprocessing.Pipe()
        threading.Thread(target=self._echo, daemon=True).start()

    def run(self, path: Path) -> tuple[dict[str, float], Any]:
        """Return seconds per stage and the film's row."""
        from edge_infer.films.look import look_at
        from edge_infer.flow import screen
        from edge_infer.model.findings import to_finding
        from edge_infer.model.preprocess import stretch_grey
        from edge_infer.worklist.rows import screened_row

        read = partial(screen.prepare_film, **self._wanted)
        self.stopwatch.take()
        film = look_at(path, read=read, known=frozenset()).outcome
        spent = self.stopwatch.take()
        clock = self.stopwatch.clock
        times = [clock()]
        self._pipe[0].send_bytes(pickle.dumps(film))
        pickle.loads(self._pipe[0].recv_bytes())
        times.append(clock())
        logits = self.classifier.run(stretch_grey(film.grey)[None, None]).logits[0]
        times.append(clock())
        card = self.classifier.card
        row = screened_row(
            path.name,
            to_finding(logits, card),
            card,
            study=film.study,
            thumbnail=film.thumbnail,
        )
        times.append(clock())
        spent.update(zip(AFTER, np.diff(times).tolist(), strict=True))
        spent["transport"] /= 2  # there and back
        return spent, row

    def _echo(self) -> None:
        while True:
            self._pipe[1].send_bytes(self._pipe[1].recv_bytes())


def measure(
    line: Line, films: Sequence[Path], *, most: int, repeats: int
) -> tuple[dict[str, dict[str, float]], list[Any]]:
    """Return mean milliseconds per syntax and stage, and the rows of the films measured."""
    line.run(films[0])  # imports and first-use costs
    by_syntax: dict[str, list[dict[str, float]]] = defaultdict(list)
    rows = []
    for film in films:
        members = by_syntax[syntax_of(film)]
        if len(members) < most:
            line.run(film)
            runs = [line.run(film) for _ in range(repeats)]
            best, row = min(runs, key=lambda run: sum(run[0].values()))
            members.append(best)
            rows.append(row)
    return {
        name: {
            stage: 1000 * float(np.mean([member.get(stage, 0.0) for member in members]))
            for stage in COLUMNS
        }
        for name, members in by_syntax.items()
    }, rows


def time_report(line: Line, rows: Sequence[Any], count: int) -> float:
    """Return the milliseconds of ordering and writing `count` rows."""
    from edge_infer.flow.write_lists import write_lists
    from edge_infer.worklist.rows import ScreenedDay, in_order

    started = time.perf_counter()
    day = ScreenedDay(
        rows=in_order([rows[i % len(rows)] for i in range(count)]),
        n_files=count,
        ignored=0,
        unreadable_folders=(),
        card=line.classifier.card,
        model_sha256=line.classifier.sha256,
        package_version="benchmark",
        generated_at=datetime.now().astimezone(),
    )
    with tempfile.TemporaryDirectory() as folder:
        write_lists(day, Path(folder))
    return 1000 * (time.perf_counter() - started)


def print_table(table: Mapping[str, Mapping[str, float]], counts: Mapping[str, int]) -> None:
    """Print one row per syntax and one for the day's mix."""
    print(f"| ms a film | {' | '.join(COLUMNS)} | all |\n|{' --- |' * (len(COLUMNS) + 2)}")
    mix = dict.fromkeys(COLUMNS, 0.0)
    for name, stages in table.items():
        _print_row(name, stages)
        for stage in COLUMNS:
            mix[stage] += stages[stage] * counts[name] / sum(counts.values())
    _print_row("the day's mix", mix)


def _print_row(name: str, stages: Mapping[str, float]) -> None:
    cells = [f"{stages[stage]:.1f}" for stage in COLUMNS]
    print(f"| {name} | {' | '.join(cells)} | {sum(stages.values()):.1f} |")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("day", type=Path)
    parser.add_argument("--films", type=int, default=4, help="of each kind of file")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--full-decode", action="store_true", help="the exact path")
    parser.add_argument("--cpu-time", action="store_true", help="processor time, not wall time")
    options = parser.parse_args()
    import cv2

    cv2.setNumThreads(1)
    films = films_of(options.day)
    counts: dict[str, int] = defaultdict(int)
    for film in films:
        counts[syntax_of(film)] += 1
    line = Line(full_decode=options.full_decode, cpu_time=options.cpu_time)
    table, rows = measure(line, films, most=options.films, repeats=options.repeats)
    print(f"{describe_day(options.day)}.\n")
    print_table(table, counts)
    report = time_report(line, rows, len(films))
    print(f"\nReport of {len(films)} rows: {report / len(films):.2f} ms a film.")


if __name__ == "__main__":
    main()
