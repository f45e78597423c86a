"""Make of a sound film what the gate must tell from one, and what it must not take for it.

Every function takes a film, uint8 [H, W], bones bright, and a random generator, and returns uint8
[H', W']. What is drawn stays inside the ranges named here; a film between right and wrong (a tenth
of a lung cut off) is in neither, so nobody learns a border that radiographers do not agree on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from edge_infer.model.gate import GateState

Grey: TypeAlias = NDArray[np.uint8]
Maker: TypeAlias = Callable[[Grey, Generator], Grey]


def turn(film: Grey, quarters: int) -> Grey:
    """Turn by quarters to the left (as `numpy.rot90` does)."""
    return np.ascontiguousarray(np.rot90(film, quarters))


def invert(film: Grey) -> Grey:
    """Make bones dark."""
    return np.asarray(255 - film, np.uint8)


def vary(film: Grey, rng: Generator) -> Grey:
    """Change a sound film as hospitals do, and leave it sound.

    Mirrored, turned by up to 12 degrees, up to 6 % of each side cut off, bands of up to 25 % added
    to sides in black or grey, proportions, grey curve, a little clipping, blur, noise, a letter,
    redaction boxes, JPEG.
    """
    if rng.random() < 0.5:
        film = np.ascontiguousarray(film[:, ::-1])
    film = _stretch_sides(film, rng, 0.25)
    if rng.random() < 0.5:
        film = _turn_a_little(film, rng.uniform(-12, 12), int(rng.choice((0, int(film.min())))))
    if rng.random() < 0.5:
        film = _trim(film, *rng.uniform(0, 0.06, 4))
    if rng.random() < 0.2:
        film = _cover_boxes(film, rng)
    if rng.random() < 0.45:
        film = _add_border(film, rng)
    return vary_grey(film, rng)


def vary_grey(film: Grey, rng: Generator) -> Grey:
    """Change grey curve, sharpness and noise within what a reader would still accept."""
    if rng.random() < 0.6:
        film = _gamma(film, float(np.exp(rng.uniform(-0.5, 0.5))))
    if rng.random() < 0.25:
        film = _clip(film, *rng.uniform(0, 0.06, 2))
    if rng.random() < 0.25:
        film = cv2.GaussianBlur(film, (0, 0), rng.uniform(0.4, 1.6)).astype(np.uint8)
    if rng.random() < 0.25:
        film = _add_noise(film, rng.uniform(1, 9), rng)
    if rng.random() < 0.3:
        film = _write(film, rng)
    if rng.random() < 0.3:
        film = _as_jpeg(film, int(rng.integers(25, 85)))
    return film


def whiten_lung(film: Grey, rng: Generator) -> Grey:
    """Fill half of the picture's middle as an effusion or a collapsed lung does; it stays sound."""
    height, width = film.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    side = rng.choice((-1, 1))
    centre = width * (0.5 + side * rng.uniform(0.18, 0.26))
    across = np.exp(-(((columns - centre) / (width * rng.uniform(0.14, 0.2))) ** 4))
    level = height * rng.uniform(0.1, 0.65)
    below = 1 / (1 + np.exp(-(rows - level) / (height * 0.03)))
    white = np.percentile(film, rng.uniform(80, 95)) + rng.normal(0, 3, film.shape)
    amount = across * below * rng.uniform(0.7, 1.0)
    return _to_grey(film * (1 - amount) + white * amount)


def cut_in_half(film: Grey, rng: Generator) -> Grey:
    """Keep 38 to 62 % of the film, at one of its four sides."""
    keep = rng.uniform(0.38, 0.62)
    height, width = film.shape
    rows, columns = int(height * keep), int(width * keep)
    cuts = (film[:rows], film[height - rows :], film[:, :columns], film[:, width - columns :])
    return np.ascontiguousarray(cuts[rng.integers(4)])


def blank_half(film: Grey, rng: Generator) -> Grey:
    """Cover 40 to 60 % of the film, from one side, as a shutter or a lost transfer does."""
    quarters = int(rng.integers(4))
    turned = turn(film, quarters).copy()
    level = int(rng.choice((0, 255, int(film.mean()))))
    turned[: int(len(turned) * rng.uniform(0.4, 0.6))] = level
    return turn(turned, -quarters)


