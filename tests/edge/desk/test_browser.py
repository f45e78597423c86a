"""The desk in a real browser, as somebody works with it: by mouse, by keys alone, in two tabs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from playwright.sync_api import Browser, BrowserContext, Page, expect

from edge_infer.flow.keep_day import DaySettings
from edge_infer.pc.language import Lang
from tests.edge.desk.running_desk import RunningDesk, run_desk
from tests.edge.desk.test_app import EVIL
from tests.edge.films.dicom.dicom_factory import J2K_LOSSLESS, bands, make_dicom
from tests.edge.made_films import FORMULA_NAME, png
from tests.edge.page.browser import launch, look_for_barriers, needs_axe

PATIENCE_MS = 60_000
"""A busy PC; what is expected comes at once."""
MIDDLE = """() => {
  const film = document.getElementById("film");
  const seen = film.getContext("2d").getImageData(film.width / 2, film.height / 2, 1, 1).data;
  return [...seen].slice(0, 3);
}"""


@pytest.fixture(scope="module")
def browser() -> Generator[Browser, None, None]:
    with launch() as chromium:
        yield chromium


@pytest.fixture
def context(browser: Browser) -> Generator[BrowserContext, None, None]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield context
    context.close()


def open_desk(context: BrowserContext, desk: RunningDesk) -> tuple[Page, list[str]]:
    """Return a page of the desk, its script running, and what it complains of from now on."""
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(desk.url)
    page.wait_for_selector("html.scripted")
    return page, complaints


def row_of(path: str) -> str:
    """Return the selector of a film's row."""
    name = path.rpartition("/")[2]
    return f'main tr[data-film]:has(.path:text("{name}"))'


def open_film(page: Page, path: str, number: int) -> None:
    page.click(f"{row_of(path)} .open")
    page.wait_for_selector(f'#viewer[data-drawn="{number}"]')


def test_a_film_that_arrives_stands_in_its_place_without_reloading(
    context: BrowserContext, desk: RunningDesk
) -> None:
    page, complaints = open_desk(context, desk)
    page.evaluate("window.before = true")
    before = page.locator("main tr[data-film]").count()
    (desk.films / "late.png").write_bytes(png(9))
    desk.screen()
    expect(page.locator(row_of("late.png"))).to_be_visible()
    assert page.locator("main tr[data-film]").count() == before + 1
    ranks = page.eval_on_selector_all("main tbody", "all => all.map(one => +one.dataset.rank)")
    assert ranks == sorted(ranks)
    assert page.evaluate("window.before"), "the page is the same"
    assert complaints == []


def test_a_tick_is_seen_in_the_other_tab_after_a_reload_and_in_the_list(
    context: BrowserContext, desk: RunningDesk
) -> None:
    page, complaints = open_desk(context, desk)
    other, _ = open_desk(context, desk)
    box = f'{row_of(FORMULA_NAME)} input[data-kind="seen"]'
    page.check(box)
    expect(other.locator(box)).to_be_checked()
    page.reload()
    expect(page.locator(box)).to_be_checked()
    desk.screen()
    assert desk.rows()[FORMULA_NAME]["seen_at"]
    other.uncheck(box)
    expect(page.locator(box)).not_to_be_checked()
    other.click("#undo")
    expect(page.locator(box)).to_be_checked()
    assert complaints == []


def test_the_tab_counts_what_is_to_order_and_a_new_referral_is_told(
    context: BrowserContext, tmp_path: Path, settings: DaySettings
) -> None:
    points = settings.card.operating_points
    points = replace(points, refer_tb=replace(points.refer_tb, threshold=0.0))
    card = replace(settings.card, operating_points=points)
    (tmp_path / "films").mkdir()
    for seed in (1, 2):
        (tmp_path / "films" / f"{seed}.png").write_bytes(png(seed))
    with run_desk(tmp_path / "films", tmp_path / "out", settings, card=card) as desk:
        page, _ = open_desk(context, desk)
        expect(page).to_have_title("(2) to order · X-ray worklist")
        for number in (1, 2):
            page.check(f'#refer input[data-film="{number}"][data-kind="test_ordered"]')
        expect(page).to_have_title("X-ray worklist")
        every = "Every referred examination has its second test ordered."
        expect(page.locator("#task")).to_have_text(every)
        assert page.evaluate("document.body.dataset.told") is None
        (desk.films / "3.png").write_bytes(png(3))
        desk.screen()
        expect(page).to_have_title("(1) to order · X-ray worklist")
        assert page.evaluate("document.body.dataset.told") == "1"


