"""The training loop, read top to bottom.

Everything random in epoch e comes from generators seeded with (seed, e), so a resumed training
computes what an uninterrupted one would have, and several processes what one would have.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cxr_train.config import TrainConfig
from cxr_train.data.dataset import LoadedImages, sampling_weights
from cxr_train.data.manifest import Example
from cxr_train.figures.metrics import accuracy, macro_f1
from cxr_train.fit.augment import shrink, vary_with_guides
from cxr_train.fit.batches import draw_batches, hold_films, read_batches
from cxr_train.fit.checkpoint import BEST_FILE, LAST_FILE, save_atomically
from cxr_train.fit.distributed import ALONE, Processes
from cxr_train.fit.network import CamNetwork
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
from cxr_train.fit.pace import learning_rate, steps_of, uses_bf16, uses_compile
from cxr_train.fit.quantize_aware import round_last_epochs, see_as_int8
from cxr_train.fit.release import Release, plan_release
from cxr_train.fit.state import TrainState, restore_state, save_state, start_state
from cxr_train.result_files import write_json
from edge_infer.model.model_card import CLASSES

EVAL_BATCH = 64
HISTORY_FILE = "history.json"


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


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where a training is, after each of its steps."""

    epoch: int
    """From 0."""
    step: int
    """Of this epoch, from 1."""
    steps: int
    """Of every epoch."""
    films: int
    """Shown in this epoch so far."""
    seconds: float
    """Since this epoch's first step began."""
    loss: Tensor
    """On the device that trains; reading it waits for that device."""


@dataclass(frozen=True)
class Course:
    """All that stays the same from the first epoch to the last."""

    config: TrainConfig
    train_set: LoadedImages
    val_set: LoadedImages
    weights: NDArray[np.float64]
    """[N], how often each training film is drawn."""
    plan: Release
    processes: Processes
    guides: NDArray[np.uint8] | None = None
    """[N, 2, h, w], 0..255: lungs and lesion boxes of each training film; see `guides.py`."""
    teachers: tuple[CamNetwork, ...] = ()
    watch: Callable[[Step], None] | None = None


def train(
    config: TrainConfig,
    train_set: LoadedImages,
    val_set: LoadedImages,
    out: Path,
    *,
    resume: bool = False,
    start: CamNetwork | None = None,
    own: Sequence[Example] | None = None,
    processes: Processes = ALONE,
    guides: NDArray[np.uint8] | None = None,
    teachers: Sequence[CamNetwork] = (),
    report: Callable[[EpochRecord], None],
    watch: Callable[[Step], None] | None = None,
) -> TrainState:
    """Train until the stages end or validation macro-F1 stops rising; best weights go to `out`.

    `start` gives the first weights, of the same architecture, instead of random ones. `own` is the
    part of the training films that is not extra; default: all. `guides` [N, 2, h, w] are maps of
    the training films: lungs and lesion boxes; `teachers` are networks that this one follows by
    `distill_weight`. Of several processes, all train and validate together and the first one writes
    and reports. `watch` is told of every step.
    """
    state = start_state(config, processes.device(), start, processes)
    if resume and processes.share((out / LAST_FILE).is_file()):
        restore_state(state, config, out / LAST_FILE)
    drawn = train_set.examples
    weights = sampling_weights(drawn, config.balance, config.balance_power)
    plan = plan_release(config, drawn if own is None else own, drawn, weights, start)
    seated = _seat(teachers, processes)
    course = Course(config, train_set, val_set, weights, plan, processes, guides, seated, watch)
    facts = _Facts.of(course)
    _compile_if_it_pays(state, course)
    while state.epoch < config.epochs and not _stalled(state, config):
        record, released = run_epoch(state, course, facts)
        # Only the last epochs see films as the clinic's model will: only they choose.
        if state.epoch >= config.choosing_from and record.val_macro_f1 > state.best_macro_f1:
            state.best_macro_f1, state.best_epoch = record.val_macro_f1, record.epoch
            if processes.first:
                best = {"network": released.state_dict(), "epoch": record.epoch}
                save_atomically(best, out / BEST_FILE)
        state.history.append(vars(record))
        state.epoch += 1
        if processes.first:
            write_json(state.history, out / HISTORY_FILE)
            save_state(state, config, out / LAST_FILE)
            report(record)
    return state


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """What is known of all training films, on the device that trains."""

    held: Tensor | None
    """Their pixels, where the device has room for them."""
    labels: Tensor
    sources: Tensor
    source_count: int
    hospitals: Tensor
    guides: Tensor
    """[N, k, h, w], 0..255; k is 0 without guides."""

    @classmethod
    def of(cls, course: Course) -> _Facts:
        device = course.processes.device()
        films = course.train_set
        names = sorted({example.source for example in films.examples})
        hospitals = course.config.hospitals
        nothing = np.zeros((len(films.examples), 0, 1, 1), np.uint8)
        guides = nothing if course.guides is None else course.guides
        places = [
            hospitals.index(one.source) if one.source in hospitals else -1 for one in films.examples
        ]
        return cls(
            held=hold_films(films, device),
            labels=torch.from_numpy(films.labels).to(device),
            sources=torch.tensor([names.index(one.source) for one in films.examples]).to(device),
            source_count=len(names),
            hospitals=torch.tensor(places).to(device),
            guides=torch.from_numpy(guides).to(device),
        )

    def truth(self, films: Tensor, guides: Tensor) -> Truth:
        """Return what is known of the films with these numbers, whose guides have been moved."""
        return Truth(
            labels=self.labels[films],
            hospitals=self.hospitals[films],
            sources=self.sources[films],
            source_count=self.source_count,
            guides=guides if guides.shape[1] else None,
        )


