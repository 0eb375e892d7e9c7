"""The bound on a sampled explanation's error, and stopping by it."""

import numpy as np
import pytest

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench.coalitions.precision import relative_bound, within
from workbench.errors import InputError
from workbench.methods import ExactShapley, PermutationSHAP


@pytest.mark.parametrize(
    "scales",
    [np.ones(30), np.r_[10.0, np.full(29, 0.1)], np.geomspace(1, 0.01, 12)],
    ids=["all players alike", "one player's chance rules", "a few"],
)
@pytest.mark.parametrize("draws", [6, 40])
def test_the_bound_holds_nineteen_times_in_twenty_and_is_not_idle(scales, draws):
    rng = np.random.default_rng(0)
    p = len(scales)
    mixing = np.linalg.qr(rng.normal(size=(p, p)))[0]  # so that players' errors go together
    truth = rng.normal(size=p) * 50
    held, slack = [], []
    for _ in range(600):
        credit = truth + (rng.normal(size=(draws, p)) * scales) @ mixing
        (bound,) = relative_bound(credit[:, :, None], None)
        error = np.linalg.norm(credit.mean(axis=0) - truth) / np.linalg.norm(truth)
        held.append(error <= bound)
        slack.append(bound / error)
    # 600 tries of probability 0.95 leave 0.95 +- 0.027 (three sigma); the match is approximate.
    assert np.mean(held) > 0.92
    # One player's chance and six draws: Student's t has .975 quantile over median 2.57 / 0.73 = 3.5.
    assert np.median(slack) < 4.0


def test_strata_take_away_what_is_always_there():
    """Draws that only differ between strata say nothing about the error of a whole rotation."""
    strata = np.tile(np.arange(5), 4)
    credit = np.random.default_rng(0).normal(size=(5, 3, 2))[strata]
    away, freedom = within(credit, strata)
    assert freedom == 20 - 5
    assert (away == 0).all()
    assert relative_bound(credit, strata).tolist() == [0.0, 0.0]
    assert (relative_bound(credit, None) > 0).all()


def test_what_one_draw_cannot_tell_is_infinite_unless_there_is_nothing_to_tell():
    assert relative_bound(np.ones((1, 3, 2)), None).tolist() == [np.inf] * 2
    assert relative_bound(np.ones((1, 1, 2)), None).tolist() == [0.0] * 2


def test_a_mean_of_nothing_with_chance_around_it_is_not_precise():
    credit = np.array([[[1.0]], [[-1.0]]] * 4)
    assert relative_bound(np.repeat(credit, 2, axis=1), None).tolist() == [np.inf]


@pytest.fixture
def rows():
    rng = np.random.default_rng(2)
    return wb.Inputs(
        rng.normal(size=(12, 8)), kind="tabular", background=rng.normal(size=(20, 8)), name="rows"
    )


def relative_errors(model, rows, method):
    exact = wb.explain(model, rows, ExactShapley(), wb.Target(0)).values
    found = wb.explain(model, rows, method, wb.Target(0))
    away = np.linalg.norm(found.values - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return away, found


@pytest.mark.parametrize("tolerance", [0.2, 0.05, 0.02])
def test_a_tolerance_is_kept_and_a_wide_one_costs_less(rows, tolerance):
    model = tanh_network(8)
    errors = np.concatenate(
        [
            relative_errors(model, rows, PermutationSHAP(tolerance=tolerance, seed=seed))[0]
            for seed in range(3)
        ]
    )
    assert np.mean(errors <= tolerance) >= 0.9  # of 36; the promise is 95 %
    _, found = relative_errors(model, rows, PermutationSHAP(tolerance=tolerance))
    _, wider = relative_errors(model, rows, PermutationSHAP(tolerance=2 * tolerance))
    assert wider.evaluations <= found.evaluations
    assert f"at most {tolerance:.2g} (95 % confidence" in found.provenance["notes"][-1]
    assert np.abs(found.gap).max() < 1e-12  # only whole rotations are kept


def test_an_additive_model_is_known_after_two_rotations(rows):
    """Marginal contributions do not depend on the order, so within a background row nothing varies; one
    rotation cannot tell that from luck, two can.
    """
    model = wb.Model("sum", lambda x: x.sum(axis=1, keepdims=True), ("y",), "raw")
    found = wb.explain(model, rows[:1], PermutationSHAP(tolerance=0.001), wb.Target(0))
    # Two rotations of 20 pairs, each walked both ways over 8 players without the ends, plus the row
    # itself, the 20 empty coalitions, and the row's output.
    assert found.evaluations == 2 * 20 * 2 * 7 + 1 + 20 + 1


def test_a_budget_alone_is_spent_and_caps_a_tolerance(rows):
    model = tanh_network(8)
    rotation = 2 * 8 * 20
    spent = wb.explain(model, rows[:1], PermutationSHAP(budget=5 * rotation), wb.Target(0))
    assert spent.evaluations == 5 * 20 * 2 * 7 + 1 + 20 + 1
    capped = PermutationSHAP(budget=5 * rotation, tolerance=0.001)
    found = wb.explain(model, rows[:1], capped, wb.Target(0))
    np.testing.assert_array_equal(found.values, spent.values)
    said = found.provenance["notes"][-1]
    assert said.startswith("1 of 1 rows did not reach a relative error of 0.001 within the budget")


def test_a_budget_below_one_rotation_is_refused_with_a_tolerance_too(rows):
    with pytest.raises(InputError, match="needs a budget of at least 320 model rows"):
        wb.explain(tanh_network(8), rows, PermutationSHAP(budget=300, tolerance=0.1), wb.Target(0))
