"""Make a realistic clinic day of 2500 x 2048 films, 12 bits, with sensor noise; made once, kept.

    python -m benchmarks.made_day DAY [--films 300] [--distinct 60] [--images FOLDER]

Films are phantoms (no patient), or the pictures of a folder given, enlarged and each with noise of
its own. DAY/films holds them in a shuffled order, `NUMBER_SYNTAX.dcm`; DAY/day.json says what was
made. 40 % are uncompressed, 20 % JPEG Lossless, 15 % JPEG 2000 (lossless 5/3, five decomposition
levels), 5 % each JPEG-LS, RLE, HTJ2K and 16-bit PNG, 5 % JPEG (half as DICOM, half as .jpg).
Encoding is slow, so only some films are encoded; the rest are copies of their bytes, a DICOM with
UIDs of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.distinct import write_distinct

MIX = {
    "uncompressed": 0.4,
    "jpeg_lossless": 0.2,
    "jpeg2000": 0.15,
    "jpeg_ls": 0.05,
    "rle": 0.05,
    "htj2k": 0.05,
    "png16": 0.05,
    "jpeg_dicom": 0.025,
    "jpeg": 0.025,
}
SHAPE = (2500, 2048)
_SUFFIXES = {"png16": ".png", "jpeg": ".jpg"}
_WINDOW = (2000, 3600)
"""Centre and width of 4096: narrower than the range, so that the window has work to do."""
_PHANTOMS = 20
"""Phantoms drawn; each serves several films."""


def split_by_mix(films: int, mix: Mapping[str, float] = MIX) -> dict[str, int]:
    """Share out `films` by largest remainder; the counts sum to `films`."""
    exact = {name: films * share for name, share in mix.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: films - sum(counts.values())]:
        counts[name] += 1
    return counts


def syntax_of(film: Path) -> str:
    """Return the syntax a made film's name states."""
    return film.stem.split("_", 1)[1]


def films_of(day: Path) -> list[Path]:
    """Return the films of a made day in their order; SystemExit where none was made."""
    films = sorted(path for path in (day / "films").glob("*_*") if path.is_file())
    if not (day / "day.json").is_file() or not films:
        raise SystemExit(f"{day} holds no made day: run `python -m benchmarks.made_day {day}`")
    return films


def take_subset(films: Sequence[Path], size: int) -> list[Path]:
    """Take `size` films in the mix of `films`; every syntax keeps at least one."""
    by_syntax: dict[str, list[Path]] = {}
    for film in films:
        by_syntax.setdefault(syntax_of(film), []).append(film)
    shares = {name: len(members) / len(films) for name, members in by_syntax.items()}
    counts = split_by_mix(min(size, len(films)), shares)
    chosen = [film for name, n in counts.items() for film in by_syntax[name][: max(1, n)]]
    return sorted(chosen)


def link_films(films: Sequence[Path], folder: Path, *, count: int | None = None) -> None:
    """Fill `folder` with `count` films: hard links to `films` (copies where the disk has none), and
    beyond those copies with other UIDs, each a film of its own."""
    folder.mkdir(parents=True)
    for number in range(len(films) if count is None else count):
        film = films[number % len(films)]
        place = folder / f"{number:05}_{syntax_of(film)}{film.suffix}"
        if number >= len(films):
            write_distinct(film, place, number)
            continue
        try:
            os.link(film, place)
        except OSError:
            shutil.copyfile(film, place)


