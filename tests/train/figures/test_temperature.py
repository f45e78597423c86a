"""Temperature recovers a known one; the calibration error of a known case is known."""

from __future__ import annotations

import numpy as np
import pytest

from cxr_train.figures.temperature import (
    fit_class_shift,
    fit_temperature,
)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    random = np.random.default_rng(3)
    logits = random.normal(0, 2, (20_000, 4))
    chances = np.exp(logits)
    chances /= chances.sum(axis=1, keepdims=True)
    labels = (random.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    fitted = fit_temperature((logits * temperature).astype(np.float32), labels)
    assert fitted == pytest.approx(temperature, rel=0.04)


def test_classes_drawn_in_other_shares_are_put_right() -> None:
    random = np.random.default_rng(4)
    logits = random.normal(0, 2, (20_000, 4))
    chances = np.exp(logits)
    chances /= chances.sum(axis=1, keepdims=True)
    labels = (random.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(0, 3)
    wrong = np.array([0.9, -0.5, 0.1, -0.5])
    shift = fit_class_shift((1.5 * (logits + wrong)).astype(np.float32), labels)
    np.testing.assert_allclose(shift, -1.5 * wrong, atol=0.12)
    assert np.abs(fit_class_shift(logits.astype(np.float32), labels)).max() < 0.08
    with pytest.raises(ValueError, match="no film"):
        fit_class_shift(np.zeros((0, 4), dtype=np.float32), [])


def test_no_film_is_an_error() -> None:
    with pytest.raises(ValueError, match="no film"):
        fit_temperature(np.zeros((0, 4), dtype=np.float32), [])
