"""What is packed for another machine: no held-out film, the same names, nearly the same pixels."""

from __future__ import annotations

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cxr_train.data.dataset import load_images, training_side
from cxr_train.data.manifest import fingerprint, read_data, select
from cxr_train.data.pack import FILMS, describe_pack, pack_data
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.guides import draw_guides
from edge_infer.errors import ReportError
from edge_infer.model.model_card import CLASSES
from tests.train.tiny_films import unpack, write_film

SIZE = 56
QUALITY = 95
"""The tiny films are mostly noise, of which JPEG keeps less than of lungs."""


def write_films(folder: Path, splits: str, *, name: str = "{label}/필름 {number}.png") -> Path:
    """Write a film of each class for every word of `splits`; return the manifest."""
    rows = []
    for turn, split in enumerate(splits.split()):
        for label, word in enumerate(CLASSES):
            number = turn * 4 + label
            path = name.format(label=word, number=number)
            write_film(folder / path, label, number)
            rows.append([path, word, split, f"patient {number}", "A", "036Y" if number % 2 else ""])
    manifest = folder / "manifest.csv"
    with manifest.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["path", "class", "split", "patient_id", "source", "age"]])
        csv.writer(file).writerows(rows)
    return manifest


def write_beside(folder: Path, data: Path) -> tuple[Path, Path]:
    """Write a mask for every third film of `data`, held-out ones too, and a box on each TB film."""
    lungs, boxes = folder / "masks", folder / "boxes.csv"
    lungs.mkdir()
    masked, drawn = ["film,mask"], ["film,split,x0,y0,x1,y1"]
    for number, film in enumerate(read_data(data)):
        if number % 3 == 0:
            (lungs / f"{number}.png").write_bytes(film.path.read_bytes())
            masked.append(f"{film.name},{number}.png")
        if CLASSES[film.label] == "tuberculosis":
            drawn.append(f"{film.name},{film.split},0.1,0.2,0.3,0.4")
    (lungs / "manifest.csv").write_text("\n".join(masked), encoding="utf-8")
    boxes.write_text("\n".join(drawn), encoding="utf-8")
    return lungs, boxes


def test_what_is_unpacked_trains_as_the_data_does(tmp_path: Path) -> None:
    data = write_films(tmp_path / "자료", "train train val test published")
    more = write_films(tmp_path / "more", "train test", name="{label}-{number}.png")
    lungs, boxes = write_beside(tmp_path, data)
    pack = pack_data(
        data,
        tmp_path / "pack",
        extra=[more],
        lungs=lungs,
        boxes=boxes,
        size=SIZE,
        quality=QUALITY,
        part_bytes=50 * 1024,
        cache=tmp_path / "cache",
    )
    assert len(pack.parts) > 2, "parts of 50 KiB"
    assert all(part.stat().st_size <= 50 * 1024 for part in pack.parts)
    assert pack.size == sum(part.stat().st_size for part in pack.parts)
    assert (pack.train, pack.val, pack.extras) == (12, 4, 1)
    there = unpack(pack.parts, tmp_path / "there")
    packed = read_data(there / FILMS)
    assert {film.split for film in packed} == {"train", "val"}, "nothing held out travels"
    assert len(read_data(there / "extra-1")) == 4
    own = [film for film in read_data(data) if film.split in ("train", "val")]
    facts = ("name", "label", "split", "group", "source", "squashed", "age")
    assert [[getattr(film, fact) for fact in facts] for film in packed] == [
        [getattr(film, fact) for fact in facts] for film in own
    ]
    everything = [*packed, *read_data(there / "extra-1")]
    assert fingerprint(everything) == pack.fingerprint
    for split, side in (("train", training_side(SIZE)), ("val", SIZE)):
        before, after = (
            load_images(select(some, split), height=side, width=side, cache=tmp_path / "cache")
            for some in (own, packed)
        )
        apart = np.abs(before.pixels.astype(int) - after.pixels)
        assert 0 < apart.mean() < 4, "of 255 grey levels, by JPEG alone"
    kept = draw_guides(packed, lungs=there / "lungs", boxes=there / "boxes.csv")
    whole = draw_guides(own, lungs=lungs, boxes=boxes)
    assert (kept.maps == whole.maps).all() and (kept.has_mask == whole.has_mask).all()
    assert (kept.has_mask.sum(), kept.boxes) == (pack.masks, pack.boxes)
    assert (pack.masks, pack.boxes) == (5, 3), (
        "7 films have a mask, 5 a box; the others are held out"
    )
    said = "\n".join(describe_pack(pack))
    assert "12 training and 4 validation films, 5 lung masks, 3 boxes" in said
    assert "fit films --extra extra-1 --lungs lungs --boxes boxes.csv --out run" in said


def test_data_alone_is_packed_too(tmp_path: Path) -> None:
    data = write_films(tmp_path / "data", "train val")
    pack = pack_data(data, tmp_path / "pack", size=SIZE, cache=tmp_path / "cache")
    assert len(pack.parts) == 1 and (pack.masks, pack.boxes, pack.extras) == (0, 0, 0)
    assert sorted(path.name for path in unpack(pack.parts, tmp_path / "there").iterdir()) == [FILMS]
    assert "--extra" not in "\n".join(describe_pack(pack))


def test_a_second_pack_does_not_mix_with_the_first(tmp_path: Path) -> None:
    data = write_films(tmp_path / "data", "train val")
    pack = pack_data(data, tmp_path / "pack", size=SIZE, cache=tmp_path / "cache")
    before = pack.parts[0].read_bytes()
    with pytest.raises(ConfigError, match="already holds a pack"):
        pack_data(data, tmp_path / "pack", size=SIZE, cache=tmp_path / "cache")
    assert pack.parts[0].read_bytes() == before


def test_masks_and_boxes_of_other_films_are_refused(tmp_path: Path) -> None:
    data = write_films(tmp_path / "data", "train val")
    lungs, boxes = write_beside(tmp_path, data)
    (lungs / "manifest.csv").write_text("film,mask\nanother.png,0.png", encoding="utf-8")
    boxes.write_text("film,x0,y0,x1,y1\nanother.png,0,0,1,1", encoding="utf-8")
    for masks, drawn in ((lungs, None), (None, boxes)):
        with pytest.raises(DataError, match="names no film here"):
            pack_data(data, tmp_path / "pack", lungs=masks, boxes=drawn, cache=tmp_path / "cache")
    assert not list((tmp_path / "pack").iterdir())


def test_a_film_outside_the_data_is_not_packed(tmp_path: Path) -> None:
    write_films(tmp_path / "outside", "train val")
    data = tmp_path / "data" / "manifest.csv"
    data.parent.mkdir()
    rows = [
        f"../outside/{film.name},{CLASSES[film.label]},{film.split}"
        for film in read_data(tmp_path / "outside")
    ]
    data.write_text("\n".join(["path,class,split", *rows]), encoding="utf-8")
    with pytest.raises(DataError, match="does not lie in the data's folder"):
        pack_data(data, tmp_path / "pack", size=SIZE, cache=tmp_path / "cache")
    assert not list((tmp_path / "pack").iterdir())


def test_nothing_is_left_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_films(tmp_path / "data", "train val")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(ReportError, match="No space left"):
        pack_data(data, tmp_path / "pack", size=SIZE, cache=tmp_path / "cache")
    assert not list((tmp_path / "pack").iterdir())
