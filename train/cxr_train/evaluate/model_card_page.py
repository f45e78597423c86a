"""`cxr-train card`: MODEL_CARD.md, from the card inside an .onnx and an evaluation of that file.

Nothing is written here that is not in one of the two: same facts, for reading.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cxr_train.data.sources import SAME_HOSPITAL, SOURCES, describe_pair
from cxr_train.errors import DataError
from cxr_train.evaluate.text import show_interval
from cxr_train.figures.measures import AGAINST_NORMAL, ALL, POPULATIONS
from edge_infer.errors import ReportError
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import Interval, Metric, ModelCard, OperatingPoint

_POPULATIONS = (ALL, *POPULATIONS)
_FAILING_ACCURACY = 0.8
_SEEN = {
    "site": "never seen",
    "test": "other patients of a hospital it learned from",
}
"""What a split's name says of its hospitals."""
_Plain = dict[str, Any]


def write_model_card(
    model: Path, evaluation: Path, out: Path, left_out: Sequence[Path] = ()
) -> None:
    """Write `out` (Markdown) for the .onnx at `model` and its evaluation.json.

    `left_out` are files of `cxr-train leave-out`: trainings by the model's recipe without a
    hospital, and what they do there. Raises ModelError for an unusable model, DataError when the
    evaluation is of another file or a file is none, and ReportError when `out` cannot be written.
    """
    classifier = Classifier.load(model)
    measured = read_evaluation(evaluation, sha256=classifier.sha256)
    folds = [fold for file in left_out for fold in read_folds(file)]
    text = "\n".join(render_model_card(classifier.card, classifier.sha256, measured, folds)) + "\n"
    try:
        part = out.with_name(out.name + ".part")
        part.write_text(text, encoding="utf-8")
        part.replace(out)
    except OSError as error:
        raise ReportError(f"{out} cannot be written: {error.strerror}.") from error


def read_evaluation(file: Path, *, sha256: str) -> _Plain:
    """Read an evaluation.json made of the model with this hash, else DataError."""
    try:
        plain: _Plain = json.loads(file.read_text(encoding="utf-8"))
        made_of = plain["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is no evaluation: make one with `cxr-train evaluate MODEL DATA --out DIR`."
        ) from error
    if made_of != sha256:
        raise DataError(
            f"{file} was measured on another model file: repeat `cxr-train evaluate` on this one."
        )
    return plain


def read_folds(file: Path) -> list[_Plain]:
    """Read the folds of a leave-out.json, else DataError."""
    try:
        folds: list[_Plain] = json.loads(file.read_text(encoding="utf-8"))["folds"]
        for fold in folds:
            [_metric(plain) for plain in fold["metrics"]]
            ", ".join(fold["sources"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} holds no left-out folds: make them with `cxr-train leave-out`."
        ) from error
    return folds


def render_model_card(
    card: ModelCard, sha256: str, measured: _Plain, folds: Sequence[_Plain] = ()
) -> Iterator[str]:
    """Yield the lines of the page."""
    yield f"# Model card: {card.name} {card.version}"
    yield ""
    yield f"> {card.intended_use}"
    yield ""
    yield (
        f"Made from the card inside the .onnx (SHA-256 `{sha256}`) and its evaluation of "
        f"{measured['made']} by `cxr-train card`; not edited by hand. Figures are estimates with "
        "95 % intervals: Wilson's for proportions, over resampled patients for the rest."
    )
    yield from _intended_use(card)
    yield from _hospitals(measured["splits"], folds)
    yield from _training(card)
    yield from _thresholds(card)
    for split in measured["splits"]:
        yield from _split(split)
    yield from _goals(measured["judged"])
    yield from _failures(measured)
    yield from _validation(card)
    yield from _file(card)


