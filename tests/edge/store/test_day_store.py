"""The day's store: exact bytes back, one film one outcome, one writer, a sentence per refusal."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import astuple, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_infer.errors import ImageError, ReasonCode, ReportError, UnreadableImage, UnsupportedImage
from edge_infer.films.find import FoundFilms, name_films
from edge_infer.films.look import Look
from edge_infer.model.gate import Remark
from edge_infer.store import owner as store_owner
from edge_infer.store.day_store import STORE_NAME, DayStore, StoredFile
from edge_infer.store.outcome import FilmOutcome, ScoredFilm
from tests.edge.made_day import WHO
from tests.edge.store.made_looks import MODE, NOON, PACKAGE, look, scored, see

TODAY = "2026-11-24"
TRUNCATED = UnreadableImage("It is cut off.", ReasonCode.TRUNCATED)
LATERAL = UnsupportedImage("It is lateral.", ReasonCode.LATERAL_VIEW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DayStore]:
    with DayStore.open(tmp_path) as one:
        yield one


def keep(
    store: DayStore, seen: FoundFilms, *looks: Look[ScoredFilm], include_patient: bool = False
) -> None:
    store.register(seen, today=TODAY)
    store.record(looks, MODE, package=PACKAGE, include_patient=include_patient)


def outcomes(store: DayStore, **options: bool) -> dict[str, FilmOutcome | None]:
    found = store.outcomes(MODE, include_patient=options.get("include_patient", False))
    return {file.found.tail: outcome for file, outcome in found}


def final(
    store: DayStore, *, package: str = PACKAGE, include_patient: bool = False
) -> frozenset[str]:
    return store.final_hashes(MODE, package=package, include_patient=include_patient)


def test_numbers_come_back_to_the_last_bit(store: DayStore) -> None:
    seen = see("a.dcm", "b.dcm")
    numbers = (np.float32(1) / 3, np.float32(-1e-30), np.float32(2**24 + 1), np.float32(0.1))
    film = scored(*map(float, numbers), cam=0.3)
    keep(store, seen, look(seen.films[0], film), look(seen.films[1], scored(cam=None)))
    back, bare = outcomes(store).values()
    assert isinstance(back, ScoredFilm) and isinstance(bare, ScoredFilm)
    assert back.logits.dtype == np.float32 and back.logits.tobytes() == film.logits.tobytes()
    assert back.cam is not None and film.cam is not None and bare.cam is None
    assert back.cam.shape == (4, 2, 3) and back.cam.tobytes() == film.cam.tobytes()
    assert (back.thumbnail, back.study) == (film.thumbnail, film.study)
    assert back.remark is None


def test_what_the_gate_says_of_a_film_comes_back(store: DayStore) -> None:
    seen = see("a.dcm")
    remark = Remark("The film was upside down.", ReasonCode.PUT_UPRIGHT)
    keep(store, seen, look(seen.films[0], replace(scored(), remark=remark)))
    (back,) = outcomes(store).values()
    assert isinstance(back, ScoredFilm) and back.remark == remark
    assert len(final(store)) == 1


@pytest.mark.parametrize("refusal", [TRUNCATED, LATERAL])
def test_a_refusal_comes_back_whole(store: DayStore, refusal: ImageError) -> None:
    seen = see("a.dcm")
    told = type(refusal)(f"{refusal} \udc80", refusal.code, scored().study)
    keep(store, seen, look(seen.films[0], told))
    (back,) = outcomes(store).values()
    assert isinstance(back, ImageError) and type(back) is type(refusal)
    assert str(back) == f"{refusal} \\udc80"  # a lone surrogate cannot be stored
    assert (back.code, back.study) == (refusal.code, told.study)


def test_one_film_under_two_names_is_kept_once_and_listed_twice(store: DayStore) -> None:
    seen = see("a.dcm", "copy/b.dcm")
    looks = [look(file, scored(), content="same") for file in seen.films]
    keep(store, seen, looks[0], replace(looks[1], outcome=None))
    assert [type(one) for one in outcomes(store).values()] == [ScoredFilm, ScoredFilm]
    assert final(store) == {looks[0].sha256}
    with closing(sqlite3.connect(store.folder / STORE_NAME)) as database:
        assert database.execute("SELECT count(*) FROM film").fetchone() == (1,)


def test_what_lies_there_now_counts(store: DayStore) -> None:
    """A half-copied film is screened as it is, then replaced by the whole one."""
    seen = see("a.dcm")
    keep(store, seen, look(seen.films[0], scored(1, 2, 3, 4), content="half"))
    keep(store, seen, look(seen.films[0], scored(4, 3, 2, 1), content="whole", state=(2, 1)))
    (back,) = outcomes(store).values()
    assert isinstance(back, ScoredFilm) and back.logits[0] == 4
    assert len(store.files()) == 1 and store.files()[0].size == 2


def test_an_arriving_file_hides_what_it_shows_until_it_is_whole(store: DayStore) -> None:
    seen = see("a.dcm")
    arriving = UnreadableImage("It arrives.", ReasonCode.ARRIVING)
    half = look(seen.films[0], TRUNCATED)
    keep(store, seen, replace(half, arriving=arriving))
    (back,) = outcomes(store).values()
    assert isinstance(back, ImageError) and back.code is ReasonCode.ARRIVING
    assert store.files()[0].reason_code is ReasonCode.ARRIVING
    keep(store, seen, replace(half, outcome=None))
    (back,) = outcomes(store).values()
    assert isinstance(back, ImageError) and back.code is ReasonCode.TRUNCATED


@pytest.mark.parametrize(
    ("state", "code"), [((1, 1), None), ((2, 1), ReasonCode.CANNOT_OPEN), (None, None)]
)
def test_a_file_held_for_a_moment_keeps_what_was_found(
    store: DayStore, state: tuple[int, int] | None, code: ReasonCode | None
) -> None:
    """Unchanged, or gone: the film stands. Changed and closed to us: nobody knows it."""
    seen = see("a.dcm")
    keep(store, seen, look(seen.films[0], scored()))
    held = look(seen.films[0], UnreadableImage("Held.", ReasonCode.CANNOT_OPEN), content=None)
    size, mtime_ns = state or (None, None)
    keep(store, seen, replace(held, size=size, mtime_ns=mtime_ns))
    (back,) = outcomes(store).values()
    assert (back.code if isinstance(back, ImageError) else None) == code


def test_a_refusal_is_final_until_file_or_package_changes(store: DayStore) -> None:
    seen = see("cut", "crash", "lateral", "good")
    crash = UnreadableImage("It crashes.", ReasonCode.DECODER_CRASHED)
    films: tuple[FilmOutcome, ...] = (TRUNCATED, crash, LATERAL, scored())
    looks = [look(file, film) for file, film in zip(seen.films, films, strict=True)]
    keep(store, seen, *looks)
    cut, crashed, lateral, good = (one.sha256 for one in looks)
    assert final(store) == {cut, lateral, good}
    assert crashed not in final(store)
    assert final(store, package="9.9") == {good}
    other = replace(MODE, decode_mode="fast")
    assert store.final_hashes(other, package=PACKAGE, include_patient=False) == frozenset()


def test_nobody_is_named_unless_asked_for(store: DayStore) -> None:
    seen = see("a.dcm")
    secret = (WHO.patient_name.split("^")[0].encode(), WHO.patient_id.encode(), b"19700102")
    film = scored(identity=WHO)
    keep(store, seen, look(seen.films[0], film))
    content = (store.folder / STORE_NAME).read_bytes()
    assert b"1.2.3" in content and not any(one in content for one in secret)
    assert final(store) and not final(store, include_patient=True)
    keep(store, seen, look(seen.films[0], film), include_patient=True)
    assert final(store, include_patient=True)
    (named,) = outcomes(store, include_patient=True).values()
    (silent,) = outcomes(store).values()
    assert named is not None and named.study is not None and named.study.identity == WHO
    assert silent is not None and silent.study is not None
    assert not any(astuple(silent.study.identity))


def shown(store: DayStore) -> list[str]:
    names = name_films(store.inputs(), (file.found for file in store.files()))
    return [names[file.found.place] for file in store.files()]


def test_paths_begin_with_the_input_s_name_from_the_second_on(store: DayStore) -> None:
    first, second = see("a.dcm", "b.dcm"), see("a.dcm", folder="elsewhere/day")
    second = replace(
        second,
        inputs=(replace(second.inputs[0], name="day"),),
        films=tuple(replace(f, given=replace(f.given, name="day")) for f in second.films),
    )
    store.register(first, today=TODAY)
    assert shown(store) == ["a.dcm", "b.dcm"]
    store.register(replace(first, inputs=see("x", folder="above").inputs), today=TODAY)
    assert shown(store) == ["a.dcm", "b.dcm"], "another spelling of the input adds nothing"
    store.register(second, today="2026-11-25")
    assert shown(store) == ["day/a.dcm", "day/b.dcm", "day-2/a.dcm"]
    assert [file.first_seen for file in store.files()] == [TODAY, TODAY, "2026-11-25"]


def test_only_what_vanished_while_arriving_is_forgotten(store: DayStore) -> None:
    seen = see("waiting", "arriving", "done")
    arriving = replace(look(seen.films[1], TRUNCATED), arriving=TRUNCATED)
    arriving = replace(arriving, arriving=UnreadableImage("It arrives.", ReasonCode.ARRIVING))
    keep(store, seen, arriving, look(seen.films[2], scored()))
    store.forget([file.place for file in seen.films])
    assert [file.found.tail for file in store.files()] == ["done"]


def test_the_journal_is_one_that_network_drives_can_have(tmp_path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(sqlite3.connect(*arguments, **options))
        return opened[-1]

    with DayStore.open(tmp_path, connect=connect):
        (connection,) = opened
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert [path.name for path in tmp_path.iterdir()] == [STORE_NAME]


def test_a_second_writer_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with (
        DayStore.open(tmp_path),
        pytest.raises(ReportError, match=rf"process {os.getpid()} on the PC .* name another fol"),
    ):
        DayStore.open(tmp_path)
    DayStore.open(tmp_path).close()


def own(folder: Path, **changes: Any) -> None:
    """Leave the owner record of a run that never ended."""
    DayStore.open(folder).close()
    columns = {
        "token": "theirs", "host": platform.node(), "pid": os.getpid(), "beat": 7,
        "beat_at": time.time(),
    }  # fmt: skip
    with closing(sqlite3.connect(folder / STORE_NAME, isolation_level=None)) as database:
        database.execute(
            "INSERT INTO owner VALUES (1, :token, :host, :pid, :beat, :beat_at)", columns | changes
        )


def dead_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_dead_owner_loses_at_once(tmp_path: Path) -> None:
    own(tmp_path, pid=dead_process())
    DayStore.open(tmp_path).close()


def test_a_dead_owner_s_number_may_be_ours_now(tmp_path: Path) -> None:
    own(tmp_path, pid=os.getpid())
    DayStore.open(tmp_path).close()


@pytest.mark.parametrize(("age_s", "is_refused"), [(5, True), (100, False)])
def test_a_number_that_lives_counts_while_its_heart_beats(
    tmp_path: Path, age_s: float, is_refused: bool
) -> None:
    own(tmp_path, pid=os.getppid(), beat_at=time.time() - age_s)
    if is_refused:
        with pytest.raises(ReportError, match="is working in"):
            DayStore.open(tmp_path)
    else:
        DayStore.open(tmp_path).close()


def test_another_pc_is_watched_and_its_clock_is_not_believed(tmp_path: Path) -> None:
    own(tmp_path, host="the-other-pc", beat_at=0.0)
    waited: list[float] = []

    def wait_while_it_beats(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 5:
            with closing(sqlite3.connect(tmp_path / STORE_NAME, isolation_level=None)) as one:
                one.execute("UPDATE owner SET beat = beat + 1")

    with pytest.raises(ReportError, match="the PC the-other-pc"):
        DayStore.open(tmp_path, wait=wait_while_it_beats)
    assert len(waited) == 5
    DayStore.open(tmp_path, wait=waited.append).close()  # silent for as long as is watched
    assert sum(waited[5:]) == pytest.approx(15)


def test_who_lost_the_day_in_its_sleep_writes_nothing(tmp_path: Path) -> None:
    seen = see("a.dcm")
    with DayStore.open(tmp_path) as sleeper:
        keep(sleeper, seen, look(seen.films[0], scored()))
        with closing(sqlite3.connect(tmp_path / STORE_NAME, isolation_level=None)) as database:
            database.execute("UPDATE owner SET token = 'theirs'")
        for write in (
            partial(keep, sleeper, seen, look(seen.films[0], TRUNCATED)),
            sleeper.require_ownership,
            sleeper.mark_finished,
        ):
            with pytest.raises(ReportError, match=r"took over .* nothing is lost"):
                write()
        assert [type(one) for one in outcomes(sleeper).values()] == [ScoredFilm]


def test_the_heart_beats(tmp_path: Path) -> None:
    with DayStore.open(tmp_path) as store, closing(sqlite3.connect(tmp_path / STORE_NAME)) as one:
        owner = store_owner.read_owner(one)
        assert owner is not None and owner.pid == os.getpid()
        heart = store_owner.Heartbeat(tmp_path / STORE_NAME, owner.token, every_s=0.01)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            now = store_owner.read_owner(one)
            if now is not None and now.beat > owner.beat:
                break
        heart.stop()
        assert now is not None and now.beat > owner.beat and now.token == owner.token
        assert store.files() == []


def refuse(error: type[sqlite3.Error], text: str) -> Callable[..., sqlite3.Connection]:
    def connect(*_: Any, **__: Any) -> sqlite3.Connection:
        raise error(text)

    return connect


def test_a_folder_that_cannot_lock_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"does not lock .* this PC's own disk with --out"):
        DayStore.open(tmp_path, connect=refuse(sqlite3.OperationalError, "locking protocol"))
    DayStore.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / STORE_NAME, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ReportError, match=r"does not lock .*\(database is locked\)"):
            DayStore.open(
                tmp_path,
                connect=lambda path, **__: sqlite3.connect(path, timeout=0, isolation_level=None),
            )


def test_a_damaged_or_newer_store_is_named_and_left_alone(tmp_path: Path) -> None:
    place = tmp_path / STORE_NAME
    place.write_bytes(b"no database" * 100)
    with pytest.raises(ReportError, match=r"day.sqlite in .* is damaged .* move it away"):
        DayStore.open(tmp_path)
    assert place.read_bytes() == b"no database" * 100
    place.unlink()
    with closing(sqlite3.connect(place)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(ReportError, match="newer cxr-edge"):
        DayStore.open(tmp_path)


def test_a_folder_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be kept in"):
        DayStore.open(tmp_path / "gone")


def test_when_a_change_was_seen_outlives_further_looks(store: DayStore) -> None:
    seen = see("a.dcm")

    def after(one: Look[ScoredFilm]) -> StoredFile:
        keep(store, seen, one)
        return store.files()[0]

    first = after(look(seen.films[0], scored(), at=NOON))
    assert (first.changed_at, first.checked_at) == (NOON, NOON)
    again = after(look(seen.films[0], None, at=NOON + 70))
    assert (again.changed_at, again.checked_at) == (NOON, NOON + 70)
    other = after(look(seen.films[0], scored(), content="x", at=NOON + 80))
    assert (other.changed_at, other.checked_at) == (NOON + 80, NOON + 80)
