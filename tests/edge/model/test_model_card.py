"""Cards: what is written is read; what is missing, wrong or impossible is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer.errors import ModelError
from edge_infer.model.model_card import HospitalPoint, Interval, ModelCard, Referral
from edge_infer.model.model_file import load_model_file
from tests.edge.model.make_tiny_onnx import REFERRAL

CARD = load_model_file(Path(__file__).with_name("tiny.onnx")).card
FIVE = tuple((*row, 0.5) for row in CARD.self_test.logits)
Place = tuple[str | int, ...]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the place of every value in a card; of a list the first two items stand for all."""
    if place:
        yield place
    if isinstance(value, list):
        value = dict(enumerate(value[:2]))
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*place, key))


PLACES = tuple(places(json.loads(CARD.to_json())))


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    plain = json.loads(CARD.to_json())
    change(plain)
    return json.dumps(plain)


def test_round_trip() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD
    half = Interval(value=0.5, low=0.4, high=0.6)
    point = replace(
        CARD.operating_points.refer_tb,
        hospitals=(
            HospitalPoint(
                source="Utopia",
                own_threshold=41.5,
                sensitivity=half,
                specificity=half,
                n_positive=10,
                n_negative=20,
                n_groups=25,
            ),
        ),
    )
    card = replace(CARD, operating_points=replace(CARD.operating_points, refer_tb=point))
    assert ModelCard.from_json(card.to_json()) == card
    text = card.to_json().replace('"own_threshold": 41.5', '"own_threshold": 41.55')
    with pytest.raises(ModelError, match="'operating_points' is impossible"):
        ModelCard.from_json(text)
    card = replace(CARD, referral=REFERRAL, self_test=replace(CARD.self_test, logits=FIVE))
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize(
    ("referral", "logits", "key"),
    [
        (replace(REFERRAL, tuberculosis=-0.1), FIVE, "referral"),
        (replace(REFERRAL, head=0.0, tuberculosis=0.0, abnormal=0.0), FIVE, "referral"),
        (replace(REFERRAL, offset=101.0), FIVE, "referral"),
        (replace(REFERRAL, map="pneumonia"), FIVE, "referral"),
        (None, FIVE, "self_test.logits"),
        (REFERRAL, CARD.self_test.logits, "self_test.logits"),
        (REFERRAL, (*FIVE, FIVE[0][:4]), "self_test.logits"),
        (replace(REFERRAL, head=0.0), CARD.self_test.logits, "self_test.logits"),
        (REFERRAL, ((*FIVE[0], 0.0),), "self_test.logits"),
    ],
)
def test_outputs_and_what_the_score_is_made_of_must_fit(
    referral: Referral | None, logits: tuple[tuple[float, ...], ...], key: str
) -> None:
    card = replace(CARD, referral=referral, self_test=replace(CARD.self_test, logits=logits))
    with pytest.raises(ModelError, match=f"'{key}' is impossible"):
        ModelCard.from_json(card.to_json())


def test_a_score_of_the_four_classes_needs_no_fifth_output() -> None:
    referral = replace(REFERRAL, head=0.0, map="tuberculosis")
    for logits in (FIVE, CARD.self_test.logits):
        card = replace(CARD, referral=referral, self_test=replace(CARD.self_test, logits=logits))
        assert ModelCard.from_json(card.to_json()) == card


@settings(deadline=None)
@given(st.sampled_from(PLACES), JSON_VALUES)
def test_any_value_anywhere_gives_a_card_or_a_model_error(place: Place, value: Any) -> None:
    def put(plain: Any) -> None:
        for key in place[:-1]:
            plain = plain[key]
        plain[place[-1]] = value

    try:
        card = ModelCard.from_json(changed(put))
    except ModelError:
        return
    assert ModelCard.from_json(card.to_json()) == card


