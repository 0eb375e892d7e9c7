"""A mean fill is the mean of the known values; background rows bring their gaps one by one."""

import numpy as np
import pytest

import workbench as wb
from tests.every_coalition import absent_from_background, shapley
from workbench.core import Inputs
from workbench.methods import ExactShapley, KernelSHAP, Occlusion

BACKGROUND = np.array([[1.0, np.nan, 3.0], [5.0, 4.0, 9.0], [np.nan, 0.0, 2.0]])
ROWS = Inputs([[2.0, 7.0, np.nan]], kind="tabular", features=tuple("abc"), background=BACKGROUND)


def asked(rows):
    a, b, c = np.nan_to_num(rows, nan=10.0).T
    return (a * b + c)[:, None]


MODEL = wb.wrap(asked, name="gaps", outputs=["y"], scale="raw", shape=(3,))


@pytest.mark.parametrize("recipe", [ExactShapley, KernelSHAP, Occlusion])
def test_a_mean_fill_is_the_mean_of_what_is_known(recipe):
    found = wb.explain(MODEL, ROWS, recipe(fill="mean"), wb.Target(0))
    same = ROWS.with_background(
        [[3.0, 2.0, 14.0 / 3.0]]
    )  # (1 + 5) / 2, (4 + 0) / 2, (3 + 9 + 2) / 3
    other = wb.explain(MODEL, same, recipe(fill="background"), wb.Target(0))
    np.testing.assert_allclose(found.values, other.values, rtol=0, atol=1e-12)


def test_background_rows_bring_their_gaps_one_by_one():
    worth = absent_from_background(asked, ROWS.values[0], BACKGROUND)
    for recipe in (ExactShapley(), KernelSHAP()):
        found = wb.explain(MODEL, ROWS, recipe, wb.Target(0))
        np.testing.assert_allclose(found.values[0], shapley(worth)[:, 0], rtol=0, atol=1e-10)
