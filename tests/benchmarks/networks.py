"""Networks whose cost is that of real ones; their weights are random, which costs the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Ask = Callable[[NDArray[Any]], NDArray[Any]]


def mlp(features: int, outputs: int = 2, *, hidden: int = 128, seed: int = 0) -> nn.Module:
    """Two hidden layers, with weights large enough that features interact."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Linear(features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, outputs),
    )
    with torch.no_grad():
        for part in net:
            if isinstance(part, nn.Linear):
                part.weight *= 2.0
    return net.eval()


class _Block(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016)."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inward, outward, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outward)
        self.conv2 = nn.Conv2d(outward, outward, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outward)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inward != outward:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inward, outward, 1, stride, bias=False), nn.BatchNorm2d(outward)
            )

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps `(n, outward, h / stride, w / stride)`."""
        inner = self.relu(self.norm1(self.conv1(maps)))
        out: torch.Tensor = self.relu(self.norm2(self.conv2(inner)) + self.shortcut(maps))
        return out


def resnet18(classes: int = 10, *, seed: int = 0) -> nn.Module:
    """ResNet-18 (11.2 million weights with ten classes), untrained.

    Freshly drawn, its batch normalization would let activations grow block by block; the last of each
    block is drawn small, as in training recipes, so that the scores have an ordinary size.
    """
    torch.manual_seed(seed)
    widths = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    stages = [
        nn.Sequential(_Block(inward, outward, stride), _Block(outward, outward, 1))
        for inward, outward, stride in widths
    ]
    net = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        *stages,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, classes),
    )
    for part in net.modules():
        if isinstance(part, _Block):
            nn.init.constant_(part.norm2.weight, 0.5)
    return net.eval()


def small_cnn(classes: int = 4, *, seed: int = 0) -> nn.Module:
    """The architecture of the bundled image models, untrained."""
    from workbench.models import small_cnn as architecture

    torch.manual_seed(seed)
    return architecture(classes).eval()


def ask_rows(net: nn.Module, column: int | None = None) -> Ask:
    """The network as the function of arrays `(n, f)` that peers call; one column of it, or all."""

    def ask(rows: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            scores = net(torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))).numpy()
        return np.asarray(scores if column is None else scores[:, column])

    return ask


def ask_images(net: nn.Module) -> Ask:
    """The network as the function of images `(n, h, w, c)` that peers call."""

    def ask(rows: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(net(image_tensor(rows)).numpy())

    return ask


def image_tensor(rows: NDArray[Any]) -> torch.Tensor:
    """Images `(n, h, w, c)` as a tensor `(n, c, h, w)`."""
    batch = torch.from_numpy(np.array(rows, dtype=np.float32))
    return batch.permute(0, 3, 1, 2).contiguous()


def forward(net: nn.Module, rows: torch.Tensor, batch: int) -> None:
    """The limit of everything that asks for scores: the network over all rows, a batch at a time."""
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            net(rows[start : start + batch])


def forward_backward(net: nn.Module, rows: torch.Tensor, batch: int) -> None:
    """The limit of everything that asks for gradients: those of one score with respect to the rows."""
    for part in net.parameters():
        part.requires_grad_(False)
    for start in range(0, len(rows), batch):
        leaf = rows[start : start + batch].detach().requires_grad_()
        torch.autograd.grad(net(leaf)[:, 0].sum(), leaf)
    for part in net.parameters():
        part.requires_grad_(True)
