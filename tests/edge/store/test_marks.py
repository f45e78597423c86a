"""What is said at the desk: a log that never loses, whose last word of each kind holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_infer.store.day_store import STORE_NAME, DayStore
from edge_infer.store.day_view import Changes, DayView
from edge_infer.worklist.marks import CONFIRMED, LONGEST_NOTE, Mark, MarkKind, clean_value

NINE, TEN = (datetime(2026, 11, 26, hour, 0, 7, tzinfo=UTC) for hour in (9, 10))
NINE_TEXT = "2026-11-26T09:00:07+00:00"


@pytest.fixture
def view(tmp_path: Path) -> DayView:
    DayStore.open(tmp_path).close()
    return DayView(tmp_path)


def read(view: DayView) -> dict[str, dict[MarkKind, Mark]]:
    """Return the marks as another process would read them."""
    with DayStore.open(view.folder) as store:
        return {sha256: dict(marks) for sha256, marks in store.marks().items()}


def test_a_store_that_nobody_marked_has_no_table_for_it(view: DayView) -> None:
    assert read(view) == {}
    with closing(sqlite3.connect(view.folder / STORE_NAME)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert "film" in tables and "mark" not in tables


def test_the_last_word_of_each_kind_holds(view: DayView) -> None:
    view.add_mark(["a", "b"], MarkKind.SEEN, "1", now=NINE)
    view.add_mark(["a"], MarkKind.TB, CONFIRMED, now=NINE)
    view.add_mark(["a"], MarkKind.SEEN, "", now=TEN)
    assert read(view) == {
        "a": {MarkKind.TB: Mark(value=CONFIRMED, since=NINE_TEXT)},
        "b": {MarkKind.SEEN: Mark(value="1", since=NINE_TEXT)},
    }


def test_undo_brings_back_what_held_with_its_time(view: DayView) -> None:
    view.add_mark(["a"], MarkKind.NOTE, "call her", now=NINE)
    step = view.add_mark(["a", "b"], MarkKind.NOTE, "called", now=TEN)
    undone = view.undo(step, now=TEN)
    assert undone is not None
    assert read(view) == {"a": {MarkKind.NOTE: Mark(value="call her", since=NINE_TEXT)}}
    assert view.undo(undone, now=TEN) is not None, "an undo is undone like anything else"
    assert {marks[MarkKind.NOTE].value for marks in read(view).values()} == {"called"}


def test_nobody_undoes_what_another_has_changed_since(view: DayView) -> None:
    step = view.add_mark(["a", "b"], MarkKind.SEEN, "1", now=NINE)
    view.add_mark(["b"], MarkKind.SEEN, "", now=TEN)
    before = read(view)
    assert view.undo(step, now=TEN) is None
    assert view.undo(999, now=TEN) is None
    assert read(view) == before


def test_the_audit_trail_is_told_each_entry_once(view: DayView) -> None:
    view.add_mark(["a"], MarkKind.SEEN, "1", now=NINE)
    view.add_mark(["a"], MarkKind.SEEN, "", now=TEN)
    with DayStore.open(view.folder) as store:
        new = store.unaudited_marks()
        assert [(one.sha256, one.kind, one.value) for one in new] == [
            ("a", MarkKind.SEEN, "1"),
            ("a", MarkKind.SEEN, ""),
        ]
        store.mark_marks_audited(new[0].number)
        assert store.unaudited_marks() == new[1:]


def test_a_reader_sees_that_somebody_wrote(view: DayView) -> None:
    with closing(Changes(view.folder)) as changes:
        assert [changes.any(), changes.any()] == [True, False]
        view.add_mark(["a"], MarkKind.SEEN, "1", now=NINE)
        assert [changes.any(), changes.any()] == [True, False]


@pytest.mark.parametrize(
    ("kind", "value"), [(MarkKind.SEEN, "yes"), (MarkKind.TB, "1"), (MarkKind.TEST_DONE, "2")]
)
def test_what_cannot_be_said_is_refused(kind: MarkKind, value: str) -> None:
    with pytest.raises(ValueError, match="is not said of"):
        clean_value(kind, value)


def test_a_note_is_one_line_without_commands() -> None:
    assert clean_value(MarkKind.NOTE, " she\r\ncalls\x1b[2J  back\u2028 ") == "she calls [2J back"
    assert len(clean_value(MarkKind.NOTE, "x" * 5000)) == LONGEST_NOTE
