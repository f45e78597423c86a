"""What a day is kept with, from the options that `cxr-listen` and `cxr-fetch` share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge_infer.pc.language import Lang, default_language
from edge_infer.pc.machine import default_workers
from edge_infer.version import package_version

if TYPE_CHECKING:
    from edge_infer.flow.keep_day import DaySettings


def load_day_settings(
    model: Path | None,
    site: Path | None,
    *,
    workers: int | None,
    include_patient: bool,
    lang: Lang | None,
) -> DaySettings:
    """Load model and site file; raises ModelError and SiteError."""
    from edge_infer.flow.keep_day import DaySettings
    from edge_infer.flow.screen import open_model
    from edge_infer.model.bundled import bundled_model
    from edge_infer.model.model_file import load_model_file
    from edge_infer.workers.pool import run_isolated
    from edge_infer.worklist.site import load_site

    file = load_model_file(model or bundled_model())
    clinic = load_site(site, file.card, file.sha256) if site is not None else None
    return DaySettings(
        model=open_model(file),
        card=clinic.apply(file.card) if clinic else file.card,
        site=clinic,
        package_version=package_version(),
        workers=workers or default_workers(),
        include_patient=include_patient,
        lang=lang or default_language(),
        pool=run_isolated,
    )
