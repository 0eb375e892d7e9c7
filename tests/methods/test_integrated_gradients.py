"""IntegratedGradients: exact for polynomials of the quadrature's degree, for images too."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs, Model
from workbench.methods import IntegratedGradients


def cubes() -> Model:
    """y0 = a^3 + 2 b, y1 = b^2 c."""

    def predict(rows):
        a, b, c = rows.T
        return np.stack([a**3 + 2 * b, b**2 * c], axis=1)

    def gradient(rows, weights):
        a, b, c = rows.T
        first = np.stack([3 * a**2, 0 * a + 2, 0 * a], axis=1)
        second = np.stack([0 * a, 2 * b * c, b**2], axis=1)
        slopes = np.einsum("tnk,knf->tnf", weights, np.stack([first, second]))
        return predict(rows), slopes

    return Model("cubes", predict, ("y0", "y1"), "raw", gradient=gradient, batch=2)


ROW = np.array([[2.0, 3.0, 6.0]])
BACK = np.array([[0.0, 2.0, 1.0], [2.0, 0.0, 1.0]])


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_two_points_are_enough_for_a_cube(steps):
    """From the mean (1, 1, 1): along a the integral is that of 3 (1 + t)^2, 7; along b and c by parts."""
    rows = Inputs(ROW, kind="tabular", background=BACK)
    found = wb.explain(cubes(), rows, IntegratedGradients(steps=steps), wb.Target(0))
    np.testing.assert_allclose(found.values, [[7, 4, 0]], atol=1e-12)
    assert (found.output[0], found.base[0]) == (14, 3)
    found = wb.explain(cubes(), rows, IntegratedGradients(steps=steps), wb.Target(1))
    # b = 1 + 2 t, c = 1 + 5 t: 2 * integral of 2 b c = 2 (2 + 7 + 20/3), 5 * integral of b^2 = 5 * 13/3.
    np.testing.assert_allclose(found.values, [[0, 94 / 3, 65 / 3]], atol=1e-12)
    np.testing.assert_allclose(found.gap, 0, atol=1e-12)


def test_the_line_begins_at_zero_where_that_is_asked_for_and_the_plan_counts_its_points():
    rows = Inputs(ROW, kind="tabular")
    assert "needs background rows" in IntegratedGradients().lacks(rows)
    recipe = IntegratedGradients(steps=4, fill="zero")
    assert recipe.lacks(rows) is None
    assert recipe.evaluations(rows).most == 4 + 1
    found = wb.explain(cubes(), rows, recipe, wb.Target("y0", against="y1"))
    # Along a line from zero a product of powers is shared by them: 8 + 6, less 54 as 2 to 1.
    np.testing.assert_allclose(found.values, [[8, 6 - 36, -18]], atol=1e-12)
    assert found.base == 0


def test_an_image_keeps_its_channels_and_its_sums():
    weights = np.random.default_rng(0).normal(size=(4, 5, 3))

    def predict(rows):
        return (rows * weights).sum(axis=(1, 2, 3))[:, None]

    model = Model(
        "dot", predict, ("y",), "raw", kind="image", batch=2,
        gradient=lambda rows, w: (predict(rows), w[..., None, None] * weights[None, None] + 0 * rows),
    )  # fmt: skip
    rows = Inputs(np.random.default_rng(1).random((2, 4, 5, 3)), kind="image")
    found = wb.explain(model, rows, IntegratedGradients(steps=3))
    away = rows.values - rows.values.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found.values, away * weights, atol=1e-12)
    np.testing.assert_allclose(found.maps(), (away * weights).sum(axis=3), atol=1e-12)
