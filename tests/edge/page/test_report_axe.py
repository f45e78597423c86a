"""The static page keeps nobody out: axe-core, and keys alone."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")

from edge_infer.pc.language import Lang
from tests.edge.page.browser import launch, look_for_barriers, needs_axe
from tests.edge.page.test_report_browser import write_page

pytestmark = pytest.mark.slow


@needs_axe
@pytest.mark.parametrize("lang", Lang)
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_serious(tmp_path: Path, lang: Lang, width: int) -> None:
    place = tmp_path / "report.html"
    write_page(place, 12, lang)
    with launch() as browser:
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": 844},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            page.goto(place.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert look_for_barriers(page) == []
            context.close()


def test_all_of_it_is_reached_and_searched_by_keys_alone(tmp_path: Path) -> None:
    place = tmp_path / "report.html"
    write_page(place, 12, Lang.EN)
    with launch() as browser:
        page = browser.new_page()
        page.goto(place.as_uri())
        reached = list[str]()
        while not reached or reached[-1] != "BODY":
            page.keyboard.press("Tab")
            reached.append(
                page.evaluate(
                    "[document.activeElement].map(e => e.id || e.className || e.tagName)[0]"
                )
            )
            assert len(reached) < 60, reached
        assert reached[0] == "skip"
        assert {"find", "show", "sort"} <= set(reached)
        assert reached.count("look") == 11, "every film that has a picture"
        while page.evaluate("document.activeElement.id") != "find":
            page.keyboard.press("Tab")
        page.keyboard.type("ward/7.")
        names = "[...document.querySelectorAll('main tr .path')]"
        page.wait_for_function(f"{names}.filter(e => e.offsetParent).length == 1")
