"""The architecture of the bundled image models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def small_cnn(classes: int = 4, *, width: int = 24) -> torch.nn.Module:
    """A small convolutional network from images `(n, 3, h, w)` to logits `(n, classes)`, untrained.

    Five blocks of convolution, batch normalization and ReLU. The last four work at a quarter of the
    input's height and width, 16 x 16 places for 64 x 64 pixels, so that a class activation map is fine
    enough to point at something. The last map is averaged over all places and weighted into logits.

    Args:
        classes: how many logits.
        width: channels of the first block; the others have twice and three times as many.
    """
    from collections import OrderedDict

    from torch import nn

    def block(inward: int, outward: int, kernel: int, stride: int) -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(
                    inward, outward, kernel, stride=stride, padding=kernel // 2, bias=False
                ),
                norm=nn.BatchNorm2d(outward),
                relu=nn.ReLU(),
            )
        )

    return nn.Sequential(
        OrderedDict(
            block1=block(3, width, 5, 2),
            block2=block(width, 2 * width, 3, 2),
            block3=block(2 * width, 3 * width, 3, 1),
            block4=block(3 * width, 3 * width, 3, 1),
            block5=block(3 * width, 3 * width, 3, 1),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            head=nn.Linear(3 * width, classes),
        )
    )