@pytest.fixture
def grey_desk(tmp_path: Path, settings: DaySettings) -> Generator[RunningDesk, None, None]:
    """A desk over one film of two films' study: a ramp of 12 bits, 1000 in its middle."""
    films = tmp_path / "films"
    films.mkdir()
    rows, columns = np.mgrid[-600:600, -700:700]
    ramp = np.clip(1000 + rows // 2 + columns // 2, 0, 4095).astype(np.uint16)
    shown: dict[str, Any] = {"WindowCenter": 1000, "WindowWidth": 2000}
    shown["StudyInstanceUID"] = "1.2.77"
    (films / "ramp.dcm").write_bytes(make_dicom(ramp, bits=12, syntax=J2K_LOSSLESS, **shown))
    (films / "flat.dcm").write_bytes(make_dicom(bands([0, 90, 160, 255], "u1"), **shown))
    with run_desk(films, tmp_path / "out", settings) as running:
        yield running


def test_the_page_has_its_reader_started_before_anybody_points(
    context: BrowserContext, desk: RunningDesk
) -> None:
    page = context.new_page()
    with page.expect_response(lambda answer: "/ready?film=" in answer.url) as answered:
        page.goto(desk.url)
    assert answered.value.status == 204
    assert answered.value.url.endswith("film=")


def test_the_film_is_windowed_inverted_and_heated_by_the_page(
    context: BrowserContext, grey_desk: RunningDesk
) -> None:
    page, complaints = open_desk(context, grey_desk)
    number = grey_desk.number("ramp.dcm")
    open_film(page, "ramp.dcm", number)
    expect(page.locator("#says")).to_be_hidden()

    def middle() -> list[int]:
        page.evaluate("() => new Promise(done => setTimeout(done, 250))")
        return list(page.evaluate(MIDDLE))

    assert all(abs(value - 127) <= 2 for value in middle()), "1000 of 0 to 2000 is half grey"
    page.keyboard.press("i")
    page.keyboard.press("ArrowUp")
    assert middle()[0] < 127, "inverted, brighter is darker"
    page.keyboard.press("r")
    stage = page.locator("#film").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 80, steps=4)
    page.mouse.up()
    assert abs(middle()[0] - (127 + 0.2 * 255)) <= 4, "80 of 400 pixels are a fifth of the window"
    page.keyboard.press("r")
    if page.locator("#heat").is_enabled():
        page.check("#heat")
        page.locator("#strength").fill("100")
        reddest = page.evaluate("""() => {
          const film = document.getElementById("film");
          const all = film.getContext("2d").getImageData(0, 0, film.width, film.height).data;
          let most = 0;
          for (let at = 0; at < all.length; at += 4) most = Math.max(most, all[at] - all[at + 2]);
          return most;
        }""")
        page.evaluate("() => new Promise(done => setTimeout(done, 250))")
        assert reddest >= 0
    assert complaints == []


def test_wheel_and_keys_zoom_about_the_pointer(
    context: BrowserContext, grey_desk: RunningDesk
) -> None:
    page, _ = open_desk(context, grey_desk)
    open_film(page, "ramp.dcm", grey_desk.number("ramp.dcm"))
    expect(page.locator("#says")).to_be_hidden()

    def zoom() -> int:
        page.evaluate("() => new Promise(done => setTimeout(done, 250))")
        return int(page.inner_text("#levels").split(",")[-1].strip(" %"))

    fitted = zoom()
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -500)
    assert zoom() == pytest.approx(fitted * np.e, rel=0.03)
    page.keyboard.press("1")
    assert zoom() == 100
    page.keyboard.press("0")
    assert zoom() == fitted


def test_all_of_it_by_keys_alone(context: BrowserContext, grey_desk: RunningDesk) -> None:
    page, complaints = open_desk(context, grey_desk)
    page.keyboard.press("/")
    page.keyboard.type("ramp")
    expect(page.locator("#shown")).to_have_text("1 of 1 examinations shown")
    first = grey_desk.feed.shown.live.studies[0].films[0].number
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.open')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(f'#viewer[data-drawn="{first}"]')
    page.keyboard.press("s")
    expect(page.locator('#marks input[data-kind="seen"]')).to_be_checked()
    page.keyboard.press("u")
    expect(page.locator('#marks input[data-kind="seen"]')).not_to_be_checked()
    page.keyboard.press("n")
    second = grey_desk.feed.shown.live.studies[0].films[1].number
    page.wait_for_selector(f'#viewer[data-drawn="{second}"]')
    page.focus("#note")
    page.keyboard.type("was here in May, o d s")
    page.keyboard.press("Enter")
    expect(page.locator("#toast-text")).to_have_text("Film 2, Note: kept.")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    # Back at the film that was looked at last; the dialog says that it closed after it is hidden.
    expect(page.locator(f'main .open[data-film="{second}"]')).to_be_focused()
    expect(page.locator("main .said")).to_have_text("was here in May, o d s")
    assert complaints == []


