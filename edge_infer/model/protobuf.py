"""The outermost fields of a protobuf message, found and written without the protobuf library."""

from __future__ import annotations

from collections.abc import Iterator

from edge_infer.errors import ModelError

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def fields_of(data: bytes | memoryview) -> Iterator[tuple[int, int, int, int]]:
    """Yield (field number, start of field, start of body, end); ModelError where there is none."""
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


def _varint(data: bytes | memoryview, position: int) -> tuple[int, int]:
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


def encode_field(number: int, body: bytes) -> bytes:
    """Return a field of bytes with its number and length."""
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
