"""Small networks as textbooks draw them, each another mix of what PT2E's quantizer knows."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as f


def _plain(*parts):
    return lambda: nn.Sequential(*(part() for part in parts))


def _conv(*sizes, **more):
    return lambda: nn.Conv2d(*sizes, **more)


class Residual(nn.Module):
    """Two blocks: add, then ReLU; the second adds in place, after batch norms."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = torch.relu(x + self.inner(x))
        y = self.norm(self.inner(x))
        y += x
        return self.head(torch.relu(y).mean((2, 3)))


class Branches(nn.Module):
    """Convolutions and a pooling side by side, concatenated."""

    def __init__(self):
        super().__init__()
        self.one, self.three, self.after = (
            nn.Conv2d(3, 5, 1),
            nn.Conv2d(3, 6, 3, padding=1),
            nn.Conv2d(3, 4, 1),
        )
        self.head = nn.Linear(15, 4)

    def forward(self, x):
        pooled = self.after(f.avg_pool2d(x, 3, 1, 1))
        x = torch.cat([torch.relu(self.one(x)), self.three(x), torch.relu(pooled)], 1)
        return self.head(f.adaptive_avg_pool2d(f.avg_pool2d(x, 2), 1).flatten(1))


class Gated(nn.Module):
    """Channels weighted by what pooling saw of them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(8, 5, 1),
            nn.ReLU(),
            nn.Conv2d(5, 8, 1),
            nn.Hardsigmoid(),
        )
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return self.head((x * self.gate(x)).mean((2, 3)))


class Attending(nn.Module):
    """Patches with places, one head of attention, a block behind it."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.places = nn.Parameter(torch.randn(1, 30, 8))
        self.norm = nn.LayerNorm(8)
        self.mixed, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.block = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).permute(0, 2, 1) + self.places
        q, k, v = self.mixed(self.norm(x)).chunk(3, -1)
        x = x + self.out(torch.matmul(torch.softmax(q @ k.transpose(1, 2) / 3, -1), v))
        return self.head((x + self.block(x)).mean(1))


class Sequence(nn.Module):
    """Convolutions along one axis, which read a picture's lines."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv1d(60, 8, 3, padding=1), nn.BatchNorm1d(8)
        self.head = nn.Linear(8 * 12, 4)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x.flatten(1, 2))))
        return self.head(f.avg_pool1d(x, 2).flatten(1))


class Viewing(nn.Module):
    """`view` before the head, which takes no channels-last memory."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * 120, 4)

    def forward(self, x):
        return self.head(f.avg_pool2d(torch.relu(self.first(x)), 2).view(x.size(0), -1))


_FLAT = nn.Flatten
TEXTBOOK = {
    "two average poolings": _plain(
        _conv(3, 8, 3, padding=1), nn.ReLU, lambda: nn.AvgPool2d(2),
        _conv(8, 7, 3, padding=1), nn.ReLU, lambda: nn.AvgPool2d(2), _FLAT, lambda: nn.Linear(210, 4),
    ),
    "global average pooling": _plain(
        _conv(3, 8, 3, padding=1), nn.ReLU, lambda: nn.AvgPool2d(2),
        _conv(8, 16, 3, padding=1), nn.ReLU, lambda: nn.AdaptiveAvgPool2d(1), _FLAT,
        lambda: nn.Linear(16, 4),
    ),
    "coarse average pooling": _plain(
        _conv(3, 12, 3, padding=1), nn.ReLU, lambda: nn.MaxPool2d(2), _conv(12, 24, 3, padding=1),
        nn.ReLU, lambda: nn.AdaptiveAvgPool2d((2, 3)), _FLAT, lambda: nn.Linear(144, 4),
    ),
    "overlapping poolings, ReLU6": _plain(
        _conv(3, 8, 3, padding=1), nn.ReLU, lambda: nn.AvgPool2d(3, 2, 1),
        _conv(8, 8, 3), nn.ReLU6, lambda: nn.AvgPool2d(3, 2), _FLAT, lambda: nn.Linear(96, 4),
    ),
    "batch norm": _plain(
        _conv(3, 8, 3, padding=1, bias=False), lambda: nn.BatchNorm2d(8), nn.ReLU,
        lambda: nn.AvgPool2d(2), _conv(8, 6, 3), lambda: nn.BatchNorm2d(6), nn.ReLU,
        lambda: nn.AdaptiveAvgPool2d(1), _FLAT, lambda: nn.Linear(6, 4),
    ),
    "depthwise, hardswish": _plain(
        _conv(3, 6, 3, padding=1), nn.Hardswish, _conv(6, 6, 3, padding=1, groups=6), nn.ReLU6,
        _conv(6, 9, 1), nn.Hardtanh, lambda: nn.AvgPool2d(4), _FLAT, lambda: nn.Linear(270, 4),
    ),
    "LeNet": _plain(
        _conv(3, 6, 5, padding=2), nn.Tanh, lambda: nn.AvgPool2d(2), _conv(6, 16, 5), nn.Tanh,
        lambda: nn.AvgPool2d(2), _FLAT, lambda: nn.Linear(192, 20), nn.Sigmoid,
        lambda: nn.Linear(20, 4),
    ),
    "GELU, SiLU, dropout": _plain(
        _conv(3, 8, 3, padding=1), nn.GELU, lambda: nn.AvgPool2d(2), _conv(8, 8, 3), nn.SiLU,
        nn.Dropout, lambda: nn.AdaptiveAvgPool2d(1), _FLAT, lambda: nn.Linear(8, 4),
    ),
    "leaky slopes, softmax": _plain(
        _conv(3, 8, 3, padding=1), nn.LeakyReLU, lambda: nn.AvgPool2d(2), _conv(8, 8, 3), nn.ELU,
        lambda: nn.AvgPool2d(2), _FLAT, lambda: nn.Linear(160, 4), lambda: nn.LogSoftmax(1),
    ),
    "convolutions alone": _plain(
        _conv(3, 8, 3, padding=1), nn.ReLU, _conv(8, 4, 1), lambda: nn.AdaptiveAvgPool2d(1), _FLAT
    ),
    "linear layers alone": _plain(
        _FLAT, lambda: nn.Linear(1440, 16), nn.ReLU, lambda: nn.Linear(16, 4)
    ),
    "transposed": _plain(
        _conv(3, 8, 3, stride=2, padding=1), nn.ReLU, lambda: nn.ConvTranspose2d(8, 6, 2, stride=2),
        nn.ReLU, lambda: nn.AvgPool2d(4), _FLAT, lambda: nn.Linear(180, 4),
    ),
    "residual": Residual,
    "branches": Branches,
    "gated": Gated,
    "attention": Attending,
    "sequence": Sequence,
    "view": Viewing,
}  # fmt: skip
"""{what it is made of: the network}; each reads pictures of 20 x 24 in 3 channels and says 4 scores."""
