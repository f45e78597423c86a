"""docs/architecture.md names files that exist and every room, on one page."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_file_named_is_there() -> None:
    named = re.findall(r"`((?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.py)?)`", TEXT)
    homes = [
        ROOT / "edge_infer",
        ROOT / "edge_infer" / "films",
        ROOT / "train" / "cxr_train",
        ROOT / "export",
    ]
    missing = {name for name in named if not any((home / name).exists() for home in homes)}
    assert len(named) > 30 and not missing


def test_every_room_has_its_line() -> None:
    packages = (ROOT / "edge_infer", ROOT / "train" / "cxr_train")
    rooms = {path.parent.name for one in packages for path in one.glob("*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `(\w+)/` \|", TEXT, flags=re.M))


def test_the_glossary_has_at_most_twenty_words() -> None:
    glossary = TEXT.partition("## Words")[2]
    assert 10 < len(re.findall(r"\*\*[a-z ]+\*\*", glossary)) <= 20
