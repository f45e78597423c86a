"""`--watch` under a clock of its own: slow copies, late changes, many at once, midnight."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from edge_infer.errors import FileInUse, ReportError
from edge_infer.films.find import FoundFilms
from edge_infer.flow.keep_day import DaySettings, WrittenDay
from edge_infer.flow.watch import Clock, Watch
from edge_infer.flow.write_lists import write_lists
from edge_infer.store.day_store import STORE_NAME
from tests.edge.films.dicom.dicom_factory import bands, make_dicom
from tests.edge.held_files import hold_files
from tests.edge.made_films import png
from tests.edge.pool_here import PoolHere

NOON = datetime(2026, 11, 23, 12, 0, 0)
STEP_S = 0.25


@dataclass
class Script(Clock):
    """A clock that does what is planned for each second, and presses Control-C at the end."""

    end: float
    start: datetime = NOON
    plan: dict[float, Callable[[], object]] = field(default_factory=dict)
    passed: float = 0.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        until = self.passed + seconds
        while self.passed < until:
            self.passed += STEP_S
            for at in [at for at in self.plan if at <= self.passed]:
                self.plan.pop(at)()
        if self.passed >= self.end:
            raise KeyboardInterrupt


@dataclass(frozen=True, kw_only=True)
class Place:
    films: Path
    out: Path
    settings: DaySettings
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def watch(self, script: Script, *, is_dated: bool = False) -> list[WrittenDay]:
        return Watch(
            [self.films],
            self.out,
            self.settings,
            is_dated=is_dated,
            say=self.said.append,
            warn=self.warned.append,
            clock=script,
        ).run()

    def watch_beside(self, script: Script) -> list[FoundFilms]:
        """Watch, and return what was told of what lies beside the films."""
        told = list[FoundFilms]()
        Watch(
            [self.films],
            self.out,
            self.settings,
            is_dated=False,
            say=self.said.append,
            tell_found=told.append,
            clock=script,
        ).run()
        return told

    def rows(self, out: Path | None = None) -> dict[str, str]:
        """Return, by path, `screened` or the reason code of each row in the list."""
        place = (out or self.out) / "worklist.csv"
        if not place.exists():
            return {}
        with place.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len({row["path"] for row in rows}) == len(rows)
        return {row["path"]: row["reason_code"] or row["status"] for row in rows}

    def put(self, name: str, content: bytes) -> None:
        (self.films / name).write_bytes(content)


@pytest.fixture
def place(tmp_path: Path, settings: DaySettings) -> Place:
    (tmp_path / "films").mkdir()
    return Place(films=tmp_path / "films", out=tmp_path / "out", settings=settings)


def undisturbed(place: Place) -> bytes:
    """Return the list of the films as they lie there at the end."""
    out = place.out.with_name("undisturbed")
    Place(films=place.films, out=out, settings=place.settings).watch(Script(end=100))
    return (out / "worklist.csv").read_bytes()


def test_a_packed_file_is_told_also_where_no_film_is(place: Place) -> None:
    plan: dict[float, Callable[[], object]] = {
        5: lambda: place.put("disc.zip", b"PK\x03\x04" + bytes(60)),
        20: lambda: (place.films / "disc.zip").unlink(),
    }
    told = place.watch_beside(Script(end=40, plan=plan))
    assert [one.archives for one in told] == [(), ("disc.zip",), ()]


def test_a_film_is_listed_within_five_seconds_of_arriving(place: Place) -> None:
    listed: dict[float, dict[str, str]] = {}
    script = Script(end=30)
    script.plan = {10.0: lambda: place.put("1.png", png(1))}
    script.plan |= {
        at: lambda at=at: listed.update({at: place.rows()})  # type: ignore[misc]
        for at in (11.0, 15.0)
    }
    place.watch(script)
    assert listed == {11.0: {"1.png": "arriving"}, 15.0: {"1.png": "screened"}}
    assert any("1 listed, 1 arriving" in line for line in place.said)
    assert place.said[-1].endswith("watching: 1 listed, 0 arriving")
    assert place.said[0].startswith("12:00:00 ")


@pytest.mark.parametrize("is_preallocated", [False, True])
@pytest.mark.parametrize("pause_s", [0.5, 5.0])
def test_a_slow_copy_ends_right(
    place: Place, pool: PoolHere, is_preallocated: bool, pause_s: float
) -> None:
    """In chunks, its whole size from the start or not, the pauses short or long."""
    whole = make_dicom(bands([0, 40, 200, 255], "u1"))
    path, chunk = place.films / "film.dcm", len(whole) // 8
    seen: list[dict[str, str]] = []

    def begin() -> None:
        path.write_bytes(bytes(len(whole)) if is_preallocated else b"")

    def copy(number: int) -> None:
        seen.append(place.rows())
        with path.open("r+b") as file:
            file.seek(number * chunk)
            file.write(whole[number * chunk : (number + 1) * chunk if number < 8 else None])
        os.utime(path, ns=(0, 10**18 + number * 10**6))  # tick, however coarse the file system

    script = Script(end=20 + 10 * pause_s)
    script.plan = {5.0: begin}
    for number in range(9):
        script.plan[5.0 + (number + 1) * pause_s] = lambda number=number: copy(number)  # type: ignore[misc]
    place.watch(script)
    assert place.rows() == {"film.dcm": "screened"}
    assert all(row in ("arriving", "screened") for rows in seen for row in rows.values())
    assert (place.out / "worklist.csv").read_bytes() == undisturbed(place)
    if pause_s < 1:
        assert pool.decoded[:-1].count("film.dcm") <= 1, "it is left alone while it grows"


def test_a_change_behind_the_same_size_and_time_is_found(place: Place) -> None:
    whole = png(1)
    path = place.films / "film.png"

    def change() -> None:
        before = path.stat()
        path.write_bytes(whole)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    found: list[dict[str, str]] = []
    script = Script(end=90)
    script.plan = {
        1.0: lambda: path.write_bytes(whole[:-300] + bytes(300)),
        8.0: lambda: found.append(place.rows()),
        20.0: change,
    }
    place.watch(script)
    assert found == [{"film.png": "arriving"}]
    assert place.rows() == {"film.png": "screened"}


def test_a_damaged_file_is_arriving_for_a_minute_and_then_unreadable(place: Place) -> None:
    found: dict[float, dict[str, str]] = {}
    script = Script(end=75)
    script.plan = {1.0: lambda: place.put("cut.png", png(1)[:300])}
    for at in (10.0, 50.0, 70.0):
        script.plan[at] = lambda at=at: found.update({at: place.rows()})  # type: ignore[misc]
    place.watch(script)
    assert [rows["cut.png"] for rows in found.values()] == ["arriving", "arriving", "truncated"]


def test_a_file_another_program_holds_arrives_when_it_is_let_go(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: set[str] = set()
    really_open = Path.open

    def open_unless_held(self: Path, *arguments: object, **options: object) -> object:
        if self.name in held:
            raise PermissionError(13, "The process cannot access the file", str(self))
        return really_open(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", open_unless_held)
    found: list[dict[str, str]] = []

    def arrive_held() -> None:
        place.put("1.png", png(1))
        held.add("1.png")

    script = Script(end=60)
    script.plan = {
        1.0: arrive_held,
        10.0: lambda: found.append(place.rows()),
        12.0: held.clear,
    }
    place.watch(script)
    assert found == [{"1.png": "arriving"}]
    assert place.rows() == {"1.png": "screened"}


def test_a_list_open_in_excel_is_replaced_as_soon_as_it_is_closed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold_files(monkeypatch)
    found: list[tuple[dict[str, str], bool]] = []
    script = Script(end=40)
    script.plan = {
        1.0: lambda: place.put("1.png", png(1)),
        10.0: lambda: held.add("worklist.csv"),
        11.0: lambda: place.put("2.png", png(2)),
        20.0: lambda: found.append((place.rows(), (place.out / "worklist-new.csv").exists())),
        21.0: held.clear,
        25.0: lambda: found.append((place.rows(), (place.out / "worklist-new.csv").exists())),
    }
    place.watch(script)
    one = {"1.png": "screened"}
    assert found == [(one, True), (one | {"2.png": "screened"}, False)]
    trouble = "worklist.csv is open in another program, the list is in worklist-new.csv"
    assert any(line.endswith(trouble) for line in place.said)
    assert trouble not in place.said[-1]


@pytest.mark.parametrize("name", ["report.html", "worklist.json", "audit.jsonl"])
def test_a_file_of_the_results_that_is_held_open_does_not_end_the_watch(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    held = hold_files(monkeypatch)
    script = Script(end=40)
    script.plan = {
        1.0: lambda: place.put("1.png", png(1)),
        10.0: lambda: held.add(name),
        11.0: lambda: place.put("2.png", png(2)),
        20.0: held.clear,
    }
    place.watch(script)
    assert place.rows() == {"1.png": "screened", "2.png": "screened"}
    assert b"2.png" in (place.out / "worklist.json").read_bytes()
    assert b"2.png" in (place.out / "report.html").read_bytes()
    assert any(name in line and "close" in line for line in place.said)
    assert [name in warning for warning in place.warned] == [True]
    assert place.said[-1].endswith("watching: 2 listed, 0 arriving")


def test_a_page_held_open_to_the_end_is_said_and_the_list_is_right(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold_files(monkeypatch)
    script = Script(end=20)
    script.plan = {
        1.0: lambda: place.put("1.png", png(1)),
        10.0: lambda: held.add("report.html"),
        11.0: lambda: place.put("2.png", png(2)),
    }
    with pytest.raises(FileInUse, match=r"close report\.html in the program that shows it"):
        place.watch(script)
    assert place.rows() == {"1.png": "screened", "2.png": "screened"}


def test_yesterdays_list_open_over_midnight_gets_its_last_film(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold_files(monkeypatch)
    monday = tmp_path / "cxr-2026-11-23"
    night = Place(films=place.films, out=monday, settings=place.settings)
    script = Script(end=120, start=datetime(2026, 11, 23, 23, 59, 0))
    script.plan = {
        1.0: lambda: place.put("1.png", png(1)),
        20.0: lambda: held.add("worklist.csv"),
        21.0: lambda: place.put("2.png", png(2)),
        90.0: held.clear,
    }
    night.watch(script, is_dated=True)
    assert place.rows(monday) == {"1.png": "screened", "2.png": "screened"}


def test_one_film_dropped_twice_is_screened_once(place: Place, pool: PoolHere) -> None:
    script = Script(end=30)
    script.plan = {
        1.0: lambda: place.put("1.png", png(1)),
        10.0: lambda: place.put("other name.png", png(1)),
        11.0: lambda: place.put("no name", png(1)),
    }
    place.watch(script)
    assert place.rows() == dict.fromkeys(("1.png", "other name.png", "no name"), "screened")
    assert len(pool.decoded) == 1


def test_a_copier_s_name_for_the_unfinished_file_leaves_no_row(place: Place) -> None:
    script = Script(end=40)
    script.plan = {
        1.0: lambda: place.put("film.dcm.part", png(1)[:300]),
        10.0: lambda: place.put("film.dcm.part", png(1)),
        11.0: lambda: (place.films / "film.dcm.part").rename(place.films / "film.dcm"),
        20.0: lambda: place.put("gone.png", png(2)),
        30.0: lambda: (place.films / "gone.png").unlink(),
    }
    place.watch(script)
    assert place.rows() == {"film.dcm": "screened", "gone.png": "screened"}


def test_five_hundred_at_once_all_appear(place: Place) -> None:
    content = [png(seed, height=130, width=130) for seed in range(10)]

    def drop() -> None:
        for number in range(500):
            place.put(f"{number:03}.png", content[number % 10])

    script = Script(end=20, plan={1.0: drop})
    place.watch(script)
    assert place.rows() == {f"{number:03}.png": "screened" for number in range(500)}


def test_a_film_belongs_to_the_day_it_was_first_seen(place: Place, tmp_path: Path) -> None:
    monday, tuesday = tmp_path / "cxr-2026-11-23", tmp_path / "cxr-2026-11-24"
    night = Place(films=place.films, out=monday, settings=place.settings, said=place.said)
    script = Script(end=200, start=datetime(2026, 11, 23, 23, 59, 0))
    script.plan = {
        10.0: lambda: place.put("monday.png", png(1)),
        58.0: lambda: place.put("late.png", png(2)[:300]),
        70.0: lambda: place.put("tuesday.png", png(3)),
        80.0: lambda: place.put("late.png", png(2)),
        150.0: lambda: place.put("monday.png", png(4)),
    }
    night.watch(script, is_dated=True)
    assert place.rows(monday) == {"monday.png": "screened", "late.png": "screened"}
    assert place.rows(tuesday) == {"tuesday.png": "screened"}
    alone = tmp_path / "alone"
    Place(films=place.films, out=alone, settings=place.settings).watch(Script(end=20))
    kept = (monday / "worklist.csv").read_text("utf-8").splitlines()[1:]
    whole = (alone / "worklist.csv").read_text("utf-8")
    assert all(line.partition(",")[2] in whole for line in kept), "each as it is at the end"


def test_a_watch_begun_after_midnight_finishes_the_open_day(
    place: Place, tmp_path: Path, pool: PoolHere
) -> None:
    monday, tuesday = tmp_path / "cxr-2026-11-23", tmp_path / "cxr-2026-11-24"
    for number in (1, 2, 3):
        place.put(f"{number}.png", png(number))

    def pull_the_plug(path: Path) -> None:
        if path.name == "3.png":
            raise SystemExit

    pool.before_each = pull_the_plug
    first = Place(films=place.films, out=monday, settings=place.settings)
    with pytest.raises(SystemExit):
        first.watch(Script(end=60), is_dated=True)
    pool.before_each = None
    pool.take()
    place.put("4.png", png(4))
    second = Place(films=place.films, out=tuesday, settings=place.settings)
    second.watch(Script(end=60, start=NOON + timedelta(days=1)), is_dated=True)
    assert place.rows(monday) == dict.fromkeys(("1.png", "2.png", "3.png"), "screened")
    assert place.rows(tuesday) == {"4.png": "screened"}
    assert pool.take()[1] == ["3.png", "4.png"]


def test_lists_are_written_at_most_every_two_seconds(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    script = Script(end=30)

    def note(*arguments: object) -> Path:
        written.append(script.passed)
        return write_lists(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("edge_infer.flow.keep_day.write_lists", note)
    for number in range(40):
        script.plan[1.0 + number / 4] = lambda n=number: place.put(f"{n}.png", png(n % 5))  # type: ignore[misc]
    place.watch(script)
    assert len(place.rows()) == 40
    # The last one is written at Control-C, whenever that comes.
    gaps = [after - before for before, after in pairwise(written[:-1])]
    assert gaps and min(gaps) >= 2.0
    assert 4 < len(written) < 12


def test_a_folder_gone_for_a_while_is_said_and_loses_nothing(place: Place) -> None:
    away = place.films.with_name("away")
    script = Script(end=40)
    script.plan = {
        1.0: lambda: place.put("1.png", png(1)),
        10.0: lambda: place.films.rename(away),
        20.0: lambda: away.rename(place.films),
        21.0: lambda: place.put("2.png", png(2)),
    }
    place.watch(script)
    assert place.rows() == {"1.png": "screened", "2.png": "screened"}
    assert any("cannot be opened" in line for line in place.said)
    assert "cannot be opened" not in place.said[-1]


def test_an_empty_folder_is_watched_and_a_second_watch_refused(place: Place) -> None:
    def watch_too() -> None:
        with pytest.raises(ReportError, match="is working in"):
            place.watch(Script(end=1))

    assert place.watch(Script(end=5, plan={2.0: watch_too})) == []
    assert not (place.out / "worklist.csv").exists() and (place.out / STORE_NAME).exists()
