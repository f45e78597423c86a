"""A day in its folder: a rerun does what is new, nothing is lost, nothing comes twice."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from edge_infer.commands.terminal import Progress
from edge_infer.errors import ReasonCode
from edge_infer.films.file import FilmFile
from edge_infer.films.find import find_films
from edge_infer.flow.keep_day import DaySettings, KeptDay, WrittenDay
from edge_infer.flow.run_day import run_day
from edge_infer.flow.screen import PreparedFilm, open_model, prepare_film
from edge_infer.model.model_file import load_model_file, with_card
from edge_infer.worklist.audit_trail import TRAIL_NAME, read_trail
from edge_infer.worklist.lists import CSV_NAME
from edge_infer.worklist.rows import Decision
from tests.edge.films.dicom.dicom_factory import bands, make_dicom
from tests.edge.held_files import hold_files
from tests.edge.made_day import TINY
from tests.edge.made_films import PATIENT, png
from tests.edge.pool_here import PoolHere

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for seed in (1, 2, 3):
        (folder / f"{seed}.png").write_bytes(png(seed))
    return folder


def run(
    inputs: Path | Sequence[Path],
    out: Path,
    settings: DaySettings,
    *,
    is_dated: bool = False,
    today: date = MONDAY,
) -> list[WrittenDay]:
    given = [inputs] if isinstance(inputs, Path) else list(inputs)
    with Progress(0, is_shown=False) as progress:
        return run_day(
            find_films(given),
            out,
            settings,
            is_dated=is_dated,
            today=today,
            progress=progress,
        )


def read_list(out: Path) -> dict[str, dict[str, str]]:
    with (out / CSV_NAME).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row for row in rows}


def age(folder: Path, seconds: float = 3600.0) -> None:
    """Make every file look as if it had not changed for long."""
    then = time.time() - seconds
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a hash stand at once, as it does a minute after a file's last change."""
    monkeypatch.setattr("edge_infer.flow.keep_day.SETTLED_S", 0.0)


