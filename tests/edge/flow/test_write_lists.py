"""The written worklist: exact columns, exact bytes, all files or none."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.errors import ReasonCode, ReportError
from edge_infer.flow.write_lists import check_writable, write_lists
from edge_infer.worklist.cells import rearm
from edge_infer.worklist.lists import to_csv, to_json
from tests.edge.made_day import WHO, make_day, refused, screened

CONTRACT = (
    "rank,status,path,decision,tb_score,prediction,p_normal,p_pneumonia,p_covid19,p_tuberculosis,"
    "reason,modality,view_position,study_instance_uid,sop_instance_uid,accession_number,"
    "model_name,model_version,reason_code"
)
FILES = ["report.html", "worklist.csv", "worklist.json"]


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_the_csv_is_the_contract_to_the_byte() -> None:
    day = make_day([refused("cut.dcm"), screened("a/b.dcm", "pneumonia", tb_tenths=123)])
    assert to_csv(day) == (
        f"\ufeff{CONTRACT}\r\n"
        "1,screened,a/b.dcm,abnormal,12.3,pneumonia,0.8770,0.0000,0.0000,0.1230,,DX,PA,1.2.3,1.2.3.4,"
        ",tiny,0.0.1,\r\n"
        "2,unreadable,cut.dcm,,,,,,,,Why cut.dcm <has> no score.,,,,,,tiny,0.0.1,truncated\r\n"
    )


def test_nobody_is_named_unless_asked_for() -> None:
    rows = [screened("a.dcm"), refused("b.dcm")]
    silent = make_day(rows)
    for text in (to_csv(silent), to_json(silent)):
        for secret in (WHO.patient_name, WHO.patient_id, WHO.accession_number, "19700102"):
            assert secret not in text
    asked = make_day(rows, include_patient=True)
    header, *_ = to_csv(asked).splitlines()
    assert header == f"\ufeff{CONTRACT},patient_name,patient_id,patient_birth_date"
    nobody, named = read_csv(to_csv(asked))
    assert named["accession_number"] == WHO.accession_number
    assert named["patient_name"] == WHO.patient_name
    assert named["patient_id"] == WHO.patient_id
    assert named["patient_birth_date"] == "19700102"
    assert nobody["patient_name"] == nobody["accession_number"] == ""
    assert json.loads(to_json(asked))["rows"][1]["patient_name"] == WHO.patient_name


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_a_spreadsheet_calculates_nothing(start: str) -> None:
    day = make_day([screened(f"{start}cmd|' /C calc'!A0.png")])
    assert read_csv(to_csv(day))[0]["path"] == f"'{start}cmd|' /C calc'!A0.png"
    assert json.loads(to_json(day))["rows"][0]["path"] == f"{start}cmd|' /C calc'!A0.png"


any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.sampled_from(["", "=", "-", "\t", '"', "'", ","]), any_text)
def test_any_path_survives_both_files(start: str, rest: str) -> None:
    path = start + rest
    day = make_day([screened(path)])
    cell = read_csv(to_csv(day))[0]["path"]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert rearm(cell) == rearm(path)
    assert (json.loads(to_json(day))["rows"][0]["path"] or "") == path


def test_the_json_counts_what_has_no_row() -> None:
    rows = [screened("a"), refused("b"), refused("c", ReasonCode.LATERAL_VIEW)]
    plain = json.loads(to_json(make_day(rows, ignored=7, unreadable_folders=("locked",))))
    assert plain["schema"] == "1.0"
    assert plain["generated_at"] == "2026-11-23T08:02:03+09:00"
    assert plain["package_version"] == "9.8.7"
    assert plain["model"]["name"] == "tiny" and plain["model"]["sha256"] == "ab" * 32
    assert plain["model"]["operating_points"]["refer_tb"]["threshold"] == 40.0
    assert plain["complete"] is True
    assert plain["counts"] == {
        "files": 3,
        "rows": 3,
        "refer_tb": 0,
        "abnormal": 0,
        "uncertain": 0,
        "not_screened": 2,
        "clear": 1,
        "reasons": {"lateral_view": 1, "truncated": 1},
        "ignored": 7,
    }
    assert plain["unreadable_folders"] == ["locked"]
    unseen, _, clear = plain["rows"]
    assert ",".join(clear) == f"{CONTRACT},age_years,sex,film_time"
    assert unseen["tb_score"] is None and unseen["decision"] is None
    assert clear["tb_score"] == 0.0 and clear["p_normal"] == 1.0 and clear["reason"] is None


def test_all_three_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    day = make_day([screened("진료/필름.dcm")])
    write_lists(day, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert (tmp_path / "worklist.csv").read_bytes() == to_csv(day).encode()
    assert json.loads((tmp_path / "worklist.json").read_text("utf-8"))["rows"][0]["path"] == (
        "진료/필름.dcm"
    )


def test_a_header_with_a_broken_character_set_stops_nothing(tmp_path: Path) -> None:
    write_lists(make_day([screened("a\udc80.dcm")]), tmp_path)
    plain = json.loads((tmp_path / "worklist.json").read_text("utf-8"))
    assert plain["rows"][0]["path"] == "a\udc80.dcm"


def test_a_failure_leaves_the_earlier_list_whole(tmp_path: Path) -> None:
    write_lists(make_day([screened("before.dcm")]), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    # A folder in the way of the last file to be prepared.
    blocked = tmp_path / f".report.html.{os.getpid()}.part"
    blocked.mkdir()
    with pytest.raises(ReportError, match=r"free the disk or name another folder with --out"):
        write_lists(make_day([screened("after.dcm")]), tmp_path)
    blocked.rmdir()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_list_that_cannot_be_replaced_is_named(tmp_path: Path) -> None:
    (tmp_path / "worklist.csv").mkdir()
    with pytest.raises(ReportError, match="cannot be written"):
        check_writable(tmp_path)
    with pytest.raises(ReportError, match="cannot be written"):
        write_lists(make_day([screened("a.dcm")]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["worklist.csv"]


def test_a_file_in_place_of_the_folder_is_found_before_screening(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine", encoding="utf-8")
    for folder in (tmp_path / "out", tmp_path / "out" / "below"):
        with pytest.raises(ReportError, match="cannot be written"):
            check_writable(folder)
    assert (tmp_path / "out").read_text("utf-8") == "mine"


def test_checking_makes_the_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
