"""Make examples/phantom_basis.npz again: `python examples/make_basis.py ../shared/data`.

The basis is what drawn films (draw_phantom.py) begin with: statistics of several hundred aligned
chest films of healthy adults, and no film. Films are read from the training split of Shenzhen
(NLM), NIH ChestX-ray14 and Sakha-TB, whose terms allow derived works with attribution. Each comes
into one frame (affine, then a smooth field), its greys onto one curve; written are the mean film,
a few components of grey and of shape, and how strong detail is in each part of the frame.
README.md beside this file says what is in it and how it was checked that nobody's film is.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
SOURCES = ("Shenzhen", "NIH ChestX-ray14", "Sakha-TB")
SIDE = 288
"""Of the frame, in pixels; the films' shorter side is 224 to 288."""
COARSE = 72
"""Side at which a film is first turned, moved and scaled onto the mean."""
KEPT = 0.8
"""The share of films that fit the mean best; the others are rotated, cut, or badly aligned."""
ROUNDS = ((14, 1), (10, 1), (7, 2), (5, 2), (4, 1))
"""Softness of the field (sides of two boxes, in pixels of the frame), and how often it is used."""
GREY_COMPONENTS, GREY_SIDE = 24, 80
SHAPE_COMPONENTS, SHAPE_SIDE = 10, 20
BANDS = 4
CELLS = 20

Plane = NDArray[np.float32]
Field = NDArray[np.float32]
"""[side, side, 2]: where in the film, in pixels of the frame, the frame's pixel is found."""


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Films in the frame."""

    films: NDArray[np.float32]
    """[n, side, side], 0..1, greys on one curve."""
    seen: NDArray[np.float32]
    """[n, side, side], 0 where the film does not reach, rising to 1 inside its edge."""
    fields: NDArray[np.float32]
    """[n, side, side, 2]"""
    names: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with cxr4/ and cxr4_extra/")
    parser.add_argument("--out", type=Path, default=HERE / "phantom_basis.npz")
    parser.add_argument("--members", type=Path, help="write the names of the films used")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = find_films(options.data, "train")
    aligned = align([read(path) for path in paths], [path.name for path in paths])
    basis = summarize(aligned)
    np.savez_compressed(options.out, **basis)
    if options.members is not None:
        options.members.write_text("\n".join(aligned.names) + "\n", encoding="utf-8")
    print(f"{len(aligned.names)} of {len(paths)} films; {options.out.stat().st_size / 1e3:.0f} kB")


def find_films(data: Path, split: str) -> list[Path]:
    """Return the films of healthy adults of `split`, in the manifests' order."""
    found = []
    for folder in (data / "cxr4", data / "cxr4_extra"):
        with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                wanted = row["source"] in SOURCES and row["class"] == "normal"
                if wanted and row["split"] == split:
                    found.append(folder / row["path"])
    return found


def read(path: Path) -> Plane:
    """Return a film in the frame's size, 0..1."""
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert grey is not None, path
    large = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(large, np.float32) / 255


def align(films: list[Plane], names: list[str]) -> Aligned:
    """Bring films into the frame of their mean, and keep those that fit it."""
    local = [flatten(film) for film in films]
    coarse = [shrink(film) for film in local]
    mean = np.mean(local, axis=0).astype(np.float32)
    turns = [np.eye(2, 3, dtype=np.float32) for _ in films]
    for sizes in ((0.88, 1.0, 1.12), (1.0,), (1.0,)):
        small = shrink(mean)
        turns = [
            fit_affine(small, film, turn, sizes) for film, turn in zip(coarse, turns, strict=True)
        ]
        fields = [to_field(turn) for turn in turns]
        mean, fits = average(local, fields)
    print(f"turned, moved, scaled: median fit {np.median(fits):.3f}", flush=True)
    for softness, steps in ROUNDS:
        for _ in range(steps):
            fields = [
                bend(mean, film, field, softness) for film, field in zip(local, fields, strict=True)
            ]
        fields = centre(fields)
        mean, fits = average(local, fields)
        print(f"softness {softness}: median fit {np.median(fits):.3f}", flush=True)
    kept = np.sort(np.argsort(-fits)[: round(KEPT * len(films))])
    curve = np.mean([quantiles(films[i]) for i in kept if "shenzhen" in names[i]], axis=0)
    moved = [move(films[i], fields[i]) for i in kept]
    seen = [move(_FEATHER, fields[i]) for i in kept]
    return Aligned(
        films=np.stack([onto_curve(m, s, curve) for m, s in zip(moved, seen, strict=True)]),
        seen=np.stack(seen),
        fields=np.stack([fields[i] - _STILL for i in kept]),
        names=[names[i] for i in kept],
    )


