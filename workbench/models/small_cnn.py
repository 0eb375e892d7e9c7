"""The architecture of the bundled image models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def small_cnn(classes: int = 4, *, width: int = 24) -> torch.nn.Module:
    """A small convolutional network from images `(n, 3, h, w)` to logits `(n, classes)`, untrained.

    Three blocks of convolution, batch normalization and ReLU, then a residual one. The last three work
    at a quarter of the input's height and width, 16 x 16 places for 64 x 64 pixels, so that a class
    activation map is fine enough to point at something. The last map, `block4.relu`, is averaged over
    all places and weighted into logits.

    Args:
        classes: how many logits.
        width: channels of the first block; the second has twice, the others three times as many.
    """
    from collections import OrderedDict

    from torch import nn

    from workbench.models.residual import Residual, convolution

    return nn.Sequential(
        OrderedDict(
            block1=convolution(3, width, kernel=5, stride=2),
            block2=convolution(width, 2 * width, stride=2),
            block3=convolution(2 * width, 3 * width),
            block4=Residual(3 * width),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(3 * width, classes),
        )
    )
