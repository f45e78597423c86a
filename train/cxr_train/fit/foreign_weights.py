"""Weights of timm's or torchvision's networks, from a file: no download, no code of the file's own.

Names are compared with those the network has in its library, before it is rebuilt for grey films
(the first convolution's colours are summed then). The last linear layer is left out, and what
matched is told.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cxr_train.config import TrainConfig
from cxr_train.errors import ConfigError, DataError
from cxr_train.fit.network import CamNetwork, build_for
from cxr_train.terminal import say

FOREIGN_SUFFIXES = frozenset({".safetensors", ".pth", ".pt", ".bin"})
_WRAPPERS = ("state_dict_ema", "state_dict", "model_ema", "model", "network")
_PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.")
_MOST_NAMED = 5
_LEAST_SHARE = 0.5
"""Of the network's tensors; a file with fewer of them is of another network."""


def load_foreign(path: Path, config: TrainConfig) -> CamNetwork:
    """Build the network of `config` with the weights in `path`, and say what matched.

    The head keeps its random start. ConfigError where less than half of the network is there,
    DataError for a file that holds no tensors.
    """
    theirs = _read(path)
    return build_for(
        config,
        prepare=lambda original: _fill(original, theirs, f"{path.name}", config.arch),
    ).eval()


def _fill(original: nn.Module, theirs: Mapping[str, Tensor], file: str, arch: str) -> None:
    """Copy what matches into the network as its library builds it, and say what did."""
    heads = {name for name, one in original.named_modules() if isinstance(one, nn.Linear)}
    wanted = {
        name: tensor
        for name, tensor in original.state_dict().items()
        if not name.endswith("num_batches_tracked") and name.rpartition(".")[0] not in heads
    }
    there = {name: one for name, one in theirs.items() if not name.endswith("num_batches_tracked")}
    fits = {
        name for name, one in wanted.items() if name in there and there[name].shape == one.shape
    }
    other_shape = [
        f"{name} {tuple(there[name].shape)}, not {tuple(one.shape)}"
        for name, one in wanted.items()
        if name in there and name not in fits
    ]
    told = "; ".join(
        [
            f"{file}: {len(fits)} of {len(wanted)} tensors of {arch} matched",
            *_some("of another shape", other_shape),
            *_some("not in the file", sorted(set(wanted) - set(there))),
            *_some("in the file and not used", sorted(set(there) - set(wanted))),
        ]
    )
    if len(fits) < _LEAST_SHARE * len(wanted):
        raise ConfigError(
            f"{told}. These are not weights of {arch}: choose the --arch they are of."
        )
    say(f"{told}; the last layer begins at random")
    with torch.no_grad():
        for name in fits:
            wanted[name].copy_(there[name])


def _read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name, without what wraps them."""
    found = _load(path)
    wrapped = (found[one] for one in _WRAPPERS if isinstance(found, dict) and one in found)
    found = next((one for one in wrapped if isinstance(one, Mapping)), found)
    if not isinstance(found, Mapping):
        raise DataError(f"{path} holds no weights: a state dict of names and tensors is needed.")
    tensors = {str(name): one for name, one in found.items() if isinstance(one, Tensor)}
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): one for name, one in tensors.items()}
    if not tensors:
        raise DataError(f"{path} holds no weights: there is no tensor in it.")
    return tensors


def _load(path: Path) -> Any:
    """Load a file; code in it is never run."""
    from safetensors import SafetensorError

    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        *(OSError, RuntimeError, EOFError, KeyError, ValueError),
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        raise DataError(f"{path} holds no weights that can be read: {error}.") from error


def _some(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return [f"{len(names)} {what} ({', '.join(names[:_MOST_NAMED])}{more})"]
