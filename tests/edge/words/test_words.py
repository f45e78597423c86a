"""Both languages say everything, with the same blanks to fill in."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from string import Formatter
from typing import Any

import pytest

from edge_infer.errors import ReasonCode
from edge_infer.model.model_card import CLASSES
from edge_infer.page.html import words_in
from edge_infer.pc.language import Lang, choose_language
from edge_infer.words.catalogue import words_of
from edge_infer.words.form import KEYS
from edge_infer.worklist.rows import ORDER, Decision, Status
from tests.edge.made_day import make_day

HANGUL = re.compile("[가-힣]")


def texts(value: Any, name: str = "") -> dict[str, str]:
    """Return every text of a language by where it stands."""
    if isinstance(value, str):
        return {name: value}
    if is_dataclass(value):
        inside: Any = {field.name: getattr(value, field.name) for field in fields(value)}
    else:
        inside = value if hasattr(value, "items") else dict(enumerate(value))
    return {k: v for key, one in inside.items() for k, v in texts(one, f"{name}/{key}").items()}


def texts_of(lang: Lang) -> dict[str, str]:
    """Return all that is said, by name; what is known by its English is tested elsewhere."""
    rest = replace(words_of(lang), sentences={})
    return {name.removeprefix("/page"): text for name, text in texts(rest).items()}


ENGLISH, KOREAN = (texts_of(lang) for lang in (Lang.EN, Lang.KO))


@pytest.mark.parametrize("lang", Lang)
def test_every_code_has_its_words(lang: Lang) -> None:
    words = words_in(lang)
    assert set(words.groups) == set(KEYS) == set(ORDER) == {*Decision, None}
    assert set(words.statuses) == set(Status)
    assert set(words.reasons) == set(ReasonCode)
    assert set(words.classes) == set(CLASSES)
    assert len(words.months) == 12 and len(words.weekdays) == 7


def test_both_languages_have_the_same_texts_with_the_same_blanks() -> None:
    assert ENGLISH.keys() == KOREAN.keys()
    for name, text in ENGLISH.items():
        blanks = [
            {field for _, field, _, _ in Formatter().parse(one) if field}
            for one in (text, KOREAN[name])
        ]
        assert blanks[0] == blanks[1], name


def test_nothing_is_left_untranslated_or_empty() -> None:
    assert [name for name, text in ENGLISH.items() if not text] == ["/about/intended_use"]
    assert not any(HANGUL.search(text) for text in ENGLISH.values())
    assert all(HANGUL.search(text) for text in KOREAN.values())


def test_no_text_is_markup() -> None:
    for text in (*ENGLISH.values(), *KOREAN.values()):
        assert not set('<>&"') & set(text), text


def test_a_date_does_not_ask_the_pc_s_locale() -> None:
    when = make_day([]).generated_at
    assert words_in(Lang.EN).say_date(when) == "Monday 23 November 2026"
    assert words_in(Lang.KO).say_date(when) == "2026년 11월 23일 월요일"


@pytest.mark.parametrize(
    ("environment", "windows", "expected"),
    [
        ({}, None, Lang.EN),
        ({"LANG": "ko_KR.UTF-8"}, None, Lang.KO),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, None, Lang.EN),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ko_KR"}, None, Lang.KO),
        ({"LANG": "", "LC_ALL": ""}, None, Lang.EN),
        ({"LANG": "fr_FR"}, None, Lang.EN),
        ({}, 0x0412, Lang.KO),
        ({"LANG": "ko_KR"}, 0x0409, Lang.EN),
    ],
)
def test_the_pc_s_language_decides(
    environment: dict[str, str], windows: int | None, expected: Lang
) -> None:
    assert choose_language(environment, windows_language=windows) is expected
