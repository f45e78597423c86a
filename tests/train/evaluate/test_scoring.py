"""A model is asked about films in parts, and says how far it is."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from cxr_train import terminal
from cxr_train.evaluate import scoring
from cxr_train.evaluate.scoring import Images, Model
from edge_infer.model.model_card import ScoreRule


def make_model(pause: float = 0.0) -> Model:
    def ask(images: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        time.sleep(pause * bool(len(images)))
        return np.repeat(images.mean(axis=(1, 2, 3), dtype=np.float32)[:, None], 4, axis=1)

    return Model(
        name="mine",
        side=4,
        sha256="",
        ask=ask,
        rule=ScoreRule(temperature=1.0, referral=None),
        tb_threshold=None,
        card=None,
    )


def test_parts_are_put_together_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_AT_ONCE", 3)
    films = np.arange(8, dtype=np.uint8).repeat(16).reshape(8, 1, 4, 4)
    np.testing.assert_array_equal(make_model().score(films).logits[:, 0], np.arange(8))
    assert make_model().score(films[:0]).logits.shape == (0, 4)


def test_films_a_threshold_was_fitted_on_are_not_asked_about_twice() -> None:
    films = np.zeros((2, 1, 4, 4), np.uint8)
    known = np.full((2, 4), 7, np.float32)
    model = replace(make_model(), fitted_on=(films, known))
    assert (model.score(films).logits == 7).all()
    assert (model.score(films.copy()).logits == 0).all()


def test_a_log_is_told_how_many_films_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evaluate` was silent for minutes where its stderr is no terminal."""
    monkeypatch.setattr(terminal, "_FIRST_PLAIN_S", 0.05)
    monkeypatch.setattr(terminal, "_TICK_S", 0.01)
    monkeypatch.setattr(scoring, "_AT_ONCE", 1)
    make_model(pause=0.1).score(np.zeros((4, 1, 4, 4), np.uint8))
    assert "... asking mine about films 1 of 4" in capsys.readouterr().err
