"""The day on one A4 page for the doctor: counts, who was referred, what nobody has looked at."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import islice

from edge_infer.page.faults import describe_faults
from edge_infer.page.html import words_in
from edge_infer.page.paper import describe_who, picture, render_paper
from edge_infer.page.studies import Study, count_examinations, group_by_study, in_page_order
from edge_infer.words.form import PageWords
from edge_infer.worklist.rows import ORDER, Decision, ScreenedDay, count_decisions, count_reasons

MOST_REFERRED = 18
"""With pictures; six lines of three leave room for the rest of one page."""
MOST_UNSEEN = 16
"""Files named one by one."""


def render_summary(day: ScreenedDay) -> str:
    """Return the summary, one A4 page however many films the day had: what has no room is counted.

    Identity stands there only with `--include-patient`.
    """
    words = words_in(day.lang)
    studies = in_page_order(group_by_study(day.rows))
    body = _SHEET.format(
        words=words.papers,
        title=words.papers.summary_title.format(date=words.say_date(day.generated_at)),
        not_a_diagnosis=words.not_a_diagnosis,
        faults="".join(
            f'<p class="fault">{words.faults.heading} {escape(fault)}</p>\n'
            for fault in describe_faults(day.card, words)
        ),
        model=_model(day, words),
        counts=_counts(day, studies, words),
        referred=_referred(day, studies, words),
        unseen=_unseen(day, words),
    )
    return render_paper(words.papers.summary_name, "summary", body, day)


def _model(day: ScreenedDay, words: PageWords) -> str:
    where = words.papers.with_model if day.site is None else words.papers.with_site
    return escape(
        where.format(
            model=f"{day.card.name} {day.card.version}",
            threshold=f"{day.card.operating_points.refer_tb.threshold:.1f}",
            time=f"{day.generated_at:%H:%M}",
        )
    )


def _counts(day: ScreenedDay, studies: Sequence[Study], words: PageWords) -> str:
    films, examinations = count_decisions(day.rows), count_examinations(studies)
    return "".join(
        f"<li><strong>{examinations[decision]:,}</strong>{words.groups[decision].label}"
        f"<small>{words.film.count(films[decision])}</small></li>\n"
        for decision in ORDER
    )


def _referred(day: ScreenedDay, studies: Sequence[Study], words: PageWords) -> str:
    group = [study for study in studies if study.decision is Decision.REFER_TB]
    if not group:
        return f"<p>{words.papers.nobody}</p>\n"
    cells = "".join(_person(study, day, words) for study in islice(group, MOST_REFERRED))
    more = len(group) - MOST_REFERRED
    left = f"<p><strong>{words.papers.more.format(n=more)}</strong></p>\n" if more > 0 else ""
    return f'<ul class="referred">\n{cells}</ul>\n{left}'


def _person(study: Study, day: ScreenedDay, words: PageWords) -> str:
    number, row = study.films[0]
    assert row.finding is not None, "a referred film has a finding"
    line, name = describe_who(study, day, words)
    score = words.tb_score.format(score=row.finding.tb_score)
    return (
        f"<li>{picture(row, day, words, number=number)}<div><strong>{number}. {line}</strong>"
        f'{name}<span class="path">{escape(row.path)}</span><small>{score}</small></div></li>\n'
    )


def _unseen(day: ScreenedDay, words: PageWords) -> str:
    rows = [row for row in day.rows if row.decision is None]
    if not rows:
        return f"<p>{words.papers.all_screened}</p>\n"
    reasons = " · ".join(
        f"{words.reasons[code].why} {number}" for code, number in count_reasons(day.rows).items()
    )
    files = "".join(
        f"<li>{escape(row.path)} <small>"
        f"{words.reasons[row.reason_code].why if row.reason_code else ''}</small></li>\n"
        for row in rows[:MOST_UNSEEN]
    )
    more = len(rows) - MOST_UNSEEN
    left = f"<p>{words.papers.more.format(n=more)}</p>\n" if more > 0 else ""
    return f'<p>{reasons}</p>\n<ul class="unseen">\n{files}</ul>\n{left}'


_SHEET = """\
<section class="sheet">
<h1>{title}</h1>
<p class="soft">{model}</p>
<p><strong>{not_a_diagnosis}</strong> {words.basis}</p>
{faults}<ul class="counts">
{counts}</ul>
<h2>{words.referred}</h2>
{referred}<h2>{words.not_screened}</h2>
{unseen}<div class="sign"><div>{words.seen_by}<div class="line"></div></div>
<div>{words.date_time}<div class="line"></div></div></div>
</section>
"""
