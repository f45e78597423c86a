"""Look for what makes a score mean little: repeated films, contradictions, shortcuts to the class.

`run_audit` reads top to bottom: read, compare, measure, say, write. Nothing in the data is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

from cxr_train.audit.duplicates import SIDE, find_duplicates
from cxr_train.audit.films import read_film_facts
from cxr_train.audit.findings import AuditResult, find_groups_in_two_splits
from cxr_train.audit.markers import find_markers
from cxr_train.audit.page import render_audit
from cxr_train.audit.shortcuts import describe_sources, measure_shortcuts
from cxr_train.data.ages import describe_ages, describe_films
from cxr_train.data.dataset import LoadedImages, load_images
from cxr_train.data.manifest import Example, fingerprint, read_data
from cxr_train.result_files import require_writable, write_json, write_text
from cxr_train.terminal import say, working

JSON_FILE, PAGE_FILE = "audit.json", "audit.html"
FITTED_SPLITS = ("train", "val")
"""Shortcuts are measured on what a training sees."""


def run_audit(
    data: Path, out: Path, *, without: Collection[str] = (), cache: Path | None = None
) -> AuditResult:
    """Audit `data`, but for class folders named in `without`; write audit.json and audit.html.

    Films that cannot be read are left out and listed in `skipped`. Raises DataError for data that
    cannot be used at all and ReportError where `out` cannot be written.
    """
    require_writable(out)
    everything = read_data(data, check_groups=False, without=without)
    say(describe_films(everything))
    groups = find_groups_in_two_splits(everything)
    with working("part 1 of 4, reading films") as task:
        loaded = load_images(everything, height=SIDE, width=SIDE, cache=cache, progress=task.at)
    examples, pixels = loaded.examples, loaded.pixels
    with working("part 2 of 4, reading files as stored") as task:
        facts = read_film_facts(examples, progress=task.at)
    with working("part 3 of 4, comparing alike films") as task:
        pairs = find_duplicates(pixels, [film.digest for film in facts], progress=task.at)
    seen = [i for i, example in enumerate(examples) if example.split in FITTED_SPLITS]
    fitted, fitted_facts = [examples[i] for i in seen], [facts[i] for i in seen]
    with working("part 4 of 4, what tells the class without the lungs") as task:
        shortcuts = measure_shortcuts(fitted, fitted_facts, pixels[seen], progress=task.at)
        task.note("markers")
        markers = find_markers(fitted, pixels[seen])
    result = AuditResult(
        fingerprint=fingerprint(everything),
        examples=examples,
        skipped=_name_skipped(everything, loaded),
        groups=groups,
        pairs=pairs,
        sources=describe_sources(examples, facts),
        shortcuts=shortcuts,
        markers=markers,
        fitted=tuple(seen),
    )
    write_json(_to_plain(result), out / JSON_FILE)
    write_text(render_audit(result, pixels), out / PAGE_FILE)
    return result


def summary_lines(result: AuditResult) -> list[str]:
    """Return what the command prints: the size of the data, each finding, or that there is none."""
    groups = (
        f"{len(result.groups)} groups in two splits"
        if result.groups_are_known
        else "no patient or group named, so none can be seen in two splits"
    )
    pairs = len(result.pairs_of())
    ages = describe_ages(result.examples)
    lines = [
        f"{len(result.examples)} films, {pairs} pairs of repeated films, {groups}; "
        f"TB figures: {ages}."
    ]
    lines += [f"- {finding.text} {finding.advice}" for finding in result.findings]
    if not result.findings:
        lines.append("Nothing was found that would make a score mean less than it says.")
    if result.skipped:
        lines.append(f"{len(result.skipped)} films could not be read and were not looked at.")
    return lines


def _name_skipped(everything: Sequence[Example], loaded: LoadedImages) -> tuple[str, ...]:
    """Name unread films as the data does: a report may be passed on, this disk's folders not."""
    read = set(loaded.examples)
    unread = [example for example in everything if example not in read]
    return tuple(
        line.replace(str(example.path), example.name, 1)
        for line in loaded.skipped
        for example in unread
        if line.startswith(f"{example.path}: ")
    )


def _to_plain(result: AuditResult) -> dict[str, object]:
    """Return the result as JSON, films by their names relative to the data."""
    names = [example.name for example in result.examples]
    return {
        "fingerprint": result.fingerprint,
        "films": len(names),
        "skipped": list(result.skipped),
        "findings": [asdict(finding) for finding in result.findings],
        "groups_are_known": result.groups_are_known,
        "groups_in_two_splits": [asdict(group) for group in result.groups],
        "pairs": [
            {
                "first": names[pair.first],
                "second": names[pair.second],
                "likeness": pair.likeness,
                "correlation": round(pair.correlation, 4),
                "splits": [result.examples[i].split for i in (pair.first, pair.second)],
                "labels": [result.examples[i].label for i in (pair.first, pair.second)],
                "same_group": result.is_same_group(pair),
            }
            for pair in result.pairs
        ],
        "shortcuts": [asdict(shortcut) for shortcut in result.shortcuts],
        "sources": [asdict(source) for source in result.sources],
        "markers": [
            asdict(marker) | {"examples": [names[result.fitted[i]] for i in marker.examples]}
            for marker in result.markers
        ],
    }
