"""The training loop, read top to bottom.

Everything random in epoch e comes from generators seeded with (seed, e), so a resumed training
computes what an uninterrupted one would have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from cxr_train.augment import augment_batch, shrink
from cxr_train.checkpoint import BEST_FILE, LAST_FILE, load_state, save_atomically, write_json
from cxr_train.config import Balance, TrainConfig
from cxr_train.dataset import LoadedImages, sampling_weights
from cxr_train.errors import DataError
from cxr_train.manifest import Example
from cxr_train.metrics import accuracy, macro_f1
from cxr_train.network import CamNetwork, build_network
from cxr_train.release import Release, follow_weights, plan_release

EVAL_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What one epoch cost and gave; a line of history.json."""

    epoch: int
    size: int
    learning_rate: float
    train_loss: float
    val_loss: float
    val_accuracy: float
    val_macro_f1: float
    seconds: float
    data_share: float
    """Share of the epoch spent preparing batches rather than in the network, 0..1."""


@dataclass(kw_only=True)
class TrainState:
    """All that changes while training, and all that a resume needs."""

    network: CamNetwork
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    history: list[dict[str, Any]]
    epoch: int = 0
    step: int = 0
    best_macro_f1: float = -1.0
    best_epoch: int = -1


def train(
    config: TrainConfig,
    train_set: LoadedImages,
    val_set: LoadedImages,
    out: Path,
    *,
    resume: bool = False,
    start: CamNetwork | None = None,
    own: Sequence[Example] | None = None,
    report: Callable[[EpochRecord], None],
) -> TrainState:
    """Train until the stages end or validation macro-F1 stops rising; best weights go to `out`.

    `start` gives the first weights, of the same architecture, instead of random ones. `own` is the
    part of the training films that is not extra; default: all.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = start_state(config, device, start)
    if resume and (out / LAST_FILE).is_file():
        restore_state(state, config, out / LAST_FILE)
    weights = sampling_weights(train_set.examples, config.balance, config.balance_power)
    drawn = train_set.examples
    plan = plan_release(config, drawn if own is None else own, drawn, weights, start)
    while state.epoch < config.epochs and not _stalled(state, config):
        record, released = run_epoch(state, config, train_set, val_set, weights, plan)
        # Only the last stage sees films as the clinic's model will: only it chooses.
        last_stage = config.epochs - state.epoch <= config.stages[-1].epochs
        if last_stage and record.val_macro_f1 > state.best_macro_f1:
            state.best_macro_f1, state.best_epoch = record.val_macro_f1, record.epoch
            best = {"network": released.state_dict(), "epoch": record.epoch}
            save_atomically(best, out / BEST_FILE)
        state.history.append(vars(record))
        state.epoch += 1
        write_json(state.history, out / "history.json")
        save_state(state, config, out / LAST_FILE)
        report(record)
    return state


def start_state(
    config: TrainConfig, device: torch.device, start: CamNetwork | None = None
) -> TrainState:
    """Build network, weight average and optimizer from the seed, or from `start`'s weights."""
    torch.manual_seed(config.seed)
    network = build_network(config.arch, pretrained=config.pretrained)
    if start is not None:
        network.load_state_dict(start.state_dict())
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = AveragedModel(
        network, multi_avg_fn=follow_weights(config.ema_decay), use_buffers=True
    )
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
    return TrainState(network=network, average=average, optimizer=optimizer, history=[])


