"""Options and surroundings of every test: slow and gpu tests are skipped aloud by default."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow: run with --slow"))
        if item.get_closest_marker("gpu") and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="gpu: no CUDA device here"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep decoded films of tests out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
