"""Which language the page is written in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from enum import StrEnum

_WINDOWS_KOREAN = 0x12
"""Primary language identifier: the low ten bits of a LANGID."""
_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which POSIX asks them; the first that is set decides."""


class Lang(StrEnum):
    """A language of the page; the value is its HTML `lang`."""

    EN = "en"
    KO = "ko"


def default_language() -> Lang:
    """Return this user's language, English where it is neither."""
    return choose_language(os.environ, windows_language=_windows_language())


def choose_language(environment: Mapping[str, str], *, windows_language: int | None) -> Lang:
    """Choose by Windows' user interface language (a LANGID) or, elsewhere, by the locale's name."""
    if windows_language is not None:
        return Lang.KO if windows_language & 0x3FF == _WINDOWS_KOREAN else Lang.EN
    name = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    return Lang.KO if name.lower().startswith("ko") else Lang.EN


def _windows_language() -> int | None:
    if sys.platform != "win32":
        return None
    import ctypes

    return int(ctypes.windll.kernel32.GetUserDefaultUILanguage())
