"""A decoder's crash, hang or hunger costs one row; a bug of ours still stops everything."""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from edge_infer.errors import ImageError, ReasonCode, UnreadableImage
from edge_infer.workers.pool import StandingWorker, WorkerError, run_isolated
from tests.edge.workers import isolated_work, unimportable_work


@pytest.fixture(autouse=True)
def _no_worker_is_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def misbehave(*names: str, workers: int = 2, timeout_s: float = 30.0) -> dict[str, object]:
    paths = [Path(name) for name in names]
    results = list(
        run_isolated(isolated_work.misbehave, paths, workers=workers, timeout_s=timeout_s)
    )
    assert sorted(index for index, _ in results) == list(range(len(names)))
    return {names[index]: result for index, result in results}


def test_every_path_has_one_result() -> None:
    names = [f"film{number}" for number in range(50)]
    assert misbehave(*names) == {name: name for name in names}


def test_no_paths_no_workers() -> None:
    assert list(run_isolated(isolated_work.misbehave, [], workers=2)) == []


def test_a_file_that_crashes_its_decoder_costs_one_row() -> None:
    results = misbehave("a", "exit-1", "segfault-1", "b", "refuse-1", "c")
    for name in ("exit-1", "segfault-1"):
        error = results.pop(name)
        assert isinstance(error, UnreadableImage)
        assert error.code is ReasonCode.DECODER_CRASHED
    refused = results.pop("refuse-1")
    assert isinstance(refused, UnreadableImage)
    assert (str(refused), refused.code) == ("The file ends early.", ReasonCode.TRUNCATED)
    assert refused.study is not None
    assert refused.study.modality == "CT"
    assert results == {"a": "a", "b": "b", "c": "c"}


def test_a_file_that_hangs_is_given_up_and_the_rest_goes_on() -> None:
    began = time.monotonic()
    results = misbehave("sleep-1", "a", "b", workers=1, timeout_s=0.5)
    error = results.pop("sleep-1")
    assert isinstance(error, UnreadableImage)
    assert error.code is ReasonCode.DECODER_TIMEOUT
    assert "0.5 seconds" in str(error)
    assert results == {"a": "a", "b": "b"}
    assert time.monotonic() - began < 60


def begun(folder: Path) -> list[str]:
    log = folder / "begun.txt"
    return log.read_text("utf-8").split() if log.exists() else []


@pytest.mark.parametrize(
    ("culprit", "code", "attempts"),
    [
        ("abort-1", ReasonCode.DECODER_CRASHED, 2),
        ("segfault-1", ReasonCode.DECODER_CRASHED, 2),
        ("sleep-1", ReasonCode.DECODER_TIMEOUT, 1),
    ],
)
def test_what_a_worker_held_beside_the_culprit_is_read_once_by_another(
    tmp_path: Path, culprit: str, code: ReasonCode, attempts: int
) -> None:
    names = ["a", "b", culprit, "c", "d", "e"]
    paths = [tmp_path / name for name in names]
    results = dict(run_isolated(isolated_work.record, paths, workers=1, timeout_s=1))
    error = results.pop(2)
    assert isinstance(error, UnreadableImage) and error.code is code
    assert results == {0: "a", 1: "b", 3: "c", 4: "d", 5: "e"}
    counted = Counter(begun(tmp_path))
    assert counted == {**dict.fromkeys("abcde", 1), culprit: attempts}


def test_a_worker_reads_on_while_the_caller_is_busy_but_not_without_end(tmp_path: Path) -> None:
    paths = [tmp_path / f"film{number:02}" for number in range(30)]
    with closing(run_isolated(isolated_work.record, paths, workers=1)) as results:
        next(results)
        give_up = time.monotonic() + 60
        while len(begun(tmp_path)) < 3 and time.monotonic() < give_up:
            time.sleep(0.01)
        time.sleep(0.3)  # time enough to read all thirty
        # One result was taken and two files are held; a second result may have come with the first.
        assert begun(tmp_path) in (
            [f"film{n:02}" for n in range(3)],
            [f"film{n:02}" for n in range(4)],
        )
        assert len(list(results)) == 29


def test_workers_start_before_the_first_result_is_asked_for() -> None:
    with closing(run_isolated(isolated_work.misbehave, [Path("a")] * 3, workers=2)):
        assert len(multiprocessing.active_children()) == 2


def test_every_worker_is_set_up_once_before_its_first_file() -> None:
    set_up = partial(isolated_work.set_up, "ready")
    paths = [Path(name) for name in "abcd"]
    results = dict(run_isolated(isolated_work.tell_state, paths, workers=2, set_up=set_up))
    assert results == {number: ["ready", name] for number, name in enumerate("abcd")}


