"""Lookup tables of a header: Modality LUT, VOI LUT and palette (PS3.3 C.11.1.1, C.7.6.3.1.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_infer.errors import ReasonCode, UnreadableImage
from edge_infer.films.dicom.elements import DicomElements, name_tag


@dataclass(frozen=True, kw_only=True)
class LookupTable:
    """Entries for consecutive inputs, the first for input `first`; others take the nearest."""

    first: int
    entries: NDArray[np.uint16]
    highest: int
    """What an entry can be at most, by the bits per entry: the range the table maps to."""

    def look_up(self, values: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the entry of each value."""
        index = np.clip(np.rint(values) - self.first, 0, self.entries.size - 1).astype(np.int64)
        return np.asarray(self.entries[index], dtype=np.float64)


def read_lookup_table(
    elements: DicomElements, keyword: str, *, is_signed: bool
) -> LookupTable | None:
    """Read the first usable table of a LUT sequence, or None where there is no sequence.

    Raises UnreadableImage DAMAGED where there is one and no table in it can be used: without it
    the film would be shown wrongly.
    """
    if not elements.raw(keyword) and not elements.items(keyword):
        return None
    table = find_lookup_table(elements, keyword, is_signed=is_signed)
    if table is None:
        raise UnreadableImage(
            f"The film's grey scale is damaged: {name_tag(keyword)} cannot be used.",
            ReasonCode.DAMAGED,
        )
    return table


def find_lookup_table(
    elements: DicomElements, keyword: str, *, is_signed: bool
) -> LookupTable | None:
    """Return the first table of a LUT sequence that is whole and tells two values apart."""
    made = (
        make_lookup_table(item, "LUTDescriptor", "LUTData", is_signed=is_signed)
        for item in elements.items(keyword)
    )
    return next((table for table in made if table and np.ptp(table.entries) > 0), None)


def make_lookup_table(
    elements: DicomElements, descriptor: str, data: str, *, is_signed: bool
) -> LookupTable | None:
    """Build a table from its descriptor (count, first input, bits) and its data, or None.

    Entries of 8 bits may lie one or two to a 16-bit word: their number tells.
    """
    shape, signed_shape = elements.integers(descriptor), elements.integers(descriptor, signed=True)
    if len(shape) != 3:
        return None
    count = shape[0] or 65536
    raw = elements.raw(data)
    if len(raw) >= 2 * count:
        order = ">" if elements.byte_order(data) == "big" else "<"
        entries = np.frombuffer(raw[: 2 * count], f"{order}u2").astype(np.uint16)
    elif len(raw) >= count and shape[2] <= 8:
        entries = np.frombuffer(raw[:count], np.uint8).astype(np.uint16)
    else:
        return None
    bits = shape[2] if 1 <= shape[2] <= 16 else 16
    # Some writers state fewer bits than their entries need.
    bits = max(bits, int(entries.max()).bit_length())
    first = signed_shape[1] if is_signed else shape[1]
    return LookupTable(first=first, entries=entries, highest=(1 << bits) - 1)
