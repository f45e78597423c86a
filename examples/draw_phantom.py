"""Draw chest-like phantoms: no patient's image, only shapes that look like a frontal film.

All shapes stand in a frame 1 wide and 1.02 high, origin at the top left; the patient's right is on
the left, as on a film. Brightness adds up like attenuation does: 0 is air, 1 is the densest bone.
"""

from __future__ import annotations

from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Points = list[tuple[float, float]]

FRAME_HEIGHT = 1.02

TORSO: Points = [
    (0.42, -0.08), (0.41, 0.03), (0.33, 0.07), (0.18, 0.09), (0.04, 0.13), (-0.03, 0.26),
    (0.0, 0.42), (0.03, 0.6), (0.04, 0.8), (0.03, 1.2), (0.97, 1.2), (0.96, 0.8), (0.97, 0.6),
    (1.0, 0.42), (1.03, 0.26), (0.96, 0.13), (0.82, 0.09), (0.67, 0.07), (0.59, 0.03),
    (0.58, -0.08),
]  # fmt: skip
RIGHT_LUNG: Points = [
    (0.36, 0.13), (0.28, 0.16), (0.21, 0.26), (0.165, 0.42), (0.14, 0.6), (0.13, 0.79),
    (0.155, 0.83), (0.2, 0.775), (0.28, 0.735), (0.36, 0.745), (0.42, 0.78), (0.435, 0.66),
    (0.45, 0.5), (0.455, 0.34), (0.44, 0.22), (0.41, 0.15),
]  # fmt: skip
LEFT_LUNG: Points = [
    (0.63, 0.13), (0.71, 0.16), (0.78, 0.26), (0.83, 0.42), (0.855, 0.6), (0.87, 0.81),
    (0.845, 0.85), (0.8, 0.8), (0.73, 0.765), (0.67, 0.77), (0.68, 0.66), (0.62, 0.54),
    (0.565, 0.46), (0.55, 0.36), (0.555, 0.24), (0.58, 0.15),
]  # fmt: skip
HEART: Points = [
    (0.46, 0.42), (0.43, 0.5), (0.405, 0.6), (0.405, 0.7), (0.43, 0.78), (0.55, 0.82),
    (0.68, 0.81), (0.73, 0.76), (0.715, 0.68), (0.66, 0.58), (0.6, 0.5), (0.57, 0.42), (0.59, 0.35),
    (0.57, 0.3), (0.53, 0.29), (0.48, 0.33),
]  # fmt: skip


class Finding(Enum):
    """What is added to the lungs."""

    NONE = "none"
    APICAL_CAVITY = "apical cavity"
    LOBAR_OPACITY = "lobar opacity"
    BILATERAL_HAZE = "bilateral haze"


def draw_phantom(rng: np.random.Generator, *, height: int, width: int, finding: Finding) -> Picture:
    """Return [height, width] float32, 0..1, bones bright; no two calls on one `rng` look alike."""
    canvas = _Canvas(rng, height, width)
    lungs = np.maximum(canvas.fill(RIGHT_LUNG, 0.006), canvas.fill(LEFT_LUNG, 0.006))
    picture = 0.62 * canvas.fill(TORSO, 0.012)
    picture += 0.16 * canvas.soften(canvas.fill(TORSO, 0.01), 0.12)  # the trunk is thicker inside
    picture -= 0.44 * lungs
    picture += 0.2 * canvas.fill(HEART, 0.008) * (0.35 + 0.65 * lungs)
    picture += _draw_vessels(canvas) * lungs
    picture += _draw_bones(canvas)
    picture -= 0.1 * canvas.line([(0.5, -0.02), (0.5, 0.2), (0.495, 0.36)], 0.035, 0.006)  # trachea
    picture -= 0.14 * canvas.spot(0.72, 0.87, 0.06, 0.03, 0.012)  # air in the stomach
    picture += _draw_finding(canvas, finding) * (0.15 + 0.85 * lungs)
    return canvas.expose(picture)


def outline_thorax(seed: int, *, height: int, width: int) -> NDArray[np.bool_]:
    """Return [height, width], true from the apices to the diaphragm, heart and spine included.

    It fits the phantom that `draw_phantom` draws first with `np.random.default_rng(seed)`.
    """
    canvas = _Canvas(np.random.default_rng(seed), height, width)
    both = np.maximum(canvas.fill(RIGHT_LUNG, 0.001), canvas.fill(LEFT_LUNG, 0.001)) > 0.5
    hull = cv2.convexHull(np.argwhere(both)[:, ::-1].astype(np.int32))
    inside = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(inside, hull, 1)
    return inside.astype(bool)


