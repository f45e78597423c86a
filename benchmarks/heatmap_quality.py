"""What the heat maps are worth: do they stay in the chest, do they find a planted lesion, what do
they cost?

    python -m benchmarks.heatmap_quality [--films 60] [--model FILE] [--data ../shared/data]

Phantoms know where their thorax is, and each is drawn twice, with and without a lesion (a textured
patch in a lung), so that a map can be asked where it is. A drawing is no chest: the figures
say how far the maps of this model can be trusted on pictures like these, and no more. With --data,
real films too: how much of the map lies on the outer tenth of the film, where no lung is.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_infer.films.read import read_radiograph
from edge_infer.flow.screen import open_model, prepare_film
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import to_finding
from edge_infer.model.heatmap import draw_heat, spread_heat
from edge_infer.model.model_card import CLASSES
from edge_infer.model.preprocess import stretch_grey, to_model_input

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
sys.path.insert(0, str(EXAMPLES))
from draw_phantom import Finding, draw_phantom, outline_lungs, outline_thorax  # noqa: E402

SIDE = 448
PLACE = SIDE / 7
"""Pixels that count as near: a place of a 7 x 7 map, of whatever size a model's own is."""
RADIUS = 0.075 * SIDE
CONTRAST = 0.22
"""Of 1, as much as the phantoms' own consolidation."""


@dataclass(frozen=True, kw_only=True)
class Pointing:
    """Whether the strongest point of one map lies in the lesion, or within a place of it."""

    inside: bool
    near: bool
    raised: bool
    """Whether the lesion raised the TB logit at all."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--films", type=int, default=60)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path, help="folder with cxr4/manifest.csv")
    options = parser.parse_args()
    classifier = open_model(options.model)
    print(f"{classifier.card.name} {classifier.card.version}, {options.films} phantoms")
    measure_phantoms(classifier, options.films)
    if options.data is not None:
        measure_borders(classifier, options.data / "cxr4")
    measure_cost(classifier)


def measure_phantoms(classifier: Classifier, films: int) -> None:
    shares, areas, plain, differing = [], [], [], []
    chance_inside, chance_near = [], []
    for seed in range(films):
        thorax = outline_thorax(seed, height=SIDE, width=SIDE)
        picture = draw_phantom(
            np.random.default_rng(seed), height=SIDE, width=SIDE, finding=Finding.NONE
        )
        centre = choose_place(seed)
        without = class_map(classifier, picture)
        with_lesion = class_map(classifier, plant_lesion(picture, centre, seed))
        heat = enlarge(np.maximum(with_lesion, 0))
        shares.append(heat[thorax].sum() / heat.sum())
        areas.append(thorax.mean())
        raised = bool(with_lesion.mean() > without.mean())
        plain.append(point(heat, centre, raised))
        differing.append(point(enlarge(np.abs(with_lesion - without)), centre, raised))
        distance = distance_to(centre)[thorax]
        chance_inside.append((distance <= RADIUS).mean())
        chance_near.append((distance <= RADIUS + PLACE).mean())
    print(
        f"share of the TB map's mass inside the thorax: {percent(shares)} "
        f"(lowest {100 * min(shares):.0f} %); the thorax is {percent(areas)} of the film"
    )
    for name, points in (("the map as shown", plain), ("what the lesion changed in it", differing)):
        print(
            f"strongest point of {name}: in the lesion {percent([p.inside for p in points])}, "
            f"within one place of it {percent([p.near for p in points])}"
        )
    print(
        f"a random point of the thorax: {percent(chance_inside)} and {percent(chance_near)}; the "
        f"lesion raised the TB logit in {percent([p.raised for p in plain])}"
    )


def choose_place(seed: int) -> tuple[int, int]:
    """Return (row, column) of a lesion that lies wholly in a lung."""
    lungs = outline_lungs(seed, height=SIDE, width=SIDE).astype(np.uint8)
    depth = cv2.distanceTransform(lungs, cv2.DIST_L2, 5)
    rows, columns = np.nonzero(depth > 0.6 * RADIUS)
    chosen = np.random.default_rng(10_000 + seed).integers(len(rows))
    return int(rows[chosen]), int(columns[chosen])


def plant_lesion(
    picture: NDArray[np.float32], centre: tuple[int, int], seed: int
) -> NDArray[np.float32]:
    """Add a soft-edged, mottled patch."""
    rng = np.random.default_rng(20_000 + seed)
    noise = cv2.GaussianBlur(rng.standard_normal(picture.shape).astype(np.float32), (0, 0), 5)
    mottle = 1 + 0.35 * noise / noise.std()
    edge = 1 / (1 + np.exp((distance_to(centre) - RADIUS) / 3))
    return np.asarray(np.clip(picture + CONTRAST * edge * mottle, 0, 1), np.float32)


def distance_to(centre: tuple[int, int]) -> NDArray[np.float64]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.hypot(rows - centre[0], columns - centre[1]))


def class_map(classifier: Classifier, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the TB map [h, w] of a picture 0..1."""
    pixels = np.round(picture * 65535).astype(np.uint16)
    spec = classifier.card.input
    image = to_model_input(pixels, height=spec.height, width=spec.width)
    return classifier.run(image[None]).cam[0, CLASSES.index("tuberculosis")]


