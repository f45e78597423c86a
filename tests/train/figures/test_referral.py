"""What a recipe or an option says of the TB score, and what the card then says in words."""

from __future__ import annotations

import json

import pytest

from cxr_train.config import make_config
from cxr_train.errors import ConfigError
from cxr_train.figures.referral import make_referral, parse_weights, referral_of


def test_a_recipe_s_weights_become_the_card_s_block() -> None:
    recipe = {
        "referral_score": [0.5, 0.25, 1, -0.5],
        "referral_map": "referral",
        "referral_chosen_on": "films of Utopia",
    }
    config = make_config(recipe)
    assert make_config(json.loads(json.dumps(config.to_dict()))) == config
    referral = referral_of(config)
    assert referral is not None
    weights = (referral.head, referral.tuberculosis, referral.abnormal, referral.offset)
    assert weights == (0.5, 0.25, 1.0, -0.5) and referral.map == "referral"
    assert "z = 0.5 r + 0.25 logit(p_tuberculosis) + 1 logit(1 - p_normal) - 0.5," in (
        referral.statement
    )
    assert referral.statement.endswith("Weights chosen on films of Utopia.")
    assert referral_of(make_config({})) is None


def test_a_score_without_the_head_does_not_speak_of_it() -> None:
    said = make_referral((0, 0.25, 0.75, 0)).statement
    assert "z = 0.25 logit(p_tuberculosis) + 0.75 logit(1 - p_normal)," in said
    assert "referral logit" not in said and "chosen on" not in said


@pytest.mark.parametrize("weights", ["0,1,1", "0,1,1,0,0", "-1,1,1,0", "0,0,0,1", "nan,1,1,0"])
def test_impossible_weights_are_named(weights: str) -> None:
    with pytest.raises(ConfigError, match=r"weights a, b, c|Weights a, b, c"):
        make_referral(parse_weights(weights))


def test_words_are_no_weights() -> None:
    with pytest.raises(ConfigError, match=r"'0\.5;1' is not four numbers"):
        parse_weights("0.5;1")
    with pytest.raises(ConfigError, match="map of a referred film"):
        make_referral((0, 1, 1, 0), shown_map="normal")
    with pytest.raises(ConfigError, match="'referral_score' is 'a'"):
        make_config({"referral_score": ["a", 1, 1, 1]})
    with pytest.raises(ConfigError, match="referral_score: four numbers"):
        make_config({"referral_score": [1.0]})
