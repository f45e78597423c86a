"""Films of one examination stand together, where the most urgent of them stands."""

from __future__ import annotations

from dataclasses import replace

from edge_infer.errors import ReasonCode
from edge_infer.films.study import InputType, StudyInfo
from edge_infer.page.studies import count_examinations, group_by_study, in_page_order
from edge_infer.worklist.rows import Decision, WorklistRow, in_order
from tests.edge.made_day import refused, screened


def of_study(row: WorklistRow, uid: str) -> WorklistRow:
    return replace(row, study=StudyInfo(input_type=InputType.DICOM, study_instance_uid=uid))


def shape(rows: list[WorklistRow]) -> list[tuple[Decision | None, list[tuple[int, str]]]]:
    return [
        (study.decision, [(rank, row.path) for rank, row in study.films])
        for study in group_by_study(in_order(rows))
    ]


def test_the_most_urgent_film_decides() -> None:
    rows = [
        of_study(screened("clear.dcm"), "1.2"),
        of_study(refused("side.dcm", ReasonCode.LATERAL_VIEW), "1.2"),
        of_study(screened("tb.dcm", "tuberculosis", tb_tenths=900), "1.2"),
        of_study(screened("other.dcm", "pneumonia"), "1.3"),
        of_study(refused("alone.dcm", ReasonCode.LATERAL_VIEW), "1.4"),
        of_study(screened("with-alone.dcm"), "1.4"),
    ]
    assert shape(rows) == [
        (Decision.REFER_TB, [(1, "tb.dcm"), (4, "side.dcm"), (5, "clear.dcm")]),
        (Decision.ABNORMAL, [(2, "other.dcm")]),
        (None, [(3, "alone.dcm"), (6, "with-alone.dcm")]),
    ]


def test_a_film_without_a_study_stands_alone() -> None:
    rows = [
        of_study(screened("a.png"), ""),
        of_study(screened("b.png"), ""),
        replace(refused("c.png"), study=None),
        replace(refused("d.png"), study=None),
    ]
    assert [len(films) for _, films in shape(rows)] == [1, 1, 1, 1]


def test_no_film_is_lost_or_doubled() -> None:
    rows = [of_study(screened(f"{n}.dcm", tb_tenths=n), f"1.{n % 7}") for n in range(40)]
    ranks = [rank for _, films in shape(rows) for rank, _ in films]
    assert sorted(ranks) == list(range(1, 41))


def test_the_page_numbers_films_from_top_to_bottom_and_loses_none() -> None:
    rows = [
        of_study(screened("tb.dcm", "tuberculosis", tb_tenths=900), "1.2"),
        of_study(screened("tb2.dcm", "tuberculosis", tb_tenths=800), "1.3"),
        of_study(screened("with-tb.dcm"), "1.2"),
        of_study(refused("side.dcm", ReasonCode.LATERAL_VIEW), "1.4"),
    ]
    listed = in_order(rows)
    ordered = in_page_order(group_by_study(listed))
    films = [(number, row.path) for study in ordered for number, row in study.films]
    assert films == [(1, "tb.dcm"), (2, "with-tb.dcm"), (3, "tb2.dcm"), (4, "side.dcm")]
    assert [row.path for row in listed] == ["tb.dcm", "tb2.dcm", "side.dcm", "with-tb.dcm"]


def test_examinations_are_counted_by_their_most_urgent_film() -> None:
    rows = [
        of_study(screened("tb.dcm", "tuberculosis", tb_tenths=900), "1.2"),
        of_study(screened("with-tb.dcm"), "1.2"),
        of_study(screened("fine.dcm"), "1.3"),
    ]
    assert count_examinations(group_by_study(in_order(rows))) == {
        Decision.REFER_TB: 1,
        Decision.ABNORMAL: 0,
        Decision.UNCERTAIN: 0,
        None: 0,
        Decision.CLEAR: 1,
    }
