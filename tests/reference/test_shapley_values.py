"""Shapley values against closed forms and a slower program that follows the definition."""

from itertools import permutations
from math import factorial

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs, Model
from workbench.methods import ExactShapley, KernelSHAP, PermutationSHAP


def by_orders(model, row, background, output):
    """Shapley values from the definition over all p! orders, one model call at a time."""
    p = len(row)
    credit = np.zeros(p)
    for order in permutations(range(p)):
        for b in background:
            now = b.copy()
            before = model.predict(now[None])[0, output]
            for player in order:
                now[player] = row[player]
                after = model.predict(now[None])[0, output]
                credit[player] += after - before
                before = after
    return credit / factorial(p) / len(background)


def test_exact_values_of_a_linear_model_are_weights_times_distance_to_the_mean_background(
    linear, four
):
    result = wb.explain(linear, four, ExactShapley(), wb.Target("y0"))
    expected = np.array([2.0, -3.0, 0.0, 0.0]) * (four.values - four.background.mean(axis=0))
    np.testing.assert_allclose(result.values, expected, atol=1e-13)  # rounding alone
    base = (four.background @ [2.0, -3.0, 0.0, 0.0]).mean() + 1.0
    np.testing.assert_allclose(result.base, base, atol=1e-13)


def test_exact_values_of_a_product_share_the_joint_gain_equally():
    product = Model("product", lambda rows: rows[:, :1] * rows[:, 1:2], ("y",), "raw")
    inputs = Inputs([[3.0, 5.0]], kind="tabular", background=[[1.0, 2.0]])
    # (x1 - b1)(x2 + b2)/2 and (x2 - b2)(x1 + b1)/2
    result = wb.explain(product, inputs, ExactShapley())
    np.testing.assert_allclose(result.values, [[7.0, 6.0]], atol=1e-14)
    assert result.output == pytest.approx(15.0)
    assert result.base == pytest.approx(2.0)


def test_exact_values_equal_the_mean_over_all_orders(network, table):
    result = wb.explain(network, table[:2], ExactShapley(), wb.Target("b"))
    for i, row in enumerate(table.values[:2]):
        expected = by_orders(network, row, table.background, 1)
        np.testing.assert_allclose(result.values[i], expected, atol=1e-12)  # 5040 additions


def test_kernel_shap_with_every_coalition_is_exact(network, table):
    exact = wb.explain(network, table, ExactShapley(), wb.Target(2))
    kernel = wb.explain(network, table, KernelSHAP(budget=(2**6 - 2) * 7 + 9), wb.Target(2))
    np.testing.assert_allclose(kernel.values, exact.values, atol=1e-8)
    assert kernel.error is None


@pytest.mark.parametrize("sampler", ["kernel", "leverage"])
@pytest.mark.parametrize("columns", [2, 3, 4, 5, 7, 9, 10])
def test_kernel_shap_enumerates_every_coalition_once_when_it_can_afford_to(columns, sampler):
    from workbench.coalitions.samplers import shapley_sample

    sample = shapley_sample(columns, 2**columns - 2, 3, sampler)
    assert len(np.unique(sample.masks, axis=0)) == len(sample.masks) == 2**columns - 2
    assert not sample.sampled


@pytest.mark.parametrize("size", [20, 33, 57, 200])
def test_kernel_shap_draws_coalitions_in_complement_pairs_within_the_budget(size):
    from workbench.coalitions.samplers import shapley_sample

    sample = shapley_sample(9, size, seed=5)
    drawn = sample.masks[sample.cluster >= 0].reshape(-1, 2, 9)
    np.testing.assert_array_equal(drawn[:, 0], ~drawn[:, 1])
    assert size - 1 <= len(sample.masks) <= size
    total = sum(8 / (s * (9 - s)) for s in range(1, 9))
    assert sample.weights.sum() == pytest.approx(total)


def test_leverage_draws_every_size_equally_often_and_weighs_it_by_the_kernel():
    """Size s of 12 weighs 11 / (s (12 - s)) in all; sizes beyond the enumerated ones are drawn alike."""
    from workbench.coalitions.samplers import shapley_sample

    sample = shapley_sample(12, 1500, 2, "leverage")
    size = sample.masks.sum(axis=1)
    drawn = sample.cluster >= 0
    assert set(size[~drawn]) == {
        1,
        2,
        10,
        11,
    }  # 24 and 132 coalitions; 440 would be more than 2/7 of the 1344 left
    count = np.bincount(size[drawn], minlength=13)[3:10]
    pairs = drawn.sum() / 2
    # Sizes 3 to 9 are seven; each should get a seventh of the coalitions drawn, to 4 standard errors.
    assert np.abs(count / (2 * pairs) - 1 / 7).max() < 4 * np.sqrt(1 / 7 / pairs)
    for s in range(1, 12):
        weight = sample.weights[size == s].sum()
        exact = 11 / (s * (12 - s))
        assert weight == pytest.approx(exact, rel=1e-9 if s in (1, 2, 10, 11) else 0.25)
    np.testing.assert_array_equal(sample.masks[drawn][::2], ~sample.masks[drawn][1::2])


