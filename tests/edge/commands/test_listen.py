"""The command that listens: what it refuses, what it says of other nodes, and that it goes on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.listener_kills import measure
from edge_infer.net.services import RESULT_CLASSES
from tests.edge.net.made_nodes import associated, film, listening, needs, send
from tests.edge.net.made_results import WHOLE_HEADER
from tests.edge.net.running_listener import COMMAND, ROOT, listener, screened, wait_for
from tests.edge.net.test_delivery import archive


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--out"),
        (["--out", "x", "--ae-title", "SEVENTEEN_LETTERS"], "--ae-title"),
        (["--out", "x", "--address", "0.0.0.0"], "--peers"),
        (["--out", "x", "--address", "here"], "--address"),
        (["--out", "x", "--tls-cert", "x.pem"], "--tls-cert"),
        (["--out", "x", "--send-to", "A@b:1", "--send-tls-cert", "x.pem"], "--send-tls-ca"),
        (["--check", "no port"], "--check"),
    ],
)
def test_a_wrong_command_line_is_two(words: list[str], told: str, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from edge_infer.commands.listen import app

    words = [str(tmp_path) if word == "x" else word for word in words]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 2 and told in ended.output
    assert not list(tmp_path.iterdir())


def test_the_check_says_in_one_sentence_what_is_wrong(tmp_path: Path) -> None:
    with listening(tmp_path) as node:
        good = run("--check", f"CXREDGE@127.0.0.1:{node.port}")
        wrong = run("--check", f"127.0.0.1:{node.port}")
    nobody = run("--check", f"127.0.0.1:{node.port}")
    assert (good.returncode, wrong.returncode, nobody.returncode) == (0, 3, 3)
    assert "knows us" in good.stdout and "is not called ANY-SCP" in wrong.stdout
    assert "nothing listens" in nobody.stdout
    assert all(len(one.stdout.splitlines()) == 1 for one in (good, wrong, nobody))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_films_are_listed_and_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with listener(out) as (process, port):
        with associated(port) as association:
            assert send(association, film(1), tmp_path) == 0
        wait_for(lambda: len(screened(out)) == 1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors and "Stopped" in errors
    assert not list((out / "spool" / "incoming").iterdir())


@pytest.mark.slow
def test_every_acknowledged_film_is_listed_once_through_two_kills(tmp_path: Path) -> None:
    """1,000 films: `python -m benchmarks.listener_kills`, about a minute."""
    count = measure(tmp_path, films=60, kills=2)
    assert len(count.acknowledged) == count.on_disk == count.rows == 60
    assert len(count.killed_at) == 2 and not count.lost and not count.doubled


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without asking it")
def test_what_is_screened_is_sent_before_it_ends_and_a_kill_leaves_no_sender(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    with archive([]) as (port, taken):
        for number, end in ((1, signal.SIGTERM), (2, signal.SIGKILL)):
            with listener(out, "--send-to", f"ARCHIVE@127.0.0.1:{port}") as (process, own_port):
                with associated(own_port) as association:
                    assert send(association, film(number, **WHOLE_HEADER), tmp_path) == 0
                wait_for(lambda n=number: len(screened(out)) == n)  # type: ignore[misc]
                process.send_signal(end)
                # Its workers and the process that sends have its pipes, too.
                process.communicate(timeout=60)
            if end == signal.SIGTERM:
                assert {one.SOPClassUID for one in taken} == set(RESULT_CLASSES)


@needs("systemd-analyze")
def test_the_unit_in_the_docs_is_one_and_its_options_are_ours(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "pacs.md").read_text(encoding="utf-8")
    match = re.search(r"```ini\n(.+?)```", text, re.S)
    assert match is not None
    unit = tmp_path / "cxr-listen.service"
    # The program is not installed there.
    unit.write_text(match[1].replace("/opt/cxr-edge/bin/cxr-listen", "/bin/true"), encoding="utf-8")
    judged = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert judged.returncode == 0 and not judged.stdout + judged.stderr
    (words,) = re.findall(r"^ExecStart=\S+/cxr-listen (.+)$", match[1], re.M)
    from typer.main import get_command

    from edge_infer.commands.listen import app

    ours = {option for one in get_command(app).params for option in one.opts}
    assert {word for word in words.split() if word.startswith("--")} <= ours
