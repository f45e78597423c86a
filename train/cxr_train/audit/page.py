"""The audit as one self-contained page: findings first, then the pairs and markers to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cxr_train.audit.duplicates import Pair
from cxr_train.audit.findings import MOST_NAMED, AuditResult, class_of, describe_marker
from cxr_train.audit.markers import CELLS, Marker, SourceShare
from cxr_train.data.ages import describe_ages
from cxr_train.page import load_template, picture_address
from edge_infer.model.model_card import CLASSES

MOST_PAIRS, MOST_MARKERS = 60, 24
"""Shown with pictures under each heading; audit.json has all."""
_JPEG_QUALITY = 80


def render_audit(result: AuditResult, pixels: NDArray[np.uint8]) -> Iterator[str]:
    """Yield the page piece by piece.

    `pixels` [N, 1, 128, 128] belong to `result.examples`; the pictures are shown squashed to a
    square, as the network sees them. Names are those of the data, relative to it.
    """
    alike: Sequence[tuple[str, Sequence[Pair]]] = (
        ("One film with two classes", result.contradictions),
        ("The same film in two splits", result.pairs_of(across=True)),
        ("Perhaps two films of one patient, in two splits", result.look_alikes_across),
        ("The same film twice in one split", result.pairs_of(across=False)),
    )
    groups = [
        f"{group.group}: " + ", ".join(f"{name} in {split}" for split, name in group.films)
        for group in result.groups[:MOST_NAMED]
    ]
    return load_template("audit/page.html").generate(
        result=result,
        classes=CLASSES,
        groups=groups,
        alike=alike,
        most_pairs=MOST_PAIRS,
        most_markers=MOST_MARKERS,
        class_of=class_of,
        describe_marker=describe_marker,
        shares=_describe_shares,
        ages=describe_ages(result.examples),
        place_of=place_of,
        picture_of=lambda index: _encode(pixels[index, 0]),
    )


def place_of(marker: Marker) -> str:
    """Return where a marker lies in a film, as a style of a box over it; an edge's is the film."""
    top, left, bottom, right = (100 * cell / CELLS for cell in marker.box)
    return (
        f"top:{top:g}%;left:{left:g}%;height:{bottom - top:g}%;width:{right - left:g}%;"
        "box-sizing:border-box"
    )


def _encode(pixels: NDArray[np.uint8]) -> str:
    import cv2

    encoded, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert encoded, "JPEG encoding of a small grey picture cannot fail"
    return picture_address(jpeg.tobytes(), "jpeg")


def _describe_shares(marker: Marker) -> list[str]:
    return [_describe_share(share, marker) for share in marker.sources]


def _describe_share(share: SourceShare, marker: Marker) -> str:
    parts = [
        f"{value:.0%} of its {what} films"
        for value, what in ((share.of_class, marker.class_name), (share.of_others, "other"))
        if value is not None
    ]
    return f"{share.source or 'unknown source'}: {', '.join(parts)}"
