"""Screen a folder in this one process and tell what every film was at every stage, as JSON.

    python -m benchmarks.film_stages FOLDER CSV [--full-decode]

Writes the worklist to CSV and prints path -> stage -> digest (or the refusal). Run in a processor
emulator, which the command's worker processes would escape. The film-by-film steps are those of
`prepare_film` and its caller.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_infer.errors import ImageError
from edge_infer.films.find import FoundFilm, find_films
from edge_infer.films.read import read_radiograph
from edge_infer.model.bundled import bundled_model
from edge_infer.model.classifier import Classifier
from edge_infer.model.findings import to_finding
from edge_infer.model.preprocess import to_model_input
from edge_infer.worklist.lists import to_csv
from edge_infer.worklist.rows import (
    ScreenedDay,
    WorklistRow,
    in_order,
    refused_row,
    screened_row,
)

STAGES = ("pixels", "input", "logits", "printed")
"""In a film's order: as read and shrunk, the network's input, its rounded logits, what is printed.
A last digit beyond the rounding is `raw_logits`, which reaches no list."""


def digest(array: np.ndarray) -> str:
    """Name an array by its content."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def screen_one(
    image: FoundFilm, classifier: Classifier, *, full_decode: bool
) -> tuple[WorklistRow, dict[str, Any]]:
    """Return a film's row and the digest of each of its stages."""
    card = classifier.card
    height, width = card.input.height, card.input.width
    try:
        film = read_radiograph(
            image.path,
            size=None if full_decode else (height, width),
            min_age_years=card.min_age_years,
        )
    except ImageError as error:
        return refused_row(image.tail, error), {"refused": str(error)}
    model_input = to_model_input(film.pixels, height=height, width=width)
    logits = classifier.run(model_input[None]).logits[0]
    finding = to_finding(logits, card)
    row = screened_row(image.tail, finding, card, study=film.study, thumbnail=b"")
    stages = {
        "pixels": digest(film.pixels),
        "input": digest(model_input),
        "logits": np.round(logits.astype(np.float64), 4).tolist(),
        "printed": list(finding.units),
        "raw_logits": digest(logits),
    }
    return row, stages


def main() -> None:
    """Parse the command line, screen, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--full-decode", action="store_true")
    parser.add_argument("--model", type=Path, default=bundled_model())
    options = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = Classifier.load(options.model)
    found = find_films([options.folder])
    both = [screen_one(image, classifier, full_decode=options.full_decode) for image in found.films]
    day = ScreenedDay(
        rows=in_order(row for row, _ in both),
        n_files=len(found.films),
        ignored=found.ignored,
        unreadable_folders=found.unreadable_folders,
        card=classifier.card,
        model_sha256=classifier.sha256,
        package_version="",
        generated_at=datetime.now(UTC),
    )
    options.csv.write_bytes(to_csv(day).encode())
    print(json.dumps({row.path: stages for row, stages in both}))


if __name__ == "__main__":
    main()
