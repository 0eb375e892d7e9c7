"""Every method on rows with missing values: held against enumeration, or refused in a sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import workbench as wb
from tests.every_coalition import shapley_of
from workbench import data, methods
from workbench.errors import IncompatibleError, WorkbenchError

NAN = np.nan


@pytest.fixture(scope="module")
def boosted():
    """Two columns, either of them missing in a fifth of the rows; the model reads that."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 2))
    rows[rng.random(rows.shape) < 0.2] = NAN
    y = np.nan_to_num(rows[:, 0], nan=1.0) * np.nan_to_num(rows[:, 1], nan=-1.0) > 0
    return HistGradientBoostingClassifier(max_iter=8, random_state=0).fit(rows, y), rows


ROWS = {
    "missing in the row": ([0.4, NAN], [[1.0, 0.2], [-0.3, 0.9]]),
    "missing in the background": ([0.4, -0.7], [[1.0, NAN], [NAN, 0.9]]),
    "a row that knows nothing": ([NAN, NAN], [[1.0, NAN], [-0.3, 0.9]]),
    "a background that knows nothing": ([0.4, -0.7], [[NAN, NAN], [NAN, NAN]]),
    "infinity": ([np.inf, NAN], [[1.0, -np.inf], [-0.3, 0.9]]),
}


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.parametrize(
    "method", [methods.ExactShapley(), methods.KernelSHAP(), methods.PermutationSHAP(budget=400)]
)
def test_shapley_values_are_those_of_enumeration(method, case, boosted):
    estimator, _ = boosted
    row, absent = map(np.array, ROWS[case])
    inputs = wb.Inputs(row[None], background=absent)
    found = wb.explain(wb.wrap(estimator, like=inputs), inputs, method)
    right = shapley_of(
        lambda mask: estimator.decision_function(np.where(mask, row, absent)).mean(), 2
    )
    np.testing.assert_allclose(found.values[0], right, atol=1e-12)


@pytest.mark.parametrize("case", ROWS)
def test_occlusion_is_what_the_score_loses_without_a_column(case, boosted):
    estimator, _ = boosted
    row, absent = map(np.array, ROWS[case])
    inputs = wb.Inputs(row[None], background=absent)
    found = wb.explain(wb.wrap(estimator, like=inputs), inputs, methods.Occlusion())
    score = estimator.decision_function
    right = [
        (score(row[None]) - score(np.where(np.arange(2) == j, absent, row))).mean() for j in (0, 1)
    ]
    np.testing.assert_allclose(found.values[0], right, atol=1e-12)


def counted(rows):
    """A score that asks nothing but whether values are missing."""
    return (3.0 * np.isnan(rows[:, 0]) - 2.0 * np.isnan(rows[:, 1]))[:, None]


def counting(inputs):
    return wb.Model("counts", counted, ("y",), "raw", kind="tabular")


@pytest.mark.parametrize("categories", [{}, {"x0": tuple("uvw")}])
def test_lime_sees_a_missing_value_as_a_state_of_its_own(categories):
    background = np.array([[0.0, NAN], [NAN, 1.0], [1.0, 2.0], [2.0, 3.0]])
    rows = wb.Inputs([[NAN, 1.0]], background=background, categories=categories)
    model = wb.Model("one", lambda asked: 3.0 * np.isnan(asked[:, :1]), ("y",), "raw")
    found = wb.explain(model, rows, methods.LIME(budget=400, ridge=0.0))
    np.testing.assert_allclose(found.values, [[3.0, 0.0]], atol=1e-10)
    np.testing.assert_allclose(found.base, 0.0, atol=1e-10)


def test_lime_on_and_off_with_a_missing_value_is_exact_where_scores_add_up():
    rows = wb.Inputs([[NAN, 1.0]], background=[[4.0, NAN]])
    method = methods.LIME(budget=64, ridge=0.0, interpretable="on_off")
    found = wb.explain(counting(rows), rows, method)
    np.testing.assert_allclose(found.values, [[3.0, 2.0]], atol=1e-10)
    np.testing.assert_allclose(found.base, [-2.0], atol=1e-10)


def test_lime_as_referee_says_that_it_cannot_cut_missing_values(boosted):
    estimator, known = boosted
    rows = wb.Inputs([[0.4, NAN]], background=known[:30])
    model = wb.wrap(estimator, like=rows)
    opinion = wb.cross_check(wb.explain(model, rows, methods.LIME(budget=64)), model)
    assert opinion.agrees is None
    assert "missing or infinite values" in str(opinion)


def test_captum_is_not_asked_to_take_a_missing_value_away(boosted):
    estimator, known = boosted
    rows = wb.Inputs([[0.4, NAN]], background=known[:30])
    model = wb.wrap(estimator, like=rows)
    opinion = wb.cross_check(wb.explain(model, rows, methods.Occlusion()), model)
    assert opinion.agrees is None
    assert "captum cannot take missing" in str(opinion)


def test_permutations_without_a_budget_are_checked_by_shap(boosted):
    estimator, known = boosted
    rows = wb.Inputs([[0.4, NAN]], background=known[:5])
    model = wb.wrap(estimator, like=rows)
    assert wb.cross_check(wb.explain(model, rows, methods.PermutationSHAP()), model).agrees


