"""Films are decoded once, through the runner's reader; what cannot be read is named, not lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cxr_train.config import Balance
from cxr_train.data.dataset import load_images, sampling_weights
from cxr_train.data.manifest import Example, read_data, select
from cxr_train.errors import DataError
from cxr_train.fit.release import log_share
from edge_infer.films.read import read_radiograph
from edge_infer.model.preprocess import to_model_input
from tests.train.tiny_films import write_data


def test_pixels_are_the_clinics_input_in_order(tmp_path: Path) -> None:
    examples = select(read_data(write_data(tmp_path / "data")), "train")
    loaded = load_images(examples, height=64, width=48, cache=tmp_path / "cache")
    assert loaded.pixels.shape == (16, 1, 64, 48) and loaded.examples == examples
    for row in (0, 7, 15):
        film = read_radiograph(examples[row].path).pixels
        np.testing.assert_array_equal(loaded.pixels[row], to_model_input(film, height=64, width=48))


def test_second_load_decodes_nothing_and_a_changed_file_is_seen(tmp_path: Path) -> None:
    examples = select(read_data(write_data(tmp_path / "data")), "val")
    calls: list[int] = []
    for _ in range(2):
        load_images(
            examples,
            height=32,
            width=32,
            cache=tmp_path / "cache",
            progress=lambda done, _: calls.append(done),
        )
    assert calls == list(range(1, 9))
    examples[0].path.write_bytes(examples[1].path.read_bytes() + b"\0")
    load_images(
        examples,
        height=32,
        width=32,
        cache=tmp_path / "cache",
        progress=lambda done, _: calls.append(done),
    )
    assert len(calls) == 16


def test_unreadable_film_is_skipped_by_name(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    broken = data / "val" / "normal" / "broken.png"
    broken.write_bytes(b"not a picture")
    examples = select(read_data(data), "val")
    loaded = load_images(examples, height=32, width=32, cache=tmp_path / "cache")
    assert len(loaded.pixels) == len(loaded.examples) == len(examples) - 1
    (reason,) = loaded.skipped
    assert "broken.png" in reason


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "normal" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"x")
    with pytest.raises(DataError, match="No image of the data can be read"):
        load_images(read_data(tmp_path), height=32, width=32, cache=tmp_path / "cache")


def example(label: int, source: str) -> Example:
    return Example(path=Path("x"), name="x", label=label, split="train", group="g", source=source)


def test_sampling_weights_by_hand() -> None:
    examples = [example(0, "a")] * 4 + [example(1, "a")] * 1 + [example(0, "b")] * 1
    by_class = sampling_weights(examples, Balance.CLASS, 1.0)
    assert by_class[:4].sum() + by_class[5] == pytest.approx(0.5)
    assert by_class[4] == pytest.approx(0.5)
    by_source = sampling_weights(examples, Balance.SOURCE, 0.5)
    assert by_source[:4].sum() / by_source[4] == pytest.approx(2.0)
    np.testing.assert_allclose(sampling_weights(examples, Balance.NONE, 0.5), 1 / 6)


def test_log_share_by_hand() -> None:
    examples = [example(label, "a") for label in (0, 0, 0, 0, 1, 1, 2, 3)]
    as_they_are = sampling_weights(examples, Balance.NONE, 0.5)
    np.testing.assert_allclose(log_share(examples, as_they_are), np.log([0.5, 0.25, 0.125, 0.125]))
    balanced = sampling_weights(examples, Balance.CLASS, 1.0)
    np.testing.assert_allclose(log_share(examples, balanced), np.log(0.25))
