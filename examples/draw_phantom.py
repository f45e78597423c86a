"""Draw chest films that are nobody's: statistics of many films, and what is drawn on top of them.

A phantom is the mean of several hundred aligned films, moved and shaded by a few components with
random weights (phantom_basis.npz; README.md says how it was made and checked), then vessels, the
mottle and grain of a film, a side marker and, where asked, what a disease looks like. Points stand
in the mean's frame, 1 wide and 1 high, origin at the top left; the patient's right is on the left,
as on a film. Bones are bright: 0 is air, 1 the densest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Points = list[tuple[float, float]]

BASIS = Path(__file__).resolve().parent / "phantom_basis.npz"

RIGHT_LUNG: Points = [
    (0.382, 0.138), (0.3, 0.175), (0.235, 0.25), (0.195, 0.36), (0.172, 0.49), (0.16, 0.62),
    (0.153, 0.735), (0.175, 0.74), (0.22, 0.7), (0.31, 0.675), (0.395, 0.68), (0.405, 0.6),
    (0.415, 0.49), (0.43, 0.38), (0.435, 0.28), (0.435, 0.19),
]  # fmt: skip
LEFT_LUNG: Points = [
    (0.625, 0.14), (0.71, 0.18), (0.765, 0.255), (0.805, 0.39), (0.83, 0.54), (0.848, 0.69),
    (0.853, 0.785), (0.835, 0.785), (0.8, 0.75), (0.735, 0.722), (0.72, 0.665), (0.695, 0.58),
    (0.65, 0.51), (0.615, 0.44), (0.59, 0.38), (0.578, 0.28), (0.56, 0.19),
]  # fmt: skip
HILA = ((0.375, 0.46), (0.635, 0.425))
VARIETY = 0.75
"""How far components go: 1 would be as various as the films they come from."""


class Finding(Enum):
    """What is added to the lungs."""

    NONE = "none"
    APICAL_CAVITY = "apical cavity"
    LOBAR_OPACITY = "lobar opacity"
    BILATERAL_HAZE = "bilateral haze"
    UPPER_NODULES = "upper nodules"
    UPPER_SCAR = "upper scar"
    EFFUSION = "effusion"


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What phantom_basis.npz holds, as numbers."""

    mean: Picture
    """[side, side], 0..1"""
    grey: NDArray[np.float32]
    """[components, cells, cells], one standard deviation each"""
    shape: NDArray[np.float32]
    """[components, cells, cells, 2], one standard deviation each, in frames"""
    detail: NDArray[np.float32]
    """[octaves, cells, cells]: root mean square of what films add to the mean, finest first"""


@cache
def load_basis() -> Basis:
    """Read the basis; 320 kB."""
    with np.load(BASIS) as kept:
        side = kept["mean"].shape[0]
        return Basis(
            mean=(kept["mean"] / 65535).astype(np.float32),
            grey=kept["grey"] / 127 * kept["grey_spread"][:, None, None],
            shape=kept["shape"] / 127 * kept["shape_spread"][:, None, None, None] / side,
            detail=kept["detail"].astype(np.float32),
        )


def draw_phantom(
    rng: np.random.Generator,
    *,
    height: int,
    width: int,
    finding: Finding,
    strength: float = 1.0,
) -> Picture:
    """Return [height, width] float32, 0..1, bones bright; no two calls on one `rng` look alike.

    `strength` of the finding: 0 leaves it out, 1 is plain to see.
    """
    canvas = _Canvas(rng, height, width)
    return canvas.expose(_draw(canvas, finding, strength))


def draw_in_frame(rng: np.random.Generator, *, side: int, finding: Finding) -> Picture:
    """Return [side, side]: a phantom before it gets its shape, its grain and its marker."""
    return _draw(_Canvas(rng, side, side), finding, 1.0)


def _draw(canvas: _Canvas, finding: Finding, strength: float) -> Picture:
    lungs = np.maximum(canvas.fill(RIGHT_LUNG, 0.008), canvas.fill(LEFT_LUNG, 0.008))
    picture = _draw_trunk(canvas)
    picture += _draw_vessels(canvas) * lungs
    picture += _draw_mottle(canvas)
    opacity = strength * _draw_finding(canvas, finding) * (0.04 + 0.96 * lungs)
    tissue = float(np.quantile(picture, 0.75))
    picture += np.clip(opacity, -0.2, 0.95) * np.maximum(tissue - picture, 0.12)
    return picture


