"""One process runs commands one after the other, and another takes its place when it dies."""

from __future__ import annotations

from cxr_train.compare.worker import Worker, last_line
from cxr_train.terminal import Task
from edge_infer.version import package_version

ROOM = "cxr_train.cli"


def test_commands_run_one_after_the_other_and_a_death_ends_only_one() -> None:
    task = Task("trying")
    with Worker() as worker:
        assert worker.run(ROOM, ["--version"], task) == (0, f"cxr-train {package_version()}\n")
        code, said = worker.run(ROOM, ["fit", "nowhere"], task)
        assert code == 2 and "--out" in said
        code, said = worker.run("cxr_train.nowhere", [], task)
        assert code == 1 and "No module named 'cxr_train.nowhere'" in last_line(said)
        assert worker.run(ROOM, ["--version"], task)[0] == 0


def test_what_a_command_said_last_stands_without_its_name() -> None:
    assert last_line("a\ncxr-export: it failed.\n") == "it failed."
    assert last_line("") == "it said nothing"
