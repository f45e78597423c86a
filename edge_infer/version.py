"""The version of this package, wherever it runs from."""

from __future__ import annotations

from pathlib import Path


def package_version() -> str:
    """Return the version from the installed package, or from pyproject.toml beside a clone."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("cxr-edge")
    except PackageNotFoundError:
        import tomllib

        project = Path(__file__).resolve().parents[1] / "pyproject.toml"
        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
