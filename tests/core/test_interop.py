"""Results in the containers that people have tools for: tidy frames, and shap's own explanation."""

from __future__ import annotations

import re
import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import shap
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression

import workbench as wb
from workbench import data, draw, ensembles, lab
from workbench.compare import disagreement
from workbench.core import Inputs, Model, Target
from workbench.errors import MissingDependency
from workbench.methods import ExactShapley, KernelSHAP, Occlusion, TreeSHAP

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(20, 80, 80).astype(float),
        "town": RNG.choice(["Rome", "Oslo"], 80),
        "dose": RNG.normal(size=80),
    }
)
CODED = FRAME.assign(town=FRAME["town"].map({"Oslo": 0.0, "Rome": 1.0}))
PRICE = CODED["age"] / 50 + CODED["town"] * CODED["dose"]
PATHS = TreeSHAP(feature_perturbation="tree_path_dependent")


def result(rows=3, groups=None):
    def price(rows):
        return rows[:, :1] / 50 + rows[:, 1:2] * rows[:, 2:]

    model = Model("price", price, ("price",), "raw")
    inputs = data.table(FRAME, background=FRAME[:9], groups=groups)[:rows]
    return wb.explain(model, inputs, ExactShapley())


def test_a_frame_of_values_has_base_output_and_what_each_row_holds():
    found = result()
    frame = found.to_frame()
    assert frame["player"].tolist() == ["age", "town", "dose"] * 3
    assert frame["feature_value"].tolist() == [
        value for row in FRAME[:3].itertuples(index=False) for value in row
    ]
    np.testing.assert_allclose(
        frame.groupby("row")["value"].sum() + frame.groupby("row")["base"].first(),
        PRICE[:3],
        rtol=1e-12,
    )
    np.testing.assert_allclose(frame.groupby("row")["output"].first(), PRICE[:3], rtol=1e-12)


def test_a_player_of_several_columns_holds_each_of_them():
    frame = result(1, {"who": ["age", "town"]}).to_frame().set_index("player")
    age, town, dose = FRAME.iloc[0]
    assert frame.loc["who", "feature_value"] == f"age = {age:.4g}, town = {town}"
    assert frame.loc["dose", "feature_value"] == dose


def test_superpixels_hold_no_one_value():
    def bright(rows):
        return rows.mean(axis=(1, 2, 3))[:, None]

    images = Inputs(RNG.random((1, 16, 16, 1)), kind="image")
    model = Model("bright", bright, ("bright",), "raw")
    found = wb.explain(model, images, KernelSHAP(budget=256))
    assert set(found.to_frame()["feature_value"]) == {None}


def test_shap_draws_it_and_its_own_values_are_the_same():
    forest = RandomForestRegressor(5, random_state=0, max_depth=4).fit(CODED, PRICE)
    found = wb.explain(forest, CODED[:6], PATHS)
    ours = found.to_shap()
    theirs = shap.TreeExplainer(forest)(CODED[:6])
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-12)
    np.testing.assert_allclose(ours.base_values, np.ravel(theirs.base_values), rtol=1e-12)
    np.testing.assert_array_equal(ours.data, theirs.data)
    assert ours.feature_names == list(CODED)
    assert ours.output_names == "prediction"
    for plot in (shap.plots.bar, shap.plots.beeswarm):
        plot(ours, show=False)
        drawn = [text.get_text() for text in plt.gca().get_yticklabels()]
        assert any("age" in text for text in drawn)
        plt.close("all")
    shap.plots.waterfall(ours[0], show=False)
    words = " ".join(text.get_text() for text in plt.gcf().findobj(plt.Text))
    numbers = [float(one) for one in re.findall(r"\d+\.\d+", words)]
    assert np.abs(np.array(numbers) - found.output[0]).min() < 5e-4  # f(x), to three digits
    plt.close("all")


def test_labels_are_shown_as_labels_and_errors_travel():
    def price(rows):
        return rows[:, :1] / 50 + rows[:, 1:2] * rows[:, 2:]

    rows = data.table(FRAME[:3], background=FRAME[:9])
    sampled = wb.explain(Model("price", price, ("price",), "raw"), rows, "permutation shap")
    ours = sampled.to_shap()
    assert ours.display_data[:, 1].tolist() == FRAME["town"][:3].tolist()
    assert ours.data[:, 1].tolist() == CODED["town"][:3].tolist()
    np.testing.assert_array_equal(ours.error_std, sampled.error)
    shap.plots.waterfall(ours[0], show=False)
    labels = " ".join(text.get_text() for text in plt.gcf().findobj(plt.Text))
    assert f"{FRAME['town'][0]} = town" in labels
    plt.close("all")


