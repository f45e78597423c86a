"""Label files as clinics save them, and every row that does not count named by its line."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_infer.calibration.labels import Labelled, Problem, match_labels, read_labels
from edge_infer.calibration.listed_films import ListedFilm, read_worklists
from edge_infer.calibration.text import describe_problems
from edge_infer.errors import SiteError
from tests.edge.calibration.made_labels import listed, without_model_hash, write_worklist
from tests.edge.made_day import TINY, refused, screened

FILMS = (
    listed("신촌 진료소/필름 1.dcm", 500, uid="1.2.3"),
    listed("=1+1.png", 10),
    listed("ward/b.png", 20),
    listed("cut.dcm", None),
)


def match(tmp_path: Path, content: str | bytes, films: tuple[ListedFilm, ...] = FILMS) -> Labelled:
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    (tmp_path / "labels.csv").write_bytes(data)
    return match_labels(films, read_labels(tmp_path / "labels.csv"))


def truth(matched: Labelled) -> dict[str, bool]:
    return {one.film.path: one.has_tb for one in matched.films}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_any_usual_encoding_and_separator(
    tmp_path: Path, encoding: str, separator: str, end: str
) -> None:
    lines = [
        ("Path ", "note", "TB"),
        ("신촌 진료소/필름 1.dcm", "객담 양성", "1"),
        ("ward/b.png", "", "0"),
    ]
    text = end.join(separator.join(line) for line in lines) + end
    matched = match(tmp_path, text.encode(encoding))
    assert truth(matched) == {"신촌 진료소/필름 1.dcm": True, "ward/b.png": False}
    assert matched.lines == {} and matched.n_rows == 2


def test_a_file_as_excel_saves_it(tmp_path: Path) -> None:
    """Quotes, its own first line, the apostrophe of the CSV, backslashes, empty lines, 1.0."""
    text = (
        'sep=;\r\n"path";"tb"\r\n"\'=1+1.png";1.0\r\n.\\ward\\b.png;0\r\n;\r\n"nix; or not";1\r\n'
    )
    matched = match(tmp_path, text)
    assert truth(matched) == {"=1+1.png": True, "ward/b.png": False}
    assert matched.lines == {Problem.UNMATCHED: (6,)}


def test_a_formula_like_path_is_known_without_its_apostrophe_too(tmp_path: Path) -> None:
    assert truth(match(tmp_path, "path,tb\n=1+1.png,1\n")) == {"=1+1.png": True}


REWRITTEN_FILMS = (
    *(listed("0012345", 10), listed("12345", 20), listed("3-11", 30), listed("1E10", 40)),
    *(listed("20261126000012345", 50), *(listed(f"n{number}.png", 5) for number in range(100))),
)


@pytest.mark.parametrize(
    "rows", [["12345,1", "12345,0"], ["12345,1"], ["03-Nov,1"], ["1.00E+10,1"], ["2.02611E+16,1"]]
)
def test_a_path_that_a_spreadsheet_rewrote_is_named_and_is_no_other_film_s(
    rows: list[str], tmp_path: Path
) -> None:
    """The label of 0012345 counted for the film 12345."""
    others = [f"n{number}.png,0" for number in range(100)]
    matched = match(tmp_path, "\n".join(["path,tb", *rows, *others]), REWRITTEN_FILMS)
    assert len(matched.films) == 100
    assert matched.lines == {Problem.REWRITTEN: tuple(range(2, 2 + len(rows)))}


def test_numbers_that_no_spreadsheet_has_touched_are_known(tmp_path: Path) -> None:
    text = "path,tb\n0012345,1\n12345,0\n3-11,1\n1E10,1\n20261126000012345,0\n"
    matched = match(tmp_path, text, REWRITTEN_FILMS)
    assert len(matched.films) == 5 and matched.lines == {}


def test_a_name_from_a_mac_is_the_same_name(tmp_path: Path) -> None:
    text = f"path,tb\n{unicodedata.normalize('NFD', '진료.dcm')},1\n"
    assert truth(match(tmp_path, text, (listed("진료.dcm", 1),))) == {"진료.dcm": True}


def test_the_uid_finds_the_film_whatever_its_path(tmp_path: Path) -> None:
    matched = match(tmp_path, "sop_instance_uid,path,tb\n1.2.3,moved.dcm,1\n,ward/b.png,0\n")
    assert truth(matched) == {"신촌 진료소/필름 1.dcm": True, "ward/b.png": False}


def test_every_row_that_does_not_count_is_named_by_line(tmp_path: Path) -> None:
    text = (
        "path,tb\n"
        "ward/b.png,0\n"  # 2
        "ward/b.png,0\n"  # 3 duplicate
        "=1+1.png,1\n"  # 4 conflict with 5
        "=1+1.png,0\n"
        "nowhere.png,1\n"  # 6
        "ward/b.png,maybe\n"  # 7
        "ward/b.png,\n"  # 8
        "cut.dcm,1\n"  # 9
        "nothing.png,0\n"  # 10
    )
    matched = match(tmp_path, text)
    assert truth(matched) == {"ward/b.png": False}
    assert matched.lines == {
        Problem.UNMATCHED: (6, 10),
        Problem.NO_VALUE: (7,),
        Problem.BLANK: (8,),
        Problem.DUPLICATE: (3,),
        Problem.CONFLICT: (4, 5),
        Problem.NOT_SCREENED: (9,),
    }
    assert (matched.n_unusable, matched.n_rows) == (3, 8)
    assert describe_problems(matched)[0].startswith("lines 6, 10: no film of the worklists")
    assert "lines 4-5: the film is labelled both 0 and 1" in " ".join(describe_problems(matched))


def test_up_to_five_percent_may_be_unmatched(tmp_path: Path) -> None:
    films = tuple(listed(f"{i}.png", i) for i in range(38))
    rows = "".join(f"{i}.png,0\n" for i in range(38))
    assert match(tmp_path, f"path,tb\n{rows}x,1\ny,1\n", films).is_mostly_matched  # 2 of 40
    assert not match(tmp_path, f"path,tb\n{rows}x,1\ny,1\nz,1\n", films).is_mostly_matched


def test_one_path_on_two_days_needs_its_day(tmp_path: Path) -> None:
    films = (listed("IM1", 10, day="mon"), listed("IM1", 900, day="tue"))
    matched = match(tmp_path, "path,tb\nIM1,1\ntue/IM1,1\nmon/IM1,0\n", films)
    assert matched.lines == {Problem.AMBIGUOUS: (2,)}
    assert [(one.film.day, one.has_tb) for one in matched.films] == [("tue", True), ("mon", False)]


def test_one_film_under_two_names_counts_once(tmp_path: Path) -> None:
    films = (listed("a.dcm", 10, uid="1.9"), listed("copy/a.dcm", 10, uid="1.9"))
    matched = match(tmp_path, "path,tb\na.dcm,1\ncopy/a.dcm,1\n", films)
    assert len(matched.films) == 1 and matched.lines == {Problem.DUPLICATE: (3,)}
    # A UID that an anonymiser gave to everything identifies nothing.
    shared = (listed("a.dcm", 10, uid="0"), listed("b.dcm", 20, uid="0"))
    assert len(match(tmp_path, "path,tb\na.dcm,1\nb.dcm,0\n", shared).films) == 2
    by_uid = match(tmp_path, "sop_instance_uid,tb\n0,1\n", shared)
    assert by_uid.lines == {Problem.AMBIGUOUS: (2,)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"path,label\na.png,1\n", "must name tb"),
        (b"name,tb\na.png,1\n", "column path or sop_instance_uid"),
        (b"path,tb\n", "no row below"),
        (b"", "must name tb"),
        (b'path,tb\n"a.png,1\nb.png,0\n', "unexpected end of data"),
        (b"path,tb\n\xff\xfe\xfd,1\n", "neither UTF-8 nor CP949"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_label_file_is_one_sentence(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(SiteError, match=sentence):
        read_labels(tmp_path / "labels.csv")


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)))
def test_any_bytes_are_labels_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    place = tmp_path_factory.getbasetemp() / "any.csv"
    for content in (data, b"path,tb\n" + data):
        place.write_bytes(content)
        with contextlib.suppress(SiteError):
            labels = read_labels(place)
            assert labels.rows and match_labels(FILMS, labels).n_rows <= len(labels.rows)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "rows", "name", "tb_score", "status"]), inner)
    ),
    max_leaves=8,
)


@given(json_values)
def test_any_json_is_a_worklist_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    place = tmp_path_factory.getbasetemp() / "any.json"
    model = {"name": "m", "version": "1", "sha256": "0"}
    row = {"path": "a", "status": "screened", "prediction": "normal", "tb_score": value}
    for content in (value, {"model": value, "rows": []}, {"model": model, "rows": [row]}):
        place.write_text(json.dumps(content), encoding="utf-8")
        with contextlib.suppress(SiteError):
            films = read_worklists([place]).films
            assert all(0 <= (film.tb_tenths or 0) <= 1000 for film in films)


ROWS = [
    screened("=a.png", "tuberculosis", tb_tenths=700),
    screened("필름.dcm", tb_tenths=125),
    refused("cut.dcm"),
]


def test_a_worklist_reads_back_from_json_csv_and_folder(tmp_path: Path) -> None:
    worklist = write_worklist(tmp_path / "mon", ROWS)
    exact = read_worklists([worklist])
    first, _, second = exact.films  # worklist order: what was not screened stands above clear
    assert (first.path, first.tb_tenths, first.has_tb_class, first.was_referred) == (
        *("=a.png", 700, True, True),
    )
    assert (second.path, second.tb_tenths, second.was_referred) == ("필름.dcm", 125, False)
    assert exact.model.refer_tenths == 400 and exact.worklists == 1
    assert read_worklists([tmp_path / "mon"]) == exact
    from_csv = read_worklists([worklist.with_suffix(".csv")])
    assert from_csv.model == exact.model
    assert [film.tb_tenths for film in from_csv.films] == [700, None, 125]
    # The same list given twice counts once.
    assert read_worklists([worklist, tmp_path / "mon"]) == exact


def test_a_csv_alone_takes_its_models_hash_from_the_model(tmp_path: Path) -> None:
    worklist = write_worklist(tmp_path, ROWS)
    hashed = read_worklists([worklist]).model.sha256
    worklist.unlink()
    csv = worklist.with_suffix(".csv")
    assert read_worklists([csv], TINY).model.sha256 == hashed
    with pytest.raises(SiteError, match=r"made by tiny 0\.0\.1, which is not cxr-lite0"):
        read_worklists([csv])


def test_lists_of_two_models_are_not_mixed(tmp_path: Path) -> None:
    one = write_worklist(tmp_path / "mon", ROWS)
    other = write_worklist(tmp_path / "tue", ROWS, sha256="cd" * 32)
    with pytest.raises(SiteError, match="different models"):
        read_worklists([one, other])


def test_a_damaged_or_foreign_worklist_is_one_sentence(tmp_path: Path) -> None:
    worklist = write_worklist(tmp_path, ROWS)
    csv = worklist.with_suffix(".csv")
    csv.write_text(csv.read_text("utf-8").replace("70.0", "69.0"), encoding="utf-8")
    with pytest.raises(SiteError, match="beside it differ"):
        read_worklists([csv])
    without_model_hash(worklist)
    with pytest.raises(SiteError, match="not a worklist"):
        read_worklists([worklist])
    csv.write_text(csv.read_text("utf-8").replace("69.0", "many"), encoding="utf-8")
    with pytest.raises(SiteError, match="it was changed"):
        read_worklists([csv])
    with pytest.raises(SiteError, match="cannot be read"):
        read_worklists([tmp_path / "nowhere.json"])
