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
    runs = [
        relative_errors(model, rows, PermutationSHAP(tolerance=tolerance, seed=seed))
        for seed in range(3)
    ]
    errors = np.concatenate([away for away, _ in runs])
    assert np.mean(errors <= tolerance) >= 0.9  # of 36; the promise is 95 %
    _, found = runs[0]
    _, wider = relative_errors(model, rows, PermutationSHAP(tolerance=2 * tolerance))
    assert wider.evaluations <= found.evaluations
    assert f"at most {tolerance:.2g} (95 % confidence" in found.provenance.notes[-1]
    assert np.abs(found.gap).max() < 1e-12  # only whole rotations are kept


def test_an_additive_model_is_known_at_the_first_look(rows):
    """Marginal contributions do not depend on the order, so within a background row nothing varies; one
    rotation cannot tell that from luck, nor can a few draws.
    """
    model = wb.Model("sum", lambda x: x.sum(axis=1, keepdims=True), ("y",), "raw")
    found = wb.explain(model, rows[:1], PermutationSHAP(tolerance=0.001), wb.Target(0))
    # Three rotations of 20 pairs (2 x 20 >= 24 degrees of freedom), each walked both ways over 8 players
    # without the ends, plus the row itself, the 20 empty coalitions, and the row's output.
    assert found.evaluations == 3 * 20 * 2 * 7 + 1 + 20 + 1


def test_a_budget_alone_is_spent_and_caps_a_tolerance(rows):
    model = tanh_network(8)
    rotation = 2 * 8 * 20
    spent = wb.explain(model, rows[:1], PermutationSHAP(budget=5 * rotation), wb.Target(0))
    assert spent.evaluations == 5 * 20 * 2 * 7 + 1 + 20 + 1
    capped = PermutationSHAP(budget=5 * rotation, tolerance=0.001)
    found = wb.explain(model, rows[:1], capped, wb.Target(0))
    np.testing.assert_array_equal(found.values, spent.values)
    said = found.provenance.notes[-1]
    assert said.startswith("1 of 1 rows did not reach a relative error of 0.001 within the budget")


def test_a_budget_below_one_rotation_is_refused_with_a_tolerance_too(rows):
    with pytest.raises(InputError, match="needs a budget of at least 320 model rows"):
        wb.explain(tanh_network(8), rows, PermutationSHAP(budget=300, tolerance=0.1), wb.Target(0))


def test_in_each_row_nineteen_of_twenty_runs_are_within_what_they_stopped_at():
    """Few background rows and a forest: draws are few and often alike, and looks are repeated."""
    from sklearn.ensemble import GradientBoostingRegressor

    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 8))
    fitted = GradientBoostingRegressor(n_estimators=40, max_depth=4, random_state=0).fit(
        table, table[:, 0] * table[:, 1] + np.sin(3 * table[:, 2]) * table[:, 3]
    )
    model = wb.wrap(fitted, kind="tabular")
    inputs = wb.Inputs(table[:6], kind="tabular", background=table[100:105])
    exact = wb.explain(model, inputs, ExactShapley(), wb.Target(0)).values
    missed = np.zeros(6)
    for seed in range(60):
        found = wb.explain(model, inputs, PermutationSHAP(tolerance=0.05, seed=seed), wb.Target(0))
        away = np.linalg.norm(found.values - exact, axis=1) / np.linalg.norm(exact, axis=1)
        missed += away > 0.05
    # 60 tries of probability 0.05 miss 3, and more than 8 once in a thousand.
    assert missed.max() <= 8
    assert missed.sum() <= 0.05 * 6 * 60


def test_tiny_and_huge_outputs_are_judged_like_others():
    rng = np.random.default_rng(3)
    credit = rng.normal(size=(40, 3, 1)) + 2.0
    (plain,) = relative_bound(credit, None)
    for scale in (1e-120, 1e90):
        assert relative_bound(credit * scale, None) == pytest.approx(plain, rel=1e-9)


def test_what_cannot_be_told_from_zero_says_so():
    """A product of three zeros over all signs: who leaves first takes all, on average nothing."""
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
    model = wb.Model("product", lambda x: x.prod(axis=1, keepdims=True), ("y",), "raw")
    inputs = wb.Inputs(np.zeros((1, 3)), kind="tabular", background=corners)
    recipe = PermutationSHAP(tolerance=0.05, budget=4800)
    (said,) = wb.explain(model, inputs, recipe, wb.Target(0)).notes
    assert said.startswith("1 of 1 rows did not reach a relative error of 0.05")
    assert said.endswith("Where it is above 1, the values cannot be told from zero.")


def test_a_members_precision_does_not_decide_when_an_ensemble_stops(rows):
    from workbench import ensembles

    line = wb.Model("line", lambda x: x @ np.arange(8.0)[:, None], ("y",), "raw")
    noise = wb.Model("noise", lambda x: np.sin(40 * x.sum(axis=1, keepdims=True)), ("y",), "raw")
    recipe = PermutationSHAP(tolerance=0.05)
    alone = wb.explain(line, rows[:2], recipe, wb.Target(0))
    both = wb.explain(ensembles.vote([line, noise], [1, 0]), rows[:2], recipe, wb.Target(0))
    assert both.evaluations == 2 * alone.evaluations  # two members answer, no more often
    assert any("at most 0.05" in note for note in both.notes)
    assert not any("0.05" in note for part in both.parts for note in part.notes)
