"""A day's films per second: this program, the stock loops and the floor, in one run.

    python -m benchmarks.day DAY [--rounds 2] [--subset N] [--per-syntax]
        [--python-peers EXE] [--python-torch EXE] [--fp32 FILE]

DAY comes from `python -m benchmarks.made_day`. Every contestant is a whole process, timed from
outside and in turns over the same files, best round counted; start-up is included, and what a
folder of one film takes is told apart. The peers keep their libraries' default threads, so measure
on an idle machine: under load the OpenMP-based ones collapse. `--per-syntax` prints the same per
transfer syntax as a Markdown table, over equal numbers of films (links to the day's) each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import (
    ROOT,
    STOCK_INT8,
    STOCK_TORCH,
    Result,
    environment,
    ours,
    race,
    random_fp32,
    stock,
)
from benchmarks.made_day import describe_day, films_of, link_films, syntax_of, take_subset


def main() -> None:
    """Parse the command line, race, print."""
    options = parse_options()
    films = films_of(options.day)
    chosen = take_subset(films, options.subset) if options.subset else films
    print(f"{describe_day(options.day)}.")
    print(f"Raced over {len(chosen)} of them. {describe_machine()}\n", flush=True)
    with tempfile.TemporaryDirectory(dir=options.day) as place:
        scratch = Path(place)  # beside the films, where hard links to them are possible
        (scratch / "out").mkdir()
        if options.per_syntax:
            race_per_syntax(chosen, options, scratch)
        else:
            race_day(chosen, options, scratch)
    print(f"\nLoad average after the run: {describe_load()}.")


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("day", type=Path)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--subset", type=int, help="this many films of the day, in its mix")
    parser.add_argument("--per-syntax", action="store_true")
    parser.add_argument("--syntax-films", type=int, default=100, help="with --per-syntax")
    parser.add_argument("--python-peers", default=sys.executable, help="default: this Python")
    parser.add_argument("--python-torch", help="default: that of --python-peers")
    parser.add_argument("--fp32", type=Path, help="fp32 ONNX; default: random weights")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="of the floor")
    options = parser.parse_args()
    options.python_torch = options.python_torch or options.python_peers
    # Contestants run in this clone's folder, whatever the current one is.
    options.day, options.fp32 = options.day.resolve(), options.fp32 and options.fp32.resolve()
    return options


def describe_machine() -> str:
    """Say on what, and beside what, the race is run."""
    return (
        f"{os.cpu_count()} logical cores, {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}; load average before the run: {describe_load()}."
    )


def describe_load() -> str:
    """Return the load of 1, 5 and 15 minutes where the system tells it."""
    if not hasattr(os, "getloadavg"):
        return "unknown here"
    return ", ".join(f"{number:.2f}" for number in os.getloadavg())


def race_day(films: Sequence[Path], options: argparse.Namespace, scratch: Path) -> None:
    """Race everybody over the day and print times and ratios."""
    peers, torch = options.python_peers, options.python_torch
    fp32, unfit = options.fp32, ""
    if fp32 is None:
        fp32 = scratch / "fp32.onnx"
        unfit = random_fp32(torch, fp32)
    contestants = [
        ours(1),
        ours(2),
        stock(STOCK_INT8, "int8", peers, None),
        stock("stock, ONNX Runtime fp32", "fp32", peers, fp32, unfit),
        stock(STOCK_TORCH, "torch", torch, None),
        stock("stock, OpenVINO INT8", "openvino", peers, None),
    ]
    day, one = scratch / "day", scratch / "one"
    link_films(films, day)
    link_films([film for film in films if syntax_of(film) == "uncompressed"][:1] or films[:1], one)
    results = race(day, one, contestants, rounds=options.rounds, scratch=scratch / "out")
    floor = measure_floor(day, options)
    print_day(results, floor)
    whose = "torch network has" if options.fp32 else "fp32 networks have"
    print(f"The {whose} random weights; speed does not depend on them.")


def print_day(results: Sequence[Result], floor: dict[str, Any] | str) -> None:
    """Print one row per contestant, then the floor; in brackets with start-up taken off."""
    rates = {result.name: result.films_per_s for result in results if not result.unfit}
    floor_rate = floor["films_per_s"] if isinstance(floor, dict) else None
    print("| loop | films/s | x stock INT8 | x stock torch | of the floor | s | start-up s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for result in results:
        if result.unfit:
            print(f"| {result.name} | {result.unfit} | | | | | |")
            continue
        cells = [_rate(result)]
        for name in (STOCK_INT8, STOCK_TORCH):
            cells.append(f"{result.films_per_s / rates[name]:.2f}" if name in rates else "")
        near = [
            f"{rate / floor_rate:.2f}" for rate in (result.films_per_s, result.steady) if floor_rate
        ]
        cells += [f"{near[0]} ({near[1]})" if near else "", f"{result.seconds:.1f}"]
        cells += [f"{result.start_s:.2f} |" + (result.note and f" {result.note}")]
        print(f"| {result.name} | {' | '.join(cells)}")
    if isinstance(floor, str):
        print(f"| floor | {floor} | | | | | |")
        return
    print(f"| floor | {floor_rate:.1f} | | | 1 | | |\n")
    print("In brackets: start-up (what a folder of one film takes) taken off.")
    print(
        f"The floor is {floor['film_ms']:.1f} ms a film, {floor['network_ms']:.1f} ms of them the "
        f"network, over {floor['cores']} cores;\nwith one process per core at once it is "
        f"{floor['together']:.1f} films/s."
    )


def race_per_syntax(films: Sequence[Path], options: argparse.Namespace, scratch: Path) -> None:
    """Race ours and the stock INT8 loop over each syntax by itself; print a Markdown table."""
    contestants = [ours(1), ours(2), stock(STOCK_INT8, "int8", options.python_peers, None)]
    print(f"{options.syntax_films} films each, whole processes, start-up included (in brackets:")
    print("what start-up adds taken off).\n")
    print(
        "| kind of file | stock INT8, films/s | 1 worker | times stock | 2 workers | times stock |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name in sorted({syntax_of(film) for film in films}):
        members = [film for film in films if syntax_of(film) == name]
        folder, one = scratch / name, scratch / f"{name}-one"
        link_films(members, folder, count=options.syntax_films)
        link_films(members[:1], one)
        results = race(folder, one, contestants, rounds=options.rounds, scratch=scratch / "out")
        print(_syntax_row(name, results), flush=True)


def _syntax_row(name: str, results: Sequence[Result]) -> str:
    first, second, reference = results
    cells = [_rate(reference)]
    for result in (first, second):
        cells.append(_rate(result))
        cells.append(
            ""
            if result.unfit or reference.unfit
            else f"{result.films_per_s / reference.films_per_s:.1f} "
            f"({result.steady / reference.steady:.1f})"
        )
    notes = {result.note for result in results if result.note}
    return f"| {name} | {' | '.join(cells)} |" + "".join(f" {note}" for note in sorted(notes))


def _rate(result: Result) -> str:
    return result.unfit or f"{result.films_per_s:.1f} ({result.steady:.1f})"


def measure_floor(folder: Path, options: argparse.Namespace) -> dict[str, Any] | str:
    """Run `floor` in the peers' Python; return what it found, or why it could not."""
    command = [options.python_peers, "-m", "benchmarks.floor", str(folder), "--json"]
    command += ["--cores", str(options.cores), "--together"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        return f"not measured: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
