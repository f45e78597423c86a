"""The gates an exported model must pass on validation films before it may leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr_export.errors import ParityError
from cxr_train.data.manifest import Example
from cxr_train.figures.measures import ModelScores
from cxr_train.figures.metrics import macro_f1
from cxr_train.figures.operating_point import TARGET_SENSITIVITY
from cxr_train.figures.tb_threshold import choose_tb_point, fit_rule
from cxr_train.figures.temperature import class_logits
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import CLASSES, Referral
from edge_infer.model.referred import is_referred

LARGEST_FP32_DIFFERENCE = 1e-3
LARGEST_RUNNER_DIFFERENCE = 1e-4
"""Printed scores round logits to this."""
LEAST_AGREEMENT = 0.99
LEAST_AGREEMENT_AS_INT8 = 0.98
"""Of a network whose last epochs saw INT8: not its fp32 self was trained, so that the two differ on
films at the border between classes; how well it does is told by the other gates."""
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
    agreement = float((before == after).mean())
    f1_before, f1_after = macro_f1(labels, before), macro_f1(labels, after)
    missed_before, missed_after = _tb_missed(fp32, int8, examples, referral)
    most_missed = max(MOST_TB_MISSED, int(SHARE_OF_TB_MISSED * (labels == _TB).sum()))
    gates = (
        Gate(
            name="INT8 against fp32, same class",
            measured=agreement,
            limit=f">= {least_agreement}",
            passed=agreement >= least_agreement,
        ),
        Gate(
            name="macro-F1 drop",
            measured=f1_before - f1_after,
            limit=f"<= {LARGEST_F1_DROP}",
            passed=f1_before - f1_after <= LARGEST_F1_DROP,
        ),
        Gate(
            name="TB films missed more at the fp32 threshold",
            measured=missed_after - missed_before,
            limit=f"<= {most_missed}",
            passed=missed_after - missed_before <= most_missed,
        ),
    )
    return Parity(
        largest_logit_difference=float(np.abs(fp32 - int8).max()),
        mean_logit_difference=float(np.abs(fp32 - int8).mean()),
        class_agreement=agreement,
        macro_f1_fp32=f1_before,
        macro_f1_int8=f1_after,
        tb_missed_fp32=missed_before,
        tb_missed_int8=missed_after,
        gates=gates,
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
        population="validation films of adult sources",
    )
    is_tb = np.array([example.label for example in examples]) == _TB

    def missed(one: ModelScores) -> int:
        called = is_referred(one.tb_tenths, one.predictions == _TB, point.tenths)
        return int((is_tb & ~called).sum())

    return missed(before), missed(after)
