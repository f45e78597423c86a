"""The page of a recipe's keys is made of the settings, and is a recipe itself."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

import pytest

from cxr_train.config import TrainConfig, make_config
from cxr_train.recipe_keys import describe_fields, describe_keys

PAGE = Path(__file__).resolve().parents[2] / "docs" / "recipe.md"


def test_the_page_is_what_the_command_prints() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.split("~~~toml\n")[1] == "\n".join(describe_keys()) + "\n~~~\n", (
        "make the page again: its lower half is what `cxr-train recipe` prints"
    )


def test_it_is_a_recipe_of_defaults_with_every_key() -> None:
    settings = tomllib.loads("\n".join(describe_keys()))
    assert set(settings) == {field.name for field in dataclasses.fields(TrainConfig)}
    assert make_config(settings) == TrainConfig()


def test_a_setting_that_says_nothing_is_found() -> None:
    class Silent:
        first: int = 1
        """Says it."""
        second: int = 2
        third: int = 3

    with pytest.raises(ValueError, match="second"):
        describe_fields(Silent)
