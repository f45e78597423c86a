"""What the gate's logits mean, and how a picture is put right.

Arithmetic as in `findings`: logits rounded to 1e-4, scores in whole tenths of a point, so that
every PC lets the same films through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ModelError
from edge_infer.model.gate import Gate, GateState


class Verdict(StrEnum):
    """What becomes of a picture at the gate."""

    PASSED = "passed"
    DOUBTFUL = "doubtful"
    """Scored, but `uncertain` whatever its scores."""
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class GateReading:
    """What the gate says of one picture."""

    tenths: int
    """100 (1 - p_frontal) in tenths of a point, 0..1000."""
    likeliest: GateState
    """Of the states other than frontal."""
    verdict: Verdict


def read_gate(logits: NDArray[np.float32], gate: Gate) -> GateReading:
    """Return what gate logits [states] of one picture mean; ModelError when not finite."""
    rounded = np.round(np.asarray(logits, dtype=np.float64), 4)
    if not np.isfinite(rounded).all():
        raise ModelError("The model's gate gave no number: copy the model file again.")
    frontal = gate.states.index(GateState.FRONTAL)
    powers = np.exp(rounded - rounded.max())
    others = np.delete(powers, frontal)
    # Rounded first: exp() may differ in the last digit between libraries.
    tenths = int(np.rint(np.round(1000 * others.sum() / powers.sum(), 6)))
    likeliest = GateState(
        [state for index, state in enumerate(gate.states) if index != frontal][others.argmax()]
    )
    verdict = Verdict.PASSED
    if tenths >= round(gate.refuse * 10):
        verdict = Verdict.REFUSED
    elif tenths >= round(gate.doubt * 10):
        verdict = Verdict.DOUBTFUL
    return GateReading(tenths=tenths, likeliest=likeliest, verdict=verdict)


Grey = TypeVar("Grey", np.uint8, np.uint16)
RIGHTING: dict[GateState, Callable[[NDArray[Any]], NDArray[Any]]] = {
    GateState.TURNED_LEFT: lambda picture: np.rot90(picture, -1, axes=(-2, -1)),
    GateState.TURNED_RIGHT: lambda picture: np.rot90(picture, 1, axes=(-2, -1)),
    GateState.UPSIDE_DOWN: lambda picture: np.rot90(picture, 2, axes=(-2, -1)),
    GateState.INVERTED: lambda picture: np.iinfo(picture.dtype).max - picture,
}
"""How pictures [..., H, W] of some states are put right, without loss."""


def put_right(picture: NDArray[Grey], state: GateState) -> NDArray[Grey]:
    """Return the upright, bones bright picture [..., H, W] of one in a state of RIGHTING."""
    return np.ascontiguousarray(RIGHTING[state](picture), dtype=picture.dtype)
