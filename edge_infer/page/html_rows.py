"""The page's lines: one per examination, with all its films."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import PurePosixPath

from edge_infer.errors import ReasonCode
from edge_infer.model.model_card import REFERRAL
from edge_infer.page.identity import identity_parts
from edge_infer.page.pictures import PICTURES_FOLDER, picture_name
from edge_infer.page.studies import Study
from edge_infer.page.why import explain_decision
from edge_infer.words.form import KEYS, PageWords
from edge_infer.words.sentences import translate
from edge_infer.worklist.rows import Decision, ScreenedDay, WorklistRow

_COLUMNS = 6
"""Without the second test's."""
_OFTEN_WITH_TEXT = frozenset(
    {
        *(ReasonCode.OTHER_MODALITY, ReasonCode.COLOUR),
        *(ReasonCode.NOT_CHEST_PICTURE, ReasonCode.PHOTOGRAPH),
    }
)
"""Screens, letters and photographs: what stands in them is not said by a header."""


def render_study(
    study: Study, day: ScreenedDay, words: PageWords, *, with_test: bool
) -> Iterator[str]:
    """Yield one table body; its films are rows, and the box for the second test spans them."""
    (rank, first), several = study.films[0], len(study.films) > 1
    score = first.finding.tb_tenths if first.finding is not None else -1
    time = first.study.taken_at if first.study is not None and day.with_age_sex else ""
    kind = "study several" if several else "study"
    yield (
        f'<tbody class="{kind}" data-rank="{rank}" data-score="{score}" '
        f'data-time="{escape(time)}">\n'
    )
    test = _test_box(len(study.films) + several, words) if with_test else ""
    if several:
        says = words.one_examination.format(films=words.film.count(len(study.films)))
        head = f'<th scope="rowgroup" colspan="{_COLUMNS}">{says}</th>'
        yield f'<tr class="together">{head}{test}</tr>\n'
        test = ""
    for rank, row in study.films:
        yield _film_row(rank, row, day, words, group=study.decision, test=test)
        test = ""
    yield "</tbody>\n"


def _test_box(span: int, words: PageWords) -> str:
    boxes = "".join(
        f'<span class="tick"><i aria-hidden="true"></i>{label}</span>'
        for label in (words.test_ordered, words.test_done)
    )
    return f'<td class="test" rowspan="{span}">{boxes}</td>'


def _film_row(
    rank: int,
    row: WorklistRow,
    day: ScreenedDay,
    words: PageWords,
    *,
    group: Decision | None,
    test: str,
) -> str:
    label = words.groups[row.decision].label
    return _ROW.format(
        rank=rank,
        key=KEYS[row.decision] if row.decision is not None else "unseen unscreened",
        picture=_picture(rank, row, day, words),
        film=film_cell(row, day, words),
        label=label if row.decision is not None else words.statuses[row.status],
        result=score_cells(row, day, words, group)
        if row.finding is not None
        else reason_cells(row, day, words),
        test=test,
    )


