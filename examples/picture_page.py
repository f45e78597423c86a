"""Make docs/report.png again, the README's first picture: `python examples/picture_page.py`.

Screens examples/day with the bundled model and takes a picture of the page in Chromium.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1280, 1900
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
GREYS = 64
"""Levels kept of each colour: a third of the file, and nothing to be seen."""


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        screen = [sys.executable, "-m", "edge_infer", str(ROOT / "examples" / "day")]
        subprocess.run([*screen, "--out", place, "--lang", "en", "--quiet"], check=True)
        take_picture(Path(place) / "report.html", ROOT / "docs" / "report.png")


def take_picture(page: Path, to: Path) -> None:
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        sys.exit("no Chromium on this machine")
    with tempfile.TemporaryDirectory() as place:
        shot = Path(place) / "page.png"
        options = (
            "--headless --no-sandbox --disable-gpu --no-first-run --hide-scrollbars "
            "--disable-background-networking --disable-component-update --disable-sync "
            f"--window-size={WIDTH},{HEIGHT} --user-data-dir={place}/profile --screenshot={shot}"
        )
        subprocess.run([browser, *options.split(), page.as_uri()], check=True, capture_output=True)
        picture = cv2.imread(str(shot))
    assert picture is not None
    step = 256 // GREYS
    few = picture // step * step + step // 2
    few[picture > 255 - step] = 255
    written = cv2.imencode(".png", few, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    to.write_bytes(written)
    print(f"{to.name}: {len(written) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
