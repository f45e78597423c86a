"""What TensorBoard and MLflow are told, read back as they keep it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from cxr_train.errors import ConfigError
from cxr_train.fit.trackers import Tracker, open_trackers

EPOCHS = (
    {"epoch": 0, "train_loss": 1.5, "val_macro_f1": 0.25},
    {"epoch": 1, "train_loss": 0.75, "val_macro_f1": 0.5},
)


def follow_epochs(tracker: Tracker, folder: Path) -> None:
    with open_trackers([tracker], folder, {"arch": "cnn5", "stages": [{"size": 64}]}) as follow:
        for record in EPOCHS:
            follow(record)


def test_nothing_wanted_is_nothing_started(tmp_path: Path) -> None:
    with open_trackers([], tmp_path, {}) as follow:
        follow(EPOCHS[0])
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="the extra tensorboard is missing")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_the_epochs_back(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    follow_epochs(Tracker.TENSORBOARD, tmp_path)
    kept = EventAccumulator(str(tmp_path / "tensorboard"))
    kept.Reload()
    assert set(kept.Tags()["scalars"]) == {"train_loss", "val_macro_f1"}
    read = [(one.step, one.value) for one in kept.Scalars("train_loss")]
    assert read == [(1, 1.5), (2, 0.75)]
    (settings,) = kept.Tensors("settings/text_summary")
    assert "cnn5" in settings.tensor_proto.string_val[0].decode()


@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra mlflow is missing")
def test_mlflow_reads_the_epochs_back_from_the_run_folder(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from tests.train.fit.test_trackers import Tracker, follow_epochs\n"
        "follow_epochs(Tracker.MLFLOW, Path(sys.argv[1]))\n"
        "import mlflow\n"
        "(run,) = mlflow.search_runs(output_format='list')\n"
        "told = mlflow.MlflowClient().get_metric_history(run.info.run_id, 'train_loss')\n"
        "print(run.info.run_name, run.info.status, run.data.params['arch'])\n"
        "print([(one.step, one.value) for one in told])\n"
    )
    # In a process of its own: MLflow keeps threads, and where it logs to, as long as it is loaded.
    free = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "mine")],
        check=True,
        capture_output=True,
        encoding="utf-8",
        env=free,
    )
    assert done.stdout.splitlines() == ["mine FINISHED cnn5", "[(1, 1.5), (2, 0.75)]"]
    assert (tmp_path / "mine" / "mlruns").is_dir()


@pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra mlflow is missing")
def test_where_mlflow_cannot_log_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://at.all")
    with pytest.raises(ConfigError, match="MLflow cannot be told"):
        follow_epochs(Tracker.MLFLOW, tmp_path)


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="the extra mlflow is there")
def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cxr-edge\[mlflow\]"):
        follow_epochs(Tracker.MLFLOW, tmp_path)
