"""The foot of the page: model, thresholds, how they were chosen, and what the page cannot say."""

from __future__ import annotations

from html import escape

from edge_infer.model.model_card import Interval, OperatingPoint, Referral, UncertainBand
from edge_infer.words.form import AboutWords, PageWords
from edge_infer.worklist.rows import Decision, ScreenedDay


def render_about(day: ScreenedDay, words: PageWords) -> str:
    """Return the footer; what the card says in its own words stays English."""
    card, about = day.card, words.about
    points = (
        (words.groups[Decision.REFER_TB].label, about.tb_score, card.operating_points.refer_tb),
        (
            words.groups[Decision.ABNORMAL].label,
            about.abnormal_score,
            card.operating_points.abnormal,
        ),
    )
    model = f"<strong>{escape(card.name)} {escape(card.version)}</strong>"
    return _ABOUT.format(
        about=about,
        made=about.made.format(
            model=model,
            package=escape(day.package_version),
            time=f"{day.generated_at:%Y-%m-%d %H:%M}",
        ),
        sha256=day.model_sha256,
        intended=f"{about.intended_use} {_card_says(card.intended_use)}".strip(),
        children=about.children.format(age=card.min_age_years),
        heads="".join(f'<th scope="col">{name}</th>' for name in about.columns),
        thresholds="".join(_threshold(*point, words) for point in points),
        populations="".join(
            f"<p>{about.chosen_on.format(decision=name)} {_card_says(point.population)}.</p>\n"
            for name, _, point in points
        ),
        uncertain=_uncertain(card.uncertain, about),
        tb_score=_tb_score(card.referral, about),
    )


def percent(share: float) -> str:
    """Return 1 % or 37.5 %, without a decimal where it is a whole number."""
    return f"{round(100 * share, 2):g}\xa0%"


def _card_says(text: str) -> str:
    return f'<span lang="en">{escape(text)}</span>'


def _tb_score(referral: Referral | None, about: AboutWords) -> str:
    if referral is None:
        return about.tb_score_is_share
    return f"{about.tb_score_is_made} {_card_says(referral.statement)}"


def _uncertain(band: UncertainBand | None, about: AboutWords) -> str:
    if band is None:
        return ""
    says = about.uncertain.format(share=percent(1 - band.alpha))
    return f"<p>{says} {_card_says(f'{band.population} ({band.method})')}.</p>\n"


def _threshold(name: str, score: str, point: OperatingPoint, words: PageWords) -> str:
    about = words.about
    return _THRESHOLD_ROW.format(
        name=name,
        taken_at=about.taken_at.format(score=score, threshold=f"{point.threshold:.1f}"),
        target=percent(point.target_sensitivity),
        sensitivity=_interval(point.sensitivity),
        positives=about.with_it.format(films=words.film.count(point.n_positive)),
        specificity=_interval(point.specificity),
        negatives=about.without_it.format(films=words.film.count(point.n_negative)),
    )


def _interval(estimate: Interval) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:.1f}\xa0% <small>({low:.1f}–{high:.1f})</small>"


_THRESHOLD_ROW = """\
<tr><th scope="row">{name}</th><td>{taken_at}</td><td>{target}</td>
<td>{sensitivity}<br><small>{positives}</small></td>
<td>{specificity}<br><small>{negatives}</small></td></tr>
"""

_ABOUT = """\
<footer>
<h2>{about.heading}</h2>
<p>{made} {about.hash} <code>{sha256}</code></p>
<p>{intended} {children}</p>
<h3>{about.thresholds}</h3>
<table class="thresholds">
<thead><tr>{heads}</tr></thead>
<tbody>
{thresholds}</tbody>
</table>
{populations}{uncertain}<p>{tb_score} {about.scores}</p>
<p>{about.other_machines}</p>
<p>{about.heat}</p>
<p class="small">{about.burned_in} {about.small_print}</p>
</footer>
"""
