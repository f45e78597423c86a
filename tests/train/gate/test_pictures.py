"""Which pictures a gate learns from, and how they are read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from cxr_train.data.manifest import Example
from cxr_train.errors import DataError
from cxr_train.gate.pictures import (
    GateConfig,
    Picture,
    make_picture,
    read_others,
    training_pictures,
    tried_pictures,
)
from cxr_train.gate.wrong_films import MAKERS
from edge_infer.model.gate import GateState
from edge_infer.model.preprocess import to_model_input

CONFIG = GateConfig(
    films_whitened=2,
    wrong_films=3,
    hard_wrong_films=5,
    others_varied=2,
    laterals_varied=4,
    tried_films=2,
    folds=2,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return films (four of train, three of val), two hands and a lateral film, in colour."""
    rng = np.random.default_rng(0)
    for name in [f"film{number}.png" for number in range(7)]:
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, (150, 140), dtype=np.uint8))
    for name in ("hand/a.png", "hand/b.png", "lateral_chest/c.png"):
        (tmp_path / "others" / name).parent.mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, (500, 400, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "others" / name), picture)
    return tmp_path


def films(folder: Path, split: str) -> list[Example]:
    numbers = range(4) if split == "train" else range(4, 7)
    return [
        Example(
            path=folder / f"film{number}.png",
            name=f"film{number}.png",
            label=3 * (number % 2),
            split=split,
            group=str(number),
            source="A hospital",
        )
        for number in numbers
    ]


def test_every_film_is_there_as_it_is_and_every_wrong_way_as_often_as_asked(folder: Path) -> None:
    others = read_others(folder / "others", CONFIG.folds)
    pictures = training_pictures(films(folder, "train"), others, CONFIG)
    made = Counter((one.split, one.made) for one in pictures)
    assert made["train", "as it is"] == made["train", "varied"] == 4
    assert made["train", "whitened"] == 2
    hard = {"badly exposed", "photographed"}
    for name, _, _ in MAKERS:
        assert made["train", f"varied, {name}"] == (5 if name in hard else 3)
    assert made["others", "as it is"] == 3 and made["others", "varied"] == 2 * 2 + 4
    assert {one.state for one in pictures} == set(GateState)


def test_val_films_are_tried_as_they_are_and_wrong(folder: Path) -> None:
    pictures = tried_pictures(films(folder, "val"), CONFIG)
    made = Counter(one.made for one in pictures)
    assert made.pop("as it is") == 3 and set(made.values()) == {2} and len(made) == len(MAKERS)
    assert {one.split for one in pictures} == {"val"}
    assert [one.is_tuberculosis for one in pictures[:3]] == [False, True, False]


def test_every_picture_can_be_made_again_from_its_entry(folder: Path) -> None:
    others = read_others(folder / "others", CONFIG.folds)
    pictures = training_pictures(films(folder, "train"), others, CONFIG)
    for picture in pictures[::4]:
        made = make_picture(picture, 64)
        assert made.shape == (1, 64, 64) and made.dtype == np.uint8
        np.testing.assert_array_equal(made, make_picture(picture, 64))


def test_a_film_as_it_is_goes_the_clinics_way(folder: Path) -> None:
    pixels = cv2.imread(str(folder / "film0.png"), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    expected = to_model_input(pixels.astype(np.uint16) * 257, height=64, width=64)
    (film, *_) = training_pictures(films(folder, "train"), (), CONFIG)
    np.testing.assert_array_equal(make_picture(film, 64), expected)


def test_folders_name_kinds_and_laterals_are_told_apart(folder: Path) -> None:
    others = read_others(folder / "others", 2)
    assert [(one.name, one.kind, one.state) for one in others] == [
        ("hand/a.png", "hand", GateState.NOT_CHEST),
        ("hand/b.png", "hand", GateState.NOT_CHEST),
        ("lateral_chest/c.png", "lateral_chest", GateState.LATERAL),
    ]
    assert {one.fold for one in others} == {0, 1}


def test_a_manifest_leaves_out_what_may_be_screened(folder: Path) -> None:
    rows = "path,kind,refuse\nhand/a.png,hand,yes\nhand/b.png,shoulder,either\n"
    (folder / "others" / "manifest.csv").write_text(rows, encoding="utf-8")
    assert [one.name for one in read_others(folder / "others", 2)] == ["hand/a.png"]


@pytest.mark.parametrize("there", [True, False])
def test_no_pictures_of_other_things_is_a_data_error(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "others"
    if there:
        folder.mkdir()
    with pytest.raises(DataError, match="folders named by kind"):
        read_others(folder, 2)


def test_a_manifest_without_kinds_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path\na.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="path and kind"):
        read_others(tmp_path, 2)


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    picture = Picture(
        path=tmp_path / "x.png",
        made="as it is",
        state=GateState.NOT_CHEST,
        seed=0,
        split="others",
        kind="hand",
    )
    with pytest.raises(DataError, match=r"x\.png"):
        make_picture(picture, 64)
