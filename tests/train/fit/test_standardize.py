"""A standardized network sees the same film however bright and hard a hospital prints it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cxr_train.config import make_config
from cxr_train.fit.network import build_for
from cxr_train.fit.standardize import MIDDLE_DEVIATION, MIDDLE_MEAN, standardize

SIDE = 56
MIDDLE = slice(12, 44)


def films() -> Tensor:
    """Return made-up films [3, 1, 56, 56] of whole grey levels, 80 to 160: waves, never clipped."""
    phases = torch.arange(SIDE) / 4.0
    across = torch.stack([torch.sin(phases + turn) for turn in range(3)])[:, None, None]
    down = torch.cos(phases)[:, None] / 4
    return (120 + 32 * (across + down)).round()


def test_the_middle_gets_one_mean_and_one_deviation() -> None:
    middle = standardize(films())[:, :, MIDDLE, MIDDLE]
    torch.testing.assert_close(
        middle.mean(dim=(1, 2, 3)), torch.full((3,), MIDDLE_MEAN), atol=0.25, rtol=0
    )
    torch.testing.assert_close(
        middle.std(dim=(1, 2, 3), correction=0),
        torch.full((3,), MIDDLE_DEVIATION),
        atol=0.25,
        rtol=0,
    )
    assert torch.equal(middle, middle.round())


@pytest.mark.parametrize(("gain", "offset"), [(0.875, 40.0), (1.5, -60.0), (1.0, 60.0)])
def test_brightness_and_contrast_are_gone(gain: float, offset: float) -> None:
    otherwise = standardize(films() * gain + offset)[:, :, MIDDLE, MIDDLE]
    assert (otherwise - standardize(films())[:, :, MIDDLE, MIDDLE]).abs().max() <= 1


def test_borders_do_not_count_and_a_blank_film_stays_blank() -> None:
    banded = films()
    banded[..., :10] = 0
    there = slice(10, SIDE)
    assert torch.equal(standardize(banded)[..., there], standardize(films())[..., there])
    blank = standardize(torch.full((1, 1, SIDE, SIDE), 9.0))
    assert torch.equal(blank, torch.full_like(blank, MIDDLE_MEAN))


def test_a_recipe_asks_for_it_and_all_of_the_network_sees_it() -> None:
    settings = {"arch": "cnn5", "input_size": SIDE, "stages": [{"size": SIDE, "epochs": 1}]}
    torch.manual_seed(0)
    plain = build_for(make_config(settings)).eval()
    standard = build_for(make_config(settings | {"standardize": True})).eval()
    standard.load_state_dict(plain.state_dict())
    with torch.no_grad():
        assert torch.equal(standard(films())[1], plain(standardize(films()))[1])
        assert not torch.equal(standard(films())[1], plain(films())[1])
        as_bytes = films().to(torch.uint8)
        assert torch.equal(standard(as_bytes)[0], standard(films())[0])
