"""Sentences that the code says in English, said in another language.

The lists keep English; a page or a terminal translates. The English text itself is the key, with
`{}` for what is filled in, so that a sentence which was kept in `day.sqlite` can be translated too.
What is filled in may be a sentence's part with an entry of its own (`Rows (0028,0010) is empty`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from edge_infer.pc.language import Lang
from edge_infer.words.catalogue import words_of

SOURCE: Final = Lang.EN
"""The language in which the code says them."""


def translate(sentence: str, lang: Lang) -> str | None:
    """Return the sentence in `lang`, itself in English; None where it is not in the catalogue."""
    if lang is SOURCE or not sentence:
        return sentence
    for pattern, template in _patterns(lang):
        if match := pattern.fullmatch(sentence):
            filled = (translate(part, lang) or part for part in match.groups())
            return template.format(*filled)
    return None


@cache
def _patterns(lang: Lang) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return what recognises each sentence; of several that fit, the one with most own text."""
    known = words_of(lang).sentences
    by_length = sorted(known, key=lambda key: len(key.replace("{}", "")), reverse=True)
    return tuple(
        (re.compile("(.+?)".join(map(re.escape, key.split("{}"))), re.DOTALL), known[key])
        for key in by_length
    )
