"""A gate's run folder whose weights nobody trained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from cxr_train.gate.head import GateHead
from cxr_train.gate.run import GATE_FILE, WEIGHTS_FILE
from cxr_train.gate.taps import Taps
from edge_infer.model.card_json import to_plain
from edge_infer.model.gate import GateFigure, GateState
from edge_infer.model.model_file import load_model_file


def write_untrained_gate(folder: Path, model: Path, taps: Taps, head: GateHead) -> None:
    """Write `head` into `folder` as `cxr-train gate` would for `model`."""
    weights = {name: one.numpy() for name, one in head.state_dict().items()}
    np.savez(folder / WEIGHTS_FILE, allow_pickle=False, **weights)
    figure = GateFigure(pictures="val, NIH", is_wrong=False, refused=0, doubtful=1, n=30)
    facts = {
        "model": {"name": "cxr-lite0", "version": "x", "sha256": load_model_file(model).sha256},
        "taps": dataclasses.asdict(taps),
        "states": [state.value for state in GateState],
        "doubt": 20.0,
        "refuse": 50.0,
        "statement": "Nobody trained it.",
        "figures": [to_plain(figure)],
    }
    (folder / GATE_FILE).write_text(json.dumps(facts), encoding="utf-8")