def test_missing_categories_reach_a_pipeline_as_missing():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"color": rng.choice(["red", "blue", None], 90), "size": rng.normal(size=90)}
    )
    frame.loc[frame.index % 5 == 0, "size"] = NAN
    y = frame.color.isna() | (frame["size"] > 0)
    ways = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["color"]), remainder="passthrough"
    )
    pipe = make_pipeline(ways, HistGradientBoostingClassifier(max_iter=5, random_state=0))
    ways.set_params(sparse_threshold=0.0)
    pipe.fit(frame, y)
    some, absent = frame.iloc[[0, 3, 7]], frame.iloc[20:28]
    rows = data.table(some, background=absent)
    model = wb.wrap(pipe, like=rows)
    target = wb.Target(len(model.outputs) - 1)
    found = wb.explain(model, rows, methods.ExactShapley(), target)
    score = (
        pipe.decision_function if model.scale == "logit" else lambda z: pipe.predict_proba(z)[:, 1]
    )
    for i in range(3):

        def worth(mask, i=i):
            copies = absent.copy()
            for name in frame.columns[mask]:
                copies[name] = [some[name].iloc[i]] * len(copies)
            return score(copies.astype(frame.dtypes)).mean()

        np.testing.assert_allclose(found.values[i], shapley_of(worth, 2), atol=1e-12)


def two(values, background=None):
    return wb.Inputs(values, features=("age", "dose"), background=background)


class TestGradients:
    """A net that reads which values are missing, and so takes them."""

    @pytest.fixture
    def net(self):
        import torch

        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.layers = torch.nn.Sequential(
                    torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)
                )

            def forward(self, rows):
                gone = torch.isnan(rows)
                known = torch.where(gone, torch.zeros_like(rows), rows)
                return self.layers(torch.cat([known, gone.to(rows.dtype)], dim=1))

        return Net()

    @pytest.fixture
    def model(self, net):
        rows = two(np.random.default_rng(0).normal(size=(4, 2)))
        return wb.wrap(net, like=rows, outputs=["y"], scale="raw")

    @pytest.mark.parametrize(
        "method", [methods.IntegratedGradients(), methods.GradientSHAP(budget=64)]
    )
    def test_where_both_ends_are_missing_the_line_stands_still(self, method, model, net):
        import torch

        row, start = np.array([0.7, NAN]), np.array([-0.4, NAN])
        found = wb.explain(model, two(row[None], start[None]), method)
        assert found.values[0, 1] == 0.0
        with torch.no_grad():
            ends = net(torch.tensor(np.stack([row, start]), dtype=torch.float32)).numpy()
        if isinstance(method, methods.IntegratedGradients):
            assert found.values[0, 0] == pytest.approx(float(ends[0, 0] - ends[1, 0]), abs=1e-6)

    @pytest.mark.parametrize(
        "method",
        [methods.IntegratedGradients(), methods.GradientSHAP(), methods.DeepLIFT()],
    )
    @pytest.mark.parametrize(
        ("values", "absent", "names"),
        [
            ([[0.1, 0.2], [0.7, NAN]], [[0.0, 0.0]], "rows 1, columns 'dose'"),
            ([[0.1, 0.2]], [[NAN, 0.0]], "rows 0, columns 'age'"),
            ([[np.inf, 0.2]], [[1.0, 0.0]], "rows 0, columns 'age'"),
        ],
    )
    def test_there_is_no_line_between_a_number_and_a_missing_value(
        self, method, values, absent, names, model
    ):
        rows = two(values, absent)
        with pytest.raises(IncompatibleError, match=names):
            wb.explain(model, rows, method)

    @pytest.mark.parametrize(
        "method", [methods.Saliency(), methods.InputXGradient(), methods.SmoothGrad()]
    )
    def test_there_is_no_slope_at_a_missing_value(self, method, model):
        rows = two([[0.7, NAN]], [[0.0, 0.0]])
        with pytest.raises(IncompatibleError, match="rows 0, columns 'dose'"):
            wb.explain(model, rows, method)

    def test_noise_is_measured_on_the_known_values_of_the_background(self, model):
        method = methods.SmoothGrad("InputXGradient()", samples=8)
        known = np.array([[0.0, 1.0], [2.0, 1.5]])
        holes = np.vstack([known, [[NAN, NAN]]])
        row = [[0.7, 0.3]]
        with_holes = wb.explain(model, two(row, holes), method)
        without = wb.explain(model, two(row, known), method)
        np.testing.assert_array_equal(with_holes.values, without.values)


def test_a_model_that_takes_no_missing_values_is_not_explained_on_them():
    known = np.random.default_rng(0).normal(size=(40, 2))
    rows = wb.Inputs(known[:3], background=known[:9])
    model = wb.wrap(LogisticRegression().fit(known, known[:, 0] > 0), like=rows)
    holes = wb.Inputs([[0.1, NAN]], background=known[:9])
    with pytest.raises(WorkbenchError, match="NaN"):
        wb.explain(model, holes, methods.ExactShapley())
