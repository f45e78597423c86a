"""Results go out once, whatever the other side says, and wait where it says nothing."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity

from edge_infer.films.find import find_films
from edge_infer.flow.keep_day import DaySettings, KeptDay
from edge_infer.model.model_file import load_model_file
from edge_infer.net.address import NodeAddress
from edge_infer.net.delivery import Delivery, DeliverySettings, deliver_all
from edge_infer.net.outbox import FIRST_WAIT_S, MOST_REFUSALS, Outbox
from edge_infer.net.services import RESULT_CLASSES, RESULT_SYNTAXES
from edge_infer.net.support_log import LOG_NAME
from edge_infer.net.targets import Answer, NodeTarget, Sending, Target
from tests.edge.made_day import TINY
from tests.edge.made_films import png
from tests.edge.net.made_nodes import film, uid_of
from tests.edge.net.made_results import WHOLE_HEADER
from tests.edge.pool_here import PoolHere


def keep_day(tmp_path: Path, settings: DaySettings, *, films: int) -> Path:
    """Screen some films, one of them no DICOM, into a day and return its folder."""
    source, day = tmp_path / "films", tmp_path / "day"
    source.mkdir()
    for number in range(films):
        (source / f"{number}.dcm").write_bytes(film(number, **WHOLE_HEADER))
    (source / "export.png").write_bytes(png(1))
    with KeptDay(day, settings) as kept:
        found = find_films([source])
        kept.register(found, today=date(2026, 11, 23))
        list(kept.screen(kept.files_to_look_at()))
        kept.write(found)
    return day


def delivery_of(tmp_path: Path, pool: PoolHere, *targets: Target) -> Delivery:
    model = load_model_file(TINY)
    settings = DeliverySettings(
        model=model,
        card=model.card,
        site_id=None,
        package_version="9.8.7",
        pool=pool,
    )
    return Delivery(tmp_path / "results", settings, targets)


@dataclass
class MadeTarget:
    """A target that answers as it is told, and remembers."""

    answers: list[Answer] = field(default_factory=list)
    """For one try of everything after another; TAKEN when used up."""
    taken: list[str] = field(default_factory=list)
    name: str = "MADE@nowhere:1"

    def send(self, files: Sequence[Path]) -> Iterator[Sending]:
        answer = self.answers.pop(0) if self.answers else Answer.TAKEN
        for file in files:
            self.taken += [file.name] if answer is Answer.TAKEN else []
            yield Sending(name=file.name, answer=answer, said="as told")


def test_every_dicom_film_has_its_results_once(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day, target = keep_day(tmp_path, settings, films=3), MadeTarget()
    for _ in range(2):  # the second is a run after the first was killed
        with closing(delivery_of(tmp_path, pool, target)) as delivery:
            delivery.step([day])
            delivery.step([day])
    results = sorted((tmp_path / "results").glob("*.dcm"))
    assert sorted(target.taken) == [one.name for one in results] and len(results) == 6
    sources = {dcmread(one).StudyInstanceUID for one in results}
    assert sources == {f"1.2.3.{number}" for number in range(3)}


def test_what_is_not_taken_now_waits_and_is_sent_by_the_next_run(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day, target = keep_day(tmp_path, settings, films=1), MadeTarget([Answer.NOT_NOW] * 3)
    with closing(delivery_of(tmp_path, pool, target)) as delivery:
        delivery.step([day])
        delivery.step([day])
        assert len(target.answers) == 2, "it waits a while before it tries again"
        assert delivery.counts()[target.name].waiting == 2
    with closing(delivery_of(tmp_path, pool, target)) as delivery:
        deliver_all(delivery, [day], patience_s=60, wait=lambda _: None)
        counts = delivery.counts()[target.name]
    assert (counts.sent, counts.waiting, counts.refused) == (2, 0, 0)


def test_what_is_refused_for_itself_is_given_up(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day, target = keep_day(tmp_path, settings, films=1), MadeTarget([Answer.REFUSED] * 99)
    with closing(delivery_of(tmp_path, pool, target)) as delivery:
        deliver_all(delivery, [day], patience_s=600, wait=lambda _: None)
        assert delivery.counts()[target.name].refused == 2
    assert 99 - len(target.answers) == MOST_REFUSALS


def test_a_target_named_later_gets_what_was_made_before(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day, late = keep_day(tmp_path, settings, films=1), MadeTarget()
    with closing(delivery_of(tmp_path, pool)) as delivery:
        delivery.step([day])
    with closing(delivery_of(tmp_path, pool, late)) as delivery:
        delivery.step([day])
    assert len(late.taken) == 2


def test_results_that_everybody_has_are_removed_by_age_and_not_made_again(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day = keep_day(tmp_path, settings, films=2)
    target = MadeTarget()
    silent = MadeTarget([Answer.NOT_NOW], name="SLOW@nowhere:1")
    with closing(delivery_of(tmp_path, pool, target)) as delivery:
        delivery.step([day])
        results = sorted((tmp_path / "results").glob("*.dcm"))
        later = results[0].stat().st_mtime + 31 * 86_400
        assert delivery.remove_older(30) == 0
    with closing(delivery_of(tmp_path, pool, target, silent)) as delivery:
        delivery.step([day])
        assert delivery.remove_older(30, now=later) == 0, "one still waits for them"
        delivery.step([day], is_patient=False)
        assert delivery.remove_older(30, now=later) == len(results) == 4
        delivery.step([day], is_patient=False)
    with closing(
        delivery_of(tmp_path, pool, late := MadeTarget(name="LATE@nowhere:1"))
    ) as delivery:
        delivery.step([day])
        assert not late.taken and delivery.counts()[late.name].refused == 0
    assert not list((tmp_path / "results").glob("*.dcm"))


def test_the_wait_between_two_tries_grows(tmp_path: Path) -> None:
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(["a"], ["T"])
        due, now = [], 0.0
        for _ in range(3):
            assert outbox.due("T", now=now) == ["a"]
            outbox.note_failure(["a"], "T", "no", now=now, is_refusal=False)
            wait = next(n for n in range(1, 9999) if outbox.due("T", now=now + n))
            due.append(float(wait))
            now += wait
    assert due == [FIRST_WAIT_S, 2 * FIRST_WAIT_S, 4 * FIRST_WAIT_S]


@contextmanager
def archive(
    statuses: list[int], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[int, list[Any]]]:
    """A node that takes results, answering so; yields its port and what it took."""
    taken: list[Any] = []

    def store(event: evt.Event) -> int:
        status = statuses.pop(0) if statuses else 0
        if status == 0:
            taken.append(event.dataset)
        return status

    entity = ApplicationEntity("ARCHIVE")
    entity.require_called_aet = True
    for sop_class in RESULT_CLASSES:
        entity.add_supported_context(sop_class, [one.uid for one in RESULT_SYNTAXES])
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, store)],
        ssl_context=tls,
    )
    assert server is not None
    try:
        yield server.server_address[1], taken
    finally:
        entity.shutdown()


def node_at(port: int, title: str = "ARCHIVE") -> NodeTarget:
    return NodeTarget(
        node=NodeAddress(ae_title=title, host="127.0.0.1", port=port), calling="CXREDGE"
    )


def test_a_node_takes_results_and_its_statuses_are_understood(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day = keep_day(tmp_path, settings, films=2)
    with (
        archive([0xA700, 0xC000, 0xB000]) as (port, taken),
        closing(delivery_of(tmp_path, pool, target := node_at(port))) as delivery,
    ):
        delivery.step([day])
        counts = delivery.counts()[target.name]
        assert (counts.sent, counts.waiting) == (2, 2)
        delivery.step([day], is_patient=False)
        assert delivery.counts()[target.name].sent == 4 and len(taken) == 3
    uids = {one.ReferencedSOPInstanceUID for ds in taken for one in sources_in(ds)}
    assert uids <= {uid_of(0), uid_of(1)} and uids
    log = [json.loads(line) for line in (tmp_path / "results" / LOG_NAME).read_text().splitlines()]
    assert {one["said"] for one in log if one["event"] == "sent"} >= {"status A700", "status 0000"}


def sources_in(dataset: Any) -> list[Any]:
    return list(dataset.get("SourceImageSequence", []))


# Where it cannot connect, pynetdicom 3.0 leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_node_that_does_not_know_us_or_is_not_there_is_waited_for(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day = keep_day(tmp_path, settings, films=1)
    with archive([]) as (port, _):
        targets = [node_at(port, "WRONG"), node_at(1)]
        with closing(delivery_of(tmp_path, pool, *targets)) as delivery:
            delivery.step([day])
            assert all(one.waiting == 2 for one in delivery.counts().values())
    log = (tmp_path / "results" / LOG_NAME).read_text()
    assert "is not called WRONG" in log


@pytest.mark.slow
def test_the_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    """A command that was killed and is run again would otherwise have two that send."""
    (tmp_path / "one.dcm").write_bytes(b"")
    with Outbox(tmp_path) as outbox:
        outbox.enqueue(["one.dcm"], ["NOBODY@127.0.0.1:1"])
    words = ["--dicom-out", str(tmp_path), "--send-to", "NOBODY@127.0.0.1:1"]
    command = [sys.executable, "-m", "edge_infer.commands.deliver", *words, "--model", str(TINY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        while not (tmp_path / LOG_NAME).is_file() or not (tmp_path / LOG_NAME).stat().st_size:
            time.sleep(0.05)
        assert process.poll() is None, "it tries for half a minute"
        process.stdin.close()
        assert process.wait(10) == 130
