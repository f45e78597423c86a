"""A small real training on made-up films, and the command run apart from the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cxr_train.config import make_config
from cxr_train.fit.run import fit_run
from tests.train.tiny_films import write_data

SIDE = 64


def train_small_run(folder: Path) -> Path:
    """Train a cnn5 on 48 films into `folder`/run; 48 more are for validation."""
    data = write_data(folder / "data", train=12, val=12)
    config = make_config(
        {
            "name": "small",
            "arch": "cnn5",
            "augment": "none",
            "input_size": SIDE,
            "stages": [{"size": SIDE, "epochs": 12}],
            "batch_size": 16,
            "precision": "fp32",
            "patience": 12,
        }
    )
    fit_run(config, data, folder / "run", cache=folder / "cache")
    return folder / "run"


def run_command(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `cxr-export`."""
    return run_python("from cxr_export.cli import main\nmain()", *words)


def run_python(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run `program` with these arguments in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
