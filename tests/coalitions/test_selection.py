"""Which players are kept: lime's own choice on the same rows, for every way to choose."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from workbench.coalitions.selection import chosen_players, sparse_ridge
from workbench.coalitions.solvers import ridge

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # lime's imports warn about their own dependencies
    from lime.lime_base import LimeBase

HOWS = ("forward_selection", "highest_weights", "lasso_path", "auto", "none")


def sample(seed: int, p: int = 9, size: int = 300):
    rng = np.random.default_rng(seed)
    design = rng.integers(0, 2, (size, p)).astype(float)
    design[0] = 1.0
    values = (
        design @ rng.normal(size=p) ** 3 + 2 * design[:, 0] * design[:, 1] + rng.normal(size=size)
    )
    weights = np.exp(-(p - design.sum(axis=1)) / p)
    return design, values, weights


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("count", [1, 3, 6, 7])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_limes_choice(how, count, seed):
    design, values, weights = sample(seed)
    base = LimeBase(lambda d: d, random_state=np.random.RandomState(0))
    theirs = base.feature_selection(design, values, weights, count, how)
    ours = chosen_players(design, values, weights, count, how)
    assert ours.tolist() == sorted(int(one) for one in theirs)


@pytest.mark.parametrize("how", HOWS)
def test_the_fit_on_the_kept_ones_is_limes_for_every_target(how):
    design, first, weights = sample(0)
    values = np.column_stack([first, sample(1)[1]])
    slopes, middle, spread, fit = sparse_ridge(design, values, weights, 1.0, 3, how)
    base = LimeBase(lambda d: weights, random_state=np.random.RandomState(0))
    for target in range(2):
        start, pairs, explained, _ = base.explain_instance_with_data(
            design, values, np.zeros(len(design)), target, 3, feature_selection=how
        )
        wanted = np.zeros(9)
        for player, slope in pairs:
            wanted[player] = slope
        np.testing.assert_allclose(slopes[:, target], wanted, atol=1e-10)
        assert middle[target] == pytest.approx(start, abs=1e-10)
        assert fit[target] == pytest.approx(explained, abs=1e-10)
        kept = np.flatnonzero(wanted)
        alone = ridge(design[:, kept], values[:, target : target + 1], weights, 1.0)[2]
        np.testing.assert_allclose(spread.error[kept, target], alone.error[:, 0])
        assert spread.freedom[target] == alone.freedom[0]


def test_a_player_that_never_changes_or_repeats_another_is_chosen_last():
    design, _, weights = sample(2, p=4)
    design = np.column_stack([design, design[:, 1], np.ones(len(design))])
    values = design @ [1.0, 5.0, 0.5, 0.25, 0.0, 9.0]
    kept = chosen_players(design, values, weights, 4, "forward_selection")
    assert kept.tolist() == [0, 1, 2, 3]
    assert chosen_players(design, values, weights, 1, "forward_selection").tolist() == [1]


def test_no_more_than_there_are_are_kept():
    design, values, weights = sample(3)
    for how in HOWS:
        assert chosen_players(design, values, weights, 99, how).tolist() == list(range(9))
