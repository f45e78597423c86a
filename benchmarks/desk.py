"""The desk in Chromium: arrival, opening, dragging, 500 rows, searching, and its memory.

    python -m benchmarks.desk [--rows 500] [--repeats 3]

Linux, Chromium and the extras `desk` and `dev`. A figure holds for the PC it was measured on, and
only while nothing else runs there.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from benchmarks.made_films import SYNTAXES, enlarge, write_dicom
from benchmarks.memory import PHANTOMS, tree_pss
from edge_infer.films.view import ViewRequest, read_view

SHAPE = (2500, 2048)
SMALL = (400, 360)
REST_S = 20.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPENED = """number => new Promise(done => {
  const viewer = document.getElementById("viewer");
  const began = performance.now();
  const seen = new MutationObserver(() => {
    if (viewer.dataset.drawn !== String(number)) return;
    seen.disconnect();
    requestAnimationFrame(() => done(performance.now() - began));
  });
  seen.observe(viewer, { attributes: true });
  document.querySelector(`main .open[data-film="${number}"]`).click();
})"""
"""Milliseconds from the click to the picture on the screen."""
DRAGGED = """frames => new Promise(done => {
  const film = document.getElementById("film");
  const began = performance.now();
  let left = frames;
  const step = () => {
    if (left === 0) { done(1000 * frames / (performance.now() - began)); return; }
    left -= 1;
    const [clientX, clientY] = [400 + 100 * Math.sin(left / 5), 400 + 80 * Math.cos(left / 7)];
    const moved = { pointerId: 1, clientX, clientY, buttons: 1 };
    film.dispatchEvent(new PointerEvent("pointermove", moved));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
"""Frames a second while the window is dragged."""
TYPED = """text => {
  const find = document.getElementById("find");
  const began = performance.now();
  find.value = text;
  find.dispatchEvent(new Event("input", { bubbles: true }));
  document.body.offsetHeight;
  return performance.now() - began;
}"""
"""Milliseconds of one keystroke in the search field, layout included."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        films = Path(name, "films")
        films.mkdir()
        names = write_films(films, chosen.rows)
        print("| what | measured |\n| --- | --- |")
        watch = measure_watch(films, Path(name, "watched"), chosen.rows + len(names))
        with started("desk", films, "--out", Path(name, "out"), "--no-browser") as desk:
            url = read_address(desk)
            wait_for(Path(name, "out"), chosen.rows + len(names))
            before = tree_pss(desk.pid)
            measure_pages(url, films, Path(name, "out"), names, chosen.repeats)
            time.sleep(REST_S)
            after = tree_pss(desk.pid)
        say("watch alone, MB (PSS of all its processes)", f"{watch / 2**20:.0f}")
        say("desk before a page is open, MB more", f"{(before - watch) / 2**20:.0f}")
        say(
            "desk after these pages, its reader still there, MB more",
            f"{(after - watch) / 2**20:.0f}",
        )


def write_films(folder: Path, rows: int) -> dict[str, str]:
    """Write small films for the rows and one large film of each syntax; return their names."""
    phantoms = read_phantoms()
    for at in range(rows):
        write_small(folder / f"small-{at:04}.dcm", phantoms[at % len(phantoms)], seed=at)
    large = enlarge(phantoms[0].astype(np.uint8), SHAPE, seed=1)
    names = {}
    for syntax in (*SYNTAXES, "jpeg_dicom"):
        write_dicom(folder / f"large-{syntax}.dcm", large, syntax)
        names[syntax] = f"large-{syntax}.dcm"
    return names


def read_phantoms() -> list[NDArray[np.float32]]:
    """Return the sample day's films as a screen shows them, 0 to 255: every group has some."""
    shown = []
    for path in sorted(one for one in PHANTOMS.rglob("*") if one.is_file()):
        view = read_view(ViewRequest(path=path)).view
        grey = (view.pixels.astype(np.float32) - view.low) / (view.high - view.low)
        shown.append(np.asarray(grey.clip(0, 1) * 255, np.float32))
    return shown


def write_small(path: Path, phantom: NDArray[np.float32], *, seed: int) -> None:
    """Write a film that differs from all others in brightness and noise."""
    chance = np.random.default_rng(seed)
    small = cv2.resize(phantom, SMALL[::-1], interpolation=cv2.INTER_AREA)
    small = small * chance.uniform(0.85, 1) + chance.normal(0, 3, SMALL)
    write_dicom(path, np.asarray(small.clip(0, 255) * 16, np.uint16), "explicit")


@contextmanager
def started(command: str, *words: object) -> Generator[subprocess.Popen[str], None, None]:
    call = [sys.executable, "-m", f"edge_infer.commands.{command}", *map(str, words)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def read_address(desk: subprocess.Popen[str]) -> str:
    assert desk.stdout is not None
    return desk.stdout.readline().partition(": ")[2].strip()


def count_final(out: Path) -> int:
    if not (out / "day.sqlite").is_file():
        return 0
    with closing(sqlite3.connect(out / "day.sqlite", timeout=20)) as day:
        query = "SELECT count(*) FROM path WHERE sha256 IS NOT NULL AND refusal IS NULL"
        try:
            return int(day.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # just begun


def wait_for(out: Path, n: int) -> None:
    while count_final(out) < n:
        time.sleep(0.5)
    time.sleep(REST_S)  # films are hashed again 10 s after their last change


def measure_watch(films: Path, out: Path, n: int) -> int:
    with started("infer", films, "--watch", "--out", out, "--quiet") as watch:
        wait_for(out, n)
        return tree_pss(watch.pid)


def measure_pages(url: str, films: Path, out: Path, names: dict[str, str], repeats: int) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(120_000)
        measure_list(page, url)
        measure_arrival(page, films, out, repeats)
        measure_opening(page, names, repeats)
        chromium.close()


def measure_list(page: Page, url: str) -> None:
    paints = []
    for _ in range(5):
        page.goto(url)
        page.wait_for_selector("html.scripted")
        paints.append(
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        )
        n = int(page.get_attribute("body", "data-examinations") or 1)
        page.locator("main tbody:not([hidden])").nth(n - 1).wait_for(state="attached")
    rows = page.locator("main tr[data-film]").count()
    say(f"first paint with {rows} rows, ms: median, most", spread(paints))
    typed = []
    for text in ("s", "sm", "small-01", "small-0", "", "x", "") * 4:
        typed.append(page.evaluate(TYPED, text))
        page.wait_for_timeout(150)
    say(f"a keystroke in the search of {rows} rows, ms: median, most", spread(typed))


def measure_arrival(page: Page, films: Path, out: Path, repeats: int) -> None:
    waits = []
    phantoms = read_phantoms()
    for at in range(repeats):
        name = f"late-{at}.dcm"
        write_small(films / name, phantoms[at % len(phantoms)], seed=10_000 + at)
        page.locator(f'main tr[data-film]:not(.unseen):has(.path:text("{name}"))').wait_for(
            state="attached"
        )
        shown = time.time()
        with closing(sqlite3.connect(out / "day.sqlite", timeout=20)) as day:
            query = "SELECT checked_at FROM path WHERE tail = ?"
            waits.append(shown - day.execute(query, (name,)).fetchone()[0])
    say("a row after its film's score, s: median, most", spread(waits, digits=2))


def measure_opening(page: Page, names: dict[str, str], repeats: int) -> None:
    for syntax, name in names.items():
        row = page.locator(f'main tr[data-film]:has(.path:text("{name}"))').first
        number = int(row.get_attribute("data-film") or 0)
        times, ahead = [], []
        for _ in range(repeats):
            times.append(open_once(page, number))
            page.evaluate(f"fetch('ready?film={number}').then(() => 0)")
            ahead.append(open_once(page, number))
        what = f"film of {SHAPE[0]} x {SHAPE[1]} opened, {syntax}, ms"
        say(f"{what}: median, most; pointed at first", f"{spread(times)}; {spread(ahead)}")
    page.evaluate(OPENED, number)
    page.locator("#says").wait_for(state="hidden")
    page.mouse.move(400, 400)
    page.mouse.down()
    say("frames a second while dragging", f"{page.evaluate(DRAGGED, 90):.0f}")
    page.mouse.up()
    page.keyboard.press("Escape")


def open_once(page: Page, number: int) -> float:
    """Open a film and close it; the pause is for the next one, which is read ahead meanwhile."""
    took = float(page.evaluate(OPENED, number))
    page.locator("#says").wait_for(state="hidden")
    page.wait_for_timeout(500)
    page.click("#close")
    return took


def spread(values: Sequence[float], *, digits: int = 0) -> str:
    return f"{statistics.median(values):.{digits}f}, {max(values):.{digits}f}"


def say(what: str, value: str) -> None:
    print(f"| {what} | {value} |", flush=True)


if __name__ == "__main__":
    main()
