"""The team's real images, when they stand beside the checkout; tests that need them skip aloud."""

from __future__ import annotations

from pathlib import Path

import pytest


def shared_data() -> Path:
    """Return the folder of real images beside the checkout, or skip the calling test."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("the real images (../shared/data) are not beside this checkout")
    return folder