def summarize(aligned: Aligned) -> dict[str, NDArray[np.generic]]:
    films, seen = aligned.films, aligned.seen
    mean = (films * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1e-3)
    rest = (films - mean) * seen
    small = np.stack([cv2.resize(r, (GREY_SIDE,) * 2, interpolation=cv2.INTER_AREA) for r in rest])
    grey, grey_spread, grey_share = components(small, GREY_COMPONENTS)
    shapes = np.stack(
        [cv2.resize(f, (SHAPE_SIDE,) * 2, interpolation=cv2.INTER_AREA) for f in aligned.fields]
    )
    shape, shape_spread, shape_share = components(shapes, SHAPE_COMPONENTS)
    print(f"largest share of one film: {grey_share:.3f} in grey, {shape_share:.3f} in shape")
    grey_scale, shape_scale = np.abs(grey).max(axis=(1, 2)), np.abs(shape).max(axis=(1, 2, 3))
    return {
        "mean": np.round(mean * 65535).astype(np.uint16),
        "grey": np.round(grey / grey_scale[:, None, None] * 127).astype(np.int8),
        "grey_spread": (grey_spread * grey_scale).astype(np.float32),
        "shape": np.round(shape / shape_scale[:, None, None, None] * 127).astype(np.int8),
        "shape_spread": (shape_spread * shape_scale).astype(np.float32),
        "detail": detail(rest, seen),
        "films": np.array([len(films)], np.int32),
    }


