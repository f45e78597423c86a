"""MODEL_CARD.md is what the bundled model file and its evaluation say, to the letter."""

from __future__ import annotations

from pathlib import Path

from cxr_train.evaluate.model_card_page import write_model_card
from edge_infer.model.bundled import bundled_model

ROOT = Path(__file__).resolve().parents[3]


def test_the_model_card_is_the_bundled_models(tmp_path: Path) -> None:
    evaluation = ROOT / "train" / "recipes" / "cxr-resnet18.evaluation.json"
    write_model_card(bundled_model(), evaluation, tmp_path / "MODEL_CARD.md")
    made = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert made == (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8")
    for section in ("Intended use", "Training data", "Split `site`", "Goals", "Known failures"):
        assert f"## {section}\n" in made
