"""Several processes that train as one: `torchrun --nproc-per-node 2 -m cxr_train.cli fit ...`.

Every process draws the same random numbers for each whole batch and keeps every `count`-th film of
it, so that what is computed depends on the settings alone and not on the number of processes: the
gradients are those of the whole batch (torch's DistributedDataParallel), and so are the statistics
of batch norm (torch's SyncBatchNorm on CUDA; on the CPU, where torch has none, `batch_norm`).
Without torchrun nothing here has an effect, and torch.distributed is not set up.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from cxr_train.errors import ConfigError

T = TypeVar("T")
Network = TypeVar("Network", bound=nn.Module)

# The others wait while process 0 decodes the films, which takes hours for some hundred thousand.
# A process that died is noticed sooner: torchrun ends them all.
_LONGEST_WAIT = timedelta(hours=12)
_INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Processes:
    """This process's place among those that train together."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    """Its number on this machine, which is the number of its GPU."""

    @property
    def first(self) -> bool:
        """Whether this is the one process that prints and writes."""
        return self.rank == 0

    @property
    def part(self) -> slice:
        """What this process takes of a batch: every `count`-th film."""
        return slice(self.rank, None, self.count)

    def device(self) -> torch.device:
        """Return where this process computes."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", self.local_rank) if self.count > 1 else torch.device("cuda")

    def require_equal_parts(self, films: int) -> None:
        """Raise ConfigError unless a batch of `films` divides into equal parts."""
        if films % self.count:
            raise ConfigError(
                f"A batch of {films} films cannot be shared equally by {self.count} processes: "
                f"choose a --batch-size that is a multiple of {self.count}, and not fewer films."
            )

    def run_first(self, work: Callable[[], T]) -> T:
        """Return `work()`, which the other processes begin once process 0 has finished it.

        Where it fails on process 0, its error is raised there and the others leave silently.
        """
        if self.count == 1:
            return work()
        if not self.first:
            if not self.share(False):
                raise SystemExit(1)
            return work()
        done = False
        try:
            result = work()
            done = True
        finally:
            self.share(done)
        return result

    def share(self, value: T) -> T:
        """Return process 0's `value` on every process."""
        if self.count == 1:
            return value
        import torch.distributed as dist

        box = [value]
        dist.broadcast_object_list(box, src=0, device=torch.device("cpu"))
        return box[0]

    def sum_up(self, values: Tensor) -> Tensor:
        """Return the sum of all processes' `values`, a tensor on the CPU of one shape."""
        if self.count > 1:
            import torch.distributed as dist

            values = values.clone()
            dist.all_reduce(values)
        return values

    def share_gradients(self, network: Network) -> Network:
        """Return `network`, whose backward pass gives every process the whole batch's gradients.

        All parameters and buffers become those of process 0. Parts of a batch must be equal. Of
        one process it is the network itself; else torch's DistributedDataParallel around it, which
        sends a layer's gradients while the next are computed.
        """
        if self.count == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        return cast(Network, DistributedDataParallel(network))


ALONE = Processes()


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Meet the other processes that torchrun started, and part from them on every way out."""
    if int(os.environ.get("WORLD_SIZE", "1")) <= 1:
        yield ALONE
        return
    processes = _read_place()
    import torch.distributed as dist

    # Its functions have the group of their import as a default. Imported by the first optimizer
    # instead, they would keep it, and its threads that let go of a tensor while Python ends abort.
    import torch.distributed.nn

    if torch.cuda.is_available():
        torch.cuda.set_device(processes.local_rank)
    # Words between processes go over gloo in either case: they need no GPU and block none.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=_LONGEST_WAIT)
    orderly = False
    try:
        with warnings.catch_warnings():
            # Of a convolution of one channel, whose layout has two names: it is copied, and right.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            yield processes
        orderly = True
    except KeyboardInterrupt:
        if processes.first:
            raise
        raise SystemExit(_INTERRUPTED) from None
    finally:
        # nccl's farewell waits for every process, and after an error some never come.
        if orderly or backend == "gloo":
            dist.destroy_process_group()


def _read_place() -> Processes:
    try:
        place = Processes(
            rank=int(os.environ["RANK"]),
            count=int(os.environ["WORLD_SIZE"]),
            local_rank=int(os.environ["LOCAL_RANK"]),
        )
    except KeyError as error:
        raise ConfigError(
            f"WORLD_SIZE is set but {error.args[0]} is not: start several processes with torchrun."
        ) from error
    gpus = torch.cuda.device_count()
    if torch.cuda.is_available() and place.local_rank >= gpus:
        raise ConfigError(f"This machine has {gpus} GPUs: give torchrun --nproc-per-node {gpus}.")
    return place
