"""Measure the INT8 model through the runner, write its card last, read it back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr_export.errors import ParityError
from cxr_export.parity import TARGET_SENSITIVITY
from cxr_train.calibration import fit_temperature
from cxr_train.checkpoint import LoadedRun
from cxr_train.manifest import Example
from cxr_train.metrics import (
    accuracy,
    auroc,
    class_scores,
    group_bootstrap,
    macro_f1,
    wilson_interval,
)
from cxr_train.operating_point import choose_operating_point, is_adult
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import printed_scores
from edge_infer.model.model_card import (
    CLASSES,
    HISTOGRAM_BINS,
    SCHEMA_MAJOR,
    SCHEMA_MINOR,
    InputSpec,
    Metric,
    ModelCard,
    OperatingPoints,
    Quantization,
    ScoreHistogram,
    SelfTest,
)
from edge_infer.model.model_file import hash_without_card, with_card
from edge_infer.model.preprocess import PREPROCESSING_VERSION
from edge_infer.model.self_test import FORMULA, run_self_test, self_test_inputs

INTENDED_USE = (
    "Research use only; not a medical device and not a diagnosis. Sorts frontal chest films of one "
    "day so that people who need a second test (sputum, blood) are seen first. Tuberculosis scores "
    "are for people of 15 years and older. Thresholds are not portable: check them at each site."
)
SELF_TEST_TOLERANCE = 0.05
"""Logits; 7-bit weights agree to the last digit between x86 generations with one version of ONNX
Runtime, other versions may differ by a quantization step here and there."""
_TB = CLASSES.index("tuberculosis")


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Validation films with what the INT8 model says of them."""

    examples: tuple[Example, ...]
    logits: NDArray[np.float32]

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N] class indices."""
        return np.array([example.label for example in self.examples], dtype=np.int64)

    @property
    def groups(self) -> list[str]:
        """[N] patients."""
        return [example.group for example in self.examples]

    def only(self, chosen: NDArray[np.bool_]) -> Labelled:
        """Return the chosen films."""
        kept = tuple(e for e, keep in zip(self.examples, chosen, strict=True) if keep)
        return Labelled(examples=kept, logits=self.logits[chosen])


def make_card(
    run: LoadedRun,
    val: Labelled,
    quantization: Quantization,
    *,
    name: str,
    version: str,
    self_test_logits: NDArray[np.float32],
    model_sha256: str,
) -> ModelCard:
    """Fit temperature and thresholds on INT8 validation logits and collect every fact."""
    temperature = fit_temperature(val.logits, val.labels)
    adults = val.only(is_adult([example.source for example in val.examples]))
    sources = sorted({example.source or "unknown" for example in val.examples})
    return ModelCard(
        schema=f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}",
        name=name,
        version=version,
        classes=CLASSES,
        input=InputSpec(
            height=run.config.input_size,
            width=run.config.input_size,
            preprocessing_version=PREPROCESSING_VERSION,
        ),
        temperature=temperature,
        operating_points=_operating_points(adults, temperature),
        histograms=tuple(_histograms(val, temperature)),
        metrics=tuple(measure(val, temperature)),
        data_fingerprint=str(run.facts.get("fingerprint", "")),
        data_statement=(
            "Public research images; their licences allow research use only, and so does this "
            f"model. Validation sources: {', '.join(sources)}."
        ),
        recipe=run.recipe_text,
        git_revision=git_revision(),
        quantization=quantization,
        modalities=("CR", "DX", "RG", "SC", "OT"),
        views=("PA", "AP"),
        min_age_years=15,
        intended_use=INTENDED_USE,
        self_test=SelfTest(
            formula=FORMULA,
            logits=tuple(tuple(round(float(v), 6) for v in row) for row in self_test_logits),
            tolerance=SELF_TEST_TOLERANCE,
        ),
        model_sha256=model_sha256,
    )


def write_with_card(model: Path, card: ModelCard) -> Classifier:
    """Put the card into `model`, read it back through the runner and run its self-test."""
    model.write_bytes(with_card(model.read_bytes(), card.to_json()))
    classifier = Classifier.load(model)
    result = run_self_test(classifier)
    if classifier.card != card or not result.ok:
        raise ParityError(
            f"{model} does not read back as written (self-test difference "
            f"{result.largest_difference:.4f})."
        )
    return classifier


def self_test_logits(
    run_logits: Callable[..., NDArray[np.float32]], model: Path, size: int
) -> NDArray[np.float32]:
    """Return the model's logits [4, 4] for the self-test inputs."""
    return run_logits(model, self_test_inputs(size, size))


