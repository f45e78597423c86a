"""`cxr-train evaluate` on a checkpoint and on its export: the same figures from the same films."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cxr_train.errors import DataError
from cxr_train.evaluate.evaluation import Evaluation, evaluate, evaluation_splits
from cxr_train.evaluate.text import describe_evaluation
from edge_infer.model.classifier import Classifier
from edge_infer.model.model_card import Metric
from tests.export.small_run import run_python
from tests.train.tiny_films import film

COMMAND = "from cxr_train.cli import main\nmain()"


def overall(evaluation: Evaluation, name: str, class_name: str = "") -> Metric:
    (found,) = (
        metric
        for metric in evaluation.splits[0].metrics
        if (metric.source, metric.name, metric.class_name) == ("all", name, class_name)
    )
    return found


def test_checkpoint_and_export_agree_on_films(model: Path, run: Path) -> None:
    data, cache = run.parent / "data", run.parent / "cache"
    ours = evaluate(run, data, splits=("val",), cache=cache)
    theirs = evaluate(model, data, splits=("val",), cache=cache)
    assert "checkpoint" in ours.model and "INT8" in theirs.model
    assert ours.sha256 != theirs.sha256
    assert ours.data_fingerprint == theirs.data_fingerprint
    for name in ("accuracy", "macro_f1", "weighted_f1"):
        assert overall(ours, name).estimate.value == overall(theirs, name).estimate.value == 1.0
    assert overall(theirs, "recall", "tuberculosis").n == 12
    text = "\n".join(describe_evaluation(theirs))
    assert "the study's goal: accuracy 70%: 1.000 (0.926 to 1.000), n 48: shown" in text
    assert "n 12: cannot tell, n too small" in text
    assert "as promised" in text, "12 films of a class suffice to promise 90 %"


def test_covered_films_are_measured_beside_the_whole_ones(model: Path, run: Path) -> None:
    """The made-up classes are spots inside the lungs: without the lungs nothing is left."""
    whole = evaluate(model, run.parent / "data", splits=("val",), cache=run.parent / "cache")
    views = {view.name: figures for view, figures in whole.splits[0].views.items()}
    hidden = {
        name: next(m.estimate.value for m in figures if m.name == "accuracy")
        for name, figures in views.items()
    }
    assert set(hidden) == {"BORDER_ONLY", "LUNGS_MASKED"}
    assert hidden["BORDER_ONLY"] < 0.5 and hidden["LUNGS_MASKED"] < 0.7


def test_the_command_writes_the_figures_it_prints(model: Path, run: Path, tmp_path: Path) -> None:
    words = ("evaluate", model, run.parent / "data", "--split", "val", "--out", tmp_path / "판")
    done = run_python(COMMAND, *words, "--cache", run.parent / "cache")
    assert done.returncode == 0, done.stderr
    plain = json.loads((tmp_path / "판" / "evaluation.json").read_text(encoding="utf-8"))
    assert plain["splits"][0]["split"] == "val" and plain["splits"][0]["refused"] == 0
    with (tmp_path / "판" / "evaluation.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["view"] for row in rows} == {"whole film", "border only", "lungs masked out"}
    (row,) = (r for r in rows if r["name"] == "macro_f1" and r["view"] == "whole film")
    assert f"macro_f1 {float(row['value']):.3f} ({float(row['low']):.3f}" in done.stdout
    assert str(tmp_path) not in json.dumps(plain)


def test_a_look_at_a_held_out_split_is_noted(model: Path, run: Path, tmp_path: Path) -> None:
    data = tmp_path / "films.csv"
    with data.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "class", "split"])
        for film_file in sorted((run.parent / "data" / "val").rglob("*.png")):
            rows.writerow([film_file, film_file.parent.name, "holdout"])
    ledger = tmp_path / "looks.csv"
    for _ in range(2):
        words = ("evaluate", model, data, "--ledger", ledger, "--cache", tmp_path / "cache")
        assert run_python(COMMAND, *words).returncode == 0
    with ledger.open(encoding="utf-8", newline="") as file:
        (look,) = csv.DictReader(file)
    assert (look["split"], look["n"], look["accuracy"]) == ("holdout", "48", "1.0000")
    assert len(look["model_sha256"]) == 64


def test_an_unknown_split_or_model_is_one_sentence(model: Path, run: Path, tmp_path: Path) -> None:
    data = run.parent / "data"
    with pytest.raises(DataError, match=r"no split 'holdout'; it has: train, val"):
        evaluate(model, data, splits=("holdout",))
    done = run_python(COMMAND, "evaluate", tmp_path / "none.onnx", data)
    assert done.returncode == 3 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("cxr-train: ")


def test_held_out_splits_of_one_hospital_come_first() -> None:
    examples = [film(0, split, split=split) for split in ("val", "published", "train", "site")]
    assert evaluation_splits(examples) == ("site", "published", "val")
    with pytest.raises(DataError, match="nothing to evaluate"):
        evaluation_splits(examples[2:3])


def test_the_model_card_holds_the_files_and_the_evaluations_facts(
    model: Path, run: Path, tmp_path: Path
) -> None:
    words = ("evaluate", model, run.parent / "data", "--split", "val", "--out", tmp_path)
    assert run_python(COMMAND, *words, "--cache", run.parent / "cache").returncode == 0
    page = tmp_path / "MODEL_CARD.md"
    done = run_python(COMMAND, "card", model, tmp_path / "evaluation.json", "--out", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    card = Classifier.load(model).card
    assert text.startswith("# Model card: small 1.2.3\n")
    for fact in (card.intended_use, card.data_statement, card.data_fingerprint, card.recipe):
        assert fact in text
    assert f"| TB score {card.operating_points.refer_tb.threshold:.1f} |" in text
    assert "| accuracy | 1.000 (0.926 to 1.000) | 48, 48 |" in text
    assert "border only" in text and "cannot tell, n too small" in text
    assert "None" not in text and "nan" not in text
    (tmp_path / "evaluation.json").write_text('{"sha256": "other"}', encoding="utf-8")
    refused = run_python(COMMAND, "card", model, tmp_path / "evaluation.json", "--out", page)
    assert refused.returncode == 3 and "another model file" in refused.stderr