def run_epoch(
    state: TrainState,
    config: TrainConfig,
    train_set: LoadedImages,
    val_set: LoadedImages,
    weights: NDArray[np.float64],
    plan: Release,
) -> tuple[EpochRecord, CamNetwork]:
    """Train one epoch on films drawn by `weights` [N]; measure what `plan` makes of it."""
    device = state.network.bias.device
    started = time.perf_counter()
    preparing = 0.0
    stage = config.stage_of(state.epoch)
    size, augment = stage.size, stage.augment or config.augment
    generator = torch.Generator().manual_seed(config.seed * 100_003 + state.epoch)
    torch.manual_seed(config.seed * 100_003 + state.epoch)  # dropout and the like
    order = _draw(config, weights, generator)
    steps = max(1, len(order) // config.batch_size)
    labels = torch.from_numpy(train_set.labels)
    losses = []
    state.network.train()
    for start in range(0, steps * config.batch_size, config.batch_size):
        began = time.perf_counter()
        # Sorted indices read the memory-mapped array front to back; order in a batch is idle.
        indices = order[start : start + config.batch_size].sort().values
        batch = torch.from_numpy(train_set.pixels[indices.numpy()]).to(device)
        pixels = augment_batch(batch, augment, size=size, generator=generator)
        preparing += time.perf_counter() - began
        rate = learning_rate(config, state.step, steps_per_epoch=steps)
        losses.append(
            train_step(state, config, pixels, labels[indices].to(device), learning_rate=rate)
        )
        state.step += 1
    released = plan.make(state.average.module)
    logits = predict(released, val_set.pixels, size=size, device=device)
    val_labels = val_set.labels
    predictions = logits.argmax(axis=1)
    seconds = time.perf_counter() - started
    record = EpochRecord(
        epoch=state.epoch,
        size=size,
        learning_rate=rate,
        train_loss=float(np.mean(losses)),
        val_loss=float(F.cross_entropy(torch.from_numpy(logits), torch.from_numpy(val_labels))),
        val_accuracy=accuracy(val_labels, predictions),
        val_macro_f1=macro_f1(val_labels, predictions),
        seconds=seconds,
        data_share=preparing / seconds,
    )
    return record, released


def train_step(
    state: TrainState,
    config: TrainConfig,
    pixels: Tensor,
    labels: Tensor,
    *,
    learning_rate: float,
) -> float:
    """Take one optimizer step on a batch (float [N, 1, H, W], int64 [N]); return its loss."""
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    pixels = pixels.to(memory_format=torch.channels_last)
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=uses_bf16(config)):
        logits, _ = state.network(pixels)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=config.label_smoothing)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.gradient_clip:
        nn.utils.clip_grad_norm_(state.network.parameters(), config.gradient_clip)
    state.optimizer.step()
    state.average.update_parameters(state.network)
    return float(loss.detach())


def predict(
    network: nn.Module, pixels: NDArray[np.uint8], *, size: int, device: torch.device
) -> NDArray[np.float32]:
    """Compute fp32 logits [N, 4] of uint8 films [N, 1, H, W] at `size`, without variation."""
    network.eval()
    logits = []
    with torch.inference_mode():
        for start in range(0, len(pixels), EVAL_BATCH):
            batch = torch.from_numpy(np.array(pixels[start : start + EVAL_BATCH])).to(device)
            batch = shrink(batch.float(), size).to(memory_format=torch.channels_last)
            logits.append(network(batch)[0].float().cpu().numpy())
    return np.concatenate(logits)


def learning_rate(config: TrainConfig, step: int, *, steps_per_epoch: int) -> float:
    """Warm up linearly, then follow a half cosine down to a hundredth of the peak."""
    warmup = max(1, round(config.warmup_epochs * steps_per_epoch))
    total = max(warmup + 1, config.epochs * steps_per_epoch)
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / (total - warmup))
    return config.learning_rate * (0.01 + 0.99 * (1 + cos(pi * progress)) / 2)


def uses_bf16(config: TrainConfig) -> bool:
    """Say whether this training computes in bfloat16; auto asks the device."""
    if config.precision != "auto":
        return config.precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # oneDNN emulates bf16 slowly on CPUs without AVX512-BF16 or AMX.
    return _cpu_has_bf16()


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
    changed = sorted(key for key, value in saved["config"].items() if ours.get(key) != value)
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


def _draw(config: TrainConfig, weights: NDArray[np.float64], generator: torch.Generator) -> Tensor:
    count = config.samples_per_epoch or len(weights)
    if config.balance is Balance.NONE:
        rounds = -(-count // len(weights))
        shuffled = [torch.randperm(len(weights), generator=generator) for _ in range(rounds)]
        return torch.cat(shuffled)[:count]
    return torch.multinomial(
        torch.from_numpy(weights), count, replacement=True, generator=generator
    )


def _stalled(state: TrainState, config: TrainConfig) -> bool:
    return state.best_epoch >= 0 and state.epoch - 1 - state.best_epoch >= config.patience


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
