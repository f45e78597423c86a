"""The benchmark of heat maps: where a map's point and mass are, by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.heatmap_truth import (
    SIDE,
    InLungs,
    Pointing,
    box_mask,
    main,
    measure_boxes,
    measure_lungs,
    point_of,
    share_inside,
)

ROOT = Path(__file__).resolve().parents[1]


def peak(row: int, column: int) -> np.ndarray:
    heat = np.zeros((7, 7), np.float32)
    heat[row, column] = 1.0
    return heat


def test_a_point_lies_in_a_box_near_one_or_in_none() -> None:
    """Place (1, 5) of 7 x 7 has its centre at 1.5 and 5.5 sevenths of the film."""
    place = point_of(peak(1, 5))
    assert place is not None
    assert np.abs(np.array(place) / SIDE - np.array([1.5, 5.5]) / 7).max() < 0.02
    assert point_of(np.zeros((7, 7), np.float32)) is None
    inside = (5 / 7, 1 / 7, 6 / 7, 2 / 7)
    beside = (4.4 / 7, 1 / 7, 5.2 / 7, 2 / 7)  # ends 0.3 of a place left of the point
    away = (0.0, 0.7, 0.2, 1.0)
    films = [(peak(1, 5), [box]) for box in (inside, beside, away)]
    films += [(peak(1, 5), [away, inside]), (np.zeros((7, 7), np.float32), [inside])]
    found = measure_boxes("val", films)
    assert (found.films, found.nowhere) == (5, 1)
    assert (found.inside.value, found.near.value) == (2 / 5, 3 / 5)
    areas = [box_mask(boxes).mean() for _, boxes in films]
    assert found.chance == pytest.approx(np.mean(areas))


def test_boxes_that_overlap_cover_no_more_than_they_do() -> None:
    assert box_mask([(0.25, 0.5, 0.75, 1.0)]).mean() == pytest.approx(0.25)
    assert box_mask([(0.25, 0.5, 0.75, 1.0)] * 2).mean() == pytest.approx(0.25)
    assert box_mask([(0.5, 0.5, 0.5, 0.5)], margin=0.25).mean() == pytest.approx(0.25)


def test_the_share_of_a_map_inside_the_lungs() -> None:
    left = np.zeros((SIDE, SIDE), dtype=np.bool_)
    left[:, : SIDE // 2] = True
    assert share_inside(np.ones((7, 7), np.float32), left) == pytest.approx(0.5)
    assert share_inside(peak(3, 1), left) == pytest.approx(1.0, abs=0.01)
    assert share_inside(np.zeros((7, 7), np.float32), left) is None
    films = [(peak(3, 1), left), (peak(3, 5), left), (np.zeros((7, 7), np.float32), left)]
    found = measure_lungs("val", "normal", films)
    assert found.films == 2 and found.chance == 0.5
    assert found.share == pytest.approx(0.5, abs=0.01)


def test_the_command_measures_what_the_data_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    for folder in ("cxr4", "lung_masks"):
        (tmp_path / folder / "tuberculosis").mkdir(parents=True)
    films = [f"tuberculosis/{k}.png" for k in range(3)]
    for film in films:
        picture = random.integers(0, 256, (160, 180), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "cxr4" / film), picture)
        mask = np.zeros((160, 180), np.uint8)
        mask[:, 90:] = 255
        cv2.imwrite(str(tmp_path / "lung_masks" / film), mask)
    with (tmp_path / "tb_boxes.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["film", "split", "type", "x0", "y0", "x1", "y1"])
        rows.writerow([films[0], "val", "active", 0, 0, 1, 1])
        rows.writerow([films[1], "train", "active", 0, 0, 1, 1])
    with (tmp_path / "lung_masks" / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["film", "mask", "split", "convention"])
        rows.writerows([film, film, "val", "half"] for film in films)
    tiny = ROOT / "tests" / "edge" / "model" / "tiny.onnx"
    out = tmp_path / "found.json"
    words = [str(tmp_path), "--model", str(tiny), "--splits", "val", "test", "--json", str(out)]
    monkeypatch.setattr("sys.argv", ["heatmap_truth", *words])
    main()
    assert "strongest point in a box on 100 % (21 to 100) of 1 TB films" in capsys.readouterr().out
    (kind,) = json.loads(out.read_text(encoding="utf-8")).values()
    (boxes,), (lungs,) = kind["boxes"], kind["lungs"]
    assert set(boxes) == set(Pointing.__dataclass_fields__)
    assert set(lungs) == set(InLungs.__dataclass_fields__)
    assert boxes["chance"] == 1.0 and lungs["films"] == 3
    assert lungs["chance"] == pytest.approx(0.5)
