"""The range in which a layer's inputs are rounded: all calibration rows, all uses, both ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.core import Inputs
from workbench.errors import ModelError
from workbench.variants import fake_quantize


def identity() -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 1.0)  # which is on every grid of weights
    return layer


def wrapped(module: nn.Module, outputs: str = "y"):
    return wb.wrap(module, scale="raw", outputs=list(outputs))


def ends(copy) -> list[float]:
    """The least and the greatest number that the copy can still tell from those beyond."""
    return copy.scores(np.array([[-1e6], [1e6]]))[:, 0].tolist()


@pytest.mark.parametrize("place", [0, 40, 99])
@pytest.mark.parametrize(("least", "greatest"), [(-3.0, 1.0), (-1.0, 5.0)])
def test_both_ends_hold_over_all_calibration_rows_wherever_they_lie(place, least, greatest):
    """100 rows take several passes; the extreme one comes in the first, a middle or the last."""
    values = np.linspace(-0.5, 0.5, 100)[:, None].copy()
    values[place], values[(place + 50) % 100] = least, greatest
    copy = fake_quantize(wrapped(identity()), Inputs(values, kind="tabular"))
    step = (greatest - least) / 255
    np.testing.assert_allclose(ends(copy), [least, greatest], atol=step)  # zero lies on the grid


class Twice(nn.Module):
    """One layer asked twice: for the row, and for the row turned and three times as large."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = identity()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.layer(rows), self.layer(-3 * rows)], dim=1)


def test_the_range_of_a_layer_in_two_places_holds_both():
    rows = Inputs([[1.0], [2.0]], kind="tabular")  # read as 1 … 2, and as -6 … -3
    copy = fake_quantize(wrapped(Twice(), "ab"), rows)
    found = copy.scores(np.array([[-1e6], [1e6]]))
    np.testing.assert_allclose(found, [[-6, 2], [2, -6]], atol=8 / 255)


def test_activations_that_are_not_finite_are_refused_whichever_end_they_are_at():
    class Log(nn.Module):
        def __init__(self, sign):
            super().__init__()
            self.layer, self.sign = identity(), sign

        def forward(self, rows):
            return torch.sigmoid(self.layer(self.sign / rows))

    for sign in (1.0, -1.0):
        with pytest.raises(ModelError, match="needs finite activations"):
            fake_quantize(wrapped(Log(sign)), Inputs([[1.0], [0.0]], kind="tabular"))