def test_rows_and_models_share_one_sample_and_one_factorization(network, table, monkeypatch):
    from dataclasses import replace

    from workbench.coalitions import samplers

    inversions = []
    original = np.linalg.inv
    monkeypatch.setattr(
        samplers.np.linalg, "inv", lambda m: inversions.append(m.shape) or original(m)
    )
    samplers.shapley_sample.cache_clear()
    models = (network, replace(network, name="other"))
    study = wb.Study(models, (KernelSHAP(budget=40 * 7 + 9, seed=77),), table, (wb.Target(0),))
    first, second = wb.run(study)
    np.testing.assert_array_equal(first.values, second.values)
    assert inversions == [(6, 6)]  # two models of five rows


def test_a_group_is_one_player_of_the_game_between_groups(network, table):
    from dataclasses import replace

    grouped = replace(table, groups={"pair": ("column u", "column x"), "rest": (4, 5)})
    merged = Model(
        "merged",
        lambda rows: network.predict(_spread(rows)),
        network.outputs,
        "logit",
    )
    codes = Inputs(np.ones((1, 4)), kind="tabular", background=np.zeros((1, 4)))
    row, back = table.values[0], table.background[0]

    def _spread(rows):
        owner = np.array([0, 1, 2, 0, 3, 3])
        return np.where(rows[:, owner] > 0.5, row, back)

    one = replace(grouped, background=back[None])[:1]
    exact = wb.explain(network, one, ExactShapley(), wb.Target(0))
    expected = wb.explain(merged, codes, ExactShapley(), wb.Target(0)).values[0]
    np.testing.assert_allclose(exact.by_player(0), expected, atol=1e-13)
    assert exact.names == ("pair", "column v", "column w", "rest")
    for method in (KernelSHAP(budget=14 + 9), PermutationSHAP(budget=8 * 500)):
        other = wb.explain(network, one, method, wb.Target(0))
        tolerance = 1e-8 if other.error is None else 5 * other.error_by_player(0).max()
        np.testing.assert_allclose(other.by_player(0), expected, atol=tolerance)


@pytest.mark.parametrize(
    "kind", ["few draws", "kernel", "leverage", "one rotation short of two", "many rotations"]
)
def test_reported_standard_errors_are_the_spread_over_seeds(network, table, kind):
    """Root mean square error over 80 seeds, over the root mean reported variance."""
    methods = {
        "few draws": lambda seed: KernelSHAP(budget=30 * 7 + 9, seed=seed),
        "kernel": lambda seed: KernelSHAP(budget=50 * 7 + 9, seed=seed),
        "leverage": lambda seed: KernelSHAP(budget=50 * 7 + 9, sampler="leverage", seed=seed),
        "one rotation short of two": lambda seed: PermutationSHAP(budget=12 * 7, seed=seed),
        "many rotations": lambda seed: PermutationSHAP(budget=12 * 7 * 4, seed=seed),
    }
    exact = wb.explain(network, table, ExactShapley(), wb.Target(1)).values
    runs = [wb.explain(network, table, methods[kind](s), wb.Target(1)) for s in range(80)]
    spread = np.sqrt(np.mean([(run.values - exact) ** 2 for run in runs]))
    reported = np.sqrt(np.mean([run.error**2 for run in runs]))
    if kind == "one rotation short of two":
        assert spread / reported < 0.9  # stated as too large before the second rotation
    else:
        # 80 seeds x 30 values: the ratio itself has a standard error near 3 %; the sandwich is
        # asymptotic and sees few draws here.
        assert 0.85 < spread / reported < 1.15


def test_walks_form_latin_squares_and_are_the_same_however_many_are_drawn():
    from workbench.coalitions.samplers import permutations as pairs

    few, many = pairs(5, 7, rotations=2, seed=4), pairs(5, 7, rotations=5, seed=4)
    np.testing.assert_array_equal(many.rank[:14], few.rank)
    np.testing.assert_array_equal(many.which[:14], few.which)
    for square in many.rank.reshape(7, 5, 5):
        for walk, place in zip(square, square.T, strict=True):
            assert sorted(walk) == sorted(place) == list(range(5))
    # 120 orders, each as likely as any other: 12,000 draws give 100 of each, to 5 standard errors.
    orders, count = np.unique(
        pairs(5, 1, rotations=12_000, seed=0).rank, axis=0, return_counts=True
    )
    assert len(orders) == 120
    assert np.abs(count - 100).max() < 50


def test_permutation_shap_uses_every_background_row_equally_often_and_leaves_no_gap(network, table):
    from workbench.coalitions.samplers import permutations as pairs

    walk = pairs(6, 7, rotations=3, seed=1)
    assert (np.bincount(walk.which) == 3).all()
    assert all(len(set(walk.which[i : i + 7])) == 7 for i in (0, 7, 14))
    result = wb.explain(network, table, PermutationSHAP(budget=12 * 7 * 3))
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # rounding alone


