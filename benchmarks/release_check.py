"""Every figure that a new model changes, in one table beside the previous release's.

    python -m benchmarks.release_check MODEL.onnx DATA [--previous FILE] [--final]
        [--left-out RUN=Sakha-TB] [--fp32 FILE] [--out FOLDER] [--only PART ...] [--films 24]

DATA holds `cxr4/manifest.csv` and, for the heat maps, `tb_boxes.csv` and `lung_masks/`. Without
`--final` only validation films are looked at; with it site, test and published too, each look noted
in the ledger as `cxr-train evaluate` does, of both models. A left-out RUN is a run folder or an
.onnx trained by the same recipe without the sources named. Writes into FOLDER release_check.md,
release_check.json, left-out.json (for `cxr-train card --left-out`) and both evaluations. What
cannot be measured here says why. Times are of one run, in turn: publish none that was taken while
the machine did other work.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import agreement, heatmap_truth, reduced_decode
from cxr_train.compare.leave_out import Fold, measure_fold
from cxr_train.data.manifest import Example, read_data, select
from cxr_train.data.sources import SAME_HOSPITAL, describe_pair
from cxr_train.evaluate.evaluation import SplitResult, evaluate, write_evaluation
from cxr_train.evaluate.ledger import append, default_ledger, looks_of
from cxr_train.evaluate.scoring import by_input_type, load_films, open_onnx
from cxr_train.evaluate.views import View
from cxr_train.figures.measures import (
    AGAINST_NORMAL,
    AGAINST_OTHER,
    ALL,
    CEILING,
    POPULATIONS,
    measure_classes,
)
from edge_infer.errors import CxrError
from edge_infer.model.bundled import bundled_model
from edge_infer.model.card_json import to_plain
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import Interval, Metric
from edge_infer.model.self_test import run_self_test

ROOT = Path(__file__).resolve().parents[1]
FINAL_SPLITS = ("site", "test", "published", "val")
NOISY_SOURCE = "NIH ChestX-ray14"
"""Labels mined from text: macro-F1 is told without it, too."""
_ASKED = {
    ("site", AGAINST_NORMAL, "auroc"): ">= 0.93",
    ("site", AGAINST_NORMAL, "sensitivity"): ">= 0.90",
    ("site", AGAINST_NORMAL, "specificity"): ">= 0.70",
    ("test", AGAINST_OTHER, "auroc"): ">= 0.93",
    ("test", ALL, "macro_f1"): ">= 0.90",
    ("published", ALL, "macro_f1"): ">= 0.86",
    ("published", ALL, "accuracy"): ">= 0.88",
    ("test", ALL, "ece"): "<= 0.03",
}
"""What a release should reach, by split, population and figure."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured figure of one model."""

    part: str
    name: str
    value: str
    """Ready to show, with its interval and n."""
    number: float | None = None
    asked: str = ""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What all parts measure on."""

    model: Path
    classifier: Classifier
    data: Path
    """Folder that holds cxr4."""
    examples: tuple[Example, ...]
    splits: tuple[str, ...]
    films: int
    """For agreement and reduced decode."""
    fp32: Path | None
    out: Path
    cache: Path | None
    ledger: Path | None
    """None: no held-out split is looked at."""


Part = Callable[[Checked], Iterator[Figure]]


def check_gates(checked: Checked) -> Iterator[Figure]:
    """Yield what the card says of the export, the file's size and its self-test."""
    card, part = checked.classifier.card, "export"
    change = card.quantization
    size = checked.model.stat().st_size / 1e6
    yield _plain(part, "file", f"{size:.1f} MB", size, asked="<= 12 MB")
    result = run_self_test(checked.classifier)
    difference = result.largest_difference
    yield _plain(part, "self-test", f"{'passed' if result.ok else 'FAILED'}, {difference:.1e}")
    yield _plain(part, "same class as fp32", f"{change.class_agreement:.4f}", asked=">= 0.99")
    drop = change.macro_f1_drop
    yield _plain(part, "macro-F1 lower than fp32 by", f"{drop:.4f}", drop, asked="<= 0.005")
    yield _plain(part, "TB films missed more than by fp32", f"{change.tb_missed_more}")
    counts = f"{change.int8_convolutions} in INT8, {change.fp32_convolutions} not"
    yield _plain(part, "convolutions", counts)
    yield _plain(part, "largest logit difference", f"{change.largest_logit_difference:.3f}")
    point = card.operating_points.refer_tb
    yield _plain(part, "TB threshold", f"{point.threshold:.1f}", point.threshold)
    for hospital in point.hospitals:
        yield _plain(
            part,
            f"val, {hospital.source} at the threshold",
            f"sensitivity {_show(hospital.sensitivity)}, specificity "
            f"{_show(hospital.specificity)}, n {hospital.n_positive} + {hospital.n_negative}",
        )