def enlarge(small: NDArray[np.float32]) -> NDArray[np.float32]:
    large = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.maximum(large, 0) if small.min() >= 0 else large, np.float32)


def point(heat: NDArray[np.float32], centre: tuple[int, int], raised: bool) -> Pointing:
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    away = float(np.hypot(row - centre[0], column - centre[1]))
    return Pointing(inside=away <= RADIUS, near=away <= RADIUS + PLACE, raised=raised)


def measure_borders(classifier: Classifier, folder: Path) -> None:
    """Print, for validation films, the share of the TB map on the outer tenth of each side."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    spec = classifier.card.input
    ring = np.ones((100, 100), bool)
    ring[10:90, 10:90] = False
    print(f"real validation films: the outer tenth of each side is {100 * ring.mean():.0f} % of it")
    for name in ("tuberculosis", "normal"):
        shares = []
        for row in [row for row in rows if row["class"] == name][:100]:
            pixels = read_radiograph(folder / row["path"]).pixels
            image = to_model_input(pixels, height=spec.height, width=spec.width)
            heat = spread_heat(classifier.run(image[None]).cam[0], "tuberculosis")
            if heat.any():
                large = cv2.resize(heat, (100, 100), interpolation=cv2.INTER_CUBIC).clip(0)
                shares.append(large[ring].sum() / large.sum())
        print(f"  {name}: {percent(shares)} of the TB map's mass there ({len(shares)} films)")


def measure_cost(classifier: Classifier) -> None:
    """Print what a map costs beside reading and scoring the sample day's films, one process."""
    spec = classifier.card.input
    paths = sorted(path for path in (EXAMPLES / "day").rglob("*") if path.is_file())
    screening, scoring, drawing = [], [], []
    for _ in range(3):
        for path in paths:
            start = time.perf_counter()
            film = prepare_film(
                path,
                height=spec.height,
                width=spec.width,
                min_age_years=None,
                include_patient=False,
            )
            read = time.perf_counter()
            output = classifier.run(stretch_grey(film.grey)[None, None])
            to_finding(output.logits[0], classifier.card)
            middle = time.perf_counter()
            scoring.append(middle - read)
            draw_heat(film.thumbnail, output.cam[0], "tuberculosis")
            drawing.append(time.perf_counter() - middle)
            screening.append(middle - start)
    cost, whole = statistics.median(drawing), statistics.median(screening)
    network = statistics.median(scoring)
    print(
        f"drawing a map: {1e3 * cost:.2f} ms beside {1e3 * whole:.1f} ms of reading and scoring: "
        f"{100 * cost / whole:.1f} % (of scoring alone, which workers' reading runs beside: "
        f"{100 * cost / network:.1f} %)"
    )


def percent(values: list[float] | list[bool]) -> str:
    return f"{100 * float(np.mean(values)):.0f} %"


if __name__ == "__main__":
    main()
