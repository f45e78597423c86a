"""What the gate did with pictures it did not learn from, and the thresholds chosen on some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr_train.gate.pictures import GateConfig, Picture
from edge_infer.model.gate import GateFigure, GateState

FRONTAL = list(GateState).index(GateState.FRONTAL)


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Gate scores in tenths of a point from which on a picture is doubtful, and refused."""

    doubt: int
    refuse: int


def gate_tenths(logits: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return gate scores [N] in tenths of a point of logits [N, states], as `read_gate` prints."""
    rounded = np.round(logits, 4)
    powers = np.exp(rounded - rounded.max(1, keepdims=True))
    others = np.delete(powers, FRONTAL, axis=1).sum(1)
    tenths = np.rint(np.round(1000 * others / powers.sum(1), 6))
    return np.asarray(tenths, dtype=np.int64)


def choose_thresholds(
    tenths: NDArray[np.int64], groups: Sequence[str], config: GateConfig
) -> Thresholds:
    """Choose the lowest thresholds that stop no more of the sound films than the config allows.

    `refuse` is not below `least_refuse`: what lies between is doubtful, and somebody looks.

    `tenths` [N] of sound validation films, `groups` their sources: no source's share of refused
    films may be more than three times what is allowed of all, one film excepted.
    """
    least = round(10 * config.least_refuse)
    refuse = max(least, _lowest(tenths, groups, config.most_refused))
    return Thresholds(
        doubt=min(_lowest(tenths, groups, config.most_doubtful), refuse), refuse=refuse
    )


def _lowest(tenths: NDArray[np.int64], groups: Sequence[str], share: float) -> int:
    names = np.array(groups)
    for threshold in range(50, 1000):
        stopped = tenths >= threshold
        per_group = [
            (stopped & (names == name)).sum() <= max(1, 3 * share * (names == name).sum())
            for name in sorted(set(groups))
        ]
        if stopped.mean() <= share and all(per_group):
            return threshold
    return 1000


def count_held_back(
    pictures: str, is_wrong: bool, tenths: NDArray[np.int64], thresholds: Thresholds
) -> GateFigure:
    """Count what the gate does with pictures of gate scores `tenths` [N]."""
    refused = int((tenths >= thresholds.refuse).sum())
    return GateFigure(
        pictures=pictures,
        is_wrong=is_wrong,
        refused=refused,
        doubtful=int((tenths >= thresholds.doubt).sum()) - refused,
        n=len(tenths),
    )


def figures_of(
    pictures: Sequence[Picture],
    tenths: NDArray[np.int64],
    thresholds: Thresholds,
    *,
    where: str,
) -> list[GateFigure]:
    """Return a figure for sound films per source, and one for each way of making films wrong."""
    figures = []
    sound = [index for index, one in enumerate(pictures) if one.made == "as it is"]
    for source in sorted({pictures[index].kind for index in sound}):
        some = [index for index in sound if pictures[index].kind == source]
        name = f"{where}, {source or 'unnamed source'}"
        figures.append(count_held_back(name, False, tenths[some], thresholds))
    for made in sorted({one.made for one in pictures} - {"as it is"}):
        some = [index for index, one in enumerate(pictures) if one.made == made]
        figures.append(count_held_back(f"{where}, {made}", True, tenths[some], thresholds))
    return figures


def figures_of_kinds(
    pictures: Sequence[Picture],
    tenths: NDArray[np.int64],
    thresholds: Thresholds,
    *,
    where: str,
) -> list[GateFigure]:
    """Return a figure for each kind of other pictures, as they are."""
    figures = []
    for kind in sorted({one.kind for one in pictures}):
        some = [
            index
            for index, one in enumerate(pictures)
            if one.kind == kind and one.made == "as it is"
        ]
        figures.append(count_held_back(f"{where}, {kind}", True, tenths[some], thresholds))
    return figures
