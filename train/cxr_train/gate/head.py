"""The gate's own few layers, and their training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cxr_train.gate.pictures import GateConfig
from cxr_train.gate.taps import Taps
from edge_infer.model.gate import GateState

Features = Sequence[NDArray[np.uint8]]
"""Statistics and layers, each uint8 [N, C, h, w], perhaps mapped from disk."""
_CHUNK = 1024


class GateHead(nn.Module):
    """Mixes each tap's channels, averages them down to the grid, and weighs every cell."""

    def __init__(self, taps: Taps, config: GateConfig) -> None:
        super().__init__()
        widths, planes = taps.widths, config.planes
        self.grid = taps.grid
        self.mix = nn.ModuleList(nn.Linear(width, planes) for width in widths)
        self.hidden = nn.Linear(taps.grid**2 * planes * len(widths), config.hidden)
        self.states = nn.Linear(config.hidden, len(GateState))

    def forward(self, taps: Sequence[Tensor]) -> Tensor:
        """Return logits [N, states] of float [N, C, h, w] of each tap."""
        mixed = []
        for layer, mix in zip(taps, self.mix, strict=True):
            planes = F.relu(mix(layer.movedim(1, -1))).movedim(-1, 1)
            times = planes.shape[-1] // self.grid
            mixed.append(F.avg_pool2d(planes, times) if times > 1 else planes)
        flat = torch.cat(mixed, 1).movedim(1, -1).flatten(1)
        hidden = F.relu(self.hidden(F.dropout(flat, 0.2, self.training)))
        logits: Tensor = self.states(F.dropout(hidden, 0.3, self.training))
        return logits


@dataclass(frozen=True, kw_only=True)
class TrainedHead:
    """A head whose first layers take the taps' integers as they are."""

    head: GateHead

    def logits(self, features: Features, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return logits [len(rows), states], in double precision as the exported graph's."""
        return np.concatenate([np.zeros((0, len(GateState))), *self._logits(features, rows)])

    @torch.no_grad()
    def _logits(self, features: Features, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float64]]:
        self.head.double().eval()
        for start in range(0, len(rows), _CHUNK):
            some = np.sort(rows[start : start + _CHUNK])
            back = np.argsort(np.argsort(rows[start : start + _CHUNK]))
            taps = [torch.from_numpy(np.array(one[some])).double() for one in features]
            yield self.head(taps).numpy()[back]

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return every weight by its name, fp32."""
        return {name: one.float().numpy() for name, one in self.head.state_dict().items()}


def train_head(
    features: Features,
    states: NDArray[np.int64],
    rows: NDArray[np.int64],
    taps: Taps,
    config: GateConfig,
) -> TrainedHead:
    """Train a head on some rows of the features; `states` [N] index GateState.

    A state of n pictures is drawn with weight n ** 0.5, so that the few laterals count.
    """
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    head = GateHead(taps, config)
    means, spreads = _measure(features, rows[:: max(1, len(rows) // 2000)])
    counts = np.bincount(states[rows], minlength=len(GateState)).clip(1)
    odds = counts[states[rows]] ** -0.5
    steps = max(1, len(rows) // config.batch_size) * config.epochs
    optimizer = torch.optim.AdamW(
        head.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps
    )
    head.train()
    for _ in range(steps):
        some = rows[rng.choice(len(rows), config.batch_size, p=odds / odds.sum())]
        batch = [
            (torch.from_numpy(one[some]).float() - mean) / spread
            for one, mean, spread in zip(features, means, spreads, strict=True)
        ]
        loss = F.cross_entropy(head(batch), torch.from_numpy(states[some]), label_smoothing=0.01)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    _take_integers(head, means, spreads)
    return TrainedHead(head=head)


def _measure(features: Features, rows: NDArray[np.int64]) -> tuple[list[Tensor], list[Tensor]]:
    """Return each tap's mean and spread per channel, [C, 1, 1]."""
    some = [torch.from_numpy(one[rows]).float() for one in features]
    means = [one.mean((0, 2, 3))[:, None, None] for one in some]
    return means, [one.std((0, 2, 3))[:, None, None] + 1 for one in some]


@torch.no_grad()
def _take_integers(head: GateHead, means: Sequence[Tensor], spreads: Sequence[Tensor]) -> None:
    """Fold the scaling of each tap into the layer that mixes it."""
    for mix, mean, spread in zip(head.mix, means, spreads, strict=True):
        assert isinstance(mix, nn.Linear)
        mix.weight.div_(spread[:, 0, 0])
        mix.bias.sub_(mix.weight @ mean[:, 0, 0])
