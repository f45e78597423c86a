"""The live page: the static page's rows, words and style, with what can be done about a row.

The page comes with its first lines, so that it is there at once; the others come after it, and
later each that changes. Everything that a header or a file name could say is escaped, and nothing
but the desk's own script can run (see `guard.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from edge_infer.desk.live_day import LiveDay, LiveFilm, LiveStudy
from edge_infer.page.html import render_warnings
from edge_infer.page.html_about import render_about
from edge_infer.page.html_rows import film_cell, may_hold_text, reason_cells, score_cells
from edge_infer.pc.language import Lang
from edge_infer.words.form import KEYS, Words
from edge_infer.words.sentences import translate
from edge_infer.worklist.marks import CONFIRMED, LONGEST_NOTE, RULED_OUT, Mark, MarkKind
from edge_infer.worklist.rows import ORDER, Decision, count_decisions

_COLUMNS = 7
_AT_ONCE = 20
"""Examinations that come with the page: more than a screen has."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the page says beside the day's rows."""

    words: Words
    watched: str | None
    """The folder whose films arrive here; None where a kept list is shown."""
    trouble: str = ""
    """What keeps the watch from its work, in the program's own words."""
    can_end: bool = True
    """Whether this page may end the desk, and show files: it is on the same PC."""


def render_head(live: LiveDay, around: Surroundings) -> dict[str, str]:
    """Return the parts of the page above the list, by the id of their element; and the title."""
    words, page = around.words.desk, around.words.page
    archives = words.archives if around.watched is not None else None
    referred = [one for one in live.studies if one.decision is Decision.REFER_TB]
    n = sum(study.is_to_order for study in referred)
    if not live.studies:
        task = words.empty
    elif not referred:
        task = words.nothing_referred
    elif n:
        task = words.to_order.format(n=n, referred=len(referred))
    else:
        task = words.nothing_to_order
    return {
        "title": f"{words.tab_to_order.format(n=n)} · {words.tab}" if n else words.tab,
        "to-order": str(n),
        "status": _status(live, around),
        "task": f"<strong>{task}</strong>" if n else task,
        "tiles": "".join(_tiles(live, around)),
        "warnings": "".join(render_warnings(live.day, page, archives=archives)),
        "date": page.say_date(live.day.generated_at),
    }


def _status(live: LiveDay, around: Surroundings) -> str:
    words = around.words.desk
    parts = [words.no_film]
    if live.last_film_at is not None:
        at = datetime.fromtimestamp(live.last_film_at)
        parts = [words.last_film.format(time=f"<time>{at:%H:%M}</time>")]
    if around.watched is None:
        parts.append(words.not_watching)
    else:
        parts.append(words.watching.format(folder=f"<bdi>{escape(around.watched)}</bdi>"))
    if live.n_arriving:
        parts.append(words.arriving.count(live.n_arriving))
    text = " · ".join(parts)
    if around.trouble:
        text += f' <span class="trouble"{_say_trouble(around.trouble, live.day.lang)}</span>'
    return text


def _say_trouble(trouble: str, lang: Lang) -> str:
    """Return the end of a tag, and the sentences in `lang`; in English where one is not known."""
    parts = [translate(part, lang) for part in trouble.split("; ")]
    known = [part for part in parts if part is not None]
    says = "; ".join(known) if len(known) == len(parts) else translate(trouble, lang)
    return f' lang="en">{escape(trouble)}' if says is None else f">{escape(says)}"


def _tiles(live: LiveDay, around: Surroundings) -> Iterator[str]:
    page = around.words.page
    films = count_decisions(live.day.rows)
    for decision in ORDER:
        n = sum(study.decision is decision for study in live.studies)
        if decision is Decision.UNCERTAIN and not films[decision]:
            continue
        text = f"<strong>{n:,}</strong> <span>{page.groups[decision].label}</span>"
        text += f" <small>{page.film.count(films[decision])}</small>" if films[decision] else ""
        key = KEYS[decision]
        if n:
            yield f'<li class="{key}"><a href="#{key}">{text}</a></li>\n'
        else:
            yield f'<li class="{key} none"><div>{text}</div></li>\n'


