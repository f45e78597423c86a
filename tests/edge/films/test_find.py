"""A row for every image and every file that claims to be one, each once; the rest is counted."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_infer.films.find import FoundFilms, find_films, name_films

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file types")
DICOM = bytes(128) + b"DICM" + bytes(20)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
TEXT = b"nothing to see"


def put(path: Path, content: bytes = PNG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def shown(found: FoundFilms) -> list[str]:
    names = name_films(found.inputs, found.films)
    return [names[film.place] for film in found.films]


def test_content_or_name_makes_a_row_and_the_rest_is_counted(tmp_path: Path) -> None:
    put(tmp_path / "a.dcm", b"")
    put(tmp_path / "b.PNG", TEXT)
    put(tmp_path / ".dcm", TEXT)
    put(tmp_path / "c.IMA", TEXT)
    put(tmp_path / "export" / "1.2.840.113619.2", DICOM)
    put(tmp_path / "export" / "IM0001", DICOM)
    put(tmp_path / "notes.dat", PNG)
    put(tmp_path / "scan.gif", b"GIF89a\x10\x00")
    for name in ("DICOMDIR", "list.csv", "._a.dcm", "Thumbs.db", "readme.txt", "empty"):
        put(tmp_path / name, b"" if name == "empty" else TEXT)
    put(tmp_path / "disc2" / "dicomdir", DICOM)
    found = find_films([tmp_path])
    assert shown(found) == [
        ".dcm",
        "a.dcm",
        "b.PNG",
        "c.IMA",
        "export/1.2.840.113619.2",
        "export/IM0001",
        "notes.dat",
        "scan.gif",
    ]
    assert found.ignored == 7
    assert found.unreadable_folders == ()
    assert [film.path.relative_to(tmp_path).as_posix() for film in found.films] == shown(found)


def test_shown_paths_are_in_code_point_order(tmp_path: Path) -> None:
    names = ["b.png", "a/z.png", "a b.png", "a.png", "Z.png", "é.png", "가슴/정면.png"]
    for name in names:
        put(tmp_path / name)
    assert shown(find_films([tmp_path])) == sorted(names)


def test_several_inputs_are_told_apart(tmp_path: Path) -> None:
    monday = put(tmp_path / "mon" / "day" / "a.png").parent
    tuesday = put(tmp_path / "tue" / "day" / "a.png").parent
    film = put(tmp_path / "one" / "film.png")
    other = put(tmp_path / "two" / "film.png")
    found = find_films([monday, tuesday, film, other])
    assert shown(found) == ["day-2/a.png", "day/a.png", "film-2.png", "film.png"]
    assert shown(find_films([film])) == ["film.png"]
    assert shown(find_films([monday])) == ["a.png"]


def test_an_input_given_twice_or_inside_another_doubles_nothing(tmp_path: Path) -> None:
    day = put(tmp_path / "day" / "a.png").parent
    film = put(day / "ward" / "b.png")
    assert shown(find_films([day, day])) == ["a.png", "ward/b.png"]
    assert shown(find_films([day, film])) == ["day/a.png", "day/ward/b.png"]
    assert shown(find_films([film, day])) == ["b.png", "day/a.png"]


def test_the_current_folder_has_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = put(tmp_path / "day" / "a.png").parent
    other = put(tmp_path / "other" / "b.png").parent
    monkeypatch.chdir(day)
    assert shown(find_films([Path(), other])) == ["day/a.png", "other/b.png"]
    assert shown(find_films([Path()])) == ["a.png"]


def test_a_file_that_is_no_image_is_counted_when_given_directly(tmp_path: Path) -> None:
    found = find_films([put(tmp_path / "notes.txt", TEXT)])
    assert (found.films, found.ignored, found.unreadable_folders) == ((), 1, ())


def test_a_missing_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_films([tmp_path / "nowhere"])


@posix_only
def test_links_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    day = tmp_path / "day"
    put(day / "b" / "film.png")
    elsewhere = put(tmp_path / "elsewhere" / "old.png")
    (day / "a").symlink_to(day / "b")  # sorts before the folder it points to
    (day / "b" / "up").symlink_to(day)  # a loop
    (day / "self").symlink_to(day / "self")  # a link to itself
    (day / "again.png").symlink_to(day / "b" / "film.png")
    (day / "c1").symlink_to(elsewhere.parent)
    (day / "c2").symlink_to(elsewhere.parent)
    (day / "gone.dcm").symlink_to(tmp_path / "nowhere")
    (day / "gone.txt").symlink_to(tmp_path / "nowhere-else")
    found = find_films([day])
    assert shown(found) == ["b/film.png", "c1/old.png", "gone.dcm"]
    assert found.ignored == 2  # gone.txt and the link to itself


@posix_only
def test_a_link_is_judged_by_its_name_its_target_and_the_content(tmp_path: Path) -> None:
    blob = put(tmp_path / "store" / "blob", TEXT)
    empty = put(tmp_path / "store" / "film.dcm", b"")
    day = put(tmp_path / "day" / "plain.txt", TEXT).parent
    (day / "claims.png").symlink_to(day / "plain.txt")
    (day / "claims.dcm").symlink_to(blob)
    (day / "target-claims").symlink_to(empty)
    found = find_films([day])
    assert shown(found) == ["claims.dcm", "claims.png", "target-claims"]
    assert found.ignored == 0  # plain.txt has its row through claims.png


@posix_only
def test_an_input_that_is_a_link_is_followed(tmp_path: Path) -> None:
    put(tmp_path / "store" / "a.png")
    (tmp_path / "today").symlink_to(tmp_path / "store")
    assert shown(find_films([tmp_path / "today"])) == ["a.png"]


@posix_only
def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "b.png").hardlink_to(put(tmp_path / "a.png"))
    assert shown(find_films([tmp_path])) == ["a.png", "b.png"]


@posix_only
def test_pipes_and_sockets_are_counted_and_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    os.mkfifo("pipe.dcm")  # opening it would wait for ever
    (tmp_path / "to-pipe.dcm").symlink_to("pipe.dcm")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("listener.png")
        put(tmp_path / "a.png")
        found = find_films([tmp_path])
    assert shown(found) == ["a.png"]
    assert found.ignored == 2  # the link to the pipe is the pipe


@posix_only
def test_names_that_are_no_utf8_can_be_written_and_stay_unique(tmp_path: Path) -> None:
    if sys.platform == "darwin":
        pytest.skip("this file system refuses names that are no UTF-8")
    for name in (b"film\xff.png", b"film\\udcff.png"):
        put(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)))
    found = find_films([tmp_path])
    assert shown(found) == ["film\\udcff-2.png", "film\\udcff.png"]
    assert "".join(shown(found)).encode("utf-8")
    assert all(film.path.read_bytes() == PNG for film in found.films)


@posix_only
def test_what_may_not_be_read_is_not_lost(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    locked = put(tmp_path / "locked" / "a.png").parent
    for name in ("IM0001", "1.2.840.55", "letter.docx"):
        put(tmp_path / name).chmod(0)
    locked.chmod(0)
    try:
        found = find_films([tmp_path])
    finally:
        locked.chmod(0o700)
    assert found.unreadable_folders == ("locked",)
    assert shown(found) == ["1.2.840.55", "IM0001"]
    assert found.ignored == 1


NAMES = st.text("ab가.-_ ", min_size=1, max_size=6).map(lambda text: f"f{text}g")
FILES = st.dictionaries(
    st.tuples(NAMES, NAMES), st.sampled_from([DICOM, PNG, TEXT, b""]), max_size=8
)


@settings(deadline=None, max_examples=40)
@given(files=FILES)
def test_every_file_is_a_row_or_ignored(
    files: dict[tuple[str, str], bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("day")
    for (folder, name), content in files.items():
        put(root / folder / f"{name}.png", content)
        put(root / folder / name, content)
    found = find_films([root])
    paths = [film.path for film in found.films]
    claimed = {root / folder / f"{name}.png" for folder, name in files}
    by_content = {root / f / n for (f, n), content in files.items() if content in (DICOM, PNG)}
    assert set(paths) == claimed | by_content
    assert len(paths) == len(set(paths)) == len(set(shown(found)))
    assert len(paths) + found.ignored == sum(1 for p in root.rglob("*") if p.is_file())


SYSTEM = [
    *("@eaDir/a.png/SYNOPHOTO_THUMB_XL.jpg", ".@__thumb/default_a.jpg", "#recycle/old.dcm"),
    *(".Trash-1000/files/x.dcm", ".Trashes/501/x.dcm", "$RECYCLE.BIN/S-1-5-21-1/$RABC123.dcm"),
    *("$Recycle.Bin/S/x.dcm", "@Recycle/x.dcm", "#snapshot/1/x.dcm", "lost+found/#123"),
    *("System Volume Information/x.dcm", "__MACOSX/a.png", ".ipynb_checkpoints/a-checkpoint.png"),
    *("found.000/x.dcm", "day/@eaDir/b.png/SYNOPHOTO_THUMB_M.jpg", "RECYCLER/x.dcm"),
]


@pytest.mark.parametrize("inside", SYSTEM)
def test_what_a_system_keeps_for_itself_is_passed_over(inside: str, tmp_path: Path) -> None:
    put(tmp_path / "a.png")
    hidden = put(tmp_path / inside, DICOM)
    found = find_films([tmp_path])
    assert shown(found) == ["a.png"]
    assert found.unreadable_folders == ()
    assert shown(find_films([hidden.parent])) == [hidden.name]  # asked for by name


def test_folders_that_only_resemble_a_system_s_are_entered(tmp_path: Path) -> None:
    names = ["recycle/a.png", "trash/b.png", "reviewed/c.png", "thumbs up/d.png", "eaDir/e.png"]
    for name in names:
        put(tmp_path / name)
    assert shown(find_films([tmp_path])) == sorted(names)


@pytest.mark.parametrize("folder", ["VIEWER", "Viewer", "DicomViewer2", "weasis/icons"])
def test_a_viewer_s_pictures_are_no_films(folder: str, tmp_path: Path) -> None:
    put(tmp_path / "IMAGES" / "IM0001", DICOM)
    put(tmp_path / "IMAGES" / "a.jpg")
    put(tmp_path / folder / "logo.png")
    put(tmp_path / folder / "demo" / "IM1", DICOM)
    put(tmp_path / folder / "broken.dcm", TEXT)
    found = find_films([tmp_path])
    expected = ["IMAGES/IM0001", "IMAGES/a.jpg", f"{folder}/broken.dcm", f"{folder}/demo/IM1"]
    assert shown(found) == sorted(expected)
    assert found.ignored == 1


@pytest.mark.parametrize(
    ("program", "names"), [("autorun.inf", ["D/IM1"]), ("notes.txt", ["D/IM1", "help/picture.png"])]
)
def test_on_a_disc_with_a_viewer_only_dicom_counts(
    program: str, names: list[str], tmp_path: Path
) -> None:
    put(tmp_path / "DICOMDIR", DICOM)
    put(tmp_path / program, TEXT)
    put(tmp_path / "D" / "IM1", DICOM)
    put(tmp_path / "help" / "picture.png")
    assert shown(find_films([tmp_path])) == names


def test_archives_are_named(tmp_path: Path) -> None:
    packed = {
        "DICOM_1.zip": b"PK\x03\x04" + bytes(60),
        "film.dcm.gz": b"\x1f\x8b\x08" + bytes(60),
        "day/films.7z": b"7z\xbc\xaf\x27\x1c" + bytes(60),
        "day/films.rar": b"Rar!\x1a\x07\x01\x00" + bytes(60),
        "films.tar": bytes(257) + b"ustar\x0000",
        "cd.iso": bytes(600),
        "backup": b"PK\x03\x04" + bytes(60),
    }
    for name, content in packed.items():
        put(tmp_path / name, content)
    put(tmp_path / "letter.docx", b"PK\x03\x04" + bytes(60))
    put(tmp_path / "letter.txt", TEXT)
    found = find_films([tmp_path])
    assert found.archives == tuple(sorted(packed))
    assert found.ignored == len(packed) + 2
