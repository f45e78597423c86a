"""The mean of trainings: by hand, and which trainings have none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cxr_train.config import make_config
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.average import average_networks, average_runs
from cxr_train.fit.checkpoint import load_run
from cxr_train.fit.network import build_network
from cxr_train.fit.run import fit_run
from tests.train.tiny_films import write_data


def test_weights_and_statistics_are_averaged_and_counters_kept() -> None:
    torch.manual_seed(0)
    networks = [build_network("cnn5") for _ in range(3)]
    for number, network in enumerate(networks):
        network.features[1].running_mean.fill_(number)  # type: ignore[index]
    before = networks[0].cam.weight.clone()
    mean = average_networks(networks)
    expected = sum(network.cam.weight for network in networks) / 3
    torch.testing.assert_close(mean.cam.weight, expected)
    assert mean.state_dict()["features.1.running_mean"].unique().tolist() == [1.0]
    assert mean.state_dict()["features.1.num_batches_tracked"] == 0
    assert torch.equal(networks[0].cam.weight, before) and not mean.training


def test_two_trainings_become_a_run_that_loads(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", train=4, val=3)

    def train(name: str, side: int = 32, start: Path | None = None) -> Path:
        settings = {"arch": "cnn5", "input_size": side, "batch_size": 8, "precision": "fp32"}
        config = make_config({**settings, "stages": [{"size": side, "epochs": 1}]})
        cache = tmp_path / "cache"
        fit_run(config, data, tmp_path / name, start_from=start, cache=cache)
        return tmp_path / name

    first = train("first")
    second = train("second", start=first)
    lines = average_runs([first, second], tmp_path / "mean", cache=tmp_path / "cache")
    assert len(lines) == 3 and lines[2].startswith("mean: accuracy ")
    run = load_run(tmp_path / "mean")
    pair = [load_run(folder).network.cam.weight for folder in (first, second)]
    torch.testing.assert_close(run.network.cam.weight, (pair[0] + pair[1]) / 2)
    assert [part["run"] for part in json.loads(run.recipe_text)["averaged"]] == ["first", "second"]
    shifted = average_runs(
        [first, second], tmp_path / "shifted", shift_classes=True, cache=tmp_path / "cache"
    )
    loss = [float(line.split("log loss ")[1].split()[0]) for line in shifted]
    assert len(shifted) == 4 and loss[3] < loss[2]
    bias = (load_run(tmp_path / "shifted").network.bias - run.network.bias).detach()
    assert bias.abs().max() > 1e-3 and abs(float(bias.sum())) < 1e-3
    with pytest.raises(ConfigError, match="only equal networks"):
        average_runs([first, train("larger", side=48)], tmp_path / "other")
    with pytest.raises(ConfigError, match="needs two run folders"):
        average_runs([first], tmp_path / "other")
    facts = json.loads((second / "run.json").read_text(encoding="utf-8"))
    (second / "run.json").write_text(json.dumps({**facts, "fingerprint": "x"}), encoding="utf-8")
    with pytest.raises(DataError, match="other data"):
        average_runs([first, second], tmp_path / "other")
    assert not (tmp_path / "other").exists()
