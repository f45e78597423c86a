"""The gates an exported model must pass on validation films before it may leave."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma, log

import numpy as np
from numpy.typing import NDArray

from cxr_export.errors import ParityError
from cxr_train.data.manifest import Example
from cxr_train.figures.measures import ModelScores
from cxr_train.figures.metrics import macro_f1
from cxr_train.figures.operating_point import TARGET_SENSITIVITY
from cxr_train.figures.resampling import confusions, group_weights, macro_f1_values
from cxr_train.figures.tb_threshold import choose_tb_point, fit_rule
from cxr_train.figures.temperature import class_logits
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import CLASSES, Referral
from edge_infer.model.proportions import wilson_interval
from edge_infer.model.referred import is_referred

LARGEST_FP32_DIFFERENCE = 1e-3
LARGEST_RUNNER_DIFFERENCE = 1e-4
"""Printed scores round logits to this."""
LEAST_AGREEMENT = 0.99
LEAST_AGREEMENT_AS_INT8 = 0.98
"""Of a network whose last epochs saw INT8: not its fp32 self was trained, so that the two differ on
films at the border between classes; how well it does is told by the other gates."""
LEAST_AGREEMENT_IF_BETTER = 0.9
"""Of a network that INT8 makes no worse, by macro-F1 and by TB films missed: what changed there is
not held against it, unless so much did that it is another network."""
LEVEL = 0.05
"""Of the tests: a network as good as the limit is refused this often at most, whatever the number
of films."""
LARGEST_F1_DROP = 0.01
MOST_TB_MISSED, SHARE_OF_TB_MISSED = 1, 0.01
"""One film, or one in a hundred where there are more: of 200, two more are what another day's films
would give."""
_TB = CLASSES.index("tuberculosis")


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One requirement with what was measured."""

    name: str
    measured: float
    limit: str
    passed: bool
    note: str = ""
    """What this proves and what to do, for reading."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What quantization changed on the validation films."""

    largest_logit_difference: float
    mean_logit_difference: float
    class_agreement: float
    macro_f1_fp32: float
    macro_f1_int8: float
    tb_missed_fp32: int
    tb_missed_int8: int
    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate is passed."""
        return all(gate.passed for gate in self.gates)


def check_fp32(torch_logits: NDArray[np.float32], onnx_logits: NDArray[np.float32]) -> Gate:
    """Compare checkpoint and fp32 graph."""
    difference = float(np.abs(torch_logits - onnx_logits).max())
    return Gate(
        name="torch against fp32 ONNX, largest logit difference",
        measured=difference,
        limit=f"< {LARGEST_FP32_DIFFERENCE:g}",
        passed=difference < LARGEST_FP32_DIFFERENCE,
    )


def check_int8(
    fp32: NDArray[np.float32],
    int8: NDArray[np.float32],
    examples: tuple[Example, ...],
    referral: Referral | None = None,
    *,
    least_agreement: float = LEAST_AGREEMENT,
) -> Parity:
    """Compare fp32 and INT8 logits [N, K] of the same films.

    `referral` is what the TB score is made of; None: p_tuberculosis.
    """
    labels = np.array([example.label for example in examples])
    before, after = (class_logits(logits).argmax(axis=1) for logits in (fp32, int8))
    f1_before, f1_after = macro_f1(labels, before), macro_f1(labels, after)
    missed_before, missed_after = _tb_missed(fp32, int8, examples, referral)
    is_better = f1_after >= f1_before and missed_after <= missed_before
    groups = [example.group for example in examples]
    gates = (
        _agreement_gate(
            int((before != after).sum()),
            len(labels),
            LEAST_AGREEMENT_IF_BETTER if is_better else least_agreement,
            wanted=least_agreement,
        ),
        _f1_gate(labels, before, after, groups),
        _tb_gate(missed_after - missed_before, int((labels == _TB).sum())),
    )
    return Parity(
        largest_logit_difference=float(np.abs(fp32 - int8).max()),
        mean_logit_difference=float(np.abs(fp32 - int8).mean()),
        class_agreement=float((before == after).mean()),
        macro_f1_fp32=f1_before,
        macro_f1_int8=f1_after,
        tb_missed_fp32=missed_before,
        tb_missed_int8=missed_after,
        gates=gates,
    )


def most_changed(films: int, least_agreement: float) -> int:
    """Return how many of `films` may change class before that speaks against `least_agreement`.

    The largest number that a network which keeps the class of this share of all films would reach
    or pass with a chance above LEVEL; 2 of 72 and 15 of 940 for 0.99.
    """
    share = 1 - least_agreement
    beyond, changed = 1.0, -1
    while beyond > LEVEL:
        changed += 1
        ways = lgamma(films + 1) - lgamma(changed + 1) - lgamma(films - changed + 1)
        beyond -= exp(ways + changed * log(share) + (films - changed) * log(1 - share))
    return changed


def films_to_show(least_agreement: float) -> int:
    """Return how many films, none of them changed, would show this agreement by its lower bound."""
    films = 1
    while wilson_interval(films, films).low < least_agreement:
        films += 1
    return films


def _agreement_gate(changed: int, films: int, least: float, *, wanted: float) -> Gate:
    most = most_changed(films, least)
    share = f"{changed} of {films} films changed class"
    shown = wilson_interval(films - changed, films).low >= wanted
    if changed > most:
        note = f"{share}, at most {most} may"
    elif shown:
        note = f"{share}: the same class on {wanted:.0%} of films or more is shown"
    elif changed <= most_changed(films, wanted):
        note = (
            f"{share}; with so few films that proves nothing: {films_to_show(wanted)} validation "
            "films or more would show it"
        )
    else:
        note = f"{share}, and INT8 does no worse on them: not held against it"
    return Gate(
        name="INT8 against fp32, films that changed class",
        measured=changed,
        limit=f"<= {most} of {films}",
        passed=changed <= most,
        note=note,
    )


def _f1_gate(
    labels: NDArray[np.int64],
    before: NDArray[np.intp],
    after: NDArray[np.intp],
    groups: list[str],
) -> Gate:
    """Refuse a drop that is larger than the limit and no accident of these films."""
    weights = group_weights(groups)
    values = [macro_f1_values(confusions(labels, one, weights)) for one in (before, after)]
    drops = values[0] - values[1]
    # The first value is that of the films as they are, the others of resampled patients.
    drop, low = float(drops[0]), float(np.percentile(drops[1:], 100 * LEVEL))
    passed = drop <= LARGEST_F1_DROP or low <= 0
    note = ""
    if passed and drop > LARGEST_F1_DROP:
        note = f"lower by {drop:.3f}; with so few films that may be chance"
    return Gate(
        name="macro-F1 drop",
        measured=drop,
        limit=f"<= {LARGEST_F1_DROP}, or within chance",
        passed=passed,
        note=note,
    )


def _tb_gate(more: int, films: int) -> Gate:
    most = max(MOST_TB_MISSED, int(SHARE_OF_TB_MISSED * films))
    return Gate(
        name="TB films missed more at the fp32 threshold",
        measured=more,
        limit=f"<= {most}",
        passed=more <= most,
        note="" if more <= most else f"{more} of {films} TB films missed more, at most {most} may",
    )


def check_runner(
    classifier: Classifier, pixels: NDArray[np.uint8], logits: NDArray[np.float32]
) -> None:
    """Raise ParityError unless the clinic's code gives the logits the card was fitted on.

    `pixels` [N, 1, H, W] and their `logits` [N, K] as the exporter computed them.
    """
    parts = [
        classifier.run(np.array(pixels[start : start + 8])).logits
        for start in range(0, len(pixels), 8)
    ]
    difference = float(np.abs(np.concatenate(parts) - logits).max())
    if not difference <= LARGEST_RUNNER_DIFFERENCE:
        raise ParityError(
            f"The runner gives other logits than the exporter, by up to {difference:.4f}."
        )


def _tb_missed(
    fp32: NDArray[np.float32],
    int8: NDArray[np.float32],
    examples: tuple[Example, ...],
    referral: Referral | None,
) -> tuple[int, int]:
    """Count TB films that are not referred at the threshold fp32 logits would have been given."""
    rule = fit_rule(fp32, examples, referral)
    before, after = (ModelScores(logits=one, rule=rule, tb_threshold=None) for one in (fp32, int8))
    point = choose_tb_point(
        before,
        examples,
        target_sensitivity=TARGET_SENSITIVITY,
        population="validation films",
    )
    is_tb = np.array([example.label for example in examples]) == _TB

    def missed(one: ModelScores) -> int:
        called = is_referred(one.tb_tenths, one.predictions == _TB, point.tenths)
        return int((is_tb & ~called).sum())

    return missed(before), missed(after)
