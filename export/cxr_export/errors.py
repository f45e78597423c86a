"""Errors of the export; see `edge_infer.errors` for the whole tree."""

from __future__ import annotations

from edge_infer.errors import CxrError


class ParityError(CxrError):
    """The exported model does not agree with the checkpoint; its file is named `.rejected`."""

    exit_code = 4
