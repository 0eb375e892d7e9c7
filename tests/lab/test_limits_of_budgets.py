"""A budget's numbers at their ends, and the words in which a verdict's line gives its reason."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.lab.rows_by_hand import behaving, drift_of, measured
from workbench.errors import InputError
from workbench.lab import Budget, check_budget


@pytest.mark.parametrize("name", ["flips", "accuracy_drop", "pointing_game"])
def test_shares_of_exactly_nothing_and_of_exactly_everything_can_be_asked_for(name):
    for end in (0, 0.0, 1, 1.0):
        assert getattr(Budget(**{name: end}), name) == end
        assert name in Budget(**{name: end}).asked
    for beyond in (math.nextafter(1.0, 2.0), math.nextafter(0.0, -1.0), math.nan, True, "1"):
        with pytest.raises(InputError, match=rf"budget\.{name} must be a number from 0 to 1, not"):
            Budget(**{name: beyond})


@pytest.mark.parametrize("make", [lambda x: {"normalized": x}, lambda x: {"drift": {"cosine": x}}])
def test_drifts_have_no_greatest_number_but_are_numbers_from_nothing_on(make):
    for end in (0, 0.0, 1.0, 7.5):
        Budget(**make(end))
    for beyond in (-1e-9, math.nan, True, None if "drift" in make(0) else "0"):
        with pytest.raises(InputError, match="must be a number from 0, not"):
            Budget(**make(beyond))


def test_a_copy_that_flips_every_row_keeps_to_a_budget_of_everything():
    drift = behaving(drift_of(measured("int8", [0.0, 0.0])), "int8", flips=1.0)
    (line,) = [one for one in check_budget(drift, Budget(flips=1.0)).checks if one.what == "flips"]
    assert line.held
    (line,) = [one for one in check_budget(drift, Budget(flips=0.99)).checks if one.what == "flips"]
    assert not line.held


def graver(order):
    """Two methods by which a copy changed: in margins, 8 times and twice as far as allowed."""
    grave = measured(
        "int8", [0.4, 0.4], method="GradCAM", verdict="changed", reason="the grave one."
    )
    mild = measured(
        "int8", [0.1, 0.1], method="Occlusion", verdict="changed", reason="the mild one."
    )
    calm = measured("int8", [0.0, 0.0], method="LIME", verdict="preserved", reason="the calm one.")
    found = [grave, mild, calm]
    return drift_of(*(found[i] for i in order), verdicts={"int8": "changed"})


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_a_broken_verdict_is_explained_by_what_moved_the_farthest(order):
    checked = check_budget(graver(order), Budget())
    (line,) = [one for one in checked.checks if one.what == "verdict"]
    assert not line.held
    assert "the grave one." in line.reason
    assert "GradCAM" in line.reason
    assert "the mild one." not in line.reason
    assert "the calm one." not in line.reason


def test_how_far_is_counted_in_margins_not_in_the_metrics_own_units():
    near = measured(
        "int8", [3.0, 3.0], method="GradCAM", margin=2.0, verdict="changed", reason="near."
    )
    far = measured("int8", [0.5, 0.5], method="LIME", margin=0.05, verdict="changed", reason="far.")
    checks = check_budget(drift_of(near, far), Budget()).checks
    (line,) = [one for one in checks if one.what == "verdict"]
    assert "far." in line.reason
    assert np.isfinite(far.mean)
