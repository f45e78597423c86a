"""One of several processes: a backward pass of its part of a batch in double precision."""

from __future__ import annotations

import weakref

import torch
import torch.nn.functional as F
from torch import Tensor

from cxr_train.config import make_config
from cxr_train.fit.distributed import Processes, join_processes
from cxr_train.fit.state import start_state


def gradient(processes: Processes) -> Tensor:
    """Return all gradients and running statistics [n] after one pass over 16 made-up films."""
    state = start_state(make_config({"arch": "cnn5"}), torch.device("cpu"), None, processes)
    network = state.network.double().train()
    generator = torch.Generator().manual_seed(3)
    films = torch.randn(16, 1, 64, 64, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (16,), generator=generator)
    # CamNetwork.forward computes in single precision, so its parts are called here.
    cam = network.cam(network.features(films[processes.part]))
    logits = cam.mean(dim=(2, 3)) + network.bias
    F.cross_entropy(logits, labels[processes.part]).backward()  # type: ignore[no-untyped-call]
    processes.average_gradients(network)
    gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return torch.cat([*gradients, *(buffer.double().flatten() for buffer in network.buffers())])


if __name__ == "__main__":
    torch.set_num_threads(1)
    with join_processes() as together:
        group = weakref.ref(torch.distributed.group.WORLD)
        result = gradient(together)
        assert torch.equal(result, together.share(result))
    assert group() is None, "its threads still run, and may abort the process as it ends"
