"""LIME's bins: cells one by one against the distribution's definition, extreme shares among them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import truncnorm

from workbench.coalitions.bin_kernels import fill
from workbench.coalitions.bins import quartile_bins
from workbench.core import Inputs
from workbench.errors import InputError

OUTLIER = np.append(np.linspace(0.0, 1.0, 3999), 40.0)
"""The topmost bin reaches 25 standard deviations above its mean: beyond a share of 1 - 1e-130."""

COLUMNS = {
    "even": np.linspace(-1.0, 1.0, 101),
    "one far above": OUTLIER,
    "one far below": -OUTLIER,
    "a heavy tail": np.exp(np.linspace(-6, 6, 401)),
    "few values": np.repeat([0.0, 1.0, 2.0, 3.0, 7.0], 21),
}


def normal_in(inside: np.ndarray):
    """The normal distribution of a bin's values, cut at the least and the greatest of them."""
    mean, scale = inside.mean(), inside.std()
    ends = (inside.min() - mean) / scale, (inside.max() - mean) / scale
    return truncnorm(*ends, loc=mean, scale=scale)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_cells_place_in_its_bin_is_the_truncated_normals_quantile(name):
    background = COLUMNS[name][:, None]
    inputs = Inputs(background[:1], kind="tabular", background=background)
    bins = quartile_bins(inputs)
    known = bins.codes_of(background)[:, 0]
    below = np.concatenate([[0.0], np.cumsum(np.bincount(known, minlength=4))]) / len(known)
    uniform = np.unique(
        np.concatenate([np.linspace(0, 1, 501)[:-1], 1 - 10.0 ** -np.arange(2, 16)])
    )
    rows, codes = np.empty((len(uniform), 1)), np.empty((len(uniform), 1), np.int32)
    fill(uniform[:, None], bins._binned, *bins._normals, rows, codes)
    for u, value, code in zip(uniform, rows[:, 0], codes[:, 0], strict=True):
        assert below[code] <= u + 1e-12
        assert u < below[code + 1]
        inside = COLUMNS[name][known == code]
        if np.ptp(inside) == 0:
            assert value == pytest.approx(inside[0])
            continue
        share = (u - below[code]) / (below[code + 1] - below[code])
        drawn = normal_in(inside)
        # Where the density is thin a rounding of the share moves the value: held by share instead.
        assert drawn.cdf(value) == pytest.approx(share, abs=1e-9)
        assert inside.min() <= value <= inside.max()


def test_an_edge_belongs_to_the_bin_below_and_a_category_is_its_own_bin():
    background = np.column_stack([np.arange(5.0), [0, 1, 2, 1, 0]])
    inputs = Inputs(
        background[:1], kind="tabular", background=background, categories={"x1": ("a", "b", "c")}
    )
    bins = quartile_bins(inputs)
    assert bins.edges[0].tolist() == [1, 2, 3]
    rows = np.array([[-9.0, 2.0], [1.0, 0.0], [1.1, 1.0], [2.0, 1.0], [3.0, 1.0], [3.1, 2.0]])
    assert bins.codes_of(rows).tolist() == [[0, 2], [0, 0], [1, 1], [1, 1], [2, 1], [3, 2]]


def test_a_group_is_the_same_only_where_all_its_columns_are():
    background = np.random.default_rng(0).normal(size=(40, 3))
    inputs = Inputs(background, kind="tabular", background=background, groups={"g": (0, 2)})
    bins = quartile_bins(inputs)
    codes = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1]], np.int32)
    same = bins.same(codes, np.array([1, 1, 1], np.int32))
    assert same.tolist() == [[1, 1], [0, 1], [0, 1], [0, 0], [1, 0]]
    # Columns of one group come from one background row together.
    rows, _ = bins.draw(200, seed=0)
    taken = {tuple(row) for row in background[:, [0, 2]].tolist()}
    assert all(tuple(row) in taken for row in rows[:, [0, 2]].tolist())
    assert len({tuple(row) for row in rows[:, [0, 2]].tolist()}) > 30  # of 40, in 200 draws


def test_without_a_background_there_are_no_bins():
    with pytest.raises(InputError, match="needs background rows to cut into bins"):
        quartile_bins(Inputs(np.ones((1, 2)), kind="tabular"))
