"""UIDs of results: the same film, model and thresholds give the same, on every PC and every day.

So a result that is made or sent again is no second object in the archive. UUID-derived (PS3.5 B.2),
of a hash in the place of chance (version 8 of RFC 9562).
"""

from __future__ import annotations

import hashlib
import json
from typing import Final
from uuid import UUID

_VERSION: Final = 1
"""Counted up where the same findings are written as other objects."""
_UUID_VERSION, _UUID_VARIANT = 8, 0b10


def derive_uid(kind: str, *facts: str | int | float | None) -> str:
    """Return the UID of one kind of thing about these facts."""
    text = json.dumps(["cxr-edge", _VERSION, kind, *facts])
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    number = number & ~(0xF << 76) | _UUID_VERSION << 76
    number = number & ~(0b11 << 62) | _UUID_VARIANT << 62
    return f"2.25.{UUID(int=number).int}"