def test_a_rerun_does_only_what_is_new(
    films: Path,
    tmp_path: Path,
    pool: PoolHere,
    settings: DaySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    age(films)
    run(films, out, settings)
    assert pool.take() == (["1.png", "2.png", "3.png"],) * 2
    (films / "4.png").write_bytes(png(4))
    (films / "again 1.png").write_bytes(png(1))
    run(films, out, settings)
    looked, decoded = pool.take()
    assert looked == ["1.png", "2.png", "3.png", "4.png", "again 1.png"]  # hashed once more
    assert decoded == ["4.png"]
    settle(monkeypatch)
    age(films)
    run(films, out, settings)
    run(films, out, settings)
    assert pool.take()[1] == []
    run(films, out, settings)
    assert pool.take() == ([], [])
    run(films, tmp_path / "whole", settings)
    assert (out / CSV_NAME).read_bytes() == (tmp_path / "whole" / CSV_NAME).read_bytes()
    rows = read_list(out)
    assert len(rows) == 5 and rows["1.png"]["tb_score"] == rows["again 1.png"]["tb_score"]


@pytest.mark.parametrize("is_same_size_and_time", [False, True])
def test_a_change_replaces_the_row(
    films: Path,
    tmp_path: Path,
    pool: PoolHere,
    settings: DaySettings,
    is_same_size_and_time: bool,
) -> None:
    """A minute after its last change size and time vouch for a file; until then its hash does."""
    whole = png(1)
    (films / "1.png").write_bytes(whole[:-200] + bytes(200) if is_same_size_and_time else b"x")
    age(films)
    before = (films / "1.png").stat()
    run(films, tmp_path / "out", settings)
    assert read_list(tmp_path / "out")["1.png"]["status"] == "unreadable"
    (films / "1.png").write_bytes(whole)
    if is_same_size_and_time:
        os.utime(films / "1.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    run(films, tmp_path / "out", settings)
    assert read_list(tmp_path / "out")["1.png"]["status"] == "screened"
    assert len(read_list(tmp_path / "out")) == 3
    assert pool.decoded.count("1.png") == 2


def test_what_vanished_keeps_its_row(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    run(films, tmp_path / "out", settings)
    before = (tmp_path / "out" / CSV_NAME).read_bytes()
    (films / "2.png").unlink()
    pool.take()
    (written,) = run(films, tmp_path / "out", settings)
    assert written.day.is_complete and "2.png" not in pool.take()[0]
    assert (tmp_path / "out" / CSV_NAME).read_bytes() == before


def test_another_input_adds_its_rows_and_the_same_one_none(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    other = tmp_path / "other" / "films"
    other.mkdir(parents=True)
    (other / "1.png").write_bytes(png(9))
    (other / "copy.png").write_bytes(png(1))
    out = tmp_path / "out"
    run(films, out, settings)
    first = (out / CSV_NAME).read_bytes()
    spellings = [films / ".." / "films", films / "1.png"]
    if sys.platform != "win32":  # which lets few users make a link
        spellings.append(films.parent / "link")
        spellings[-1].symlink_to(films, target_is_directory=True)
    for spelling in spellings:
        run(spelling, out, settings)
        assert (out / CSV_NAME).read_bytes() == first
    pool.take()
    run(other, out, settings)
    assert sorted(read_list(out)) == [
        *("films-2/1.png", "films-2/copy.png"),
        *("films/1.png", "films/2.png", "films/3.png"),
    ]
    assert pool.take()[1] == ["1.png"]
    run([films, other], tmp_path / "at once", settings)
    assert (tmp_path / "at once" / CSV_NAME).read_bytes() == (out / CSV_NAME).read_bytes()


def test_a_run_finishes_what_another_input_s_run_left(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    other, out = tmp_path / "other", tmp_path / "out"
    other.mkdir()
    (other / "9.png").write_bytes(png(9))

    def pull_the_plug(path: Path) -> None:
        if path.name == "2.png":
            raise SystemExit

    pool.before_each = pull_the_plug
    with pytest.raises(SystemExit):
        run(films, out, settings)
    pool.before_each = None
    run(other, out, settings)
    rows = read_list(out)
    assert set(rows) == {"films/1.png", "films/2.png", "films/3.png", "other/9.png"}
    assert {row["status"] for row in rows.values()} == {"screened"}


def test_another_model_screens_the_day_again_and_back_it_is_known(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    file = load_model_file(TINY)
    card = replace(file.card, name="other")
    (tmp_path / "other.onnx").write_bytes(with_card(file.data, card.to_json()))
    classifier = open_model(tmp_path / "other.onnx")
    other = replace(settings, model=classifier, card=classifier.card)
    out = tmp_path / "out"
    run(films, out, settings)
    before = (out / CSV_NAME).read_bytes()
    (films / "2.png").unlink()
    pool.take()
    run(films, out, other)
    assert pool.take()[1] == ["1.png", "3.png"]
    rows = read_list(out)
    assert {row["model_name"] for row in rows.values()} == {"other"}
    assert rows["2.png"]["reason_code"] == ReasonCode.CANNOT_OPEN, "this model never saw it"
    run(films, out, settings)
    assert pool.take()[1] == []
    assert (out / CSV_NAME).read_bytes() == before


def test_a_new_threshold_decides_anew_without_screening(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    run(films, tmp_path / "out", settings)
    points = settings.card.operating_points
    card = replace(
        settings.card,
        operating_points=replace(points, refer_tb=replace(points.refer_tb, threshold=0.0)),
    )
    pool.take()
    (written,) = run(films, tmp_path / "out", replace(settings, card=card))
    assert pool.take()[1] == []
    assert {row.decision for row in written.day.rows} == {Decision.REFER_TB}
    trail = list(read_trail(tmp_path / "out"))
    assert [line["thresholds"]["refer_tb"] for line in trail[-3:]] == [0.0] * 3


@pytest.mark.parametrize("include_patient", [False, True])
def test_rows_made_while_films_are_read_are_those_made_from_the_store(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings, include_patient: bool
) -> None:
    (films / "4.dcm").write_bytes(make_dicom(bands([0, 40, 255, 90], "u1"), **PATIENT))
    settings = replace(settings, include_patient=include_patient)
    written = []
    for decoded in (["1.png", "2.png", "3.png", "4.dcm"], []):
        with KeptDay(tmp_path, settings) as day:
            day.register(find_films([films]), today=MONDAY)
            waiting = day.files_to_look_at()
            assert len(list(day.screen(waiting))) == 4
            rows = day.write().day.rows
            written.append(
                [replace(row, thumbnail=bytes(row.thumbnail), heat=bytes(row.heat)) for row in rows]
            )
        assert pool.take()[1] == decoded
    assert written[0] == written[1]
    assert len(written[0]) == 4 and any(row.heat for row in written[0])


def test_what_cannot_be_read_is_tried_again_with_another_package(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    (films / "cut.png").write_bytes(png(5)[:300])
    age(films)
    run(films, tmp_path / "out", settings)
    pool.take()
    run(films, tmp_path / "out", settings)
    assert pool.take()[1] == []
    run(films, tmp_path / "out", replace(settings, package_version="9.9"))
    assert pool.take()[1] == ["cut.png"]


def test_the_patient_is_read_when_asked_for_and_shown_to_nobody_else(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    (films / "4.dcm").write_bytes(make_dicom(bands([0, 40, 200, 255], "u1"), **PATIENT))
    out = tmp_path / "out"
    asking = replace(settings, include_patient=True)
    run(films, out, settings)
    silent = (out / CSV_NAME).read_bytes()
    assert not any(b"HONG" in path.read_bytes() for path in out.iterdir())
    pool.take()
    run(films, out, asking)
    assert "4.dcm" in pool.take()[1]
    assert read_list(out)["4.dcm"]["patient_name"] == "HONG^GILDONG"
    run(films, out, settings)
    assert (out / CSV_NAME).read_bytes() == silent
    for path in out.iterdir():
        assert path.suffix == ".sqlite" or b"HONG" not in path.read_bytes()


def test_a_list_open_in_excel_gets_a_second_name_until_it_is_closed(
    films: Path,
    tmp_path: Path,
    settings: DaySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    run(films, out, settings)
    open_elsewhere = (out / CSV_NAME).read_bytes()
    held = hold_files(monkeypatch)
    held.add("worklist.csv")
    (films / "4.png").write_bytes(png(4))
    (written,) = run(films, out, settings)
    assert written.csv == out / "worklist-new.csv"
    assert (out / CSV_NAME).read_bytes() == open_elsewhere
    assert b"4.png" in written.csv.read_bytes()
    held.add("worklist-new.csv")
    (written,) = run(films, out, settings)
    assert written.csv == out / "worklist-new-2.csv"
    held.clear()
    (written,) = run(films, out, settings)
    assert written.csv == out / CSV_NAME and len(read_list(out)) == 4
    assert len(json.loads((out / "worklist.json").read_text("utf-8"))["rows"]) == 4
    assert sorted(path.name for path in out.glob("worklist*")) == [CSV_NAME, "worklist.json"]


def test_after_midnight_yesterday_s_open_day_is_finished_first(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    yesterday, today = tmp_path / "cxr-2026-11-23", tmp_path / "cxr-2026-11-24"

    def pull_the_plug(path: Path) -> None:
        if path.name == "3.png":
            raise SystemExit

    pool.before_each = pull_the_plug
    with pytest.raises(SystemExit):
        run(films, yesterday, settings, is_dated=True)
    pool.before_each = None
    pool.take()
    (finished,) = run(films, today, settings, is_dated=True, today=TUESDAY)
    assert finished.folder == yesterday and finished.day.is_complete
    assert pool.take()[1] == ["3.png"] and not today.exists()
    (films / "4.png").write_bytes(png(4))
    (listed,) = run(films, today, settings, is_dated=True, today=TUESDAY)
    assert listed.folder == today and len(read_list(today)) == 4, "yesterday is closed"


def test_new_films_after_an_interrupted_yesterday_are_todays(
    films: Path, tmp_path: Path, pool: PoolHere, settings: DaySettings
) -> None:
    yesterday, today = tmp_path / "cxr-2026-11-23", tmp_path / "cxr-2026-11-24"
    other = tmp_path / "other"
    other.mkdir()
    (other / "9.png").write_bytes(png(9))

    def interrupt(path: Path) -> None:
        if path.name == "3.png":
            raise KeyboardInterrupt

    pool.before_each = interrupt
    (cut,) = run(films, yesterday, settings, is_dated=True)
    assert not cut.day.is_complete and len(cut.day.rows) == 2
    pool.before_each = None
    (films / "4.png").write_bytes(png(4))
    (unasked,) = run(other, today, settings, is_dated=True, today=TUESDAY)
    assert unasked.folder == today, "the other folder's day is not its business"
    first, second = run(films, today, settings, is_dated=True, today=TUESDAY)
    assert (first.folder, second.folder) == (yesterday, today)
    assert sorted(read_list(yesterday)) == ["1.png", "2.png", "3.png"]
    assert sorted(read_list(today)) == ["films/4.png", "other/9.png"]


def test_a_file_that_changes_under_the_reader_is_arriving(
    films: Path, tmp_path: Path, settings: DaySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def prepare_while_it_grows(file: FilmFile, **options: Any) -> PreparedFilm:
        """Read a film, while a copier is always a little further."""
        begun.append(file.path.name)
        if file.path.name == "2.png":
            with file.path.open("ab") as stream:
                stream.write(b"more")
        return prepare_film(file, **options)

    monkeypatch.setattr("edge_infer.flow.screen.prepare_film", prepare_while_it_grows)
    (written,) = run(films, tmp_path / "out", settings)
    row = read_list(tmp_path / "out")["2.png"]
    assert (row["status"], row["reason_code"]) == ("unreadable", "arriving")
    assert begun.count("2.png") == 3
    monkeypatch.undo()
    run(films, tmp_path / "out", settings)
    assert read_list(tmp_path / "out")["2.png"]["status"] == "screened"
    assert written.day.is_complete


def test_the_trail_names_contents_and_decisions_but_no_file_and_nobody(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    (films / "4.dcm").write_bytes(make_dicom(bands([0, 40, 200, 255], "u1"), **PATIENT))
    (films / "cut.png").write_bytes(png(5)[:300])
    out = tmp_path / "out"
    run(films, out, replace(settings, include_patient=True))
    lines = list(read_trail(out))
    assert [line["row"] for line in lines] == [1, 2, 3, 4, 5]
    assert set(lines[0]) == {
        *("at", "row", "sha256", "status", "decision", "tb_score", "reason_code"),
        *("model", "thresholds", "package_version"),
    }
    assert (lines[4]["decision"], lines[4]["reason_code"]) == (None, "truncated")
    assert lines[0]["model"]["sha256"] == settings.model.sha256
    text = (out / TRAIL_NAME).read_text("ascii")
    for secret in ("HONG", "PID4711", "1970", "ACC0815", ".png", ".dcm", "films", "1.2.3"):
        assert secret not in text
    (films / "cut.png").write_bytes(png(5))
    run(films, out, settings)
    after = (out / TRAIL_NAME).read_text("ascii")
    assert after.startswith(text)
    (added,) = list(read_trail(out))[5:]
    assert added["row"] == 5 and added["status"] == "screened"


def test_a_trail_cut_in_half_goes_on_with_a_new_line(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / TRAIL_NAME).write_bytes(b'{"at": "2026-11-23T12:00:00", "row": 1}\n{"at": "202')
    run(films, out, settings)
    assert [line["row"] for line in read_trail(out)] == [1, 1, 2, 3]


def test_what_a_killed_run_left_half_written_goes(
    films: Path, tmp_path: Path, settings: DaySettings
) -> None:
    run(films, tmp_path / "out", settings)
    (tmp_path / "out" / ".report.html.4711.part").write_bytes(b"<html")
    (tmp_path / "out" / ".pictures.x7k2").write_bytes(b"somebody's chest")
    with KeptDay(tmp_path / "out", settings):
        assert not list((tmp_path / "out").glob(".*.part"))
        assert not (tmp_path / "out" / ".pictures.x7k2").exists()
