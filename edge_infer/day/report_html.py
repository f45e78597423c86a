"""The worklist as one self-contained page: no script, nothing loaded, prints on A4."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path, PurePosixPath

from edge_infer.day.report_words import CLASS_WORDS, STATUS_WORDS, WORDS, GroupWords
from edge_infer.day.worklist import Decision, ScreenedDay, WorklistRow, count_decisions
from edge_infer.model.model_card import Interval, OperatingPoint, UncertainBand


def render_page(day: ScreenedDay) -> Iterator[str]:
    """Yield the page piece by piece, so that 500 films are never one string."""
    yield _HEAD.format(title=_title(day), style=_style())
    yield _masthead(day)
    yield from _warnings(day)
    yield "<main>\n"
    # Rows come in worklist order, so each decision is one run.
    ranked = enumerate(day.rows, start=1)
    for decision, group in groupby(ranked, key=lambda item: item[1].decision):
        yield from _section(WORDS[decision], list(group), day)
    yield "</main>\n"
    yield _about(day)
    yield "</body>\n</html>\n"


def _masthead(day: ScreenedDay) -> str:
    counts = count_decisions(day.rows)
    screened = len(day.rows) - counts[None]
    tiles = "".join(
        f'<li class="{WORDS[decision].key}{"" if count else " none"}">'
        f"<strong>{count}</strong> <span>{WORDS[decision].label}</span></li>\n"
        for decision, count in counts.items()
        if count or decision is not Decision.UNCERTAIN
    )
    ignored = f" {_count(day.ignored, 'other file')} passed over." if day.ignored else ""
    return _MASTHEAD.format(
        title=_title(day),
        time=f"{day.generated_at:%H:%M}",
        films=_count(len(day.rows), "file"),
        screened=screened,
        ignored=ignored,
        tiles=tiles,
    )


def _warnings(day: ScreenedDay) -> Iterator[str]:
    if not day.is_complete:
        yield _WARNING.format(
            f"<strong>This list is not complete.</strong> The run was stopped: "
            f"{day.due - len(day.rows)} of {_count(day.due, 'file')} were not looked at. "
            "Run it again."
        )
    if day.unreadable_folders:
        names = ", ".join(f"<bdi>{escape(name)}</bdi>" for name in day.unreadable_folders)
        yield _WARNING.format(
            f"<strong>Folders that could not be opened:</strong> {names}. "
            "Films in them are missing from this list."
        )


def _section(
    words: GroupWords, group: Sequence[tuple[int, WorklistRow]], day: ScreenedDay
) -> Iterator[str]:
    is_screened = group[0][1].decision is not None
    yield _SECTION.format(
        words=words,
        count=len(group),
        head=_SCREENED_HEAD if is_screened else _REFUSED_HEAD,
    )
    for rank, row in group:
        yield _screened(rank, row, words, day) if is_screened else _refused(rank, row, words, day)
    yield "</tbody>\n</table>\n</section>\n"


def _screened(rank: int, row: WorklistRow, words: GroupWords, day: ScreenedDay) -> str:
    assert row.finding is not None, "a screened film has a finding"
    picture = base64.b64encode(bytes(row.thumbnail)).decode("ascii")
    return _SCREENED_ROW.format(
        rank=rank,
        picture=f'<img src="data:image/jpeg;base64,{picture}" alt="Film {rank}, small">',
        film=_film(row, day.include_patient),
        words=words,
        score=row.finding.tb_score,
        threshold=f"{day.card.operating_points.refer_tb.threshold:.1f}",
        prediction=CLASS_WORDS[row.finding.prediction] + _why_abnormal(row),
    )


def _why_abnormal(row: WorklistRow) -> str:
    """Explain a film that is `abnormal` although its likeliest class may be normal."""
    if row.decision is not Decision.ABNORMAL or row.finding is None:
        return ""
    return f'<span class="facts">abnormal score {row.finding.abnormal_tenths / 10:.1f}</span>'


def _refused(rank: int, row: WorklistRow, words: GroupWords, day: ScreenedDay) -> str:
    return _REFUSED_ROW.format(
        rank=rank,
        film=_film(row, day.include_patient),
        words=words,
        status=STATUS_WORDS[row.status],
        reason=escape(row.reason),
    )


def _film(row: WorklistRow, include_patient: bool) -> str:
    """Show where the film lies, what its header says, and the patient where that was asked for."""
    path = PurePosixPath(row.path)
    folder = "" if path.parent == PurePosixPath() else f"{path.parent}/"
    # A name in another direction (or one that pretends) must not turn its surroundings round.
    shown = f"<bdi><small>{escape(folder)}</small>{escape(path.name)}</bdi>"
    if row.study is not None:
        shown += _facts(row.study.modality, row.study.view_position)
        if include_patient:
            who = row.study.identity
            shown += _facts(
                who.patient_name, who.patient_id, who.patient_birth_date, who.accession_number
            )
    return shown


def _facts(*facts: str) -> str:
    known = " · ".join(f"<bdi>{escape(fact)}</bdi>" for fact in facts if fact)
    return f'<span class="facts">{known}</span>' if known else ""


def _about(day: ScreenedDay) -> str:
    card = day.card
    points = card.operating_points
    return _ABOUT.format(
        name=escape(card.name),
        version=escape(card.version),
        package=escape(day.package_version),
        sha256=day.model_sha256,
        intended=escape(card.intended_use),
        age=card.min_age_years,
        thresholds=_threshold("Refer for TB", "TB score", points.refer_tb)
        + _threshold("Abnormal", "abnormal score", points.abnormal),
        populations=" ".join(
            f"<p>{name}: chosen on {escape(point.population)}.</p>"
            for name, point in (("Refer for TB", points.refer_tb), ("Abnormal", points.abnormal))
        ),
        uncertain=_describe_band(card.uncertain),
        generated=f"{day.generated_at:%Y-%m-%d %H:%M}",
    )


def _describe_band(band: UncertainBand | None) -> str:
    if band is None:
        return ""
    return (
        f"<p>Uncertain: neither threshold was reached, but another class than normal stays "
        f"possible ({escape(band.method)}; each class is kept in {_percent(1 - band.alpha)} of its "
        f"films; "
        f"chosen on {escape(band.population)}).</p>"
    )


def _threshold(name: str, score: str, point: OperatingPoint) -> str:
    return _THRESHOLD_ROW.format(
        name=name,
        score=score,
        threshold=f"{point.threshold:.1f}",
        target=_percent(point.target_sensitivity),
        sensitivity=_interval(point.sensitivity),
        positives=_count(point.n_positive, "film"),
        specificity=_interval(point.specificity),
        negatives=_count(point.n_negative, "film"),
    )


def _title(day: ScreenedDay) -> str:
    return f"{day.generated_at:%A} {day.generated_at.day} {day.generated_at:%B %Y}"


def _interval(estimate: Interval) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{_percent(estimate.value)} <small>({low:.1f} to {high:.1f})</small>"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}&nbsp;%"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@cache
def _style() -> str:
    return Path(__file__).with_name("report.css").read_text(encoding="utf-8")


_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>X-ray worklist, {title}</title>
<style>
{style}</style>
</head>
<body>
"""

