"""What many tests of the clinic's package begin with."""

from __future__ import annotations

import pytest

from edge_infer.flow.keep_day import DaySettings
from edge_infer.flow.screen import open_model
from edge_infer.model.classifier import Classifier
from tests.edge.made_day import TINY
from tests.edge.pool_here import PoolHere


@pytest.fixture(scope="session")
def tiny() -> Classifier:
    """Return the tiny model, open."""
    return open_model(TINY)


@pytest.fixture
def pool() -> PoolHere:
    return PoolHere()


@pytest.fixture
def settings(tiny: Classifier, pool: PoolHere) -> DaySettings:
    """Return the settings of a run that reads in this process, through `pool`."""
    return DaySettings(model=tiny, card=tiny.card, package_version="9.8.7", workers=1, pool=pool)