def outline_thorax(seed: int, *, height: int, width: int) -> NDArray[np.bool_]:
    """Return [height, width], true from the apices to the diaphragm, heart and spine included.

    It fits the phantom that `draw_phantom` draws first with `np.random.default_rng(seed)`.
    """
    hull = cv2.convexHull(
        np.argwhere(outline_lungs(seed, height=height, width=width))[:, ::-1].astype(np.int32)
    )
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, hull, 1)
    return inside.astype(bool)


def outline_lungs(seed: int, *, height: int, width: int) -> NDArray[np.bool_]:
    """Return [height, width], true in the lungs of the same phantom as `outline_thorax`."""
    canvas = _Canvas(np.random.default_rng(seed), height, width)
    lungs = np.maximum(canvas.fill(RIGHT_LUNG, 0.001), canvas.fill(LEFT_LUNG, 0.001))
    return np.asarray(canvas.bend(lungs) > 0.5)


class _Canvas:
    """The frame in pixels, and how this one patient differs from the mean."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.rng = rng
        self.height, self.width = height, width
        self.side = max(height, width)
        shape = load_basis().shape
        weights = VARIETY * np.clip(rng.standard_normal(len(shape)), -1.8, 1.8)
        self._moved = np.tensordot(weights, shape, 1).astype(np.float32)

    def fill(self, points: Points, softness: float) -> Picture:
        blank = np.zeros((self.side, self.side), np.uint8)
        cv2.fillPoly(
            blank, [self.to_pixels(smooth_curve(points, closed=True), 16)], 255, cv2.LINE_AA, 4
        )
        return self.soften(blank.astype(np.float32) / 255, softness)

    def to_pixels(self, points: NDArray[np.float64], parts: int) -> NDArray[np.int32]:
        return np.round(points * self.side * parts).astype(np.int32)

    def spot(self, x: float, y: float, across: float, down: float, softness: float) -> Picture:
        """An uneven disc."""
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        wobble = 1 + 0.12 * self.rng.standard_normal(12)
        edge = [
            (x + across * w * np.cos(a), y + down * w * np.sin(a))
            for a, w in zip(angles, wobble, strict=True)
        ]
        return self.fill(edge, softness)

    def soften(self, picture: Picture, softness: float) -> Picture:
        return soften(picture, softness * self.side)

    def enlarge(self, small: NDArray[np.float32]) -> Picture:
        large = cv2.resize(small, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        return np.asarray(large, np.float32)

    def clouds(self, size: float) -> Picture:
        """Return smooth noise of mean 0 and spread 1, its patches `size` across."""
        cells = max(8, round(2 / size))  # whatever the film's size, so that one seed is one patient
        noise = self.rng.standard_normal((cells, cells)).astype(np.float32)
        soft = soften(noise, size * cells)
        return self.enlarge((soft - soft.mean()) / soft.std())

    def bend(self, picture: Picture) -> Picture:
        """Give the mean's frame this patient's shape, and the film its size."""
        moved = cv2.resize(self._moved, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
        x = (np.arange(self.width, dtype=np.float32) + 0.5) / self.width
        y = (np.arange(self.height, dtype=np.float32)[:, None] + 0.5) / self.height
        # The field says where a film shows a place of the frame; backwards, near enough.
        from_x, from_y = _within(x - moved[..., 0]), _within(y - moved[..., 1])
        where = from_x * self.side - 0.5, from_y * self.side - 0.5
        return np.asarray(cv2.remap(picture, *where, cv2.INTER_LINEAR), np.float32)

    def expose(self, picture: Picture) -> Picture:
        """Bend, add grain, the black rim outside the cassette's field and a marker; return 0..1."""
        rng = self.rng
        film = self.bend(picture)
        low, high = np.quantile(film, (0.003, 0.995))
        film = np.clip((film - low) / (high - low), 0, 1) ** rng.uniform(0.85, 1.2)
        film = 0.03 + 0.91 * film
        _put_marker(film, rng)
        grain = soften(rng.standard_normal(film.shape).astype(np.float32), 0.0012 * self.side)
        film += 0.009 * grain / grain.std() * (1.2 - film)
        return np.clip(film, 0, 1).astype(np.float32)


