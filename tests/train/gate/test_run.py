"""The whole of `cxr-train gate`, small: from films and other pictures to a run folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_train.errors import ConfigError, DataError
from cxr_train.gate.run import GATE_FILE, gate_run, read_gate_run
from edge_infer.model.bundled import bundled_model
from edge_infer.model.gate import GateState

RECIPE = """
films_whitened = 2
wrong_films = 3
hard_wrong_films = 3
others_varied = 1
laterals_varied = 1
tried_films = 2
folds = 2
epochs = 1
batch_size = 16
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return class folders of train, val and test films, and `others` of two kinds."""
    rng = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for name in ("normal", "tuberculosis"):
            for number in range(3):
                place = tmp_path / "data" / split / name / f"{split}{number}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(place), rng.integers(0, 256, (160, 150), dtype=np.uint8))
    for name in ("hand/a.png", "hand/b.png", "lateral_chest/c.png", "lateral_chest/d.png"):
        place = tmp_path / "others" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place), rng.integers(0, 256, (150, 150), dtype=np.uint8))
    (tmp_path / "gate.toml").write_text(RECIPE, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_run_holds_weights_thresholds_and_figures(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "run"
    gate_run(
        bundled_model(),
        folder / "data",
        folder / "others",
        out,
        recipe=folder / "gate.toml",
        held_out=("test",),
        workers=1,
    )
    facts, weights = read_gate_run(out)
    assert facts["states"] == [state.value for state in GateState]
    assert 0 < facts["doubt"] <= facts["refuse"] <= 100
    counted = {figure["pictures"]: figure["n"] for figure in facts["figures"]}
    assert counted["val, unnamed source"] == counted["test, unnamed source"] == 6
    assert counted["test, inverted"] == 2
    assert counted["other images, hand"] == counted["kind never seen, lateral_chest"] == 2
    assert weights["states.bias"].shape == (len(GateState),)
    assert not [path for path in out.iterdir() if path.is_dir()], "features stay on the disk"
    assert "Next: cxr-export" in capsys.readouterr().err


def test_a_split_without_films_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="'site'"):
        gate_run(
            bundled_model(),
            folder / "data",
            folder / "others",
            folder / "run",
            held_out=("site",),
        )


def test_an_unknown_setting_is_named(folder: Path) -> None:
    (folder / "gate.toml").write_text("fils_varied = 2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="fils_varied"):
        gate_run(
            bundled_model(),
            folder / "data",
            folder / "others",
            folder / "run",
            recipe=folder / "gate.toml",
        )
    assert not (folder / "run" / GATE_FILE).exists()
