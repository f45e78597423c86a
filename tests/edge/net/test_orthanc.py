"""Against Orthanc, whose DICOM and DICOMweb are not ours: films out of it, results into it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from edge_infer.errors import NetError
from edge_infer.flow.keep_day import DaySettings
from edge_infer.net.dicomweb import ArchiveTarget, open_archive
from edge_infer.net.fetch import fetch_day
from edge_infer.net.limits import Limits
from edge_infer.net.spool import Spool
from edge_infer.net.support_log import SupportLog
from edge_infer.net.targets import Target
from tests.edge.films.dicom import dicom_factory as made
from tests.edge.made_day import TINY
from tests.edge.net.made_nodes import film, listening, uid_of
from tests.edge.net.made_orthanc import PASSWORD, USER, Orthanc, needs_orthanc, orthanc
from tests.edge.net.made_results import WHOLE_HEADER
from tests.edge.net.test_dcmtk import KNOWN as KNOWN_SYNTAXES
from tests.edge.net.test_delivery import delivery_of, keep_day, node_at
from tests.edge.pool_here import PoolHere

pytestmark = [needs_orthanc, pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[3]
DAY = date(2026, 11, 23)
KNOWN = {"CXR_DICOMWEB_USER": USER, "CXR_DICOMWEB_PASSWORD": PASSWORD}


def day_film(number: int, **elements: Any) -> bytes:
    own: dict[str, Any] = {"SeriesInstanceUID": f"1.2.3.9.{number}", "PatientID": f"P{number}"}
    return film(number, **{**WHOLE_HEADER, **own, **elements})


def fill(server: Orthanc, count: int, *, dx_every: int = 3) -> None:
    for number in range(count):
        server.upload(day_film(number, Modality="DX" if number % dx_every == 0 else "CR"))
    server.upload(day_film(900, StudyDate="20261122"))  # of another day
    server.upload(day_film(901, Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2"))


def fetch(server: Orthanc, folder: Path) -> tuple[int, int, int]:
    archive = open_archive(server.dicomweb, None, None, environment=KNOWN)
    folder.mkdir(exist_ok=True)
    with closing(SupportLog(folder)) as log:
        fetched = fetch_day(
            archive, DAY, Spool(folder / "spool"), log, limits=Limits(free_bytes=1), say=print
        )
    return fetched.found, fetched.new, fetched.failed


def test_a_long_day_is_fetched_whole_and_nothing_twice(tmp_path: Path) -> None:
    films = 230  # of one modality more than 200, which its paging would pass over
    with orthanc(tmp_path / "orthanc") as server:
        fill(server, films, dx_every=20)
        assert fetch(server, tmp_path / "out") == (films, films, 0)
        assert fetch(server, tmp_path / "out") == (films, 0, 0)
    spool = Spool(tmp_path / "out" / "spool")
    assert {spool.place_of(uid_of(n)) for n in range(films)} == set(spool.films.iterdir())


def test_it_sends_films_of_every_syntax_that_it_takes_four_times_at_once(tmp_path: Path) -> None:
    with (
        orthanc(tmp_path / "orthanc") as server,
        listening(tmp_path / "node") as node,
        ThreadPoolExecutor(4) as pool,
    ):
        there = {"AET": "CXREDGE", "Host": "127.0.0.1", "Port": node.port}
        server.put("modalities/cxr", there)
        films = [day_film(number, syntax=one.uid) for number, one in enumerate(KNOWN_SYNTAXES * 4)]
        ids = [server.ask("instances", film)["ID"] for film in films]
        shares = [json.dumps(ids[first::4]).encode() for first in range(4)]
        answers = list(pool.map(lambda share: server.ask("modalities/cxr/store", share), shares))
        assert [one["FailedInstancesCount"] for one in answers] == [0] * 4
        for number, syntax in enumerate(KNOWN_SYNTAXES * 4):
            kept = dcmread(node.spool.place_of(uid_of(number)))
            assert kept.file_meta.TransferSyntaxUID == syntax.uid
        assert len(node.films) == len(films) and not node.unfinished


def test_credentials_open_it_and_are_nowhere_told(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc") as server:
        for known in ({}, {**KNOWN, "CXR_DICOMWEB_PASSWORD": "wrong-one"}):
            archive = open_archive(server.dicomweb, None, None, environment=known)
            with pytest.raises(NetError, match="does not let us in") as told:
                list(archive.find_films(DAY))
            assert "wrong-one" not in str(told.value) and "wrong-one" not in repr(archive)


def test_results_go_into_their_studies_once_by_both_ways(
    tmp_path: Path, settings: DaySettings, pool: PoolHere
) -> None:
    day = keep_day(tmp_path, settings, films=2)
    with orthanc(tmp_path / "orthanc") as server:
        archive = open_archive(server.dicomweb, None, None, environment=KNOWN)
        targets: list[Target] = [
            node_at(server.dicom_port, "ORTHANC"),
            ArchiveTarget(archive=archive),
        ]
        for _ in range(2):
            with closing(delivery_of(tmp_path, pool, *targets)) as delivery:
                delivery.step([day])
                counts = delivery.counts()
            (tmp_path / "results" / "outbox.sqlite").unlink()
        assert [one.sent for one in counts.values()] == [4, 4]
        kept = server.find("Instance")
        assert len(kept) == 4, "two films, a report and a picture each, however often sent"
        for one in kept:
            name = one["MainDicomTags"]["SOPInstanceUID"]
            (file,) = (
                path
                for path in (tmp_path / "results").glob("*.dcm")
                if name.encode() in path.read_bytes()
            )
            assert data_set(server.file_of(one["ID"])) == data_set(file.read_bytes())
        assert {one["MainDicomTags"]["StudyInstanceUID"] for one in server.find("Study")} == {
            "1.2.3.0",
            "1.2.3.1",
        }


def data_set(content: bytes) -> bytes:
    """Return a file's data set: its file meta information names who wrote the file."""
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]


