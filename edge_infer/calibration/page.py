"""A calibration as one self-contained page: the plot (drawn here, as SVG) and the whole table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from edge_infer.calibration.labels import Labelled, LabelledFilm
from edge_infer.calibration.listed_films import ListedFilms
from edge_infer.calibration.text import (
    describe_choice,
    describe_films,
    describe_observed,
    describe_problems,
    describe_rule,
    describe_warnings,
    interval,
    percent,
)
from edge_infer.calibration.thresholds import LAST_TENTHS, Calibration, ThresholdRow, count_at
from edge_infer.model.model_card import Interval
from edge_infer.pc.language import Lang
from edge_infer.words.catalogue import words_of
from edge_infer.words.form import CalibrationWords
from edge_infer.words.sentences import translate
from edge_infer.worklist.site import Site

_WIDTH, _HEIGHT, _LEFT, _TOP = 640, 320, 48, 12
"""Of the plot's frame and its place, in SVG units."""


def render_calibration(
    calibration: Calibration,
    listed: ListedFilms,
    labelled: Labelled,
    site: Site,
    *,
    lang: Lang = Lang.EN,
) -> str:
    """Return the page's text: no script, nothing loaded, no path and no patient."""
    words = words_of(lang).calibration
    chosen = None if calibration.chosen is None else calibration.chosen.tenths
    sentences = [
        describe_films(calibration, listed),
        describe_choice(calibration),
        *describe_warnings(calibration),
        *describe_rule(calibration),
        *(f"Label file, {sentence}" for sentence in describe_problems(labelled)),
    ]
    said = (translate(sentence, lang) or sentence for sentence in sentences)
    return _PAGE.format(
        lang=lang.value,
        words=words,
        site=words.site_file.format(site=escape(site.site_id), created=escape(site.created)),
        created=escape(site.created),
        sentences="\n".join(f"<p>{escape(sentence)}</p>" for sentence in said),
        plot=draw_plot(labelled.films, calibration, words),
        expected=words.if_prevalent.format(share=percent(calibration.prevalence)),
        observed=words.as_observed.format(share=describe_observed(calibration)),
        yields="".join(
            f'<th scope="col">{head}</th>' for head in (words.ppv, words.npv, words.referred)
        ),
        rows="\n".join(
            _table_row(
                row,
                words,
                is_chosen=row.tenths == chosen,
                in_use=row.tenths == calibration.in_use,
            )
            for row in reversed(calibration.rows)
        ),
        sha256=escape(site.model_sha256),
        labels=escape(site.labels_sha256),
    )


def draw_plot(
    films: Sequence[LabelledFilm], calibration: Calibration, words: CalibrationWords
) -> str:
    """Draw sensitivity and specificity over every threshold, with their bands."""
    rows = count_at(films, range(LAST_TENTHS + 1), calibration.prevalence)
    curves = "".join(
        _curve(name, [(row.tenths, read(row)) for row in rows]) for name, read in _CURVES.items()
    )
    marks = [_vertical(calibration.in_use, words.in_use, "use")]
    if calibration.chosen is not None:
        marks.append(_vertical(calibration.chosen.tenths, words.chosen, "chosen"))
    return _PLOT.format(
        words=words,
        width=_WIDTH + _LEFT + 16,
        height=_HEIGHT + _TOP + 44,
        grid=_grid(),
        curves=curves,
        marks="".join(marks),
        middle=_LEFT + _WIDTH // 2,
        below=_HEIGHT + _TOP + 38,
    )


_CURVES: dict[str, Callable[[ThresholdRow], Interval | None]] = {
    "sensitivity": lambda row: row.sensitivity,
    "specificity": lambda row: row.specificity,
}


def _curve(name: str, points: Sequence[tuple[int, Interval | None]]) -> str:
    known = [(tenths, value) for tenths, value in points if value is not None]
    if not known:
        return ""
    line = " ".join(_at(tenths, value.value) for tenths, value in known)
    upper = [_at(tenths, value.high) for tenths, value in known]
    lower = [_at(tenths, value.low) for tenths, value in reversed(known)]
    return (
        f'<polygon class="band {name}" points="{" ".join([*upper, *lower])}"/>\n'
        f'<polyline class="line {name}" points="{line}"/>\n'
    )


def _at(tenths: int, share: float) -> str:
    return f"{_x(tenths):.1f},{_TOP + (1 - share) * _HEIGHT:.1f}"


def _x(tenths: int) -> float:
    return _LEFT + min(tenths, LAST_TENTHS) / LAST_TENTHS * _WIDTH


def _grid() -> str:
    lines = []
    for share in range(0, 101, 20):
        y = _TOP + (1 - share / 100) * _HEIGHT
        lines.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share}</text>\n'
        )
    for points in range(0, 101, 20):
        x = _x(points * 10)
        lines.append(
            f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{points}</text>\n'
        )
    return "".join(lines)


