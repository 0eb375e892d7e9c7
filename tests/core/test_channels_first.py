"""Batches with channels first are refused, or what they were taken for is said."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench import methods
from workbench.core import Inputs
from workbench.errors import InputError


def explained(shape):
    model = wb.Model("sum", lambda x: x.sum(axis=(1, 2, 3))[:, None], ("y",), "raw", kind="image")
    rows = Inputs(np.random.default_rng(0).random(shape), kind="image")
    return wb.explain(model, rows, methods.Occlusion(window=1, stride=1, fill="zero"), wb.Target(0))


@pytest.mark.parametrize("shape", [(2, 1, 4, 4), (5, 3, 4, 4), (2, 1, 28, 28), (2, 3, 32, 48)])
def test_channels_first_is_refused_with_the_way_out(shape):
    with pytest.raises(InputError, match=r"channels last.*values\.transpose\(0, 2, 3, 1\)"):
        Inputs(np.zeros(shape), kind="image")
    turned = Inputs(np.zeros(shape).transpose(0, 2, 3, 1), kind="image")
    assert turned.values.shape == (shape[0], *shape[2:], shape[1])


@pytest.mark.parametrize("shape", [(2, 3, 8, 4), (2, 1, 9, 3), (2, 3, 2, 3), (2, 4, 5, 1)])
def test_what_may_be_either_is_said_beside_the_result(shape):
    _, h, w, c = shape
    notes = " ".join(explained(shape).notes)
    assert f"taken as images of {h} x {w} pixels with {c} channels, channels last" in notes
    assert f"If they are {h} channels of {w} x {c} pixels" in notes


@pytest.mark.parametrize("shape", [(2, 8, 9, 3), (2, 5, 6, 1), (2, 3, 3, 3), (2, 6, 4, 4)])
def test_usual_images_are_taken_without_a_word(shape):
    assert "channels last" not in " ".join(explained(shape).notes)
