"""The README stays true: every command and option in it exists, and its first screen is honest."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]


def load_command(name: str) -> Any:
    module, _, _ = SCRIPTS[name].partition(":")
    app = __import__(module, fromlist=["app"]).app
    return typer.main.get_command(app)


def uses() -> list[tuple[str, list[str]]]:
    """Every use of one of our commands in a code block: its name and its words."""
    found = []
    for block in BLOCKS:
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||;|\|", line.partition(" #")[0]):
                words = shlex.split(part.strip().removeprefix("$ "), posix=True)
                if words and words[0] in SCRIPTS:
                    found.append((words[0], words[1:]))
                elif words[:3] == ["python", "-m", "edge_infer"]:
                    found.append(("cxr-infer", words[3:]))
    return found


def test_the_readme_shows_every_command() -> None:
    assert {name for name, _ in uses()} == set(SCRIPTS)


@pytest.mark.parametrize(("name", "words"), uses())
def test_every_option_in_the_readme_exists(name: str, words: list[str]) -> None:
    command = load_command(name)
    if hasattr(command, "commands"):
        assert words[0] in command.commands, f"{name} has no subcommand {words[0]}"
        command = command.commands[words[0]]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= known, f"{name}: unknown {used - known}"


def test_options_named_in_the_text_exist() -> None:
    known = {"--help"}
    for name in SCRIPTS:
        command = load_command(name)
        for part in [command, *getattr(command, "commands", {}).values()]:
            known |= {option for parameter in part.params for option in parameter.opts}
    text = re.sub(r"^```.*?^```", "", README, flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`(--[a-z][a-z-]*)", text))
    assert named, "the README explains no option"
    assert named <= known, f"unknown {named - known}"


def test_paths_named_in_the_readme_exist() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r'src="([^":]+)"', README)
    assert linked
    for path in linked:
        assert (ROOT / path).exists(), path


def test_the_first_screen_says_what_it_is_not() -> None:
    first_screen = "\n".join(README.splitlines()[:40]).lower()
    assert "not a medical device" in first_screen
    assert "research use only" in first_screen
    assert "cxr-infer examples/day" in first_screen


@pytest.mark.parametrize("name", ["screen", "test"])
def test_ci_finds_its_lines(name: str) -> None:
    match = re.search(rf"<!-- ci: {name} -->\n```[a-z]*\n(.+?)\n```", README, re.DOTALL)
    assert match, name
    assert "\n" not in match.group(1), "the line must be one line"
    assert match.group(1).startswith("pip install")
