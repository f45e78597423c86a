"""The page: complete, self-contained, honest, and without a name."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from edge_infer.commands.terminal import describe_model_faults
from edge_infer.errors import ReasonCode
from edge_infer.films.study import InputType, StudyInfo
from edge_infer.model.model_card import REFERRAL as REFERRAL_MAP
from edge_infer.model.model_card import Interval
from edge_infer.page.faults import describe_faults
from edge_infer.page.html import render_page, words_in
from edge_infer.pc.language import Lang
from edge_infer.words.form import KEYS
from edge_infer.worklist.rows import ORDER, ScreenedDay, WorklistRow
from tests.edge.made_day import JPEG, WHO, make_band, make_card, make_day, refused, screened
from tests.edge.model.make_tiny_onnx import REFERRAL

VOID = {"meta", "img", "col", "br", "input"}


class Page(HTMLParser):
    """Tags with their attributes, the visible text, and whether every tag was closed."""

    def __init__(self, day: ScreenedDay) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = self.script = ""
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
        if self.open[-1:] == ["script"]:
            self.script += data
        elif self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def of_study(row: WorklistRow, uid: str) -> WorklistRow:
    assert row.study is not None
    return replace(row, study=replace(row.study, study_instance_uid=uid))


def a_day(*, lang: Lang = Lang.EN, **options: Any) -> ScreenedDay:
    rows = [
        with_heat(of_study(screened("ward/b.dcm", "tuberculosis", tb_tenths=931), "1")),
        of_study(screened("ward/c.dcm", "pneumonia", tb_tenths=120), "2"),
        of_study(screened("d.dcm"), "3"),
        of_study(
            screened("e.dcm", tb_tenths=20, band=make_band(normal=5_000, tuberculosis=150)), "4"
        ),
        refused("<img src=x onerror=alert(1)>.dcm"),
    ]
    return replace(make_day(rows, ignored=2, **options), lang=lang)


def with_heat(row: WorklistRow) -> WorklistRow:
    return replace(row, heat=b"heat" + JPEG, heat_class="tuberculosis")


def said(page: Page) -> str:
    return " ".join(page.text.split())


def test_every_row_stands_in_worklist_order() -> None:
    page = Page(a_day())
    names = ["b.dcm", "c.dcm", "e.dcm", "<img src=x onerror=alert(1)>.dcm", "d.dcm"]
    places = [page.text.index(name) for name in names]
    assert places == sorted(places)
    assert len(page.all("img")) == 6, "one per screened film, a heat map beside the plain film"
    assert "93.1" in page.text
    assert "Why <img src=x onerror=alert(1)>.dcm <has> no score." in page.text


def test_decisions_are_said_in_words_and_not_in_colour_alone() -> None:
    for lang in Lang:
        page, words = Page(a_day(lang=lang)), words_in(lang)
        for decision in ORDER:
            group = words.groups[decision]
            assert page.text.count(group.label) >= 2, "in the counts and in the filter"
            assert group.todo in page.text
        assert words.statuses[refused("x").status] in page.text


def test_nothing_is_loaded_from_anywhere() -> None:
    page = Page(a_day())
    assert not page.all("link") and not page.all("iframe")
    assert [set(script) for script in page.all("script")] == [{"type"}], "one script, without src"
    for image in page.all("img"):
        assert str(image["src"]).startswith("data:image/jpeg;base64,")
    assert "http" not in page.source.replace("http-equiv", "")
    assert not re.search(r"url\(|@import", page.source)


def test_the_page_is_readable_without_eyes() -> None:
    page = Page(a_day())
    assert page.all("html")[0]["lang"] == "en"
    assert all(cell.get("scope") in ("row", "rowgroup", "col") for cell in page.all("th"))
    pattern = r"Film \d+(, small|, plain| with colours)"
    assert all(re.fullmatch(pattern, str(image["alt"])) for image in page.all("img"))
    for landmark in ("h1", "header", "main", "footer"):
        assert len(page.all(landmark)) == 1
    identifiers = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert len(identifiers) == sum("id" in attributes for _, attributes in page.tags)
    for _, attributes in page.tags:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attributes.get(name, next(iter(identifiers))) in identifiers
    targets = {str(link["href"]).removeprefix("#") for link in page.all("a")}
    assert targets == {"list", *KEYS.values()} and targets <= identifiers
    fields = page.source.count("<label>")
    assert fields == len(page.all("input")) + len(page.all("select")) == 3


def test_the_page_says_what_it_is_not_and_where_its_numbers_come_from() -> None:
    page = Page(a_day())
    text = " ".join(page.text.split())
    assert "Research use only. This is not a diagnosis." in text
    assert "scores are not probabilities of disease in your clinic" in text
    assert "probabilit" not in text.replace("scores are not probabilities of disease", "")
    assert "tiny 0.0.1" in text and "ab" * 32 in text and "cxr-edge 9.8.7" in text
    assert "TB score of 40.0 or more" in text and "abnormal score of 50.0 or more" in text
    assert "95\xa0%" in page.text and "90.0\xa0% (80.0–95.0)" in page.text
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
    page = Page(make_day([screened("a.dcm")], n_files=5, unreadable_folders=("locked & gone",)))
    assert "This list is not complete." in page.text
    assert "4 of 5 files were not looked at" in page.text
    assert "locked & gone" in page.text
    assert not [a for _, a in Page(a_day()).tags if a.get("role") == "alert"]


def test_archives_are_counted_and_named() -> None:
    page = Page(make_day([screened("a.dcm")], archives=("CD<1>.zip", "film.dcm.gz")))
    assert "Packed files (zip and the like), 2; unpack them and run again:" in page.text
    assert "CD<1>.zip, film.dcm.gz" in page.text
    many = Page(make_day([screened("a.dcm")], archives=tuple(f"{n}.zip" for n in range(50))))
    assert "19.zip …" in many.text and "20.zip" not in many.text


def test_five_hundred_films_come_in_small_pieces() -> None:
    pieces = list(render_page(make_day([screened(f"{n}.dcm") for n in range(500)])))
    assert len(pieces) > 500
    assert max(map(len, pieces)) < 20_000


def test_only_the_page_s_own_script_may_run() -> None:
    page = Page(a_day())
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    policies = [meta for meta in page.all("meta") if "Policy" in str(meta.get("http-equiv"))]
    (policy,) = [" ".join(str(meta["content"]).split()) for meta in policies]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}';" in policy
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
    tools = next(tag for _, tag in page.tags if tag.get("role") == "search")
    assert "hidden" in tools, "without a script nothing is offered that does nothing"


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>.dcm", '" onload="x', "'><b>", "&lt;&#60;", "{0}{words}"]
)
def test_a_hostile_name_is_only_text(name: str) -> None:
    rows = [screened(name), refused(f"{name}2"), with_heat(screened("x", "tuberculosis"))]
    safe = [screened("safe"), refused("safe2"), with_heat(screened("x", "tuberculosis"))]
    page, harmless = Page(make_day(rows)), Page(make_day(safe))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in harmless.tags]
    assert name.rpartition("/")[2] in page.text


def test_an_examination_is_one_line_with_one_box() -> None:
    rows = [
        of_study(screened("front.dcm", "tuberculosis", tb_tenths=900), "1"),
        of_study(screened("again.dcm", tb_tenths=10), "1"),
        of_study(screened("else.dcm", "tuberculosis", tb_tenths=500), "2"),
        of_study(screened("fine.dcm"), "3"),
    ]
    page = Page(make_day(rows))
    sections = [tag["id"] for tag in page.all("section")]
    assert sections == ["refer", "clear"]
    assert len(page.all("tbody")) == 3 + 1, "three examinations and the thresholds"
    boxes = [tag for tag in page.all("td") if tag.get("class") == "test"]
    assert [box["rowspan"] for box in boxes] == ["3", "1"]
    assert said(page).count("ordered") == said(page).count("done") == 2
    assert "2 films of one examination; the most urgent decides" in page.text
    places = [page.text.index(n) for n in ("front.dcm", "again.dcm", "else.dcm", "fine.dcm")]
    assert places == sorted(places)
    assert "4 files of 3 examinations" in said(page)


@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("code", ReasonCode)
def test_every_reason_says_why_and_what_to_do(lang: Lang, code: ReasonCode) -> None:
    page = Page(replace(make_day([refused("a.dcm", code)]), lang=lang))
    reason = words_in(lang).reasons[code]
    assert reason.why in page.text and reason.todo in page.text
    assert "Why a.dcm <has> no score." in page.text, "the exact sentence stays, in English"
    assert page.all("html")[0]["lang"] == lang


def test_the_referral_list_says_how_many_to_expect() -> None:
    day = replace(make_day([screened("a", "tuberculosis")]), prevalence=0.02)
    # 1,000 people, 20 sick: 18 of 18 + 98; 16 of 16 + 196; 19 of 19 + 49.
    text = said(Page(day))
    assert "Of 100 films referred like this, about 16 (from 7.5 to 28) are expected" in text
    assert "if 2\xa0% of those screened" in Page(day).text
    assert "100장 중 약 16장(7.5–28장)" in said(Page(replace(day, lang=Lang.KO)))
    points = make_card().operating_points
    few = replace(points, refer_tb=replace(points.refer_tb, n_positive=3))
    unknown = Page(replace(day, card=replace(make_card(), operating_points=few)))
    assert "is unknown" in said(unknown) and "about" not in said(unknown).split("No.")[0]
    assert "Of 100" not in said(Page(make_day([screened("a")])))


def test_a_heat_map_says_what_it_is_and_what_not() -> None:
    page = Page(a_day())
    (button,) = page.all("button")
    assert button["aria-pressed"] == "false" and button["aria-describedby"] == "heat-1"
    assert "Tuberculosis: where the score comes from, not what is there." in page.text
    assert "picture file" not in page.text
    linked = Page(replace(a_day(), has_pictures=True))
    (link,) = [a for a in linked.all("a") if str(a["href"]).startswith("pictures/")]
    assert re.fullmatch(r"pictures/film-[0-9a-f]{16}\.png", str(link["href"]))


def test_text_burned_into_a_film_is_not_shown() -> None:
    study = StudyInfo(input_type=InputType.DICOM, has_burned_in_text=True)
    row = replace(with_heat(screened("a.dcm", "tuberculosis")), study=study)
    hidden = Page(replace(make_day([row]), has_pictures=True))
    assert not hidden.all("img") and "may hold a name" in hidden.text
    asked = Page(replace(make_day([row], include_patient=True), has_pictures=True))
    assert len(asked.all("img")) == 3
    assert "pictures/" not in asked.source, "never as a file of its own"


@pytest.mark.parametrize("lang", Lang)
def test_the_page_says_what_the_tb_score_is_made_of(lang: Lang) -> None:
    words = words_in(lang).about
    day = a_day(lang=lang)
    assert words.tb_score_is_share in Page(day).text
    statement = "100 / (1 + exp(-z)) & so on <b>."
    card = replace(day.card, referral=replace(REFERRAL, statement=statement))
    page = Page(replace(day, card=card))
    assert f"{words.tb_score_is_made} {statement}" in page.text
    assert words.tb_score_is_share not in page.text


@pytest.mark.parametrize("lang", Lang)
def test_the_map_of_the_referral_logit_is_called_the_tb_score_s(lang: Lang) -> None:
    words = words_in(lang)
    row = replace(
        with_heat(screened("b.dcm", "tuberculosis", tb_tenths=931)), heat_class=REFERRAL_MAP
    )
    page = Page(replace(a_day(lang=lang), rows=(row,)))
    assert words.heat_caption.format(name=words.small_score) in page.text


def of_patient(row: WorklistRow, **facts: Any) -> WorklistRow:
    assert row.study is not None
    return replace(row, study=replace(row.study, **facts))


def test_a_row_says_which_patient_it_is_of() -> None:
    facts = {"age_years": 54.9, "sex": "M", "taken_at": "2026-11-23T09:42:10"}
    day = make_day([of_patient(screened("a.dcm"), **facts)])
    assert "M 54 · 09:42" in said(Page(day))
    assert "남 54세 · 09:42" in said(Page(replace(day, lang=Lang.KO)))
    asked = replace(day, include_patient=True)
    assert "ID PID-88 · M 54 · 09:42" in said(Page(asked))
    silent = Page(replace(asked, with_age_sex=False))
    assert "ID PID-88" in said(silent) and "M 54" not in said(silent)
    assert "09:42" not in silent.source, "neither to be read nor to sort by"


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"age_years": 7.2}, "7 years"),
        ({"sex": "F"}, "F"),
        ({"sex": "M", "age_years": 0.4}, "M 0"),
        ({"sex": "O", "age_years": 61.0}, "61 years"),
        ({"taken_at": "2026-11-20T09:42:10"}, "2026-11-20 09:42"),
        ({"taken_at": "T09:42:10"}, "09:42"),
    ],
)
def test_what_the_header_does_not_say_is_left_out(facts: dict[str, Any], line: str) -> None:
    page = Page(make_day([of_patient(screened("a.dcm"), **facts)]))
    assert re.search(rf'<span class="who"><bdi>{re.escape(line)}</bdi></span>', page.source)
    nothing = Page(make_day([screened("a.dcm")]))
    assert 'class="who"' not in nothing.source


def test_the_time_of_an_examination_sorts_it() -> None:
    hours = (9, 8)
    films = [
        of_patient(screened(f"{hour}.dcm"), taken_at=f"2026-11-23T0{hour}:00:00") for hour in hours
    ]
    page = Page(make_day([of_study(film, str(n)) for n, film in enumerate(films)]))
    times = [body["data-time"] for body in page.all("tbody") if "data-time" in body]
    assert sorted(map(str, times)) == ["2026-11-23T08:00:00", "2026-11-23T09:00:00"]
    assert {"value": "time"} in page.all("option")


def abnormal(path: str, tenths: int, tb_tenths: int) -> WorklistRow:
    row = screened(path, "pneumonia", tb_tenths=tb_tenths)
    assert row.finding is not None
    return of_study(replace(row, finding=replace(row.finding, abnormal_tenths=tenths)), path)


def test_abnormal_films_stand_in_order_of_their_own_score_with_its_bar() -> None:
    rows = [abnormal("low.dcm", 250, 300), abnormal("high.dcm", 1000, 10), screened("fine.dcm")]
    page = Page(make_day(rows))
    places = [page.text.index(name) for name in ("high.dcm", "low.dcm", "fine.dcm")]
    assert places == sorted(places)
    numbers = re.findall(r'class="rank">(\d+)<', page.source)
    assert numbers == ["1", "2", "3"], "the page counts from top to bottom"
    bars = re.findall(r"--score:([\d.]+);--threshold:([\d.]+)", page.source)
    assert bars == [("100.0", "50.0"), ("25.0", "50.0"), ("0.0", "40.0")]
    assert "Abnormal score (0–100)" in page.text and "TB score 1.0" in page.text


def test_the_boxes_are_for_a_pen() -> None:
    page = Page(a_day())
    assert re.search(r"@media screen \{[^}]*\.test[^}]*display: none", page.source)
    assert not page.all("input")[1:], "nothing on the page looks as if a mouse could tick it"


@pytest.mark.parametrize("lang", Lang)
def test_a_refused_film_is_shown_where_its_pixels_could_be_read(lang: Lang) -> None:
    child = replace(refused("child.dcm", ReasonCode.CHILD), thumbnail=JPEG)
    screen = replace(refused("ct.dcm", ReasonCode.OTHER_MODALITY), thumbnail=JPEG)
    assert len(Page(replace(make_day([child, refused("cut.dcm")]), lang=lang)).all("img")) == 1
    assert not Page(replace(make_day([screen]), lang=lang)).all("img"), "it may show a name"
    assert len(Page(make_day([screen], include_patient=True)).all("img")) == 1


def test_a_known_reason_is_said_in_the_page_s_language() -> None:
    row = replace(refused("a.dcm"), reason="The file is empty.")
    assert "빈 파일입니다." in Page(replace(make_day([row]), lang=Lang.KO)).text
    assert "The file is empty." not in Page(replace(make_day([row]), lang=Lang.KO)).text


@pytest.mark.parametrize("lang", Lang)
def test_a_model_that_missed_its_goals_says_so_first(lang: Lang) -> None:
    day = replace(make_day([screened("a.dcm")]), lang=lang)
    points, low = day.card.operating_points, Interval(value=0.42, low=0.35, high=0.49)
    point = replace(points.refer_tb, specificity=low)
    card = replace(day.card, operating_points=replace(points, refer_tb=point))
    page, words = Page(replace(day, card=card)), words_in(lang)
    assert [tag["class"] for _, tag in page.tags if tag.get("role") == "alert"] == ["warning fault"]
    assert words.faults.heading in page.text and "58" in page.text
    assert describe_faults(card, words) == describe_model_faults(replace(day, card=card))[1:]
    assert not describe_model_faults(day) and words.faults.heading not in Page(day).text
