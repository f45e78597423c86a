"""What changes while training: made from the seed, written after each epoch, read to resume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cxr_train.config import TrainConfig
from cxr_train.errors import DataError
from cxr_train.fit.batch_norm import synchronize_batch_norm
from cxr_train.fit.checkpoint import load_state, save_atomically
from cxr_train.fit.distributed import ALONE, Processes
from cxr_train.fit.network import CamNetwork, build_for
from cxr_train.fit.release import WeightAverage

SPEED_ONLY = frozenset({"compile", "name"})
"""Settings that a resume may change: they do not decide what is computed."""


@dataclass(kw_only=True)
class TrainState:
    """All that changes while training, and all that a resume needs."""

    network: CamNetwork
    stepped: Callable[[Tensor], tuple[Tensor, Tensor]]
    """`network` as training steps compute it, shared by processes, compiled or rounded: the same
    parameters, never saved."""
    average: WeightAverage
    optimizer: torch.optim.Optimizer
    history: list[dict[str, Any]]
    epoch: int = 0
    step: int = 0
    best_macro_f1: float = -1.0
    best_epoch: int = -1


def start_state(
    config: TrainConfig,
    device: torch.device,
    start: CamNetwork | None = None,
    processes: Processes = ALONE,
) -> TrainState:
    """Build network, weight average and optimizer from the seed, or from `start`'s weights."""
    torch.manual_seed(config.seed)
    network = build_for(config, pretrained=config.pretrained)
    if start is not None:
        network.load_state_dict(start.state_dict())
    if processes.count > 1:
        synchronize_batch_norm(network, device)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    stepped = processes.share_gradients(network)
    average = WeightAverage(network, config.ema_decay)
    # Biases and batch norm are not pulled to zero: a weight decay there only costs accuracy.
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": free},
    ]
    optimizer = torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        weight_decay=0.0,
    )
    return TrainState(
        network=network, stepped=stepped, average=average, optimizer=optimizer, history=[]
    )


def save_state(state: TrainState, config: TrainConfig, path: Path) -> None:
    """Write everything a resume needs."""
    save_atomically(
        {
            "config": config.to_dict(),
            "network": state.network.state_dict(),
            "average": state.average.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "history": state.history,
            "epoch": state.epoch,
            "step": state.step,
            "best_macro_f1": state.best_macro_f1,
            "best_epoch": state.best_epoch,
        },
        path,
    )


def restore_state(state: TrainState, config: TrainConfig, path: Path) -> None:
    """Continue from `path`; DataError when it was trained with other settings."""
    saved = load_state(path)
    ours = config.to_dict()
    # A setting that came after the checkpoint had its default's effect when it was written.
    theirs = TrainConfig().to_dict() | saved["config"]
    changed = sorted(
        key for key, value in theirs.items() if key not in SPEED_ONLY and ours.get(key) != value
    )
    if changed:
        raise DataError(
            f"{path} was trained with another {', '.join(changed)}: "
            "resume with the same settings, or start a new run in another folder."
        )
    state.network.load_state_dict(saved["network"])
    state.average.load_state_dict(saved["average"])
    state.optimizer.load_state_dict(saved["optimizer"])
    state.history = saved["history"]
    state.epoch, state.step = saved["epoch"], saved["step"]
    state.best_macro_f1, state.best_epoch = saved["best_macro_f1"], saved["best_epoch"]
