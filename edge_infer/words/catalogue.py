"""All that is said in one language, by its name."""

from __future__ import annotations

import importlib

from edge_infer.pc.language import Lang
from edge_infer.words.form import Words


def words_of(lang: Lang) -> Words:
    """Return everything said in a language; its file is named as its `Lang`."""
    found = importlib.import_module(f"edge_infer.words.{lang.value}").WORDS
    assert isinstance(found, Words), "a language is one `Words`"
    return found