def _intended_use(card: ModelCard) -> Iterator[str]:
    yield from ("", "## Intended use", "")
    yield f"- Frontal chest films ({', '.join(card.views)}; modality {', '.join(card.modalities)})."
    yield (
        f"- People of {card.min_age_years} years and older: films known to be of younger people "
        "are not screened."
    )
    yield "- To sort a day's films for a second test. Not to diagnose, not to rule a disease out."


def _hospitals(splits: Sequence[_Plain], folds: Sequence[_Plain]) -> Iterator[str]:
    """Say what the shipped threshold does in one hospital at a time, those never seen first."""
    rows = []
    for split in splits:
        metrics = [_metric(plain) for plain in split["metrics"]]
        for source in sorted({metric.source for metric in metrics} - {ALL, *POPULATIONS}):
            if describe_pair(source) == SAME_HOSPITAL:
                seen = _SEEN.get(split["split"], f"split `{split['split']}`")
                rows.append(_hospital(source, seen, source, metrics))
    for fold in folds:
        metrics = [_metric(plain) for plain in fold["metrics"]]
        name = ", ".join(fold["sources"])
        rows.append(_hospital(name, "left out of a training like this", AGAINST_NORMAL, metrics))
    rows = [row for row in rows if row]
    if not rows:
        return
    yield from ("", "## Inside one hospital, at the shipped TB threshold", "")
    yield "TB against normal films of the same hospital, counted as the worklist decides."
    yield from ("", "| hospital | | sensitivity | specificity | TB, normal films | AUROC |")
    yield "|" + " --- |" * 6
    yield from rows


def _hospital(name: str, seen: str, source: str, metrics: Sequence[Metric]) -> str:
    """Return a hospital's row, or nothing where it lacks TB or normal films."""
    found = {metric.name: metric for metric in metrics if metric.source == source}
    if not {"sensitivity", "specificity"} <= set(found):
        return ""
    sensitivity, specificity = found["sensitivity"], found["specificity"]
    area = [
        show_interval(metric.estimate)
        for metric in metrics
        if metric.source == source
        and metric.name in ("pair_auroc", "auroc")
        and metric.class_name == sensitivity.class_name
    ]
    return (
        f"| {name} | {seen} | {show_interval(sensitivity.estimate)} | "
        f"{show_interval(specificity.estimate)} | {sensitivity.n}, {specificity.n} | "
        f"{''.join(area[:1])} |"
    )


def _training(card: ModelCard) -> Iterator[str]:
    yield from ("", "## Training data", "", card.data_statement, "")
    yield (
        "Splits are kept apart by the data's own groups (patients, as far as their ids are known); "
        "`cxr-train audit` lists what those groups miss. Temperature and thresholds come from the "
        "validation split alone."
    )
    yield from ("", "| source | what it is | licence |", "| --- | --- | --- |")
    for name, facts in sorted(SOURCES.items()):
        if _is_named(name, card.data_statement):
            yield f"| {name} | {facts.origin} | {facts.licence} |"


def _is_named(source: str, statement: str) -> bool:
    """Whether a list `a, b, c` in the statement has this very entry."""
    ends = (",", " (fingerprint", ". ")
    return any(f"{start}{source}{end}" in statement for start in ("from ", ", ") for end in ends)