def check_splits(checked: Checked) -> Iterator[Figure]:
    """Yield the evaluation's figures split by split, what the threshold does first."""
    evaluation = evaluate(
        checked.model, checked.data / "cxr4", splits=checked.splits, cache=checked.cache
    )
    name = f"evaluation-{evaluation.sha256[:8]}"
    write_evaluation(evaluation, checked.out / name)
    if checked.ledger is not None:
        append(looks_of(evaluation), checked.ledger)
    for result in evaluation.splits:
        yield from _split_figures(result)
        yield from _without(checked, result.split, NOISY_SOURCE)


def _split_figures(result: SplitResult) -> Iterator[Figure]:
    sources = {m.source for m in result.metrics} - {ALL, *POPULATIONS}
    order = sorted(sources, key=lambda one: (describe_pair(one) != SAME_HOSPITAL, one))
    for names in (("sensitivity", "specificity", CEILING), ("auroc", "pair_auroc")):
        for source in (*order, *POPULATIONS):
            for metric in result.metrics:
                if metric.source == source and metric.name in names:
                    yield _metric(metric)
    for metric in result.metrics:
        if metric.source == ALL and metric.name in ("accuracy", "macro_f1", "ece", "f1"):
            yield _metric(metric)
    for metric in result.metrics:
        if metric.source in order and metric.name in ("accuracy", "ece"):
            yield _metric(metric)
    yield from _shortcuts(result)
    for row in result.coverage:
        says = "as promised" if row.is_as_promised else "OUTSIDE"
        yield _plain(
            result.split,
            f"conformal coverage, {row.population}",
            f"{row.covered.value:.3f}, expected {row.expected.low:.3f} to "
            f"{row.expected.high:.3f}: {says}",
        )


def _shortcuts(result: SplitResult) -> Iterator[Figure]:
    for view in (View.BORDER_ONLY, View.LUNGS_MASKED):
        for metric in result.views.get(view, ()):
            if metric.source == ALL and metric.name == "accuracy":
                yield _metric(metric, what=f"accuracy, {view.value}")
    recalls = [m for m in result.metrics if m.source == ALL and m.name == "recall"]
    if recalls:
        share = max(m.n for m in recalls) / sum(m.n for m in recalls)
        yield _plain(result.split, "share of the commonest class", f"{share:.3f}", share)


def _without(checked: Checked, split: str, source: str) -> Iterator[Figure]:
    """Yield accuracy and macro-F1 of a split without one source."""
    films = [example for example in select(checked.examples, split) if example.source != source]
    if len(films) == len(select(checked.examples, split)):
        return
    model = open_onnx(checked.model)
    loaded = load_films(films, model.side, what=split, cache=checked.cache)
    scored = model.score(loaded.pixels)
    for part in by_input_type(split, loaded.examples, (scored,)):
        for metric in measure_classes(part):
            if metric.name in ("accuracy", "macro_f1"):
                yield _metric(metric, what=f"{metric.name}, without {source}")


def check_heat_maps(checked: Checked) -> Iterator[Figure]:
    """Yield where the maps point, of the INT8 model and of its fp32 graph where that is given."""
    if not (checked.data / "tb_boxes.csv").is_file():
        yield _plain("heat maps", "boxes and lungs", "not measured: DATA holds no tb_boxes.csv")
        return
    card = checked.classifier.card
    asks = {"": heatmap_truth.ask_classifier(checked.classifier)}
    if checked.fp32 is not None:
        asks[", fp32"] = heatmap_truth.ask_fp32(checked.fp32, card)
    for kind, ask in asks.items():
        pointing, in_lungs = heatmap_truth.measure(ask, card, checked.data, checked.splits)
        for one in pointing:
            what = f"strongest point in a box, {one.split}{kind} (chance {one.chance:.2f})"
            value = f"{_show(one.inside)}, n {one.films}"
            yield _plain("heat maps", what, value, one.inside.value, asked=">= 0.60")
        for two in in_lungs:
            what = f"map inside the lungs, {two.split}, {two.class_name}{kind}"
            value = f"{two.share:.2f}, n {two.films} (lungs {two.chance:.2f} of the film)"
            yield _plain("heat maps", what, value, two.share, asked=">= 0.80")


