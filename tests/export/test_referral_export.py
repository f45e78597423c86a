"""A network with a referral logit is trained, exported, evaluated and screened by its own score."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cxr_export.export_run import export_run
from cxr_train.config import make_config
from cxr_train.errors import ConfigError
from cxr_train.evaluate.evaluation import evaluate
from cxr_train.figures.referral import make_referral
from cxr_train.fit.run import fit_run
from edge_infer.model.classifier import Classifier
from edge_infer.model.self_test import run_self_test
from tests.export.small_run import SIDE, run_command, run_python
from tests.train.tiny_films import write_film

NAMES = ("normal", "pneumonia", "covid19", "tuberculosis")


@pytest.fixture(name="referring", scope="module")
def make_referring_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a cnn5 with a fifth output on 48 films of one hospital; 48 more are for validation."""
    folder = tmp_path_factory.mktemp("referral")
    data = folder / "films.csv"
    with data.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "class", "split", "source", "patient_id"])
        for k in range(96):
            write_film(folder / f"{k}.png", k % 4, k)
            rows.writerow([f"{k}.png", NAMES[k % 4], "train" if k < 48 else "val", "Utopia", k])
    config = make_config(
        {
            "name": "referring",
            "arch": "cnn5",
            "augment": "none",
            "input_size": SIDE,
            "stages": [{"size": SIDE, "epochs": 12}],
            "batch_size": 16,
            "precision": "fp32",
            "patience": 12,
            "referral": True,
            "hospitals": ["Utopia"],
        }
    )
    fit_run(config, data, folder / "run", cache=folder / "cache")
    return folder / "run"


def test_its_score_goes_from_export_to_worklist(referring: Path, tmp_path: Path) -> None:
    out, cache = tmp_path / "five.onnx", referring.parent / "cache"
    words = (referring, "--out", out, "--cache", cache, "--referral-map", "referral")
    done = run_command(*words, "--referral-score=0.5,0.25,0.75,-0.5")
    assert done.returncode == 0, done.stderr
    classifier = Classifier.load(out)
    card = classifier.card
    assert card.referral is not None and card.referral.map == "referral"
    assert run_self_test(classifier).ok
    output = classifier.run(np.zeros((2, 1, SIDE, SIDE), np.uint8))
    assert output.logits.shape == (2, 5) and output.cam.shape[1] == 5
    (hospital,) = card.operating_points.refer_tb.hospitals
    assert (hospital.source, hospital.n_positive, hospital.n_negative) == ("Utopia", 12, 12)
    assert hospital.sensitivity.value >= 0.95

    evaluation = evaluate(out, referring.parent / "films.csv", splits=("val",), cache=cache)
    figures = {(m.source, m.name): m.estimate.value for m in evaluation.splits[0].metrics}
    assert figures["Utopia", "sensitivity"] == hospital.sensitivity.value
    assert figures["Utopia", "specificity"] == hospital.specificity.value

    day = tmp_path / "day"
    day.mkdir()
    for k in range(8):
        write_film(day / f"{k}.png", k % 4, k)
    screen = "from edge_infer.commands.infer import main\nmain()"
    done = run_python(screen, day, "--model", out, "--out", tmp_path / "lists")
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "lists" / "worklist.json").read_text(encoding="utf-8"))["rows"]
    scores = {row["path"]: (row["tb_score"], row["p_tuberculosis"]) for row in rows}
    assert any(abs(score - 100 * share) > 0.1 for score, share in scores.values())


def test_outputs_and_weights_that_do_not_fit_are_refused(
    referring: Path, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "none.onnx"
    with pytest.raises(ConfigError, match="has a referral logit: say what the TB score is made of"):
        export_run(referring, out)
    for weights, shown in (((0.5, 1, 0, 0), "tuberculosis"), ((0, 1, 0, 0), "referral")):
        with pytest.raises(ConfigError, match="has no referral logit"):
            export_run(run, out, referral=make_referral(weights, shown_map=shown))
    done = run_command(run, "--out", out, "--referral-score", "1,2")
    assert done.returncode == 2 and "four weights a, b, c, d, not 2" in done.stderr
    assert not out.exists()
