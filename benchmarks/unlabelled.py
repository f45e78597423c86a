"""Could a clinic's first unlabelled films re-centre the TB threshold? Tried on hospitals not seen.

    python -m benchmarks.unlabelled make RUN DATA --judged Sakha-TB --out scores.csv
    python -m benchmarks.unlabelled try SCORES.csv ... [--draws 200]

`make` asks a run folder or an .onnx that was trained without the judged sources, and writes a line
a film: `role` (reference: validation films the model knows; judged: films of a hospital it does
not), `hospital`, `label` (1 TB, 0 normal), `z` (log odds of the TB score), `by_class` (referred for
its likeliest class at any threshold), `threshold` (the shipped one, in z).

The rule, written before it was tried: of the n films of the first days take the quantile at 0.2 of
z, where normal films are in any clinic; compare it with the same quantile of the reference's normal
films, every source counting alike; move the threshold by that difference times n / (n + 100), by
no more than 1.5 either way (a factor of 4.5 in odds). `try` draws days of 100 and 300 films with 5,
20 and 50 % of TB, and prints sensitivity and specificity before and after, as the worklist counts.

It is worth shipping only if, over all hospitals, day sizes and shares, the worst shortfall from
what was promised (the target's 95 %, and the specificity on the reference) becomes smaller, and no
day's mean sensitivity falls by more than 0.02 below the smaller of promise and before.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_train.data.manifest import Example, read_data, select
from cxr_train.evaluate.scoring import Model, load_films, open_model
from cxr_train.figures.operating_point import TARGET_SENSITIVITY, may_be_adult
from edge_infer.model.findings import referral_values
from edge_infer.model.model_card import CLASSES, Referral, ScoreRule

QUANTILE, SHRINK, MOST = 0.2, 100, 1.5
DAYS = (100, 300)
SHARES = (0.05, 0.2, 0.5)
LARGEST_LOSS = 0.02
COLUMNS = ("role", "hospital", "label", "z", "by_class", "threshold")
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")
_PROBABILITY = Referral(statement="", head=0.0, tuberculosis=1.0, abnormal=0.0, offset=0.0)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Films of one file: [N] each."""

    role: NDArray[np.str_]
    hospital: NDArray[np.str_]
    label: NDArray[np.int64]
    z: NDArray[np.float64]
    by_class: NDArray[np.bool_]
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Hospital:
    """The judged films of one hospital, and what the model promised."""

    name: str
    z: NDArray[np.float64]
    is_tb: NDArray[np.bool_]
    by_class: NDArray[np.bool_]
    threshold: float
    reference: float
    """The quantile of the reference's normal films."""
    specificity: float
    """On the reference's normal films, at the shipped threshold."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """Mean sensitivity and specificity over days of one kind, and the sensitivity of bad days."""

    hospital: str
    films: int
    share: float
    before: tuple[float, float]
    after: tuple[float, float]
    bad_day: float
    """Sensitivity after, that 5 % of the days stay below."""
    shift: float
    promised: tuple[float, float]

    def shortfall(self, got: tuple[float, float]) -> float:
        """How far the worse of both lies below what was promised, 0 where neither does."""
        return max(0.0, *(want - have for want, have in zip(self.promised, got, strict=True)))


def shift_of(z: NDArray[np.float64], reference: float) -> float:
    """Return how far the rule moves the threshold for unlabelled films with these z [n]."""
    moved = float(np.quantile(z, QUANTILE)) - reference
    return float(np.clip(moved * len(z) / (len(z) + SHRINK), -MOST, MOST))


def reference_quantile(z: NDArray[np.float64], sources: NDArray[np.str_]) -> float:
    """Return the QUANTILE of z [N] with every source counting alike."""
    _, which, counts = np.unique(sources, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[which]
    order = np.argsort(z, kind="stable")
    reached = np.cumsum(weights[order]) >= QUANTILE * weights.sum()
    return float(z[order][int(reached.argmax())])


def try_days(hospital: Hospital, *, draws: int, seed: int = 0) -> Iterator[Tried]:
    """Draw days of each size and share of TB, and measure the rule on all films of the hospital."""
    random = np.random.default_rng(seed)
    tb, normal = (np.flatnonzero(hospital.is_tb == kind) for kind in (True, False))
    for films in DAYS:
        for share in SHARES:
            n_tb = round(films * share)
            shifts = []
            for _ in range(draws):
                day = [
                    random.choice(group, n, replace=n > len(group))
                    for group, n in ((tb, n_tb), (normal, films - n_tb))
                ]
                shifts.append(shift_of(hospital.z[np.concatenate(day)], hospital.reference))
            figures = np.array([_figures(hospital, shift) for shift in shifts])
            after = figures.mean(axis=0)
            yield Tried(
                hospital=hospital.name,
                films=films,
                share=share,
                before=_figures(hospital, 0.0),
                after=(float(after[0]), float(after[1])),
                bad_day=float(np.quantile(figures[:, 0], 0.05)),
                shift=float(np.mean(shifts)),
                promised=(TARGET_SENSITIVITY, hospital.specificity),
            )


def is_worth_shipping(tried: Sequence[Tried]) -> bool:
    """Apply the rule in the heading."""
    before = max(one.shortfall(one.before) for one in tried)
    after = max(one.shortfall(one.after) for one in tried)
    loses = any(one.after[0] < min(one.promised[0], one.before[0]) - LARGEST_LOSS for one in tried)
    return after < before and not loses


def _figures(hospital: Hospital, shift: float) -> tuple[float, float]:
    called = (hospital.z >= hospital.threshold + shift) | hospital.by_class
    return float(called[hospital.is_tb].mean()), float((~called[~hospital.is_tb]).mean())


def hospitals_of(scores: Scores) -> Iterator[Hospital]:
    """Yield each judged hospital of a file."""
    known = (scores.role == "reference") & (scores.label == 0)
    reference = reference_quantile(scores.z[known], scores.hospital[known])
    called = (scores.z >= scores.threshold) | scores.by_class
    for name in sorted(set(scores.hospital[scores.role == "judged"])):
        own = (scores.role == "judged") & (scores.hospital == name)
        yield Hospital(
            name=str(name),
            z=scores.z[own],
            is_tb=scores.label[own] == 1,
            by_class=scores.by_class[own],
            threshold=scores.threshold,
            reference=reference,
            specificity=float((~called[known]).mean()),
        )


def read_scores(file: Path) -> Scores:
    """Read a file that `make` wrote."""
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    return Scores(
        role=np.array([row["role"] for row in rows]),
        hospital=np.array([row["hospital"] for row in rows]),
        label=np.array([int(row["label"]) for row in rows]),
        z=np.array([float(row["z"]) for row in rows]),
        by_class=np.array([row["by_class"] == "1" for row in rows]),
        threshold=float(rows[0]["threshold"]),
    )


def make_rows(
    model: Model, examples: Sequence[Example], judged: Sequence[str], cache: Path | None
) -> Iterator[tuple[object, ...]]:
    """Yield a line of COLUMNS for each adult film of TB or normal that has a role."""
    known = [e for e in select(examples, "val") if e.source not in judged]
    unseen = [e for e in examples if e.source in judged and e.split in ("train", "val")]
    if model.tb_threshold is None:
        raise SystemExit("The model has no TB threshold.")
    share = min(max(model.tb_threshold / 1000, 0.0005), 0.9995)
    for role, films in (("reference", known), ("judged", unseen)):
        kept = [e for e in films if may_be_adult([e])[0] and e.label in (_NORMAL, _TB)]
        loaded = load_films(kept, model.side, what=role, cache=cache)
        scored = model.score(loaded.pixels)
        z = values_of(scored.logits, model.rule)
        by_class = scored.predictions == _TB
        for example, value, is_class in zip(loaded.examples, z, by_class, strict=True):
            label = int(example.label == _TB)
            threshold = f"{np.log(share / (1 - share)):.6f}"
            yield role, example.source, label, f"{value:.6f}", int(is_class), threshold


def values_of(logits: NDArray[np.float32], rule: ScoreRule) -> NDArray[np.float64]:
    """Return the log odds [N] of the TB score before it is rounded to tenths."""
    return referral_values(logits, rule.temperature, rule.referral or _PROBABILITY)


def describe(tried: Sequence[Tried]) -> Iterator[str]:
    """Yield the table and the verdict."""
    yield (
        "| hospital | films | TB | sensitivity before, after (bad day) | specificity before, after "
        "| shift in z | promised |"
    )
    yield "|" + " --- |" * 7
    for one in tried:
        yield (
            f"| {one.hospital} | {one.films} | {one.share:.0%} | {one.before[0]:.2f}, "
            f"{one.after[0]:.2f} ({one.bad_day:.2f}) | {one.before[1]:.2f}, {one.after[1]:.2f} | "
            f"{one.shift:+.2f} | {one.promised[0]:.2f}, {one.promised[1]:.2f} |"
        )
    before = max(one.shortfall(one.before) for one in tried)
    after = max(one.shortfall(one.after) for one in tried)
    verdict = "worth shipping" if is_worth_shipping(tried) else "NOT worth shipping"
    yield f"worst shortfall {before:.2f} before, {after:.2f} after: {verdict}"


def main() -> None:
    """Parse the command line; make scores, or try the rule on them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("make")
    make.add_argument("run", type=Path)
    make.add_argument("data", type=Path)
    make.add_argument("--judged", action="append", required=True)
    make.add_argument(
        "--neither", action="append", default=[], help="source the model does not know, not judged"
    )
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--cache", type=Path)
    attempt = commands.add_parser("try")
    attempt.add_argument("scores", type=Path, nargs="+")
    attempt.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    if options.command == "make":
        model = open_model(options.run, cache=options.cache)
        examples = [e for e in read_data(options.data) if e.source not in options.neither]
        rows = make_rows(model, examples, options.judged, options.cache)
        with options.out.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        return
    hospitals = [one for file in options.scores for one in hospitals_of(read_scores(file))]
    tried = [one for each in hospitals for one in try_days(each, draws=options.draws)]
    for line in describe(tried):
        print(line)


if __name__ == "__main__":
    main()