def test_players_of_several_columns_are_one_column_for_shap():
    found = result(2, {"who": ["age", "town"]})
    ours = found.to_shap()
    assert ours.feature_names == list(found.names)
    np.testing.assert_allclose(ours.values.sum(axis=1) + ours.base_values, PRICE[:2], rtol=1e-12)
    shap.plots.waterfall(ours[0], show=False)
    plt.close("all")


def test_every_output_is_one_explanation_of_shap():
    labels = np.digitize(PRICE, [0.5, 1.2])
    forest = RandomForestClassifier(5, random_state=0, max_depth=3).fit(CODED, labels)
    every = wb.explain(forest, CODED[:4], PATHS, "all")
    ours, theirs = every.to_shap(), shap.TreeExplainer(forest)(CODED[:4])
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-12)
    np.testing.assert_allclose(ours.base_values, theirs.base_values, rtol=1e-12)
    assert ours.output_names == ["0", "1", "2"]
    shap.plots.beeswarm(ours[..., 1], show=False)
    plt.close("all")


def test_images_keep_their_shape_for_shap():
    def bright(rows):
        return rows[:, :4].mean(axis=(1, 2, 3))[:, None]

    images = Inputs(RNG.random((2, 8, 8, 3)), kind="image")
    model = Model("bright", bright, ("bright",), "raw")
    found = wb.explain(model, images, Occlusion(window=2, stride=2, fill="zero"))
    ours = found.to_shap()
    assert ours.values.shape[:3] == (2, 8, 8)
    np.testing.assert_array_equal(ours.values.sum(axis=-1), found.maps())
    shap.image_plot(ours, show=False)
    plt.close("all")


def test_without_shap_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(MissingDependency, match=r"explainability-workbench\[referees\]"):
        result().to_shap()


def test_findings_of_drift_as_a_frame_have_both_models_values_and_what_each_row_holds():
    first = RandomForestRegressor(5, random_state=0, max_depth=4).fit(CODED, PRICE)
    second = RandomForestRegressor(5, random_state=1, max_depth=4).fit(CODED, PRICE)
    models = wb.wrap(first, name="first"), wb.wrap(second, name="second")
    rows = data.table(CODED[:40])
    found = lab.findings(wb.drift(*models, rows, PATHS))
    frame = found.to_frame()
    assert len(frame) == 40 * 3
    drifts = frame["drift"].to_numpy()[::3]
    assert (np.diff(drifts) <= 0).all()
    before, after = (wb.explain(model, rows, PATHS) for model in models)
    for line in frame.itertuples():
        at, column = int(line.row), list(CODED).index(line.player)
        assert line.feature_value == CODED.iloc[at, column]
        assert line.value == after.values[at, column]
        assert line._12 == before.values[at, column]
        assert (line.output, line._14) == (after.output[at], before.output[at])
    np.testing.assert_allclose(after.output, second.predict(CODED[:40]), rtol=1e-12)


def test_a_stack_is_drawn_as_the_sum_of_its_members_contributions():
    truth = (CODED["dose"] > 0).astype(int)
    members = [
        wb.wrap(LogisticRegression(C=c, max_iter=1000).fit(CODED.to_numpy(), truth), name=f"C {c}")
        for c in (0.01, 0.1, 1)
    ]
    rows = Inputs(CODED.to_numpy(), kind="tabular", y=truth, background=CODED.to_numpy()[:8])
    stack = ensembles.stack(members, rows)
    whole = wb.explain(stack, rows[:2], ExactShapley(), Target(0))
    text = draw.member_bars_text(disagreement(whole), 0)
    assert "sum of their contributions" in text
    assert "sum of members" in text
    assert "weighted mean" not in text
    assert "%" not in text
    assert f"output {whole.output[0]:.4g}" in text
    shown = {
        line.split(" = ")[0].strip(): line.split()[3] for line in text.splitlines() if " = " in line
    }
    for column, name in enumerate(whole.names):
        wanted = sum(part.values[0, column] for part in whole.parts)
        assert wanted == pytest.approx(whole.values[0, column], rel=1e-9)
        assert float(shown[name].replace("−", "-")) == pytest.approx(wanted, rel=5e-3)
    mean = wb.explain(ensembles.vote(members), rows[:2], ExactShapley(), Target(0))
    assert "(33%)" in draw.member_bars_text(disagreement(mean), 0)
