"""Weights of timm and torchvision from files: what matches is taken and told, else refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import resnet18

from cxr_train.config import make_config
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.foreign_weights import load_foreign

RESNET = make_config({"arch": "resnet18"})


def their_weights() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return dict(resnet18(weights=None).state_dict())


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_torchvision_weights_are_taken_and_colours_summed(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs, file = their_weights(), tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{name}": one for name, one in theirs.items()}}, file)
    else:
        save_file({name: one.contiguous() for name, one in theirs.items()}, file)
    network = load_foreign(file, RESNET)
    first = next(one for one in network.features.modules() if isinstance(one, torch.nn.Conv2d))
    torch.testing.assert_close(first.weight, theirs["conv1.weight"].sum(dim=1, keepdim=True))
    ours = network.features.state_dict()
    torch.testing.assert_close(ours["7.1.bn2.weight"], theirs["layer4.1.bn2.weight"])
    said = capsys.readouterr().err
    assert f"weights{suffix}: 100 of 100 tensors of resnet18 matched" in said
    assert "2 in the file and not used (fc.bias, fc.weight)" in said


def test_what_is_missing_is_named_and_other_networks_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some, file = their_weights(), tmp_path / "some.safetensors"
    del some["layer4.1.bn2.weight"]
    some["conv1.weight"] = some["conv1.weight"][:, :1].clone()
    save_file({name: one.contiguous() for name, one in some.items()}, file)
    load_foreign(file, RESNET)
    said = capsys.readouterr().err
    assert "98 of 100" in said and "1 not in the file (layer4.1.bn2.weight)" in said
    assert "1 of another shape (conv1.weight (64, 1, 7, 7), not (64, 3, 7, 7))" in said
    with pytest.raises(ConfigError, match="not weights of cnn5"):
        load_foreign(file, make_config({"arch": "cnn5"}))


def test_files_without_weights_are_data_errors(tmp_path: Path) -> None:
    for name in ("no.safetensors", "no.pth"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(DataError, match="holds no weights that can be read"):
            load_foreign(tmp_path / name, RESNET)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(DataError, match="a state dict"):
        load_foreign(tmp_path / "list.pth", RESNET)