def model_digest(model: Path) -> str:
    """Return the hash the card must carry."""
    return hash_without_card(model.read_bytes())


def measure(val: Labelled, temperature: float) -> Iterator[Metric]:
    """Measure figures with 95 % intervals, over all films and per source."""
    yield from _overall(val)
    tb, _ = printed_scores(val.logits, temperature)
    adults = is_adult([example.source for example in val.examples])
    yield from _tb_auroc(val.only(adults), tb[adults])
    for source in sorted({example.source for example in val.examples}):
        part = val.only(np.array([example.source == source for example in val.examples]))
        hits = int((part.logits.argmax(axis=1) == part.labels).sum())
        yield Metric(
            split="val",
            source=source or "unknown",
            input_type="raster",
            name="accuracy",
            class_name="",
            estimate=wilson_interval(hits, len(part.labels)),
            n=len(part.labels),
            groups=len(set(part.groups)),
        )


def _overall(val: Labelled) -> Iterator[Metric]:
    labels, predictions = val.labels, val.logits.argmax(axis=1)

    def row(
        name: str, class_name: str, statistic: Callable[[NDArray[np.intp]], float | None]
    ) -> Iterator[Metric]:
        estimate = group_bootstrap(statistic, val.groups)
        if estimate is not None:
            yield Metric(
                split="val",
                source="all",
                input_type="raster",
                name=name,
                class_name=class_name,
                estimate=estimate,
                n=len(labels),
                groups=len(set(val.groups)),
            )

    yield from row("accuracy", "", lambda i: accuracy(labels[i], predictions[i]))
    yield from row("macro_f1", "", lambda i: macro_f1(labels[i], predictions[i]))
    for index, name in enumerate(CLASSES):
        for figure in ("f1", "recall", "precision"):

            def of_class(
                i: NDArray[np.intp], index: int = index, figure: str = figure
            ) -> float | None:
                value = getattr(class_scores(labels[i], predictions[i])[index], figure)
                return None if value is None else float(value)

            yield from row(figure, name, of_class)


def _tb_auroc(adults: Labelled, tb_tenths: NDArray[np.int64]) -> Iterator[Metric]:
    is_tb = adults.labels == _TB
    is_normal = adults.labels == CLASSES.index("normal")
    for source, kept in (
        ("adults, TB against normal", is_tb | is_normal),
        ("adults, TB against all others", np.ones_like(is_tb)),
    ):
        part, scores, truth = adults.only(kept), tb_tenths[kept], is_tb[kept]
        estimate = group_bootstrap(
            lambda i, scores=scores, truth=truth: auroc(scores[i], truth[i]),  # type: ignore[misc]
            part.groups,
        )
        if estimate is not None:
            yield Metric(
                split="val",
                source=source,
                input_type="raster",
                name="auroc",
                class_name="tuberculosis",
                estimate=estimate,
                n=len(truth),
                groups=len(set(part.groups)),
            )


def _operating_points(adults: Labelled, temperature: float) -> OperatingPoints:
    tb, abnormal = printed_scores(adults.logits, temperature)
    return OperatingPoints(
        refer_tb=choose_operating_point(
            tb,
            adults.labels == _TB,
            adults.groups,
            target_sensitivity=TARGET_SENSITIVITY,
            population="validation films of adult sources, tuberculosis against all others",
        ),
        abnormal=choose_operating_point(
            abnormal,
            adults.labels != CLASSES.index("normal"),
            adults.groups,
            target_sensitivity=TARGET_SENSITIVITY,
            population="validation films of adult sources, any disease against normal",
        ),
    )


def _histograms(val: Labelled, temperature: float) -> Iterator[ScoreHistogram]:
    tb, abnormal = printed_scores(val.logits, temperature)
    for index, name in enumerate(CLASSES):
        chosen = val.labels == index
        yield ScoreHistogram(
            class_name=name,
            tb_score=_bins(tb[chosen]),
            abnormal_score=_bins(abnormal[chosen]),
        )


def _bins(tenths: NDArray[np.int64]) -> tuple[int, ...]:
    # 0..1000 tenths in 200 bins of five; 1000 belongs to the last.
    places = np.minimum(tenths // (1000 // HISTOGRAM_BINS), HISTOGRAM_BINS - 1)
    return tuple(int(count) for count in np.bincount(places, minlength=HISTOGRAM_BINS))


def git_revision(command: Sequence[str] = ("git", "describe", "--always", "--dirty")) -> str:
    """Return the revision this code was run from, empty outside a checkout."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            check=False,
            cwd=Path(__file__).parent,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
