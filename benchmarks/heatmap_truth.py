"""Do the heat maps point at the lesion? Against radiologists' boxes and drawn lungs, on real films.

    python -m benchmarks.heatmap_truth DATA [--model FILE] [--fp32 FILE] [--splits val test]
                                            [--json FILE]

DATA holds `cxr4/`, `tb_boxes.csv` and `lung_masks/`. The map is the one that the page shows of a
referred film. Two figures: how often its strongest point lies in a box (chance: the share of the
film that the boxes cover), and how much of it lies inside the lungs (chance: the lungs' share).
`--fp32` measures the graph that `cxr-export --fp32-too` writes beside the model, too.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_infer.films.read import read_radiograph
from edge_infer.flow.screen import open_model
from edge_infer.model.classifier import Classifier, output_order
from edge_infer.model.heatmap import spread_heat
from edge_infer.model.model_card import Interval, ModelCard
from edge_infer.model.preprocess import to_model_input
from edge_infer.model.proportions import wilson_interval

SIDE = 224
"""Pixels a side that maps, boxes and lungs are compared at."""
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in shares of the film's width and height."""
Ask = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""The maps [K, h, w] of one film [H, W]."""


@dataclass(frozen=True, kw_only=True)
class Pointing:
    """Whether strongest points lie in a box."""

    split: str
    films: int
    inside: Interval
    near: Interval
    """In a box or at most half a place of the map away from one."""
    chance: float
    """Mean share of the film that its boxes cover."""
    nowhere: int
    """Films of which no place adds to the score: counted as not inside."""


@dataclass(frozen=True, kw_only=True)
class InLungs:
    """How much of the maps lies inside the lungs."""

    split: str
    class_name: str
    films: int
    share: float
    """Mean over films of the share of the map's mass."""
    lowest_tenth: float
    """A tenth of the films have this or less."""
    chance: float
    """Mean share of the film that the lungs cover."""