def _thresholds(card: ModelCard) -> Iterator[str]:
    yield from ("", "## Thresholds", "", f"Temperature {card.temperature}.", "")
    yield "| decision | taken at | sensitivity | specificity | films with, without, groups |"
    yield "| --- | --- | --- | --- | --- |"
    points = card.operating_points
    for name, score, point in (
        ("refer_tb", "TB score", points.refer_tb),
        ("abnormal", "abnormal score", points.abnormal),
    ):
        yield _threshold(name, score, point)
    if card.referral is not None:
        yield from ("", f"The TB score: {card.referral.statement}")
    yield ""
    for point in (points.refer_tb, points.abnormal):
        aim = f"{point.target_sensitivity:.0%}"
        yield f"- Chosen on {point.population}, for a sensitivity of {aim}."
    for hospital in points.refer_tb.hospitals:
        yield (
            f"- Validation films of {hospital.source} alone: sensitivity "
            f"{show_interval(hospital.sensitivity)} of {hospital.n_positive}, specificity "
            f"{show_interval(hospital.specificity)} of {hospital.n_negative}; {aim} there takes "
            f"{hospital.own_threshold:.1f} or less."
        )
    band = card.uncertain
    if band is None:
        yield "- No film is called `uncertain`: the validation films were too few for a promise."
        return
    yield (
        f"- `uncertain`: {band.method}, {1 - band.alpha:.0%} per class, on {band.population} "
        f"(fingerprint `{band.fingerprint[:16]}`)."
    )
    yield from ("", "| class | in a film's set from | films, groups | coverage promised |")
    yield "| --- | --- | --- | --- |"
    for one in band.classes:
        yield (
            f"| {one.class_name} | {one.threshold_units / 10_000:.4f} | {one.n}, {one.groups} | "
            f"{show_interval(one.coverage)} |"
        )


def _threshold(name: str, score: str, point: OperatingPoint) -> str:
    return (
        f"| `{name}` | {score} {point.threshold:.1f} | {show_interval(point.sensitivity)} | "
        f"{show_interval(point.specificity)} | {point.n_positive}, {point.n_negative}, "
        f"{point.n_groups} |"
    )


def _split(split: _Plain) -> Iterator[str]:
    yield from ("", f"## Split `{split['split']}`", "")
    yield f"{split['films']} films, {split['refused']} of them refused."
    metrics = [_metric(plain) for plain in split["metrics"]]
    for kind in sorted({metric.input_type for metric in metrics}):
        own = [metric for metric in metrics if metric.input_type == kind]
        yield from _figures(own, kind)
        yield from _sources(own)
    yield from _views(split, metrics)
    if split["coverage"]:
        yield from ("", "Conformal sets, adults' films:", "")
        yield from ("| class | covered | films, groups | expected | |", "|" + " --- |" * 5)
        for row in split["coverage"]:
            covered, expected = Interval(**row["covered"]), Interval(**row["expected"])
            inside = expected.low <= covered.value <= expected.high
            yield (
                f"| {row['population']} | {show_interval(covered)} | {row['n']}, {row['groups']} | "
                f"{expected.low:.3f} to {expected.high:.3f} | "
                f"{'as promised' if inside else '**outside**'} |"
            )
        yield ""
        yield f"Films whose set is not exactly one class: {split['undecided']:.3f}."


def _figures(metrics: Sequence[Metric], kind: str) -> Iterator[str]:
    yield from ("", f"| {kind} files | figure | films, groups |", "| --- | --- | --- |")
    for metric in metrics:
        if metric.source in _POPULATIONS:
            where = "" if metric.source == ALL else f", {metric.source}"
            name = f"{metric.class_name} {metric.name}".strip()
            yield (
                f"| {name}{where} | {show_interval(metric.estimate)} | {metric.n}, "
                f"{metric.groups} |"
            )


def _sources(metrics: Sequence[Metric]) -> Iterator[str]:
    rows = [metric for metric in metrics if metric.source not in _POPULATIONS]
    if not rows:
        return
    yield from ("", "| source | figure | | films, groups |", "| --- | --- | --- | --- |")
    for metric in rows:
        name = f"{metric.class_name} {metric.name}".strip()
        if metric.name == "pair_auroc":
            name = f"{metric.class_name} against normal, AUROC ({describe_pair(metric.source)})"
        yield (
            f"| {metric.source} | {name} | {show_interval(metric.estimate)} | {metric.n}, "
            f"{metric.groups} |"
        )


