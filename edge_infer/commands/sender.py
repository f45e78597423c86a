"""The process that makes results as DICOM and sends them, as its parent starts and ends it.

`cxr-infer` opens no connection and loads nothing that could: what `--dicom-out` and `--send-to`
ask for is done by `python -m edge_infer.commands.deliver`, which reads the day's record. It ends
when its standard input closes, so a parent that is killed leaves none behind to send beside the
next.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import typer

from edge_infer.commands.ending import CANNOT_START

RESULTS_FOLDER: Final = "dicom"
"""Of results that are sent and not asked for as files."""
_NEEDED = ("pynetdicom", "highdicom")


@dataclass(frozen=True, kw_only=True)
class NodeTls:
    """Files by which nodes are spoken to."""

    authority: Path
    own: tuple[Path, Path] | None
    """Certificate and key."""


def node_tls(authority: Path | None, certificate: Path | None, key: Path | None) -> NodeTls | None:
    """Return what --send-tls-ca, --send-tls-cert and --send-tls-key say; BadParameter if half."""
    if authority is None:
        if certificate is not None or key is not None:
            raise typer.BadParameter(
                "TLS needs the authority of the nodes.", param_hint="--send-tls-ca"
            )
        return None
    if certificate is None or key is None:
        if certificate is not key:
            raise typer.BadParameter(
                "a certificate needs its key, and a key its certificate.",
                param_hint="--send-tls-cert",
            )
        return NodeTls(authority=authority, own=None)
    return NodeTls(authority=authority, own=(certificate, key))


@dataclass(frozen=True, kw_only=True)
class Sending:
    """What was asked for on the command line."""

    folder: Path
    """Where the results go."""
    nodes: Sequence[str] = ()
    """TITLE@HOST:PORT of each node they are sent to."""
    node_tls: NodeTls | None = None
    archive: str = ""
    """URL of a DICOMweb archive they are sent to."""
    credentials: Path | None = None
    authority: Path | None = None
    ae_title: str = "CXREDGE"
    with_heat: bool = True
    model: Path | None = None
    site: Path | None = None
    full_decode: bool = False
    has_gate: bool = True
    min_free_mb: int = 100
    """Free disk below which no results are made: the day's lists need some too."""

    keep_days: int | None = None
    """Results made longer ago are removed once they are sent; None: they are kept."""

    def words(self) -> list[str]:
        """Return the options of the process."""
        words = ["--dicom-out", str(self.folder), "--ae-title", self.ae_title]
        for node in self.nodes:
            words += ["--send-to", node]
        tls = self.node_tls
        certificate, key = (tls.own if tls else None) or (None, None)
        named = {
            "--keep-days": self.keep_days,
            "--send-tls-ca": tls.authority if tls else None,
            "--send-tls-cert": certificate,
            "--send-tls-key": key,
            "--stow": self.archive or None,
            "--credentials": self.credentials,
            "--tls-ca": self.authority,
            "--model": self.model,
            "--site": self.site,
        }
        for option, value in named.items():
            words += [option, str(value)] if value is not None else []
        words += ["--min-free-mb", str(self.min_free_mb)]
        words += [] if self.with_heat else ["--no-heatmap"]
        words += ["--full-decode"] if self.full_decode else []
        return words + ([] if self.has_gate else ["--no-gate"])


def require_ready(sending: Sending) -> None:
    """End with a sentence, before hours of screening, where the results could not go out.

    The extra may be missing, a node's name may be none, the folder may not be writable.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        typer.echo(f'cxr-edge: {missing[0]} is missing: pip install "cxr-edge[dicom]"', err=True)
        raise typer.Exit(CANNOT_START)
    code = subprocess.run(_command(["--ready", *sending.words()])).returncode
    if code:
        raise typer.Exit(code)


def send_days(days: Sequence[Path], sending: Sending) -> int:
    """Make and send the results of these days; return the exit code: 0, or 4 where some wait."""
    with _started([*map(str, days), *sending.words()]) as process:
        return process.wait()


@contextmanager
def following(folder: Path, sending: Sending | None, *, is_dated: bool) -> Iterator[None]:
    """Let results be made and sent while a watch goes on, and the last ones at its end.

    `folder` is the day's; where it `is_dated`, its siblings of later days are followed too. None
    where nothing is to be sent.
    """
    if sending is None:
        yield
        return
    words = ["--follow", *(["--dated"] if is_dated else []), str(folder), *sending.words()]
    with _started(words) as process:
        try:
            yield
        finally:
            assert process.stdin is not None, "it is a pipe"
            with suppress(OSError):  # it ended before
                process.stdin.write(b"the end")


@contextmanager
def _started(words: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start the process, and wait for it at the end.

    Its standard input closes then. Where nothing was in it, it ends at once, as it does where this
    process was killed: the next run goes on from what was done.
    """
    with subprocess.Popen(_command(words), stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None, "it is a pipe"
            with suppress(OSError):
                process.stdin.close()
            process.wait()


def _command(words: list[str]) -> list[str]:
    return [sys.executable, "-m", "edge_infer.commands.deliver", *words]
