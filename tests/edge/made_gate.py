"""A gate's block and logits made by hand."""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

from edge_infer.model.gate import Gate, GateFigure, GateState


def make_gate(doubt: float = 20.0, refuse: float = 50.0) -> Gate:
    return Gate(
        states=tuple(GateState),
        doubt=doubt,
        refuse=refuse,
        statement="Made by hand.",
        figures=(GateFigure(pictures="hands", is_wrong=True, refused=9, doubtful=1, n=10),),
        self_test=((0.0,) * len(GateState),) * 4,
    )


def make_gate_logits(state: GateState, points: float) -> NDArray[np.float32]:
    """Return logits of a gate score of `points`, all of it for one state."""
    logits = np.full(len(GateState), -40.0, np.float32)
    logits[list(GateState).index(GateState.FRONTAL)] = 0.0
    share = points / 100
    logits[list(GateState).index(state)] = log(share / (1 - share)) if share else -40.0
    return logits
