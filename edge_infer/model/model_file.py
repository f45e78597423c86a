"""The card inside the .onnx file, found and hashed without the onnx library.

An .onnx file is one protobuf message (onnx.ModelProto). Its `metadata_props` are field 14, each a
message of key (field 1) and value (field 2). Only the outermost fields are walked here: enough to
read the card, to replace it, and to hash everything else.

Behind the card stands the seal, the SHA-256 of all other bytes of the file. The hash in the card
covers the network alone: without a seal one changed bit of the card's own text was a changed
threshold in 14 of 20,000. Cards before schema 1.2 were written without one and are still read.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import ModelError
from edge_infer.model.model_card import CARD_KEY, ModelCard
from edge_infer.model.protobuf import encode_field, fields_of

SEAL_KEY = "cxr.seal"
REJECTED_KEY = "cxr.rejected"
"""Why `cxr-export` would not hand a model over, in a file that has no card for it."""
_SEALED_SINCE = 2
"""Minor version of the card's schema from which a file without a seal has lost it."""
_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_GRAPH, _FUNCTIONS = 7, 25
_NODE, _OPERATOR, _ATTRIBUTE, _SPARSE_INITIALIZER = 1, 4, 5, 15
_SUBGRAPHS = (6, 11)
"""AttributeProto's `g` and `graphs`: what Loop, If and Scan run."""
_LARGEST_MODEL = 1 << 27
"""128 MiB: 30 times the bundled one. While it is loaded ONNX Runtime takes three times as much, and
each worker loads its own."""
_MOST_NODES = 8_000
"""Ten times the deepest network known here; a million take minutes to load."""


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file whose card was read and whose hash fits."""

    path: Path
    card: ModelCard
    data: bytes = field(repr=False)
    sha256: str
    """Of the whole file."""


def load_model_file(path: Path) -> ModelFile:
    """Read a model file and its card.

    Raises ModelError when the file is missing, damaged, has no card, a card of another schema, or
    was changed after its card was written.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            # Reading a pipe would wait for ever.
            raise ModelError(f"The model {path} cannot be read: it is not a file. Check --model.")
        if facts.st_size > _LARGEST_MODEL:
            raise ModelError(f"The model file {path} is larger than 128 MiB: it is not ours.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model file {path} cannot be read: {error.strerror}. Check --model."
        ) from error
    try:
        text = read_card_text(data)
        hashes = _hash(data)
        card = None if text is None else ModelCard.from_json(text)
        seals = [entry.get(_VALUE, b"") for entry in _entries(data, SEAL_KEY)]
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if card is None:
        reason = read_rejection(data)
        if reason:
            raise ModelError(f"{path} was rejected by cxr-export and screens nothing: {reason}")
        raise ModelError(f"{path} has no model card: export it with cxr-export.")
    is_sealed = seals == [hashes.without_seal.encode()]
    if card.model_sha256 != hashes.without_card or not (is_sealed or _may_lack_seal(card, seals)):
        raise ModelError(
            f"{path} was changed after its card was written (hash differs): copy it again."
        )
    _require_straight(data, path)
    return ModelFile(path=path, card=card, data=data, sha256=hashes.whole)


def _may_lack_seal(card: ModelCard, seals: Collection[bytes]) -> bool:
    return not seals and card.schema_minor < _SEALED_SINCE


def _require_straight(data: bytes, path: Path) -> None:
    """Refuse graphs within graphs: a network has none, and a Loop may never end."""
    view = memoryview(data)
    for number, _, body, end in fields_of(view):
        if number == _FUNCTIONS:
            raise _not_ours(path, "functions of its own")
        if number == _GRAPH:
            _require_straight_nodes(view[body:end], path)


def _require_straight_nodes(graph: memoryview, path: Path) -> None:
    count = 0
    for number, _, body, end in fields_of(graph):
        if number == _SPARSE_INITIALIZER:
            raise _not_ours(path, "a sparse tensor")
        if number != _NODE:
            continue
        count += 1
        if count > _MOST_NODES:
            raise _not_ours(path, f"more than {_MOST_NODES} nodes")
        node = graph[body:end]
        parts = [(part, node[start:stop]) for part, _, start, stop in fields_of(node)]
        attributes = [value for part, value in parts if part == _ATTRIBUTE]
        if any(inner in _SUBGRAPHS for each in attributes for inner, *_ in fields_of(each)):
            operators = [bytes(value) for part, value in parts if part == _OPERATOR]
            name = b"".join(operators[-1:]).decode("ascii", "replace")
            raise _not_ours(path, f"a graph inside its node '{name[:40]}'")


