"""The gate in the flow: a picture passes, is put right, is doubtful, or is refused in one sentence.

A film on its side, upside down or inverted is put right on the network's input, without loss, where
the gate takes the result for an upright film; the row says so. No other picture that the gate holds
back has a score unless it was asked for with `--no-gate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.study import StudyInfo
from edge_infer.model.classifier import Classifier, ModelOutput
from edge_infer.model.gate import Gate, GateState, Remark
from edge_infer.model.gate_reading import RIGHTING, GateReading, Grey, Verdict, put_right, read_gate
from edge_infer.model.preprocess import stretch_grey


@dataclass(frozen=True)
class _Said:
    """A sentence of the list, and its code."""

    sentence: str
    code: ReasonCode


_ON_ITS_SIDE: Final = _Said(
    "The picture lies on its side: turn it at the workstation and send it again.",
    ReasonCode.ON_ITS_SIDE,
)
_REFUSALS: Final = {
    GateState.NOT_CHEST: _Said(
        "The picture does not look like a chest film: check which file was sent; if it is a chest "
        "film, a doctor must read it.",
        ReasonCode.NOT_CHEST_PICTURE,
    ),
    GateState.LATERAL: _Said(
        "The picture looks like a lateral chest film: screen the frontal film of this examination.",
        ReasonCode.LATERAL_PICTURE,
    ),
    GateState.TURNED_LEFT: _ON_ITS_SIDE,
    GateState.TURNED_RIGHT: _ON_ITS_SIDE,
    GateState.UPSIDE_DOWN: _Said(
        "The picture is upside down: turn it at the workstation and send it again.",
        ReasonCode.UPSIDE_DOWN,
    ),
    GateState.INVERTED: _Said(
        "The picture is inverted, its bones are dark: invert it at the workstation and send it "
        "again.",
        ReasonCode.INVERTED,
    ),
    GateState.CUT_OFF: _Said(
        "The picture does not show both lungs whole: repeat the film, or let a doctor read it.",
        ReasonCode.LUNGS_CUT_OFF,
    ),
    GateState.BAD_EXPOSURE: _Said(
        "The picture is blank, clipped, or far too dark or light: send it with another window, or "
        "repeat the film.",
        ReasonCode.BAD_EXPOSURE,
    ),
    GateState.PHOTOGRAPH: _Said(
        "The picture looks like a photograph of a film, or a film within another picture: send the "
        "film itself from the X-ray machine or the archive.",
        ReasonCode.PHOTOGRAPH,
    ),
}
_RIGHTED: Final = {
    GateState.TURNED_LEFT: _Said(
        "The film lay on its side and was turned to the right before it was screened.",
        ReasonCode.PUT_UPRIGHT,
    ),
    GateState.TURNED_RIGHT: _Said(
        "The film lay on its side and was turned to the left before it was screened.",
        ReasonCode.PUT_UPRIGHT,
    ),
    GateState.UPSIDE_DOWN: _Said(
        "The film was upside down and was turned before it was screened.", ReasonCode.PUT_UPRIGHT
    ),
    GateState.INVERTED: _Said(
        "The film was inverted and was made bones bright before it was screened.",
        ReasonCode.MADE_POSITIVE,
    ),
}


def pass_gate(
    grey: NDArray[np.uint16],
    study: StudyInfo,
    thumbnail: bytes,
    classifier: Classifier,
    *,
    has_gate: bool,
) -> tuple[ModelOutput, Remark | None, GateState | None]:
    """Run the network on a picture behind the gate; `grey` [H, W] is what becomes its input.

    Returns its output, what must stand beside the scores, and the state that was put right, if any.
    Raises UnsupportedImage, with `study` and `thumbnail`, where the gate refuses the picture. A
    model without a gate lets everything through, and so does `has_gate` False, which marks all.
    """
    output = classifier.run(stretch_grey(grey)[None, None])
    gate = classifier.card.gate
    if gate is None or output.gate is None:
        return output, None, None
    reading = read_gate(output.gate[0], gate)
    if not has_gate:
        return output, _mark(reading), None
    if reading.verdict is Verdict.PASSED:
        return output, None, None
    if reading.verdict is Verdict.DOUBTFUL:
        return output, _doubt(reading), None
    if reading.likeliest in RIGHTING:
        righted = _try_righted(grey, reading.likeliest, classifier, gate)
        if righted is not None:
            said = _RIGHTED[reading.likeliest]
            return righted, Remark(said.sentence, said.code), reading.likeliest
    said = _REFUSALS[reading.likeliest]
    raise UnsupportedImage(said.sentence, said.code, study, thumbnail)


def as_in_file(heat: NDArray[Grey], reason: str) -> NDArray[Grey]:
    """Lay a map [h, w] of a film that was put right over the film as its file has it.

    `reason` is what stands beside its scores.
    """
    for state, opposite in _OPPOSITE.items():
        if reason == _RIGHTED[state].sentence:
            return put_right(heat, opposite)
    return heat


_OPPOSITE: Final = {
    GateState.TURNED_LEFT: GateState.TURNED_RIGHT,
    GateState.TURNED_RIGHT: GateState.TURNED_LEFT,
    GateState.UPSIDE_DOWN: GateState.UPSIDE_DOWN,
}
"""Putting a picture of the other state right turns an upright one into this one."""


def _try_righted(
    grey: NDArray[np.uint16], state: GateState, classifier: Classifier, gate: Gate
) -> ModelOutput | None:
    """Return the output of the picture put right, if the gate takes that for an upright film."""
    # Before the stretch, which an inverted picture would otherwise go through the wrong way round.
    output = classifier.run(stretch_grey(put_right(grey, state))[None, None])
    assert output.gate is not None, "it had a gate a moment ago"
    is_upright = read_gate(output.gate[0], gate).verdict is Verdict.PASSED
    return output if is_upright else None


def _doubt(reading: GateReading) -> Remark:
    said = _REFUSALS[reading.likeliest]
    return Remark(
        f"Doubtful, whatever the scores say (gate {reading.tenths / 10:.1f} of 100): "
        f"{said.sentence}",
        said.code,
    )


def _mark(reading: GateReading) -> Remark:
    if reading.verdict is Verdict.PASSED:
        return Remark(
            "Screened with --no-gate: nobody checked that this is an upright frontal chest film.",
            ReasonCode.GATE_OFF,
        )
    said = _REFUSALS[reading.likeliest]
    return Remark(
        f"Screened with --no-gate against what the gate says: {said.sentence}", ReasonCode.GATE_OFF
    )
