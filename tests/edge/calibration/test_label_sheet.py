"""Labels that nobody typed: ticks of the desk, and the sheet for what is not known yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.calibration.label_sheet import read_ticks, to_sheet, write_sheet
from edge_infer.calibration.labels import match_labels, read_labels
from edge_infer.calibration.listed_films import ListedFilm, read_worklists
from edge_infer.errors import SiteError
from edge_infer.worklist.marks import CONFIRMED, RULED_OUT, Mark, MarkKind
from edge_infer.worklist.rows import WorklistRow
from tests.edge.calibration.made_labels import listed, write_worklist
from tests.edge.made_day import refused, screened


def ticked(row: WorklistRow, value: str) -> WorklistRow:
    return replace(row, marks={MarkKind.TB: Mark(value=value, since="2026-11-26T09:00:00+00:00")})


def day_of(folder: Path) -> Path:
    """Write a list of two films whose truth is known, one whose is not, and one not screened."""
    rows = [
        ticked(screened("with.dcm", tb_tenths=900), CONFIRMED),
        ticked(screened("=without.dcm", tb_tenths=100), RULED_OUT),
        screened("open.dcm", tb_tenths=300),
        refused("cut.dcm"),
    ]
    rows = [
        replace(row, study=replace(row.study, sop_instance_uid=f"1.{at}") if row.study else None)
        for at, row in enumerate(rows)
    ]
    return write_worklist(folder, rows)


def truths(films: tuple[ListedFilm, ...], labels: Path | None) -> dict[str, bool]:
    label_file = read_ticks(films) if labels is None else read_labels(labels)
    found = match_labels(films, label_file)
    assert found.n_unusable == 0
    return {one.film.path: one.has_tb for one in found.films}


@pytest.mark.parametrize("name", ["worklist.csv", "worklist.json"])
def test_ticks_are_labels(tmp_path: Path, name: str) -> None:
    day_of(tmp_path / "monday")
    films = read_worklists([tmp_path / "monday" / name]).films
    said = {path.lstrip("'"): truth for path, truth in truths(films, None).items()}
    assert said == {"with.dcm": True, "=without.dcm": False}


def test_the_worklist_itself_serves_as_a_label_file(tmp_path: Path) -> None:
    day_of(tmp_path / "monday")
    films = read_worklists([tmp_path / "monday"]).films
    labels = tmp_path / "monday" / "worklist.csv"
    assert truths(films, labels) == truths(films, None)


def test_the_sheet_is_filled_in_as_far_as_it_is_known_and_is_read_back(tmp_path: Path) -> None:
    day_of(tmp_path / "monday")
    day_of(tmp_path / "tuesday")
    films = read_worklists([tmp_path / "monday", tmp_path / "tuesday"]).films
    sheet = tmp_path / "labels" / "sheet.csv"
    write_sheet(films, sheet)
    lines = sheet.read_bytes().decode("utf-8-sig").split("\r\n")
    assert lines[0] == "path,sop_instance_uid,tb"
    assert "monday/open.dcm,1.2," in lines and "tuesday/with.dcm,1.0,1" in lines
    assert len(lines) == 1 + 6 + 1, "what was not screened has no truth to give"
    assert "90.0" not in sheet.read_text("utf-8"), "no score leads who fills it in"


def test_patients_ids_are_in_the_sheet_where_the_list_has_them() -> None:
    films = [replace(listed("a", 10), patient_id="PID-88"), listed("b", 20)]
    assert to_sheet(films).splitlines()[1:] == ["a,,PID-88,", "b,,,"]


def test_lists_without_a_tick_are_no_labels(tmp_path: Path) -> None:
    write_worklist(tmp_path, [screened("a.dcm")])
    with pytest.raises(SiteError, match="cxr-desk"):
        read_ticks(read_worklists([tmp_path]).films)