def _within(places: Picture) -> Picture:
    """Squeeze places into the frame; beyond it there is no film to show."""
    low, high = min(0.01, float(places.min())), max(0.99, float(places.max()))
    return np.asarray(0.01 + 0.98 * (places - low) / (high - low), np.float32)


def _put_marker(film: Picture, rng: np.random.Generator) -> None:
    """A lead letter in an upper corner: R on the patient's right, or L on his left."""
    height, width = film.shape
    right = rng.random() < 0.5
    size = 0.0014 * width * rng.uniform(0.75, 1.0)
    at = rng.uniform(0.05, 0.08) if right else rng.uniform(0.9, 0.93)
    place = round(at * width), round(rng.uniform(0.06, 0.12) * height)
    letter = np.zeros(film.shape, np.uint8)
    thick = max(1, round(2.2 * size))
    cv2.putText(
        letter, "R" if right else "L", place, cv2.FONT_HERSHEY_SIMPLEX, size, 255, thick,
        cv2.LINE_AA,
    )  # fmt: skip
    film += (1 - film) * soften(letter.astype(np.float32) / 255, 0.0008 * width)


def _draw_trunk(canvas: _Canvas) -> Picture:
    """The mean, sharpened as far as averaging has softened it, in this patient's shades."""
    basis = load_basis()
    mean, side = basis.mean, basis.mean.shape[0]
    mean = (
        mean + 0.9 * (mean - soften(mean, 0.006 * side)) + 0.5 * (mean - soften(mean, 0.02 * side))
    )
    weights = VARIETY * np.clip(canvas.rng.standard_normal(len(basis.grey)), -1.8, 1.8)
    return canvas.enlarge(mean) + canvas.enlarge(
        np.tensordot(weights, basis.grey, 1).astype(np.float32)
    )


def _draw_mottle(canvas: _Canvas) -> Picture:
    """Noise as strong in each octave and part of the frame as what real films add to the mean."""
    detail = load_basis().detail
    side = load_basis().mean.shape[0]
    mottle = np.zeros((canvas.side, canvas.side), np.float32)
    for octave, strength in enumerate(detail):
        fine = 0.7 * 2**octave / side
        noise = canvas.clouds(fine)
        noise = noise - canvas.soften(noise, 1.6 * fine)
        mottle += noise / noise.std() * canvas.enlarge(strength) * 0.35
    return mottle


def _draw_vessels(canvas: _Canvas) -> Picture:
    """Grow branches from both hila outwards, thinner at every fork."""
    rng, drawn = canvas.rng, []
    for side, (x, y) in zip((-1, 1), HILA, strict=True):
        for first in np.linspace(-1.4, 1.45, 11) + rng.normal(0, 0.15, 11):
            at = x + rng.normal(0, 0.006), y + 0.05 * first + rng.normal(0, 0.012)
            tips = [(*at, first, rng.uniform(0.0055, 0.0095))]
            while tips:
                left, top, angle, thick = tips.pop()
                length = rng.uniform(0.02, 0.045) * (0.6 + thick / 0.01)
                turn, path = angle, [(left, top)]
                for _ in range(3):
                    turn += rng.normal(0.03 * np.sign(turn), 0.13)
                    last = path[-1]
                    step = side * np.cos(turn), np.sin(turn)
                    path.append((last[0] + length / 3 * step[0], last[1] + length / 3 * step[1]))
                drawn.append((thick, smooth_curve(path, closed=False)))
                if thick > 0.0019:
                    fork = rng.uniform(0.15, 0.55) * rng.choice((-1, 1))
                    tips.append((*path[-1], turn + 0.5 * fork, thick * 0.78))
                    if rng.random() < 0.75:
                        tips.append((*path[-1], turn - fork, thick * 0.62))
    parts = 2  # lines are drawn on a finer grid
    lines = np.zeros((canvas.side * parts,) * 2, np.uint8)
    for thick, path in sorted(drawn, key=lambda one: one[0]):
        bright = int(np.clip(255 * (thick / 0.01) ** 0.7, 20, 255))
        wide = max(1, round(thick * canvas.side * parts))
        pixels = canvas.to_pixels(path, parts * 16)
        cv2.polylines(lines, [pixels], False, bright, wide, cv2.LINE_AA, 4)
    small = cv2.resize(lines, (canvas.side,) * 2, interpolation=cv2.INTER_AREA)
    return 0.1 * canvas.soften(small.astype(np.float32) / 255, 0.0014)


