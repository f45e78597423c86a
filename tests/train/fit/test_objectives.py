"""What a step minimises: pairs of one hospital only, evidence inside lungs and boxes, teachers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cxr_train.config import TrainConfig, make_config
from cxr_train.errors import ConfigError
from cxr_train.fit.loop import label_loss, place_loss
from cxr_train.fit.objectives import (
    REFERRAL,
    Truth,
    align_normals,
    follow_teachers,
    keep_inside_lungs,
    point_into_boxes,
    rank_within_hospitals,
    separate_within_hospitals,
)

NORMAL, PNEUMONIA, COVID, TB = range(4)


def truth(labels: list[int], hospitals: list[int], guides: Tensor | None = None) -> Truth:
    return Truth(
        labels=torch.tensor(labels),
        hospitals=torch.tensor(hospitals),
        sources=torch.tensor(hospitals) + 1,
        guides=guides,
    )


def test_ranking_is_the_mean_over_hospitals_of_pairs_inside_them() -> None:
    films = truth([TB, NORMAL, NORMAL, PNEUMONIA, NORMAL, TB], [0, 0, 0, 1, 1, -1])
    scores = torch.tensor([1.0, 0.0, 2.0, -1.0, 3.0, 9.0])
    first = (F.softplus(torch.tensor(-1.0)) + F.softplus(torch.tensor(1.0))) / 2
    second = F.softplus(torch.tensor(4.0))
    expected = (first + second) / 2
    torch.testing.assert_close(rank_within_hospitals(scores, films, 3), expected)


def test_a_pair_of_two_hospitals_teaches_nothing() -> None:
    films = truth([TB, NORMAL, TB], [0, 1, -1])
    scores = torch.tensor([0.0, 1.0, 2.0], requires_grad=True)
    loss = rank_within_hospitals(scores, films, 2)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0 and scores.grad is not None and not scores.grad.any()


def test_separation_weighs_both_halves_of_a_hospital_alike() -> None:
    scores = torch.tensor([0.5, -1.0, -2.0, 0.3])
    films = truth([TB, NORMAL, NORMAL, NORMAL], [0, 0, 0, -1])
    diseased = F.softplus(torch.tensor(-0.5))
    healthy = (F.softplus(torch.tensor(-1.0)) + F.softplus(torch.tensor(-2.0))) / 2
    expected = (diseased + healthy) / 2
    torch.testing.assert_close(separate_within_hospitals(scores, films, 2), expected)


def test_alignment_is_the_spread_of_normal_means_over_sources() -> None:
    films = truth([NORMAL, NORMAL, NORMAL, TB], [0, 0, 1, 1])
    scores = torch.tensor([1.0, 3.0, -2.0, 50.0])
    torch.testing.assert_close(align_normals(scores, films, 4), torch.tensor(4.0))


def test_evidence_outside_the_lungs_is_the_share_of_it() -> None:
    lungs = torch.zeros(2, 2, 6, 6)
    lungs[0, 0, :3, :3] = 1
    cam = torch.zeros(2, 5, 6, 6)
    cam[0, 1:, 0, 0] = 300.0
    cam[0, 1:, 5, 5] = 100.0
    cam[1, 1:, 5, 5] = 100.0  # of a film whose lungs are unknown
    share = keep_inside_lungs(cam, truth([TB, TB], [0, 0], lungs))
    torch.testing.assert_close(share, torch.tensor(100 / 401), rtol=1e-4, atol=1e-4)


def test_pointing_into_the_box_costs_least() -> None:
    boxes = torch.zeros(1, 2, 4, 4)
    boxes[0, 1, 1, 2] = 1
    films = truth([TB], [0], boxes)
    inside, outside = torch.zeros(1, 5, 4, 4), torch.zeros(1, 5, 4, 4)
    for channel in (TB, REFERRAL):
        inside[0, channel, 1, 2] = outside[0, channel, 3, 3] = 20.0
    assert point_into_boxes(inside, films) < 1e-3 < 5 < point_into_boxes(outside, films)


def test_a_student_that_says_what_its_teachers_say_on_average_has_no_slope() -> None:
    taught = torch.randn(3, 6, 5, generator=torch.Generator().manual_seed(0))
    classes = (taught[:, :, :4] / 2).softmax(dim=2).mean(dim=0).log() * 2
    referral = torch.logit(taught[:, :, 4].sigmoid().mean(dim=0))
    logits = torch.cat([classes, referral[:, None]], dim=1).requires_grad_()
    follow_teachers(logits, taught).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and logits.grad.abs().max() < 1e-6


def config(**settings: object) -> TrainConfig:
    return make_config({"label_smoothing": 0.0, "referral": True, "hospitals": ["A"]} | settings)


def test_weights_of_the_settings_add_up() -> None:
    films = truth([TB, NORMAL], [0, 0])
    logits = torch.tensor([[0.0, 0, 0, 1, 0.4], [1.0, 0, 0, 0, -0.2]])
    classes = F.cross_entropy(logits[:, :4], films.labels)
    ranking = rank_within_hospitals(logits[:, 4], films, 1)
    apart = separate_within_hospitals(logits[:, 4], films, 1)
    settings = config(referral_weight=2.0, separate_weight=0.5)
    torch.testing.assert_close(
        label_loss(settings, logits, films), classes + 2 * ranking + 0.5 * apart
    )
    plain = make_config({"label_smoothing": 0.0})
    torch.testing.assert_close(label_loss(plain, logits[:, :4], films), classes)
    assert place_loss(config(lung_weight=1.0), torch.rand(2, 5, 4, 4), films) == 0


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"hospitals": []}, "referral needs hospitals"),
        ({"hospitals": "A"}, "list of names"),
        ({"distill_weight": 1.5}, "distill_weight"),
        ({"lung_weight": -1.0}, "0 or more"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        config(**settings)
