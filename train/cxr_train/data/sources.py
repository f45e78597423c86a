"""What is known of the public collections: licence, and whether their classes share a hospital."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """One public collection of chest films."""

    origin: str
    licence: str
    one_hospital: bool
    """Whether its normal and ill films come from the same hospitals: only then does telling them
    apart say something about the disease."""

    @property
    def of_adults(self) -> bool:
        """Whether its films are known to be adults'."""
        return self.origin.startswith("adults")


SOURCES: dict[str, SourceFacts] = {
    "Kermany": SourceFacts(
        origin="children of 1 to 5 years, Guangzhou",
        licence="CC BY 4.0",
        one_hospital=True,
    ),
    "RSNA 2018": SourceFacts(
        origin="adults, NIH Clinical Center, read again by radiologists",
        licence="non-commercial research",
        one_hospital=True,
    ),
    "NIH ChestX-ray14": SourceFacts(
        origin="adults, NIH Clinical Center, labels mined from text",
        licence="free with attribution",
        one_hospital=True,
    ),
    "Shenzhen/Montgomery": SourceFacts(
        origin="adults, Shenzhen and Montgomery County, TB and normal of the same hospitals",
        licence="with attribution (NLM)",
        one_hospital=True,
    ),
    "Shenzhen": SourceFacts(
        origin="adults, Shenzhen, China, TB and normal of one hospital",
        licence="with attribution (NLM)",
        one_hospital=True,
    ),
    "Montgomery": SourceFacts(
        origin="adults, Montgomery County, USA, TB and normal of one programme",
        licence="with attribution (NLM)",
        one_hospital=True,
    ),
    "Sakha-TB": SourceFacts(
        origin="adults, Yakutia, TB and normal of one region; small, strongly compressed films",
        licence="CC BY 4.0",
        one_hospital=True,
    ),
    "OpenIST": SourceFacts(
        origin="teaching films, all normal",
        licence="not stated where it was taken from",
        one_hospital=False,
    ),
    "COVID-19 Radiography DB": SourceFacts(
        origin="COVID-19 from Spain and Germany, normals from RSNA; aspect ratio lost",
        licence="academic use",
        one_hospital=False,
    ),
    "Rahman TB db": SourceFacts(
        origin="TB from Belarus, NIAID and NLM, normals from RSNA and NIH; redaction boxes",
        licence="academic use",
        one_hospital=False,
    ),
    "Rahman TB db (renumbered)": SourceFacts(
        origin="as Rahman TB db, under other numbers",
        licence="academic use",
        one_hospital=False,
    ),
    "TBX11K": SourceFacts(origin="TB, China", licence="academic use", one_hospital=False),
    "ieee8023": SourceFacts(
        origin="figures of articles and the web, letters and arrows in the image",
        licence="per image, many CC BY-NC-SA",
        one_hospital=False,
    ),
    "ieee8023 (via talo)": SourceFacts(
        origin="as ieee8023", licence="per image, many CC BY-NC-SA", one_hospital=False
    ),
    "Sait curated": SourceFacts(
        origin="figures of articles and the web", licence="per image", one_hospital=False
    ),
    "Kaggle jtiptj test": SourceFacts(
        origin="COVID-19 test films of the public four-class set, from the web",
        licence="per image",
        one_hospital=False,
    ),
}
"""By the name in the manifest's `source` column. Films of other sources are the user's own."""


SAME_HOSPITAL = "same hospital"


def describe_pair(source: str) -> str:
    """Say what a disease-normal pair inside `source` proves."""
    facts = SOURCES.get(source)
    if facts is None:
        return "one source by its name; whether it is one hospital is not known here"
    if facts.one_hospital:
        return SAME_HOSPITAL
    return "a collection whose classes come from different hospitals: proves little"
