"""Make a site file of a calibration, and write it with its page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

from edge_infer.calibration.listed_films import ListedFilms
from edge_infer.calibration.thresholds import Calibration
from edge_infer.errors import ReportError
from edge_infer.model.card_json import to_plain
from edge_infer.pc.whole_files import write_together
from edge_infer.worklist.site import KIND, SCHEMA, Site, count_in_bins, make_site_id


def make_site(
    calibration: Calibration, listed: ListedFilms, *, labels_sha256: str, created: date
) -> Site:
    """Return the site file's content; ValueError where the calibration cannot be used."""
    row = calibration.chosen
    if row is None or not calibration.can_be_used:
        raise ValueError("these labels do not give a threshold")
    assert row.sensitivity is not None and row.specificity is not None, "both kinds are there"
    site = Site(
        kind=KIND,
        schema=SCHEMA,
        site_id="",
        created=created.isoformat(),
        model_name=listed.model.name,
        model_version=listed.model.version,
        model_sha256=listed.model.sha256,
        target_sensitivity=calibration.target,
        prevalence=calibration.prevalence,
        threshold=row.threshold,
        n_positive=calibration.n_positive,
        n_negative=calibration.n_negative,
        sensitivity=row.sensitivity,
        specificity=row.specificity,
        ppv=row.expected.ppv,
        npv=row.expected.npv,
        referred=row.expected.referred,
        worklists=listed.worklists,
        labels_sha256=labels_sha256,
        tb_score=count_in_bins(
            film.tb_tenths for film in listed.films if film.tb_tenths is not None
        ),
    )
    return replace(site, site_id=make_site_id(site))


def to_text(site: Site) -> str:
    """Return the site file's text."""
    return json.dumps(to_plain(site), indent=1, allow_nan=False) + "\n"


def is_site_file(path: Path) -> bool:
    """Whether `path` is a site file, sound or not, that a new one may replace."""
    try:
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(plain, dict) and plain.get("kind") == KIND


def write_results(contents: dict[Path, str]) -> None:
    """Write small files, all or none (see `write_together`); ReportError if impossible."""
    try:
        for place in contents:
            place.parent.mkdir(parents=True, exist_ok=True)
        write_together({place: [text] for place, text in contents.items()})
    except OSError as error:
        raise ReportError(
            f"{next(iter(contents))} cannot be written ({error.strerror or type(error).__name__}): "
            "free the disk or name another place with --out."
        ) from error
