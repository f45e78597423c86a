"""Learning curves: a picture appears, and the epoch it marks is the one whose weights were kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from cxr_train.config import make_config
from cxr_train.fit.checkpoint import load_run
from cxr_train.fit.curves import best_epoch, draw_curves
from cxr_train.fit.run import fit_run
from tests.train.tiny_films import write_data


def history(*figures: float, sizes: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "size": sizes[epoch] if sizes else 32,
            "train_loss": 1 / (epoch + 1),
            "val_loss": 1.0,
            "val_macro_f1": value,
        }
        for epoch, value in enumerate(figures)
    ]


def test_draws_a_png_also_of_one_epoch(tmp_path: Path) -> None:
    for number, lines in enumerate((history(0.5), history(0.9, 0.4, 0.6, sizes=(32, 32, 64)))):
        draw_curves(lines, tmp_path / f"{number}.png", choosing_from=2)
        pixels = cv2.imread(str(tmp_path / f"{number}.png"))
        assert pixels is not None and pixels.shape == (600, 800, 3)
        assert pixels.min() < 50 and pixels.max() == 255
    assert not list(tmp_path.glob("*.part"))


def test_best_epoch_is_the_first_highest_that_could_be_chosen() -> None:
    lines = history(0.9, 0.4, 0.6, 0.6)
    assert best_epoch(lines, choosing_from=1) == lines[2]
    assert best_epoch(lines) == lines[0]
    assert best_epoch(lines[:1], choosing_from=1) is None


def test_fit_marks_the_epoch_it_kept_and_goes_on_without_matplotlib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "data")
    config = make_config(
        {"arch": "cnn5", "input_size": 32, "stages": [{"size": 32, "epochs": 2}], "batch_size": 8}
    )
    fit_run(config, data, tmp_path / "run")
    assert (tmp_path / "run" / "curves.png").is_file()
    lines = json.loads((tmp_path / "run" / "history.json").read_text(encoding="utf-8"))
    best = best_epoch(lines)
    assert best is not None and best["epoch"] == load_run(tmp_path / "run").facts["best_epoch"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    fit_run(config, data, tmp_path / "bare")
    assert "No curves.png: matplotlib is missing: pip install" in capsys.readouterr().err
    assert not (tmp_path / "bare" / "curves.png").exists()
    assert load_run(tmp_path / "bare").facts["val"]
