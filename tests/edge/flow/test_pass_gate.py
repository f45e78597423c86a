"""Pictures at the gate, with a network that says what the test wants."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnsupportedImage
from edge_infer.films.study import InputType, StudyInfo
from edge_infer.flow.pass_gate import as_in_file, pass_gate
from edge_infer.model.classifier import Classifier, ModelOutput
from edge_infer.model.gate import GateState, is_doubt
from edge_infer.model.gate_reading import put_right
from edge_infer.model.model_card import ModelCard
from edge_infer.model.preprocess import stretch_grey
from tests.edge.made_day import make_card
from tests.edge.made_gate import make_gate, make_gate_logits

STUDY = StudyInfo(input_type=InputType.RASTER)
UPRIGHT = np.random.default_rng(0).integers(0, 65536, (20, 20), dtype=np.uint16)
"""Grey levels before the stretch."""


class FakeClassifier:
    """Says of the upright picture that it is frontal, of any other what it was told."""

    def __init__(self, state: GateState, points: float, card: ModelCard | None = None) -> None:
        self.card = card or replace(make_card(), gate=make_gate())
        self._state, self._points = state, points
        self.seen: list[NDArray[np.uint8]] = []

    def run(self, images: NDArray[np.uint8]) -> ModelOutput:
        self.seen.append(images[0])
        is_upright = np.array_equal(images[0, 0], stretch_grey(UPRIGHT))
        logits = make_gate_logits(self._state, 0.0 if is_upright else self._points)
        return ModelOutput(
            logits=np.full((1, 4), len(self.seen), np.float32),
            cam=np.zeros((1, 4, 2, 2), np.float32),
            gate=None if self.card.gate is None else logits[None],
        )


def at_the_gate(
    picture: NDArray[np.uint16], fake: FakeClassifier, *, has_gate: bool = True
) -> tuple[float, ReasonCode | None, str, GateState | None]:
    classifier = cast(Classifier, fake)
    output, remark, state = pass_gate(picture, STUDY, b"jpeg", classifier, has_gate=has_gate)
    code, reason = (remark.code, remark.reason) if remark else (None, "")
    return float(output.logits[0, 0]), code, reason, state


def test_an_upright_film_passes_without_a_remark() -> None:
    assert at_the_gate(UPRIGHT, FakeClassifier(GateState.LATERAL, 99.0)) == (1.0, None, "", None)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (GateState.TURNED_LEFT, ReasonCode.PUT_UPRIGHT),
        (GateState.TURNED_RIGHT, ReasonCode.PUT_UPRIGHT),
        (GateState.UPSIDE_DOWN, ReasonCode.PUT_UPRIGHT),
        (GateState.INVERTED, ReasonCode.MADE_POSITIVE),
    ],
)
def test_a_film_that_can_be_put_right_has_the_scores_of_the_upright_one(
    state: GateState, code: ReasonCode
) -> None:
    undo = {
        GateState.TURNED_LEFT: GateState.TURNED_RIGHT,
        GateState.TURNED_RIGHT: GateState.TURNED_LEFT,
    }
    fake = FakeClassifier(state, 99.0)
    seen, said, reason, righted = at_the_gate(put_right(UPRIGHT, undo.get(state, state)), fake)
    assert (seen, said, righted) == (2.0, code, state)
    assert "before it was screened" in reason
    np.testing.assert_array_equal(fake.seen[1][0], stretch_grey(UPRIGHT))


@pytest.mark.parametrize(
    ("state", "code", "todo"),
    [
        (GateState.NOT_CHEST, ReasonCode.NOT_CHEST_PICTURE, "check which file was sent"),
        (GateState.LATERAL, ReasonCode.LATERAL_PICTURE, "screen the frontal film"),
        (GateState.CUT_OFF, ReasonCode.LUNGS_CUT_OFF, "repeat the film"),
        (GateState.BAD_EXPOSURE, ReasonCode.BAD_EXPOSURE, "another window"),
        (GateState.PHOTOGRAPH, ReasonCode.PHOTOGRAPH, "send the film itself"),
        # What still looks wrong after it was turned is refused.
        (GateState.UPSIDE_DOWN, ReasonCode.UPSIDE_DOWN, "turn it at the workstation"),
    ],
)
def test_a_refusal_says_what_to_do(state: GateState, code: ReasonCode, todo: str) -> None:
    with pytest.raises(UnsupportedImage, match=todo) as refusal:
        at_the_gate(np.zeros((20, 20), np.uint16), FakeClassifier(state, 99.0))
    error = refusal.value
    assert (error.code, error.study, error.thumbnail) == (code, STUDY, b"jpeg")


def test_a_doubtful_film_has_scores_and_a_reason() -> None:
    wrong = np.zeros((20, 20), np.uint16)
    seen, code, reason, _ = at_the_gate(wrong, FakeClassifier(GateState.LATERAL, 30.0))
    assert seen == 1.0 and code is ReasonCode.LATERAL_PICTURE and is_doubt(code)
    assert "gate 30.0 of 100" in reason and "lateral" in reason


def test_without_the_gate_everything_has_scores_and_every_row_says_so() -> None:
    fake = FakeClassifier(GateState.LATERAL, 99.0)
    _, code, reason, _ = at_the_gate(np.zeros((20, 20), np.uint16), fake, has_gate=False)
    assert code is ReasonCode.GATE_OFF and "lateral" in reason and not is_doubt(code)
    _, code, reason, _ = at_the_gate(UPRIGHT, fake, has_gate=False)
    assert code is ReasonCode.GATE_OFF and "nobody checked" in reason


@pytest.mark.parametrize(
    "state", [GateState.TURNED_LEFT, GateState.TURNED_RIGHT, GateState.UPSIDE_DOWN]
)
def test_a_map_lies_over_the_film_as_its_file_has_it(state: GateState) -> None:
    undo = {
        GateState.TURNED_LEFT: GateState.TURNED_RIGHT,
        GateState.TURNED_RIGHT: GateState.TURNED_LEFT,
    }
    in_the_file = put_right(UPRIGHT, undo.get(state, state))
    _, _, reason, _ = at_the_gate(in_the_file, FakeClassifier(state, 99.0))
    np.testing.assert_array_equal(as_in_file(UPRIGHT, reason), in_the_file)
    np.testing.assert_array_equal(as_in_file(UPRIGHT, "Any other."), UPRIGHT)


def test_a_model_without_a_gate_lets_everything_through() -> None:
    fake = FakeClassifier(GateState.LATERAL, 99.0, make_card())
    assert at_the_gate(np.zeros((20, 20), np.uint16), fake)[1] is None
