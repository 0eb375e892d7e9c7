"""LIME where values are missing: a bin of their own, beside the quartiles of those that are known."""

import numpy as np
import pytest

import workbench as wb
from workbench.coalitions.bins import background_bins
from workbench.coalitions.solvers import ridge
from workbench.core import Inputs
from workbench.methods import LIME

RNG = np.random.default_rng(4)
WHOLE = RNG.random(
    (400, 3)
)  # all in one unit, so that rounding to whole numbers would mix quartiles
HOLES = WHOLE.copy()
HOLES[::8, 0] = np.nan
ROWS = np.array([[0.1, 0.9, 0.5], [np.nan, 0.4, 0.6]])


@pytest.mark.parametrize(
    ("discretizer", "cuts"), [("quartile", (25, 50, 75)), ("decile", range(10, 100, 10))]
)
def test_edges_are_those_of_the_known_values(discretizer, cuts):
    bins = background_bins(Inputs(ROWS, kind="tabular", background=HOLES), discretizer)
    known = HOLES[~np.isnan(HOLES[:, 0]), 0]
    np.testing.assert_array_equal(bins.edges[0], np.percentile(known, list(cuts)))
    np.testing.assert_array_equal(bins.edges[1:].T, np.percentile(HOLES[:, 1:], list(cuts), axis=0))
    codes = bins.codes_of(ROWS)
    assert codes[1, 0] == -1
    for (i, j), value in np.ndenumerate(ROWS):
        if not np.isnan(value):
            assert codes[i, j] == (bins.edges[j] < value).sum()


def test_entropy_cuts_where_the_known_values_tell_the_classes_apart():
    classes = (WHOLE[:, 0] > 0.3).astype(int)
    inputs = Inputs(ROWS, kind="tabular", background=HOLES)
    edges = background_bins(inputs, "entropy", classes).edges[0]
    known = np.sort(HOLES[~np.isnan(HOLES[:, 0]), 0])
    below, above = known[known <= 0.3][-1], known[known > 0.3][0]
    assert edges[0] == pytest.approx((below + above) / 2, abs=1e-6)  # thresholds of float32 values
    assert np.isinf(edges[1:]).all()


def test_a_column_of_missing_values_alone_is_one_bin():
    empty = HOLES.copy()
    empty[:, 0] = np.nan
    for discretizer, classes in (("quartile", None), ("entropy", (WHOLE[:, 1] > 0.5).astype(int))):
        bins = background_bins(Inputs(ROWS, kind="tabular", background=empty), discretizer, classes)
        drawn, codes = bins.draw(50, 0)
        assert np.isnan(drawn[:, 0]).all()
        assert (codes[:, 0] == -1).all()


def test_perturbed_rows_miss_values_as_often_as_the_background_does():
    bins = background_bins(Inputs(ROWS, kind="tabular", background=HOLES), "quartile")
    drawn, codes = bins.draw(4000, 0)
    share = np.isnan(drawn[:, 0]).mean()
    assert abs(share - 1 / 8) < 4 * np.sqrt(1 / 8 * 7 / 8 / 4000)  # four standard errors
    assert np.isin(drawn[~np.isnan(drawn[:, 0]), 0], HOLES[:, 0]).all()
    assert not np.isnan(drawn[:, 1:]).any()
    np.testing.assert_array_equal(codes, bins.codes_of(drawn))


def test_values_are_the_ridge_over_rows_that_share_the_quartile_or_the_gap():
    def asked(rows):
        return np.where(np.isnan(rows[:, :1]), 5.0, rows[:, :1] ** 2) + rows[:, 1:2]

    model = wb.wrap(asked, outputs=["y"], scale="raw", shape=(3,))
    inputs = Inputs(ROWS, kind="tabular", background=HOLES)
    recipe = LIME(budget=600)
    found = wb.explain(model, inputs, recipe, wb.Target(0)).values
    drawn, _ = background_bins(inputs, "quartile").draw(600 - 1, recipe.seed)
    for i, row in enumerate(ROWS):
        seen = np.concatenate([row[None], drawn])
        design = np.ones(seen.shape)
        for j in range(3):
            edges = np.percentile(HOLES[~np.isnan(HOLES[:, j]), j], [25, 50, 75])
            place = np.where(np.isnan(seen[:, j]), 9, np.searchsorted(edges, seen[:, j]))
            design[:, j] = place == place[0]
        width = 0.75 * np.sqrt(3)
        weights = np.sqrt(np.exp(-(3 - design.sum(axis=1)) / width**2))
        wanted = ridge(design, asked(seen), weights, 1.0)[0][:, 0]
        np.testing.assert_allclose(found[i], wanted, rtol=0, atol=1e-9)
