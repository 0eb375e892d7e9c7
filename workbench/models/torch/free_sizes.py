"""The number of outputs of a network whose height and width, length or depth are free, found by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import ModelError

if TYPE_CHECKING:
    from workbench.models.torch.engine import TorchEngine

_PIXELS = ((64, 96), (224, 256))
"""Pairs of sizes that are tried in turn; the second is for networks that shrink an image too far."""

_VOXELS = ((16, 24), (64, 80))


def outputs_at_free_sizes(engine: TorchEngine, shape: tuple[int | None, ...]) -> int | None:
    """How many outputs the module has, whatever the size; None where that cannot be found.

    One row of zeros is asked for at two sizes, which must give the same number. A module that takes only
    one of the two has that one's number.

    Args:
        engine: of the module.
        shape: of a row `(*places, c)`, with None for the lengths that are free.

    Raises:
        IncompatibleError: the module answers with something other than scores.
    """
    for pair in _PIXELS if len(shape) < 4 else _VOXELS:
        found = {_outputs(engine, shape, pixels) for pixels in pair} - {None}
        if found:
            return found.pop() if len(found) == 1 else None
    return None


def _outputs(engine: TorchEngine, shape: tuple[int | None, ...], pixels: int) -> int | None:
    row = np.zeros((1, *(pixels if length is None else length for length in shape)))
    try:
        return int(engine.predict(row).shape[1])
    except ModelError as error:
        if error.__cause__ is None:
            raise
        return None  # torch refused this size