def _not_ours(path: Path, what: str) -> ModelError:
    return ModelError(f"The model in {path} has {what}, as no network has: re-export it.")


def read_card_text(data: bytes) -> str | None:
    """Return the card's JSON, or None when the model has none; ModelError when not a model."""
    cards = [entry.get(_VALUE, b"") for entry in _entries(data, CARD_KEY)]
    if not cards:
        return None
    try:
        return cards[-1].decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError("the model card is damaged: copy the file again.") from error


def read_rejection(data: bytes) -> str:
    """Return why the exporter rejected this model; empty where it did not, or for no model."""
    try:
        reasons = [entry.get(_VALUE, b"") for entry in _entries(data, REJECTED_KEY)]
    except ModelError:
        return ""
    return b" ".join(reasons).decode("utf-8", "replace")


def with_rejection(data: bytes, reason: str) -> bytes:
    """Return the model with the reason why it was rejected."""
    return data + _encode_entry(REJECTED_KEY, reason.encode("utf-8"))


def hash_without_card(data: bytes) -> str:
    """Return the SHA-256 of every byte but the card's entry and the seal's."""
    return _hash(data).without_card


@dataclass(frozen=True, kw_only=True)
class _Hashes:
    whole: str
    without_seal: str
    without_card: str
    """And without the seal."""


def _hash(data: bytes) -> _Hashes:
    """Hash every byte of a model, and all but what its last entries say of the rest.

    What precedes the card, which is written last, goes into all three and is hashed once: 6 ms less
    for each.
    """
    spans = _own_spans(data)
    view = memoryview(data)  # a slice of the bytes themselves would be a copy
    at = spans[0][1] if spans else len(data)
    network = hashlib.sha256(view[:at])
    sealed, whole = network.copy(), network.copy()
    whole.update(view[at:])
    for key, start, end in [*spans, ("", len(data), len(data))]:
        for digest in (network, sealed):
            digest.update(view[at:start])
        if key == CARD_KEY:
            sealed.update(view[start:end])
        at = end
    return _Hashes(
        whole=whole.hexdigest(), without_seal=sealed.hexdigest(), without_card=network.hexdigest()
    )


def with_card(data: bytes, card_text: str) -> bytes:
    """Return the model with this card, sealed, instead of any it had."""
    kept, position = [], 0
    for _, start, end in _own_spans(data):
        kept.append(data[position:start])
        position = end
    kept.append(data[position:])
    kept.append(_encode_entry(CARD_KEY, card_text.encode("utf-8")))
    sealed = b"".join(kept)
    return sealed + _encode_entry(SEAL_KEY, hashlib.sha256(sealed).hexdigest().encode())


def _encode_entry(key: str, value: bytes) -> bytes:
    return encode_field(
        _METADATA_PROPS, encode_field(_KEY, key.encode()) + encode_field(_VALUE, value)
    )


def _own_spans(data: bytes) -> list[tuple[str, int, int]]:
    """Return key, start and end of each entry of the card and the seal, in order of the file."""
    spans = []
    for start, body, end in _metadata(data):
        key = _entry(data[body:end]).get(_KEY)
        spans += [(own, start, end) for own in (CARD_KEY, SEAL_KEY) if key == own.encode()]
    return spans


def _entries(data: bytes, key: str) -> list[dict[int, bytes]]:
    entries = (_entry(data[body:end]) for _, body, end in _metadata(data))
    return [entry for entry in entries if entry.get(_KEY) == key.encode()]


def _metadata(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start of field, start of body, end) of each metadata entry of a model."""
    numbers = set()
    entries = []
    for number, start, body, end in fields_of(data):
        numbers.add(number)
        if number == _METADATA_PROPS:
            entries.append((start, body, end))
    if _GRAPH not in numbers:
        raise ModelError("this is not an ONNX model, or it is damaged: copy it again.")
    yield from entries


def _entry(data: bytes) -> dict[int, bytes]:
    return {number: data[body:end] for number, _, body, end in fields_of(data)}
