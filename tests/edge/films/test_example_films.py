"""The sample day reads whole; each file added to the bad day is refused with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_infer.errors import ImageError, ReasonCode
from edge_infer.films.find import find_films
from edge_infer.films.read import read_radiograph
from edge_infer.flow.screen import open_model
from edge_infer.model.findings import to_finding
from edge_infer.model.preprocess import to_model_input
from edge_infer.worklist.rows import Decision, decide

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
BAD = {
    "90-truncated.dcm": ReasonCode.TRUNCATED,
    "91-ct-slice.dcm": ReasonCode.OTHER_MODALITY,
    "92-empty.dcm": ReasonCode.EMPTY_FILE,
    "93-text.dcm": ReasonCode.NOT_AN_IMAGE,
}
NO_FRONTAL_CHEST = {"94-lateral.png", "95-hand.dcm", "96-upside-down.jpg"}
"""Sound pictures; that they show no upright frontal chest stands in their pixels alone."""


def test_every_film_of_the_day_is_read_over_its_whole_range() -> None:
    found = find_films([EXAMPLES / "day"])
    assert (len(found.films), found.ignored) == (14, 0)
    for image in found.films:
        film = read_radiograph(image.path)
        # Phantoms leave a little room at both ends; a wrong window or inversion would not.
        assert film.pixels.min() < 7000, image.tail
        assert film.pixels.max() > 62000, image.tail
        neck, air = film.pixels[5, film.pixels.shape[1] // 2], film.pixels[5, 5]
        assert neck > 3 * air, image.tail  # bones bright


def test_the_day_shows_every_group_of_the_list() -> None:
    classifier = open_model(None)
    size = classifier.card.input
    shown = set()
    for image in find_films([EXAMPLES / "day"]).films:
        film = read_radiograph(image.path)
        ready = to_model_input(film.pixels, height=size.height, width=size.width)
        logits = classifier.run(ready[None]).logits[0]
        shown.add(decide(to_finding(logits, classifier.card), classifier.card))
    assert shown == set(Decision)


def test_the_bad_day_is_the_day_and_seven_files_more() -> None:
    good = {image.tail for image in find_films([EXAMPLES / "day"]).films}
    bad = {image.tail: image.path for image in find_films([EXAMPLES / "bad-day"]).films}
    assert set(bad) == good | set(BAD) | NO_FRONTAL_CHEST
    for name, code in BAD.items():
        with pytest.raises(ImageError) as caught:
            read_radiograph(bad[name])
        assert caught.value.code is code, name


@pytest.mark.parametrize("name", sorted(NO_FRONTAL_CHEST))
def test_headers_do_not_give_away_what_shows_no_frontal_chest(name: str) -> None:
    film = read_radiograph(EXAMPLES / "bad-day" / name)
    assert film.pixels.min() < 7000
    assert film.pixels.max() > 55000


def test_the_examples_stay_small() -> None:
    for folder in ("day", "bad-day"):
        files = [path for path in (EXAMPLES / folder).rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < 6_000_000
