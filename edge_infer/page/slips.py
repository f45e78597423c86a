"""A slip for the laboratory per referred examination, two on a sheet of A4 to cut apart.

What is not known, or was not asked for, is a line to write on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from edge_infer.page.faults import describe_faults
from edge_infer.page.html import words_in
from edge_infer.page.paper import describe_who, picture, render_paper
from edge_infer.page.studies import Study, group_by_study, in_page_order
from edge_infer.words.form import PageWords
from edge_infer.worklist.rows import Decision, ScreenedDay


def render_slips(day: ScreenedDay) -> str:
    """Return the slips of the day's referred examinations, in the page's order and numbers."""
    words = words_in(day.lang)
    group = [
        study
        for study in in_page_order(group_by_study(day.rows))
        if study.decision is Decision.REFER_TB
    ]
    body = "".join(_sheets(group, day, words)) or (
        f'<section class="sheet"><p>{words.papers.nobody}</p></section>\n'
    )
    return render_paper(words.papers.slip_title, "slips", body, day)


def _sheets(group: Sequence[Study], day: ScreenedDay, words: PageWords) -> Iterator[str]:
    for start in range(0, len(group), 2):
        slips = "".join(_slip(study, day, words) for study in group[start : start + 2])
        yield f'<section class="sheet">\n{slips}</section>\n'


def _slip(study: Study, day: ScreenedDay, words: PageWords) -> str:
    papers, (number, row) = words.papers, study.films[0]
    assert row.finding is not None, "a referred film has a finding"
    line, name = describe_who(study, day, words)
    who = row.study.identity if row.study is not None and day.include_patient else None
    known = {
        papers.patient_name: name,
        papers.patient_number: escape(who.patient_id) if who is not None else "",
        papers.requested_by: "",
        papers.date_time: "",
    }
    return _SLIP.format(
        papers=papers,
        picture=picture(row, day, words, number=number),
        line=line,
        number=number,
        date=words.say_date(day.generated_at),
        path=escape(row.path),
        why=papers.why.format(
            score=row.finding.tb_score,
            threshold=f"{day.card.operating_points.refer_tb.threshold:.1f}",
        ),
        not_a_diagnosis=words.not_a_diagnosis,
        faults="".join(
            f'<p class="fault">{escape(fault)}</p>\n' for fault in describe_faults(day.card, words)
        ),
        fields="".join(_field(label, value) for label, value in known.items()),
        tests="".join(f'<li><i class="box"></i>{test}</li>' for test in papers.tests),
        results="".join(f'<li><i class="box"></i>{result}</li>' for result in papers.results),
        result_fields="".join(_field(label, "") for label in (papers.laboratory, papers.date_time)),
    )


def _field(label: str, value: str) -> str:
    return (
        f'<div><b>{label}</b><span class="line{" given" if value else ""}">{value}</span></div>\n'
    )


_SLIP = """\
<article class="slip">
<header>{picture}<div><h1>{papers.slip_title}</h1>
<p class="who">{line}</p>
<p>{date} · {papers.number} {number}<br><small>{path}</small></p></div></header>
<p>{why} <strong>{not_a_diagnosis}</strong></p>
{faults}<div class="fields">
{fields}</div>
<p>{papers.tests_asked}</p>
<ul class="tests">{tests}</ul>
<h2>{papers.result}</h2>
<ul class="tests">{results}</ul>
<div class="fields">
{result_fields}</div>
</article>
"""