def check_agreement(checked: Checked) -> Iterator[Figure]:
    """Yield how far copies of one film in other files differ."""
    val = select(checked.examples, "val")
    for name, gap in agreement.measure(checked.classifier, val, checked.films).items():
        value = f"{gap.points:.1f} points, {gap.logit:.4f} of a logit"
        yield _plain("agreement", f"{name} against its JPEG, at most", value, gap.points)


def check_reduced_decode(checked: Checked) -> Iterator[Figure]:
    """Yield what reading less of a film changes."""
    val = select(checked.examples, "val")
    kinds = reduced_decode.measure(checked.classifier, val, checked.films)
    found = [one for some in kinds.values() for one in some]
    within, changed = reduced_decode.share_within(found), sum(one.is_changed for one in found)
    points = max(one.points for one in found)
    yield _plain("reduced decode", "files within a point and 0.25", f"{within:.3f}", within)
    yield _plain("reduced decode", "largest TB score difference", f"{points:.1f} points", points)
    yield _plain("reduced decode", "decisions changed", f"{changed} of {len(found)}", changed)


def check_processors(checked: Checked) -> Iterator[Figure]:
    """Yield whether older processors, emulated, write the same list."""
    if shutil.which("qemu-x86_64") is None:
        yield _plain("processors", "one worklist", "not measured: qemu-x86_64 is not installed")
        return
    command = [sys.executable, "-m", "benchmarks.one_worklist", "--films", "1"]
    done = subprocess.run(
        [*command, "--model", str(checked.model.resolve())],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode not in (0, 1):
        yield _plain("processors", "one worklist", f"not measured: {done.stderr.strip()[-200:]}")
        return
    for line in done.stdout.splitlines():
        name, _, says = line.partition(" ")
        if says and line[:1].isalpha():
            yield _plain("processors", name, says.strip(), asked="identical")


PARTS: dict[str, Part] = {
    "export": check_gates,
    "splits": check_splits,
    "heat-maps": check_heat_maps,
    "agreement": check_agreement,
    "reduced-decode": check_reduced_decode,
    "processors": check_processors,
}


def measure_speed(models: Sequence[Classifier], *, runs: int = 60) -> list[float]:
    """Return each model's median milliseconds a film on one thread, film by film in turn.

    Made-up noise of each model's own input size: the network computes alike whatever is shown.
    """
    random = np.random.default_rng(0)
    taken: list[list[float]] = [[] for _ in models]
    films = [_noise(random, model) for model in models]
    for _ in range(runs):
        for model, film, times in zip(models, films, taken, strict=True):
            began = time.perf_counter()
            model.run(film)
            times.append(1000 * (time.perf_counter() - began))
    return [float(np.median(times)) for times in taken]


def _noise(random: np.random.Generator, model: Classifier) -> NDArray[np.uint8]:
    side = model.card.input
    return random.integers(0, 256, (1, 1, side.height, side.width), dtype=np.uint8)


def measure_folds(
    texts: Sequence[str], examples: Sequence[Example], cache: Path | None
) -> list[Fold]:
    """Measure left-out trainings, each `RUN=SOURCE,SOURCE`."""
    folds = []
    for text in texts:
        run, _, names = text.rpartition("=")
        sources = [name.strip() for name in names.split(",")]
        unknown = set(sources) - {example.source for example in examples}
        if not run or unknown:
            raise SystemExit(f"--left-out {text}: no RUN=SOURCE, or no film of {sorted(unknown)}")
        folds.append(measure_fold(Path(run), examples, sources, cache))
    return folds


def fold_figures(folds: Sequence[Fold]) -> Iterator[Figure]:
    """Yield what each left-out training does in the hospital it never saw."""
    for fold in folds:
        for metric in fold.metrics:
            if metric.source == AGAINST_NORMAL:
                name = f"{metric.name}, TB against normal, without {', '.join(fold.sources)}"
                yield _plain("left out", name, _value(metric), metric.estimate.value)


def run_part(name: str, checked: Checked) -> list[Figure]:
    """Measure one part; where it is impossible the reason stands in its place."""
    print(f"{checked.classifier.card.version}: {name}", file=sys.stderr, flush=True)
    try:
        return list(PARTS[name](checked))
    except CxrError as error:
        return [_plain(name, "all of it", f"not measured: {error}")]


def table(candidate: Sequence[Figure], previous: Sequence[Figure], heads: Sequence[str]) -> str:
    """Return the Markdown table, a line for every figure of either model."""
    rows = {(one.part, one.name): one for one in candidate}
    before = {(one.part, one.name): one for one in previous}
    keys = [*rows, *(key for key in before if key not in rows)]
    lines = [f"| part | figure | {heads[0]} | {heads[1]} | asked |", "|" + " --- |" * 5]
    for key in keys:
        cells = [one.value if one else "" for one in (rows.get(key), before.get(key))]
        asked = (rows.get(key) or before[key]).asked
        lines.append("| " + " | ".join((*key, *cells, asked)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Parse the command line, measure both models, write the table."""
    options = _parse()
    options.out.mkdir(parents=True, exist_ok=True)
    examples = tuple(read_data(options.data / "cxr4"))
    known = {example.split for example in examples}
    splits = tuple(s for s in FINAL_SPLITS if s in known) if options.final else ("val",)
    ledger = (options.ledger or default_ledger(options.out)) if options.final else None
    found: list[list[Figure]] = []
    classifiers = []
    for model, fp32 in ((options.model, options.fp32), (options.previous, None)):
        classifier = Classifier.load(model)
        classifiers.append(classifier)
        checked = Checked(
            model=model,
            classifier=classifier,
            data=options.data,
            examples=examples,
            splits=splits,
            films=options.films,
            fp32=fp32,
            out=options.out,
            cache=options.cache,
            ledger=ledger,
        )
        found.append([f for name in options.only for f in run_part(name, checked)])
    folds = measure_folds(options.left_out, examples, options.cache)
    found[0] += fold_figures(folds)
    for figures, taken in zip(found, measure_speed(classifiers), strict=True):
        figures.append(_plain("speed", "one thread, ms a film, in turn", f"{taken:.1f}", taken))
    ratio = float(found[1][-1].number or 0) / float(found[0][-1].number or 1)
    found[0].append(_plain("speed", "times as fast as the previous", f"{ratio:.2f}", ratio))
    heads = [f"{one.card.name} {one.card.version}" for one in classifiers]
    text = table(found[0], found[1], heads)
    _write(options.out / "release_check.md", text)
    plain: dict[str, Any] = {
        "models": [
            {"name": head, "sha256": one.sha256, "figures": [asdict(f) for f in figures]}
            for head, one, figures in zip(heads, classifiers, found, strict=True)
        ],
        "splits": list(splits),
    }
    _write(options.out / "release_check.json", json.dumps(plain, indent=1) + "\n")
    if folds:
        shown = json.dumps({"folds": to_plain(list(folds))}, indent=1) + "\n"
        _write(options.out / "left-out.json", shown)
    print(text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--previous", type=Path, default=bundled_model())
    parser.add_argument("--final", action="store_true")
    parser.add_argument("--ledger", type=Path)
    parser.add_argument("--left-out", action="append", default=[], metavar="RUN=SOURCE")
    parser.add_argument("--fp32", type=Path)
    parser.add_argument("--out", type=Path, default=Path("release-check"))
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--films", type=int, default=24)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    return parser.parse_args()


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _plain(
    part: str, name: str, value: str, number: float | None = None, *, asked: str = ""
) -> Figure:
    return Figure(part=part, name=name, value=value, number=number, asked=asked)


def _metric(metric: Metric, *, what: str = "") -> Figure:
    """Return a figure of the evaluation; DICOM and raster files stand apart."""
    where = "" if metric.source == ALL else f", {metric.source}"
    kind = "" if metric.input_type == "raster" else f" ({metric.input_type})"
    name = what or f"{metric.class_name} {metric.name}".strip() + where
    asked = "" if what else _ASKED.get((metric.split, metric.source, metric.name), "")
    return _plain(metric.split, f"{name}{kind}", _value(metric), metric.estimate.value, asked=asked)


def _value(metric: Metric) -> str:
    return f"{_show(metric.estimate)}, n {metric.n}"


def _show(estimate: Interval) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


if __name__ == "__main__":
    main()
