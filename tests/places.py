"""Networks over signals and volumes, and rows for them."""

import numpy as np
import torch
from torch import nn

from workbench.core import Inputs


class Convolved(nn.Module):
    """Two convolutions along time with pooling between, read as `(n, c, t)`."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(2, 6, 5, padding=2), nn.Conv1d(6, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = nn.functional.max_pool1d(torch.relu(self.first(x)), 2)
        return self.head(torch.relu(self.second(x)).mean(-1))


class Turning(nn.Module):
    """Reads `(n, t, c)` and turns it itself before it convolves."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv1d(2, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x.transpose(1, 2))).mean(-1))


class Recurrent(nn.Module):
    """Reads `(n, t, f)`, as `batch_first=True` asks."""

    def __init__(self, layer=nn.LSTM):
        super().__init__()
        self.cells, self.head = layer(2, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


def boxes():
    """A network over volumes `(n, c, d, h, w)`."""
    return nn.Sequential(
        nn.Conv3d(1, 3, 3, padding=1), nn.ReLU(), nn.Conv3d(3, 4, 2, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 3),
    )  # fmt: skip


def made(build, seed=0):
    """The network in double precision and evaluation mode."""
    torch.manual_seed(seed)
    return build().double().eval()


def signals(n=3, t=20, c=2, seed=1):
    rng = np.random.default_rng(seed)
    back = rng.normal(size=(4, t, c))
    return Inputs(rng.normal(size=(n, t, c)), kind="signal", background=back, name="waves")


def volumes(n=2, shape=(4, 6, 8, 1), seed=2):
    rng = np.random.default_rng(seed)
    back = rng.random((3, *shape))
    return Inputs(rng.random((n, *shape)), kind="volume", background=back, name="scans")


def turned(values):
    """Channels first, as torch's convolutions read them."""
    return torch.tensor(np.moveaxis(values, -1, 1).copy())
