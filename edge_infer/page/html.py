"""The worklist as one self-contained page: nothing is loaded, it prints on A4, it works unscripted.

The script only searches, filters and sorts what stands in the page; its hash is in the page's
Content-Security-Policy, so that no other script can run, whatever a file is called.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path

from edge_infer.model.proportions import expected_share
from edge_infer.page.faults import describe_faults
from edge_infer.page.html_about import percent, render_about
from edge_infer.page.html_rows import render_study
from edge_infer.page.studies import Study, count_examinations, group_by_study, in_page_order
from edge_infer.pc.language import Lang
from edge_infer.words.catalogue import words_of
from edge_infer.words.form import KEYS, PageWords
from edge_infer.words.sentences import translate
from edge_infer.worklist.rows import MOST_ARCHIVES, ORDER, Decision, ScreenedDay, count_decisions


def render_page(day: ScreenedDay) -> Iterator[str]:
    """Yield the page piece by piece, in the day's language; 500 films are never one string."""
    words = words_in(day.lang)
    studies = in_page_order(group_by_study(day.rows))
    title = words.say_date(day.generated_at)
    yield _HEAD.format(
        lang=day.lang.value,
        title=words.browser_title.format(date=title),
        style=_read("report.css"),
        script_hash=_script_hash(),
        skip=words.skip,
    )
    yield _masthead(day, studies, words)
    yield from render_warnings(day, words)
    yield _tools(studies, words)
    yield '<main id="list" tabindex="-1">\n'
    for decision in ORDER:
        group = [study for study in studies if study.decision is decision]
        if group:
            yield from _section(decision, group, day, words)
    yield "</main>\n"
    yield render_about(day, words)
    yield f'<script type="module">{_script()}</script>\n</body>\n</html>\n'


def read_style() -> str:
    """Return the page's style, for other pages of one look."""
    return _read("report.css")


def read_tables_script() -> str:
    """Return the module that searches and sorts rows, for other pages of such rows."""
    return _read("tables.js")


def words_in(lang: Lang) -> PageWords:
    """Return the page's words in a language."""
    return words_of(lang).page


def _masthead(day: ScreenedDay, studies: Sequence[Study], words: PageWords) -> str:
    films = count_decisions(day.rows)
    lines = count_examinations(studies)
    tiles = "".join(
        _tile(decision, lines[decision], films[decision], words)
        for decision in ORDER
        if films[decision] or decision is not Decision.UNCERTAIN
    )
    ignored = words.ignored.format(files=words.other_file.count(day.ignored))
    summary = words.summary.format(
        files=words.file.count(len(day.rows)),
        examinations=words.examination.count(len(studies)),
        screened=f"{len(day.rows) - films[None]:,}",
        time=f"{day.generated_at:%H:%M}",
    )
    return _MASTHEAD.format(
        words=words,
        title=words.say_date(day.generated_at),
        summary=f"{summary} {ignored}" if day.ignored else summary,
        tiles=tiles,
    )


def _tile(decision: Decision | None, lines: int, films: int, words: PageWords) -> str:
    """Count examinations large, and their films small; an empty group has nothing to go to."""
    label = words.groups[decision].label
    text = f"<strong>{lines:,}</strong> <span>{label}</span>"
    # The films of a group may stand in a more urgent examination: then its own number differs.
    text += f" <small>{words.film.count(films)}</small>" if films else ""
    key = KEYS[decision]
    if not lines:
        return f'<li class="{key} none"><div>{text}</div></li>\n'
    return f'<li class="{key}"><a href="#{key}">{text}</a></li>\n'


def render_warnings(
    day: ScreenedDay, words: PageWords, *, archives: str | None = None
) -> Iterator[str]:
    """Yield what must be known before anything else: of the model, of the list, of the day.

    `archives` is what to do with packed files, with a blank `{n}`; else to unpack and run again.
    """
    for fault in describe_faults(day.card, words):
        yield _FAULT.format(f"<strong>{words.faults.heading}</strong> {escape(fault)}")
    if not day.is_complete:
        left = words.left_over.format(
            left=f"{day.n_files - len(day.rows):,}", files=words.file.count(day.n_files)
        )
        yield _WARNING.format(f"<strong>{words.incomplete}</strong> {left}")
    if day.unreadable_folders:
        names = ", ".join(f"<bdi>{escape(name)}</bdi>" for name in day.unreadable_folders)
        yield _WARNING.format(
            f"<strong>{words.closed_folders}</strong> {names}. {words.films_missing}"
        )
    if day.is_gate_off:
        yield _WARNING.format(f"<strong>{words.gate_off}</strong> {words.gate_off_means}")
    if day.archives:
        names = ", ".join(f"<bdi>{escape(name)}</bdi>" for name in day.archives[:MOST_ARCHIVES])
        more = " …" if len(day.archives) > MOST_ARCHIVES else ""
        title = (archives or words.archives).format(n=f"{len(day.archives):,}")
        yield _WARNING.format(f"<strong>{title}</strong> {names}{more}. {words.films_missing}")
    drift = day.drift
    if drift is not None and drift.is_shifted:
        says = translate(drift.sentence, day.lang) or drift.sentence
        yield _WARNING.format(f"<strong>{words.shifted}</strong> {escape(says)}")


