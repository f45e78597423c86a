"""Model files: the card is found, hashed around and replaced without the onnx library."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer.errors import ModelError
from edge_infer.model.model_card import CARD_KEY
from edge_infer.model.model_file import (
    SEAL_KEY,
    hash_without_card,
    load_model_file,
    read_card_text,
    with_card,
    with_rejection,
)

TINY = Path(__file__).with_name("tiny.onnx")
DATA = TINY.read_bytes()


def test_the_onnx_library_reads_the_same_card() -> None:
    properties = {p.key: p.value for p in onnx.load_from_string(DATA).metadata_props}
    assert properties[CARD_KEY] == read_card_text(DATA)


def test_a_card_written_by_the_onnx_library_is_read() -> None:
    model = onnx.load_from_string(DATA)
    onnx.helper.set_model_props(model, {"a": "b", CARD_KEY: "한국어", "z": ""})
    data = model.SerializeToString()
    assert read_card_text(data) == "한국어"
    onnx.checker.check_model(onnx.load_from_string(with_card(data, "other")))


def test_replacing_a_card_changes_nothing_else() -> None:
    digest = hash_without_card(DATA)
    other = with_card(DATA, "x" * 300)
    assert hash_without_card(other) == digest
    assert read_card_text(other) == "x" * 300
    text = read_card_text(DATA)
    assert text is not None
    assert with_card(with_card(other, "y"), text) == with_card(DATA, text)


def test_both_hashes_hold_wherever_a_card_stands() -> None:
    """A protobuf message may hold its fields in any order, and ours twice."""
    one = with_card(DATA, "x" * 30)
    start = one.rindex(CARD_KEY.encode()) - 4  # tag and length of the entry, then of the key
    bare, card = one[:start], one[start:]
    assert read_card_text(bare) is None
    for data in (bare, bare + card, card + bare, card + bare + card, card + card + bare):
        assert hash_without_card(data) == hashlib.sha256(bare).hexdigest()
    assert load_model_file(TINY).sha256 == hashlib.sha256(DATA).hexdigest()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, at: int, by: int
) -> None:
    damaged = bytearray(DATA)
    damaged[at] = (damaged[at] + by) % 256
    path = tmp_path_factory.mktemp("m") / "damaged.onnx"
    path.write_bytes(bytes(damaged))
    with pytest.raises(ModelError):
        load_model_file(path)


def sealed(schema: str) -> bytes:
    card = read_card_text(DATA)
    assert card is not None
    return with_card(DATA, card.replace('"schema": "1.0"', f'"schema": "{schema}"'))


def without_seal(data: bytes) -> bytes:
    model = onnx.load_from_string(data)
    kept = {p.key: p.value for p in model.metadata_props if p.key != SEAL_KEY}
    onnx.helper.set_model_props(model, kept)
    return bytes(model.SerializeToString())


def test_no_flipped_bit_of_a_card_is_read(tmp_path: Path) -> None:
    """Of 20,000 flips in a card without a seal 4,635 were read, and 14 changed a decision."""
    path, data = tmp_path / "flipped.onnx", sealed("1.2")
    at, random = data.rindex(CARD_KEY.encode()), np.random.default_rng(5)
    for _ in range(2000):
        flipped = bytearray(data)
        flipped[int(random.integers(at, len(data)))] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(ModelError):
            load_model_file(path)


@pytest.mark.parametrize("schema", ["1.0", "1.1"])
def test_a_file_of_before_the_seal_is_still_read(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "old.onnx"
    path.write_bytes(without_seal(sealed(schema)))
    assert load_model_file(path).card.schema == schema


@pytest.mark.parametrize("schema", ["1.2", "1.9"])
def test_a_later_file_without_its_seal_is_refused(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "opened.onnx"
    path.write_bytes(without_seal(sealed(schema)))
    with pytest.raises(ModelError, match="was changed after its card was written"):
        load_model_file(path)


def test_a_second_seal_is_refused(tmp_path: Path) -> None:
    path, data = tmp_path / "twice.onnx", sealed("1.2")
    path.write_bytes(data + data[data.rindex(SEAL_KEY.encode()) - 4 :])
    with pytest.raises(ModelError, match="was changed after its card was written"):
        load_model_file(path)


@settings(deadline=None)
@given(st.binary(max_size=200) | st.integers(0, len(DATA) - 1).map(lambda end: DATA[:end]))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read_card_text(data)
        hash_without_card(data)
    except ModelError:
        return
    # What both accept is a graph of any content: a card can be put in and read back.
    assert read_card_text(with_card(data, "x")) == "x"
    assert hash_without_card(with_card(data, "x")) == hash_without_card(data)


def nothing(path: Path) -> None:
    assert not path.exists()


def folder(path: Path) -> None:
    path.mkdir()


def text(path: Path) -> None:
    path.write_text("this is no model, it is a letter\n", encoding="utf-8")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(DATA[: len(DATA) // 2])


def without_card(path: Path) -> None:
    model = onnx.load_from_string(DATA)
    del model.metadata_props[:]
    path.write_bytes(model.SerializeToString())


def changed_weights(path: Path) -> None:
    model = onnx.load_from_string(DATA)
    model.graph.name = "changed"
    path.write_bytes(model.SerializeToString())


def broken_card(path: Path) -> None:
    path.write_bytes(with_card(DATA, "{"))


def future_card(path: Path) -> None:
    card = read_card_text(DATA)
    assert card is not None
    path.write_bytes(with_card(DATA, card.replace('"schema": "1.0"', '"schema": "2.0"')))


def test_a_rejected_model_says_why_under_any_name(tmp_path: Path) -> None:
    bare = onnx.load_from_string(DATA)
    del bare.metadata_props[:]
    file = tmp_path / "mine.onnx"
    file.write_bytes(with_rejection(bare.SerializeToString(), "3 of 72 films changed class (영)."))
    with pytest.raises(ModelError, match=r"was rejected by cxr-export.*: 3 of 72 .*\(영\)\."):
        load_model_file(file)
    assert onnx.load(file).graph == bare.graph


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_a_pipe_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    os.mkfifo(path)
    program = (
        "import sys, pathlib\n"
        "from edge_infer.model.model_file import load_model_file\n"
        "load_model_file(pathlib.Path(sys.argv[1]))\n"
    )
    # In a process of its own: a reader that waits for a pipe cannot be stopped from within.
    done = subprocess.run(
        (sys.executable, "-c", program, path),
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert "it is not a file. Check --model." in done.stderr


def too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**27 + 1)  # takes no place on the disk


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (too_large, "is larger than 128 MiB"),
        (nothing, "cannot be read"),
        (folder, "it is not a file"),
        (text, "not an ONNX model"),
        (empty, "not an ONNX model"),
        (half, "not an ONNX model|no model card"),
        (without_card, "has no model card: export it with cxr-export"),
        (changed_weights, "was changed after its card was written"),
        (broken_card, r"model\.onnx: .*card is damaged"),
        (future_card, r"model\.onnx: .*schema 2\.0, this program reads 1\.x"),
    ],
)
def test_unusable_files_end_with_one_sentence(
    make: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    make(path)
    with pytest.raises(ModelError, match=sentence):
        load_model_file(path)
