"""A list that was written before, opened again: to be shown, and written with what is said of it.

Its decisions must stay those it was written with, so model and thresholds are compared with what
its worklist.json says; what else is not in the store (files passed over) is taken from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from edge_infer.errors import FileInUse, ReportError, SiteError
from edge_infer.films.find import FoundFilms
from edge_infer.flow.keep_day import DaySettings, KeptDay
from edge_infer.flow.screen import reading_mode
from edge_infer.model.card_json import to_plain
from edge_infer.page.pictures import PICTURES_FOLDER
from edge_infer.store.day_store import STORE_NAME
from edge_infer.store.day_view import DayView
from edge_infer.worklist.lists import JSON_NAME, PATIENT_COLUMNS

_EVERY_S = 0.5


@dataclass(frozen=True, kw_only=True)
class OpenedList:
    """A kept list, and the settings that write it again as it is."""

    folder: Path
    settings: DaySettings
    found: FoundFilms
    """What the inputs held beside films."""


def is_list(folder: Path) -> bool:
    """Tell whether a folder holds a kept list."""
    return (folder / STORE_NAME).is_file()


def open_list(folder: Path, settings: DaySettings) -> OpenedList:
    """Take the settings of the list in `folder`, as far as it says them.

    Raises ReportError where there is no list, SiteError where it was made with another model or
    other thresholds than `settings`.
    """
    plain = _read_json(folder)
    _require_same(plain, settings)
    rows = plain.get("rows") or [{}]
    settings = replace(
        settings,
        include_patient=PATIENT_COLUMNS[0] in rows[0],
        with_pictures=(folder / PICTURES_FOLDER).is_dir(),
        # A list without a row shows neither.
        with_age_sex=bool(plain.get("rows")) and "age_years" in rows[0],
    )
    settings = _read_as(settings, plain.get("gate"), DayView(folder).modes())
    return OpenedList(folder=folder, settings=settings, found=_found_beside(plain))


def _read_as(settings: DaySettings, gate: str | None, modes: Collection[str]) -> DaySettings:
    """Return the settings under which the day's films were read; `gate` is what the list says."""
    gates = (True, False) if gate is None else (gate == "on",)
    for is_full, has_gate in product((True, False), gates):
        mode = reading_mode(settings.model, full_decode=is_full, has_gate=has_gate)
        if mode.as_text() in modes:
            return replace(settings, full_decode=is_full, has_gate=has_gate)
    return settings


def read_beside(folder: Path) -> FoundFilms:
    """Return what a list says lay beside its films; nothing where there is no list yet."""
    try:
        return _found_beside(_read_json(folder))
    except ReportError:
        return FoundFilms()


def _found_beside(plain: Mapping[str, Any]) -> FoundFilms:
    return FoundFilms(
        ignored=int((plain.get("counts") or {}).get("ignored") or 0),
        archives=tuple(plain.get("archives") or ()),
        unreadable_folders=tuple(plain.get("unreadable_folders") or ()),
    )


def keep_list(
    opened: OpenedList,
    *,
    tell_trouble: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Write the list again whenever something was said of it, until KeyboardInterrupt.

    Raises DayInUse where another run keeps it: that run writes what is said.
    """
    with KeptDay(opened.folder, opened.settings) as day:
        try:
            while True:
                trouble = ""
                if day.has_news_from_desk():
                    try:
                        day.write(opened.found)
                    except FileInUse as error:
                        trouble = str(error)
                tell_trouble(trouble)
                sleep(_EVERY_S)
        except KeyboardInterrupt:
            if day.has_news_from_desk():
                with suppress(FileInUse):
                    day.write(opened.found)


def _read_json(folder: Path) -> dict[str, Any]:
    place = folder / JSON_NAME
    try:
        plain = json.loads(place.read_bytes())
    except (OSError, ValueError) as error:
        raise ReportError(
            f"{place} cannot be read, so this list cannot be opened: screen the films again."
        ) from error
    if not isinstance(plain, dict) or not isinstance(plain.get("model"), dict):
        raise ReportError(f"{place} is not a list that cxr-infer wrote: screen the films again.")
    return plain


def _require_same(plain: dict[str, Any], settings: DaySettings) -> None:
    model, card, site = plain["model"], settings.card, plain.get("site") or {}
    if model.get("sha256") != settings.model.sha256:
        raise SiteError(
            f"This list was made with the model {model.get('name')} {model.get('version')}, not "
            f"with {card.name} {card.version}: name its file with --model."
        )
    ours = json.loads(json.dumps(to_plain(card.operating_points)))
    if model.get("operating_points") == ours:
        return
    remedy = f"its site file ({site['id']}) with --site" if site.get("id") else "no --site"
    raise SiteError(
        "This list was made with other thresholds, which opening it must not change: name "
        f"{remedy}."
    )