def cut_out_part(film: Grey, rng: Generator) -> Grey:
    """Keep 30 to 55 % of each side, anywhere: one lung, a heart, an apex."""
    height, width = film.shape
    rows, columns = (int(side * rng.uniform(0.3, 0.55)) for side in (height, width))
    top, left = int(rng.integers(height - rows)), int(rng.integers(width - columns))
    return np.ascontiguousarray(film[top : top + rows, left : left + columns])


def spoil_exposure(film: Grey, rng: Generator) -> Grey:
    """Make a film of which little is left to read: clipped hard, far too dark, too light, blank."""
    kind = rng.integers(6)
    if kind == 0:  # a narrow window
        left = rng.uniform(0.04, 0.36)
        low = rng.uniform(0.2, 0.8) * (1 - left)
        return _clip(film, low, 1 - low - left)
    if kind == 1:  # burnt out or drowned
        share = rng.uniform(0.4, 0.75)
        return _clip(film, share, 0.0) if rng.random() < 0.5 else _clip(film, 0.0, share)
    if kind == 2:
        return _gamma(film, float(np.exp(rng.choice((-1, 1)) * rng.uniform(1.8, 2.7))))
    if kind == 3:
        return _draw_blank(film.shape, rng)
    if kind == 4:  # few grey levels, drowned in noise
        return _add_noise(_to_grey(film * 0.12 + rng.uniform(0, 200)), rng.uniform(8, 30), rng)
    levels = int(rng.integers(2, 4))
    return _to_grey(np.floor(film / 256 * levels) * (255 / (levels - 1)))


def photograph(film: Grey, rng: Generator) -> Grey:
    """Take a picture of the film on a screen or a light box: tilted, framed, glare, moire."""
    film = vary_grey(film, rng)
    picture: NDArray[np.float32] = film.astype(np.float32)
    if rng.random() < 0.6:
        picture = _add_moire(picture, rng)
    picture = _tilt(picture, rng)
    if rng.random() < 0.85:
        picture = _add_glare(picture, rng)
    if rng.random() < 0.7:
        picture = _add_falloff(picture, rng)
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.3))
    grey = _add_noise(_to_grey(blurred), rng.uniform(1, 7), rng)
    return _as_jpeg(grey, int(rng.integers(30, 90)))


