"""One of several processes: a backward pass of its part of a batch in double precision."""

from __future__ import annotations

import weakref

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cxr_train.config import make_config
from cxr_train.fit.batch_norm import synchronize_batch_norm
from cxr_train.fit.distributed import Processes, join_processes
from cxr_train.fit.network import CamNetwork
from cxr_train.fit.state import start_state


class DoublePrecision(nn.Module):
    """A network's classes in double precision: its own forward computes in single."""

    def __init__(self, network: CamNetwork) -> None:
        super().__init__()
        self.network = network.double().train()

    def forward(self, films: Tensor) -> Tensor:
        """Return logits [N, 4]."""
        cam: Tensor = self.network.cam(self.network.features(films))
        return cam.mean(dim=(2, 3)) + self.network.bias


def gradient(processes: Processes) -> Tensor:
    """Return all gradients and running statistics [n] after one pass over 16 made-up films."""
    network = start_state(make_config({"arch": "cnn5"}), torch.device("cpu")).network
    if processes.count > 1:
        synchronize_batch_norm(network, torch.device("cpu"))
    shared = processes.share_gradients(DoublePrecision(network))
    generator = torch.Generator().manual_seed(3)
    films = torch.randn(16, 1, 64, 64, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 4, (16,), generator=generator)
    logits = shared(films[processes.part])
    F.cross_entropy(logits, labels[processes.part]).backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
    return torch.cat([*gradients, *(buffer.double().flatten() for buffer in network.buffers())])


if __name__ == "__main__":
    torch.set_num_threads(1)
    with join_processes() as together:
        group = weakref.ref(torch.distributed.group.WORLD)
        result = gradient(together)
        assert torch.equal(result, together.share(result))
    assert group() is None, "its threads still run, and may abort the process as it ends"
