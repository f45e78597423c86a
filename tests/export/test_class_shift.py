"""Class biases fitted after quantization stand in the file, and only the classes move."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cxr_export.class_shift import shift_classes
from cxr_export.errors import ParityError
from cxr_export.quantize import run_logits
from cxr_train.figures.temperature import class_logits, fit_temperature, log_loss
from tests.export.small_run import SIDE


def test_the_file_gives_the_shifted_logits(model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "shifted.onnx"
    shutil.copy(model, copy)
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (24, 1, SIDE, SIDE), dtype=np.uint8)
    before = run_logits(copy, pixels)
    labels = np.where(np.arange(24) < 16, 0, np.arange(24) % 4)
    shift = shift_classes(copy, before, labels)
    assert shift.shape == (4,) and abs(shift.sum()) < 1e-3 and np.abs(shift).max() > 0.01
    temperature = fit_temperature(before + shift.astype(np.float32), labels)
    shifted, plain = (
        log_loss(class_logits(logits), labels, temperature)
        for logits in (before + shift.astype(np.float32), before)
    )
    assert shifted < plain
    np.testing.assert_allclose(run_logits(copy, pixels), before + shift, atol=1e-5)


def test_a_graph_without_our_head_is_refused(model: Path, tmp_path: Path) -> None:
    fp32 = tmp_path / "fp32.onnx"
    shutil.copy(model.with_name("small.fp32.onnx"), fp32)
    with pytest.raises(ParityError, match="no bias to shift"):
        shift_classes(fp32, np.eye(4, dtype=np.float32), np.arange(4))