def render_groups(live: LiveDay) -> dict[str, list[str]]:
    """Return the examinations' keys, in order, by group; every group, empty ones too."""
    return {
        KEYS[decision]: [study.key for study in live.studies if study.decision is decision]
        for decision in ORDER
    }


def render_lines(study: LiveStudy, live: LiveDay, words: Words) -> str:
    """Return one examination's table body."""
    several = len(study.films) > 1
    first = study.films[0]
    score = first.row.finding.tb_tenths if first.row.finding is not None else -1
    taken = first.row.study
    time = taken.taken_at if taken is not None and live.day.with_age_sex else ""
    head, follow_up = "", _follow_up(study, words, span=len(study.films) + several)
    if several:
        says = words.page.one_examination.format(films=words.page.film.count(len(study.films)))
        head = (
            f'<tr class="together"><th scope="rowgroup" colspan="{_COLUMNS - 1}">{says}</th>'
            f"{follow_up}</tr>\n"
        )
        follow_up = ""
    lines = []
    for film in study.films:
        lines.append(_line(film, live, words, group=study.decision, follow_up=follow_up))
        follow_up = ""
    return (
        f'<tbody id="{study.key}" class="{"study several" if several else "study"}" '
        f'data-rank="{first.rank}" data-score="{score}" data-time="{escape(time)}">\n'
        f"{head}{''.join(lines)}</tbody>\n"
    )


def _line(
    film: LiveFilm, live: LiveDay, words: Words, *, group: Decision | None, follow_up: str
) -> str:
    row, page = film.row, words.page
    label = page.groups[row.decision].label
    is_scored = row.finding is not None
    return _LINE.format(
        number=film.number,
        rank=film.rank,
        key=KEYS[row.decision] if row.decision is not None else "unseen unscreened",
        picture=_picture(film, live, words),
        film=film_cell(row, live.day, page),
        label=label if row.decision is not None else page.statuses[row.status],
        result=score_cells(row, live.day, page, group)
        if is_scored
        else reason_cells(row, live.day, page),
        follow_up=follow_up,
    )


def hides_picture(film: LiveFilm, live: LiveDay) -> bool:
    """Tell whether text in the film keeps its small picture from being shown unasked."""
    return may_hold_text(film.row) and not live.day.include_patient


def _picture(film: LiveFilm, live: LiveDay, words: Words) -> str:
    """Return a button that opens the film; of one without a picture, empty."""
    name = words.desk.open_film.format(rank=film.rank)
    inside, kind = '<span class="blank" aria-hidden="true">+</span>', " empty"
    if hides_picture(film, live):
        inside = f'<span class="blank">{words.page.hidden_picture}</span>'
        name = f"{name}. {words.page.hidden_picture}"
    elif film.row.thumbnail:
        # The content in the address: a film that was replaced has another picture.
        version = (film.file.sha256 or "")[:12]
        kind = ""
        inside = f'<img src="thumbnail/{film.number}?{version}" alt="" decoding="async">'
    return (
        f'<button type="button" class="look open{kind}" data-film="{film.number}" '
        f'aria-label="{name}">{inside}</button>'
    )


def _follow_up(study: LiveStudy, words: Words, *, span: int) -> str:
    """Return the cell of ticks: for a referral all of them, else what a doctor needs."""
    desk, page, marks = words.desk, words.page, study.marks
    shown = [(MarkKind.SEEN, desk.seen_short, desk.seen)]
    tests = [
        (MarkKind.TEST_ORDERED, page.test_ordered, desk.ordered),
        (MarkKind.TEST_DONE, page.test_done, desk.done),
    ]
    is_referral = study.decision is Decision.REFER_TB
    if study.decision is Decision.CLEAR:
        shown = [one for one in shown if one[0] in marks]
    shown = [one for one in tests if is_referral or one[0] in marks] + shown
    boxes = [
        _box(study.films[0], kind, (short, whole), marks.get(kind), words)
        for kind, short, whole in shown
        if study.contents
    ]
    boxes += [f'<span class="said">{text}</span>' for text in _said(marks, words)]
    return f'<td class="test" rowspan="{span}">{"".join(boxes)}</td>'


