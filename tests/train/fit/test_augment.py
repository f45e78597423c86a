"""Augmentation repeats by seed, keeps the range, and does what each preset's name says."""

from __future__ import annotations

import pytest
import torch

from cxr_train.config import Augment
from cxr_train.fit.augment import augment_batch


def films(count: int = 6, size: int = 80) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(20, 236, (count, 1, size, size), dtype=torch.uint8, generator=generator)


def vary(augment: Augment, seed: int = 0, size: int = 70) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return augment_batch(films(), augment, size=size, generator=generator)


@pytest.mark.parametrize("augment", list(Augment))
def test_seed_repeats_and_output_is_float_in_range(augment: Augment) -> None:
    first, second = vary(augment), vary(augment)
    assert torch.equal(first, second)
    assert first.shape == (6, 1, 70, 70) and first.dtype == torch.float32
    assert first.min() >= 0 and first.max() <= 255


def test_none_is_the_plain_resize() -> None:
    same_size = vary(Augment.NONE, size=80)
    assert torch.equal(same_size, films().float())
    assert torch.equal(vary(Augment.NONE, seed=1), vary(Augment.NONE, seed=2))


@pytest.mark.parametrize("augment", [Augment.STANDARD, Augment.STRONG])
def test_other_seeds_and_other_films_vary_differently(augment: Augment) -> None:
    assert not torch.equal(vary(augment, seed=1), vary(augment, seed=2))
    same = augment_batch(
        films(1).expand(4, 1, 80, 80), augment, size=80, generator=torch.Generator().manual_seed(3)
    )
    assert not torch.equal(same[0], same[1])


def test_standard_moves_but_does_not_change_grey() -> None:
    flat = torch.full((8, 1, 80, 80), 100, dtype=torch.uint8)
    moved = augment_batch(
        flat, Augment.STANDARD, size=80, generator=torch.Generator().manual_seed(0)
    )
    centre = moved[:, :, 20:60, 20:60]
    torch.testing.assert_close(centre, torch.full_like(centre, 100.0))


def test_strong_covers_some_films_with_boxes() -> None:
    flat = torch.full((64, 1, 80, 80), 128, dtype=torch.uint8)
    varied = augment_batch(
        flat, Augment.STRONG, size=80, generator=torch.Generator().manual_seed(0)
    )
    black = (varied[:, 0, 10:70, 10:70] == 0).any(dim=(1, 2)).float().mean()
    assert 0.05 < black < 0.6