def test_permutation_shap_pays_two_rows_less_than_two_per_player_and_pair(network, table, counted):
    result = wb.explain(
        counted.on(network), table, PermutationSHAP(budget=12 * 7 * 3), wb.Target(0)
    )
    pairs, p, b, n = 7 * 3, 6, 7, 5
    walks = n * pairs * 2 * (p - 1)
    ends = n * (1 + b) + n  # each row's full and empty coalitions, and the scores of the rows
    assert counted.rows == result.evaluations == walks + ends


def test_an_antithetic_pair_is_exact_where_players_interact_in_twos():
    """Backward and forward walks meet every pair in both orders, so each pair is exact by itself."""
    model = Model(
        "pairs",
        lambda rows: (rows[:, 0] * rows[:, 1] + rows[:, 2] * rows[:, 3] - rows[:, 0])[:, None],
        ("y",),
        "raw",
    )
    inputs = Inputs([[1.0, 2.0, 3.0, 4.0]], kind="tabular", background=[[0.0, 1.0, -1.0, 5.0]])
    result = wb.explain(model, inputs, PermutationSHAP(budget=32))
    exact = wb.explain(model, inputs, ExactShapley())
    np.testing.assert_allclose(result.values, exact.values, atol=1e-13)
    np.testing.assert_allclose(result.error, 0.0, atol=1e-13)


def test_kernel_shap_spends_no_more_than_its_budget(network, table, counted):
    result = wb.explain(counted.on(network), table[:1], KernelSHAP(budget=30 * 7 + 9), wb.Target(0))
    assert 28 * 7 <= counted.rows - (1 + 7 + 1) <= 30 * 7
    assert result.evaluations == counted.rows


def test_every_target_comes_from_one_pass(network, table, counted):
    study = wb.Study(
        (counted.on(network),),
        (KernelSHAP(budget=30 * 7 + 9),),
        table,
        tuple(map(wb.Target, range(3))),
    )
    together = list(wb.run(study))
    rows = counted.rows
    alone = wb.explain(network, table, KernelSHAP(budget=30 * 7 + 9), wb.Target(2))
    np.testing.assert_allclose(together[2].values, alone.values, atol=1e-12)  # other order of sums
    assert rows == alone.evaluations


def test_a_contrast_is_the_difference_of_two_explanations(network, table):
    for method in (ExactShapley(), KernelSHAP(budget=30 * 7 + 9), PermutationSHAP(budget=12 * 7)):
        a, b, both = (
            wb.explain(network, table, method, target).values
            for target in (wb.Target("a"), wb.Target("b"), wb.Target("a", against="b"))
        )
        np.testing.assert_allclose(both, a - b, atol=1e-12)  # linear in the target


def test_one_player_gets_the_whole_difference():
    model = Model("square", lambda rows: rows[:, :1] ** 2, ("y",), "raw")
    inputs = Inputs([[3.0], [0.0]], kind="tabular", background=[[1.0], [2.0]])
    for method in (ExactShapley(), KernelSHAP(), PermutationSHAP(budget=64)):
        np.testing.assert_allclose(wb.explain(model, inputs, method).values, [[6.5], [-2.5]])


def test_coalitions_that_do_not_tell_players_apart_are_a_sentence():
    from workbench.coalitions.samplers import Coalitions
    from workbench.coalitions.solvers import shapley_regression
    from workbench.errors import InputError

    alike = np.array([[True, True, False], [False, False, True]])
    sample = Coalitions(alike, np.ones(2), np.array([0, 0]))
    with pytest.raises(InputError, match="do not tell 3 players apart"):
        shapley_regression(sample, np.ones((2, 1)), np.ones(1), np.zeros(1))


def test_coalitions_that_do_not_determine_the_values_are_refused_not_solved():
    from workbench.coalitions.samplers import shapley_sample
    from workbench.errors import InputError

    refused = 0
    for seed in range(60):
        sample = shapley_sample(7, 21, seed)
        whole = np.linalg.matrix_rank(sample.masks.astype(float)) == 7
        if whole:
            assert np.isfinite(sample.inverse).all()
            assert np.abs(sample.inverse).max() < 1e6
        else:
            refused += 1
            with pytest.raises(InputError, match="do not tell 7 players apart"):
                _ = sample.inverse
    assert refused  # about one in twelve


def test_four_players_need_all_their_coalitions(four):
    from workbench.errors import InputError

    model = Model("sum", lambda rows: rows.sum(axis=1, keepdims=True), ("y",), "raw")
    with pytest.raises(InputError, match="at least 77 model rows"):
        wb.explain(model, four, KernelSHAP(budget=12 * 5))
    assert wb.explain(model, four, KernelSHAP(budget=14 * 5 + 7)).error is None
