"""What the code says in English is in every other language too."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from edge_infer.pc.language import Lang
from edge_infer.words.catalogue import words_of
from edge_infer.words.sentences import SOURCE, translate
from tests.edge.words_in_code import sentences_in_code

OTHERS = [lang for lang in Lang if lang is not SOURCE]
SAID = sentences_in_code()


@pytest.mark.parametrize("lang", OTHERS)
def test_nothing_that_the_code_says_is_untranslated(lang: Lang) -> None:
    known = words_of(lang).sentences
    missing = {text: place for text, place in SAID.items() if text not in known}
    assert len(SAID) > 100 and not missing


def test_a_sentence_without_a_translation_would_be_noticed(tmp_path: Path) -> None:
    code = 'raise UnsupportedImage(f"This is {what} and {more!r}.", ReasonCode.BLANK)'
    (tmp_path / "reader.py").write_text(code, encoding="utf-8")
    assert sentences_in_code(tmp_path) == {"This is {} and {}.": "reader.py:1"}
    assert "This is {} and {}." not in words_of(Lang.KO).sentences


@pytest.mark.parametrize("lang", OTHERS)
def test_every_blank_of_a_sentence_is_filled_in_once(lang: Lang) -> None:
    for english, other in words_of(lang).sentences.items():
        blanks = [name for _, name, _, _ in Formatter().parse(other) if name is not None]
        numbers = [str(number) for number in range(english.count("{}"))]
        assert sorted(blanks) == numbers, english


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("The file is empty.", "빈 파일입니다."),
        (
            "This is not an X-ray film: Modality (0008,0060) is 'CT'.",
            "일반 X선 촬영 영상이 아닙니다: Modality (0008,0060) 값이 'CT'.",
        ),
        (
            "The patient is a child, and the model is for 15 years and older: about 9 years old by "
            "PatientBirthDate (0010,0030).",
            "소아 영상이며, 이 모델은 15세 이상에만 씁니다: "
            "PatientBirthDate (0010,0030)로 보아 약 9세.",
        ),
        (
            "The picture is too large: Rows (0028,0010) is 20000, Columns (0028,0011) is 9000; the "
            "limit is 120 megapixels.",
            "영상이 너무 큽니다(Rows (0028,0010) 20000, Columns (0028,0011) 9000). "
            "한도는 1억 2천만 화소입니다.",
        ),
        (
            "The file ends before the picture does; copy it again or export it again from its "
            "source.",
            "파일이 영상보다 먼저 끝납니다. 다시 복사하거나 원본에서 다시 내보내십시오.",
        ),
    ],
)
def test_a_sentence_keeps_what_was_filled_in(english: str, korean: str) -> None:
    assert translate(english, Lang.KO) == korean
    assert translate(english, Lang.EN) == english


@pytest.mark.parametrize("text", ["A sentence of another version.", "{0}", "This is .*"])
def test_what_is_not_known_is_said_to_be_so(text: str) -> None:
    assert translate(text, Lang.KO) is None
    assert translate(text, Lang.EN) == text


def test_no_filled_in_text_can_break_a_template() -> None:
    said = translate("This is not a chest film: BodyPartExamined says '{0} {x} %s'.", Lang.KO)
    assert said is not None and "{0} {x} %s" in said and re.search("[가-힣]", said)
