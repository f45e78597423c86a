"""A calibration in words: what the terminal and the page say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_infer.calibration.labels import Labelled, Problem
from edge_infer.calibration.listed_films import ListedFilms
from edge_infer.calibration.thresholds import Calibration, ThresholdRow, Yield
from edge_infer.model.model_card import Interval
from edge_infer.model.proportions import INFORMATIVE_MARGIN, positives_needed

UNKNOWN = "-"


def describe_problems(labelled: Labelled) -> list[str]:
    """Return one sentence per kind of row that does not count, naming the lines."""
    return [_describe_problem(problem, lines) for problem, lines in labelled.lines.items()]


def _describe_problem(problem: Problem, lines: Sequence[int]) -> str:
    runs = _in_runs(lines)
    return f"line {runs}: {problem}." if len(lines) == 1 else f"lines {runs}: {problem}."


def describe_films(calibration: Calibration, listed: ListedFilms) -> str:
    """Say what the table counts."""
    films = f"{calibration.n_positive + calibration.n_negative:,}"
    lists = f"{listed.worklists:,}"
    return (
        f"Labelled films: {films}, {calibration.n_positive} with TB and {calibration.n_negative} "
        f"without; worklists: {lists}; {listed.model.name} {listed.model.version}."
    )


def describe_rule(calibration: Calibration) -> list[str]:
    """Say how the table counts and what its figures cannot say."""
    return [
        "Counted as the worklist decides: a film is referred when its TB score reaches the "
        "threshold, or when tuberculosis is its likeliest class, whatever the threshold "
        f"(here {calibration.by_class} of the {calibration.n_positive} films with TB).",
        "In brackets: 95 % intervals, which take every film for another patient: several films of "
        "one patient make them too narrow.",
        "The threshold is chosen and measured on the same films, so the next ones will do a "
        "little worse: check it on later days.",
    ]


def describe_observed(calibration: Calibration) -> str:
    """Return the share of TB among the labelled films, as `41.7 %`; there is at least one film."""
    share = calibration.n_positive / (calibration.n_positive + calibration.n_negative)
    return f"{100 * share:.1f} %"


def describe_choice(calibration: Calibration) -> str:
    """Say which threshold was chosen and why; empty where none could be."""
    row, target = calibration.chosen, percent(calibration.target)
    if row is None or row.sensitivity is None:
        return ""
    return (
        f"Highest threshold that finds at least {target} of the {calibration.n_positive} films "
        f"with TB: {row.threshold:.1f} (finds {row.tp}, {interval(row.sensitivity)} %)."
    )


def describe_obstacles(calibration: Calibration) -> list[str]:
    """Say why there is no site file and what is needed; empty where there may be one."""
    target, needed = percent(calibration.target), positives_needed(calibration.target)
    obstacles = []
    if calibration.missing_positives:
        lowest = percent(calibration.target - INFORMATIVE_MARGIN)
        obstacles.append(
            f"{calibration.missing_positives} more films with TB are needed: a sensitivity of "
            f"{target} takes {needed}, with which its 95 % interval begins at {lowest} or higher; "
            f"there are {calibration.n_positive}."
        )
    if calibration.missing_negatives:
        obstacles.append(
            f"{calibration.missing_negatives} more films without TB are needed: at least {needed} "
            f"show how many would be referred for nothing; there are {calibration.n_negative}."
        )
    if calibration.only_referred_labelled:
        obstacles.append(
            f"None of the {calibration.labelled_passed[1]} films that were not referred has a "
            "label, so nobody knows how many with TB are among them: test some of these patients "
            "too, chosen at random."
        )
    return obstacles


def describe_warnings(calibration: Calibration) -> list[str]:
    """Say what makes the figures doubtful although there may be a site file."""
    warnings = []
    if calibration.is_uneven and not calibration.only_referred_labelled:
        (labelled_r, referred), (labelled_p, passed) = (
            calibration.labelled_referred,
            calibration.labelled_passed,
        )
        warnings.append(
            f"{labelled_p} of {passed} films not referred have a label, but {labelled_r} of "
            f"{referred} referred ones: films with TB that the model overlooked are missing here, "
            "so the true sensitivity is lower than the table says."
        )
    if calibration.is_chance:
        warnings.append(
            "At this threshold films without TB may be referred as often as films with it: the "
            "model does not tell them apart on your films, so do not rely on it."
        )
    return warnings


def table_lines(calibration: Calibration) -> Iterator[str]:
    """Yield the table for a terminal of 80 columns, in three parts, thresholds from high to low."""
    rows = list(reversed(calibration.rows))
    yield "At or"
    yield "above      TP    FP    FN    TN  sensitivity %        specificity %"
    for row in rows:
        yield (
            f"{row.threshold:5.1f}{_mark(row, calibration)}{row.tp:6}{row.fp:6}{row.fn:6}"
            f"{row.tn:6}  {interval(row.sensitivity):19}  {interval(row.specificity):19}"
        ).rstrip()
    share = percent(calibration.prevalence)
    yield from _yields(f"If {share} of the patients have TB:", rows, calibration, expected=True)
    observed = describe_observed(calibration)
    yield from _yields(f"As observed, {observed} with TB:", rows, calibration, expected=False)
    yield "* chosen   = in use when the films were screened"


def interval(estimate: Interval | None, *, scale: int = 100) -> str:
    """Return `95.0 (88.8-97.9)`, or a dash for an unknown."""
    if estimate is None:
        return UNKNOWN
    value, low, high = (scale * part for part in (estimate.value, estimate.low, estimate.high))
    return f"{value:.1f} ({low:.1f}-{high:.1f})"


def percent(share: float) -> str:
    """Return a share that somebody stated as `95 %`, with decimals only where it has some."""
    return f"{100 * share:.6g} %"


def _yields(
    title: str, rows: Sequence[ThresholdRow], calibration: Calibration, *, expected: bool
) -> Iterator[str]:
    yield ""
    yield title
    yield "above   PPV %               NPV %                 referred of 1,000"
    for row in rows:
        gives: Yield = row.expected if expected else row.observed
        yield (
            f"{row.threshold:5.1f}{_mark(row, calibration)} {interval(gives.ppv):18}  "
            f"{interval(gives.npv):20}  {interval(gives.referred, scale=1000)}"
        )


def _mark(row: ThresholdRow, calibration: Calibration) -> str:
    is_chosen = calibration.chosen is not None and row.tenths == calibration.chosen.tenths
    return f"{'*' if is_chosen else ' '}{'=' if row.tenths == calibration.in_use else ' '}"


def _in_runs(lines: Sequence[int]) -> str:
    """Return ascending numbers as `4, 9, 12-40`."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line <= runs[-1][-1] + 1:
            runs[-1][-1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
