"""How much memory one film may take while it is read: a clinic PC of 4 GB has two workers."""

from __future__ import annotations

from edge_infer.errors import ReasonCode, UnreadableImage

MOST_BYTES = 2**29
"""512 MiB. The largest film of 16 bits, 120 megapixels, is 240 MB; a mammogram of 40 megapixels in
JPEG 2000, whose decoder keeps four bytes a pixel of its own, is 240 MB too."""
MOST_PACKED_BYTES = 2**28
"""256 MiB: of one compressed frame, of what a deflated file holds, of a picture file; above that no
film is."""


def require_memory(needed: int) -> None:
    """Raise UnreadableImage TOO_LARGE where decoding would take more than MOST_BYTES."""
    if needed > MOST_BYTES:
        raise too_large(f"decoding it would take {needed / 2**20:.0f} MB of memory")


def too_large(because: str) -> UnreadableImage:
    return UnreadableImage(
        f"The picture is too large: {because}; export it at its usual size.", ReasonCode.TOO_LARGE
    )
