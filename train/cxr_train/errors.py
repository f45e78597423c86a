"""Errors of training and evaluation; see `edge_infer.errors` for the whole tree."""

from __future__ import annotations

from edge_infer.errors import CxrError


class ConfigError(CxrError):
    """A recipe or option is unknown, of the wrong type, or impossible."""

    exit_code = 2


class DataError(CxrError):
    """The images or their labels cannot be used as they are."""
