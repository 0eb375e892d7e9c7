"""Standard errors against what they are by definition, and intervals wherever they are shown."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench import draw, ensembles
from workbench.coalitions.ledger import Ledger
from workbench.coalitions.points import Points
from workbench.coalitions.precision import Spread, spread_of_mean
from workbench.coalitions.samplers import Coalitions, shapley_sample
from workbench.coalitions.solvers import ridge, shapley_regression
from workbench.compare.members.outlier import find_outlier
from workbench.core.student import reach
from workbench.errors import InputError
from workbench.methods import LIME, GradientSHAP, KernelSHAP, PermutationSHAP
from workbench.panels.kit.attribution import table_html
from workbench.second_opinion.opinion import SecondOpinion, pair

NONE = np.zeros(2)


def by_hand(error, freedom):
    """Two rows of two columns whose errors are known by hand."""
    inputs = wb.Inputs([[1.0, 2.0], [3.0, 4.0]], kind="tabular", background=[[0.0, 0.0]])
    return wb.Attribution(
        values=[[3.0, -2.0], [1.0, 0.5]], output=NONE, base=NONE, error=error, inputs=inputs,
        model="m", method=PermutationSHAP(), target=wb.Target(0), explained=("y", "y"), scale="raw",
        freedom=freedom,
    )  # fmt: skip


class TestIntervals:
    def test_students_quantiles_are_those_of_the_tables(self):
        tables = {
            1: 12.71,
            2: 4.30,
            3: 3.18,
            4: 2.78,
            5: 2.57,
            7: 2.36,
            10: 2.23,
            30: 2.04,
            120: 1.98,
        }
        np.testing.assert_allclose(
            reach(np.array([*map(float, tables), np.inf])), [*tables.values(), 1.96]
        )
        np.testing.assert_allclose(reach(np.array([1.0, 10.0, np.inf]), 0.9), [6.31, 1.81, 1.64])

    def test_half_a_width_is_as_many_errors_as_the_rows_freedom_asks_for(self):
        one = by_hand([[0.1, 0.2], [0.1, 0.2]], [2.0, np.inf])
        np.testing.assert_allclose(one.half_width(), [[0.43, 0.86], [0.196, 0.392]])
        np.testing.assert_allclose(one.half_width_by_player(0), [0.43, 0.86])
        unknown = replace(one, freedom=None)
        np.testing.assert_allclose(unknown.half_width(), [[0.196, 0.392]] * 2)
        assert by_hand(None, None).half_width() is None

    def test_pictures_and_tables_show_it(self):
        one = by_hand([[0.1, 0.2], [0.1, 0.2]], [2.0, np.inf])
        for row, halves in enumerate(((0.43, 0.86), (0.2, 0.39))):
            for said in (draw.bars_text(one, row), table_html(one, row)):
                assert all(f"± {half}" in said for half in halves)
        (lines,) = draw.bars(one).axes[0].collections
        ends = sorted((right[0] - left[0]) / 2 for left, right in lines.get_segments())
        np.testing.assert_allclose(ends, [0.43, 0.86])

    def test_pictures_of_copies_show_it(self):
        one = by_hand([[0.1, 0.2], [0.1, 0.2]], [2.0, np.inf])
        figure = draw.copy_bars(one, [replace(one, model="copy")])
        model, copy = figure.axes[0].collections
        for lines in (model, copy):
            ends = sorted((right[0] - left[0]) / 2 for left, right in lines.get_segments())
            np.testing.assert_allclose(ends, [0.43, 0.86])

    def test_an_error_that_is_not_known_does_not_look_exact(self):
        one = by_hand([[np.nan, 0.2], [0.1, 0.2]], None)
        assert draw.bars_text(one).count("± unknown") == 1
        assert table_html(one, 0).count("± unknown") == 1

    def test_a_second_opinions_differences_are_expected_within_students_t_of_six(self):
        told = SecondOpinion(
            "m",
            "model",
            "raw",
            (pair("7", [1.0], [1.0], expected=[0.1]),),
            "shap",
            "1",
            "c",
            True,
            "",
        )
        assert "± 2.5e-01" in told._repr_html_()  # 2.45 x 0.1

    def test_an_outliers_margin_has_the_freedom_of_its_rows(self):
        near = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
        far = np.array([[1.0, 0.9, -0.2], [0.9, 1.0, -0.2], [-0.2, -0.2, 1.0]])
        # Margins 0.9 four times and 1.1 once: mean 0.94, standard error 0.04, four degrees of freedom.
        found = find_outlier(("a", "b", "c"), np.stack([near] * 4 + [far]))
        assert "margin 0.94 ± 0.11" in str(found)


class TestDefinitions:
    def test_limes_error_is_what_rows_left_out_and_the_penalty_change(self):
        rng = np.random.default_rng(0)
        design = rng.integers(0, 2, size=(23, 3)).astype(float)
        weights, values = rng.uniform(0.2, 1, 23), rng.normal(size=(23, 2))
        here, _, spread, _ = ridge(design, values, weights, 0.7)
        without = [
            ridge(*(np.delete(part, i, axis=0) for part in (design, values, weights)), 0.7)[0]
            for i in range(23)
        ]
        free = ridge(design, values, weights, 0.0)[0]
        expected = np.sum([(here - one) ** 2 for one in without], axis=0) + (free - here) ** 2
        np.testing.assert_allclose(spread.error, np.sqrt(expected), rtol=1e-5)  # single precision

    def test_two_groups_of_a_regression_have_the_errors_of_two_means(self):
        """Leverage 1/n: each residual counts as e / (n - 1), the groups 3 ± 1 and 7, 7, 10."""
        design = np.array([[0.0], [0.0], [1.0], [1.0], [1.0]])
        values = np.array([[2.0], [4.0], [7.0], [7.0], [10.0]])
        slope, base, spread, _ = ridge(design, values, np.ones(5), 0.0)
        np.testing.assert_allclose((slope[0, 0], base[0]), (5.0, 3.0))
        np.testing.assert_allclose(spread.error[0, 0] ** 2, 2 / 1**2 + 6 / 2**2, rtol=1e-6)
        # Squared parts 1, 1, 1/4, 1/4, 1: (3.5)² / 3.125, but the fit leaves 3 of 5.
        np.testing.assert_allclose(spread.freedom, 3.0, rtol=1e-6)

    def test_a_row_that_alone_tells_a_coefficient_does_not_make_it_look_exact(self):
        design, values = np.zeros((9, 1)), np.arange(9.0)[:, None]
        design[8] = 1.0
        _, _, spread, _ = ridge(design, values, np.ones(9), 0.0)
        assert spread.error[0, 0] > np.std(values)

    def test_kernel_shaps_error_is_what_draws_left_out_change(self):
        sample = shapley_sample(8, 100, seed=3)
        values = np.random.default_rng(1).normal(size=(len(sample.masks), 2))
        full, empty = np.array([2.0, 1.0]), np.array([0.0, 0.5])
        here, spread = shapley_regression(sample, values, full, empty)
        squares = np.zeros(here.shape)
        for draw_ in range(sample.cluster.max() + 1):
            kept = sample.cluster != draw_
            fewer = Coalitions(sample.masks[kept], sample.weights[kept], np.full(kept.sum(), -1))
            squares += (shapley_regression(fewer, values[kept], full, empty)[0] - here) ** 2
        np.testing.assert_allclose(spread.error, np.sqrt(squares), rtol=1e-9)

    def test_two_equal_draws_have_one_degree_of_freedom(self):
        spread = spread_of_mean(np.array([[[1.0]], [[3.0]]]), None)
        np.testing.assert_allclose((spread.error[0, 0], spread.freedom[0]), (1.0, 1.0))

    @pytest.mark.parametrize("size", [1e-200, 1.0, 1e150])
    def test_freedom_is_how_many_draws_carry_the_variance(self, size):
        credit = np.zeros((101, 1, 2))
        credit[:, 0, 0] = size * (np.arange(101) % 2)  # all alike
        credit[0, 0, 1] = size  # one draw in a hundred
        alike, one = spread_of_mean(credit, None).freedom
        assert 95 < alike <= 100
        assert one == 2.0

    def test_gradient_shaps_error_is_that_around_row_means_and_trend(self):
        rng = np.random.default_rng(2)
        n, b = 47, 5
        which = np.concatenate([rng.permutation(b) for _ in range(10)])[:n]
        places = (rng.permutation(n) + rng.random(n)) / n
        shares = rng.normal(size=(2, n, 3)) + which[:, None] * 5 + places[:, None] * 4
        points = Points(which, places, b, (2, 3))
        for start in range(0, n, 20):
            points.add(slice(start, min(start + 20, n)), shares[:, start : start + 20])
        design = np.column_stack([which[:, None] == np.arange(b), places])
        means = np.stack([shares[:, which == k].mean(axis=1) for k in range(b)], axis=1)
        for target in range(2):
            solved = np.linalg.lstsq(design, shares[target], rcond=None)[0]
            residual = shares[target] - design @ solved
            chance = (residual**2).sum(axis=0) / (n - b - 1) / n
            # Two of five rows have a tenth point: 2/47² of what rows differ by, which is not drawn twice.
            fitted = solved[:b]
            chance += 2 / n**2 * (1 - 2 / b) * fitted.var(axis=0, ddof=1)
            np.testing.assert_allclose(points.spread.error[target] ** 2, chance, rtol=1e-9)
        np.testing.assert_allclose(points.mean, shares.mean(axis=1))
        assert np.abs(means[:, 4] - means[:, 0]).min() > 15  # rows differ by far more than chance

    def test_what_rows_of_a_linear_model_differ_by_is_no_error(self):
        def scores(x):
            return x.sum(axis=1, keepdims=True)

        def gradient(x, weights):
            return scores(x), np.broadcast_to(weights[:, :, :1], (len(weights), *x.shape))

        model = wb.Model("sum", scores, ("y",), "raw", gradient=gradient)
        rng = np.random.default_rng(0)
        inputs = wb.Inputs(
            rng.normal(size=(2, 3)), kind="tabular", background=rng.normal(size=(4, 3))
        )
        honest = wb.explain(model, inputs, GradientSHAP(budget=32), wb.Target(0))
        np.testing.assert_allclose(honest.error, 0.0, atol=1e-12)
        assert not honest.notes
        short = wb.explain(model, inputs, GradientSHAP(budget=28), wb.Target(0))
        assert (short.error > 0.05).all()
        assert any("A budget of 29 gives honest ones" in note for note in short.notes)


class TestWhereErrorsMeet:
    def models(self):
        slopes = {
            "a": np.array([1.0, 2.0, -1.0, 3.0, 1.0]),
            "b": np.array([3.0, -1.0, 2.0, 1.0, 0.5]),
        }
        return [
            wb.Model(name, lambda x, k=k: np.tanh(x @ k)[:, None], ("y",), "raw")
            for name, k in slopes.items()
        ]

    def inputs(self):
        rng = np.random.default_rng(0)
        return wb.Inputs(
            rng.normal(size=(2, 5)), kind="tabular", background=rng.normal(size=(5, 5))
        )

    def test_an_ensemble_and_its_parts_have_their_own_freedom(self):
        recipe = PermutationSHAP(budget=200)
        whole = wb.explain(ensembles.vote(self.models()), self.inputs(), recipe, wb.Target(0))
        for part, member in zip(whole.parts, self.models(), strict=True):
            alone = wb.explain(member, self.inputs(), recipe, wb.Target(0))
            np.testing.assert_allclose(part.half_width(), alone.half_width(), rtol=1e-9)
        other = ensembles.reweighted(whole, [3, 1])
        np.testing.assert_array_equal(
            other.freedom, np.minimum(*(part.freedom for part in whole.parts))
        )

    def test_a_groups_interval_is_the_sum_of_its_columns(self):
        inputs = replace(self.inputs(), groups={"pair": ("x0", "x1")})
        result = wb.explain(self.models()[0], inputs, PermutationSHAP(budget=400), wb.Target(0))
        times = reach(result.freedom)
        np.testing.assert_allclose(
            result.half_width_by_player(1), result.error_by_player(1) * times[1]
        )
        np.testing.assert_allclose(
            result.half_width()[1, :2].sum(), result.half_width_by_player(1)[0]
        )

    def test_an_exact_row_beside_sampled_ones_has_no_error(self):
        inputs = self.inputs()
        ledger = Ledger(self.models()[0], inputs, [wb.Target(0)])
        players, names = inputs.players()
        credit, base = np.ones((5, 1)), np.zeros(1)
        ledger.enter(0, players, names, (credit, None, base))
        assert ledger.estimate().error is None
        ledger.enter(1, players, names, (credit, Spread(credit, np.array([3.0])), base))
        estimate = ledger.estimate()
        np.testing.assert_array_equal(estimate.error[0], [np.zeros(5), np.ones(5)])
        np.testing.assert_array_equal(estimate.freedom[0], [np.inf, 3.0])


@pytest.mark.parametrize(
    ("method", "players", "background", "fewest"),
    [
        (LIME(budget=17), 8, 7, "at least 18 perturbed rows, two for each coefficient, but has 17"),
        (KernelSHAP(budget=288), 8, 7, "at least 289 model rows, but has 288"),
        (KernelSHAP(budget=176), 6, 7, "at least 177 model rows, but has 176"),
        (
            PermutationSHAP(budget=63),
            8,
            1,
            r"at least 64 model rows \(four rotations\), but has 63",
        ),
        (
            PermutationSHAP(budget=111),
            8,
            7,
            r"at least 112 model rows \(one rotation\), but has 111",
        ),
    ],
    ids=repr,
)
def test_a_budget_whose_errors_cannot_be_told_is_refused(method, players, background, fewest):
    model = wb.Model("sum", lambda x: x.sum(axis=1, keepdims=True), ("y",), "raw")
    inputs = wb.Inputs(
        np.ones((1, players)), kind="tabular", background=np.arange(background)[:, None] + np.zeros(players)
    )  # fmt: skip
    with pytest.raises(InputError, match=fewest):
        wb.explain(model, inputs, method)
    more = replace(method, budget=method.budget + 1)
    assert wb.explain(model, inputs, more).half_width() is not None
