"""What this node takes, in which form, and what it answers: the one table of it.

The listener negotiates with it, and the conformance statement is written from it.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from edge_infer.films.dicom.syntax import TransferSyntax

IMPLEMENTATION_CLASS_UID: Final = "2.25.151811550087975549557433577175927582738"
"""Drawn once, from a random UUID (PS3.5 B.2)."""
IMPLEMENTATION_VERSION: Final = "CXR_EDGE"
DEFAULT_AE_TITLE: Final = "CXREDGE"
DEFAULT_PORT: Final = 11112
VERIFICATION_CLASS: Final = "1.2.840.10008.1.1"
REPORT_CLASS: Final = "1.2.840.10008.5.1.4.1.1.88.34"
"""Comprehensive 3D SR, which TID 1500 is written as."""
CAPTURE_CLASS: Final = "1.2.840.10008.5.1.4.1.1.7"

FILM_CLASSES: Final = {
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image Storage",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image Storage - For Presentation",
    CAPTURE_CLASS: "Secondary Capture Image Storage",
}
"""SOP classes taken by C-STORE."""
RESULT_CLASSES: Final = {
    REPORT_CLASS: "Comprehensive 3D SR Storage",
    CAPTURE_CLASS: "Secondary Capture Image Storage",
}
"""SOP classes sent by C-STORE."""

_LOSSY: Final = (
    TransferSyntax.JPEG_BASELINE,
    TransferSyntax.JPEG_EXTENDED,
    TransferSyntax.JPEG_LS_NEAR_LOSSLESS,
    TransferSyntax.JPEG_2000,
    TransferSyntax.HTJ2K,
)
_PLAIN: Final = (
    TransferSyntax.EXPLICIT_LITTLE,
    TransferSyntax.IMPLICIT_LITTLE,
    TransferSyntax.EXPLICIT_BIG,
)
_LOSSLESS: Final = tuple(
    one
    for one in TransferSyntax
    if one not in (*_PLAIN, *_LOSSY) and one is not TransferSyntax.UNKNOWN
)
FILM_SYNTAXES: Final = (*_PLAIN, *_LOSSLESS, *_LOSSY)
"""All that films are read in. Of several that a peer offers together the first here is taken: a
peer must not compress with loss because it was let."""
VERIFICATION_SYNTAXES: Final = (TransferSyntax.EXPLICIT_LITTLE, TransferSyntax.IMPLICIT_LITTLE)
RESULT_SYNTAXES: Final = (TransferSyntax.EXPLICIT_LITTLE, TransferSyntax.IMPLICIT_LITTLE)


class StoreStatus(Enum):
    """What a C-STORE is answered with (PS3.4 B.2.3, PS3.7 C.4): code, name, when."""

    SUCCESS = (0x0000, "Success", "the object is on the disk, synced, its folder too")
    OUT_OF_RESOURCES = (
        0xA700,
        "Refused: Out of Resources",
        "the object is larger than the limit, the disk has less free than the limit, or cannot be "
        "written",
    )
    WRONG_CLASS = (
        0xA900,
        "Error: Data Set Does Not Match SOP Class",
        "SOP class or instance UID in the object are not those of the request",
    )
    NOT_UNDERSTOOD = (
        0xC000,
        "Error: Cannot Understand",
        "the header of the object cannot be read to its end",
    )
    OWN_RESULT = (
        0x0124,
        "Refused: Not Authorized",
        "the object is a result of cxr-edge, which must not come round again",
    )

    def __init__(self, code: int, title: str, when: str) -> None:
        self.code = code
        self.title = title
        self.when = when


class Rejection(Enum):
    """With what an association is rejected (PS3.8 9.3.4): result, source, reason, name, when."""

    CALLED = (1, 1, 7, "Called AE title not recognized", "the title called is not this node's")
    CALLING = (
        1,
        1,
        3,
        "Calling AE title not recognized",
        "the peers file does not have this title with this address",
    )
    FULL = (2, 3, 2, "Local limit exceeded", "as many associations as allowed are open")

    def __init__(self, result: int, source: int, reason: int, title: str, when: str) -> None:
        self.result = result
        self.source = source
        self.reason = reason
        self.title = title
        self.when = when
