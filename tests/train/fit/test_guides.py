"""Lung masks and boxes, and the lungs of films that have no mask."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cxr_train.data.dataset import LoadedImages
from cxr_train.data.manifest import Example
from cxr_train.errors import DataError
from cxr_train.fit.guides import make_guides
from cxr_train.fit.lungs import find_lungs

CPU = torch.device("cpu")


def quiet(_: str) -> None:
    """Say nothing."""


def drawn(count: int) -> tuple[LoadedImages, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Films with two dark lungs somewhere, and the masks of these."""
    random = np.random.default_rng(0)
    pixels = np.full((count, 1, 64, 64), 200, np.uint8)
    masks = np.zeros((count, 64, 64), np.uint8)
    for film, mask in zip(pixels, masks, strict=True):
        top, left = random.integers(8, 16), random.integers(6, 12)
        mask[top : top + 36, left : left + 18] = 255
        mask[top : top + 36, left + 26 : left + 44] = 255
        film[0][mask > 0] = 40
    examples = tuple(
        Example(path=Path(f"/x/{k}.png"), name=f"{k}.png", label=0, split="train", group=str(k))
        for k in range(count)
    )
    return LoadedImages(pixels=pixels, examples=examples, skipped=()), masks


def test_lungs_are_found_on_films_without_a_mask() -> None:
    films, masks = drawn(60)
    known = np.arange(60) < 40
    found = find_lungs(films.pixels, masks, known, steps=50, batch=8, device=CPU, tell=quiet)
    assert (found[known] == masks[known]).all()
    ours, truth = found[~known] > 127, masks[~known] > 127
    dice = 2 * (ours & truth).sum() / (ours.sum() + truth.sum())
    assert dice > 0.9


def test_few_masks_leave_the_others_unknown() -> None:
    films, masks = drawn(6)
    known = np.arange(6) < 3
    found = find_lungs(films.pixels, masks, known, device=CPU, tell=quiet)
    assert (found[:3] == masks[:3]).all() and not found[3:].any()


def write_masks(folder: Path, names: list[str]) -> Path:
    folder.mkdir()
    rows = ["film,mask"]
    for name in names:
        mask = np.zeros((128, 128), np.uint8)
        mask[:, :64] = 1  # any value above 0 is lung
        cv2.imencode(".png", mask)[1].tofile(folder / name)
        rows.append(f"{name},{name}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_masks_and_boxes_are_read_by_film(tmp_path: Path) -> None:
    films, _ = drawn(4)
    masks = write_masks(tmp_path / "필름 masks", ["1.png", "not-ours.png"])
    boxes = tmp_path / "boxes.csv"
    boxes.write_text("film,x0,y0,x1,y1\n2.png,0.5,0.25,0.75,0.5\n9.png,0,0,1,1\n", encoding="utf-8")
    guides = make_guides(films, lungs=masks, boxes=boxes, device=CPU, tell=quiet)
    assert guides is not None and guides.shape == (4, 2, 64, 64)
    assert guides[1, 0, :, :32].min() == 255 and not guides[1, 0, :, 32:].any()
    assert guides[2, 1, 16:32, 32:48].min() == 255 and guides[2, 1].sum() == 255 * 256
    assert not guides[[0, 2, 3], 0].any() and not guides[[0, 1, 3], 1].any()


def test_without_masks_and_boxes_there_are_no_guides() -> None:
    films, _ = drawn(1)
    assert make_guides(films, lungs=None, boxes=None, device=CPU, tell=quiet) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("film,x0,y0,x1\n1.png,0,0,1\n", "lacks the column y1"),
        ("film,x0,y0,x1,y1\n1.png,0,zero,1,1\n", "is no number"),
        ("film,x0,y0,x1,y1\nother.png,0,0,1,1\n", "no box on a training film"),
    ],
)
def test_boxes_that_cannot_be_used_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    films, _ = drawn(2)
    boxes = tmp_path / "boxes.csv"
    boxes.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=complaint):
        make_guides(films, lungs=None, boxes=boxes, device=CPU, tell=quiet)


def test_masks_of_other_films_are_refused(tmp_path: Path) -> None:
    films, _ = drawn(2)
    masks = write_masks(tmp_path / "masks", ["other.png"])
    with pytest.raises(DataError, match="no mask of a training film"):
        make_guides(films, lungs=masks, boxes=None, device=CPU, tell=quiet)
