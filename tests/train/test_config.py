"""Recipes: what is unknown, of the wrong type or impossible ends with one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cxr_train.config import Augment, check_settings, make_config, read_recipe
from cxr_train.errors import ConfigError
from cxr_train.gate.pictures import GateConfig
from cxr_train.lung_head.layer import LungHeadConfig

RECIPES = Path(__file__).resolve().parents[2] / "train" / "recipes"
SMALL_HEADS: dict[str, Any] = {"gate.toml": GateConfig, "lung-head.toml": LungHeadConfig}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"learning_rat": 1e-3}, "Unknown setting 'learning_rat'"),
        ({"batch_size": "64"}, "must be of type int"),
        ({"batch_size": True}, "must be of type int"),
        ({"augment": "wild"}, "none, standard, strong"),
        ({"learning_rate": 0.0}, "learning_rate: above 0"),
        ({"stages": []}, "stages must not be empty"),
        ({"stages": [{"size": 128, "epochs": 1}]}, "must equal input_size"),
        ({"stages": [{"size": 224}]}, "tables with size, epochs"),
        ({"stages": [{"size": 224, "epochs": 1, "augment": "x"}]}, "none, standard, strong"),
        ({"stages": [{"size": "224", "epochs": 1}]}, "whole numbers"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"quantize_aware": 21}, "quantize_aware: 0 to the last stage's epochs"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        make_config(settings)


def test_every_recipe_is_a_valid_configuration() -> None:
    recipes = sorted(RECIPES.glob("*.toml"))
    assert recipes
    for recipe in recipes:
        kind = SMALL_HEADS.get(recipe.name)
        if kind is None:
            make_config(read_recipe(recipe))
        else:
            assert kind(**check_settings(kind, read_recipe(recipe))) != kind(seed=1)


def test_config_survives_json() -> None:
    config = make_config({"augment": "strong", "learning_rate": 1})
    assert config.augment is Augment.STRONG and config.learning_rate == 1.0
    assert make_config(config.to_dict()) == config
    assert type(config.to_dict()["augment"]) is str


def test_stage_of_walks_through_the_stages() -> None:
    config = make_config(
        {"stages": [{"size": 64, "epochs": 2}, {"size": 96, "epochs": 1}], "input_size": 96}
    )
    assert [config.stage_of(epoch).size for epoch in range(config.epochs)] == [64, 64, 96]
    with pytest.raises(IndexError):
        config.stage_of(3)


def test_unreadable_recipe_is_a_config_error(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text("name = ", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_recipe(recipe)
