"""GradientSHAP: what its errors can be at most, by a closed form."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs, Model
from workbench.errors import InputError
from workbench.methods import GradientSHAP

WEIGHTS = np.array([2.0, -3.0, 0.0])


def plane() -> Model:
    return Model(
        "plane",
        lambda rows: rows @ WEIGHTS[:, None],
        ("y",),
        "raw",
        gradient=lambda rows, weights: (
            rows @ WEIGHTS[:, None],
            np.broadcast_to(weights @ WEIGHTS[None], (len(weights), len(rows), 3)),
        ),
    )


def spread(b: int) -> Inputs:
    rng = np.random.default_rng(0)
    return Inputs(rng.normal(size=(2, 3)), kind="tabular", background=rng.normal(size=(b, 3)))


@pytest.mark.parametrize(("budget", "b"), [(60, 20), (400, 20), (50, 100)])
def test_an_error_is_never_larger_than_that_of_points_drawn_independently(budget, b):
    rows = spread(b)
    found = wb.explain(plane(), rows, GradientSHAP(budget=budget))
    # A plane's slope is the same everywhere, so a point varies by its background row alone.
    alone = np.abs(WEIGHTS) * rows.background.std(axis=0, ddof=1) / np.sqrt(budget)
    # Of 50 rows drawn from 100 the spread itself varies by a tenth; of whole rotations it does not.
    assert (found.error <= 1.3 * alone).all()
    assert (found.error[:, 2] == 0).all()


def test_half_a_background_leaves_a_distance_that_its_errors_cover():
    rows = spread(100)
    found = [wb.explain(plane(), rows, GradientSHAP(budget=50, seed=seed)) for seed in range(40)]
    truth = WEIGHTS * (rows.values - rows.background.mean(axis=0))
    away = np.array([one.values - truth for one in found])[:, :, :2]
    stated = np.array([one.error for one in found])[:, :, :2]
    # Drawn without replacement from a finite background they vary by sqrt(1/2) of the stated at most;
    # 40 seeds tell a spread to a ninth.
    assert np.sqrt((away**2).mean()) < 1.25 * np.sqrt((stated**2).mean())
    assert np.sqrt((away**2).mean()) > 0.3 * np.sqrt((stated**2).mean())


def test_a_table_without_a_background_is_refused_with_two_ways_out():
    bare = Inputs(np.ones((1, 3)), kind="tabular")
    assert "needs background rows where its lines begin" in GradientSHAP().lacks(bare)
    with pytest.raises(InputError, match="IntegratedGradients"):
        next(GradientSHAP().attribute(plane(), bare, (wb.Target(0),)))
    assert GradientSHAP().lacks(spread(4)) is None


def test_the_plan_is_the_budget_for_each_row_and_the_base_is_the_mean_score_of_the_background():
    rows = spread(7)
    assert GradientSHAP(budget=30).evaluations(rows).most == 2 * 30
    found = wb.explain(plane(), rows, GradientSHAP(budget=30))
    np.testing.assert_allclose(found.base, (rows.background @ WEIGHTS).mean(), atol=1e-12)
    np.testing.assert_allclose(found.output, rows.values @ WEIGHTS, atol=1e-12)
