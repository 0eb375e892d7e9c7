"""The one building block of `small_cnn` that torch does not have."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


def convolution(inward: int, outward: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalization and ReLU, keeping height and width at stride 1."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inward, outward, kernel, stride, padding=kernel // 2, bias=False),
            norm=nn.BatchNorm2d(outward),
            relu=nn.ReLU(),
        )
    )


class Residual(nn.Module):
    """Two convolutions whose result is added to their input, so that evidence stays in its place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = convolution(channels, channels)
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps of the same shape `(n, c, h, w)`."""
        out: torch.Tensor = self.relu(maps + self.norm(self.conv(self.first(maps))))
        return out
