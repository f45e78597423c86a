"""Turn a film that its header says lies on its side or on its head (PS3.3 C.7.6.1.1.1)."""

from __future__ import annotations

from edge_infer.films.dicom.elements import DicomElements

_TURNS = {
    ("R", "H"): 3,
    ("L", "H"): 4,
    ("F", "L"): 5,
    ("F", "R"): 6,
    ("H", "R"): 7,
    ("H", "L"): 8,
}
"""By where rows and columns run to, the Orientation of TIFF and EXIF that is upright then: rows to
the patient's left, columns to the feet. A film seen from behind (R, F) is upright and stays."""


def find_orientation(elements: DicomElements) -> int:
    """Return how the film lies, in the numbers of TIFF and EXIF; 1 where nothing sensible is said.

    Of directions between two (`LA`) the first counts.
    """
    directions = elements.text("PatientOrientation").upper().split("\\")
    row, column = (direction.strip()[:1] for direction in (*directions, "", "")[:2])
    return _TURNS.get((row, column), 1) if len(directions) == 2 else 1
