"""What is meant for Windows and is read here: line ends, options, and names of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from edge_infer.commands.infer import app
from edge_infer.worklist.lists import PAGE_NAME
from edge_infer.worklist.rows import ALL_SCREENED, HAS_GAPS

ROOT = Path(__file__).resolve().parents[1]
STARTER = ROOT / "examples" / "windows" / "screen-folder.cmd"
LINES = STARTER.read_bytes().decode("ascii").split("\r\n")
CODE = [line for line in LINES if not line.startswith("rem ")]


def test_the_starter_is_ascii_with_windows_line_ends() -> None:
    """cmd.exe loses labels in a file with bare line feeds; a BOM would be its first command."""
    data = STARTER.read_bytes()
    assert data.startswith(b"@echo off\r\n") and data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r") > 20


def test_git_keeps_the_line_ends() -> None:
    attributes = (ROOT / ".gitattributes").read_text(encoding="utf-8")
    assert re.search(r"^\*\.cmd -text$", attributes, re.MULTILINE)


def test_the_starter_uses_real_options_and_one_folder_of_results() -> None:
    command: Any = typer.main.get_command(app)
    known = {option for parameter in command.params for option in parameter.opts}
    runs = [line for line in CODE if line.startswith('"%program%"')]
    assert [set(re.findall(r"--[a-z-]+", line)) for line in runs] == [
        {"--out"},
        {"--out", "--site"},
    ]
    for line in runs:
        assert set(re.findall(r"--[a-z-]+", line)) <= known
        assert '"%films%" --out "%lists%"' in line
    assert f'start "" "%lists%\\{PAGE_NAME}"' in CODE


def test_the_page_opens_for_the_two_codes_that_wrote_it_and_the_window_stays() -> None:
    opened = [line for line in CODE if line.endswith("goto open")]
    assert opened == [f'if "%code%"=="{code}" goto open' for code in (ALL_SCREENED, HAS_GAPS)]
    assert CODE[-3:] == ["pause", "exit /b %code%", ""]


def test_every_jump_of_the_starter_has_its_label() -> None:
    labels = {line[1:] for line in CODE if line.startswith(":")}
    assert {name for line in CODE for name in re.findall(r"goto (\w+)", line)} <= labels


def test_every_name_in_the_starter_is_quoted() -> None:
    """Unquoted, a folder called `a & del b` would be a command."""
    for line in CODE:
        # The command line's tail as it came is the one exception: its quotes are still in it.
        for name in ("%films%", "%lists%", "%parent%", "%name%", "%site%", "%program%"):
            for before in line.split(name)[:-1]:
                assert before.count('"') % 2 == 1, line


def test_the_starter_finds_the_program_where_the_page_installs_it() -> None:
    page = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
    assert 'py -3.13 -m venv "%LOCALAPPDATA%\\cxr-edge"' in page
    assert 'set "program=%LOCALAPPDATA%\\cxr-edge\\Scripts\\cxr-infer.exe"' in CODE
