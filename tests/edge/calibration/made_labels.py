"""Worklists and label files made by hand, for calibration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from edge_infer.calibration.labels import LabelledFilm
from edge_infer.calibration.listed_films import ListedFilm
from edge_infer.model.model_file import load_model_file
from edge_infer.worklist.lists import to_csv, to_json
from edge_infer.worklist.rows import WorklistRow
from tests.edge.made_day import TINY, make_day, screened

TINY_SHA256 = load_model_file(TINY).sha256


def listed(
    path: str,
    tb_tenths: int | None,
    *,
    uid: str = "",
    has_tb_class: bool = False,
    was_referred: bool | None = None,
    day: str = "monday",
) -> ListedFilm:
    """Return a film as a worklist names it; referred at 40.0 or by class unless said otherwise."""
    is_referred = has_tb_class or (tb_tenths or 0) >= 400
    return ListedFilm(
        path=path,
        sop_instance_uid=uid,
        day=day,
        tb_tenths=tb_tenths,
        has_tb_class=has_tb_class,
        was_referred=is_referred if was_referred is None else was_referred,
        numbers=(str(tb_tenths), str(has_tb_class)),
    )


def labelled(
    with_tb: Iterable[int], without: Iterable[int], *, by_class: Iterable[int] = ()
) -> list[LabelledFilm]:
    """Return labelled films with these scores in tenths; `by_class` have TB and its class."""
    return [
        *(LabelledFilm(film=listed(f"a{i}", t), has_tb=True) for i, t in enumerate(with_tb)),
        *(LabelledFilm(film=listed(f"b{i}", t), has_tb=False) for i, t in enumerate(without)),
        *(
            LabelledFilm(film=listed(f"c{i}", t, has_tb_class=True), has_tb=True)
            for i, t in enumerate(by_class)
        ),
    ]


def write_worklist(folder: Path, rows: Sequence[WorklistRow], *, sha256: str = TINY_SHA256) -> Path:
    """Write both forms of a worklist as cxr-infer does, with the tiny model's name and hash."""
    folder.mkdir(parents=True, exist_ok=True)
    day = replace(make_day(rows), model_sha256=sha256)
    (folder / "worklist.csv").write_text(to_csv(day), encoding="utf-8", newline="")
    (folder / "worklist.json").write_text(to_json(day), encoding="utf-8")
    return folder / "worklist.json"


def clinic_rows(n_positive: int, n_negative: int) -> tuple[list[WorklistRow], dict[str, int]]:
    """Return a day and its truth: positives score 30.0 and more, negatives 0.0 to 31.9."""
    rows, truth = [], {}
    for number in range(n_positive):
        name = f"환자 {number}.dcm"
        rows.append(_film(name, 300 + number))
        truth[name] = 1
    for number in range(n_negative):
        name = f"ward/{number}.png"
        rows.append(_film(name, number % 320))
        truth[name] = 0
    return rows, truth


def write_labels(path: Path, truth: dict[str, int]) -> Path:
    lines = ["path,tb", *(f"{name},{tb}" for name, tb in truth.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def without_model_hash(worklist: Path) -> None:
    """Damage the worklist: its model has no hash."""
    plain = json.loads(worklist.read_text("utf-8"))
    del plain["model"]["sha256"]
    worklist.write_text(json.dumps(plain), encoding="utf-8")


def _film(path: str, tb_tenths: int) -> WorklistRow:
    row = screened(path, tb_tenths=tb_tenths)
    assert row.study is not None
    return replace(row, study=replace(row.study, sop_instance_uid=""))