def _draw_finding(canvas: _Canvas, finding: Finding) -> Picture:
    """Return the share, 0 to about 1, of what is between air and tissue that a finding fills."""
    return _DRAWN[finding](canvas)


def _nothing(canvas: _Canvas) -> Picture:
    return np.zeros((canvas.side, canvas.side), np.float32)


def _upper_place(canvas: _Canvas) -> tuple[float, float, int]:
    """A place between the clavicle and the second rib, and its side."""
    side = int(canvas.rng.choice((-1, 1)))
    x = 0.325 if side < 0 else 0.685
    return x + canvas.rng.uniform(-0.02, 0.02), canvas.rng.uniform(0.26, 0.31), side


def _nodules(
    canvas: _Canvas, x: float, y: float, spread: tuple[float, float], count: int
) -> Picture:
    """Small blurred nodules that run together."""
    rng = canvas.rng
    lines = np.zeros((canvas.side, canvas.side), np.uint8)
    for _ in range(count):
        at = np.array([(x + spread[0] * rng.normal(), y + spread[1] * rng.normal())])
        radius = round(rng.uniform(0.004, 0.011) * canvas.side * 16)
        centre = canvas.to_pixels(at, 16)[0]
        grey = int(rng.uniform(70, 170))
        cv2.circle(lines, (int(centre[0]), int(centre[1])), radius, grey, -1, cv2.LINE_AA, 4)
    return canvas.soften(lines.astype(np.float32) / 255, 0.005)


def _streaks(canvas: _Canvas, x: float, y: float, side: int, count: int) -> Picture:
    """Bands of scar from a place towards the hilum."""
    rng = canvas.rng
    hilum = HILA[0 if side < 0 else 1]
    lines = np.zeros((canvas.side, canvas.side), np.uint8)
    for _ in range(count):
        start = np.array((x, y)) + rng.normal(0, 0.03, 2)
        end = start + (np.array(hilum) - start) * rng.uniform(0.35, 0.9) + rng.normal(0, 0.012, 2)
        middle = (start + end) / 2 + rng.normal(0, 0.012, 2)
        path = canvas.to_pixels(np.array([start, middle, end]), 16)
        wide = max(1, round(rng.uniform(0.002, 0.006) * canvas.side))
        cv2.polylines(lines, [path], False, int(rng.uniform(90, 200)), wide, cv2.LINE_AA, 4)
    return canvas.soften(lines.astype(np.float32) / 255, 0.003)


def _apical_cavity(canvas: _Canvas) -> Picture:
    x, y, side = _upper_place(canvas)
    size = canvas.rng.uniform(0.034, 0.048)
    wall = canvas.spot(x, y, size, size * 0.92, 0.006)
    hole = canvas.spot(x, y - 0.004, size * 0.62, size * 0.58, 0.005)
    around = canvas.spot(x, y + 0.01, 0.085, 0.09, 0.022) * (0.5 + 0.35 * canvas.clouds(0.012))
    seeds = _nodules(canvas, x, y + 0.06, (0.04, 0.07), 40)
    other = _nodules(canvas, 1 - x, y + 0.05, (0.03, 0.05), 14)
    whole = 0.4 * np.maximum(around, 0) + 0.36 * wall + 0.5 * seeds + 0.45 * other
    return np.asarray(
        (whole + 0.3 * _streaks(canvas, x, y, side, 7)) * (1 - 0.85 * hole), np.float32
    )


def _upper_nodules(canvas: _Canvas) -> Picture:
    x, y, side = _upper_place(canvas)
    patch = canvas.spot(x, y + 0.02, 0.075, 0.08, 0.025) * (0.5 + 0.4 * canvas.clouds(0.014))
    seeds = _nodules(canvas, x, y + 0.03, (0.045, 0.075), 44)
    return np.asarray(
        0.4 * np.maximum(patch, 0) + 0.55 * seeds + 0.25 * _streaks(canvas, x, y, side, 8),
        np.float32,
    )


