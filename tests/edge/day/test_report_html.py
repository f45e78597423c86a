"""The page: complete, self-contained, honest, and without a name."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from edge_infer.day.report_html import render_page
from edge_infer.day.report_words import WORDS
from edge_infer.day.worklist import ORDER, ScreenedDay
from tests.edge.day.made_day import WHO, make_band, make_day, refused, screened

VOID = {"meta", "img", "col", "br"}


class Page(HTMLParser):
    """Tags with their attributes, the visible text, and whether every tag was closed."""

    def __init__(self, day: ScreenedDay) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = "".join(render_page(day))
        self.feed(self.source)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def a_day(**options: Any) -> ScreenedDay:
    rows = [
        screened("ward/b.dcm", "tuberculosis", tb_tenths=931),
        screened("ward/c.dcm", "pneumonia", tb_tenths=120),
        screened("d.dcm"),
        screened("e.dcm", tb_tenths=20, band=make_band(normal=5_000, tuberculosis=150)),
        refused("<img src=x onerror=alert(1)>.dcm"),
    ]
    return make_day(rows, ignored=2, **options)


def test_every_row_stands_in_worklist_order() -> None:
    page = Page(a_day())
    names = ["b.dcm", "c.dcm", "e.dcm", "<img src=x onerror=alert(1)>.dcm", "d.dcm"]
    places = [page.text.index(name) for name in names]
    assert places == sorted(places)
    assert len(page.all("img")) == 4, "one picture per screened film, none from a file name"
    assert "93.1" in page.text
    assert "Why <img src=x onerror=alert(1)>.dcm <has> no score." in page.text


def test_decisions_are_said_in_words_and_not_in_colour_alone() -> None:
    page = Page(a_day())
    for decision in ORDER:
        words = WORDS[decision]
        assert page.text.count(words.label) >= 2, "in the counts and in the row"
        assert words.todo in page.text


def test_nothing_is_loaded_from_anywhere() -> None:
    page = Page(a_day())
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    for image in page.all("img"):
        assert str(image["src"]).startswith("data:image/jpeg;base64,")
    assert "http" not in page.source.replace("http-equiv", "")
    assert not re.search(r"url\(|@import", page.source)


def test_the_page_is_readable_without_eyes() -> None:
    page = Page(a_day())
    assert page.all("html")[0]["lang"] == "en"
    assert all(cell.get("scope") in ("row", "col") for cell in page.all("th"))
    assert all(re.fullmatch(r"Film \d+, small", str(image["alt"])) for image in page.all("img"))
    assert len(page.all("h1")) == 1
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))


def test_the_page_says_what_it_is_not_and_where_its_numbers_come_from() -> None:
    page = Page(a_day())
    text = " ".join(page.text.split())
    assert "Research use only. This is not a diagnosis." in text
    assert "scores are not probabilities of disease in your clinic" in text
    assert "probabilit" not in text.replace("scores are not probabilities of disease", "")
    assert "tiny 0.0.1" in text and "ab" * 32 in text and "cxr-edge 9.8.7" in text
    assert "TB score of 40.0 or more" in text and "abnormal score of 50.0 or more" in text
    assert "95.0\xa0%" in page.text and "90.0\xa0% (80.0 to 95.0)" in page.text
    assert "20 films with it" in text and "80 films without it" in text
    assert "Monday 23 November 2026" in text and "2 other files passed over" in text


def test_nobody_is_named_unless_asked_for() -> None:
    secrets = (WHO.patient_name, WHO.patient_id, WHO.accession_number, WHO.patient_birth_date)
    silent = Page(a_day()).source
    assert not any(secret in silent for secret in secrets)
    asked = Page(a_day(include_patient=True))
    assert all(secret in asked.text for secret in secrets)
    for _, attributes in asked.tags:
        assert not any(secret in str(value) for secret in secrets for value in attributes.values())


def test_what_is_missing_is_said_loudly() -> None:
    page = Page(make_day([screened("a.dcm")], due=5, unreadable_folders=("locked & gone",)))
    assert "This list is not complete." in page.text
    assert "4 of 5 files were not looked at" in page.text
    assert "locked & gone" in page.text
    assert not [a for _, a in Page(a_day()).tags if a.get("role") == "alert"]


def test_five_hundred_films_come_in_small_pieces() -> None:
    pieces = list(render_page(make_day([screened(f"{n}.dcm") for n in range(500)])))
    assert len(pieces) > 500
    assert max(map(len, pieces)) < 20_000
