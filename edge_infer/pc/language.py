"""Which language the page is written in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from locale import windows_locale

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which POSIX asks them; the first that is set decides."""


class Lang(StrEnum):
    """A language of page and terminal; its value is its HTML `lang` and its file in `words/`."""

    EN = "en"
    KO = "ko"


def default_language() -> Lang:
    """Return this user's language, English where it is neither."""
    return choose_language(os.environ, windows_language=_windows_language())


def choose_language(environment: Mapping[str, str], *, windows_language: int | None) -> Lang:
    """Choose by Windows' user interface language (a LANGID) or, elsewhere, by the locale's name."""
    if windows_language is not None:
        name = windows_locale.get(windows_language, "")
    else:
        name = next((environment[name] for name in _VARIABLES if environment.get(name)), "")
    spoken = re.split(r"[_.@-]", name.lower())[0]
    return Lang(spoken) if spoken in {*Lang} else Lang.EN


def _windows_language() -> int | None:
    if sys.platform != "win32":
        return None
    import ctypes

    return int(ctypes.windll.kernel32.GetUserDefaultUILanguage())