def _vertical(tenths: int | None, words: str, kind: str) -> str:
    if tenths is None:
        return ""
    x = _x(tenths)
    side = "end" if x > _LEFT + _WIDTH / 2 else "start"
    shift = -5 if side == "end" else 5
    y = _TOP + _HEIGHT - (10 if kind == "chosen" else 28)
    return (
        f'<line class="mark {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _HEIGHT}"/>'
        f'<text x="{x + shift:.1f}" y="{y}" text-anchor="{side}">{words} {tenths / 10:.1f}</text>\n'
    )


def _table_row(row: ThresholdRow, words: CalibrationWords, *, is_chosen: bool, in_use: bool) -> str:
    marks = [word for word, holds in ((words.chosen, is_chosen), (words.in_use, in_use)) if holds]
    cells = [
        *(str(count) for count in (row.tp, row.fp, row.fn, row.tn)),
        interval(row.sensitivity),
        interval(row.specificity),
        *(
            text
            for gives in (row.expected, row.observed)
            for text in (
                interval(gives.ppv),
                interval(gives.npv),
                interval(gives.referred, scale=1000),
            )
        ),
    ]
    mark = f" <small>{', '.join(marks)}</small>" if marks else ""
    return (
        f'<tr{" class=chosen" if is_chosen else ""}><th scope="row">{row.threshold:.1f}{mark}</th>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


_PLOT = """\
<svg viewBox="0 0 {width} {height}" role="img" aria-labelledby="plot-title">
<title id="plot-title">{words.plot_title}</title>
{grid}{curves}{marks}<text x="{middle}" y="{below}" text-anchor="middle">{words.axis}</text>
</svg>
<p class="legend"><span class="key sensitivity"></span> {words.sensitivity}
<span class="key specificity"></span> {words.specificity} ({words.bands})</p>
"""

_PAGE = """\
<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<title>{words.title}, {created}</title>
<style>
:root {{ --ink: #1b2430; --paper: #fff; --rule: #c9d1da; --se: #b3261e; --sp: #1f5fa8;
 --pick: #fdf1d0; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6eaef; --paper: #14181d;
 --rule: #3b4550; --se: #ff8a80; --sp: #82b6f5; --pick: #4a3d12; }} }}
body {{ font: 15px/1.5 system-ui, "Malgun Gothic", sans-serif; color: var(--ink);
 background: var(--paper); max-width: 84rem; margin: 1.5rem auto; padding: 0 1rem; }}
p {{ max-width: 45rem; }}
svg {{ width: 100%; max-width: 45rem; font-size: 12px; fill: var(--ink); }}
.grid {{ stroke: var(--rule); }}
.line {{ fill: none; stroke-width: 2; }}
.line.sensitivity {{ stroke: var(--se); }} .line.specificity {{ stroke: var(--sp);
 stroke-dasharray: 6 3; }}
.band {{ stroke: none; opacity: .18; }}
.band.sensitivity {{ fill: var(--se); }} .band.specificity {{ fill: var(--sp); }}
.mark {{ stroke: var(--ink); }} .mark.use {{ stroke-dasharray: 2 3; }}
.key {{ display: inline-block; width: 1.6em; border-top: 3px solid; vertical-align: middle; }}
.key.sensitivity {{ border-color: var(--se); }}
.key.specificity {{ border-color: var(--sp); border-top-style: dashed; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }}
th, td {{ padding: .2rem .5rem; border-bottom: 1px solid var(--rule); text-align: right;
 white-space: nowrap; }}
thead th[colspan] {{ text-align: center; }}
tr.chosen {{ background: var(--pick); }}
code {{ overflow-wrap: anywhere; }}
@media print {{ @page {{ size: A4 landscape; }} table {{ font-size: 7.5pt; }} }}
</style>
</head>
<body>
<h1>{words.title}</h1>
<p><strong>{words.not_a_diagnosis}</strong> {site}</p>
{sentences}
{plot}
<div class="wide">
<table>
<thead>
<tr><th rowspan="2" scope="col">{words.threshold}</th>
<th colspan="4" scope="colgroup">{words.films}</th>
<th rowspan="2" scope="col">{words.sensitivity}</th>
<th rowspan="2" scope="col">{words.specificity}</th>
<th colspan="3" scope="colgroup">{expected}</th>
<th colspan="3" scope="colgroup">{observed}</th></tr>
<tr><th scope="col">TP</th><th scope="col">FP</th><th scope="col">FN</th><th scope="col">TN</th>
{yields}{yields}</tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<p><small>{words.hashes_of_model} <code>{sha256}</code>; {words.hashes_of_labels}
<code>{labels}</code>. {words.wide_intervals}</small></p>
</body>
</html>
"""