def _upper_scar(canvas: _Canvas) -> Picture:
    x, y, side = _upper_place(canvas)
    few = _nodules(canvas, x, y, (0.03, 0.035), 9)
    return np.asarray(0.5 * few + 0.4 * _streaks(canvas, x, y - 0.01, side, 6), np.float32)


def _lobar_opacity(canvas: _Canvas) -> Picture:
    """Consolidation of a lower or middle zone, with branches of air left in it."""
    rng = canvas.rng
    side = int(rng.choice((-1, 1)))
    x = 0.29 if side < 0 else 0.745
    y = rng.uniform(0.53, 0.6)
    core = canvas.spot(x, y, rng.uniform(0.08, 0.1), rng.uniform(0.08, 0.11), 0.02)
    fringe = canvas.spot(x, y, 0.13, 0.15, 0.03) * (0.4 + 0.35 * canvas.clouds(0.014))
    air = _streaks(canvas, x, y, side, 5)
    return np.asarray(
        np.maximum(0.85 * core * (0.9 + 0.12 * canvas.clouds(0.02)), 0.6 * fringe)
        - 0.35 * air * core,
        np.float32,
    )


def _bilateral_haze(canvas: _Canvas) -> Picture:
    """Ground glass of the outer middle and lower zones on both sides."""
    rng = canvas.rng
    haze = _nothing(canvas)
    for x in (0.235, 0.785):
        for _ in range(3):
            at = x + rng.uniform(-0.03, 0.03), rng.uniform(0.42, 0.66)
            patch = canvas.spot(*at, rng.uniform(0.05, 0.08), rng.uniform(0.06, 0.1), 0.025)
            haze = np.maximum(haze, patch * rng.uniform(0.7, 1.0))
    haze *= 0.75 + 0.25 * canvas.clouds(0.016) + 0.1 * canvas.clouds(0.006)
    return np.asarray(0.62 * haze, np.float32)


def _effusion(canvas: _Canvas) -> Picture:
    """Fluid in one pleural space: an opaque base with a rising outer edge."""
    left = canvas.rng.random() < 0.5
    level = canvas.rng.uniform(0.55, 0.64)
    rim: Points = [
        (0.42, level + 0.1), (0.34, level + 0.09), (0.26, level + 0.05), (0.19, level - 0.03),
        (0.12, level - 0.16), (0.1, 0.9), (0.42, 0.9),
    ]  # fmt: skip
    points = [(1.005 - x, y + 0.05) for x, y in rim] if left else rim
    return np.asarray(0.95 * canvas.fill(points, 0.014), np.float32)


_DRAWN = {
    Finding.NONE: _nothing,
    Finding.APICAL_CAVITY: _apical_cavity,
    Finding.LOBAR_OPACITY: _lobar_opacity,
    Finding.BILATERAL_HAZE: _bilateral_haze,
    Finding.UPPER_NODULES: _upper_nodules,
    Finding.UPPER_SCAR: _upper_scar,
    Finding.EFFUSION: _effusion,
}


def soften(picture: Picture, sigma: float) -> Picture:
    """Blur with a Gaussian of `sigma` pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.3)), np.float32)


def smooth_curve(points: Points, *, closed: bool) -> NDArray[np.float64]:
    """Put a Catmull-Rom curve through the points."""
    given = np.asarray(points, np.float64)
    shifts = (1, -1, -2)
    if closed:
        before, after, beyond = (np.roll(given, shift, axis=0) for shift in shifts)
    else:
        index = np.arange(len(given))
        before, after, beyond = (
            given[np.clip(index - shift, 0, len(given) - 1)] for shift in shifts
        )
    steps = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * given
        + (after - before) * steps
        + (2 * before - 5 * given + 4 * after - beyond) * steps**2
        + (3 * given - before - 3 * after + beyond) * steps**3
    )
    flat = np.swapaxes(curve, 0, 1).reshape(-1, 2)
    return np.asarray(flat if closed else flat[:-11])
