"""The card inside the .onnx file, found and hashed without the onnx library.

An .onnx file is one protobuf message (onnx.ModelProto). Its `metadata_props` are field 14, each a
message of key (field 1) and value (field 2). Only the outermost fields are walked here: enough to
read the card, to replace it, and to hash everything else.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge_infer.errors import ModelError
from edge_infer.model.model_card import CARD_KEY, ModelCard

_METADATA_PROPS = 14
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_GRAPH = 7
_LARGEST_MODEL = 1 << 30


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
            raise ModelError(f"The model file {path} is larger than 1 GiB: it is not one of ours.")
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"The model file {path} cannot be read: {error.strerror}. Check --model."
        ) from error
    try:
        text = read_card_text(data)
        sha256, digest = _hash(data)
        card = None if text is None else ModelCard.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if card is None:
        raise ModelError(f"{path} has no model card: export it with cxr-export.")
    if card.model_sha256 != digest:
        raise ModelError(
            f"{path} was changed after its card was written (hash differs): copy it again."
        )
    return ModelFile(path=path, card=card, data=data, sha256=sha256)


def read_card_text(data: bytes) -> str | None:
    """Return the card's JSON, or None when the model has none; ModelError when not a model."""
    found = None
    for _, body, end in _metadata(data):
        entry = _entry(data[body:end])
        if entry.get(_KEY) == CARD_KEY.encode():
            found = entry.get(_VALUE, b"")
    if found is None:
        return None
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError("the model card is damaged: copy the file again.") from error


def hash_without_card(data: bytes) -> str:
    """Return the SHA-256 of every byte but the card's entry."""
    return _hash(data)[1]


def _hash(data: bytes) -> tuple[str, str]:
    """Return the SHA-256 of every byte, and of every byte but the card's entry.

    What precedes the card, which is written last, goes into both and is hashed once: 6 ms less.
    """
    spans = _card_spans(data)
    view = memoryview(data)  # a slice of the bytes themselves would be a copy
    common = spans[0][0] if spans else len(data)
    without = hashlib.sha256(view[:common])
    whole = without.copy()
    whole.update(view[common:])
    ends = [end for _, end in spans]
    starts = [start for start, _ in spans[1:]] + [len(data)]
    for end, start in zip(ends, starts, strict=False):
        without.update(view[end:start])
    return whole.hexdigest(), without.hexdigest()


def with_card(data: bytes, card_text: str) -> bytes:
    """Return the model with this card instead of any it had."""
    kept, position = [], 0
    for start, end in _card_spans(data):
        kept.append(data[position:start])
        position = end
    kept.append(data[position:])
    entry = _field(_KEY, CARD_KEY.encode()) + _field(_VALUE, card_text.encode("utf-8"))
    return b"".join(kept) + _field(_METADATA_PROPS, entry)


def _card_spans(data: bytes) -> list[tuple[int, int]]:
    return [
        (start, end)
        for start, body, end in _metadata(data)
        if _entry(data[body:end]).get(_KEY) == CARD_KEY.encode()
    ]


def _metadata(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (start of field, start of body, end) of each metadata entry of a model."""
    numbers = set()
    entries = []
    for number, start, body, end in _fields(data):
        numbers.add(number)
        if number == _METADATA_PROPS:
            entries.append((start, body, end))
    if _GRAPH not in numbers:
        raise ModelError("this is not an ONNX model, or it is damaged: copy it again.")
    yield from entries


def _entry(data: bytes) -> dict[int, bytes]:
    return {number: data[body:end] for number, _, body, end in _fields(data)}


def _fields(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield (field number, start of field, start of body, end) of a protobuf message."""
    position = 0
    while position < len(data):
        start = position
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            body = position
            _, position = _varint(data, position)
        elif kind == _LENGTH:
            length, body = _varint(data, position)
            position = body + length
        elif kind in (_FIXED32, _FIXED64):
            body = position
            position += 4 if kind == _FIXED32 else 8
        else:
            raise _damaged()
        if position > len(data) or number == 0:
            raise _damaged()
        yield number, start, body, position


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if position >= len(data):
            raise _damaged()
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _damaged()


def _field(number: int, body: bytes) -> bytes:
    return _encode_varint(number << 3 | _LENGTH) + _encode_varint(len(body)) + body


def _encode_varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _damaged() -> ModelError:
    return ModelError("this is not an ONNX model, or it is damaged: copy it again.")
