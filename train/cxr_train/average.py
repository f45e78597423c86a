"""`cxr-train average`: one network from the mean weights of several trainings.

Trainings that share their beginning lie in one basin: their mean costs nothing to run and holds up
better on other data than each (Izmailov et al. 2018; Wortsman et al. 2022). Whether it does here is
measured on validation films before it is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cxr_train.calibration import fit_class_shift, fit_temperature, log_loss
from cxr_train.checkpoint import (
    BEST_FILE,
    RUN_FILE,
    LoadedRun,
    load_run,
    save_atomically,
    write_json,
)
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit import describe_val
from cxr_train.loop import predict
from cxr_train.manifest import own_examples, read_data
from cxr_train.network import CamNetwork
from cxr_train.scoring import load_films
from edge_infer.errors import ReportError


def average_runs(
    folders: Sequence[Path], out: Path, *, shift_classes: bool = False, cache: Path | None = None
) -> list[str]:
    """Write run folder `out` with the mean of the best weights of `folders`; say how each scores.

    `shift_classes` adds to the bias what makes the validation films' log loss least.
    Raises ConfigError for fewer than two runs or runs of other networks, DataError for runs of
    other data, ReportError when `out` cannot be written.
    """
    runs = [load_run(folder) for folder in folders]
    _check_alike(runs)
    first = runs[0]
    if first.data is None or not first.data.exists():
        raise DataError(f"The data of {first.folder} is not at {first.data}: put it back.")
    side = first.config.input_size
    films = own_examples(read_data(first.data), first.without, "val")
    val = load_films(films, side, what="val", cache=cache)
    mean = average_networks([run.network for run in runs])

    def ask(network: CamNetwork) -> NDArray[np.float32]:
        return predict(network, val.pixels, size=side, device=torch.device("cpu"))

    scored = [*((str(run.folder), ask(run.network)) for run in runs), ("mean", ask(mean))]
    if shift_classes:
        shift = fit_class_shift(scored[-1][1], val.labels)
        with torch.no_grad():
            mean.bias.add_(torch.from_numpy(shift).float())
        scored.append((f"mean, classes shifted by {shift.tolist()}", ask(mean)))
    lines = []
    for name, logits in scored:
        loss = log_loss(logits.astype("float64"), val.labels, fit_temperature(logits, val.labels))
        facts = describe_val(val.labels, logits)
        lines.append(
            f"{name}: accuracy {facts['accuracy']:.4f}, macro-F1 {facts['macro_f1']:.4f}, "
            f"log loss {loss:.4f} after temperature, {len(films)} validation films"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        save_atomically({"network": mean.state_dict(), "epoch": -1}, out / BEST_FILE)
        write_json(_describe(runs, facts, shift_classes=shift_classes), out / RUN_FILE)
    except OSError as error:
        raise ReportError(f"The run folder {out} cannot be written: {error.strerror}.") from error
    return lines


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


def _check_alike(runs: Sequence[LoadedRun]) -> None:
    if len(runs) < 2:
        raise ConfigError("An average needs at least two run folders.")
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
    runs: Sequence[LoadedRun], val: dict[str, Any], *, shift_classes: bool
) -> dict[str, Any]:
    first = runs[0]
    kept = ("data", "extra", "without", "fingerprint", "train_images", "val_images", "skipped")
    return {
        "config": first.config.to_dict(),
        **{key: first.facts[key] for key in kept if key in first.facts},
        "averaged": [{"run": run.folder.name, "settings": run.recipe_text} for run in runs],
        "classes_shifted": shift_classes,
        "val": val,
    }