def show_on_screen(film: Grey, rng: Generator) -> Grey:
    """Put the film into a larger picture, as a screenshot of a viewer or a slide is."""
    height, width = film.shape
    share = rng.uniform(0.3, 0.62)
    full = int(height / share), int(width / share * rng.uniform(1.0, 1.6))
    level = int(rng.choice((rng.integers(15, 60), rng.integers(180, 256))))
    canvas = np.full(full, level, np.uint8)
    top = int(rng.integers(full[0] - height + 1))
    left = int(rng.integers(full[1] - width + 1))
    for _ in range(rng.integers(2, 7)):  # panels and bars
        shade = int(np.clip(level + rng.integers(-60, 60), 0, 255))
        corner = rng.integers(full[1]), rng.integers(full[0])
        size = rng.integers(10, full[1]), rng.integers(4, full[0] // 3)
        end = int(corner[0] + size[0]), int(corner[1] + size[1])
        cv2.rectangle(canvas, (int(corner[0]), int(corner[1])), end, shade, -1)
    canvas[top : top + height, left : left + width] = film
    if rng.random() < 0.3:  # the same again beside it
        other = int(rng.integers(full[1] - width + 1))
        canvas[top : top + height, other : other + width] = film
    for _ in range(rng.integers(3, 25)):
        canvas = _write(canvas, rng)
    return canvas


def scatter(film: Grey, rng: Generator) -> Grey:
    """Tear the film into tiles and mix them: the grey of a chest without one."""
    count = int(rng.choice((2, 3, 4, 6)))
    film = cv2.resize(film, (count * 64, count * 64), interpolation=cv2.INTER_AREA).astype(np.uint8)
    tiles = [
        turn(tile, int(rng.integers(4)))
        for row in np.vsplit(film, count)
        for tile in np.hsplit(row, count)
    ]
    order = rng.permutation(len(tiles))
    rows = [np.hstack([tiles[index] for index in row]) for row in order.reshape(count, count)]
    return np.ascontiguousarray(np.vstack(rows))


def draw_texture(film: Grey, rng: Generator) -> Grey:
    """Return a picture of nothing: a film's spectrum without phases, cloud, stripes, shapes."""
    kind = rng.integers(4)
    if kind == 0:  # the film's amplitudes, random phases
        spectrum = np.abs(np.fft.rfft2(film.astype(np.float64)))
        phases = np.exp(2j * np.pi * rng.random(spectrum.shape))
        return _to_range(np.fft.irfft2(spectrum * phases, film.shape))
    if kind == 1:
        return _to_range(_cloud((240, 240), rng))
    if kind == 2:
        rows, columns = np.mgrid[0:240, 0:240] / 240
        angle, count = rng.uniform(0, np.pi), rng.uniform(2, 40)
        wave = np.sin(2 * np.pi * count * (rows * np.sin(angle) + columns * np.cos(angle)))
        return _to_range(wave + rng.uniform(0, 1) * _cloud((240, 240), rng))
    canvas = np.full((240, 240), int(rng.integers(0, 256)), np.uint8)
    for _ in range(rng.integers(1, 14)):
        centre = tuple(int(value) for value in rng.integers(0, 240, 2))
        axes = tuple(int(value) for value in rng.integers(4, 110, 2))
        shade = int(rng.integers(0, 256))
        cv2.ellipse(canvas, centre, axes, float(rng.uniform(0, 360)), 0, 360, shade, -1)
    return _add_noise(
        cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.5, 6)).astype(np.uint8),
        rng.uniform(0, 12),
        rng,
    )


def vary_other(picture: Grey, rng: Generator) -> Grey:
    """Vary a picture of something else, which stays something else whichever way it lies."""
    if rng.random() < 0.4:
        picture = turn(picture, int(rng.integers(4)))
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    if rng.random() < 0.15:
        picture = invert(picture)
    if rng.random() < 0.6:
        picture = _trim(picture, *rng.uniform(0, 0.2, 4))
    picture = _stretch_sides(picture, rng, 0.4)
    if rng.random() < 0.4:
        picture = _turn_a_little(picture, rng.uniform(-25, 25), 0)
    if rng.random() < 0.3:
        picture = _add_border(picture, rng)
    return vary_grey(picture, rng)


def vary_lateral(picture: Grey, rng: Generator) -> Grey:
    """Vary a lateral film, which stays upright and lateral."""
    if rng.random() < 0.5:
        picture = np.ascontiguousarray(picture[:, ::-1])
    picture = _trim(picture, *rng.uniform(0, 0.13, 4))
    picture = _stretch_sides(picture, rng, 0.45)
    if rng.random() < 0.6:
        picture = _turn_a_little(picture, rng.uniform(-15, 15), 0)
    if rng.random() < 0.3:
        picture = _add_border(picture, rng)
    return vary_grey(picture, rng)


MAKERS: tuple[tuple[str, GateState, Maker], ...] = (
    ("turned left", GateState.TURNED_LEFT, lambda film, _: turn(film, 1)),
    ("upside down", GateState.UPSIDE_DOWN, lambda film, _: turn(film, 2)),
    ("turned right", GateState.TURNED_RIGHT, lambda film, _: turn(film, 3)),
    ("inverted", GateState.INVERTED, lambda film, _: invert(film)),
    ("cut in half", GateState.CUT_OFF, cut_in_half),
    ("half covered", GateState.CUT_OFF, blank_half),
    ("part of it", GateState.CUT_OFF, cut_out_part),
    ("badly exposed", GateState.BAD_EXPOSURE, spoil_exposure),
    ("photographed", GateState.PHOTOGRAPH, photograph),
    ("on a screen", GateState.PHOTOGRAPH, show_on_screen),
    ("scattered", GateState.NOT_CHEST, scatter),
    ("texture", GateState.NOT_CHEST, draw_texture),
)
"""Name, what the result is, and how a sound film becomes it."""


