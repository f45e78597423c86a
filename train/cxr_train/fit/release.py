"""From the weights being trained to the network that is measured, saved and exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cxr_train.config import TrainConfig
from cxr_train.data.manifest import Example
from cxr_train.fit.network import CamNetwork
from edge_infer.model.model_card import CLASSES


@dataclass(frozen=True, kw_only=True)
class Release:
    """What is done to averaged weights before they are measured and saved."""

    correction: Tensor
    """[4], added to the bias."""
    start: CamNetwork | None
    keep_start: float

    def make(self, average: nn.Module) -> CamNetwork:
        """Return a copy of the averaged network, drawn to its start and corrected."""
        released = deepcopy(average)
        assert isinstance(released, CamNetwork)
        with torch.no_grad():
            if self.start is not None and self.keep_start:
                origin = self.start.state_dict()
                for name, value in released.state_dict().items():
                    if value.is_floating_point():
                        value.lerp_(origin[name].to(value.device), self.keep_start)
            released.bias[: len(CLASSES)].add_(self.correction.to(released.bias.device))
        return released.eval()


def plan_release(
    config: TrainConfig,
    own: Sequence[Example],
    drawn: Sequence[Example],
    weights: NDArray[np.float64],
    start: CamNetwork | None = None,
) -> Release:
    """Plan the release of a training that draws `drawn` with `weights` [N].

    `own` is the data's own train split, without what was added to it: with `correct_prior` the
    logits speak of its class shares instead of the drawn ones.
    """
    correction = torch.zeros(len(CLASSES))
    if config.correct_prior:
        as_they_are = np.full(len(own), 1 / len(own))
        shift = log_share(own, as_they_are) - log_share(drawn, weights)
        correction = torch.from_numpy(shift).float()
    return Release(correction=correction, start=start, keep_start=config.keep_start)


def log_share(examples: Sequence[Example], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logarithm [4] of each class's share of films drawn with `weights` [N]."""
    labels = np.array([example.label for example in examples])
    shares = np.array([weights[labels == index].sum() for index in range(len(CLASSES))])
    return np.asarray(np.log(shares), dtype=np.float64)


class WeightAverage:
    """The mean of the weights and statistics of about the last 1 / (1 - decay) steps.

    Of fewer near the random start. torch's AveragedModel asks a GPU for its count every step, which
    stops it.
    """

    def __init__(self, network: CamNetwork, decay: float) -> None:
        self.module = deepcopy(network)
        self.decay = decay
        self.steps = 0

    def update(self, network: nn.Module) -> None:
        """Take in the weights after one more step."""
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps)) if self.steps else 0.0
        pairs = list(zip(_tensors(self.module), _tensors(network), strict=True))
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_([own for own, _ in floats], [new for _, new in floats], 1 - keep)
            for own, new in pairs:
                if not own.is_floating_point():
                    own.copy_(new)
        self.steps += 1

    def state_dict(self) -> dict[str, Tensor]:
        """Return what a resume needs, as AveragedModel named it."""
        weights = {f"module.{name}": value for name, value in self.module.state_dict().items()}
        return {"n_averaged": torch.tensor(self.steps), **weights}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state_dict` returned."""
        self.steps = int(state["n_averaged"])
        weights = {
            name.removeprefix("module."): value
            for name, value in state.items()
            if name != "n_averaged"
        }
        self.module.load_state_dict(weights)


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    """Yield weights and statistics; a state_dict would be built anew at each step."""
    yield from network.parameters()
    yield from network.buffers()