def _box(
    film: LiveFilm, kind: MarkKind, names: tuple[str, str], mark: Mark | None, words: Words
) -> str:
    (short, whole), of_film = names, words.desk.viewer.film.format(rank=film.rank)
    since = f" <time>{_clock(mark)}</time>" if mark is not None else ""
    return (
        f'<label class="tick" title="{whole}"><input type="checkbox" data-film="{film.number}" '
        f'data-kind="{kind}" data-what="{whole}" aria-label="{whole}, {of_film}"'
        f"{' checked' if mark is not None else ''}><span>{short}{since}</span></label>"
    )


def _said(marks: Mapping[MarkKind, Mark], words: Words) -> Iterator[str]:
    desk = words.desk
    if MarkKind.TB in marks:
        what = desk.confirmed if marks[MarkKind.TB].value == CONFIRMED else desk.ruled_out
        yield f"{desk.truth}: {what}"
    if MarkKind.NOTE in marks:
        yield f"<bdi>{escape(marks[MarkKind.NOTE].value)}</bdi>"


def _clock(mark: Mark) -> str:
    at = datetime.fromisoformat(mark.since)
    return f"{at:%H:%M}" if at.date() == datetime.now().date() else f"{at:%m-%d %H:%M}"


def describe_film(
    study: LiveStudy, film: LiveFilm, live: LiveDay, around: Surroundings
) -> dict[str, Any]:
    """Return what the viewer says beside a film, ready to be shown."""
    words, row = around.words, film.row
    is_scored = row.finding is not None
    cells = (
        score_cells(row, live.day, words.page, study.decision)
        if is_scored
        else reason_cells(row, live.day, words.page)
    )
    label = words.page.groups[row.decision].label
    marks = study.marks
    return {
        "number": film.number,
        "rank": film.rank,
        "heading": words.desk.viewer.film.format(rank=film.rank),
        "film": film_cell(row, live.day, words.page),
        "key": KEYS[row.decision],
        "label": label if row.decision is not None else words.page.statuses[row.status],
        "result": f"<table><tbody><tr>{cells}</tr></tbody></table>",
        "hasHeat": is_scored,
        "warning": words.desk.burned_in if hides_picture(film, live) else "",
        "canMark": bool(study.contents),
        "canShow": around.can_end,
        "marks": {
            kind.value: {"value": mark.value, "time": _clock(mark)} for kind, mark in marks.items()
        },
        "films": [_small(one, live, words) for one in study.films],
    }


def _small(film: LiveFilm, live: LiveDay, words: Words) -> dict[str, Any]:
    has_picture = film.row.thumbnail and not hides_picture(film, live)
    version = (film.file.sha256 or "")[:12]
    study = film.row.study
    return {
        "number": film.number,
        "name": words.desk.viewer.film.format(rank=film.rank),
        "view": study.view_position if study is not None else "",
        "picture": f"thumbnail/{film.number}?{version}" if has_picture else "",
    }


