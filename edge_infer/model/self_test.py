"""Does this PC compute what the exporter's did? Inputs from integers, logits from the card."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.model.classifier import Classifier

FORMULA = "integer-waves-1"
_COUNT = 4
_LIMIT_S = 60.0
"""For the four pictures; the slowest network of ours takes half a second on an old PC."""


@dataclass(frozen=True, kw_only=True)
class SelfTestResult:
    """Whether the logits agree with the card's within its tolerance."""

    ok: bool
    largest_difference: float


def self_test_inputs(height: int, width: int) -> NDArray[np.uint8]:
    """Return uint8 [4, 1, height, width] from integer arithmetic alone, never from a patient.

    Picture k at row r, column c: a triangle wave of (k+1) r + 2 c and of r (7-k) // 4 - c, plus
    five bits of a multiplicative hash of the position, cut to 0..255.
    """
    rows = np.arange(height, dtype=np.int64)[:, None]
    columns = np.arange(width, dtype=np.int64)[None, :]
    pictures = []
    for k in range(_COUNT):
        slow = np.abs(((k + 1) * rows + 2 * columns) % 256 - 128)
        across = np.abs((rows * (7 - k) // 4 - columns) % 192 - 96)
        grain = ((rows * width + columns + k) * 2654435761 % 4294967296) >> 27
        pictures.append(np.clip(slow + across + grain, 0, 255))
    return np.stack(pictures)[:, None].astype(np.uint8)


def run_self_test(classifier: Classifier) -> SelfTestResult:
    """Run the embedded self-test on this PC."""
    card = classifier.card
    inputs = self_test_inputs(card.input.height, card.input.width)
    output = classifier.run(inputs, limit_s=_LIMIT_S)
    computed = output.logits
    # Both in order of CLASSES: a card that names the graph's outputs in another order fails.
    expected = np.array(card.self_test.logits)
    is_comparable = card.self_test.formula == FORMULA and expected.shape == computed.shape
    difference = float(np.abs(computed - expected).max()) if is_comparable else math.inf
    if card.gate is not None and output.gate is not None:
        gate = float(np.abs(output.gate - np.array(card.gate.self_test)).max())
        difference = max(difference, gate)
    return SelfTestResult(
        ok=difference <= card.self_test.tolerance,
        largest_difference=difference,
    )
