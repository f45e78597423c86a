"""Folders and manifests: spellings, splits, groups, and what is refused with which sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr_train.data.manifest import class_index, fingerprint, read_data, select, split_by_hash
from cxr_train.errors import DataError
from edge_infer.model.model_card import CLASSES


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("TURBERCULOSIS", "tuberculosis"),
        ("COVID19", "covid19"),
        ("COVID-19", "covid19"),
        ("Normal", "normal"),
        ("PNEUMONIA", "pneumonia"),
        ("tb", "tuberculosis"),
    ],
)
def test_known_spellings_map_to_classes(spelling: str, name: str) -> None:
    assert CLASSES[class_index(spelling, where="here")] == name


def test_unknown_class_folder_names_the_known_ones(tmp_path: Path) -> None:
    touch(tmp_path / "normal" / "a.png")
    touch(tmp_path / "kneefracture" / "b.png")
    with pytest.raises(DataError, match=r"kneefracture.*normal.*tuberculosis"):
        read_data(tmp_path)


def test_unknown_class_folders_can_be_left_out_and_the_error_says_how(tmp_path: Path) -> None:
    touch(tmp_path / "normal" / "a.png")
    touch(tmp_path / "Lung_Opacity" / "images" / "b.png")
    touch(tmp_path / "normal" / "old copy" / "a.png")
    with pytest.raises(DataError, match=r"with --without 'Lung_Opacity'"):
        read_data(tmp_path)
    examples = read_data(tmp_path, without=("Lung_Opacity", "old copy"))
    assert [example.name for example in examples] == ["normal/a.png"]


def test_folders_of_a_system_hold_no_films(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "NORMAL" / "a.png")
    for folder in ("__MACOSX/train/NORMAL", ".ipynb_checkpoints", "train/.ipynb_checkpoints"):
        touch(tmp_path / folder / "a.png")
    for folder in (".ipynb_checkpoints", "@eaDir/a.png", "$RECYCLE.BIN/S-1"):
        touch(tmp_path / "train" / "NORMAL" / folder / "a-checkpoint.png")
    assert [example.name for example in read_data(tmp_path)] == ["train/NORMAL/a.png"]


def test_masks_are_passed_over_aloud(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    touch(tmp_path / "COVID" / "images" / "COVID-1.png")
    touch(tmp_path / "COVID" / "masks" / "COVID-1.png")
    assert [example.name for example in read_data(tmp_path)] == ["COVID/images/COVID-1.png"]
    told = "".join(capsys.readouterr())
    assert "passed over" in told and str(Path("COVID", "masks")) in told


def test_folder_with_splits_keeps_them(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for name in ("NORMAL", "PNEUMONIA", "COVID19", "TURBERCULOSIS"):
            touch(tmp_path / split / name / f"{name}-{split}.jpeg")
    examples = read_data(tmp_path)
    assert len(examples) == 12
    assert {example.split for example in examples} == {"train", "val", "test"}
    assert all(example.split in example.name for example in examples)


def test_files_that_are_not_images_are_not_examples(tmp_path: Path) -> None:
    touch(tmp_path / "normal" / "a.png")
    touch(tmp_path / "normal" / "Thumbs.db")
    touch(tmp_path / "normal" / "._a.png")
    assert [example.name for example in read_data(tmp_path)] == ["normal/a.png"]


def test_kermany_films_of_one_child_stay_together(tmp_path: Path) -> None:
    for number in range(6):
        touch(tmp_path / "pneumonia" / f"person7_bacteria_{number}.jpeg")
    assert len({example.split for example in read_data(tmp_path)}) == 1


def test_hash_split_does_not_move_when_images_are_added(tmp_path: Path) -> None:
    for number in range(40):
        touch(tmp_path / "normal" / f"film{number}.png")
    before = {example.name: example.split for example in read_data(tmp_path)}
    for number in range(40, 400):
        touch(tmp_path / "normal" / f"film{number}.png")
    after = {example.name: example.split for example in read_data(tmp_path)}
    assert all(after[name] == split for name, split in before.items())
    shares = [list(after.values()).count(split) / 400 for split in ("train", "val", "test")]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.06)


@given(st.text(min_size=1))
def test_a_group_has_one_split(group: str) -> None:
    assert split_by_hash(group) == split_by_hash(group)
    assert split_by_hash(group) in ("train", "val", "test")


def test_manifest_without_class_column_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "films.csv"
    manifest.write_text("path,label\na.png,normal\n", encoding="utf-8")
    with pytest.raises(DataError, match="no column 'class'; it has: path, label"):
        read_data(manifest)


def test_patient_in_two_splits_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "films.csv"
    manifest.write_text(
        "path,class,split,patient_id\na.png,normal,train,p1\nb.png,normal,val,p1\n",
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=r"'p1' is in two splits: a\.png in train and b\.png"):
        read_data(manifest)


def test_manifest_with_bom_source_and_korean_name(tmp_path: Path) -> None:
    manifest = tmp_path / "films.csv"
    manifest.write_text(
        "path,class,split,source,group_id\n가슴/영상.png,TB,validation,보건소,g1\n",
        encoding="utf-8-sig",
    )
    (example,) = read_data(manifest)
    assert example.path == tmp_path / "가슴" / "영상.png"
    assert (CLASSES[example.label], example.split, example.source) == (
        "tuberculosis",
        "val",
        "보건소",
    )


def test_missing_and_empty_data_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no data"):
        read_data(tmp_path / "nowhere")
    with pytest.raises(DataError, match="No images"):
        read_data(tmp_path)


def test_fingerprint_changes_with_a_label_and_not_with_order(tmp_path: Path) -> None:
    for name in ("normal", "pneumonia"):
        touch(tmp_path / name / "x.png")
    examples = read_data(tmp_path)
    assert fingerprint(examples) == fingerprint(examples[::-1])
    (tmp_path / "normal" / "x.png").rename(tmp_path / "pneumonia" / "y.png")
    assert fingerprint(read_data(tmp_path)) != fingerprint(examples)


def test_select_keeps_order(tmp_path: Path) -> None:
    for number in range(20):
        touch(tmp_path / "train" / "normal" / f"{number:02}.png")
    names = [example.name for example in select(read_data(tmp_path), "train")]
    assert names == sorted(names) and len(names) == 20


def test_the_public_set_of_children_is_known_by_its_file_names(tmp_path: Path) -> None:
    for name in ("person1_bacteria_1.jpeg", "b.png"):
        touch(tmp_path / "PNEUMONIA" / name)
    for name in ("IM-0115-0001.jpeg", "NORMAL2-IM-1427-0001.jpeg", "c.png"):
        touch(tmp_path / "NORMAL" / name)
    named = {example.path.name: example.source for example in read_data(tmp_path)}
    assert named == {
        "person1_bacteria_1.jpeg": "Kermany",
        "IM-0115-0001.jpeg": "Kermany",
        "NORMAL2-IM-1427-0001.jpeg": "Kermany",
        "b.png": "",
        "c.png": "",
    }
    alone = touch(tmp_path / "other" / "NORMAL" / "IM-0115-0001.jpeg").parents[1]
    assert [example.source for example in read_data(alone)] == [""], "viewers name films so too"


def test_ages_are_read_as_years(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    ages = {"36": 36.0, "036Y": 36.0, "018M": 1.5, "": None, "adult": None}
    rows = [f"{number}.png,normal,{age}" for number, age in enumerate(ages)]
    manifest.write_text("\n".join(["path,class,age", *rows]), encoding="utf-8")
    assert [example.age for example in read_data(manifest)] == list(ages.values())
