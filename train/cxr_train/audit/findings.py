"""What an audit found, and which of it is worth a sentence and an action."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from cxr_train.audit.duplicates import Likeness, Pair
from cxr_train.audit.markers import Marker, Patch
from cxr_train.audit.shortcuts import Cue, Shortcut, SourceCounts, accuracy_by_source
from cxr_train.data.ages import is_child
from cxr_train.data.manifest import Example
from edge_infer.model.model_card import CLASSES

MOST_NAMED = 20
"""Groups in two splits that are named; all are counted."""
_SQUASHED_FROM = 0.05
"""Share of a source's films that makes it a squashed source."""
_CUE_WORDS = {
    Cue.FILE_PROPERTIES: "properties of the file (size, bytes, suffix)",
    Cue.GLOBAL_NUMBERS: "ten global numbers (brightness, borders, aspect, size)",
    Cue.BORDER: "the border only, the lungs masked out",
}


class FindingKind(StrEnum):
    """What can be wrong."""

    CHILDREN = "children"
    GROUPS = "groups_in_two_splits"
    ACROSS_SPLITS = "duplicates_across_splits"
    WITHIN_SPLIT = "duplicates_within_a_split"
    LOOK_ALIKES = "look_alikes_across_splits"
    CONTRADICTION = "contradictory_labels"
    SHORTCUT = "shortcut"
    MARKER = "marker"
    ONE_CLASS_SOURCE = "source_with_one_class"
    SQUASHED = "squashed_sources"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong with the data."""

    kind: FindingKind
    text: str
    """What was found, with its numbers."""
    advice: str
    """What to do about it."""


@dataclass(frozen=True, kw_only=True)
class GroupInTwoSplits:
    """A patient whose films stand in several splits."""

    group: str
    films: tuple[tuple[str, str], ...]
    """(split, name) of one film of it in each split."""


@dataclass(frozen=True, kw_only=True)
class AuditResult:
    """Everything an audit measured; indices point into `examples`."""

    fingerprint: str
    examples: tuple[Example, ...]
    """The films that could be read."""
    skipped: tuple[str, ...]
    """One sentence for each film that could not."""
    groups: tuple[GroupInTwoSplits, ...]
    pairs: tuple[Pair, ...]
    """All alike films, most alike first."""
    sources: tuple[SourceCounts, ...]
    shortcuts: tuple[Shortcut, ...]
    """Empty where the films of train and val cannot be cross-validated."""
    markers: tuple[Marker, ...]
    """Their `examples` point into `fitted`."""
    fitted: tuple[int, ...]
    """The films of train and val, on which shortcuts and markers were looked for."""

    def is_across_splits(self, pair: Pair) -> bool:
        """Say whether the two films stand in different splits."""
        return self.examples[pair.first].split != self.examples[pair.second].split

    def is_contradictory(self, pair: Pair) -> bool:
        """Say whether one film was given two classes; look-alikes may rightly have two."""
        same_class = self.examples[pair.first].label == self.examples[pair.second].label
        return pair.likeness is not Likeness.LOOK_ALIKE and not same_class

    def is_same_group(self, pair: Pair) -> bool:
        """Say whether the data already knows that the two belong together."""
        return self.examples[pair.first].group == self.examples[pair.second].group

    def pairs_of(self, *, across: bool | None = None) -> tuple[Pair, ...]:
        """Return pairs of the same film twice: across splits, within one, or (None) all."""
        same = [pair for pair in self.pairs if pair.likeness is not Likeness.LOOK_ALIKE]
        return tuple(p for p in same if across is None or self.is_across_splits(p) == across)

    @property
    def contradictions(self) -> tuple[Pair, ...]:
        """Pairs of one film with two classes."""
        return tuple(pair for pair in self.pairs if self.is_contradictory(pair))

    @property
    def look_alikes_across(self) -> tuple[Pair, ...]:
        """Pairs across splits that are probably two films of one patient."""
        alike = (pair for pair in self.pairs if pair.likeness is Likeness.LOOK_ALIKE)
        return tuple(pair for pair in alike if self.is_across_splits(pair))

    @property
    def groups_are_known(self) -> bool:
        """Some group says more than the film's own name; else none can be seen in two splits."""
        return any(
            example.group not in (example.name, example.path.stem)
            and not example.group.startswith(f"{example.split}/")
            for example in self.examples
        )

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, gravest first; empty for data without a fault known here."""
        return (
            *_children(self),
            *_repeated(self),
            *_readable_sources(self),
            *_shortcuts(self),
            *_markers(self),
        )


def find_groups_in_two_splits(examples: Sequence[Example]) -> tuple[GroupInTwoSplits, ...]:
    """Return every group with films in several splits, by name."""
    firsts: dict[str, dict[str, str]] = {}
    for example in examples:
        firsts.setdefault(example.group, {}).setdefault(example.split, example.name)
    return tuple(
        GroupInTwoSplits(group=group, films=tuple(sorted(films.items())))
        for group, films in sorted(firsts.items())
        if len(films) > 1
    )


def _children(result: AuditResult) -> Iterator[Finding]:
    """Yield how many films are known to be of children."""
    children = [example for example in result.examples if is_child(example)]
    per_class = Counter(class_of(example) for example in children)
    if children:
        named = ", ".join(f"{count} {name}" for name, count in per_class.most_common())
        sources = sorted({example.source for example in children} - {""})
        of = f" (known as {', '.join(sources)})" if sources else ""
        yield Finding(
            kind=FindingKind.CHILDREN,
            text=f"Films of children{of}: {len(children)} of {len(result.examples)}: {named}.",
            advice="TB figures leave them out; a network may still tell the class by the age.",
        )


def _repeated(result: AuditResult) -> Iterator[Finding]:
    counted = (
        (
            FindingKind.GROUPS,
            len(result.groups),
            "Groups (patients) with films in two splits",
            "Give all films of a group one split.",
        ),
        (
            FindingKind.ACROSS_SPLITS,
            len(result.pairs_of(across=True)),
            "Pairs across splits that are one film",
            "Give both one group and one split, or remove one; scores are too high until then.",
        ),
        (
            FindingKind.CONTRADICTION,
            len(result.contradictions),
            "Pairs of one film with two classes",
            "Look at both and correct the class, or remove both.",
        ),
        (
            FindingKind.LOOK_ALIKES,
            len(result.look_alikes_across),
            "Pairs across splits that look like two films of one patient",
            "Look at them and give one patient one group.",
        ),
        (
            FindingKind.WITHIN_SPLIT,
            len(result.pairs_of(across=False)),
            "Pairs within a split that are one film",
            "They count twice: keep one.",
        ),
    )
    for kind, count, what, advice in counted:
        if count:
            yield Finding(kind=kind, text=f"{what}: {count}.", advice=advice)


def _readable_sources(result: AuditResult) -> Iterator[Finding]:
    if len(result.sources) < 2:
        return
    single = [one for one in result.sources if one.only_class]
    if single:
        names = ", ".join(f"{one.source} ({one.only_class})" for one in single)
        share = accuracy_by_source(result.sources)
        yield Finding(
            kind=FindingKind.ONE_CLASS_SOURCE,
            text=f"{len(single)} of {len(result.sources)} sources hold one class only: {names}; "
            f"naming each source's commonest class is right for {share:.0%} of the films.",
            advice="The class can be read from the source: report figures per source.",
        )
    squashed = [one for one in result.sources if (one.squashed or 0) >= _SQUASHED_FROM]
    if squashed:
        names = ", ".join(f"{one.source} {one.squashed:.0%}" for one in squashed)
        yield Finding(
            kind=FindingKind.SQUASHED,
            text=f"Films that lost their aspect ratio (squashed), by source: {names}.",
            advice="Aspect must not reach the network; preprocessing here squashes every film.",
        )


def _shortcuts(result: AuditResult) -> Iterator[Finding]:
    for shortcut in result.shortcuts:
        if shortcut.is_clear:
            estimate = shortcut.accuracy
            yield Finding(
                kind=FindingKind.SHORTCUT,
                text=f"The class is told by {_CUE_WORDS[shortcut.cue]}: accuracy "
                f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f}), "
                f"the commonest class alone {shortcut.majority:.2f}.",
                advice=f"A model near {estimate.value:.2f} may have learnt no more than this.",
            )


def _markers(result: AuditResult) -> Iterator[Finding]:
    """Yield one finding for all films and one for each source, of the clearest marker per class."""
    for within in dict.fromkeys(marker.within for marker in result.markers):
        found = [marker for marker in result.markers if marker.within == within]
        clearest: dict[str, Marker] = {}
        for marker in sorted(found, key=lambda one: one.p_value):
            clearest.setdefault(marker.class_name, marker)
        told = "; ".join(
            f"{describe_marker(one)}: {one.precision:.0%} of the {one.films} films that have it "
            f"are {one.class_name}, of all {one.base_rate:.0%}"
            for one in clearest.values()
        )
        where = found[0].scope[0].upper() + found[0].scope[1:]
        yield Finding(
            kind=FindingKind.MARKER,
            text=f"{where}, markers that tell the class: {len(found)}. The clearest: {told}.",
            advice="Mask them, or show that the model does not look there.",
        )


def describe_marker(marker: Marker) -> str:
    """Return in words what the marker is and where."""
    if marker.patch is Patch.EDGE:
        return "a straight edge of pure white (a pasted box or a frame)"
    top, left, bottom, right = marker.box
    return f"a {marker.patch} patch in rows {top + 1}-{bottom}, columns {left + 1}-{right} of 16"


def class_of(example: Example) -> str:
    """Return the name of a film's class."""
    return CLASSES[example.label]
