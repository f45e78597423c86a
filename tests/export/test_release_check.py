"""The release script: both models in one table, every part or the reason why not, looks counted."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from benchmarks import release_check
from benchmarks.release_check import Figure, measure_folds, table
from cxr_train.errors import DataError
from cxr_train.evaluate.model_card_page import write_model_card
from edge_infer.errors import ModelError
from edge_infer.model.classifier import Classifier
from tests.train.tiny_films import write_film


def make_data(folder: Path) -> Path:
    """Write 12 films a class for val and test of one hospital, and 4 of another for val."""
    films = folder / "cxr4"
    films.mkdir(parents=True)
    with (films / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "class", "split", "source", "patient_id"])
        for k in range(112):
            split, label = "val" if k < 64 else "test", k % 4
            source = "Atlantis" if k < 16 else "Utopia"
            write_film(films / f"{k}.png", label, k)
            name = ("normal", "pneumonia", "covid19", "tuberculosis")[label]
            rows.writerow([f"{k}.png", name, split, source, k])
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr("sys.argv", ["release_check", *map(str, words)])
    release_check.main()


def test_a_candidate_stands_beside_the_previous_release(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out, ledger = make_data(tmp_path / "data"), tmp_path / "out", tmp_path / "looks.csv"
    words = [model, data, "--previous", model, "--out", out, "--cache", tmp_path / "cache"]
    words += ["--ledger", ledger, "--left-out", f"{model}=Utopia"]
    parts = ("export", "splits", "heat-maps")
    run(monkeypatch, *words, "--only", *parts)
    plain = json.loads((out / "release_check.json").read_text(encoding="utf-8"))
    assert plain["splits"] == ["val"] and not ledger.exists(), "val is no held-out look"
    ours = {(one["part"], one["name"]): one for one in plain["models"][0]["figures"]}
    assert ours["val", "accuracy"]["value"] == "1.000 (0.943 to 1.000), n 64"
    assert ours["val", "tuberculosis sensitivity, Utopia"]["number"] == 1.0
    assert ours["val", "share of the commonest class"]["number"] == 0.25
    assert ours["val", "accuracy, border only"]["number"] < 0.7
    assert ours["left out", "auroc, TB against normal, without Utopia"]["number"] == 1.0
    assert "no tb_boxes.csv" in ours["heat maps", "boxes and lungs"]["value"]
    assert ours["speed", "times as fast as the previous"]["number"] > 0
    text = (out / "release_check.md").read_text(encoding="utf-8")
    assert text.startswith("| part | figure | small 1.2.3 | small 1.2.3 | asked |\n")
    assert all(line.count("|") == 6 for line in text.splitlines())
    folds = json.loads((out / "left-out.json").read_text(encoding="utf-8"))["folds"]
    assert folds[0]["sources"] == ["Utopia"] and folds[0]["films"] == 48
    (evaluation,) = out.glob("evaluation-*/evaluation.json")
    write_model_card(model, evaluation, tmp_path / "card.md", [out / "left-out.json"])
    page = (tmp_path / "card.md").read_text(encoding="utf-8")
    inside = page.partition("## Inside one hospital")[2].partition("\n## ")[0]
    assert "| Utopia | left out of a training like this | 1.000 (0.758 to 1.000) |" in inside
    assert page.index("## Inside one hospital") < page.index("## Training data")
    with pytest.raises(DataError, match="holds no left-out folds"):
        write_model_card(model, evaluation, tmp_path / "card.md", [evaluation])

    run(monkeypatch, *words, "--only", "splits", "--final")
    run(monkeypatch, *words, "--only", "splits", "--final")
    with ledger.open(encoding="utf-8", newline="") as file:
        (look,) = csv.DictReader(file)
    assert (look["split"], look["n"]) == ("test", "48")


def test_what_cannot_be_measured_says_why_and_stops_nothing(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> list[Figure]:
        raise ModelError("no such thing here")

    class Anything:
        classifier = Classifier.load(model)

    monkeypatch.setitem(release_check.PARTS, "agreement", fail)
    (row,) = release_check.run_part("agreement", Anything())  # type: ignore[arg-type]
    assert row.value == "not measured: no such thing here"


def test_the_table_has_what_either_model_has() -> None:
    ours = [
        Figure(part="a", name="x", value="1", asked=">= 1"),
        Figure(part="a", name="y", value="2"),
    ]
    theirs = [Figure(part="a", name="x", value="0"), Figure(part="b", name="z", value="3")]
    lines = table(ours, theirs, ("new", "old")).splitlines()
    assert lines[2:] == ["| a | x | 1 | 0 | >= 1 |", "| a | y | 2 |  |  |", "| b | z |  | 3 |  |"]


def test_a_fold_names_a_run_and_sources_that_exist() -> None:
    for text in ("Utopia", "run=Utopia"):
        with pytest.raises(SystemExit, match="no RUN=SOURCE, or no film of"):
            measure_folds([text], [], None)
