"""The run folder: weights, readable JSON beside them, and how both are read back."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cxr_train.config import TrainConfig, make_config
from cxr_train.errors import DataError
from cxr_train.fit.network import CamNetwork, build_for
from cxr_train.result_files import write_file

BEST_FILE = "best.pt"
LAST_FILE = "last.pt"
START_FILE = "start.pt"
"""The weights a training began with, where they were another's."""
RUN_FILE = "run.json"


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """A finished (or interrupted) training with its best weights."""

    folder: Path
    config: TrainConfig
    network: CamNetwork
    """In eval mode, best weights, on the CPU."""
    data: Path | None
    """The DATA the training was given."""
    extra: tuple[Path, ...]
    """Further training-only data."""
    without: tuple[str, ...]
    """Sources of that data which this training did not see."""
    recipe_text: str
    """The settings as JSON."""
    facts: dict[str, Any]
    """Everything else run.json holds."""


def save_atomically(state: Any, path: Path) -> None:
    """Write `state` with torch.save, whole or not at all; ReportError where that is impossible."""
    write_file(path, lambda file: torch.save(state, file))


def load_state(path: Path) -> dict[str, Any]:
    """Read a checkpoint; DataError when it is missing or damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError) as error:
        raise DataError(f"The checkpoint {path} cannot be read: {error}.") from error
    return state


def is_finished(folder: Path) -> bool:
    """Whether a run folder holds a training that ended."""
    try:
        facts: dict[str, Any] = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return "val" in facts


def load_run(folder: Path) -> LoadedRun:
    """Load a run folder's best network; DataError when it is not one."""
    try:
        facts = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        settings, data, extra = facts["config"], facts["data"], facts["extra"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{folder} is not a training run (no usable {RUN_FILE}): make one with `cxr-train fit`."
        ) from error
    config = make_config(settings)
    network = build_for(config)
    state = load_state(folder / BEST_FILE)
    try:
        network.load_state_dict(state["network"])
    except (KeyError, RuntimeError) as error:
        raise DataError(f"{folder / BEST_FILE} does not fit {config.arch}: {error}.") from error
    return LoadedRun(
        folder=folder,
        config=config,
        network=network.eval(),
        data=Path(data) if data else None,
        extra=tuple(Path(path) for path in extra),
        without=tuple(facts.get("without", ())),
        recipe_text=_describe_settings(facts),
        facts=facts,
    )


def load_start_of(run: LoadedRun) -> CamNetwork:
    """Load the weights that a training began with; DataError where it began with random ones."""
    network = build_for(run.config)
    network.load_state_dict(load_state(run.folder / START_FILE)["network"])
    return network.eval()


def _describe_settings(facts: dict[str, Any]) -> str:
    """Return the settings of a training, or of all trainings that a run is the mean of."""
    if "averaged" not in facts:
        return json.dumps(facts["config"], sort_keys=True)
    made = {
        key: facts[key] for key in ("averaged", "with_start", "classes_shifted") if key in facts
    }
    return json.dumps(made, sort_keys=True)