def _to_grey(values: NDArray[Any]) -> Grey:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _to_range(values: NDArray[np.floating]) -> Grey:
    low, high = np.percentile(values, (1, 99))
    return _to_grey((values - low) * 255 / max(high - low, 1e-6))


def _gamma(film: Grey, power: float) -> Grey:
    return np.asarray(_to_grey(255 * (np.arange(256) / 255) ** power)[film])


def _clip(film: Grey, dark: float, light: float) -> Grey:
    """Send the darkest and the lightest shares of the pixels to 0 and 255."""
    low, high = np.quantile(film, (dark, 1 - light))
    return np.asarray(_to_grey((np.arange(256) - low) * 255 / max(high - low, 1))[film])


def _add_noise(film: Grey, sigma: float, rng: Generator) -> Grey:
    return _to_grey(film + rng.normal(0, sigma, film.shape).astype(np.float32))


def _as_jpeg(film: Grey, quality: int) -> Grey:
    _, data = cv2.imencode(".jpg", film, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _stretch_sides(film: Grey, rng: Generator, most: float) -> Grey:
    """Change the proportions by up to `most`: the network's input is squashed to a square."""
    if rng.random() < 0.5:
        return film
    height, width = film.shape
    share = 1 + rng.uniform(-most, most)
    return cv2.resize(film, (max(int(width * share), 8), height)).astype(np.uint8)


def _trim(film: Grey, top: float, bottom: float, left: float, right: float) -> Grey:
    height, width = film.shape
    rows = slice(int(height * top), height - int(height * bottom))
    columns = slice(int(width * left), width - int(width * right))
    return np.ascontiguousarray(film[rows, columns])


def _add_border(film: Grey, rng: Generator) -> Grey:
    """Add bands to two sides or all four, as collimators and square pictures of long films have."""
    height, width = film.shape
    shares = rng.uniform(0, 0.25 if rng.random() < 0.5 else 0.1, 4)
    if rng.random() < 0.5:  # as wide on both sides
        shares[1], shares[3] = shares[0], shares[2]
    shares *= np.repeat(rng.permutation([1, int(rng.integers(2))]), 2)
    rows = [int(height * share) for share in shares[:2]]
    columns = [int(width * share) for share in shares[2:]]
    level = int(rng.choice((0, 0, 0, 255, int(rng.integers(256)))))
    return np.asarray(
        cv2.copyMakeBorder(
            film, rows[0], rows[1], columns[0], columns[1], cv2.BORDER_CONSTANT, value=level
        ),
        np.uint8,
    )


def _cover_boxes(film: Grey, rng: Generator) -> Grey:
    """Cover up to three small boxes near the edges, as names are covered before films are given."""
    film = film.copy()
    height, width = film.shape
    for _ in range(rng.integers(1, 4)):
        tall, wide = int(height * rng.uniform(0.03, 0.12)), int(width * rng.uniform(0.08, 0.3))
        top = int(rng.choice((rng.uniform(0, 0.08), rng.uniform(0.8, 0.88))) * height)
        left = int(rng.uniform(0, 0.7) * width)
        film[top : top + tall, left : left + wide] = int(rng.choice((0, 255, 255)))
    return film


def _turn_a_little(film: Grey, degrees: float, fill: int) -> Grey:
    height, width = film.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(film, matrix, (width, height), borderValue=fill).astype(np.uint8)


def _write(film: Grey, rng: Generator) -> Grey:
    """Put a short text anywhere, as markers, dates and viewers do."""
    film = film.copy()
    letters = list("LRABCDEPIMNS0123456789:.- ")
    words = ("L", "R", "PA", "AP", "ERECT", "PORTABLE", "".join(rng.choice(letters, 9)))
    text = str(rng.choice(words))
    place = int(rng.integers(film.shape[1])), int(rng.integers(12, max(film.shape[0], 13)))
    size = film.shape[0] / 288 * rng.uniform(0.3, 0.9)
    cv2.putText(film, text, place, int(rng.integers(4)), size, int(rng.choice((0, 255, 200))), 1)
    return film


def _draw_blank(shape: tuple[int, ...], rng: Generator) -> Grey:
    """Draw an exposure with nobody in it: a level, perhaps uneven, noise, perhaps a collimator."""
    height, width = shape[:2]
    picture = np.full((height, width), rng.uniform(0, 255))
    if rng.random() < 0.6:
        rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
        slope = rng.uniform(-120, 120, 2)
        picture += rows * slope[0] + columns * slope[1]
    if rng.random() < 0.4:
        margins = [
            int(side * share)
            for side, share in zip((height, width), rng.uniform(0.02, 0.3, 2), strict=True)
        ]
        inner = picture[margins[0] : height - margins[0], margins[1] : width - margins[1]].copy()
        picture[:] = rng.uniform(0, 40)
        picture[margins[0] : height - margins[0], margins[1] : width - margins[1]] = inner
    return _add_noise(_to_grey(picture), float(np.exp(rng.uniform(-2, 3.5))), rng)


def _add_moire(picture: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    """Add the beat of a screen's grid with a sensor's."""
    height, width = picture.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    total = np.zeros_like(picture)
    for _ in range(rng.integers(1, 4)):
        angle, period = rng.uniform(0, np.pi), rng.uniform(2.2, 18)
        bend = rng.uniform(-6e-4, 6e-4) * (rows - height / 2) * (columns - width / 2)
        along = rows * np.sin(angle) + columns * np.cos(angle) + bend
        total += np.sin(2 * np.pi * along / period + rng.uniform(0, 6)).astype(np.float32)
    return picture + total * np.float32(rng.uniform(4, 18))


def _tilt(picture: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    """See the film at an angle, its edges within the picture, something else around it."""
    height, width = picture.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], np.float32)
    depth = (
        rng.uniform(0.0, 0.22, (4, 2)) if rng.random() < 0.75 else rng.uniform(-0.05, 0.05, (4, 2))
    )
    moved = corners + inwards * depth.astype(np.float32) * np.array([width, height], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    around = float(rng.choice((rng.uniform(0, 40), rng.uniform(40, 255))))
    seen = cv2.warpPerspective(picture, matrix, (width, height), borderValue=around)
    inside = cv2.warpPerspective(np.ones_like(picture), matrix, (width, height)) > 0.5
    room = around + 25 * _cloud((height, width), rng).astype(np.float32) * rng.integers(0, 2)
    if rng.random() < 0.5:  # the screen's or light box's frame
        frame = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9), np.uint8)) > inside
        room = np.where(frame, np.float32(rng.uniform(0, 255)), room)
    return np.asarray(np.where(inside, seen, room), np.float32)


