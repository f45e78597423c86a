"""A clinic's own TB threshold as a file: chosen by cxr-calibrate, applied by `cxr-infer --site`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from edge_infer.errors import ModelError, SiteError
from edge_infer.model.card_json import from_plain, to_plain
from edge_infer.model.model_card import HISTOGRAM_BINS, Interval, ModelCard
from edge_infer.worklist.tables import read_bytes

KIND: Final = "cxr-site"
SCHEMA: Final = "1.0"


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything a site file says: no path, no patient."""

    kind: str
    schema: str
    site_id: str
    """`site-` and twelve digits of the SHA-256 of everything else: a changed file is noticed."""
    created: str
    """ISO date."""
    model_name: str
    model_version: str
    model_sha256: str
    target_sensitivity: float
    prevalence: float
    """What the three yields below are stated for."""
    threshold: float
    """In score points, a multiple of 0.1."""
    n_positive: int
    n_negative: int
    sensitivity: Interval
    """On the films that chose the threshold, as `specificity`."""
    specificity: Interval
    ppv: Interval | None
    npv: Interval | None
    referred: Interval | None
    """Share of all films."""
    worklists: int
    labels_sha256: str
    tb_score: tuple[int, ...]
    """All screened films of the worklists over 200 equal bins of the TB score: what this clinic's
    days look like, for the drift line."""

    def apply(self, card: ModelCard) -> ModelCard:
        """Return the card with this clinic's TB threshold, and where it comes from."""
        point = replace(
            card.operating_points.refer_tb,
            threshold=self.threshold,
            target_sensitivity=self.target_sensitivity,
            sensitivity=self.sensitivity,
            specificity=self.specificity,
            n_positive=self.n_positive,
            n_negative=self.n_negative,
            n_groups=self.n_positive + self.n_negative,
            hospitals=(),
            population=f"this clinic's own films, the same that the two figures are measured on "
            f"(site file {self.site_id} of {self.created})",
        )
        return replace(card, operating_points=replace(card.operating_points, refer_tb=point))


def count_in_bins(tenths: Iterable[int]) -> tuple[int, ...]:
    """Count scores in tenths of a point over the card's 200 bins; 100.0 belongs to the last."""
    counts = [0] * HISTOGRAM_BINS
    for score in tenths:
        counts[min(score // (1000 // HISTOGRAM_BINS), HISTOGRAM_BINS - 1)] += 1
    return tuple(counts)


def make_site_id(site: Site) -> str:
    """Return the id that fits everything else in a site file."""
    text = json.dumps(to_plain(replace(site, site_id="")), sort_keys=True, allow_nan=False)
    return f"site-{hashlib.sha256(text.encode('ascii')).hexdigest()[:12]}"


def load_site(path: Path, card: ModelCard, model_sha256: str) -> Site:
    """Read a site file for the model at hand.

    Raises SiteError where it is damaged, was changed by hand, or is another model's.
    """
    site = _parse(path)
    if site.model_sha256 != model_sha256:
        raise SiteError(
            f"{path} was made for {site.model_name} {site.model_version} "
            f"(SHA-256 {site.model_sha256[:12]}), not for this {card.name} {card.version} "
            f"({model_sha256[:12]}): thresholds hold for one model only, so run cxr-calibrate "
            "with lists of this one."
        )
    return site


def _parse(path: Path) -> Site:
    data = read_bytes(path)
    try:
        plain = json.loads(data)
        if not isinstance(plain, dict) or plain.get("kind") != KIND:
            raise SiteError(f"{path} is not a site file: make one with cxr-calibrate.")
        _check_schema(path, plain)
        site = from_plain(Site, plain)
    except (ValueError, RecursionError, ModelError) as error:
        raise _damaged(path) from error
    is_possible = (
        len(site.tb_score) == HISTOGRAM_BINS
        and min(site.tb_score) >= 0
        and re.fullmatch(r"\d{4}-\d\d-\d\d", site.created)
        and 0 <= site.threshold <= 100
        and abs(site.threshold * 10 - round(site.threshold * 10)) < 1e-6
    )
    if not is_possible or site.site_id != make_site_id(site):
        raise _damaged(path)
    return site


def _check_schema(path: Path, plain: dict[str, Any]) -> None:
    schema = plain.get("schema")
    if not isinstance(schema, str) or not re.fullmatch(r"1\.[0-9]+", schema):
        raise SiteError(
            f"{path} has schema {schema}, this program reads 1.x: run cxr-calibrate again."
        )


def _damaged(path: Path) -> SiteError:
    return SiteError(
        f"{path} is damaged or was changed after it was written: run cxr-calibrate again."
    )
