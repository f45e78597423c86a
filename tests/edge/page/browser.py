"""Chromium, driven by playwright, and axe-core, which looks for what keeps somebody out."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.edge.page.test_report_browser import NAMES

_AXE = Path(__file__).resolve().parents[3] / "node_modules" / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(
    not _AXE.is_file(),
    reason="axe-core is not in node_modules (npm install --no-save --prefix . axe-core)",
)


@contextmanager
def launch() -> Generator[Browser, None, None]:
    """Yield the browser of this machine; skips the test aloud where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def look_for_barriers(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical on the page as it is now."""
    page.evaluate(_AXE.read_text(encoding="utf-8") + "; 0")
    found = page.evaluate("axe.run().then(all => all.violations)")
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
