"""What is said, as one type: a language that lacks a sentence does not type-check.

A language is one file beside this one (`en.py`, `ko.py`) whose `WORDS` is a `Words`, and its line
in `pc/language.py`. Texts are plain (no markup); names in braces are filled in where they are said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from edge_infer.errors import ReasonCode
from edge_infer.worklist.rows import Decision, Status

KEYS: Final[Mapping[Decision | None, str]] = {
    Decision.REFER_TB: "refer",
    Decision.ABNORMAL: "abnormal",
    Decision.UNCERTAIN: "uncertain",
    None: "unseen",
    Decision.CLEAR: "clear",
}
"""Each group's style and anchor in the page, the same in every language."""


@dataclass(frozen=True, kw_only=True)
class Noun:
    """A counted thing; `{n}` is the number."""

    one: str
    many: str

    def count(self, number: int) -> str:
        """Return the number with its noun."""
        return (self.one if number == 1 else self.many).format(n=f"{number:,}")


@dataclass(frozen=True, kw_only=True)
class GroupWords:
    """How a group of the worklist is called, what it means and what to do."""

    label: str
    heading: str
    meaning: str
    todo: str


@dataclass(frozen=True, kw_only=True)
class ReasonWords:
    """Why a file has no score, without its details, and what to do with it."""

    why: str
    todo: str


@dataclass(frozen=True, kw_only=True)
class ColumnWords:
    """Headings of the films' table."""

    number: str
    picture: str
    film: str
    decision: str
    score: str
    abnormal_score: str
    """Instead of the TB score, in the group that it orders."""
    likeliest: str
    why: str
    """Instead of score and class, in the group of files that have neither."""
    second_test: str


@dataclass(frozen=True, kw_only=True)
class ToolWords:
    """Search, filter and sort."""

    name: str
    search: str
    show: str
    show_all: str
    sort: str
    by_urgency: str
    by_score: str
    by_time: str
    by_path: str
    shown: str
    """`{shown}` and `{total}` are filled in by the page's script."""


@dataclass(frozen=True, kw_only=True)
class WhyWords:
    """Why a film was decided as it was; thresholds and scores are filled in."""

    tb_reached: str
    tb_reached_here: str
    """With a clinic's own threshold."""
    tb_likeliest: str
    score_decides: str
    """Added where the likeliest class says otherwise."""
    abnormal_reached: str
    abnormal_likeliest: str
    uncertain: str
    uncertain_none: str
    clear: str


@dataclass(frozen=True, kw_only=True)
class FaultWords:
    """A model that its own card speaks against; its name and figures are filled in."""

    heading: str
    unmeasured: str
    chance: str
    low_specificity: str
    low_in_hospital: str


@dataclass(frozen=True, kw_only=True)
class PaperWords:
    """The day's summary for the doctor, and the slip for the laboratory."""

    summary_name: str
    summary_title: str
    with_model: str
    with_site: str
    basis: str
    referred: str
    nobody: str
    more: str
    not_screened: str
    all_screened: str
    seen_by: str
    date_time: str
    slip_title: str
    number: str
    why: str
    patient_name: str
    patient_number: str
    requested_by: str
    tests_asked: str
    tests: tuple[str, ...]
    result: str
    results: tuple[str, ...]
    laboratory: str


@dataclass(frozen=True, kw_only=True)
class AboutWords:
    """The foot of the page."""

    heading: str
    made: str
    hash: str
    intended_use: str
    """Beside the card's own, which is English; empty where that is enough."""
    children: str
    thresholds: str
    columns: tuple[str, str, str, str, str]
    tb_score: str
    abnormal_score: str
    taken_at: str
    with_it: str
    without_it: str
    chosen_on: str
    uncertain: str
    tb_score_is_share: str
    """What the TB score is, of a model whose card has no `referral` block; else the next."""
    tb_score_is_made: str
    """Followed by what the card says of it."""
    scores: str
    other_machines: str
    heat: str
    burned_in: str
    small_print: str