def run_epoch(state: TrainState, course: Course, facts: _Facts) -> tuple[EpochRecord, CamNetwork]:
    """Train one epoch and measure the network that is released after it."""
    config, processes, device = course.config, course.processes, course.processes.device()
    started = time.perf_counter()
    preparing = 0.0
    stage = config.stage_of(state.epoch)
    size, augment = stage.size, stage.augment or config.augment
    seed = config.seed * 100_003 + state.epoch
    generator = torch.Generator().manual_seed(seed)
    # For dropout and the like, the only numbers that each process draws for itself.
    torch.manual_seed(seed + 1_000_000_007 * processes.rank)
    batches = draw_batches(config, course.weights, generator)
    losses = []
    calibration = round_last_epochs(
        state, config, course.train_set.pixels, size=size, processes=processes
    )
    state.network.train()
    began = first = time.perf_counter()
    for numbers, films in read_batches(
        course.train_set, batches, part=processes.part, device=device, held=facts.held
    ):
        maps = facts.guides[numbers].float() / 255
        pixels, maps = vary_with_guides(
            films, maps, augment, size=size, generator=generator, processes=processes
        )
        truth = facts.truth(numbers, maps)
        preparing += time.perf_counter() - began
        rate = learning_rate(config, state.step, steps_per_epoch=len(batches))
        losses.append(
            train_step(
                state,
                config,
                pixels,
                truth,
                learning_rate=rate,
                teachers=course.teachers,
            )
        )
        state.step += 1
        began = time.perf_counter()
        if course.watch is not None:
            course.watch(
                Step(
                    epoch=state.epoch,
                    step=len(losses),
                    steps=len(batches),
                    films=len(losses) * len(batches[0]),
                    seconds=began - first,
                    loss=losses[-1],
                )
            )
    released = course.plan.make(state.average.module)
    seen = see_as_int8(released, calibration) if calibration else released
    measured = _validate(seen, course, size=size)
    seconds = time.perf_counter() - started
    record = EpochRecord(
        epoch=state.epoch,
        size=size,
        learning_rate=rate,
        train_loss=_mean_loss(losses, processes),
        seconds=seconds,
        data_share=preparing / seconds,
        **measured,
    )
    # Process 0's figures decide for all when to stop and what is best.
    return processes.share(record), released


def train_step(
    state: TrainState,
    config: TrainConfig,
    pixels: Tensor,
    truth: Truth,
    *,
    learning_rate: float,
    teachers: Sequence[CamNetwork] = (),
) -> Tensor:
    """Take one optimizer step on a batch, float [N, 1, H, W]; return its loss, detached.

    Of several processes each gives its part of the batch and gets the loss of that part.
    """
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate
    pixels = pixels.to(memory_format=torch.channels_last)
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=uses_bf16(config)):
        logits, cam = state.stepped(pixels)
        with torch.no_grad():
            taught = [teacher(pixels)[0].float() for teacher in teachers]
    loss = label_loss(config, logits.float(), truth)
    if taught:
        followed = follow_teachers(logits.float(), torch.stack(taught))
        loss = torch.lerp(loss, followed, config.distill_weight)
    loss = loss + place_loss(config, cam.float(), truth)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.gradient_clip:
        nn.utils.clip_grad_norm_(state.network.parameters(), config.gradient_clip)
    state.optimizer.step()
    state.average.update(state.network)
    return loss.detach()