def run(server: Orthanc, out: Path, *words: str, seconds: float | None = None) -> tuple[int, str]:
    """Run the command; one that takes longer than `seconds` is killed."""
    command = [sys.executable, "-m", "edge_infer.commands.fetch", "--dicomweb", server.dicomweb]
    command += ["--date", "2026-11-23", "--out", str(out), "--model", str(TINY), "--workers", "1"]
    with subprocess.Popen(
        [*command, *words],
        cwd=ROOT,
        env={**os.environ, **KNOWN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
    return process.returncode, said


def test_the_command_interrupted_goes_on_and_sends_the_results_back(tmp_path: Path) -> None:
    out = tmp_path / "out"
    old = Spool(out / "fetched" / "2026-01-02").place_of("1.2.3")
    old.write_bytes(b"a film of last winter")
    os.utime(old, (0, 0))
    with orthanc(tmp_path / "orthanc") as server:
        fill(server, 20)
        run(server, out, "--send-back", seconds=6)
        run(server, out, "--send-back", seconds=12)
        code, said = run(server, out, "--send-back")
        assert code == 0, said
        assert run(server, out, "--send-back")[0] == 0
        csv = (out / "cxr-2026-11-23" / "worklist.csv").read_text(encoding="utf-8-sig")
        listed = re.findall(r",(1\.2\.3\.4\.\d+),", csv)
        assert sorted(listed) == sorted(uid_of(n) for n in range(20))
        for number in range(20):
            there = server.find("Instance", StudyInstanceUID=f"1.2.3.{number}")
            assert len(there) == 3, "the film, its report and its picture"
        assert not old.exists(), "--keep-days"
        assert PASSWORD not in said and made.IDENTITY["PatientName"] not in said


def test_an_archive_that_has_nothing_or_is_not_there_is_said(tmp_path: Path) -> None:
    with orthanc(tmp_path / "orthanc") as server:
        code, said = run(server, tmp_path / "out")
        assert code == 5 and "no CR or DX film" in said
    archive = open_archive("http://127.0.0.1:9/dicom-web", None, None, environment={})
    with pytest.raises(NetError, match="does not answer"):
        list(type(archive)(url=archive.url, headers={}, tls=None, wait=str).find_films(DAY))
