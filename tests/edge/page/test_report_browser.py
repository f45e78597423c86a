"""The page in a real browser: it opens, its script runs, nothing is refused or broken."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.films.study import InputType, StudyInfo
from edge_infer.page.html import render_page
from edge_infer.pc.language import Lang
from edge_infer.worklist.rows import WorklistRow
from tests.edge.made_day import make_day, refused, screened
from tests.edge.made_heat import grey_jpeg

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


def open_page(browser: str, page: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the page as the browser holds it after loading, and what its console says."""
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --dump-dom "
        "--disable-background-networking --disable-component-update --disable-sync "
        "--enable-logging=stderr"
    )
    done = subprocess.run(
        [browser, *options.split(), f"--user-data-dir={profile}", page.as_uri()],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def film(number: int) -> WorklistRow:
    row = screened(f"ward/{number}.dcm", "tuberculosis" if number % 3 == 0 else "normal")
    study = StudyInfo(input_type=InputType.DICOM, study_instance_uid=f"1.{number}")
    return replace(
        row, study=study, thumbnail=grey_jpeg(), heat=grey_jpeg(), heat_class="tuberculosis"
    )


def write_page(path: Path, films: int, lang: Lang) -> str:
    rows = [*map(film, range(films - 1)), refused("cut.dcm")]
    text = "".join(render_page(replace(make_day(rows), lang=lang)))
    path.write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize(("films", "lang"), [(3, Lang.KO), (500, Lang.EN)])
def test_it_opens_without_a_complaint(browser: str, tmp_path: Path, films: int, lang: Lang) -> None:
    write_page(tmp_path / "report.html", films, lang)
    shown, complaints = open_page(browser, tmp_path / "report.html", tmp_path / "profile")
    assert complaints == []
    assert f'<html lang="{lang}" class="scripted">' in shown, "the script ran to its end"
    assert shown.count("<tbody") == films + 1
    search = re.search('<div class="tools"[^>]*>', shown)
    assert search is not None and "hidden" not in search[0]


def test_a_script_that_came_in_from_outside_is_refused(browser: str, tmp_path: Path) -> None:
    """And a complaint is noticed, without which the test above could not fail."""
    page = tmp_path / "report.html"
    text = write_page(page, 3, Lang.EN)
    foreign = "<script>document.title = 'taken'</script></body>"
    page.write_text(text.replace("</body>", foreign), encoding="utf-8")
    shown, complaints = open_page(browser, page, tmp_path / "profile")
    assert "<title>X-ray worklist" in shown
    assert len(complaints) == 1 and "Content Security Policy" in complaints[0]
