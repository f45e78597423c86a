"""Batch norm over the whole batch when several processes hold a part of it each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def synchronize_batch_norm(network: nn.Module, device: torch.device) -> None:
    """Make every batch norm inside `network` see the parts of all processes; its keys stay.

    On CUDA torch's own SyncBatchNorm, on the CPU, where torch has none, `GlobalBatchNorm2d`.
    """
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for parent in network.modules():
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, _copy(child))


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Normalise by the mean and variance over the equal parts [N, C, H, W] of all processes."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Normalise; evaluation is plain batch norm."""
        if not self.training:
            return super().forward(input)
        pixels = input.to(torch.promote_types(input.dtype, torch.float32))
        mean, count = _mean_over_processes(pixels)
        centred = pixels - mean
        # Two passes: the mean of squares less the square of the mean would lose digits.
        variance, _ = _mean_over_processes(centred.square())
        self._follow(mean.detach().flatten(), variance.detach().flatten(), count)
        scale = self.weight.reshape(1, -1, 1, 1) * torch.rsqrt(variance + self.eps)
        return (centred * scale + self.bias.reshape(1, -1, 1, 1)).to(input.dtype)

    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if not (self.running_mean is not None and self.running_var is not None):
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        assert self.momentum is not None, "no torchvision network averages cumulatively"
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1), self.momentum)


def _mean_over_processes(values: Tensor) -> tuple[Tensor, int]:
    """Return the mean [1, C, 1, 1] over all processes and the number of values per channel."""
    count = values.numel() // values.shape[1] * torch.distributed.get_world_size()
    total: Tensor = _SumOverProcesses.apply(values.sum(dim=(0, 2, 3), keepdim=True))
    return total / count, count


class _SumOverProcesses(torch.autograd.Function):
    """Sum, whose derivative is the sum of all processes' derivatives."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        total = values.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total


def _copy(norm: nn.BatchNorm2d) -> GlobalBatchNorm2d:
    twin = GlobalBatchNorm2d(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    twin.load_state_dict(norm.state_dict())
    return twin.train(norm.training)