def render_desk(
    live: LiveDay, around: Surroundings, *, version: int, lines: Mapping[str, str]
) -> str:
    """Return the page with the first examinations of `lines`, which are by key."""
    words = around.words
    head = render_head(live, around)
    at_once = [lines[study.key] for study in live.studies[:_AT_ONCE]]
    sections = "".join(_section(decision, live, words, at_once) for decision in ORDER)
    choices = "".join(
        f'<option value="{KEYS[decision]}">{words.page.groups[decision].label}</option>'
        for decision in ORDER
    )
    return _read_template().format(
        lang=live.day.lang.value,
        version=version,
        examinations=len(live.studies),
        words=escape(json.dumps(_script_words(words), ensure_ascii=False)),
        page=words.page,
        desk=words.desk,
        tools=words.page.tools,
        viewer=words.desk.viewer,
        choices=choices,
        sections=sections,
        longest_note=LONGEST_NOTE,
        confirmed=CONFIRMED,
        ruled_out=RULED_OUT,
        keys="".join(f"<dt>{key}</dt><dd>{what}</dd>" for key, what in words.desk.viewer.keys),
        end=f'<button type="button" id="end">{words.desk.end}</button>' if around.can_end else "",
        about=render_about(live.day, words.page),
        **{f"head_{name.replace('-', '_')}": text for name, text in head.items()},
    )


@cache
def _read_template() -> str:
    return Path(__file__).with_name("desk.html").read_text(encoding="utf-8")


def _script_words(words: Words) -> dict[str, str]:
    """Return the sentences that the script says."""
    desk, viewer = words.desk, words.desk.viewer
    return {
        "shown": words.page.tools.shown,
        "lost": desk.lost,
        "newReferral": desk.new_referral,
        "notifyForbidden": desk.notify_forbidden,
        "endSure": desk.end_sure,
        "ended": desk.ended,
        "kept": desk.kept,
        "takenBack": desk.taken_back,
        "undone": desk.undone,
        "notUndone": desk.not_undone,
        "notKept": desk.not_kept,
        "film": viewer.film,
        "note": desk.note,
        "truth": desk.truth,
        "ordered": desk.ordered,
        "done": desk.done,
        "seen": desk.seen,
        "loading": viewer.loading,
        "sharper": viewer.sharper,
        "cannotShow": viewer.cannot_show,
        "changed": viewer.changed,
        "levels": viewer.levels,
        "noHeat": viewer.no_heat,
        "notShown": viewer.not_shown_in_folder,
    }


def _section(decision: Decision | None, live: LiveDay, words: Words, at_once: Sequence[str]) -> str:
    """Return a group, with those of the first examinations' lines that are of it."""
    studies = [study for study in live.studies if study.decision is decision]
    first = live.studies[: len(at_once)]
    columns = words.page.columns
    return _SECTION.format(
        key=KEYS[decision],
        hidden="" if studies else " hidden",
        words=words.page.groups[decision],
        columns=columns,
        count=len(studies),
        follow_up=words.desk.follow_up,
        result_head=_UNSCREENED_HEAD.format(columns)
        if decision is None
        else _SCREENED_HEAD.format(
            columns.abnormal_score if decision is Decision.ABNORMAL else columns.score, columns
        ),
        lines="".join(
            lines for study, lines in zip(first, at_once, strict=True) if study.decision is decision
        ),
    )


_LINE = """\
<tr class="{key}" data-film="{number}"><td class="rank">{rank}</td>
<td class="picture">{picture}</td>
<th scope="row" class="film">{film}</th><td class="decision"><span class="label">{label}</span></td>
{result}{follow_up}</tr>
"""

_SCREENED_HEAD = '<th scope="col">{0}</th><th scope="col">{1.likeliest}</th>'
_UNSCREENED_HEAD = '<th scope="col" colspan="2">{0.why}</th>'

_SECTION = """\
<section class="group {key}" id="{key}" aria-labelledby="{key}-heading"{hidden}>
<h2 id="{key}-heading">{words.heading} <span class="count">{count}</span></h2>
<p class="meaning">{words.meaning} <strong>{words.todo}</strong></p>
<div class="part"><table>
<colgroup><col class="c-rank"><col class="c-picture"><col><col class="c-decision">\
<col class="c-score"><col class="c-class"><col class="c-test"></colgroup>
<thead><tr><th scope="col">{columns.number}</th><th scope="col">{columns.picture}</th>\
<th scope="col">{columns.film}</th><th scope="col">{columns.decision}</th>\
{result_head}<th scope="col">{follow_up}</th></tr></thead>
{lines}</table></div>
</section>
"""