def _picture(rank: int, row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    """Show the thumbnail, and behind it where the score comes from.

    Text in the picture may name the patient; small as it is, it is then shown to those only who
    asked for names.
    """
    if not row.thumbnail:
        return '<span class="blank" aria-hidden="true"></span>'
    if may_hold_text(row) and not day.include_patient:
        return f'<span class="blank">{words.hidden_picture}</span>'
    alt = words.film_picture.format(rank=rank)
    thumbnail = _image(bytes(row.thumbnail), alt)
    if not row.heat:
        return f'<span class="look">{thumbnail}</span>'
    name = words.small_score if row.heat_class == REFERRAL else words.classes[row.heat_class]
    link = ""
    if day.has_pictures and (file_name := picture_name(row)):
        link = f' <a href="{PICTURES_FOLDER}/{file_name}">{words.picture_file}</a>'
    return _HEAT.format(
        rank=rank,
        show=words.show_heat.format(rank=rank),
        thumbnail=thumbnail,
        # Lazy, as it shows on request only. The thumbnails are not: Chromium prints a lazy picture
        # that was never scrolled to as a black square.
        heat=_image(bytes(row.heat), words.heat_picture.format(rank=rank), loading="lazy"),
        plain=_image(bytes(row.thumbnail), words.plain_picture.format(rank=rank), loading="lazy"),
        caption=words.heat_caption.format(name=name),
        scale=words.heat_scale,
        link=link,
    )


def _image(jpeg: bytes, alt: str, *, loading: str = "eager") -> str:
    data = base64.b64encode(jpeg).decode("ascii")
    return (
        f'<img src="data:image/jpeg;base64,{data}" alt="{alt}" loading="{loading}" '
        'decoding="async">'
    )


def may_hold_text(row: WorklistRow) -> bool:
    """Tell whether a name may stand in the picture itself: its header says so, or its kind."""
    is_burned_in = row.study is not None and row.study.has_burned_in_text
    return is_burned_in or row.reason_code in _OFTEN_WITH_TEXT


def film_cell(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    """Show which film it is, where it lies, and the patient where that was asked for."""
    path = PurePosixPath(row.path)
    folder = "" if path.parent == PurePosixPath() else f"{path.parent}/"
    # A name in another direction (or one that pretends) must not turn its surroundings round.
    shown = f'<bdi class="path"><small>{escape(folder)}</small>{escape(path.name)}</bdi>'
    if row.study is None:
        return shown
    who = row.study.identity
    if day.include_patient:
        names = _facts(who.patient_name, who.patient_birth_date, who.accession_number)
        shown = f"{names}{shown}"
    parts = identity_parts(row, day, words)
    if parts:
        known = " · ".join(f"<bdi>{escape(part)}</bdi>" for part in parts)
        shown = f'<span class="who">{known}</span>{shown}'
    return shown + _facts(row.study.modality, row.study.view_position)


def _facts(*facts: str) -> str:
    known = " · ".join(f"<bdi>{escape(fact)}</bdi>" for fact in facts if fact)
    return f'<span class="facts">{known}</span>' if known else ""


def score_cells(
    row: WorklistRow, day: ScreenedDay, words: PageWords, group: Decision | None
) -> str:
    """Show the score that orders the group, the class, and why it was decided."""
    assert row.finding is not None, "a screened film has a finding"
    points, likeliest = day.card.operating_points, words.classes[row.finding.prediction]
    tb, abnormal = f"{row.finding.tb_score}", f"{row.finding.abnormal_tenths / 10:.1f}"
    score, name, threshold = tb, words.small_score, points.refer_tb.threshold
    if group is Decision.ABNORMAL:
        score, name, threshold = abnormal, words.small_abnormal_score, points.abnormal.threshold
        likeliest += f'<span class="facts">{words.tb_score.format(score=tb)}</span>'
    return _SCORES.format(
        score=score,
        name=name,
        threshold=f"{threshold:.1f}",
        likeliest=likeliest,
        why=escape(explain_decision(row, day, words)),
    )


def reason_cells(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    """Say why there is no score, the exact sentence (in English in the CSV), and what to do."""
    reason = words.reasons.get(row.reason_code) if row.reason_code is not None else None
    says = translate(row.reason, day.lang)
    in_english = ' lang="en"' if says is None else ""
    exact = f'<span class="exact"{in_english}>{escape(says or row.reason)}</span>'
    if reason is None:
        return f'<td class="reason" colspan="2">{exact}</td>'
    return (
        f'<td class="reason" colspan="2"><strong>{reason.why}</strong> {exact} '
        f'<span class="todo">{reason.todo}</span></td>'
    )


_ROW = """\
<tr class="{key}"><td class="rank">{rank}</td><td class="picture">{picture}</td>
<th scope="row" class="film">{film}</th><td class="decision"><span class="label">{label}</span></td>
{result}{test}</tr>
"""

_SCORES = """\
<td class="score"><small>{name} </small>{score}<span class="bar" \
style="--score:{score};--threshold:{threshold}" aria-hidden="true"></span></td>
<td class="likeliest">{likeliest}<span class="why">{why}</span></td>"""

_HEAT = """\
<button type="button" class="look" aria-label="{show}" aria-pressed="false" \
aria-describedby="heat-{rank}">{thumbnail}</button>
<figure class="heat" id="heat-{rank}">{plain}{heat}\
<figcaption><strong>{caption}</strong> {scale}{link}</figcaption></figure>"""
