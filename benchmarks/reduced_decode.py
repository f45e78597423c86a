"""Does reading less of a film change what is printed? The reduced path against the exact one.

    python -m benchmarks.reduced_decode DATA [--films 24] [--model FILE]

Takes films of DATA's val split, two thirds of them with a top probability under 0.95 (a film that
is certain of its class hides every difference), enlarges each to 1024 on its longer side and to
2500 x 2048, both with sensor noise, writes it as every kind of file, and compares `--full-decode`
with the default: TB score, logits, decision. Prints one line per kind and size.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.every_syntax import KINDS, write_film
from benchmarks.made_films import enlarge
from cxr_train.data.manifest import Example, read_data, select
from edge_infer.films.read import read_radiograph
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import Finding, calibrated_probabilities, to_finding
from edge_infer.model.model_card import CLASSES, ModelCard
from edge_infer.model.preprocess import to_model_input
from edge_infer.worklist.rows import decide

_LARGE = (2500, 2048)
_CERTAIN = 0.95
_POINTS, _LOGIT = 1.0, 0.25
"""What may differ, on 99 % of films."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One file read both ways."""

    points: float
    logit: float
    """The largest of the classes: the referral logit has a scale of its own, and a score."""
    is_changed: bool
    margin: float
    """Points between the exact path's numbers and the nearest threshold."""
    top: float


def run(path: Path, classifier: Classifier, size: tuple[int, int] | None) -> NDArray[np.float32]:
    """Return the logits of a film, read exactly or reduced."""
    card = classifier.card
    film = read_radiograph(path, size=size)
    image = to_model_input(film.pixels, height=card.input.height, width=card.input.width)
    return classifier.run(image[None]).logits[0]


def compare(path: Path, classifier: Classifier) -> Difference:
    """Read one file both ways."""
    card = classifier.card
    exact = run(path, classifier, None)
    reduced = run(path, classifier, (card.input.height, card.input.width))
    before, after = to_finding(exact, card), to_finding(reduced, card)
    return Difference(
        points=abs(before.tb_tenths - after.tb_tenths) / 10,
        logit=float(np.abs(exact - reduced)[: len(CLASSES)].max()),
        is_changed=decide(before, card) is not decide(after, card),
        margin=margin(before, card),
        top=max(before.units) / 10_000,
    )


def margin(finding: Finding, card: ModelCard) -> float:
    """Return how many points the finding is from where its decision could change."""
    points = card.operating_points
    first, second = sorted(finding.units)[:-3:-1]
    gaps = [
        abs(finding.tb_tenths - points.refer_tb.tenths) / 10,
        abs(finding.abnormal_tenths - points.abnormal.tenths) / 10,
        (first - second) / 100,
    ]
    if card.uncertain is not None:
        units = dict(zip(CLASSES, finding.units, strict=True))
        gaps += [
            abs(units[one.class_name] - one.threshold_units) / 100 for one in card.uncertain.classes
        ]
    return min(gaps)


def choose(examples: Sequence[Example], classifier: Classifier, films: int) -> list[Example]:
    """Draw films, two thirds of them uncertain of their class."""
    logits = np.stack([run(example.path, classifier, None) for example in examples])
    top = calibrated_probabilities(logits, classifier.card.temperature).max(axis=1)
    order = np.random.default_rng(0).permutation(len(examples))
    unsure = [i for i in order if top[i] < _CERTAIN][: films - films // 3]
    sure = [i for i in order if top[i] >= _CERTAIN][: films - len(unsure)]
    return [examples[i] for i in (*unsure, *sure)]


def make(grey: NDArray[np.uint8], number: int) -> Iterator[tuple[str, NDArray[np.uint16]]]:
    """Yield the film at both sizes, in 12 bits with noise."""
    scale = 1024 / max(grey.shape)
    middle = round(grey.shape[0] * scale), round(grey.shape[1] * scale)
    yield "1024", enlarge(grey, middle, number)
    yield "2500x2048", enlarge(grey, _LARGE, number)


def report(name: str, found: list[Difference]) -> None:
    """Print one line."""
    points = np.array([one.points for one in found])
    logits = np.array([one.logit for one in found])
    within = share_within(found)
    changed = [f"{one.margin:.2f}" for one in found if one.is_changed]
    print(
        f"{name:28} {len(found):5} {_spread(points)}   {_spread(logits)}  {within:7.1%}   "
        + (f"{len(changed)} at {', '.join(changed)} points" if changed else "0"),
        flush=True,
    )


def _spread(values: NDArray[np.float64]) -> str:
    return " ".join(f"{v:6.3f}" for v in (*np.percentile(values, (50, 99)), values.max()))


def measure(
    classifier: Classifier, examples: Sequence[Example], films: int
) -> dict[str, list[Difference]]:
    """Return what reading less changes, by kind and size of file, of `films` of these films."""
    cv2.setNumThreads(1)
    found: dict[str, list[Difference]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, example in enumerate(choose(examples, classifier, films)):
            grey = cv2.imread(str(example.path), cv2.IMREAD_GRAYSCALE)
            for size, pixels in make(grey, number):
                for kind in KINDS:
                    path = write_film(Path(folder), pixels, kind)
                    found.setdefault(f"{kind} {size}", []).append(compare(path, classifier))
    return found


def share_within(found: Sequence[Difference]) -> float:
    """Return the share of files whose score and logits hold what is allowed."""
    return float(np.mean([one.points <= _POINTS and one.logit <= _LOGIT for one in found]))


def main() -> None:
    """Parse the command line, write and read the files, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--films", type=int, default=24)
    parser.add_argument("--model", type=Path, default=bundled_model())
    options = parser.parse_args()
    classifier = Classifier.load(options.model)
    found = measure(classifier, select(read_data(options.data), "val"), options.films)
    everything = [one for some in found.values() for one in some]
    unsure = np.mean([one.top < _CERTAIN for one in everything])
    print(f"{options.films} films, {unsure:.0%} of the files with a top probability under 0.95")
    print(f"{'':28} files   TB score points          largest logit         within   decisions")
    print(f"{'':28}       median   99 %    max   median   99 %    max   of both   changed")
    for name, some in sorted(found.items()):
        report(name, some)
    report("all", everything)


if __name__ == "__main__":
    main()
