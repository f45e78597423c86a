"""`cxr-train average`: one network from the mean weights of several trainings.

Trainings that share their beginning lie in one basin: their mean costs nothing to run and holds up
better on other data than each (Izmailov et al. 2018; Wortsman et al. 2022). Whether it does here is
measured on validation films before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cxr_train.config import Augment
from cxr_train.data.dataset import LoadedImages, load_films
from cxr_train.data.manifest import own_examples, read_data
from cxr_train.errors import ConfigError, DataError
from cxr_train.figures.metrics import macro_f1
from cxr_train.figures.temperature import class_logits, fit_class_shift, fit_temperature, log_loss
from cxr_train.fit.augment import augment_batch
from cxr_train.fit.checkpoint import (
    BEST_FILE,
    RUN_FILE,
    LoadedRun,
    load_run,
    load_start_of,
    save_atomically,
)
from cxr_train.fit.loop import predict
from cxr_train.fit.network import CamNetwork
from cxr_train.fit.run import describe_val
from cxr_train.result_files import write_json

_VARIED = 1
"""Copies of every validation film."""
_BATCH = 64


def average_runs(
    folders: Sequence[Path],
    out: Path,
    *,
    with_start: bool = False,
    shift_classes: bool = False,
    cache: Path | None = None,
) -> list[str]:
    """Write run folder `out` with the mean of the best weights of `folders`; say how each scores.

    Every network is read on the validation films as they are and varied as `strong` varies them:
    what a change of machine does to it shows without a look at held-out films. `with_start` takes
    the weights that the first training began with into the mean; `shift_classes` adds to the bias
    what makes the validation films' log loss least.
    Raises ConfigError for fewer than two networks or networks of other kinds, DataError for runs of
    other data, ReportError when `out` cannot be written.
    """
    runs = [load_run(folder) for folder in folders]
    _check_alike(runs, fewest=1 if with_start or shift_classes else 2)
    first = runs[0]
    if first.data is None or not first.data.exists():
        raise DataError(f"The data of {first.folder} is not at {first.data}: put it back.")
    named = [(str(run.folder), run.network) for run in runs]
    if with_start:
        named.append((f"start of {first.folder}", load_start_of(first)))
    side = first.config.input_size
    films = own_examples(read_data(first.data, without=first.without), first.without, "val")
    val = load_films(films, side, what="val", cache=cache)
    varied = _vary(val.pixels, side)
    mean = average_networks([network for _, network in named])
    reads = [_read(name, network, val, varied) for name, network in [*named, ("mean", mean)]]
    if shift_classes:
        shift = fit_class_shift(reads[-1].logits, val.labels)
        with torch.no_grad():
            mean.bias[: len(shift)].add_(torch.from_numpy(shift).float())
        reads.append(_read(f"mean, classes shifted by {shift.tolist()}", mean, val, varied))
    save_atomically({"network": mean.state_dict(), "epoch": -1}, out / BEST_FILE)
    facts = _describe(runs, reads[-1].facts, shift_classes=shift_classes, with_start=with_start)
    write_json(facts, out / RUN_FILE)
    return [f"{read}, {len(films)} validation films" for read in reads]


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """What a network makes of the validation films."""

    name: str
    logits: NDArray[np.float32]
    facts: dict[str, Any]
    loss: float
    varied_f1: float
    varied_loss: float
    """At the temperature of the films as they are."""

    def __str__(self) -> str:
        return (
            f"{self.name}: accuracy {self.facts['accuracy']:.4f}, "
            f"macro-F1 {self.facts['macro_f1']:.4f}, log loss {self.loss:.4f} after temperature; "
            f"varied films: macro-F1 {self.varied_f1:.4f}, log loss {self.varied_loss:.4f}"
        )


def _read(name: str, network: CamNetwork, val: LoadedImages, varied: NDArray[np.uint8]) -> _Reading:
    def ask(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return predict(network, pixels, size=val.pixels.shape[-1], device=torch.device("cpu"))

    logits, changed = ask(val.pixels), ask(varied)
    labels = np.tile(val.labels, len(varied) // len(val.labels))
    temperature = fit_temperature(logits, val.labels)
    return _Reading(
        name=name,
        logits=logits,
        facts=describe_val(val.labels, logits),
        loss=log_loss(class_logits(logits), val.labels, temperature),
        varied_f1=macro_f1(labels, class_logits(changed).argmax(axis=1)),
        varied_loss=log_loss(class_logits(changed), labels, temperature),
    )


def _vary(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return `_VARIED` varied copies of films [N, 1, H, W], always the same ones."""
    generator = torch.Generator().manual_seed(0)
    copies = []
    for _ in range(_VARIED):
        for first in range(0, len(pixels), _BATCH):
            batch = torch.from_numpy(np.array(pixels[first : first + _BATCH]))
            changed = augment_batch(batch, Augment.STRONG, size=side, generator=generator)
            copies.append(changed.round().to(torch.uint8).numpy())
    return np.concatenate(copies)


def average_networks(networks: Sequence[CamNetwork]) -> CamNetwork:
    """Return a copy of the first with the mean of all weights and statistics, in eval mode."""
    mean = {name: value.clone() for name, value in networks[0].state_dict().items()}
    states = [network.state_dict() for network in networks]
    for name, value in mean.items():
        if value.is_floating_point():
            mean[name] = torch.stack([state[name].cpu() for state in states]).mean(dim=0)
    averaged = deepcopy(networks[0])
    averaged.load_state_dict(mean)
    return averaged.eval()


def _check_alike(runs: Sequence[LoadedRun], *, fewest: int) -> None:
    if len(runs) < fewest:
        raise ConfigError(
            "An average needs two run folders, or one with --with-start or --shift-classes."
        )
    first = runs[0]
    for run in runs[1:]:
        ours, theirs = first.config, run.config
        if (ours.arch, ours.input_size) != (theirs.arch, theirs.input_size):
            raise ConfigError(
                f"{run.folder} holds a {theirs.arch} at {theirs.input_size} px, {first.folder} a "
                f"{ours.arch} at {ours.input_size} px: only equal networks have a mean."
            )
        if first.facts.get("fingerprint") != run.facts.get("fingerprint"):
            raise DataError(f"{run.folder} was trained on other data than {first.folder}.")


def _describe(
    runs: Sequence[LoadedRun], val: dict[str, Any], *, shift_classes: bool, with_start: bool
) -> dict[str, Any]:
    first = runs[0]
    kept = ("data", "extra", "without", "fingerprint", "train_images", "val_images", "skipped")
    return {
        "config": first.config.to_dict(),
        **{key: first.facts[key] for key in kept if key in first.facts},
        "averaged": [{"run": run.folder.name, "settings": run.recipe_text} for run in runs],
        # The name alone: this goes into the model's card, which names no path of this computer.
        "with_start": Path(first.facts["started_from"]).name if with_start else None,
        "classes_shifted": shift_classes,
        "val": val,
    }