def outline_lungs(seed: int, *, height: int, width: int) -> NDArray[np.bool_]:
    """Return [height, width], true in the lungs of the same phantom as `outline_thorax`."""
    canvas = _Canvas(np.random.default_rng(seed), height, width)
    heart = canvas.fill(HEART, 0.001)
    lungs = np.maximum(canvas.fill(RIGHT_LUNG, 0.001), canvas.fill(LEFT_LUNG, 0.001))
    return np.asarray((lungs > 0.5) & (heart < 0.5))


class _Canvas:
    """Shapes of the frame as pictures, all slightly moved and scaled for this one patient."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        self.rng = rng
        self.height, self.width = height, width
        self._stretch = rng.uniform(0.96, 1.04, size=2)
        self._shift = rng.uniform(-0.012, 0.012, size=2)

    def fill(self, points: Points, softness: float) -> Picture:
        blank = np.zeros((self.height, self.width), np.float32)
        cv2.fillPoly(blank, [self._to_pixels(_smooth(points, closed=True))], 1.0, shift=4)
        return self.soften(blank, softness)

    def line(self, points: Points, thickness: float, softness: float) -> Picture:
        blank = np.zeros((self.height, self.width), np.float32)
        path = self._to_pixels(_smooth(points, closed=False))
        cv2.polylines(blank, [path], False, 1.0, self.pixels(thickness), cv2.LINE_AA, 4)
        return self.soften(blank, softness)

    def spot(self, x: float, y: float, across: float, down: float, softness: float) -> Picture:
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        wobble = 1 + 0.08 * self.rng.standard_normal(12)
        edge = [
            (x + across * w * np.cos(a), y + down * w * np.sin(a))
            for a, w in zip(angles, wobble, strict=True)
        ]
        return self.fill(edge, softness)

    def soften(self, picture: Picture, softness: float) -> Picture:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), softness * self.width), np.float32)

    def pixels(self, length: float) -> int:
        return max(1, round(length * self.width))

    def clouds(self, size: float) -> Picture:
        """Return smooth noise of about -1..1, its patches `size` across."""
        noise = self.rng.standard_normal((self.height, self.width)).astype(np.float32)
        soft = self.soften(noise, size)
        return soft / np.float32(2 * soft.std())

    def expose(self, picture: Picture) -> Picture:
        """Add scatter, grain and the detector's blur; return 0..1."""
        picture = 0.9 * picture + 0.1 * self.soften(picture, 0.05) + 0.008 * self.clouds(0.01)
        grain = self.rng.standard_normal(picture.shape).astype(np.float32)
        grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), 0.7), np.float32)
        return np.clip(0.04 + 0.95 * picture + 0.012 * grain, 0, 1).astype(np.float32)

    def _to_pixels(self, points: NDArray[np.float64]) -> NDArray[np.int32]:
        centred = (points - (0.5, 0.5)) * self._stretch + (0.5, 0.5) + self._shift
        scale = (self.width * 16, self.height / FRAME_HEIGHT * 16)
        return np.round(centred * scale).astype(np.int32)


def _smooth(points: Points, *, closed: bool) -> NDArray[np.float64]:
    """Put a Catmull-Rom curve through the points."""
    given = np.asarray(points, np.float64)
    around = np.roll(given, 1, axis=0) if closed else np.vstack([given[:1], given[:-1]])
    after = np.roll(given, -1, axis=0) if closed else np.vstack([given[1:], given[-1:]])
    beyond = (
        np.roll(given, -2, axis=0) if closed else np.vstack([given[2:], given[-1:], given[-1:]])
    )
    steps = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * given
        + (after - around) * steps
        + (2 * around - 5 * given + 4 * after - beyond) * steps**2
        + (3 * given - around - 3 * after + beyond) * steps**3
    )
    return np.swapaxes(curve, 0, 1).reshape(-1, 2)


