"""Harm films at random, screen them, and ask strict readers what we should have seen.

    python -m benchmarks.hostile FOLDER [--mutants 20000] [--film FILM] [--seed 1] [--workers 2]

Every mutant is made from a number and the seed alone, so a run can be stopped and goes on where it
was; FOLDER keeps one line of JSON for each. Half of the mutants of a compressed DICOM are harmed
inside their frame only and wrapped again. Printed: rows, crashes (exit codes, tracebacks), hangs,
the memory of the process tree, and silent wrong scores: a strict reader objects, the film was
screened, and its score is off by more than 1.0.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hostile_films import Seed, harm, harm_frame, make_seeds
from benchmarks.memory import tree_pss
from benchmarks.strict_readers import missing_programs, refuse

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "mutants.jsonl"
_OFF = 1.0
"""Of 100: what counts as another score."""
_BATCH = 250
_BATCH_LIMIT_S = 900.0


def main() -> None:
    """Screen the mutants that FOLDER has no line for, then print what all of them came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--film", type=Path, help="a real film instead of a drawn one")
    parser.add_argument("--height", type=int, default=480)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--file-timeout", type=float, default=30.0, help="seconds; more on a busy machine"
    )
    options = parser.parse_args()
    if missing := missing_programs():
        sys.exit(f"strict readers are missing: {', '.join(missing)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    seeds = make_seeds(options.film, height=options.height)
    scores = _score_seeds(options.folder, seeds, options.workers, options.file_timeout)
    results = options.folder / RESULTS
    done = len(results.read_text().splitlines()) if results.exists() else 0
    while done < options.mutants:
        numbers = range(done, min(done + _BATCH, options.mutants))
        lines = _run_batch(
            options.folder,
            seeds,
            scores,
            numbers,
            options.seed,
            options.workers,
            options.file_timeout,
        )
        with results.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        done += len(lines)
    report([json.loads(line) for line in results.read_text().splitlines()])


def report(lines: list[dict[str, Any]]) -> None:
    """Print the counts, then every silent wrong score by its number."""
    wrong = [line for line in lines if is_wrong(line)]
    refused = sum(bool(line["strict"]) for line in lines)
    print(f"{len(lines)} mutants, {sum(line['rows'] for line in lines)} rows")
    for name in ("exit_code", "traceback", "crashed", "timed_out"):
        bad = [line["number"] for line in lines if line[name] not in (0, 4, False)]
        print(f"{name}: {len(bad)} {bad[:10]}")
    print(f"process tree at most {max(line['peak_mb'] for line in lines)} MB")
    print(f"a strict reader objects to {refused}; screened and off by > {_OFF}: {len(wrong)}")
    kinds = Counter(line["kind"] for line in lines)
    print("kind, mutants, strict reader objects, we refuse, both, silent wrong scores")
    for kind, count in sorted(kinds.items()):
        own = [line for line in lines if line["kind"] == kind]
        strict = [line for line in own if line["strict"]]
        ours = [line for line in own if line["status"] != "screened"]
        both = [line for line in strict if line["status"] != "screened"]
        bad = sum(is_wrong(line) for line in own)
        print(f"{kind}, {count}, {len(strict)}, {len(ours)}, {len(both)}, {bad}")
    for line in wrong:
        said = f"{line['score']} instead of {line['seed_score']}; {line['strict']}"
        print(f"  {line['number']} {line['kind']} {line['harm']}: {said}")


def is_wrong(line: dict[str, Any]) -> bool:
    """Say whether a strict reader objects to a film that we gave another score."""
    is_off = line["score"] is not None and abs(line["score"] - line["seed_score"]) > _OFF
    return bool(line["strict"]) and line["status"] == "screened" and is_off


def make_mutant(seeds: list[Seed], number: int, seed: int) -> tuple[Seed, str, bytes]:
    """Return the seed that mutant `number` was made of, what was done to it, and its bytes."""
    rng = np.random.default_rng([seed, number])
    sound = seeds[number % len(seeds)]
    inside = sound.suffix == ".dcm" and bool(rng.integers(2))
    done, content = (harm_frame if inside else harm)(sound.content, rng)
    return sound, done, content


def _score_seeds(
    folder: Path, seeds: list[Seed], workers: int, timeout_s: float
) -> dict[str, float]:
    films = folder / "seeds"
    shutil.rmtree(films, ignore_errors=True)
    films.mkdir()
    for seed in seeds:
        (films / f"{seed.name}{seed.suffix}").write_bytes(seed.content)
    rows = _screen(films, folder / "seeds-out", workers, timeout_s)["rows"]
    lost = [name for name, row in rows.items() if row["status"] != "screened"]
    assert not lost, f"seeds that were not screened: {lost}"
    objections = {
        seed.name: refuse(films / f"{seed.name}{seed.suffix}", seed.name) for seed in seeds
    }
    assert not any(objections.values()), objections
    return {Path(name).stem: float(row["tb_score"]) for name, row in rows.items()}


def _run_batch(
    folder: Path,
    seeds: list[Seed],
    scores: dict[str, float],
    numbers: range,
    seed: int,
    workers: int,
    timeout_s: float,
) -> list[dict[str, Any]]:
    films = folder / "films"
    shutil.rmtree(films, ignore_errors=True)
    films.mkdir()
    made = {}
    for number in numbers:
        sound, done, content = make_mutant(seeds, number, seed)
        path = films / f"{number:06}{sound.suffix}"
        path.write_bytes(content)
        made[path.name] = (sound, done, path)
    run = _screen(films, folder / "films-out", workers, timeout_s)
    with ThreadPoolExecutor(workers) as pool:
        said = list(pool.map(lambda one: refuse(one[2], one[0].name), made.values()))
    lines = []
    for (name, (sound, done, _)), strict in zip(made.items(), said, strict=True):
        row = run["rows"].get(name, {"status": "", "reason_code": "", "tb_score": ""})
        lines.append(
            {
                "number": int(Path(name).stem),
                "kind": sound.name,
                "harm": done,
                "rows": int(name in run["rows"]),
                "status": row["status"],
                "reason_code": row["reason_code"],
                "score": float(row["tb_score"]) if row["tb_score"] else None,
                "seed_score": scores[sound.name],
                "strict": strict,
                "exit_code": run["exit_code"],
                "traceback": run["traceback"],
                "crashed": row["reason_code"] == "decoder_crashed",
                "timed_out": run["timed_out"] or row["reason_code"] == "decoder_timeout",
                "peak_mb": run["peak_mb"],
            }
        )
    return lines


def _screen(films: Path, out: Path, workers: int, timeout_s: float) -> dict[str, Any]:
    shutil.rmtree(out, ignore_errors=True)
    command = [sys.executable, "-m", "edge_infer", str(films), "--out", str(out), "--quiet"]
    running = subprocess.Popen(
        [*command, "--workers", str(workers), "--file-timeout", str(timeout_s)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    peak, deadline, said = 0, time.monotonic() + _BATCH_LIMIT_S, ""
    while True:
        peak = max(peak, tree_pss(running.pid))
        try:
            said = running.communicate(timeout=0.5)[1]
            break
        except subprocess.TimeoutExpired:
            if time.monotonic() > deadline:
                running.kill()
    listed = out / "worklist.csv"
    with listed.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    by_path = {row["path"]: row for row in rows}
    assert len(by_path) == len(rows), "a row came twice"
    return {
        "rows": by_path,
        "exit_code": running.returncode,
        "traceback": "Traceback" in said,
        "timed_out": time.monotonic() > deadline,
        "peak_mb": peak >> 20,
    }


if __name__ == "__main__":
    main()
