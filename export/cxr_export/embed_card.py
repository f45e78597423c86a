"""Write the card last, from measured facts alone, and read it back through the runner."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr_export.errors import ParityError
from cxr_export.val_figures import (
    ValFilms,
    fit_operating_points,
    fit_uncertain_band,
    make_histograms,
    measure_val,
)
from cxr_train.data.manifest import MIN_AGE_YEARS, fingerprint, read_data, select
from cxr_train.errors import DataError
from cxr_train.figures.tb_threshold import fit_rule
from cxr_train.fit.checkpoint import LoadedRun
from cxr_train.revision import git_revision
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import (
    CLASSES,
    SCHEMA_MAJOR,
    SCHEMA_MINOR,
    InputSpec,
    ModelCard,
    Quantization,
    Referral,
    SelfTest,
)
from edge_infer.model.model_file import hash_without_card, with_card
from edge_infer.model.preprocess import PREPROCESSING_VERSION
from edge_infer.model.self_test import FORMULA, run_self_test

INTENDED_USE = (
    "Research use only; not a medical device and not a diagnosis. Sorts frontal chest films of one "
    "day so that people who need a second test (sputum, blood) are seen first. Tuberculosis scores "
    f"are for people of {MIN_AGE_YEARS} years and older. Thresholds are not portable: check them "
    "at each site."
)
SELF_TEST_TOLERANCE = 0.05
"""Logits; 7-bit weights agree to the last digit between x86 generations with one version of ONNX
Runtime, other versions may differ by a quantization step here and there."""


def make_card(
    run: LoadedRun,
    val: ValFilms,
    quantization: Quantization,
    *,
    train_sources: Iterable[str],
    name: str,
    version: str,
    self_test_logits: NDArray[np.float32],
    model_sha256: str,
    target_sensitivity: float,
    referral: Referral | None = None,
) -> ModelCard:
    """Fit temperature and thresholds on INT8 validation logits and collect every fact."""
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
        data_fingerprint=str(run.facts.get("fingerprint", "")),
        data_statement=_describe_data(run, val, train_sources),
        recipe=run.recipe_text,
        git_revision=git_revision(Path(__file__)),
        quantization=quantization,
        modalities=("CR", "DX", "RG", "SC", "OT"),
        views=("PA", "AP"),
        min_age_years=MIN_AGE_YEARS,
        intended_use=INTENDED_USE,
        self_test=SelfTest(
            formula=FORMULA,
            logits=tuple(tuple(round(float(v), 6) for v in row) for row in self_test_logits),
            tolerance=SELF_TEST_TOLERANCE,
        ),
        model_sha256=model_sha256,
        **_measured(val, referral, target_sensitivity),
    )


def measured_again(
    card: ModelCard, val: ValFilms, *, referral: Referral | None, target_sensitivity: float
) -> ModelCard:
    """Return a card with everything that depends on what the model says of validation films new."""
    return replace(
        card,
        schema=f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}",
        git_revision=git_revision(Path(__file__)),
        **_measured(val, referral, target_sensitivity),
    )


def _measured(
    val: ValFilms, referral: Referral | None, target_sensitivity: float
) -> dict[str, Any]:
    """Return the fields of a card that depend on what the model says of validation films."""
    rule = fit_rule(val.logits, val.examples, referral)
    points = fit_operating_points(val, rule, target_sensitivity=target_sensitivity)
    return {
        "temperature": rule.temperature,
        "operating_points": points,
        "histograms": tuple(make_histograms(val, rule)),
        "metrics": tuple(measure_val(val, rule, points.refer_tb.tenths)),
        "uncertain": fit_uncertain_band(val, rule.temperature),
        "referral": referral,
    }


def write_with_card(model: Path, card: ModelCard) -> Classifier:
    """Put the card into `model`, read it back through the runner and run its self-test."""
    model.write_bytes(with_card(model.read_bytes(), card.to_json()))
    classifier = Classifier.load(model)
    result = run_self_test(classifier)
    if classifier.card != card or not result.ok:
        raise ParityError(
            f"The model does not read back as written (self-test difference "
            f"{result.largest_difference:.4f})."
        )
    return classifier


def model_digest(model: Path) -> str:
    """Return the hash the card must carry."""
    return hash_without_card(model.read_bytes())


def _describe_data(run: LoadedRun, val: ValFilms, train_sources: Iterable[str]) -> str:
    trained_on = {*train_sources, *_extra_sources(run)}
    return (
        f"Trained on {run.facts.get('train_images', 'an unrecorded number of')} films from "
        f"{_list_sources(trained_on)}. Thresholds and figures from {len(val.examples)} validation "
        f"films from {_list_sources(example.source for example in val.examples)} (fingerprint "
        f"{fingerprint(val.examples)[:16]}). The licences of these images bind the model too: "
        "research use only."
    )


def _extra_sources(run: LoadedRun) -> set[str]:
    sources = set()
    for folder in run.extra:
        try:
            sources |= {example.source for example in select(read_data(folder), "train")}
        except DataError:
            sources.add("further data no longer within reach")
    return sources


def _list_sources(sources: Iterable[str]) -> str:
    return ", ".join(sorted({source or "an unnamed source" for source in sources}))
