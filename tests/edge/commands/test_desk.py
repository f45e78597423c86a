"""`cxr-desk` as a person starts it: who is let in, what is refused, and a tick outlives kill -9."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edge_infer.commands.desk import main
from edge_infer.worklist.audit_trail import read_trail
from edge_infer.worklist.lists import JSON_NAME
from tests.edge.commands.test_calibrate import run
from tests.edge.made_day import TINY
from tests.edge.made_films import png

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return a password, a certificate and a key; nobody looks into the last two."""
    named = {name: tmp_path / name for name in ("password", "cert", "key")}
    for path in named.values():
        path.write_text("correct horse battery\n")
    return named


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    ended = run(capsys, main, *words)
    assert ended.code == 2
    return " ".join(re.sub("[│╭╰─╮╯]", " ", ended.err).split())


@pytest.mark.parametrize("left_out", ["password", "cert", "key"])
def test_a_second_pc_is_let_in_only_with_password_and_tls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, Path], left_out: str
) -> None:
    options = {"password": "--password-file", "cert": "--tls-cert", "key": "--tls-key"}
    words: list[str | Path] = [tmp_path, "--listen", "192.168.1.5"]
    for name, option in options.items():
        words += [option, files[name]] if name != left_out else []
    said = refused(capsys, *words)
    assert "only with a password and TLS" in said and options[left_out] in said


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "pc-7", "everywhere", "192.168.1"])
def test_it_listens_on_one_address_of_this_pc(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str
) -> None:
    assert "is not the address of this PC" in refused(capsys, tmp_path, "--listen", address)


@pytest.mark.parametrize("password", ["", "short", "\nsecond line counts not"])
def test_a_weak_password_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, Path], password: str
) -> None:
    files["password"].write_text(password)
    words: list[str | Path] = ["--password-file", files["password"]]
    words += ["--tls-cert", files["cert"]]
    said = refused(capsys, tmp_path, "--listen", "127.0.0.1", *words, "--tls-key", files["key"])
    assert "10 characters" in said and "short" not in said.replace("shorter", "")


def test_files_that_are_no_certificate_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, Path]
) -> None:
    words: list[str | Path] = ["--listen", "127.0.0.1", "--password-file", files["password"]]
    words += ["--tls-cert", files["cert"], "--tls-key", files["key"]]
    assert "are no certificate and its key" in refused(capsys, tmp_path, *words)


def test_what_is_only_for_a_second_pc_is_refused_without_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, Path]
) -> None:
    assert "--listen only" in refused(capsys, tmp_path, "--tls-key", files["key"])


def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is no folder" in refused(capsys, tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    assert "there is no list here" in refused(capsys)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError('no', name='uvicorn')")
    done = subprocess.run(
        [sys.executable, "-m", "edge_infer.commands.desk", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert 'uvicorn is missing: pip install "cxr-edge[desk]"' in done.stderr


@contextmanager
def started(*words: str | Path) -> Generator[tuple[subprocess.Popen[str], str], None, None]:
    """Start the command in a process of its own; give it and the page's address."""
    command = [sys.executable, "-m", "edge_infer.commands.desk", *map(str, words), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield process, line.partition(": ")[2].strip()
        finally:
            process.kill()


def post(url: str, path: str, said: object) -> dict[str, object]:
    where = urlsplit(url)
    headers = {"Origin": f"http://{where.netloc}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(where.netloc, timeout=60)) as connection:
        connection.request("POST", where.path + path, json.dumps(said), headers)
        answer = connection.getresponse()
        assert answer.status == 200
        read = json.loads(answer.read())
    assert isinstance(read, dict)
    return read


def get(url: str) -> str:
    where = urlsplit(url)
    with closing(http.client.HTTPConnection(where.netloc, timeout=60)) as connection:
        connection.request("GET", where.path)
        return connection.getresponse().read().decode("utf-8")


def wait_for(what: str, url: str) -> str:
    until = time.monotonic() + 120
    while what not in (page := get(url)):
        assert time.monotonic() < until, f"{what} never came"
        time.sleep(0.2)
    return page


@pytest.mark.slow
def test_a_tick_is_there_after_kill_9_and_restart(tmp_path: Path) -> None:
    films, out = tmp_path / "films", tmp_path / "out"
    films.mkdir()
    (films / "1.png").write_bytes(png(1))
    words = (films, "--out", out, "--model", TINY)
    with started(*words) as (process, url):
        wait_for("thumbnail/1", url)
        post(url, "mark", {"film": 1, "kind": "note", "value": "was here"})
        process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        process.wait()
    with started(*words) as (process, again):
        assert again != url, "a new token each time"
        wait_for("was here", again)
        until = time.monotonic() + 60
        while "was here" not in (out / JSON_NAME).read_text("utf-8"):
            assert time.monotonic() < until
            time.sleep(0.2)
        post(again, "end", {})
        assert process.wait(60) == 130
    assert [line["mark"] for line in read_trail(out) if "mark" in line] == ["note"]
    # The list alone, without its folder of films.
    with started(out, "--model", TINY) as (process, shown):
        assert "was here" in get(shown) and "no folder is watched" in get(shown)