def label_loss(config: TrainConfig, logits: Tensor, truth: Truth) -> Tensor:
    """Return what the labels ask of logits [N, K]."""
    classes = logits[:, : len(CLASSES)]
    loss = F.cross_entropy(classes, truth.labels, label_smoothing=config.label_smoothing)
    if not config.referral:
        return loss
    referral, hospitals = logits[:, REFERRAL], len(config.hospitals)
    terms = (
        (config.referral_weight, rank_within_hospitals, hospitals),
        (config.separate_weight, separate_within_hospitals, hospitals),
        (config.align_weight, align_normals, truth.source_count),
    )
    for weight, term, places in terms:
        if weight:
            loss = loss + weight * term(referral, truth, places)
    return loss


def place_loss(config: TrainConfig, cam: Tensor, truth: Truth) -> Tensor:
    """Return what lungs and boxes ask of the maps [N, K, h, w]; 0 without guides."""
    if truth.guides is None or not (config.lung_weight or config.box_weight):
        return cam.new_zeros(())
    here = replace(truth, guides=F.interpolate(truth.guides, size=cam.shape[-2:], mode="area"))
    outside, missed = keep_inside_lungs(cam, here), point_into_boxes(cam, here)
    return config.lung_weight * outside + config.box_weight * missed


def _seat(teachers: Sequence[CamNetwork], processes: Processes) -> tuple[CamNetwork, ...]:
    """Return the teachers in eval mode on the device that trains."""
    layout = {"memory_format": torch.channels_last}
    return tuple(
        one.to(processes.device(), **layout).eval()  # type: ignore[call-overload]
        for one in teachers
    )


def predict(
    network: CamNetwork, pixels: NDArray[np.uint8], *, size: int, device: torch.device
) -> NDArray[np.float32]:
    """Compute fp32 logits [N, K] of uint8 films [N, 1, H, W] at `size`, without variation."""
    network.eval()
    logits = [np.empty((0, len(network.bias)), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(pixels), EVAL_BATCH):
            batch = torch.from_numpy(np.array(pixels[start : start + EVAL_BATCH])).to(device)
            batch = shrink(batch.float(), size).to(memory_format=torch.channels_last)
            logits.append(network(batch)[0].float().cpu().numpy())
    return np.concatenate(logits)


def _validate(network: CamNetwork, course: Course, *, size: int) -> dict[str, float]:
    """Measure `network` on the validation films, of which each process predicts its part."""
    films, part = course.val_set, course.processes.part
    mine = np.zeros((len(films.pixels), len(CLASSES)), np.float32)
    found = predict(network, films.pixels[part], size=size, device=course.processes.device())
    mine[part] = found[:, : len(CLASSES)]
    logits = course.processes.sum_up(torch.from_numpy(mine))
    predictions = logits.numpy().argmax(axis=1)
    return {
        "val_loss": float(F.cross_entropy(logits, torch.from_numpy(films.labels))),
        "val_accuracy": accuracy(films.labels, predictions),
        "val_macro_f1": macro_f1(films.labels, predictions),
    }


def _mean_loss(losses: Sequence[Tensor], processes: Processes) -> float:
    mean = torch.stack(list(losses)).double().mean().cpu()
    return float(processes.sum_up(mean)) / processes.count


def _compile_if_it_pays(state: TrainState, course: Course) -> None:
    config = course.config
    steps = steps_of(config, len(course.train_set.examples))
    if uses_compile(config, steps=steps, processes=course.processes.count):
        # Fixed shapes: with dynamic ones the second picture size would slow all kernels down.
        state.stepped = torch.compile(state.stepped, dynamic=False)


def _stalled(state: TrainState, config: TrainConfig) -> bool:
    return state.best_epoch >= 0 and state.epoch - 1 - state.best_epoch >= config.patience
