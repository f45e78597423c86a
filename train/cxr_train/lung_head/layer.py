"""The one layer that is taught: which places of a film are lung, from a layer of the INT8 network.

A logistic regression of one layer's channels, place by place, with what the film is from a mask
that somebody drew. The layer is twice as fine as the network's last one: 14 x 14 places of
EfficientNet-Lite0 at 224 pixels, where 7 x 7 are too coarse for a lung (a perfect mask in 7 x 7
places, drawn over the film, lies to 73 % in the lungs; in 14 x 14 to 86 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from cxr_train.errors import ConfigError
from cxr_train.int8_layers import Tap, quantized_layers

_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class LungHeadConfig:
    """How the layer is taught, and what the head makes of it."""

    smooth: float = 0.0
    """What each neighbour counts when the input is smoothed, across and down: 0 leaves it sharp.
    A network that was trained on films made small twice saw them softer than a clinic's are."""
    standardize: bool = False
    """Whether every film's middle is given one brightness and contrast first."""
    floor: float = 3.0
    """What a place outside the lungs counts for a class beside 1 + floor for one inside."""
    least_lung: float = 0.05
    """Share of a film that must look like lung: with less nothing is said of its classes, with
    twice as much everything. Of 1,153 validation films none has less than 0.11, of their borders
    alone none more than 0.08."""
    outside_costs: float = 4.0
    """Logits that a place outside the lungs is put back by when the strongest places are sought."""
    strongest_share: float = 0.05
    """Share of a film's places that the referral logit is the mean of: its strongest."""
    head: float = 0.25
    """Of a place's evidence: weight of the network's own referral map, where it has one."""
    tuberculosis: float = 0.75
    """Weight of the map of tuberculosis over the largest other."""
    abnormal: float = 0.0
    """Weight of the largest map of a disease over that of normal."""
    epochs: int = 12
    learning_rate: float = 2e-2
    weight_decay: float = 0.01
    border_films: int = 2000
    """Training films of which the border alone is shown: nothing there is lung."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigError where a number is impossible."""
        shares = 0 < self.floor <= 10 and 0 < self.strongest_share <= 1
        shares = shares and 0 <= self.smooth <= 0.25 and 0 < self.least_lung < 0.5
        weights = (self.head, self.tuberculosis, self.abnormal)
        sound = all(0 <= weight <= 100 for weight in weights) and sum(weights[1:]) > 0
        counts = self.epochs > 0 and self.border_films >= 0 and self.learning_rate > 0
        if not (shares and sound and counts and 0 <= self.outside_costs <= 100):
            raise ConfigError(
                "A lung head needs smooth in 0 to 0.25, floor in 0 to 10, least_lung in 0 to 0.5, "
                "strongest_share in 0 to 1, weights and outside_costs in 0 to 100 (tuberculosis or "
                "abnormal above 0), epochs and learning_rate above 0."
            )

    @property
    def prepares(self) -> bool:
        """Whether something is done to the input before the network sees it."""
        return bool(self.smooth) or self.standardize


@dataclass(frozen=True, kw_only=True)
class TaughtPlaces:
    """Films as the layer sees them, and what is known of their places."""

    layer: NDArray[np.uint8]
    """[N, C, h, w]."""
    lungs: NDArray[np.float32]
    """[N, h, w], 0..1: how much of each place is lung."""
    weights: NDArray[np.float32]
    """[N, h, w]: how much a place counts; 0 where nothing is known."""


def choose_layer(model: onnx.ModelProto) -> Tap:
    """Choose the last narrow layer that is twice as fine as the network's last one.

    Narrow: with at most half of the channels of the widest of that size, which in an inverted
    residual network is the output of the last block; the last of all where none is narrow.
    ConfigError where the network has none of that size.
    """
    found = quantized_layers(model)
    sides = {layer.side for layer in found}
    last = found[-1].side if found else 0
    fine = [layer for layer in found if layer.side == 2 * last]
    if not fine or last != min(sides):
        raise ConfigError(
            "A lung head needs an INT8 model of cxr-export with a layer twice as fine as its last "
            "one: this one has none."
        )
    widest = max(layer.channels for layer in fine)
    narrow = [layer for layer in fine if 2 * layer.channels <= widest]
    return (narrow or fine)[-1]


def teach_layer(
    films: Sequence[TaughtPlaces], config: LungHeadConfig
) -> tuple[NDArray[np.float32], float]:
    """Return weights [C] and a bias for the layer's integers: their sum is the logit of lung."""
    torch.manual_seed(config.seed)
    layer = torch.from_numpy(np.concatenate([one.layer for one in films]))
    lungs = torch.from_numpy(np.concatenate([one.lungs for one in films]))
    weights = torch.from_numpy(np.concatenate([one.weights for one in films]))
    some = layer[:: max(1, len(layer) // 2000)].float()
    mean, spread = some.mean((0, 2, 3)), some.std((0, 2, 3)) + 1
    linear = torch.nn.Conv2d(layer.shape[1], 1, kernel_size=1)
    torch.nn.init.zeros_(linear.weight)
    optimizer = torch.optim.AdamW(
        linear.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
    for _ in range(config.epochs):
        for chosen in torch.randperm(len(layer)).split(_BATCH):  # type: ignore[no-untyped-call]
            scaled = (layer[chosen].float() - mean[:, None, None]) / spread[:, None, None]
            losses = F.binary_cross_entropy_with_logits(
                linear(scaled)[:, 0], lungs[chosen], reduction="none"
            )
            loss = (losses * weights[chosen]).sum() / weights[chosen].sum().clamp(min=1e-6)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    with torch.no_grad():
        taken = linear.weight[0, :, 0, 0] / spread
        assert linear.bias is not None
        bias = linear.bias[0] - (taken * mean).sum()
    return taken.numpy().astype(np.float32), float(bias)


def find_places(
    layer: NDArray[np.uint8], weights: NDArray[np.float32], bias: float
) -> NDArray[np.float64]:
    """Return the logit of lung [N, h, w] of each place of `layer` [N, C, h, w]."""
    summed = np.einsum("c,nchw->nhw", weights.astype(np.float64), layer.astype(np.float64))
    return np.asarray(summed + bias)


def dice(found: NDArray[np.float64], lungs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far logits [N, h, w] and lungs [N, h, w], 0..1, agree on each film's places."""
    inside, truth = found > 0, lungs > 0.5
    both = (inside & truth).sum((1, 2))
    return np.asarray(2 * both / np.maximum(inside.sum((1, 2)) + truth.sum((1, 2)), 1))
