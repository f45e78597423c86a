"""Two processes under torchrun (gloo, on the CPU) compute what one does, batch norm included."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cxr_train.config import Augment, TrainConfig, make_config, read_recipe
from cxr_train.errors import ConfigError
from cxr_train.fit import distributed
from cxr_train.fit.augment import augment_batch
from cxr_train.fit.checkpoint import load_state
from cxr_train.fit.distributed import ALONE, Processes, join_processes
from cxr_train.fit.run import fit_run
from cxr_train.fit.state import start_state
from tests.train.fit import two_processes
from tests.train.tiny_films import write_data

RECIPE = """
arch = "cnn5"
augment = "strong"
precision = "fp32"
input_size = 32
batch_size = 8
stages = [{ size = 32, epochs = 3 }]
"""


def torchrun(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *map(str, words)],
        check=False,
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def read(recipe: Path) -> TrainConfig:
    recipe.write_text(RECIPE, encoding="utf-8")
    return make_config(read_recipe(recipe))


def weights(run: Path) -> Tensor:
    network: dict[str, Tensor] = load_state(run / "last.pt")["network"]
    return torch.cat([value.flatten() for key, value in network.items() if "running" not in key])


@pytest.mark.slow
def test_two_processes_give_the_gradient_of_one_to_rounding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = two_processes.gradient(ALONE)
    # This process is the first one: one import of torch less than under torchrun.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for key, value in (place | {"RANK": "0", "LOCAL_RANK": "0"}).items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(distributed, "_LONGEST_WAIT", timedelta(minutes=3))
    command = [sys.executable, "-m", "tests.train.fit.two_processes"]
    second = subprocess.Popen(command, env=os.environ | {"RANK": "1", "LOCAL_RANK": "1"})
    try:
        with join_processes() as processes:
            together = processes.share(two_processes.gradient(processes))
        assert second.wait(60) == 0
    finally:
        second.kill()
        second.wait()
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_torchrun_fit_trains_the_network_that_one_process_would(tmp_path: Path) -> None:
    data, recipe = write_data(tmp_path / "data"), tmp_path / "recipe.toml"
    config = read(recipe)
    two = tmp_path / "runs" / "two"
    words = ["fit", data, "--out", two, "--recipe", recipe, "--keep-all"]
    done = torchrun("-m", "cxr_train.cli", *words)
    assert done.returncode == 0, done.stderr
    fit_run(config, data, tmp_path / "one", keep_all=True)
    start = start_state(config, torch.device("cpu")).network.state_dict()
    begin = torch.cat([value.flatten() for key, value in start.items() if "running" not in key])
    moved = (weights(tmp_path / "one") - begin).norm()
    # AdamW makes a full step of a gradient that is only rounding: measured 0.012 of the way, and
    # 0.80 where each process normalises its own part of the batch.
    assert (weights(tmp_path / "one") - weights(two)).norm() < 0.1 * moved
    lines = [json.loads((run / "history.json").read_text()) for run in (tmp_path / "one", two)]
    assert lines[0][0]["train_loss"] == pytest.approx(lines[1][0]["train_loss"], rel=1e-4)
    assert json.loads((two / "run.json").read_text())["processes"] == 2
    assert sorted(path.name for path in two.parent.iterdir()) == ["two"]
    assert done.stderr.count("class imbalance") == 1 and done.stdout.count("run folder") == 1
    assert [done.stderr.count(f"epoch {number}/3") for number in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.slow
def test_torchrun_goes_on_where_one_process_stopped_and_says_errors_once(tmp_path: Path) -> None:
    data, recipe = write_data(tmp_path / "data"), tmp_path / "recipe.toml"
    config, run = read(recipe), tmp_path / "run"
    words = ["-m", "cxr_train.cli", "fit", data, "--out", run, "--recipe", recipe]
    uneven = torchrun(*words, "--batch-size", 7)
    assert uneven.returncode == 1
    assert uneven.stderr.count("cannot be shared equally by 2 processes") == 1
    for file in stopped_after_one_epoch(config, data, tmp_path).glob("*.pt"):
        (run / file.name).write_bytes(file.read_bytes())
    refused = torchrun(*words)
    assert refused.returncode == 1 and refused.stderr.count("already holds a training") == 1
    done = torchrun(*words, "--resume")
    assert done.returncode == 0, done.stderr
    assert [line["epoch"] for line in json.loads((run / "history.json").read_text())] == [0, 1, 2]


class Stopped(Exception):
    """Stands for a power cut after an epoch."""


def stopped_after_one_epoch(config: TrainConfig, data: Path, folder: Path) -> Path:
    """Return the run folder of one process that stopped after its first epoch."""
    from cxr_train.data.dataset import load_images
    from cxr_train.data.manifest import read_data, select
    from cxr_train.fit.loop import train

    def stop(_: Any) -> None:
        raise Stopped

    examples = read_data(data)
    films = [load_images(select(examples, name), height=37, width=37) for name in ("train", "val")]
    out = folder / "stopped"
    out.mkdir()
    with pytest.raises(Stopped):
        train(config, films[0], films[1], out, report=stop)
    return out


# `hospital` mixes a film with others of its process's own part: these differ with the number.
@pytest.mark.parametrize("augment", [one for one in Augment if one is not Augment.HOSPITAL])
def test_parts_of_a_batch_vary_as_in_the_whole(augment: Augment) -> None:
    films = torch.randint(0, 256, (6, 1, 40, 40), dtype=torch.uint8)
    whole = augment_batch(films, augment, size=32, generator=torch.Generator().manual_seed(1))
    for rank in range(3):
        processes = Processes(rank=rank, count=3)
        part = augment_batch(
            films[processes.part],
            augment,
            size=32,
            generator=torch.Generator().manual_seed(1),
            processes=processes,
        )
        torch.testing.assert_close(part, whole[processes.part])


def test_alone_nothing_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_processes() as processes:
        assert processes == ALONE and processes.first
        assert processes.run_first(lambda: 3) == 3
        processes.require_equal_parts(7)
        assert not torch.distributed.is_initialized()


def test_an_unequal_batch_and_a_half_set_environment_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match="7 films cannot be shared equally by 2"):
        Processes(count=2).require_equal_parts(7)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(ConfigError, match="RANK is not: start several processes with torchrun"):
        join_processes().__enter__()
