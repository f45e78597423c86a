"""The desk's answers: rows as they come, the film's own pixels, and what is said kept for good."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from edge_infer.films.find import FoundFilms
from edge_infer.films.view import ReadView, ViewRequest, read_view
from edge_infer.flow.keep_day import DaySettings
from edge_infer.pc.language import Lang
from edge_infer.words.catalogue import words_of
from edge_infer.worklist.marks import MARK_COLUMNS
from tests.edge.desk.running_desk import RunningDesk, run_desk
from tests.edge.films.dicom.dicom_factory import bands, make_dicom
from tests.edge.made_films import DUE, FORMULA_NAME, PATIENT, png

EXAMINATIONS = DUE - 1
"""Two of the films are of one."""
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@contextmanager
def news(
    desk: RunningDesk, since: int, query: str = "", last: int | None = None
) -> Iterator[Iterator[Any]]:
    """Listen as a page does; yields each piece of news."""
    where = urlsplit(desk.url)
    with closing(http.client.HTTPConnection(where.netloc, timeout=60)) as connection:
        heard = {} if last is None else {"Last-Event-ID": str(last)}
        connection.request("GET", f"{where.path}news?since={since}{query}", headers=heard)
        answer = connection.getresponse()
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in iter(answer.readline, b"") if line.startswith(b"data: "))
        yield (json.loads(line[6:]) for line in lines)


def test_the_page_has_every_row_and_can_be_worked_with(desk: RunningDesk) -> None:
    page = desk.ask("").text
    assert page.count("<tbody id=") == EXAMINATIONS
    assert page.count("<tr class=") - page.count("together") == DUE
    for path in desk.rows():
        assert escape(Path(path).name) in page
    assert 'data-kind="test_ordered"' in page and 'id="viewer"' in page
    assert "<script>" not in page and "onerror" not in page


def test_a_film_that_arrives_is_news_and_only_its_own_line_is_sent(desk: RunningDesk) -> None:
    version = desk.feed.shown.version
    with news(desk, version) as pieces:
        (desk.films / "new.png").write_bytes(png(9))
        desk.screen()
        piece = next(piece for piece in pieces if "new.png" in str(piece["lines"]))
    assert piece["version"] > version
    keys = [key for group in piece["groups"].values() for key in group]
    assert len(keys) == EXAMINATIONS + 1
    changed = [key for key, html in piece["lines"].items() if "new.png" in html]
    assert len(changed) == 1 and changed[0] in keys


def test_a_long_list_comes_with_its_first_rows_and_the_others_follow(
    tmp_path: Path, settings: DaySettings
) -> None:
    (tmp_path / "films").mkdir()
    for seed in range(24):
        (tmp_path / "films" / f"{seed}.png").write_bytes(png(seed))
    with run_desk(tmp_path / "films", tmp_path / "out", settings) as desk:
        page, version = desk.ask("").text, desk.feed.shown.version
        assert page.count("<tbody id=") == 20 and 'data-examinations="24"' in page
        with news(desk, version, "&rest") as pieces:
            piece = next(pieces)
            assert piece["lines"] == {} and len(piece["rest"]) == 24
            assert piece["rest"] == desk.feed.shown.lines
        with news(desk, version, "&rest", last=version) as pieces:
            desk.post("mark", {"film": 1, "kind": "seen", "value": "1"})
            assert "rest" not in next(pieces), "a connection that was lost brings only what is new"


def test_what_one_page_says_the_other_hears_and_the_list_keeps(desk: RunningDesk) -> None:
    number = desk.number(FORMULA_NAME)
    with news(desk, desk.feed.shown.version) as other:
        step = desk.post("mark", {"film": number, "kind": "test_ordered", "value": "1"}).json()
        heard = next(other)
    (line,) = heard["lines"].values()
    assert " checked" in line and FORMULA_NAME in line
    desk.screen()
    assert desk.rows()[FORMULA_NAME]["test_ordered_at"] is not None
    assert desk.post("undo", step).status == 200
    desk.screen()
    assert not set(MARK_COLUMNS) & set(desk.rows()[FORMULA_NAME])
    assert desk.post("undo", step).status == 409, "it is undone already"


def test_what_is_said_holds_for_all_films_of_an_examination(
    tmp_path: Path, settings: DaySettings
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    for name, values in (("a.dcm", [0, 40, 200, 255]), ("b.dcm", [255, 90, 20, 0])):
        (films / name).write_bytes(make_dicom(bands(values, "u1"), StudyInstanceUID="1.2.9"))
    with run_desk(films, tmp_path / "out", settings) as desk:
        said = {"film": desk.number("a.dcm"), "kind": "tb", "value": "confirmed"}
        assert desk.post("mark", said).status == 200
        desk.screen()
        assert {row["tb"] for row in desk.rows().values()} == {"1"}
        about = desk.ask(f"about/{desk.number('b.dcm')}").json()
        assert len(about["films"]) == 2 and about["marks"]["tb"]["value"] == "confirmed"


def test_the_film_comes_with_every_grey_it_has(tmp_path: Path, settings: DaySettings) -> None:
    films = tmp_path / "films"
    films.mkdir()
    pixels = (np.add.outer(np.arange(128), np.arange(160)) * 14).astype(np.uint16)
    content = make_dicom(pixels, bits=12, WindowCenter=1800, WindowWidth=300)
    (films / "film.dcm").write_bytes(content)
    with run_desk(films, tmp_path / "out", settings) as desk:
        answer = desk.ask(f"film/{desk.number('film.dcm')}?quick")
        described = json.loads(answer.headers["x-described"])
        view = read_view(ViewRequest(path=films / "film.dcm")).view
        sent = np.frombuffer(answer.body, "<u2").reshape(described["rows"], described["columns"])
        assert np.array_equal(sent, view.pixels) and np.unique(sent).size == np.unique(pixels).size
        assert (described["low"], described["high"]) == (view.low, view.high)
        assert described["bits"] == 16 and described["isChanged"] is False
        (films / "film.dcm").write_bytes(content + b"\0\0")
        again = desk.ask(f"film/{desk.number('film.dcm')}")
        assert json.loads(again.headers["x-described"])["isChanged"] is True


def test_a_film_read_ahead_is_not_read_again_unless_it_changed(
    desk: RunningDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[ViewRequest]()

    def read(request: ViewRequest) -> ReadView:
        asked.append(request)
        return read_view(request)

    monkeypatch.setattr(desk, "read", read)
    number = desk.number(FORMULA_NAME)
    path = desk.films / FORMULA_NAME
    assert desk.ask(f"ready?film={number}").status == 204
    first = desk.ask(f"film/{number}?quick")
    assert first.status == 200 and asked == [ViewRequest(path=path, is_quick=True)]
    path.write_bytes(png(33))
    second = desk.ask(f"film/{number}?quick")
    assert second.body != first.body and len(asked) == 2
    assert desk.ask(f"ready?film={desk.number('empty.dcm')}").status == 204
    for odd in ("", "x", "-1", "9" * 30):
        assert desk.ask(f"ready?film={odd}").status == 204
    assert len(asked) == 3


def test_small_picture_and_heat_are_those_of_the_store(desk: RunningDesk) -> None:
    number = desk.number("no-suffix")
    jpeg = desk.ask(f"thumbnail/{number}").body
    assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE) is not None
    heat = desk.ask(f"heat/{number}")
    described = json.loads(heat.headers["x-described"])
    strengths = np.frombuffer(heat.body, np.uint8)
    assert strengths.size == described["rows"] * described["columns"]
    assert described["isEmpty"] == (not strengths.any())
    assert desk.ask(f"heat/{desk.number('cut.png')}").status == 404


def test_what_keeps_the_watch_from_its_work_is_said_in_the_pages_language(
    tmp_path: Path, settings: DaySettings
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "empty.dcm").write_bytes(b"")
    with run_desk(tmp_path / "films", tmp_path / "out", settings, lang=Lang.KO) as desk:
        answer = desk.ask(f"film/{desk.number('empty.dcm')}")
        assert answer.json()["reason"] == "빈 파일입니다."

        def status_with(trouble: str) -> str:
            with news(desk, desk.feed.shown.version) as pieces:
                desk.feed.tell_trouble(trouble)
                return str(next(pieces)["head"]["status"])

        gone = "D:\\films cannot be opened (gone), trying again"
        assert "열 수 없습니다(gone)" in status_with(gone)
        held = "worklist.csv is open in another program, the list is in worklist-new.csv"
        both = status_with(f"{gone}; {held}")
        assert "열 수 없습니다(gone)" in both and "in another program" not in both
        assert 'lang="en">Of &lt;b&gt; another' in status_with("Of <b> another version.")


def test_a_film_that_cannot_be_shown_says_why(desk: RunningDesk) -> None:
    answer = desk.ask(f"film/{desk.number('empty.dcm')}")
    assert answer.status == 422
    assert answer.json() == {"reason": "The file is empty.", "why": "Empty file"}


def test_a_lateral_film_is_not_screened_and_can_be_looked_at(desk: RunningDesk) -> None:
    assert desk.ask(f"film/{desk.number('lateral.dcm')}").status == 200


def test_show_in_folder_and_end_reach_the_pc(desk: RunningDesk) -> None:
    number = desk.number(FORMULA_NAME)
    assert desk.post("folder", {"film": number}).status == 200
    assert desk.shown == [desk.films / FORMULA_NAME]
    assert desk.post("end", {}).status == 200 and desk.ended == [True]


@pytest.mark.parametrize("lang", Lang)
def test_what_lies_beside_the_films_is_said_and_what_to_do(
    tmp_path: Path, settings: DaySettings, lang: Lang
) -> None:
    (tmp_path / "films").mkdir()
    beside = FoundFilms(archives=("disc <1>.zip",), unreadable_folders=("locked ward",))
    with run_desk(tmp_path / "films", tmp_path / "out", settings, lang=lang) as desk:
        with news(desk, desk.feed.shown.version) as pieces:
            desk.feed.tell_found(beside)
            warnings = next(pieces)["head"]["warnings"]
        assert "<bdi>disc &lt;1&gt;.zip</bdi>" in warnings and "<bdi>locked ward</bdi>" in warnings
        says = words_of(lang).desk.archives
        assert says.format(n=1) in warnings and words_of(lang).page.closed_folders in warnings
        desk.feed.tell_found(FoundFilms())
        with news(desk, 0) as pieces:
            assert any(piece["head"]["warnings"] == "" for piece in pieces)


def test_a_list_without_age_sex_and_gate_is_shown_as_it_is(
    tmp_path: Path, settings: DaySettings
) -> None:
    (tmp_path / "films").mkdir()
    content = make_dicom(bands([0, 40, 200, 255], "u1"), PatientSex="F", PatientAge="054Y")
    (tmp_path / "films" / "a.dcm").write_bytes(content)
    for changes, is_said in (({}, True), ({"with_age_sex": False, "has_gate": False}, False)):
        out = tmp_path / str(is_said)
        with run_desk(tmp_path / "films", out, settings, **changes) as desk:
            assert ("F 54" in desk.ask("").text) == is_said
            assert desk.ask("").text.count("<tbody id=") == 1


def test_no_patient_is_named_unless_asked(desk: RunningDesk) -> None:
    number = desk.number("신촌 진료소/2.dcm")
    said = desk.ask("").text + desk.ask(f"about/{number}").text
    assert not [value for value in PATIENT.values() if value in said]


@pytest.mark.parametrize("lang", Lang)
def test_script_in_every_header_field_and_in_the_file_name_stays_text(
    tmp_path: Path, settings: DaySettings, lang: Lang
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    name = EVIL.replace("/", "_")
    evil: dict[str, Any] = dict.fromkeys(
        ("PatientName", "PatientID", "AccessionNumber", "ViewPosition"), EVIL[:60]
    )
    content = make_dicom(
        bands([0, 40, 200, 255], "u1"),
        **{**evil, "StudyInstanceUID": '1.2"><script>', "SeriesDescription": EVIL},
    )
    (films / f"{name}.dcm").write_bytes(content)
    with run_desk(films, tmp_path / "out", settings, include_patient=True, lang=lang) as desk:
        number = desk.number(f"{name}.dcm")
        note = {"film": number, "kind": "note", "value": EVIL}
        assert desk.post("mark", note).status == 200
        desk.feed.poke()
        with news(desk, 0) as pieces:
            piece = next(one for one in pieces if "said" in str(one["lines"]))
        about = desk.ask(f"about/{number}").json()
        shown = [desk.ask("").text, *piece["lines"].values(), *piece["head"].values()]
        shown += [about["film"], about["result"], about["heading"]]
        assert escape(EVIL[:20]) in "".join(shown), "it is shown, as text"
        for text in shown:
            assert "<script>" not in text and "<img src=x" not in text
