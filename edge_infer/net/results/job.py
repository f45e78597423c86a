"""What is known of a film when its results are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from edge_infer.model.findings import Finding
from edge_infer.model.model_card import ModelCard
from edge_infer.net.results.identifiers import derive_uid
from edge_infer.worklist.rows import Decision

MEANINGS = {
    Decision.REFER_TB: "Second test for tuberculosis first",
    Decision.ABNORMAL: "Likely abnormal: a doctor looks",
    Decision.UNCERTAIN: "The model cannot say: repeat the film, or refer",
    Decision.CLEAR: "Nothing found by the model: the usual reading",
}
NOT_A_DIAGNOSIS = "Research use only. Not a diagnosis."


@dataclass(frozen=True, kw_only=True)
class ResultJob:
    """One scored film, by the day's own numbers."""

    sha256: str
    """Of the film's file."""
    finding: Finding
    decision: Decision
    cam: NDArray[np.float32] | None = field(repr=False)
    heat_class: str
    card: ModelCard = field(repr=False)
    """With a site's thresholds, where the day has them."""
    model_sha256: str
    site_id: str | None
    package_version: str
    found_at: datetime
    """When the film was screened, in local time."""
    with_heat: bool = True

    def uid(self, kind: str, sop_uid: str) -> str:
        """Return the UID of a thing of this kind about the film with this SOP instance UID."""
        points = self.card.operating_points
        return derive_uid(
            kind,
            sop_uid,
            self.sha256,
            self.model_sha256,
            points.refer_tb.threshold,
            points.abnormal.threshold,
            self.site_id,
        )


def plain(text: str) -> str:
    """Return a text in ASCII: results have the film's character set, whatever that is."""
    return text.encode("ascii", "replace").decode("ascii")
