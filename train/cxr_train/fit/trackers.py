"""Where the epochs of a training may be followed besides the terminal: TensorBoard, MLflow.

Neither is ever started unasked, and neither is installed but by the extra of its name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

from cxr_train.errors import ConfigError

Follow = Callable[[Mapping[str, Any]], None]
"""Told every epoch's record: its number as `epoch`, and figures."""


class Tracker(StrEnum):
    """A program that draws trainings."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"


@contextmanager
def open_trackers(
    wanted: Collection[Tracker], folder: Path, settings: Mapping[str, Any]
) -> Iterator[Follow]:
    """Yield what hands an epoch's figures to all `wanted` trackers.

    TensorBoard's files go to `folder`/tensorboard; MLflow's go where MLFLOW_TRACKING_URI says, else
    to `folder`/mlruns.
    ConfigError names the extra of one that is not installed, or says why MLflow refuses.
    """
    openers = {Tracker.TENSORBOARD: _tensorboard, Tracker.MLFLOW: _mlflow}
    with ExitStack() as stack:
        follows = [stack.enter_context(openers[one](folder, settings)) for one in wanted]

        def follow(record: Mapping[str, Any]) -> None:
            for one in follows:
                one(record)

        yield follow


@contextmanager
def _tensorboard(folder: Path, settings: Mapping[str, Any]) -> Iterator[Follow]:
    _import("tensorboard", Tracker.TENSORBOARD)
    writer = _import("torch.utils.tensorboard", Tracker.TENSORBOARD).SummaryWriter(
        str(folder / "tensorboard")
    )
    writer.add_text("settings", str(dict(settings)))

    def follow(record: Mapping[str, Any]) -> None:
        for name, value in _figures(record):
            writer.add_scalar(name, value, record["epoch"] + 1)
        writer.flush()

    try:
        yield follow
    finally:
        writer.close()


@contextmanager
def _mlflow(folder: Path, settings: Mapping[str, Any]) -> Iterator[Follow]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it reports to its makers else
    if "MLFLOW_TRACKING_URI" not in os.environ:
        # Without a server MLflow would need SQLAlchemy, and refuses files unless they are allowed.
        os.environ["MLFLOW_TRACKING_URI"] = (folder.absolute() / "mlruns").as_uri()
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = _import("mlflow", Tracker.MLFLOW)

    def follow(record: Mapping[str, Any]) -> None:
        mlflow.log_metrics(dict(_figures(record)), step=record["epoch"] + 1)

    try:
        run = mlflow.start_run(run_name=folder.absolute().name)
    except mlflow.exceptions.MlflowException as error:
        raise ConfigError(f"MLflow cannot be told of this training: {error}") from error
    with run:
        mlflow.log_params({key: str(value)[:500] for key, value in settings.items()})
        yield follow


def _figures(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    yield from ((name, float(value)) for name, value in record.items() if name != "epoch")


def _import(module: str, extra: Tracker) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(f'{extra} is missing: pip install "cxr-edge[{extra}]"') from error