def test_what_fails_while_setting_up_is_raised() -> None:
    with pytest.raises(KeyError, match="nobody expected this"):
        list(
            run_isolated(
                isolated_work.misbehave,
                [Path("a")],
                workers=1,
                set_up=partial(isolated_work.misbehave, Path("bug-1")),
            )
        )


def test_starting_up_does_not_count_as_reading() -> None:
    # A worker's imports alone take longer than this on any machine.
    assert misbehave("a", workers=1, timeout_s=0.05) == {"a": "a"}


def test_running_out_of_memory_is_told_as_such() -> None:
    error = misbehave("memory-1", "a")["memory-1"]
    assert isinstance(error, UnreadableImage)
    assert "not enough memory" in str(error)


def test_a_victim_is_tried_again_alone(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.dcm" for number in range(3)]
    results = dict(run_isolated(isolated_work.crash_unless_marked, paths, workers=2))
    assert results == {0: "0.dcm", 1: "1.dcm", 2: "2.dcm"}


def test_work_runs_in_so_many_other_processes() -> None:
    paths = [Path(str(number)) for number in range(20)]
    results = dict(run_isolated(isolated_work.tell_process, paths, workers=1))
    processes = {result[1] for result in results.values() if not isinstance(result, ImageError)}
    assert len(processes) == 1
    assert multiprocessing.current_process().pid not in processes


def test_large_results_arrive_whole() -> None:
    paths = [Path("abcde"), Path("fghij")]
    results = dict(run_isolated(isolated_work.return_megabytes, paths, workers=2))
    assert results == {0: b"abcde" * 4_000_000, 1: b"fghij" * 4_000_000}


def test_a_slow_reader_of_the_results_times_nothing_out() -> None:
    paths = [Path(name) for name in "abcd"]
    results = []
    for index, result in run_isolated(isolated_work.misbehave, paths, workers=2, timeout_s=0.3):
        time.sleep(0.5)
        results.append((index, result))
    assert sorted(results) == [(0, "a"), (1, "b"), (2, "c"), (3, "d")]


def test_a_bug_is_raised_with_its_traceback() -> None:
    with pytest.raises(KeyError, match="nobody expected this") as caught:
        misbehave("a", "bug-1", "b")
    assert isinstance(caught.value.__cause__, WorkerError)
    assert "isolated_work.py" in str(caught.value.__cause__)


def test_a_bug_that_cannot_be_sent_is_raised_by_its_text() -> None:
    with pytest.raises(RuntimeError, match="UnpicklableError: odd bug"):
        misbehave("odd-1")


def test_closing_early_ends_the_workers() -> None:
    paths = itertools.chain([Path("a")], (Path("sleep-1") for _ in range(3)))
    results = run_isolated(isolated_work.misbehave, list(paths), workers=2)
    assert next(results) == (0, "a")
    results.close()
    assert multiprocessing.active_children() == []


def test_an_interrupt_ends_the_workers() -> None:
    results = run_isolated(isolated_work.misbehave, [Path("a"), Path("sleep-1")], workers=1)
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt)
    assert multiprocessing.active_children() == []


def test_a_worker_that_cannot_import_says_why() -> None:
    with pytest.raises(ImportError, match="a decoder is missing"):
        list(run_isolated(unimportable_work.work, [Path("a")], workers=1))


def test_workers_that_never_start_are_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_TEST_START", "exit")
    with pytest.raises(RuntimeError, match="3 reading processes in a row"):
        list(run_isolated(unimportable_work.work, [Path("a")], workers=1))


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="workers 0"):
        list(run_isolated(isolated_work.misbehave, [Path("a")], workers=0))


def test_a_standing_worker_outlives_what_its_requests_do_to_it() -> None:
    with closing(StandingWorker(isolated_work.misbehave, timeout_s=30.0)) as worker:
        assert worker.apply(Path("a")) == "a"
        with pytest.raises(UnreadableImage) as refused:
            worker.apply(Path("refuse-1"))
        assert refused.value.code is ReasonCode.TRUNCATED
        with pytest.raises(UnreadableImage) as crashed:
            worker.apply(Path("exit-1"))
        assert crashed.value.code is ReasonCode.DECODER_CRASHED
        with pytest.raises(KeyError):
            worker.apply(Path("bug"))
        assert worker.apply(Path("b")) == "b"


def test_a_standing_worker_rests_and_begins_again() -> None:
    with closing(StandingWorker(isolated_work.tell_process, rest_after_s=0.3)) as worker:
        assert multiprocessing.active_children() == []
        worker.begin()
        (_, first) = worker.apply(Path("a"))
        until = time.monotonic() + 60
        while multiprocessing.active_children():
            assert time.monotonic() < until
            time.sleep(0.05)
        assert worker.apply(Path("b"))[1] != first
