"""Small vision networks in plain torch, in which maps are held in every way that people hold them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import workbench as wb
from workbench.core import Inputs, Model


def images(n: int = 3, size: tuple[int, int] = (32, 32)) -> Inputs:
    return Inputs(np.random.default_rng(2).random((n, *size, 3)), kind="image")


def wrapped(net: nn.Module, rows: Inputs) -> Model:
    return wb.wrap(net.eval(), like=rows, name="net", scale="logit")


class Attention(nn.Module):
    """Attention in plain steps, with a softmax that hooks can see."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads, self.qkv = heads, nn.Linear(width, 3 * width)
        self.softmax, self.proj = nn.Softmax(dim=-1), nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        qkv = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv
        shares = self.softmax(q @ k.transpose(-1, -2) * (c // self.heads) ** -0.5)
        return self.proj((shares @ v).transpose(1, 2).reshape(n, t, c))


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width), Attention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """A vision transformer: `before` tokens in front of the patches, `behind` after them.

    `reads` is what the head reads: the first token, or the mean over all.
    """

    def __init__(self, size=(32, 32), before=1, behind=0, depth=2, reads="first", width=24) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.grid = (size[0] // 8, size[1] // 8)
        self.before, self.behind, self.reads = before, behind, reads
        tokens = self.grid[0] * self.grid[1] + before + behind
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.extra = nn.Parameter(torch.randn(1, before + behind, width))
        self.position = nn.Parameter(0.1 * torch.randn(1, tokens, width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 4)

    def forward(self, x):
        patches = self.patch(x).flatten(2).transpose(1, 2)
        extra = self.extra.expand(len(x), -1, -1)
        x = torch.cat([extra[:, : self.before], patches, extra[:, self.before :]], 1)
        x = x + self.position
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x[:, 0] if self.reads == "first" else x.mean(1))

    def places(self, out):
        """The maps in a line of tokens, by hand."""
        h, w = self.grid
        return out[:, self.before : self.before + h * w].transpose(1, 2).unflatten(2, (h, w))


class Encoder(nn.Module):
    """torch's own encoder over patches cut by reshaping: no convolution gives away the grid."""

    def __init__(self, batch_first: bool, size=(32, 48)) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.batch_first, self.grid = batch_first, (size[0] // 8, size[1] // 8)
        self.embed = nn.Linear(8 * 8 * 3, 20)
        self.start = nn.Parameter(torch.randn(1, 1, 20))
        layer = nn.TransformerEncoderLayer(20, 2, 30, batch_first=batch_first, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(20, 4)

    def forward(self, x):
        h, w = self.grid
        cut = x.reshape(len(x), 3, h, 8, w, 8).permute(0, 2, 4, 1, 3, 5).reshape(len(x), h * w, -1)
        x = torch.cat([self.start.expand(len(x), -1, -1), self.embed(cut)], 1)
        x = self.encoder(x if self.batch_first else x.transpose(0, 1))
        return self.head(x[:, 0] if self.batch_first else x[0])


class Windows(nn.Module):
    """Swin-like: channels last, attention in windows of 4 x 4, then 2 x 2 places merged into one.

    A bias between the tokens of a window has no rows at all.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.patch, self.first = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8)
        self.norm1, self.attn = nn.LayerNorm(8), Attention(8)
        self.bias = nn.Linear(2, 2)
        self.merge, self.last = nn.Linear(32, 16), nn.LayerNorm(16)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        x = self.first(self.patch(x).permute(0, 2, 3, 1))
        n, h, w, c = x.shape
        y = self.norm1(x).reshape(n, h // 4, 4, w // 4, 4, c).transpose(2, 3).reshape(-1, 16, c)
        y = self.attn(y) + self.bias(torch.ones(1, 16, 16, 2)).mean()
        x = x + y.reshape(n, h // 4, w // 4, 4, 4, c).transpose(2, 3).reshape(n, h, w, c)
        x = x.reshape(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).flatten(3)
        return self.head(self.last(self.merge(x)).mean((1, 2)))


class Permuted(nn.Module):
    """ConvNeXt-like: a block whose norm and linear layers stand between two permutations."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.depth = nn.Conv2d(3, 10, 4, 4), nn.Conv2d(10, 10, 3, padding=1, groups=10)
        self.norm, self.wide, self.back = nn.LayerNorm(10), nn.Linear(10, 30), nn.Linear(30, 10)
        self.head = nn.Linear(10, 4)

    def forward(self, x):
        x = self.stem(x)
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        x = x + self.back(torch.relu(self.wide(y))).permute(0, 3, 1, 2)
        return self.head(x.mean((2, 3)))


class Latents(nn.Module):
    """Perceiver-like: as many latent tokens as places ask the image once; they have no places."""

    def __init__(self, latents: int = 16) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.patch, self.latents = nn.Conv2d(3, 12, 8, 8), nn.Parameter(torch.randn(1, latents, 12))
        self.ask, self.norm = nn.MultiheadAttention(12, 2, batch_first=True), nn.LayerNorm(12)
        self.inner = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(12, 2, 16, batch_first=True), 3, enable_nested_tensor=False
        )
        self.head = nn.Linear(12, 4)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        asked, _ = self.ask(self.latents.expand(len(x), -1, -1), tokens, tokens)
        return self.head(self.inner(self.norm(asked)).mean(1))


class Queries(nn.Module):
    """DETR-like: convolutions, an encoder over their places, and a decoder whose tokens are queries."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 4, 4), nn.ReLU(), nn.Conv2d(12, 12, 2, 2))
        self.encoder = nn.TransformerEncoderLayer(12, 2, 16, batch_first=True)
        self.decoder = nn.TransformerDecoderLayer(12, 2, 16, batch_first=True)
        self.queries, self.head = nn.Parameter(torch.randn(1, 16, 12)), nn.Linear(12, 4)

    def forward(self, x):
        memory = self.encoder(self.stem(x).flatten(2).transpose(1, 2))
        asked = self.decoder(self.queries.expand(len(x), -1, -1), memory)
        return self.head(asked.mean(1))


class Mask(nn.Module):
    """A network for segmentation with a skip connection, and the mean of its mask as the score."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.down, self.deep = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 9, 3, padding=1)
        self.up = nn.ConvTranspose2d(9, 6, 2, 2)
        self.mix, self.head = nn.Conv2d(12, 7, 3, padding=1), nn.Conv2d(7, classes, 1)

    def forward(self, x):
        a = torch.relu(self.down(x))
        b = torch.relu(self.deep(nn.functional.max_pool2d(a, 2)))
        return self.head(self.mix(torch.cat([a, self.up(b)], 1))).mean((2, 3))
