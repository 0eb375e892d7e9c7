"""Bounds on a share of rows, against the binomial distribution they invert."""

import pytest
from scipy.stats import binom

from workbench.compare.drift.share_bounds import fewest_beyond, most_beyond, rows_to_bound


@pytest.mark.parametrize(("beyond", "rows"), [(0, 24), (1, 93), (3, 60), (59, 60), (7, 20)])
def test_the_bound_is_the_share_under_which_so_few_would_be_drawn_one_time_in_twenty(beyond, rows):
    assert binom.cdf(beyond, rows, most_beyond(beyond, rows)) == pytest.approx(0.05)
    if beyond:
        assert binom.sf(beyond - 1, rows, fewest_beyond(beyond, rows)) == pytest.approx(0.025)


def test_no_rows_and_all_rows_bound_nothing():
    assert most_beyond(0, 0) == most_beyond(5, 5) == 1.0
    assert fewest_beyond(0, 5) == 0.0
    assert 0 < fewest_beyond(5, 5) < 1


@pytest.mark.parametrize("share", [0.02, 0.05, 0.3])
def test_the_bounds_hold_in_nineteen_of_twenty_draws_whatever_the_share(share):
    # Exactly, by summing over every outcome of 40 rows.
    outcomes = range(41)
    chance = binom.pmf(outcomes, 40, share)
    held = sum(p for k, p in zip(outcomes, chance, strict=True) if most_beyond(k, 40) >= share)
    under = sum(p for k, p in zip(outcomes, chance, strict=True) if fewest_beyond(k, 40) <= share)
    assert held >= 0.95
    assert under >= 0.975


def test_the_rows_needed_are_the_fewest_that_do():
    # (1 - 0.05) ** 59 is the first power of 0.95 below 0.05.
    assert 0.95**59 < 0.05 < 0.95**58
    assert rows_to_bound(0, 24, 0.05) == rows_to_bound(0, 0, 0.05) == 59
    assert rows_to_bound(0, 24, 0.01) == 299
    needed = rows_to_bound(1, 50, 0.05)
    assert needed is not None
    assert most_beyond(round(needed / 50), needed) <= 0.05
    assert rows_to_bound(5, 50, 0.05) is None  # what is seen is no less than what is allowed
    assert 10_000 < rows_to_bound(480, 10_000, 0.05) < 100_000  # 0.048 beside 0.05
