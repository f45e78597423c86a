"""What is said at the desk is in lists and trail, survives runs, and changes nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_infer.errors import DayInUse, ReportError, SiteError
from edge_infer.flow.keep_day import DaySettings, KeptDay
from edge_infer.flow.open_list import keep_list, open_list
from edge_infer.store.day_view import DayView
from edge_infer.worklist.audit_trail import TRAIL_NAME, read_trail
from edge_infer.worklist.lists import COLUMNS, CSV_NAME, JSON_NAME
from edge_infer.worklist.marks import CONFIRMED, MARK_COLUMNS, RULED_OUT, MarkKind
from tests.edge.flow.test_keep_day import age, films, read_list, run, settle

__all__ = ["films"]
NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
SINCE = "2026-11-26T09:00:00+00:00"


def content_of(out: Path, path: str, settings: DaySettings) -> str:
    with KeptDay(out, settings) as day:
        (sha256,) = {one.sha256 for one in day.files() if one.found.tail == path}
    assert sha256 is not None
    return sha256


def test_the_csv_has_new_columns_only_while_something_is_said(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    out = tmp_path / "out"
    run(films, out, settings)
    plain = (out / CSV_NAME).read_bytes()
    view, sha256 = DayView(out), content_of(out, "2.png", settings)
    step = view.add_mark([sha256], MarkKind.TEST_ORDERED, "1", now=NOW)
    run(films, out, settings)
    rows = read_list(out)
    assert list(rows["2.png"]) == [*COLUMNS, *MARK_COLUMNS]
    assert rows["2.png"]["test_ordered_at"] == SINCE
    assert not any(rows["1.png"][name] for name in MARK_COLUMNS)
    listed = {row["path"]: row for row in json.loads((out / JSON_NAME).read_text("utf-8"))["rows"]}
    assert listed["2.png"]["test_ordered_at"] == SINCE and listed["1.png"]["note"] is None
    view.undo(step, now=NOW)
    run(films, out, settings)
    assert (out / CSV_NAME).read_bytes() == plain


def test_a_mark_goes_with_the_content_whatever_the_file_is_called(
    films: Path, tmp_path: Path, settings: DaySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    out = tmp_path / "out"
    age(films)
    run(films, out, settings)
    sha256 = content_of(out, "1.png", settings)
    DayView(out).add_mark([sha256], MarkKind.NOTE, "=cmd|'/c calc'!A0", now=NOW)
    DayView(out).add_mark([sha256], MarkKind.TB, RULED_OUT, now=NOW)
    (films / "1.png").rename(films / "renamed.png")
    (films / "2.png").write_bytes(b"\x89PNG another content under the old name")
    run(films, out, settings)
    rows = read_list(out)
    assert rows["renamed.png"]["tb"] == "0" and rows["renamed.png"]["tb_at"] == SINCE
    assert rows["renamed.png"]["note"] == "'=cmd|'/c calc'!A0", "no spreadsheet runs it"
    assert rows["2.png"]["tb"] == ""


def test_the_trail_says_that_there_is_a_note_and_not_what(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    out = tmp_path / "out"
    run(films, out, settings)
    view, sha256 = DayView(out), content_of(out, "1.png", settings)
    view.add_mark([sha256], MarkKind.TB, CONFIRMED, now=NOW)
    view.add_mark([sha256], MarkKind.NOTE, "Hong Gildong has moved", now=NOW)
    view.add_mark([sha256], MarkKind.NOTE, "", now=NOW)
    run(films, out, settings)
    run(films, out, settings)
    marks = [line for line in read_trail(out) if "mark" in line]
    assert [(line["mark"], line["value"], line["said_at"]) for line in marks] == [
        ("tb", "confirmed", SINCE),
        ("note", True, SINCE),
        ("note", False, SINCE),
    ]
    assert {line["sha256"] for line in marks} == {sha256}
    assert "Hong" not in (out / TRAIL_NAME).read_text("ascii")


def test_an_opened_list_is_written_again_with_what_is_said_and_nothing_else_changes(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    out = tmp_path / "out"
    (films / "notes.txt").write_text("no film")
    run(films, out, replace(settings, include_patient=True))
    before = json.loads((out / JSON_NAME).read_text("utf-8"))
    sha256 = content_of(out, "3.png", settings)
    rounds = iter([lambda: DayView(out).add_mark([sha256], MarkKind.SEEN, "1", now=NOW)])

    def sleep(_: float) -> None:
        act = next(rounds, None)
        if act is None:
            raise KeyboardInterrupt
        act()

    keep_list(open_list(out, settings), tell_trouble=lambda _: None, sleep=sleep)
    after = json.loads((out / JSON_NAME).read_text("utf-8"))
    assert after["counts"] == before["counts"] and after["counts"]["ignored"] == 1
    assert "patient_name" in after["rows"][0]
    for row, old in zip(after["rows"], before["rows"], strict=True):
        said = {name: row.pop(name) for name in MARK_COLUMNS}
        assert row == old
        assert said["seen_at"] == (SINCE if row["path"] == "3.png" else None)


def test_a_list_is_opened_as_it_was_asked_for(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    out = tmp_path / "out"
    asked = replace(settings, has_gate=False, with_age_sex=False, include_patient=True)
    run(films, out, asked)
    opened = open_list(out, settings).settings
    assert not opened.has_gate and not opened.with_age_sex and opened.include_patient
    run(films, out, settings)
    assert open_list(out, settings).settings == settings


def test_a_list_of_other_thresholds_or_another_model_is_not_opened(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    out = tmp_path / "out"
    run(films, out, settings)
    points = settings.card.operating_points
    other = replace(points, refer_tb=replace(points.refer_tb, threshold=1.5))
    with pytest.raises(SiteError, match="other thresholds"):
        open_list(out, replace(settings, card=replace(settings.card, operating_points=other)))
    plain = json.loads((out / JSON_NAME).read_text("utf-8"))
    plain["model"]["sha256"] = "00" * 32
    (out / JSON_NAME).write_text(json.dumps(plain))
    with pytest.raises(SiteError, match="--model"):
        open_list(out, settings)
    (out / JSON_NAME).write_text("[]")
    with pytest.raises(ReportError, match="not a list"):
        open_list(out, settings)


def test_a_day_that_another_run_keeps_can_be_marked_meanwhile(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    out = tmp_path / "out"
    run(films, out, settings)
    sha256 = content_of(out, "1.png", settings)
    with KeptDay(out, settings) as day:
        day.write()
        assert not day.has_news_from_desk()
        with pytest.raises(DayInUse):
            keep_list(open_list(out, settings), tell_trouble=lambda _: None)
        DayView(out).add_mark([sha256], MarkKind.SEEN, "1", now=NOW)
        assert day.has_news_from_desk()
        day.write()
        assert not day.has_news_from_desk()
    assert read_list(out)["1.png"]["seen_at"] == SINCE
