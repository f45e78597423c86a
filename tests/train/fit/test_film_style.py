"""A hospital's way of making pictures: grey levels, JPEG blocks, surroundings."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from cxr_train.config import Augment
from cxr_train.fit.augment import vary_with_guides
from cxr_train.fit.film_style import compress, match_grey, swap_surroundings


def films(count: int = 4, side: int = 64) -> torch.Tensor:
    noise = torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(2))
    slope = torch.linspace(0, 1, side).reshape(1, 1, 1, side)
    return ((0.3 * noise + 0.7 * slope) * 255).round()


def test_a_matched_film_has_the_others_quantiles_and_keeps_its_order() -> None:
    one = films(1)
    other = (films(1) / 255) ** 2 * 200 + 20
    matched = match_grey(one, other, torch.ones(1))
    shares = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(
        matched.flatten().quantile(shares), other.flatten().quantile(shares), rtol=0, atol=6
    )
    order = one.flatten().argsort()
    assert (matched.flatten()[order].diff() > -1e-3).all()
    assert torch.equal(match_grey(one, other, torch.zeros(1)), one)


def test_blocks_are_those_of_a_jpeg_of_that_quality() -> None:
    film = cv2.GaussianBlur(films(1)[0, 0].numpy().astype(np.uint8), (5, 5), 0)
    encoded = cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
    theirs = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.float32)
    ours = compress(torch.from_numpy(film.astype(np.float32))[None, None], torch.tensor([20.0]))
    # libjpeg computes in whole numbers: one step of rounding apart here and there.
    assert np.abs(ours[0, 0].clamp(0, 255).numpy() - theirs).mean() < 0.6
    assert np.abs(film - theirs).mean() > 2


def test_a_side_that_is_no_multiple_of_eight_keeps_its_size() -> None:
    assert compress(films(2, 61), torch.tensor([30.0, 60.0])).shape == (2, 1, 61, 61)


def test_lungs_stay_and_what_lies_far_from_them_is_the_others() -> None:
    lungs = torch.zeros(2, 1, 64, 64)
    lungs[:, :, 20:40, 20:40] = 1
    one, other = torch.full((2, 1, 64, 64), 10.0), torch.full((2, 1, 64, 64), 200.0)
    swapped = swap_surroundings(one, other, lungs, torch.tensor([1.0, 0.0]))
    assert (swapped[0, 0, 20:40, 20:40] == 10).all() and (swapped[0, 0, :8] == 200).all()
    assert torch.equal(swapped[1], one[1])


def test_guides_move_as_the_film_does() -> None:
    maps = torch.zeros(8, 2, 64, 64)
    maps[:, 0, 10:30, 10:30] = 1
    pictures = (maps[:, :1] * 255).round().to(torch.uint8)
    moved, guides = vary_with_guides(
        pictures, maps, Augment.STANDARD, size=64, generator=torch.Generator().manual_seed(3)
    )
    assert ((moved[:, 0] > 127) == (guides[:, 0] > 0.5)).float().mean() > 0.99
    assert not torch.equal(guides, maps) and not guides[:, 1].any()
