"""The page's lines: one per examination, with all its films."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from pathlib import PurePosixPath

from edge_infer.model.model_card import REFERRAL
from edge_infer.page.pictures import PICTURES_FOLDER, picture_name
from edge_infer.page.studies import Study
from edge_infer.words.form import KEYS, PageWords
from edge_infer.worklist.rows import Decision, ScreenedDay, WorklistRow

_COLUMNS = 6
"""Without the second test's."""


def render_study(
    study: Study, day: ScreenedDay, words: PageWords, *, with_test: bool
) -> Iterator[str]:
    """Yield one table body; its films are rows, and the box for the second test spans them."""
    (rank, first), several = study.films[0], len(study.films) > 1
    score = first.finding.tb_tenths if first.finding is not None else -1
    kind = "study several" if several else "study"
    yield f'<tbody class="{kind}" data-rank="{rank}" data-score="{score}">\n'
    test = _test_box(len(study.films) + several, words) if with_test else ""
    if several:
        says = words.one_examination.format(films=words.film.count(len(study.films)))
        head = f'<th scope="rowgroup" colspan="{_COLUMNS}">{says}</th>'
        yield f'<tr class="together">{head}{test}</tr>\n'
        test = ""
    for rank, row in study.films:
        yield _film_row(rank, row, day, words, test=test)
        test = ""
    yield "</tbody>\n"


def _test_box(span: int, words: PageWords) -> str:
    boxes = "".join(
        f'<span class="tick"><i aria-hidden="true"></i>{label}</span>'
        for label in (words.test_ordered, words.test_done)
    )
    return f'<td class="test" rowspan="{span}">{boxes}</td>'


def _film_row(rank: int, row: WorklistRow, day: ScreenedDay, words: PageWords, *, test: str) -> str:
    label = words.groups[row.decision].label
    return _ROW.format(
        rank=rank,
        key=KEYS[row.decision] if row.decision is not None else "unseen unscreened",
        picture=_picture(rank, row, day, words),
        film=_film(row, day.include_patient),
        label=label if row.decision is not None else words.statuses[row.status],
        result=_scores(row, day, words) if row.finding is not None else _why(row, words),
        test=test,
    )


def _picture(rank: int, row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    """Show the thumbnail, and behind it where the score comes from.

    Text burned into the film may name the patient; small as it is, it is then shown to those only
    who asked for names.
    """
    if not row.thumbnail:
        return '<span class="blank" aria-hidden="true"></span>'
    if row.study is not None and row.study.has_burned_in_text and not day.include_patient:
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


def _scores(row: WorklistRow, day: ScreenedDay, words: PageWords) -> str:
    assert row.finding is not None, "a screened film has a finding"
    likeliest = words.classes[row.finding.prediction]
    if row.decision is Decision.ABNORMAL:
        # Explains a film that is abnormal although its likeliest class may be normal.
        score = words.abnormal_score.format(score=f"{row.finding.abnormal_tenths / 10:.1f}")
        likeliest += f'<span class="facts">{score}</span>'
    return _SCORES.format(
        score=row.finding.tb_score,
        name=words.small_score,
        threshold=f"{day.card.operating_points.refer_tb.threshold:.1f}",
        likeliest=likeliest,
    )


def _why(row: WorklistRow, words: PageWords) -> str:
    """Say why there is no score, the exact sentence (English, as in the CSV), and what to do."""
    reason = words.reasons.get(row.reason_code) if row.reason_code is not None else None
    exact = f'<span class="exact" lang="en">{escape(row.reason)}</span>'
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
<td class="likeliest">{likeliest}</td>"""

_HEAT = """\
<button type="button" class="look" aria-label="{show}" aria-pressed="false" \
aria-describedby="heat-{rank}">{thumbnail}</button>
<figure class="heat" id="heat-{rank}">{heat}<figcaption><strong>{caption}</strong> {scale}{link}\
</figcaption></figure>"""
