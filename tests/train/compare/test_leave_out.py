"""Leaving a source out: its films are neither trained on nor used to choose anything."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cxr_train.compare.cells import parse_budget
from cxr_train.compare.leave_out import Fold, describe_folds, leave_out
from cxr_train.errors import DataError
from edge_infer.model.model_card import CLASSES, Interval, Metric
from tests.train.tiny_films import write_data, write_film


def write_sources(folder: Path) -> Path:
    """Write films of two sources: one with all classes, one with pneumonia and normal."""
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "class", "split", "source", "patient_id"])
        for number in range(96):
            label = number % 4
            source = "ward" if number < 72 or label > 1 else "school"
            split = "val" if number % 3 == 0 else "train"
            name = f"{number}.png"
            write_film(folder / name, label, number)
            writer.writerow([name, CLASSES[label], split, source, f"p{number}"])
    return folder


@pytest.mark.slow
def test_a_left_out_source_is_seen_by_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    data = write_sources(tmp_path / "data")
    (fold,) = leave_out(
        data,
        tmp_path / "out",
        folds=["school"],
        budget=parse_budget("32x2"),
        arch="cnn5",
        augment="none",
        cache=tmp_path / "cache",
    )
    (run,) = (tmp_path / "out" / "runs").iterdir()
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert facts["without"] == ["school"]
    assert fold.films == 12
    assert facts["train_images"] + facts["val_images"] + fold.films == 96
    assert {m.n for m in fold.metrics if m.name == "accuracy"} == {12}
    assert not [m for m in fold.metrics if m.class_name == "tuberculosis" and m.name == "auroc"]
    assert "without school: 12 films of it" in "\n".join(describe_folds([fold]))
    said = [one for one in capsys.readouterr().err.splitlines() if not one.startswith("... ")]
    assert said[0].startswith("1 folds of cnn5, none, 32 px, 2 epochs on ")
    assert "; 96 films, 4 of 4 classes; sources: school, ward; " in said[0]
    assert said[1:] == ["without school", f"page: {tmp_path / 'out' / 'leave-out.html'}"]
    page = (tmp_path / "out" / "leave-out.html").read_text(encoding="utf-8")
    assert "Without school: 12 films; TB figures: age unknown" in page and "<svg " in page


def test_each_side_says_whose_films_its_own_tb_figures_count() -> None:
    """With a children's hospital left out, the others' figures stood there as of adults."""
    metric = Metric(
        split="val",
        source="adults, TB against normal",
        input_type="any",
        name="auroc",
        class_name="tuberculosis",
        estimate=Interval(value=0.9, low=0.8, high=1.0),
        n=26,
        groups=26,
    )
    fold = Fold(
        sources=("Kermany",),
        films=107,
        metrics=(),
        other_val=(metric,),
        ages="none, all films are of children",
        other_ages="age unknown",
    )
    first, second = describe_folds([fold])
    assert first.endswith("107 films of it, TB figures: none, all films are of children")
    assert "(age unknown, TB against normal) 0.900" in second


def test_without_any_source_it_says_what_a_manifest_needs(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=1, val=1)
    with pytest.raises(DataError, match="columns path, class and source"):
        leave_out(
            data,
            tmp_path / "out",
            folds=["school"],
            budget=parse_budget("32x2"),
            arch="cnn5",
            augment="none",
        )


def test_an_unknown_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = write_sources(tmp_path / "data")
    with pytest.raises(DataError, match="source 'shcool'; there are: school, ward"):
        leave_out(
            data,
            tmp_path / "out",
            folds=["shcool"],
            budget=parse_budget("32x2"),
            arch="cnn5",
            augment="none",
        )
