"""All copies of one film get nearly one score from the bundled model, whatever the syntax."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_infer.films.read import read_radiograph
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import printed_scores
from edge_infer.model.model_card import CLASSES
from edge_infer.model.preprocess import to_model_input
from tests.shared_data import shared_data


@pytest.mark.parametrize("film", ["rsna0", "rsna1"])
def test_transcoded_copies_of_a_film_agree(film: str) -> None:
    copies = sorted((shared_data() / "dicom").glob(f"derived_{film}_*.dcm"))
    assert len(copies) == 11
    classifier = Classifier.load(bundled_model())
    card = classifier.card
    images = np.stack([model_input(path, card.input.height, card.input.width) for path in copies])
    logits = classifier.run(images).logits
    tenths, _ = printed_scores(logits, card.score_rule)
    assert np.ptp(tenths) <= 20, dict(zip([p.name for p in copies], tenths, strict=True))
    # The referral logit, on a scale of its own, is judged by the score it makes.
    assert np.ptp(logits[:, : len(CLASSES)], axis=0).max() <= 0.1


def model_input(path: Path, height: int, width: int) -> np.ndarray:
    return to_model_input(read_radiograph(path).pixels, height=height, width=width)