_MASTHEAD = """\
<header>
<p class="eyebrow">Chest X-ray worklist</p>
<h1>{title}</h1>
<p>{films}, {screened} screened, most urgent first. Made at {time}.{ignored}</p>
<ul class="tiles">
{tiles}</ul>
<p class="notice"><strong>Research use only. This is not a diagnosis.</strong> The list sorts films
so that the most urgent are looked at first. A score is a sorting key: scores are not probabilities
of disease in your clinic.</p>
</header>
"""

_WARNING = '<p class="warning" role="alert">{}</p>\n'

_SECTION = """\
<section class="{words.key}" id="{words.key}" aria-labelledby="{words.key}-heading">
<h2 id="{words.key}-heading">{words.heading} <span class="count">{count}</span></h2>
<p class="meaning">{words.meaning} <strong>{words.todo}</strong></p>
<table>
{head}<tbody>
"""

_SCREENED_HEAD = """\
<colgroup><col class="c-rank"><col class="c-picture"><col><col class="c-decision">
<col class="c-score"><col class="c-class"></colgroup>
<thead><tr><th scope="col">No.</th><th scope="col">Picture</th><th scope="col">Film</th>
<th scope="col">Decision</th><th scope="col">TB score (0–100)</th>
<th scope="col">Likeliest class</th></tr></thead>
"""

_REFUSED_HEAD = """\
<colgroup><col class="c-rank"><col><col class="c-decision"><col class="c-reason"></colgroup>
<thead><tr><th scope="col">No.</th><th scope="col">File</th><th scope="col">Decision</th>
<th scope="col">Why</th></tr></thead>
"""

_SCREENED_ROW = """\
<tr><td class="rank">{rank}</td><td class="picture">{picture}</td>
<th scope="row" class="film">{film}</th>
<td><span class="label">{words.label}</span></td>
<td class="score">{score}<span class="bar" style="--score:{score};--threshold:{threshold}"
 aria-hidden="true"></span></td>
<td>{prediction}</td></tr>
"""

_REFUSED_ROW = """\
<tr><td class="rank">{rank}</td><th scope="row" class="film">{film}</th>
<td><span class="label">{words.label}</span></td>
<td class="reason"><strong>{status}.</strong> {reason}</td></tr>
"""

_THRESHOLD_ROW = """\
<tr><th scope="row">{name}</th><td>{score} of {threshold} or more</td><td>{target}</td>
<td>{sensitivity}<br><small>{positives} with it</small></td>
<td>{specificity}<br><small>{negatives} without it</small></td></tr>
"""

_ABOUT = """\
<footer>
<h2>How this list was made</h2>
<p>Model <strong>{name} {version}</strong>, cxr-edge {package}, {generated}.
SHA-256 of the model file: <code>{sha256}</code></p>
<p>{intended} Films known to be of people under {age} years are not screened.</p>
<h3>Thresholds and how they were chosen</h3>
<table class="thresholds">
<thead><tr><th scope="col">Decision</th><th scope="col">Taken at</th>
<th scope="col">Sensitivity aimed for</th>
<th scope="col">Sensitivity reached (95&nbsp;% interval)</th>
<th scope="col">Specificity (95&nbsp;% interval)</th></tr></thead>
<tbody>
{thresholds}</tbody>
</table>
{populations}
{uncertain}
<p>The TB score grows with the model's share for tuberculosis, the abnormal score with its share for
everything but normal; both run from 0 to 100. A film whose likeliest class is tuberculosis is
referred, and one whose likeliest class is not normal is never clear, whatever the thresholds.</p>
<p>Films from other machines and other patients score differently: check the thresholds against
your own confirmed cases before you rely on them.</p>
<p class="small">The line on a score's bar is the threshold. Pictures are reduced; do not read them.
File paths are shown so that the film can be found.</p>
</footer>
"""