@dataclass(frozen=True, kw_only=True)
class PageWords:
    """Everything the page says in one language."""

    eyebrow: str
    browser_title: str
    weekdays: tuple[str, str, str, str, str, str, str]
    months: tuple[str, ...]
    date: str
    file: Noun
    film: Noun
    other_file: Noun
    examination: Noun
    summary: str
    ignored: str
    skip: str
    not_a_diagnosis: str
    sorting_key: str
    shifted: str
    """Heads the drift line."""
    incomplete: str
    left_over: str
    closed_folders: str
    films_missing: str
    archives: str
    gate_off: str
    gate_off_means: str
    groups: Mapping[Decision | None, GroupWords]
    classes: Mapping[str, str]
    statuses: Mapping[Status, str]
    reasons: Mapping[ReasonCode, ReasonWords]
    columns: ColumnWords
    tools: ToolWords
    faults: FaultWords
    why: WhyWords
    patient_id: str
    sexes: Mapping[str, str]
    """Of M and F."""
    sex_and_age: str
    age: str
    one_examination: str
    tb_score: str
    small_abnormal_score: str
    small_score: str
    """Before a score where the narrow page has no column heads."""
    film_picture: str
    plain_picture: str
    show_heat: str
    heat_caption: str
    heat_picture: str
    heat_scale: str
    picture_file: str
    hidden_picture: str
    test_ordered: str
    test_done: str
    expected: str
    expected_basis: str
    expected_unknown: str
    papers: PaperWords
    about: AboutWords

    def say_date(self, day: datetime) -> str:
        """Return the day in words, whatever the PC's locale."""
        return self.date.format(
            weekday=self.weekdays[day.weekday()],
            day=day.day,
            month=self.months[day.month - 1],
            year=day.year,
        )


@dataclass(frozen=True, kw_only=True)
class ViewerWords:
    """The film, large."""

    name: str
    close: str
    before: str
    after: str
    fit: str
    real_size: str
    larger: str
    smaller: str
    invert: str
    as_the_film_asks: str
    heat: str
    strength: str
    no_heat: str
    show_in_folder: str
    not_shown_in_folder: str
    loading: str
    sharper: str
    cannot_show: str
    changed: str
    levels: str
    """`{width}`, `{level}` and `{zoom}` are filled in by the script."""
    film: str
    other_films: str
    how: str
    keys: tuple[tuple[str, str], ...]
    """Key or gesture, and what it does."""


@dataclass(frozen=True, kw_only=True)
class DeskWords:
    """The live page."""

    tab: str
    tab_to_order: str
    watching: str
    not_watching: str
    last_film: str
    no_film: str
    arriving: Noun
    lost: str
    to_order: str
    nothing_to_order: str
    nothing_referred: str
    empty: str
    archives: str
    notify: str
    notify_forbidden: str
    sound: str
    new_referral: str
    print: str
    keys: str
    end: str
    end_sure: str
    ended: str
    follow_up: str
    ordered: str
    done: str
    seen: str
    seen_short: str
    truth: str
    confirmed: str
    ruled_out: str
    unknown: str
    note: str
    note_hint: str
    keep_note: str
    burned_in: str
    kept: str
    taken_back: str
    undo: str
    undone: str
    not_undone: str
    not_kept: str
    open_film: str
    viewer: ViewerWords


@dataclass(frozen=True, kw_only=True)
class CalibrationWords:
    """The page of a clinic's own threshold."""

    title: str
    not_a_diagnosis: str
    site_file: str
    threshold: str
    films: str
    sensitivity: str
    specificity: str
    bands: str
    plot_title: str
    axis: str
    chosen: str
    in_use: str
    if_prevalent: str
    as_observed: str
    ppv: str
    npv: str
    referred: str
    hashes_of_model: str
    hashes_of_labels: str
    wide_intervals: str


@dataclass(frozen=True, kw_only=True)
class Words:
    """Everything that is said in one language."""

    page: PageWords
    calibration: CalibrationWords
    desk: DeskWords
    sentences: Mapping[str, str]
    """What the code says in English, by its text with `{}` for what is filled in, which the
    translation takes as `{0}`, `{1}` and so on; empty in English. See `words/sentences.py`."""
