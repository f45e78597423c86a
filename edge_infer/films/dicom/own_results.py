"""By what a result of this program is known when it comes back, as if it were a film."""

from __future__ import annotations

from typing import Final

from edge_infer.films.dicom.elements import DicomElements

MANUFACTURER: Final = "cxr-edge"
"""In Manufacturer and SecondaryCaptureDeviceManufacturer of every object that is made here."""
_KEYWORDS = ("Manufacturer", "SecondaryCaptureDeviceManufacturer")


def own_mark(elements: DicomElements) -> str | None:
    """Return the keyword that says an object was made here, or None."""
    told = (keyword for keyword in _KEYWORDS if elements.text(keyword).strip() == MANUFACTURER)
    return next(told, None)
