"""The audit as one self-contained page: findings first, then the pairs and markers to look at."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from cxr_train.audit.duplicates import Likeness, Pair
from cxr_train.audit.findings import (
    MOST_NAMED,
    AuditResult,
    class_of,
    describe_marker,
)
from cxr_train.audit.markers import Marker, SourceShare
from cxr_train.audit.shortcuts import Shortcut
from edge_infer.model.model_card import CLASSES, Interval

MOST_PAIRS, MOST_MARKERS = 60, 24
"""Shown with pictures under each heading; audit.json has all."""
_JPEG_QUALITY = 80


def render_audit(result: AuditResult, pixels: NDArray[np.uint8]) -> Iterator[str]:
    """Yield the page piece by piece.

    `pixels` [N, 1, 128, 128] belong to `result.examples`; the pictures are shown squashed to a
    square, as the network sees them. Names are those of the data, relative to it.
    """
    yield _HEAD
    yield f"<p>{len(result.examples):,} films; data fingerprint {result.fingerprint[:12]}.</p>\n"
    yield from _findings(result)
    yield from _groups(result)
    shown: Sequence[tuple[str, Sequence[Pair]]] = (
        ("One film with two classes", result.contradictions),
        ("The same film in two splits", result.pairs_of(across=True)),
        ("Perhaps two films of one patient, in two splits", result.look_alikes_across),
        ("The same film twice in one split", result.pairs_of(across=False)),
    )
    for heading, pairs in shown:
        yield from _pairs(heading, pairs, result, pixels)
    yield from _shortcuts(result.shortcuts)
    yield from _sources(result)
    yield from _markers(result, pixels)
    yield from _list("Films that could not be read", result.skipped)
    yield "</body>\n</html>\n"


def _findings(result: AuditResult) -> Iterator[str]:
    if not result.findings:
        yield "<p><strong>Nothing was found.</strong></p>\n"
    yield "<ol>\n"
    for finding in result.findings:
        yield f"<li><strong>{escape(finding.text)}</strong> {escape(finding.advice)}</li>\n"
    yield "</ol>\n"


def _groups(result: AuditResult) -> Iterator[str]:
    yield f"<h2>Groups in two splits: {len(result.groups)}</h2>\n"
    if not result.groups_are_known:
        yield (
            "<p>The data names no patient or group, so none could be seen in two splits: "
            "give a manifest with a group_id.</p>\n"
        )
    yield from _list(
        None,
        [
            f"{group.group}: " + ", ".join(f"{name} in {split}" for split, name in group.films)
            for group in result.groups[:MOST_NAMED]
        ],
    )


def _pairs(
    heading: str, pairs: Sequence[Pair], result: AuditResult, pixels: NDArray[np.uint8]
) -> Iterator[str]:
    yield f"<h2>{heading}: {len(pairs)}</h2>\n"
    if len(pairs) > MOST_PAIRS:
        yield f"<p>The {MOST_PAIRS} most alike; all are in audit.json.</p>\n"
    for pair in pairs[:MOST_PAIRS]:
        alike = "same bytes" if pair.likeness is Likeness.EXACT else f"{pair.correlation:.2f}"
        group = ", one group" if result.is_same_group(pair) else ""
        films = "".join(_film(result, i, pixels) for i in (pair.first, pair.second))
        yield f'<div class="pair">{films}<p>{alike}{group}</p></div>\n'


def _film(result: AuditResult, index: int, pixels: NDArray[np.uint8]) -> str:
    example = result.examples[index]
    facts = " · ".join(
        escape(word) for word in (class_of(example), example.split, example.source) if word
    )
    # A name in another direction must not turn its surroundings round.
    name = f"<bdi>{escape(example.name)}</bdi>"
    return (
        f"<figure>{_picture(pixels[index, 0])}<figcaption>{facts}<br>{name}</figcaption></figure>"
    )


def _picture(pixels: NDArray[np.uint8]) -> str:
    import cv2

    encoded, jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    assert encoded, "JPEG encoding of a small grey picture cannot fail"
    content = base64.b64encode(jpeg.tobytes()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{content}" alt="film, small">'


def _shortcuts(shortcuts: Sequence[Shortcut]) -> Iterator[str]:
    yield "<h2>The class without the lungs</h2>\n"
    if not shortcuts:
        yield "<p>Not measured: train and val need two classes with two groups each.</p>\n"
        return
    yield (
        "<p>A random forest on the films of train and val, cross-validated by group; 95 % "
        "intervals resample groups.</p>\n<table><tr><th>Given</th><th>Accuracy</th>"
        "<th>Macro-F1</th><th>Commonest class</th><th>Tells most (accuracy lost without)</th></tr>"
    )
    for one in shortcuts:
        telling = ", ".join(f"{escape(name)} {loss:.3f}" for name, loss in one.telling[:5])
        yield (
            f"<tr><td>{one.cue.replace('_', ' ')}</td><td>{_interval(one.accuracy)}</td>"
            f"<td>{one.macro_f1:.3f}</td><td>{one.majority:.3f}</td><td>{telling}</td></tr>\n"
        )
    yield "</table>\n"


def _sources(result: AuditResult) -> Iterator[str]:
    names = "".join(f"<th>{name}</th>" for name in CLASSES)
    yield f"<h2>Sources</h2>\n<table><tr><th>Source</th>{names}<th>Square files</th>"
    yield "<th>Squashed</th><th></th></tr>\n"
    for one in result.sources:
        counts = "".join(f"<td>{count or ''}</td>" for count in one.per_class)
        verdict = f"one class only: {one.only_class}" if one.only_class else ""
        yield (
            f"<tr><td>{escape(one.source) or 'unknown'}</td>{counts}<td>{one.square:.0%}</td>"
            f"<td>{_share(one.squashed)}</td><td>{verdict}</td></tr>\n"
        )
    yield "</table>\n"


def _markers(result: AuditResult, pixels: NDArray[np.uint8]) -> Iterator[str]:
    yield f"<h2>Markers: {len(result.markers)}</h2>\n"
    if result.markers:
        yield "<p>White in the middle may be disease or exposure: look before masking.</p>\n"
    for marker in result.markers[:MOST_MARKERS]:
        yield from _marker(marker, result, pixels)


def _marker(marker: Marker, result: AuditResult, pixels: NDArray[np.uint8]) -> Iterator[str]:
    where = f"within {escape(marker.within)}" if marker.within else "over all films"
    yield (
        f"<h3>{marker.class_name}: {describe_marker(marker)}, {where}</h3>\n"
        f"<p>{marker.films} films, {marker.precision:.0%} of them {marker.class_name} "
        f"(of all {marker.base_rate:.0%}); {marker.recall:.0%} of its films have it; "
        f"p {marker.p_value:.1g} after correction.</p>\n<div>"
    )
    yield "".join(_picture(pixels[result.fitted[index], 0]) for index in marker.examples)
    yield "</div>\n"
    yield from _list(None, [_describe_share(share, marker) for share in marker.sources])


def _describe_share(share: SourceShare, marker: Marker) -> str:
    parts = [
        f"{value:.0%} of its {what} films"
        for value, what in ((share.of_class, marker.class_name), (share.of_others, "other"))
        if value is not None
    ]
    return f"{share.source or 'unknown source'}: {', '.join(parts)}"


def _list(heading: str | None, lines: Sequence[str]) -> Iterator[str]:
    if heading and lines:
        yield f"<h2>{heading}: {len(lines)}</h2>\n"
    if lines:
        yield "<ul>\n" + "".join(f"<li><bdi>{escape(line)}</bdi></li>\n" for line in lines)
        yield "</ul>\n"


def _interval(estimate: Interval) -> str:
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


_HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Data audit</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } th, td { border: 1px solid #bbb; padding: .2rem .5rem }
.pair { display: inline-block; border: 1px solid #bbb; margin: .3rem; padding: .4rem }
figure { display: inline-block; width: 170px; margin: 0 .3rem; vertical-align: top }
figcaption { font-size: 11px; overflow-wrap: anywhere } .pair p { margin: .2rem }
</style>
</head>
<body>
<h1>Data audit</h1>
"""
