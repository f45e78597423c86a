"""One small run and one export of it, shared by all tests here: together 40 s on a busy machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cxr_export.export_run import export_run
from tests.export.small_run import train_small_run


@pytest.fixture(name="run", scope="session")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_small_run(tmp_path_factory.mktemp("export"))


@pytest.fixture(name="model", scope="session")
def make_model(run: Path) -> Path:
    out = run.parent / "모델" / "small.onnx"
    out.parent.mkdir()
    export_run(run, out, cache=run.parent / "cache", fp32_too=True, version="1.2.3")
    return out


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors gain nothing from threads, and lose much when the machine is busy."""
    torch.set_num_threads(1)
