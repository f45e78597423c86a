"""The doctor's page and the laboratory's slips: complete, on their sheets, and without a name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_infer.errors import FileInUse, ReasonCode
from edge_infer.flow.write_lists import write_papers
from edge_infer.page.html import words_in
from edge_infer.page.paper import SLIPS_NAME, SUMMARY_NAME
from edge_infer.page.slips import render_slips
from edge_infer.page.summary import MOST_REFERRED, MOST_UNSEEN, render_summary
from edge_infer.pc.language import Lang
from edge_infer.worklist.rows import ScreenedDay, WorklistRow
from tests.edge.held_files import hold_files
from tests.edge.made_day import WHO, make_day, refused, screened

SECRETS = (WHO.patient_name, WHO.patient_id, WHO.accession_number, WHO.patient_birth_date)


def referred(number: int, uid: str = "") -> WorklistRow:
    row = screened(f"ward/{number}.dcm", "tuberculosis", tb_tenths=900 - number)
    assert row.study is not None
    study = replace(row.study, study_instance_uid=uid or f"1.{number}", age_years=54.2, sex="F")
    return replace(row, study=study)


def a_day(films: int = 3, *, include_patient: bool = False, lang: Lang = Lang.EN) -> ScreenedDay:
    rows = [*map(referred, range(films)), refused("cut.dcm"), screened("fine.dcm")]
    return replace(make_day(rows, include_patient=include_patient), lang=lang)


@pytest.mark.parametrize("lang", Lang)
def test_the_summary_counts_as_the_page_does(lang: Lang) -> None:
    rows = [referred(0, "1.0"), referred(1, "1.0"), refused("cut.dcm"), screened("fine.dcm")]
    text = render_summary(replace(make_day(rows), lang=lang))
    words = words_in(lang)
    two = words.film.count(2)
    assert f"<strong>1</strong>{words.groups[rows[0].decision].label}<small>{two}" in text
    assert words.reasons[ReasonCode.TRUNCATED].why in text and "cut.dcm" in text
    assert words.not_a_diagnosis in text and text.count('class="sheet"') == 1


def test_what_has_no_room_on_one_page_is_counted() -> None:
    cut = [refused(f"cut-{number}.dcm") for number in range(MOST_UNSEEN + 3)]
    rows = [*map(referred, range(MOST_REFERRED + 5)), *cut]
    text = render_summary(make_day(rows))
    assert text.count("<img") == MOST_REFERRED
    assert "And 5 more" in text and "And 3 more" in text


@pytest.mark.parametrize("render", [render_summary, render_slips])
def test_a_paper_names_nobody_unless_asked_for(render: object) -> None:
    assert callable(render)
    silent, asked = render(a_day()), render(a_day(include_patient=True))
    assert not any(secret in silent for secret in SECRETS)
    assert WHO.patient_name in asked and WHO.patient_id in asked
    assert "F 54" in silent and "<script" not in asked and "http" not in asked.replace("http-", "")


def test_two_slips_a_sheet_and_one_an_examination() -> None:
    rows = [referred(0, "1.0"), referred(1, "1.0"), referred(2), referred(3), screened("fine.dcm")]
    text = render_slips(make_day(rows))
    assert (text.count('class="slip"'), text.count('class="sheet"')) == (3, 2)
    assert "TB score 90.0, referred from 40.0" in text and "fine.dcm" not in text
    nobody = render_slips(make_day([screened("fine.dcm")]))
    assert "Nobody was referred" in nobody and 'class="slip"' not in nobody


def test_a_hostile_name_is_only_text() -> None:
    row = referred(0)
    assert row.study is not None
    who = replace(WHO, patient_name="<script>alert(1)</script>", patient_id='"><b>')
    study = replace(row.study, identity=who)
    day = make_day([replace(row, path="<img src=x>.dcm", study=study)], include_patient=True)
    for text in (render_summary(day), render_slips(day)):
        assert "<script" not in text and "<img src=x" not in text and '"><b>' not in text


def test_a_paper_of_an_earlier_run_never_says_what_the_list_no_longer_says(tmp_path: Path) -> None:
    asked = a_day(include_patient=True)
    both = tmp_path / SUMMARY_NAME, tmp_path / SLIPS_NAME
    assert write_papers(a_day(), tmp_path, with_summary=False, with_slips=False) == ()
    assert write_papers(asked, tmp_path, with_summary=True, with_slips=True) == both
    assert WHO.patient_name in both[0].read_text("utf-8")
    later = a_day(films=1)
    assert write_papers(later, tmp_path, with_summary=False, with_slips=False) == both
    assert [path.read_text("utf-8") for path in both] == [
        render_summary(later),
        render_slips(later),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([SUMMARY_NAME, SLIPS_NAME])


def test_a_paper_that_is_open_elsewhere_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_papers(a_day(), tmp_path, with_summary=True, with_slips=False)
    hold_files(monkeypatch).add(SUMMARY_NAME)
    with pytest.raises(FileInUse, match=r"The list is written, but summary.html .* close it"):
        write_papers(a_day(), tmp_path, with_summary=True, with_slips=False)