def test_unknown_keys_and_a_later_minor_version_are_ignored() -> None:
    text = changed(lambda card: card.update(schema="1.7", later={"x": 1}))
    card = ModelCard.from_json(text)
    assert card.schema == "1.7"
    assert card.operating_points == CARD.operating_points


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.pop("temperature"), "lacks 'temperature'"),
        (lambda c: c["input"].pop("height"), "lacks 'input.height'"),
        (lambda c: c.update(name=3), "'name' should be str"),
        (lambda c: c["input"].update(width=64.5), "'input.width' should be int"),
        (lambda c: c.update(min_age_years=True), "'min_age_years' should be int"),
        (lambda c: c.update(classes=["normal"]), "'classes' is impossible"),
        (lambda c: c.update(classes="normal"), "'classes' should be a list"),
        (lambda c: c.update(temperature=0), "'temperature' is impossible"),
        (lambda c: c["input"].update(height=8), "'input' is impossible"),
        (
            lambda c: c["operating_points"]["refer_tb"].update(threshold=12.34),
            "'operating_points' is impossible",
        ),
        (
            lambda c: c["operating_points"]["abnormal"].update(threshold=100.5),
            "'operating_points' is impossible",
        ),
        (lambda c: c["self_test"].update(logits=[]), "'self_test' is impossible"),
        (lambda c: c["histograms"][0].update(tb_score=[1]), "'histograms' is impossible"),
        (lambda c: c["histograms"].pop(), "'histograms' is impossible"),
        (lambda c: c["histograms"][0]["tb_score"].__setitem__(0, -1), "'histograms' is impossible"),
        (lambda c: c.update(min_age_years=-1), "'min_age_years' is impossible"),
        (lambda c: c.update(min_age_years=151), "'min_age_years' is impossible"),
        (lambda c: c.update(temperature=1e9), "'temperature' is impossible"),
        (
            lambda c: c["operating_points"]["refer_tb"].update(target_sensitivity=95.0),
            "'operating_points' is impossible",
        ),
        (
            lambda c: c["operating_points"]["abnormal"].update(n_groups=-1),
            "'operating_points' is impossible",
        ),
        (
            lambda c: c["operating_points"]["abnormal"]["sensitivity"].update(low=0.97),
            "'operating_points' is impossible",
        ),
        (lambda c: c["metrics"][0]["estimate"].update(high=1.5), "'metrics' is impossible"),
        (lambda c: c["metrics"][0].update(n=-5), "'metrics' is impossible"),
        (lambda c: c["metrics"][0].update(class_name="normbl"), "'metrics' is impossible"),
        (lambda c: c["quantization"].update(class_agreement=2.0), "'quantization' is impossible"),
        (lambda c: c["self_test"].update(tolerance=5.0), "'self_test' is impossible"),
        (lambda c: c["self_test"]["logits"][0].__setitem__(0, 1e5), "'self_test.logits' is"),
        (lambda c: c.update(temperature=10**400), "'temperature' is not a finite number"),
        (lambda c: c["self_test"].update(tolerance=float("inf")), "card is damaged"),
        (
            lambda c: c["metrics"][0]["estimate"].update(value=float("nan")),
            "card is damaged",
        ),
        (lambda c: c.pop("schema"), "has schema None"),
        (lambda c: c.update(schema="1.x"), r"has schema 1\.x"),
    ],
)
def test_wrong_cards_are_named(change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        ModelCard.from_json(changed(change))


@pytest.mark.parametrize("text", ["", "null", "[]", "{" * 5000, '{"schema": 1.0}'])
def test_anything_but_a_card_is_a_model_error(text: str) -> None:
    with pytest.raises(ModelError):
        ModelCard.from_json(text)


def test_a_tolerance_beyond_all_numbers_cannot_switch_the_self_test_off() -> None:
    text = CARD.to_json().replace('"tolerance": 0.01', '"tolerance": 1e999')
    with pytest.raises(ModelError, match=r"'self_test\.tolerance' is not a finite number"):
        ModelCard.from_json(text)


def test_a_number_that_means_nothing_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        replace(CARD, temperature=float("nan")).to_json()
