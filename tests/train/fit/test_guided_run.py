"""A training with a referral logit, lung masks and boxes, and a student that follows two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxr_train.config import TrainConfig, make_config
from cxr_train.errors import ConfigError
from cxr_train.fit.checkpoint import load_run, load_state
from cxr_train.fit.run import fit_run
from tests.train.tiny_films import write_hospitals

SIDE = 32


def config(**settings: Any) -> TrainConfig:
    return make_config(
        {
            "arch": "cnn5",
            "augment": "hospital",
            "input_size": SIDE,
            "stages": [{"size": SIDE, "epochs": 1}],
            "batch_size": 8,
            "precision": "fp32",
            "referral": True,
            "hospitals": ["A"],
            "separate_weight": 0.5,
            "align_weight": 0.05,
            "lung_weight": 0.5,
            "box_weight": 0.1,
        }
        | settings
    )


@pytest.fixture(name="given", scope="module")
def give_films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_hospitals(tmp_path_factory.mktemp("guided"))


def fit(settings: TrainConfig, given: dict[str, Path], out: Path, **more: Any) -> None:
    fit_run(
        settings,
        given["data"],
        out,
        lungs=given["lungs"],
        boxes=given["boxes"],
        cache=given["lungs"].parent / "cache",
        **more,
    )


def test_a_student_begins_with_one_teacher_and_follows_two(
    given: dict[str, Path], tmp_path: Path
) -> None:
    teachers = [tmp_path / f"teacher-{seed}" for seed in (0, 1)]
    for seed, out in enumerate(teachers):
        fit(config(seed=seed), given, out)
    assert load_run(teachers[0]).network.bias.shape == (5,)
    student = tmp_path / "student"
    settings = config(distill_weight=0.8, quantize_aware=1)
    fit(settings, given, student, start_from=teachers[0], teachers=teachers)
    facts = json.loads((student / "run.json").read_text(encoding="utf-8"))
    assert facts["taught_by"] == ["teacher-0", "teacher-1"] and facts["lungs"] and facts["boxes"]
    assert sum(map(sum, facts["val"]["confusion_rows_are_truth"])) == 8
    begun, best = (load_state(student / name)["network"] for name in ("start.pt", "best.pt"))
    own = load_state(teachers[0] / "best.pt")["network"]
    assert all((begun[name] == own[name]).all() for name in own)
    assert any((best[name] != own[name]).any() for name in own)


def test_what_settings_need_and_teachers_know_is_checked(
    given: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--teacher"):
        fit(config(distill_weight=0.5), given, tmp_path / "a")
    with pytest.raises(ConfigError, match="--boxes"):
        fit_run(config(), given["data"], tmp_path / "b", lungs=given["lungs"])
    teacher = tmp_path / "teacher"
    plain = {"referral": False, "separate_weight": 0.0, "align_weight": 0.0}
    fit(config(**plain), given, teacher)
    with pytest.raises(ConfigError, match="has 4 outputs"):
        fit(config(distill_weight=0.5), given, tmp_path / "c", teachers=[teacher])
    knowing = config(distill_weight=0.5, **plain)
    with pytest.raises(ConfigError, match="trained with B"):
        fit(knowing, given, tmp_path / "d", teachers=[teacher], without=["B"])