def _views(split: _Plain, whole: Sequence[Metric]) -> Iterator[str]:
    yield from ("", "What the model still tells from a film without its lungs:", "")
    yield "| shown | files | accuracy | macro-F1 | TB AUROC, adults against normal |"
    yield "| --- | --- | --- | --- | --- |"
    views = {"whole film": whole, **{k: [_metric(m) for m in v] for k, v in split["views"].items()}}
    for name, metrics in views.items():
        for kind in sorted({metric.input_type for metric in metrics}):
            own = [metric for metric in metrics if metric.input_type == kind]
            cells = [
                _find(own, ALL, "accuracy"),
                _find(own, ALL, "macro_f1"),
                _find(own, AGAINST_NORMAL, "auroc"),
            ]
            yield f"| {name} | {kind} | {' | '.join(cells)} |"


def _goals(judged: Sequence[_Plain]) -> Iterator[str]:
    yield from ("", "## Goals", "", "| split | goal | at least | measured | films | |")
    yield "|" + " --- |" * 6
    for row in judged:
        goal, metric = row["goal"], _metric(row["metric"])
        yield (
            f"| {metric.split}, {metric.input_type} | {goal['title']} | {goal['at_least']:.0%} | "
            f"{show_interval(metric.estimate)} | {metric.n} | {row['verdict']} |"
        )


def _failures(measured: _Plain) -> Iterator[str]:
    yield from ("", "## Known failures", "")
    for row in measured["judged"]:
        metric = _metric(row["metric"])
        if row["verdict"].startswith("missed"):
            yield (
                f"- `{metric.split}`: {row['goal']['title']} is {show_interval(metric.estimate)}, "
                f"not {row['goal']['at_least']:.0%} ({row['verdict']})."
            )
    for split in measured["splits"]:
        for metric in map(_metric, split["metrics"]):
            low = metric.estimate.value < _FAILING_ACCURACY
            if metric.name == "accuracy" and metric.source not in _POPULATIONS and low:
                yield (
                    f"- `{split['split']}`, {metric.source}: only {show_interval(metric.estimate)} "
                    f"of {metric.n} films are called right."
                )
    yield (
        "- Sources and classes are confounded in the training data; figures on films of the same "
        "sources overstate what a new hospital will see. Check the thresholds at each site."
    )


def _validation(card: ModelCard) -> Iterator[str]:
    yield from ("", "## Validation figures in the file", "", "| figure | | films, groups |")
    yield "| --- | --- | --- |"
    for metric in card.metrics:
        where = "" if metric.source == ALL else f", {metric.source}"
        yield (
            f"| {f'{metric.class_name} {metric.name}'.strip()}{where} | "
            f"{show_interval(metric.estimate)} | {metric.n}, {metric.groups} |"
        )


def _file(card: ModelCard) -> Iterator[str]:
    change = card.quantization
    yield from ("", "## The file", "")
    yield (
        f"- {change.method}, {change.calibration_images} calibration films; "
        f"{change.int8_convolutions} convolutions in INT8, not in INT8: "
        f"{', '.join(change.exempt_nodes)}."
    )
    yield (
        f"- Against fp32 on validation films: same class {change.class_agreement:.4f}, macro-F1 "
        f"lower by {change.macro_f1_drop:.4f}, {change.tb_missed_more} more TB films missed, "
        f"logits off by {change.mean_logit_difference:.4f} on average, "
        f"{change.largest_logit_difference:.4f} at most."
    )
    yield f"- Input {card.input.height} x {card.input.width}, schema {card.schema}."
    yield f"- Data fingerprint `{card.data_fingerprint}`."
    yield f"- Program revision `{card.git_revision}`. Settings: `{card.recipe}`"


def _metric(plain: _Plain) -> Metric:
    return Metric(**{**plain, "estimate": Interval(**plain["estimate"])})


def _find(metrics: Sequence[Metric], source: str, name: str) -> str:
    for metric in metrics:
        if (metric.source, metric.name) == (source, name):
            return show_interval(metric.estimate)
    return ""
