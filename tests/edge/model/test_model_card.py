"""Cards: what is written is read; what is missing, wrong or impossible is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_infer.errors import ModelError
from edge_infer.model.model_card import ModelCard
from edge_infer.model.model_file import load_model_file

CARD = load_model_file(Path(__file__).with_name("tiny.onnx")).card


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    plain = json.loads(CARD.to_json())
    change(plain)
    return json.dumps(plain)


def test_round_trip() -> None:
    assert ModelCard.from_json(CARD.to_json()) == CARD


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
        (lambda c: c.pop("schema"), "has schema None"),
    ],
)
def test_wrong_cards_are_named(change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        ModelCard.from_json(changed(change))


@pytest.mark.parametrize("text", ["", "null", "[]", "{" * 5000, '{"schema": 1.0}'])
def test_anything_but_a_card_is_a_model_error(text: str) -> None:
    with pytest.raises(ModelError):
        ModelCard.from_json(text)


def test_a_number_that_means_nothing_cannot_be_written() -> None:
    from dataclasses import replace

    with pytest.raises(ValueError, match="Out of range float"):
        replace(CARD, temperature=float("nan")).to_json()
