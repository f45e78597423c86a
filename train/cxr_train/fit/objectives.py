"""What a training step minimises: the classes, the referral logit, and where evidence may lie."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from edge_infer.model.model_card import CLASSES

REFERRAL = len(CLASSES)
"""The referral logit's place among the outputs, after the classes."""
_NORMAL, _TB = CLASSES.index("normal"), CLASSES.index("tuberculosis")
_SOFTNESS = 2.0
LUNGS, BOXES = 0, 1
"""Channels of a batch's guides."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of a batch's films."""

    labels: Tensor
    """int64 [N], in order of CLASSES."""
    hospitals: Tensor
    """int64 [N]: the hospital of a film among those with normal and diseased films; -1: another."""
    sources: Tensor
    """int64 [N], below `source_count`."""
    source_count: int = 1
    guides: Tensor | None = None
    """float [N, 2, h, w], 0..1, as the varied film lies: its lungs, and the boxes round lesions."""

    @classmethod
    def of_classes(cls, labels: Tensor) -> Truth:
        """Return what is known where nothing but the classes is."""
        return cls(labels=labels, hospitals=torch.full_like(labels, -1), sources=labels * 0)


def rank_within_hospitals(referral: Tensor, truth: Truth, hospitals: int) -> Tensor:
    """Return the mean ranking loss of diseased over normal films of the same hospital.

    `referral` [N]. softplus(normal - diseased) over all pairs of one hospital; a pair from two
    hospitals would teach the hospital. Every hospital that has a pair in the batch counts alike.
    """
    member = F.one_hot(truth.hospitals.clamp(min=0), hospitals).float()
    member = member * (truth.hospitals >= 0).float()[:, None]
    normal = (truth.labels == _NORMAL).float()[:, None]
    diseased, healthy = member * (1 - normal), member * normal
    pairs = diseased.sum(dim=0) * healthy.sum(dim=0)
    weights = (diseased / pairs.clamp(min=1)) @ healthy.T
    losses = F.softplus(referral[None, :] - referral[:, None])
    return (weights * losses).sum() / (pairs > 0).sum().clamp(min=1)


def separate_within_hospitals(referral: Tensor, truth: Truth, hospitals: int) -> Tensor:
    """Return the cross entropy of diseased against normal, balanced inside each hospital.

    `referral` [N]. With both halves of a hospital weighing alike the hospital tells nothing of the
    class, so that one scale for all hospitals can be learnt: the ranking alone leaves each its own.
    """
    member = F.one_hot(truth.hospitals.clamp(min=0), hospitals).float()
    member = member * (truth.hospitals >= 0).float()[:, None]
    normal = (truth.labels == _NORMAL).float()[:, None]
    total, count = referral.new_zeros(()), referral.new_zeros(())
    for half, losses in (
        (member * (1 - normal), F.softplus(-referral)),
        (member * normal, F.softplus(referral)),
    ):
        films = half.sum(dim=0)
        total = total + ((half * losses[:, None]).sum(dim=0) / films.clamp(min=1)).sum()
        count = count + (films > 0).sum()
    return total / count.clamp(min=1)


def follow_teachers(logits: Tensor, taught: Tensor) -> Tensor:
    """Return how far class probabilities and referral are from what the teachers say.

    `logits` [N, K] of the student, `taught` [T, N, K] of T teachers on the same varied films: the
    mean of their probabilities (Hinton et al. 2015), of classes at a temperature of 2.
    """
    classes = len(CLASSES)
    target = (taught[:, :, :classes] / _SOFTNESS).softmax(dim=2).mean(dim=0)
    found = (logits[:, :classes] / _SOFTNESS).log_softmax(dim=1)
    loss = F.kl_div(found, target, reduction="batchmean") * _SOFTNESS**2
    if logits.shape[1] > classes:
        wanted = taught[:, :, REFERRAL].sigmoid().mean(dim=0)
        loss = loss + F.binary_cross_entropy_with_logits(logits[:, REFERRAL], wanted)
    return loss


def align_normals(referral: Tensor, truth: Truth, sources: int) -> Tensor:
    """Return the spread over sources of the mean referral logit of their normal films.

    `referral` [N]. A threshold carries over to a hospital whose normal films score as others' do.
    """
    normal = (truth.labels == _NORMAL).float()[:, None]
    member = F.one_hot(truth.sources, sources).float() * normal
    counts = member.sum(dim=0)
    means = (member * referral[:, None]).sum(dim=0) / counts.clamp(min=1)
    present = (counts > 0).float()
    centre = (means * present).sum() / present.sum().clamp(min=1)
    return ((means - centre).square() * present).sum() / present.sum().clamp(min=1)


def keep_inside_lungs(cam: Tensor, truth: Truth) -> Tensor:
    """Return the share of positive evidence for any disease that lies outside the lungs.

    `cam` [N, K, h, w]. Averaged over the films with lungs in their guides and over the maps.
    """
    assert truth.guides is not None
    lungs = F.max_pool2d(truth.guides[:, LUNGS : LUNGS + 1], 3, stride=1, padding=1)
    known = (lungs.sum(dim=(1, 2, 3)) > 0).float()
    evidence = F.relu(cam[:, _NORMAL + 1 :])
    outside = (evidence * (1 - lungs)).sum(dim=(2, 3)) / (evidence.sum(dim=(2, 3)) + 1)
    return (outside.mean(dim=1) * known).sum() / known.sum().clamp(min=1)


def point_into_boxes(cam: Tensor, truth: Truth) -> Tensor:
    """Return the mean negative log share of a film's evidence for TB that lies in its boxes.

    `cam` [N, K, h, w]; the evidence is the softmax over places, for the TB map and, where there is
    one, the referral map. Over the films that have boxes.
    """
    assert truth.guides is not None
    boxes = truth.guides[:, BOXES].flatten(1)
    boxes = boxes / boxes.amax(dim=1, keepdim=True).clamp(min=1e-6)
    known = (boxes.sum(dim=1) > 0).float()
    total = cam.new_zeros(())
    for channel in (_TB, REFERRAL)[: cam.shape[1] - _TB]:
        places = cam[:, channel].flatten(1).softmax(dim=1)
        missed = -((places * boxes).sum(dim=1) + 1e-4).log()
        total = total + (missed * known).sum() / known.sum().clamp(min=1)
    return total / (cam.shape[1] - _TB)
