"""Ask whether a film can be found again in phantoms.

    python examples/make_basis.py DATA --members members.txt
    python examples/check_basis.py DATA members.txt

Films that went into the basis, and films of the same sources that did not, are brought into the
frame alike. What each adds to the mean in fine structure is correlated with what each of many
phantoms adds. Were a film in a phantom, films of the basis would correlate more than the others.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import make_basis
import numpy as np
from draw_phantom import Finding, draw_in_frame, load_basis, soften
from numpy.typing import NDArray

HIGH_PASS = 8.0
"""Softness in pixels of the frame of what is taken away: shades of the trunk, not ribs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with cxr4/ and cxr4_extra/")
    parser.add_argument("members", type=Path, help="names of the films in the basis, a line each")
    parser.add_argument("--films", type=int, default=187, help="of each kind")
    parser.add_argument("--phantoms", type=int, default=100)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    others = [p for s in ("val", "test") for p in make_basis.find_films(options.data, s)]
    outside = [others[number] for number in rng.permutation(len(others))[: options.films]]
    members = set(options.members.read_text(encoding="utf-8").split())
    used = [p for p in make_basis.find_films(options.data, "train") if p.name in members]
    chosen = rng.permutation(len(used))[: len(outside)]
    inside = [used[number] for number in chosen]
    phantoms = np.stack([phantom_residual(seed) for seed in range(options.phantoms)])
    fits = {}
    for name, paths in (("in the basis", inside), ("not in it", outside)):
        films = np.stack([film_residual(path) for path in paths])
        fits[name] = films @ phantoms.T / films.shape[1]
        near = fits[name].max(axis=1)
        print(
            f"{len(paths)} films {name}: correlation with a phantom {fits[name].mean():.4f} on "
            f"average, with the nearest of {len(phantoms)}: median {np.median(near):.4f}, "
            f"largest {near.max():.4f}"
        )
    ours, theirs = (fits[name].max(axis=1) for name in fits)
    told = (ours[:, None] > theirs).mean()
    print(f"nearest phantom tells a film of the basis from another: AUROC {told:.3f} (chance 0.5)")


def phantom_residual(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return residual(draw_in_frame(rng, side=make_basis.SIDE, finding=Finding.NONE))


def film_residual(path: Path) -> NDArray[np.float32]:
    film = make_basis.read(path)
    mean = load_basis().mean
    field = make_basis.fit_to(make_basis.flatten(mean), make_basis.flatten(film))
    moved = make_basis.move(film, field)
    return residual(make_basis.onto_curve(moved, np.ones_like(moved), make_basis.quantiles(mean)))


def residual(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the middle's fine structure beside the mean's, flat, mean 0, spread 1."""
    rest = picture - load_basis().mean
    rest = rest - soften(rest, HIGH_PASS)
    edge = make_basis.SIDE // 8
    flat = rest[edge:-edge, edge:-edge].ravel()
    return np.asarray((flat - flat.mean()) / flat.std(), np.float32)


if __name__ == "__main__":
    main()