def _draw_bones(canvas: _Canvas) -> Picture:
    bones = 0.1 * canvas.line([(0.5, -0.1), (0.5, 1.2)], 0.08, 0.012)
    for level in np.arange(0.0, 1.1, 0.062):  # the gaps between the vertebrae
        bones -= 0.035 * canvas.line([(0.46, level), (0.54, level)], 0.008, 0.004)
    for side in (-1, 1):
        for number in range(9):
            top = 0.12 + 0.072 * number
            reach = min(0.16 + 0.045 * number, 0.385)
            back: Points = [
                (0.5 + side * 0.04, top),
                (0.5 + side * reach * 0.55, top - 0.012),
                (0.5 + side * reach * 0.93, top + 0.06),
                (0.5 + side * reach, top + 0.15),
            ]
            front: Points = [
                (0.5 + side * reach, top + 0.15),
                (0.5 + side * reach * 0.8, top + 0.22),
                (0.5 + side * reach * 0.5, top + 0.25),
            ]
            bones += _draw_rib(canvas, back, 0.024, 0.075)
            bones += _draw_rib(canvas, front, 0.02, 0.03)
        clavicle: Points = [(0.53, 0.2), (0.62, 0.18), (0.74, 0.14), (0.9, 0.125)]
        scapula: Points = [(0.88, 0.16), (0.83, 0.26), (0.84, 0.38), (0.87, 0.46)]
        bones += _draw_rib(canvas, _mirror(clavicle, side), 0.03, 0.13)
        bones += _draw_rib(canvas, _mirror(scapula, side), 0.035, 0.06)
        bones += 0.12 * canvas.spot(0.5 + side * 0.455, 0.17, 0.045, 0.05, 0.006)
    return bones


def _draw_rib(canvas: _Canvas, path: Points, thickness: float, strength: float) -> Picture:
    """A tube: its rims are denser than its middle."""
    tube = canvas.line(path, thickness, 0.0025)
    marrow = canvas.line(path, thickness * 0.55, 0.004)
    return np.asarray(strength * (tube - 0.45 * marrow), np.float32)


def _mirror(points: Points, side: int) -> Points:
    return [(0.5 + side * (x - 0.5), y) for x, y in points]


def _draw_vessels(canvas: _Canvas) -> Picture:
    """Grow branches from both hila outwards, thinner at every fork."""
    rng, vessels = canvas.rng, np.zeros((canvas.height, canvas.width), np.float32)
    for side in (-1, 1):
        tips = [(0.5 + side * 0.075, 0.45, a, 0.017) for a in rng.uniform(-1.3, 1.3, 9)]
        vessels += 0.14 * canvas.spot(0.5 + side * 0.085, 0.45, 0.028, 0.05, 0.014)
        while tips:
            x, y, angle, thickness = tips.pop()
            length = rng.uniform(0.05, 0.09)
            end = (x + side * length * np.cos(angle), y + length * np.sin(angle))
            vessels += 3.5 * thickness * canvas.line([(x, y), end], thickness, 0.003)
            if thickness > 0.005:
                turns = angle + rng.uniform(0.15, 0.5) * np.array((-1, 1))
                tips += [(*end, turn, thickness * 0.68) for turn in turns]
    return np.minimum(vessels, 0.17)


def _draw_finding(canvas: _Canvas, finding: Finding) -> Picture:
    blank = np.zeros((canvas.height, canvas.width), np.float32)
    if finding is Finding.APICAL_CAVITY:
        wall = canvas.spot(0.3, 0.27, 0.055, 0.05, 0.008) - 0.75 * canvas.spot(
            0.3, 0.265, 0.028, 0.025, 0.006
        )
        patches = canvas.spot(0.33, 0.22, 0.09, 0.07, 0.03) * (0.5 + 0.5 * canvas.clouds(0.012))
        return np.asarray(0.2 * wall + 0.16 * patches, np.float32)
    if finding is Finding.LOBAR_OPACITY:
        lobe = canvas.fill([(0.14, 0.62), (0.44, 0.6), (0.44, 0.78), (0.14, 0.84)], 0.02)
        return np.asarray(0.28 * lobe * (0.85 + 0.2 * canvas.clouds(0.02)), np.float32)
    if finding is Finding.BILATERAL_HAZE:
        sides = canvas.spot(0.22, 0.62, 0.1, 0.17, 0.035) + canvas.spot(
            0.78, 0.62, 0.1, 0.17, 0.035
        )
        return np.asarray(0.2 * sides * (0.6 + 0.5 * canvas.clouds(0.02)), np.float32)
    return blank
