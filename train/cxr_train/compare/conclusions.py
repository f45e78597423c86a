"""What a comparison says, in sentences made of its tests; what was not tested is not concluded."""

from __future__ import annotations

from collections.abc import Iterator

from cxr_train.compare.comparison import CellResult, Comparison
from cxr_train.compare.effects import FEWEST_SEEDS, Effect
from cxr_train.compare.study import STUDY_F1
from cxr_train.compare.table import find
from cxr_train.data.ages import ADULTS
from cxr_train.figures.metrics import show_interval

LARGEST_P = 0.05
"""After Holm's correction."""


def conclude(comparison: Comparison) -> Iterator[str]:
    """Yield the conclusions, one sentence or two each."""
    yield from _best(comparison)
    for effect in comparison.effects:
        if effect.figure == "macro_f1":
            yield _effect(effect)
    yield from _held_out(comparison)
    yield from _study(comparison)
    yield from _int8(comparison)
    if comparison.ages != ADULTS:
        yield f"TB figures: {comparison.ages}. Unknown is not adult: children make TB look easy."


def _best(comparison: Comparison) -> Iterator[str]:
    best, *others = comparison.results
    measured = find(best.metrics, "val", "macro_f1")
    if measured is None:
        return
    close = [
        result.cell.name
        for result in others
        if (other := find(result.metrics, "val", "macro_f1")) is not None
        and other.high >= measured.low
    ]
    told = f"Highest on val: {best.cell.name}, macro-F1 {show_interval(measured)}."
    if close:
        told += f" Intervals of {', '.join(close)} reach into its own: no order is shown by them."
    yield told


def _effect(effect: Effect) -> str:
    change = effect.difference
    told = f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f})"
    pair = f"From {effect.first} to {effect.second} macro-F1 on val changes by {told}"
    if effect.p_holm is None:
        return (
            f"{pair} over patients; with {effect.seeds_told} the spread between trainings is "
            f"unknown, so nothing is shown: --seeds {FEWEST_SEEDS} tests it."
        )
    if effect.p_holm < LARGEST_P:
        word = "better" if change.value > 0 else "worse"
        return f"{pair}: {word}, p {effect.p_holm:.3f} after Holm's correction."
    return f"{pair}: no difference is shown, p {effect.p_holm:.3f} after Holm's correction."


def _held_out(comparison: Comparison) -> Iterator[str]:
    best = comparison.results[0]
    for split in comparison.splits[1:]:
        measured = find(best.metrics, split, "macro_f1")
        if measured is not None:
            yield f"On {split} the cell that was best on val has {show_interval(measured)}."


def _study(comparison: Comparison) -> Iterator[str]:
    split = comparison.splits[-1]
    for result in comparison.results:
        study = STUDY_F1.get((result.cell.arch, result.cell.augment))
        measured = find(result.metrics, split, "macro_f1")
        if study is None or measured is None:
            continue
        where = "above" if measured.low > study else "below"
        if measured.low <= study <= measured.high:
            where = "not apart from"
        yield (
            f"{result.cell.name}: {show_interval(measured)} on {split} is {where} the study's "
            f"{study:g}, which was measured on other films."
        )


def _int8(comparison: Comparison) -> Iterator[str]:
    without = [result for result in comparison.results if result.not_deployed]
    if not without:
        yield f"All {len(comparison.results)} cells have an INT8 model."
    for reason, results in _by_reason(without).items():
        names = ", ".join(result.cell.name for result in results)
        yield f"No INT8 figures of {names}: {reason}"


def _by_reason(results: list[CellResult]) -> dict[str, list[CellResult]]:
    found: dict[str, list[CellResult]] = {}
    for result in results:
        found.setdefault(result.not_deployed, []).append(result)
    return found