def _add_glare(picture: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    """Add the reflection of a lamp or a window."""
    height, width = picture.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    total = np.zeros_like(picture)
    for _ in range(rng.integers(1, 3)):
        row, column = rng.uniform(0, height), rng.uniform(0, width)
        tall, wide = rng.uniform(0.06, 0.4) * height, rng.uniform(0.06, 0.4) * width
        power = rng.choice((2, 8))
        far = np.abs((rows - row) / tall) ** power + np.abs((columns - column) / wide) ** power
        total += np.exp(-far).astype(np.float32) * np.float32(rng.uniform(50, 190))
    return picture + total


def _add_falloff(picture: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    """Darken towards the corners, and to one side."""
    height, width = picture.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across, down = columns / width - rng.uniform(0.3, 0.7), rows / height - rng.uniform(0.3, 0.7)
    light = 1 - rng.uniform(0.2, 1.2) * (across**2 + down**2)
    return np.asarray(picture * light.clip(0.1, 1), np.float32)


def _cloud(shape: tuple[int, int], rng: Generator) -> NDArray[np.float64]:
    """Return smooth noise of several sizes, about -1 to 1."""
    total = np.zeros(shape)
    for cells in (3, 6, 12, 24, 48):
        coarse = rng.normal(0, 1 / np.sqrt(cells), (cells, cells)).astype(np.float32)
        total += cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(total)