def make_day(
    day: Path,
    counts: Mapping[str, int],
    *,
    distinct: int,
    images: Path | None = None,
    shape: tuple[int, int] = SHAPE,
    phantoms: int = _PHANTOMS,
) -> list[Path]:
    """Make the day in `day`, or take the one that is there; SystemExit where it is another."""
    told = {"counts": dict(counts), "distinct": distinct, "shape": list(shape)}
    told["images"] = "phantoms" if images is None else str(images)
    if (day / "day.json").is_file():
        made = json.loads((day / "day.json").read_text(encoding="utf-8"))
        if {name: made.get(name) for name in told} != told:
            raise SystemExit(f"{day} holds another day ({made}): name another folder")
        return films_of(day)
    (day / "films").mkdir(parents=True, exist_ok=True)
    total = sum(counts.values())
    pictures = _draw_all(phantoms, shape) if images is None else _read_all(images)
    places = iter(np.random.default_rng(7).permutation(total).tolist())
    encoded: dict[str, int] = {}
    seed = 0
    for syntax, count in counts.items():
        encoded[syntax] = min(count, max(2, round(distinct * count / total)))
        masters: list[Path] = []
        for number in range(count):
            name = f"{next(places):04}_{syntax}{_SUFFIXES.get(syntax, '.dcm')}"
            film = day / "films" / name
            if number < encoded[syntax]:
                _write(film, syntax, pictures[seed % len(pictures)], shape, seed)
                masters.append(film)
                seed += 1
            else:
                write_distinct(masters[number % len(masters)], film, number)
    told["encoded"] = encoded
    (day / "day.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    return films_of(day)


def describe_day(day: Path) -> str:
    """Say in one line what the day is made of."""
    made = json.loads((day / "day.json").read_text(encoding="utf-8"))
    height, width = made["shape"]
    kinds = ", ".join(
        f"{count} {name} ({made['encoded'][name]} encodes)"
        for name, count in made["counts"].items()
        if count
    )
    return (
        f"{sum(made['counts'].values())} films of {height} x {width} from {made['images']}, "
        f"{sum(made['encoded'].values())} encoded, the rest copies of them: {kinds}"
    )


def _draw_all(count: int, shape: tuple[int, int]) -> list[NDArray[np.uint8]]:
    from examples.draw_phantom import Finding, draw_phantom

    findings = list(Finding)
    pictures = []
    for seed in range(count):
        phantom = draw_phantom(
            np.random.default_rng(seed),
            height=shape[0] // 2,
            width=shape[1] // 2,
            finding=findings[seed % len(findings)],
        )
        pictures.append((phantom * 255).astype(np.uint8))
        print(f"drawn {seed + 1} of {count} phantoms", flush=True)
    return pictures


def _read_all(folder: Path) -> list[NDArray[np.uint8]]:
    import cv2

    def read() -> Iterator[NDArray[np.uint8]]:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".png", ".jpg", ".jpeg"):
                grey = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
                if grey is not None:
                    yield np.asarray(grey, dtype=np.uint8)

    pictures = list(read())
    if not pictures:
        raise SystemExit(f"{folder} holds no PNG or JPEG picture")
    return pictures


def _write(
    film: Path, syntax: str, picture: NDArray[np.uint8], shape: tuple[int, int], seed: int
) -> None:
    import cv2

    from benchmarks.made_films import enlarge, write_dicom

    pixels = enlarge(picture, shape, seed)
    if syntax == "png16":
        film.write_bytes(cv2.imencode(".png", pixels << 4)[1].tobytes())
    elif syntax == "jpeg":
        quality = [cv2.IMWRITE_JPEG_QUALITY, 90]
        grey = (pixels >> 4).astype(np.uint8)
        film.write_bytes(cv2.imencode(".jpg", grey, quality)[1].tobytes())
    else:
        name = "explicit" if syntax == "uncompressed" else syntax
        write_dicom(film, pixels, name, window=_WINDOW)


def main() -> None:
    """Parse the command line, make the day, say what it is."""
    import cv2

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("day", type=Path, help="where the day is kept")
    parser.add_argument("--films", type=int, default=300)
    parser.add_argument("--distinct", type=int, default=60, help="films encoded, about")
    parser.add_argument("--height", type=int, default=SHAPE[0])
    parser.add_argument("--width", type=int, default=SHAPE[1])
    parser.add_argument("--images", type=Path, help="folder of PNG or JPEG instead of phantoms")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    make_day(
        options.day,
        split_by_mix(options.films),
        distinct=options.distinct,
        images=options.images,
        shape=(options.height, options.width),
    )
    print(describe_day(options.day))


if __name__ == "__main__":
    main()
