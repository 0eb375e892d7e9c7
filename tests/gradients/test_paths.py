"""Gradients along lines: which points are asked about, and in what batches."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core import Model
from workbench.gradients.paths import line_gradients


@pytest.mark.parametrize("batch", [1, 3, 4, 7, 50])
def test_every_point_lies_its_part_of_the_way_from_its_own_fill_to_the_row(batch):
    asked: list[np.ndarray] = []

    def gradient(rows, weights):
        asked.append(rows)
        return rows.sum(axis=1, keepdims=True), np.einsum("tnk,nf->tnf", weights, rows)

    model = Model("square", lambda rows: rows, ("y",), "raw", gradient=gradient, batch=batch)
    row, fills = np.array([8.0, 0.0]), np.array([[0.0, 0.0], [0.0, 16.0]])
    which, places = np.array([0, 1, 1, 0, 1, 0, 0]), np.array([0, 0.25, 1, 0.5, 0.75, 1, 0.125])
    weights = np.array([[1.0], [-2.0]])
    parts, found = [], []
    for part, gradients in line_gradients(model, row, fills, which, places, weights):
        parts += range(7)[part]
        found.append(gradients)
    points = np.array([[0, 0], [2, 12], [8, 0], [4, 0], [6, 4], [8, 0], [1, 0]])
    assert parts == list(range(7))
    np.testing.assert_array_equal(np.concatenate(asked), points)
    assert all(len(one) <= batch for one in asked)
    np.testing.assert_array_equal(np.concatenate(found, axis=1), [points, -2.0 * points])
