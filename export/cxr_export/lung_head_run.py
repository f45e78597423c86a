"""A released model gets a lung head: the graph, then everything its card says of scores anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from cxr_export.class_shift import shift_classes
from cxr_export.embed_card import measured_again, model_digest, write_with_card
from cxr_export.errors import ParityError
from cxr_export.gate_graph import remove_gate
from cxr_export.gate_table import print_card
from cxr_export.lung_head_graph import LungHead, add_lung_head
from cxr_export.parity import check_runner
from cxr_export.quantize import run_logits
from cxr_export.taught_for import require_taught_for
from cxr_export.val_figures import ValFilms, check_thresholds_possible
from cxr_train.config import check_settings
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import read_data, require_every_class, select
from cxr_train.errors import DataError
from cxr_train.figures.referral import make_referral
from cxr_train.fit.standardize import MIDDLE_DEVIATION, MIDDLE_MEAN
from cxr_train.int8_layers import Tap
from cxr_train.lung_head.layer import LungHeadConfig
from cxr_train.lung_head.prepare_input import prepare_input
from cxr_train.lung_head.run import read_lung_head
from cxr_train.result_files import require_writable, write_bytes
from cxr_train.terminal import say, working
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import REFERRAL, SelfTest
from edge_infer.model.model_file import ModelFile, load_model_file
from edge_infer.model.self_test import self_test_inputs

ALONE = (1.0, 0.0, 0.0, 0.0)
"""The TB score is the referral logit, unless it is said."""


def export_lung_head(
    folder: Path,
    model: Path,
    out: Path,
    *,
    name: str | None,
    version: str,
    target_sensitivity: float,
    data: Path | None = None,
    cache: Path | None = None,
    weights: Sequence[float] = ALONE,
    shown_map: str = REFERRAL,
    chosen_on: str = "",
) -> None:
    """Write `model` with the lung head of `folder` to `out`, its card's figures measured anew.

    `data` holds the val films (None: that of the head), without the sources the head was taught
    without. `weights`, `shown_map` and `chosen_on` are the TB score's (`make_referral`). Raises
    DataError where the head is not whole, of another model or its data not within reach,
    ModelError, ReportError, and ParityError where the gate's output changed in any bit. A head with
    a prepared input leaves the model's gate out: it learnt from other films.
    """
    facts, taught, bias = read_lung_head(folder)
    file = load_model_file(model)
    require_taught_for(facts, file, what="lung head", folder=folder)
    require_writable(out.parent)
    val = _val_films(Path(data or facts["data"]), facts, file, cache)
    settings = check_settings(LungHeadConfig, facts["settings"])
    head = LungHead(
        layer=Tap(**facts["layer"]), weights=taught, bias=bias, config=LungHeadConfig(**settings)
    )
    unfinished = out.with_name(f"{out.stem}.unfinished.onnx")
    try:
        logits = _write_graph(model, head, file, unfinished, val)
        side = file.card.input.height
        card = measured_again(
            replace(
                file.card,
                name=name or file.card.name,
                version=version,
                lung_head=facts["statement"] + describe_preparation(head.config),
                gate=None if head.config.prepares else file.card.gate,
                self_test=_self_test(unfinished, file, side),
                model_sha256=model_digest(unfinished),
            ),
            ValFilms(examples=val.examples, logits=logits),
            referral=make_referral(
                weights,
                shown_map=shown_map,
                chosen_on=chosen_on,
                head_is=describe_evidence(head.config),
            ),
            target_sensitivity=target_sensitivity,
        )
        written = write_with_card(unfinished, card)
        check_runner(written, val.pixels, logits)
        if card.gate is not None:
            _require_same_gate(Classifier.load(model), written)
        elif file.card.gate is not None:
            say("The gate was left out: it learnt from unprepared films. Next: cxr-train gate.")
        write_bytes(unfinished.read_bytes(), out)
    finally:
        unfinished.unlink(missing_ok=True)
    print_card(card, out)


def _val_films(
    data: Path, facts: dict[str, Any], file: ModelFile, cache: Path | None
) -> LoadedImages:
    if not data.exists():
        raise DataError(f"The images are not at {data}: name them by --calibration.")
    without = facts["without"]
    found = [one for one in read_data(data, without=without) if one.source not in without]
    require_every_class(found, "val")
    val = load_films(select(found, "val"), file.card.input.height, what="val", cache=cache)
    check_thresholds_possible(val.examples)
    return val


def _write_graph(
    model: Path, head: LungHead, file: ModelFile, out: Path, val: LoadedImages
) -> NDArray[np.float32]:
    """Write the graph without a card; return its logits of val films, class biases shifted."""
    graph = onnx.load(model)
    if head.config.prepares:
        remove_gate(graph.graph)
        prepare_input(graph, smooth=head.config.smooth, standardize=head.config.standardize)
    add_lung_head(graph, head, file.card.classes)
    onnx.save(graph, out)
    with working("asking about val films"):
        shift = shift_classes(out, run_logits(out, val.pixels), val.labels)
        say(f"class biases shifted by {', '.join(f'{value:+.3f}' for value in shift)}")
        return run_logits(out, val.pixels)


def _self_test(model: Path, file: ModelFile, side: int) -> SelfTest:
    logits = run_logits(model, self_test_inputs(side, side))
    rows = tuple(tuple(round(float(value), 6) for value in row) for row in logits)
    return replace(file.card.self_test, logits=rows)


def describe_preparation(config: LungHeadConfig) -> str:
    """Say in a sentence what is done to the input first, with a space before; "" for nothing."""
    steps = []
    if config.smooth:
        steps.append(f"smoothed (each of 3 x 3 neighbours counts {config.smooth:g})")
    if config.standardize:
        steps.append(
            f"given a mean of {MIDDLE_MEAN:g} and a deviation of {MIDDLE_DEVIATION:g} grey levels "
            "in its middle"
        )
    return f" Before the network sees a film, it is {' and '.join(steps)}." if steps else ""


def describe_evidence(config: LungHeadConfig) -> str:
    """Say in one sentence what a lung head's referral logit is."""
    terms = (
        (config.head, "the network's referral map"),
        (config.tuberculosis, "tuberculosis over the largest other class"),
        (config.abnormal, "the largest disease over normal"),
    )
    told = " + ".join(f"{weight:g} ({what})" for weight, what in terms if weight)
    return (
        f"r is the mean over the strongest {100 * config.strongest_share:g} % of the places in "
        f"the lungs of {told}"
    )


def _require_same_gate(before: Classifier, after: Classifier) -> None:
    """Raise ParityError unless the gate says the same of the self-test's inputs, to the bit."""
    side = before.card.input.height
    inputs = self_test_inputs(side, side)
    old, new = before.run(inputs).gate, after.run(inputs).gate
    if (old is None) != (new is None) or (
        old is not None and new is not None and not np.array_equal(old, new)
    ):
        raise ParityError("The lung head changed what the gate says: it was not written.")