def _tools(studies: Sequence[Study], words: PageWords) -> str:
    present = {study.decision for study in studies}
    choices = "".join(
        f'<option value="{KEYS[decision]}">{words.groups[decision].label}</option>'
        for decision in ORDER
        if decision in present
    )
    return _TOOLS.format(words=words.tools, choices=choices, total=len(studies))


def _section(
    decision: Decision | None, group: Sequence[Study], day: ScreenedDay, words: PageWords
) -> Iterator[str]:
    is_referral = decision is Decision.REFER_TB
    columns = words.columns
    yield _SECTION.format(
        key=KEYS[decision],
        words=words.groups[decision],
        columns=columns,
        count=len(group),
        result_head=_UNSCREENED_HEAD.format(columns)
        if decision is None
        else _SCREENED_HEAD.format(
            columns.abnormal_score if decision is Decision.ABNORMAL else columns.score, columns
        ),
        expected=_expected(day, words) if is_referral else "",
        test_column='<col class="c-test">' if is_referral else "",
        test_head=f'<th scope="col" class="test">{columns.second_test}</th>' if is_referral else "",
    )
    for study in group:
        yield from render_study(study, day, words, with_test=is_referral)
    yield "</table></div>\n</section>\n"


def _expected(day: ScreenedDay, words: PageWords) -> str:
    """Say how many of 100 referred films are expected to have tuberculosis, or that none can."""
    share = expected_share(day.card.operating_points.refer_tb, day.prevalence)
    if share is None:
        return f'<p class="expected">{words.expected_unknown}</p>\n'
    sentence = words.expected.format(
        share=_of_hundred(share.value),
        low=_of_hundred(share.low),
        high=_of_hundred(share.high),
        prevalence=percent(day.prevalence),
    )
    return f'<p class="expected">{sentence} <small>{words.expected_basis}</small></p>\n'


def _of_hundred(share: float) -> str:
    """Whole films; below ten with a decimal, so that few does not become none."""
    return f"{100 * share:.1f}" if share < 0.0995 else f"{100 * share:.0f}"


@cache
def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _script() -> str:
    return read_tables_script() + _read("report.js")


def _script_hash() -> str:
    # An HTML parser turns CRLF into LF before it hashes.
    script = _script().replace("\r\n", "\n").encode("utf-8")
    return base64.b64encode(sha256(script).digest()).decode("ascii")


_HEAD = """\
<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline';
 script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#list">{skip}</a>
"""

_MASTHEAD = """\
<header>
<p class="eyebrow">{words.eyebrow}</p>
<h1>{title}</h1>
<p class="summary">{summary}</p>
<ul class="tiles">
{tiles}</ul>
<p class="notice"><strong>{words.not_a_diagnosis}</strong> {words.sorting_key}</p>
</header>
"""

_FAULT = '<p class="warning fault" role="alert">{}</p>\n'
_WARNING = '<p class="warning" role="alert">{}</p>\n'

_TOOLS = """\
<div class="tools" role="search" hidden aria-label="{words.name}" data-shown="{words.shown}"
 data-total="{total}">
<label>{words.search} <input type="search" id="find" autocomplete="off" spellcheck="false"></label>
<label>{words.show} <select id="show"><option value="">{words.show_all}</option>{choices}</select>\
</label>
<label>{words.sort} <select id="sort"><option value="rank">{words.by_urgency}</option>\
<option value="score">{words.by_score}</option><option value="time">{words.by_time}</option>\
<option value="path">{words.by_path}</option>\
</select></label>
<output id="shown" for="find show"></output>
</div>
"""

_SCREENED_HEAD = '<th scope="col">{0}</th><th scope="col">{1.likeliest}</th>'
_UNSCREENED_HEAD = '<th scope="col" colspan="2">{0.why}</th>'

_SECTION = """\
<section class="group {key}" id="{key}" aria-labelledby="{key}-heading">
<h2 id="{key}-heading">{words.heading} <span class="count">{count}</span></h2>
<p class="meaning">{words.meaning} <strong>{words.todo}</strong></p>
{expected}<div class="part"><table>
<colgroup><col class="c-rank"><col class="c-picture"><col><col class="c-decision">\
<col class="c-score"><col class="c-class">{test_column}</colgroup>
<thead><tr><th scope="col">{columns.number}</th><th scope="col">{columns.picture}</th>\
<th scope="col">{columns.film}</th><th scope="col">{columns.decision}</th>\
{result_head}{test_head}</tr></thead>
"""
