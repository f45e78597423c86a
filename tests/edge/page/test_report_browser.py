"""The page in a real browser: it opens, its script runs, nothing is refused or broken."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.films.study import Identity, InputType, StudyInfo
from edge_infer.page.html import render_page
from edge_infer.page.slips import render_slips
from edge_infer.page.summary import render_summary
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


def open_page(
    browser: str, page: Path, profile: Path, *, wait_ms: int = 0
) -> tuple[str, list[str]]:
    """Return the page as the browser holds it some time after loading, and what its console says.

    The time is the page's own: nobody waits for it.
    """
    options = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --dump-dom "
        "--disable-background-networking --disable-component-update --disable-sync "
        "--enable-logging=stderr"
    )
    done = subprocess.run(
        [
            *(browser, *options.split(), f"--user-data-dir={profile}"),
            *([f"--virtual-time-budget={wait_ms}"] if wait_ms else []),
            page.as_uri(),
        ],
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


WORK_WITH_IT = """async () => {
  const [find, sort] = ["find", "sort"].map((id) => document.getElementById(id));
  const settle = () => new Promise((done) => setTimeout(done, 800));
  const bodies = () => [...document.querySelectorAll("main tbody")];
  const shown = () => bodies().filter((one) => !one.hidden);
  const tables = () => document.querySelectorAll("main table").length;
  const type = (text) => {
    find.value = text;
    find.dispatchEvent(new Event("input"));
  };
  await settle();
  const seen = [shown().length, tables()];
  type("ward/7");
  seen.push(shown().length, document.getElementById("shown").textContent);
  type("");
  seen.push(shown().length <= 30);
  await settle();
  seen.push(shown().length);
  sort.value = "path";
  sort.dispatchEvent(new Event("change"));
  const names = [...document.querySelectorAll("#clear .path")].map((one) => one.textContent);
  const numbers = names.map((name) => parseInt(name.slice("ward/".length)));
  seen.push(numbers.every((number, at) => !at || numbers[at - 1] < number));
  dispatchEvent(new Event("beforeprint"));
  seen.push(shown().length, tables());
  dispatchEvent(new Event("afterprint"));
  seen.push(tables());
  document.title = JSON.stringify(seen);
}"""


def test_many_rows_are_searched_sorted_and_printed(browser: str, tmp_path: Path) -> None:
    """By a script of the test's own, which the page's policy is made to let in."""
    text = write_page(tmp_path / "report.html", 80, Lang.EN)
    text = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", text)
    text = text.replace("</body>", f"<script type=module>await ({WORK_WITH_IT})()</script></body>")
    (tmp_path / "worked.html").write_text(text, encoding="utf-8")
    shown, complaints = open_page(
        browser, tmp_path / "worked.html", tmp_path / "profile", wait_ms=9000
    )
    assert complaints == []
    said = re.search("<title>(.*?)</title>", shown)
    assert said is not None
    everything = [80, 10, 10, "10 of 80 examinations shown", True, 80, True, 80, 3, 10]
    assert json.loads(html.unescape(said[1])) == everything


def print_pages(browser: str, page: Path, folder: Path) -> int:
    """Print a page as Chromium prints it and return how many sheets that takes."""
    options = "--headless --no-sandbox --disable-gpu --no-first-run --no-pdf-header-footer"
    pdf = folder / "printed.pdf"
    subprocess.run(
        [
            *(browser, *options.split(), f"--user-data-dir={folder / 'profile'}"),
            *(f"--print-to-pdf={pdf}", page.as_uri()),
        ],
        capture_output=True,
        check=True,
        timeout=300,
    )
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf.read_bytes()))


@pytest.mark.slow
@pytest.mark.parametrize("lang", Lang)
def test_the_fullest_day_is_one_sheet_for_the_doctor(
    browser: str, tmp_path: Path, lang: Lang
) -> None:
    who = Identity(patient_id="0123456789-ABCDEF", patient_name="Long^Name Of Somebody" * 4)
    study = StudyInfo(input_type=InputType.DICOM, age_years=54, sex="M", identity=who)
    referred = [
        replace(film(3 * n), study=replace(study, study_instance_uid=f"2.{n}")) for n in range(60)
    ]
    cut = [refused(f"a folder with a long name/{n}-of-many.dcm") for n in range(60)]
    day = replace(make_day([*referred, *cut], include_patient=True), lang=lang)
    (tmp_path / "summary.html").write_text(render_summary(day), encoding="utf-8")
    assert print_pages(browser, tmp_path / "summary.html", tmp_path) == 1
    (tmp_path / "slips.html").write_text(render_slips(day), encoding="utf-8")
    assert print_pages(browser, tmp_path / "slips.html", tmp_path) == 30
