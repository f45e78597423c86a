"""Score every film of a folder in this one process and print JSON: path -> score, decision, logits.

Run by tests in a processor emulator, where the command's worker processes would escape it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edge_infer.films.read import read_radiograph
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import to_finding
from edge_infer.model.preprocess import to_model_input
from edge_infer.worklist.rows import decide


def main() -> None:
    classifier = Classifier.load(bundled_model())
    card = classifier.card
    scores = {}
    for path in sorted(Path(sys.argv[1]).iterdir()):
        pixels = read_radiograph(path).pixels
        image = to_model_input(pixels, height=card.input.height, width=card.input.width)
        logits = classifier.run(image[None]).logits[0]
        finding = to_finding(logits, card)
        scores[path.name] = {
            "tb_score": float(finding.tb_score),
            "decision": decide(finding, card),
            "logits": [float(value) for value in logits],
        }
    json.dump(scores, sys.stdout)


if __name__ == "__main__":
    main()