def enlarge(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a map [SIDE, SIDE] as the page draws it: cubic, what undershoots cut at 0."""
    large = cv2.resize(heat, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.maximum(large, 0), np.float32)


def box_mask(boxes: Sequence[Box], *, margin: float = 0.0) -> NDArray[np.bool_]:
    """Return which pixels [SIDE, SIDE] lie in a box, each widened by `margin` of the film."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    inside = np.zeros((SIDE, SIDE), dtype=np.bool_)
    for x0, y0, x1, y1 in boxes:
        rows = (centres >= y0 - margin) & (centres <= y1 + margin)
        columns = (centres >= x0 - margin) & (centres <= x1 + margin)
        inside |= rows[:, None] & columns[None, :]
    return inside


def point_of(heat: NDArray[np.float32]) -> tuple[int, int] | None:
    """Return row and column of a map's strongest place, enlarged; None where all of it is 0."""
    if not heat.any():
        return None
    row, column = np.unravel_index(int(enlarge(heat).argmax()), (SIDE, SIDE))
    return int(row), int(column)


def measure_boxes(
    split: str, films: Iterable[tuple[NDArray[np.float32], Sequence[Box]]]
) -> Pointing:
    """Compare maps [h, w] with the boxes of their films; ValueError without a film."""
    hits, near, chances, nowhere = [], [], [], 0
    for heat, boxes in films:
        mask = box_mask(boxes)
        wide = box_mask(boxes, margin=0.5 / heat.shape[0])
        chances.append(mask.mean())
        place = point_of(heat)
        nowhere += place is None
        hits.append(place is not None and bool(mask[place]))
        near.append(place is not None and bool(wide[place]))
    return Pointing(
        split=split,
        films=len(hits),
        inside=wilson_interval(sum(hits), len(hits)),
        near=wilson_interval(sum(near), len(near)),
        chance=float(np.mean(chances)),
        nowhere=nowhere,
    )


def share_inside(heat: NDArray[np.float32], lungs: NDArray[np.bool_]) -> float | None:
    """Return the share of a map's mass inside lungs [SIDE, SIDE]; None where all of it is 0."""
    large = enlarge(heat)
    whole = float(large.sum())
    return float(large[lungs].sum()) / whole if whole else None


def measure_lungs(
    split: str,
    class_name: str,
    films: Iterable[tuple[NDArray[np.float32], NDArray[np.bool_]]],
) -> InLungs:
    """Compare maps with drawn lungs; films whose map is all 0 are left out."""
    pairs = [(share_inside(heat, lungs), lungs.mean()) for heat, lungs in films]
    shares = [share for share, _ in pairs if share is not None]
    return InLungs(
        split=split,
        class_name=class_name,
        films=len(shares),
        share=float(np.mean(shares)),
        lowest_tenth=float(np.quantile(shares, 0.1)),
        chance=float(np.mean([lungs for share, lungs in pairs if share is not None])),
    )


def map_name(card: ModelCard) -> str:
    """Name the map that is shown of a referred film."""
    return card.referral.map if card.referral is not None else "tuberculosis"


def read_boxes(data: Path, split: str) -> dict[str, list[Box]]:
    """Read the boxes of a split's films, by the film's path in cxr4."""
    boxes: dict[str, list[Box]] = defaultdict(list)
    for row in _read(data / "tb_boxes.csv"):
        if row["split"] == split:
            x0, y0, x1, y1 = (float(row[name]) for name in ("x0", "y0", "x1", "y1"))
            boxes[row["film"]].append((x0, y0, x1, y1))
    return dict(boxes)


def read_lungs(data: Path, split: str, class_name: str) -> dict[str, Path]:
    """Return the mask of each film of a split and class that has one, by the film's path."""
    rows = _read(data / "lung_masks" / "manifest.csv")
    return {
        row["film"]: data / "lung_masks" / row["mask"]
        for row in rows
        if row["split"] == split and row["film"].split("/")[0] == class_name
    }


def measure(
    ask: Ask, card: ModelCard, data: Path, splits: Sequence[str]
) -> tuple[list[Pointing], list[InLungs]]:
    """Measure both figures on the films of `splits`; what a split has no truth for is left out."""
    name = map_name(card)

    def heat(film: str) -> NDArray[np.float32]:
        pixels = read_radiograph(data / "cxr4" / film, min_age_years=card.min_age_years).pixels
        image = to_model_input(pixels, height=card.input.height, width=card.input.width)
        return spread_heat(ask(image), name)

    pointing, in_lungs = [], []
    for split in splits:
        boxes = read_boxes(data, split)
        if boxes:
            pointing.append(measure_boxes(split, ((heat(f), b) for f, b in boxes.items())))
        for class_name in ("tuberculosis", "normal"):
            masks = read_lungs(data, split, class_name)
            if masks:
                pairs = ((heat(film), _lungs(mask)) for film, mask in masks.items())
                in_lungs.append(measure_lungs(split, class_name, pairs))
    return pointing, in_lungs


def ask_classifier(classifier: Classifier) -> Ask:
    """Return the maps as the clinic's program computes them."""
    return lambda image: classifier.run(image[None]).cam[0]


def ask_fp32(path: Path, card: ModelCard) -> Ask:
    """Return the maps of the fp32 graph that belongs to this card."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def ask(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        (cam,) = session.run(["cam"], {"image": image[None]})
        return np.asarray(cam[0, output_order(card)], np.float32)

    return ask


def lines(pointing: Sequence[Pointing], in_lungs: Sequence[InLungs]) -> list[str]:
    """Say each figure in a line."""
    said = [
        f"{one.split}: strongest point in a box on {_percent(one.inside)} of {one.films} TB films "
        f"with boxes, within half a place of one on {_percent(one.near)}; chance "
        f"{100 * one.chance:.0f} %; no map on {one.nowhere}"
        for one in pointing
    ]
    return said + [
        f"{one.split}, {one.class_name}: {100 * one.share:.0f} % of the map inside the lungs (a "
        f"tenth of {one.films} films: {100 * one.lowest_tenth:.0f} % or less); the lungs are "
        f"{100 * one.chance:.0f} % of the film"
        for one in in_lungs
    ]


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--fp32", type=Path)
    parser.add_argument("--splits", nargs="+", default=["val", "test"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    classifier = open_model(options.model)
    card = classifier.card
    asked = {"INT8": ask_classifier(classifier)}
    if options.fp32 is not None:
        asked["fp32"] = ask_fp32(options.fp32, card)
    found = {}
    for kind, ask in asked.items():
        print(f"{card.name} {card.version}, {kind}, map of {map_name(card)}")
        pointing, in_lungs = measure(ask, card, options.data, options.splits)
        for line in lines(pointing, in_lungs):
            print(f"  {line}")
        found[kind] = {
            "boxes": [asdict(one) for one in pointing],
            "lungs": [asdict(one) for one in in_lungs],
        }
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def _read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def _lungs(mask: Path) -> NDArray[np.bool_]:
    grey = cv2.imdecode(np.fromfile(mask, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None, f"{mask} cannot be read"
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA) >= 128


def _percent(estimate: Interval) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:.0f} % ({low:.0f} to {high:.0f})"


if __name__ == "__main__":
    main()