def components(
    samples: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Return [count, ...] principal components, their standard deviations, and the largest share
    that one sample has in the direction of one of them."""
    flat = samples.reshape(len(samples), -1)
    flat = flat - flat.mean(axis=0)
    left, values, right = np.linalg.svd(flat, full_matrices=False)
    spread = values[:count] / np.sqrt(len(samples))
    share = float((left[:, :count] ** 2).max())
    return right[:count].reshape(count, *samples.shape[1:]), spread.astype(np.float32), share


def detail(rest: NDArray[np.float32], seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [bands, cells, cells]: root mean square of what each octave adds, finest first."""
    weight = cv2.resize(seen.mean(axis=0), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    powers = np.zeros((BANDS, CELLS, CELLS), np.float64)
    for film in rest:
        fine = film
        for band in range(BANDS):
            soft = cv2.GaussianBlur(film, (0, 0), 1.0 * 2**band)
            square = (fine - soft) ** 2
            powers[band] += cv2.resize(square, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
            fine = soft
    mean = powers / len(rest) / np.maximum(weight, 0.05)
    return np.sqrt(mean).astype(np.float32)


def move(plane: Plane, field: Field) -> Plane:
    """Return the frame's view of a film; 0 where the film does not reach."""
    return np.asarray(cv2.remap(plane, field, None, cv2.INTER_LINEAR), np.float32)


def flatten(film: Plane) -> Plane:
    """Take away what differs between machines: local mean 0, local spread 1."""
    high = film - soften(film, SIDE // 6)
    spread = np.sqrt(soften(high**2, SIDE // 4)) + 0.02
    return np.asarray(np.clip(high / spread, -2.5, 2.5), np.float32)


def soften(plane: Plane, size: int) -> Plane:
    once = cv2.blur(plane, (size, size))
    return np.asarray(cv2.blur(once, (size, size)), np.float32)


def average(local: list[Plane], fields: list[Field]) -> tuple[Plane, NDArray[np.float64]]:
    """Return the mean of the moved films, and each film's correlation with it."""
    moved = np.stack([move(film, field) for film, field in zip(local, fields, strict=True)])
    mean = moved.mean(axis=0)
    inner = np.s_[SIDE // 10 : -SIDE // 10, SIDE // 10 : -SIDE // 10]
    fits = [np.corrcoef(m[inner].ravel(), mean[inner].ravel())[0, 1] for m in moved]
    sure = moved[np.asarray(fits) >= np.quantile(fits, 1 - KEPT)].mean(axis=0)
    return np.asarray(sure, np.float32), np.asarray(fits)


def shrink(plane: Plane) -> Plane:
    soft = cv2.GaussianBlur(plane, (0, 0), 3)
    return np.asarray(cv2.resize(soft, (COARSE, COARSE), interpolation=cv2.INTER_AREA), np.float32)


def fit_affine(mean: Plane, film: Plane, start: Plane, sizes: tuple[float, ...]) -> Plane:
    """Turn, move and scale a small film onto the small mean; the best of several first sizes."""
    best, best_fit = start, -1.0
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-3)
    for size in sizes:
        first = start.copy()
        first[:, :2] *= size
        first[:, 2] += (1 - size) * COARSE / 2
        try:
            fit, found = cv2.findTransformECC(mean, film, first, cv2.MOTION_AFFINE, stop, None, 3)
        except cv2.error:  # it ran away
            continue
        if fit > best_fit and 0.6 < np.linalg.det(found[:, :2]) < 1.7:
            best, best_fit = np.asarray(found, np.float32), fit
    return best


def to_field(turn: Plane) -> Field:
    scale = SIDE / COARSE
    middle = (scale - 1) / 2
    shift = turn[:, 2] * scale + middle - turn[:, :2].sum(axis=1) * middle
    return np.asarray(_STILL @ turn[:, :2].T + shift, np.float32)


def bend(mean: Plane, film: Plane, field: Field, softness: int) -> Field:
    """Move each part of a film a little towards the mean, neighbours alike."""
    flow = _FLOW.calc(_byte(mean), _byte(move(film, field)), None)
    at = _STILL + soften(flow, 2 * softness)
    moved = cv2.remap(field, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(_STILL + soften(moved - _STILL, softness), np.float32)


def fit_to(mean: Plane, film: Plane) -> Field:
    """Bring one more film onto a finished mean; both flattened."""
    start = np.eye(2, 3, dtype=np.float32)
    field = to_field(fit_affine(shrink(mean), shrink(film), start, (0.88, 1.0, 1.12)))
    for softness, steps in ROUNDS:
        for _ in range(steps):
            field = bend(mean, film, field, softness)
    return field


def centre(fields: list[Field]) -> list[Field]:
    """Take the fields' mean out, so that the frame is the mean shape."""
    drift = np.mean(fields, axis=0) - _STILL
    back = _STILL - drift
    return [
        np.asarray(cv2.remap(f, back, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        for f in fields
    ]


def quantiles(film: Plane) -> NDArray[np.float64]:
    return np.quantile(film, np.linspace(0, 1, 65))


def onto_curve(film: Plane, seen: Plane, curve: NDArray[np.float64]) -> Plane:
    """Give a film the mean distribution of greys."""
    own = np.quantile(film[seen > 0.5], np.linspace(0, 1, 65))
    own = np.maximum.accumulate(own + np.arange(65) * 1e-6)
    return np.asarray(np.interp(film, own, curve), np.float32)


def _byte(plane: Plane) -> NDArray[np.uint8]:
    return np.asarray(np.clip(plane * 50 + 127, 0, 255), np.uint8)


_STILL = np.dstack(np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 2))
_EDGE = np.clip((np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]) - 5) / 20, 0, 1)
_FEATHER = np.minimum.outer(_EDGE, _EDGE).astype(np.float32)
_FLOW = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

if __name__ == "__main__":
    main()