def test_a_list_of_many_rows_is_whole_searched_sorted_and_printed(
    context: BrowserContext, tmp_path: Path, settings: DaySettings
) -> None:
    (tmp_path / "films").mkdir()
    for seed in range(64):
        (tmp_path / "films" / f"film-{seed:02}.png").write_bytes(png(seed))
    with run_desk(tmp_path / "films", tmp_path / "out", settings) as desk:
        page, complaints = open_desk(context, desk)
        rows = page.locator("main tbody:not([hidden])")
        expect(rows).to_have_count(64)
        assert page.evaluate("document.body.dataset.told") is None, "these are no news"

        ranks = page.locator("main td.rank").all_text_contents()
        assert [int(one) for one in ranks] == list(range(1, 65))
        page.fill("#find", "film-3")
        expect(rows).to_have_count(10)
        expect(page.locator("#shown")).to_have_text("10 of 64 examinations shown")
        page.fill("#find", "")
        expect(rows).to_have_count(64)
        page.select_option("#sort", "path")
        groups = page.eval_on_selector_all(
            "main section:not([hidden])",
            "all => all.map(one => [...one.querySelectorAll('.path')].map(p => p.textContent))",
        )
        assert sorted(name for one in groups for name in one) == [
            f"film-{n:02}.png" for n in range(64)
        ]
        assert all(one == sorted(one) for one in groups) and max(map(len, groups)) > 20
        # The tenth of a group is the last of its table, and goes to the next one.
        tenth = max(groups, key=len)[9]
        page.focus(f"{row_of(tenth)} .open")
        before = page.evaluate("document.activeElement.dataset.film")
        first = (desk.films / max(groups, key=len)[0]).read_bytes()
        (desk.films / "before-all.png").write_bytes(first)
        desk.screen()
        expect(rows).to_have_count(65)
        assert page.evaluate("document.activeElement.dataset.film") == before
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        tables = "main section:not([hidden]) table"
        assert page.locator(tables).count() == page.locator("main section:not([hidden])").count()
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator(tables).count() > page.locator("main section:not([hidden])").count()
        expect(rows).to_have_count(65)
        assert complaints == []


def test_a_film_that_cannot_be_shown_says_so_in_words(
    context: BrowserContext, desk: RunningDesk
) -> None:
    page, _ = open_desk(context, desk)
    open_film(page, FORMULA_NAME, desk.number(FORMULA_NAME))
    expect(page.locator("#levels")).to_contain_text("%")
    page.click("#close")
    page.click(f"{row_of('empty.dcm')} .open")
    expect(page.locator("#says")).to_contain_text("This film cannot be shown. Empty file")
    expect(page.locator("#levels")).to_have_text("")


def test_script_in_names_and_notes_never_runs(
    context: BrowserContext, tmp_path: Path, settings: DaySettings
) -> None:
    films = tmp_path / "films"
    films.mkdir()
    name = EVIL.replace("/", "_") + ".dcm"
    (films / name).write_bytes(make_dicom(bands([0, 40, 200, 255], "u1"), ViewPosition=EVIL[:16]))
    context.add_init_script("window.ran = 0; window.alert = () => { window.ran += 1; };")
    with run_desk(films, tmp_path / "out", settings, include_patient=True) as desk:
        page, complaints = open_desk(context, desk)
        number = desk.number(name)
        desk.post("mark", {"film": number, "kind": "note", "value": EVIL})
        expect(page.locator("main .said")).to_have_text(EVIL)
        page.click("main .open")
        page.wait_for_selector(f'#viewer[data-drawn="{number}"]')
        expect(page.locator("#facts")).to_contain_text("onerror=alert(2)")
        assert page.evaluate("window.ran") == 0
        assert complaints == []


def test_a_lost_desk_is_said(
    context: BrowserContext, tmp_path: Path, settings: DaySettings
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "1.png").write_bytes(png(1))
    with run_desk(tmp_path / "films", tmp_path / "out", settings) as desk:
        page, _ = open_desk(context, desk)
        expect(page.locator("#lost")).to_be_hidden()
    expect(page.locator("#lost")).to_contain_text("This page has lost the desk")


@needs_axe
@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_serious(
    browser: Browser, tmp_path: Path, settings: DaySettings, lang: Lang, width: int
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "1.png").write_bytes(png(1))
    (tmp_path / "films" / "2.dcm").write_bytes(b"")
    named = make_dicom(bands([0, 40, 200, 255], "u1"), BurnedInAnnotation="YES")
    (tmp_path / "films" / "3.dcm").write_bytes(named)
    for scheme in ("light", "dark"):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        context.set_default_timeout(PATIENCE_MS)
        with run_desk(tmp_path / "films", tmp_path / scheme, settings, lang=lang) as desk:
            page, _ = open_desk(context, desk)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = [*look_for_barriers(page)]
            page.click("main .open >> nth=0")
            page.wait_for_selector("#viewer[data-drawn]")
            found += look_for_barriers(page)
        context.close()
        assert found == []
