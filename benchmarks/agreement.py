"""Does one film get one score, whatever file it came in? Compares copies of labelled films.

    python -m benchmarks.agreement DATA [--films 40] [--model FILE]

Takes the films of DATA's val split whose TB score is nearest the refer threshold, in equal numbers
of all four classes, writes each as 16-bit PNG and as DICOM in six transfer syntaxes, and prints the
largest difference in TB score and logits between the copies.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks.made_films import write_dicom
from cxr_train.data.manifest import Example, read_data, select
from edge_infer.films.read import read_radiograph
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import printed_scores
from edge_infer.model.model_card import CLASSES
from edge_infer.model.preprocess import to_model_input

SYNTAXES = ("explicit", "deflated", "jpeg_lossless", "jpeg_ls", "jpeg2000", "rle")


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The largest difference between a film and its copies of one kind."""

    points: float
    """Of the TB score."""
    logit: float


def measure(classifier: Classifier, examples: Sequence[Example], films: int) -> dict[str, Gap]:
    """Return the largest differences by kind of copy, of films whose score is near the threshold.

    `films` of `examples` are chosen, in equal numbers of all four classes.
    """
    card = classifier.card

    def logits_of(path: Path) -> np.ndarray:
        film = read_radiograph(path, min_age_years=card.min_age_years)
        image = to_model_input(film.pixels, height=card.input.height, width=card.input.width)
        return classifier.run(image[None]).logits[0]

    logits = np.stack([logits_of(example.path) for example in examples])
    tenths, _ = printed_scores(logits, card.score_rule)
    threshold = card.operating_points.refer_tb.tenths
    chosen: list[int] = []
    for label in range(len(CLASSES)):
        members = [i for i, example in enumerate(examples) if example.label == label]
        members.sort(key=lambda i: abs(int(tenths[i]) - threshold))
        chosen += members[: films // len(CLASSES)]
    worst: dict[str, Gap] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in chosen:
            grey = cv2.imread(str(examples[number].path), cv2.IMREAD_GRAYSCALE)
            copies = {}
            png = Path(folder) / "film.png"
            png.write_bytes(cv2.imencode(".png", grey.astype(np.uint16) * 257)[1].tobytes())
            copies["png16"] = logits_of(png)
            for syntax in SYNTAXES:
                file = Path(folder) / f"{syntax}.dcm"
                write_dicom(file, grey.astype(np.uint16) * 16, syntax)
                copies[syntax] = logits_of(file)
            for name, values in copies.items():
                both = np.stack([logits[number], values])
                points = abs(np.diff(printed_scores(both, card.score_rule)[0])[0]) / 10
                gap = float(np.abs(both[0] - both[1])[: len(CLASSES)].max())
                before = worst.get(name, Gap(points=0.0, logit=0.0))
                worst[name] = Gap(
                    points=max(before.points, float(points)), logit=max(before.logit, gap)
                )
    return worst


def main() -> None:
    """Parse the command line, measure, print the differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--model", type=Path, default=bundled_model())
    options = parser.parse_args()
    examples = select(read_data(options.data), "val")
    worst = measure(Classifier.load(options.model), examples, options.films)
    print(f"{options.films} films nearest the threshold, against the JPEG they were made from:")
    for name, gap in worst.items():
        print(
            f"  {name:14} largest TB score difference {gap.points:.1f}, "
            f"largest logit {gap.logit:.4f}"
        )


if __name__ == "__main__":
    main()
