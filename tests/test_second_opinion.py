"""Another library asked the same: honest results agree, corrupted ones are found, nothing is changed."""

import copy
import gc
import logging
import random
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)

import workbench as wb
from tests.contract.test_every_method_on_every_model import (
    CASES,
    images_in_torch,
    network_in_torch,
    rows_for,
)
from tests.models_in_numpy import tanh_network
from tests.results_by_hand import HOSTILE
from workbench.core import Inputs, Model, Target
from workbench.errors import InputError, MissingDependency
from workbench.methods import (
    LIME,
    AblationCAM,
    DeepLIFT,
    EigenCAM,
    ExactShapley,
    GradCAM,
    GradCAMPlusPlus,
    GradientSHAP,
    HiResCAM,
    InputXGradient,
    IntegratedGradients,
    KernelSHAP,
    LayerCAM,
    Occlusion,
    PermutationSHAP,
    Saliency,
    ScoreCAM,
    SmoothGrad,
    TreeSHAP,
    XGradCAM,
)
from workbench.models import Normalize
from workbench.second_opinion.check import checking
from workbench.second_opinion.opinion import pair, verdict

SAMPLED = (PermutationSHAP, LIME, GradientSHAP, SmoothGrad)
UNREFEREED = (
    LayerCAM, EigenCAM, ScoreCAM, GradCAMPlusPlus, XGradCAM, AblationCAM, DeepLIFT,
)  # fmt: skip


@pytest.mark.parametrize(("make", "method"), CASES)
def test_every_method_agrees_with_its_referee(make, method):
    model = make()
    result = wb.explain(model, rows_for(model), method, Target(0))
    opinion = wb.cross_check(result)
    if isinstance(method, UNREFEREED):
        name = type(method).__name__
        assert opinion.agrees is None
        assert opinion.verdict.startswith(f"No library that can be asked here computes {name}")
        return
    assert opinion.agrees, opinion.verdict
    assert len(opinion.pairs) == min(3, len(result))
    if not isinstance(method, SAMPLED):
        assert "within rounding" in opinion.verdict
        assert opinion.expected == 0
        assert opinion.relative_difference < 1e-3 or opinion.difference < 1e-9


@pytest.fixture
def forest():
    rows, truth = load_breast_cancer(return_X_y=True)
    estimator = RandomForestClassifier(6, max_depth=4, random_state=0).fit(rows[:300], truth[:300])
    inputs = Inputs(rows[300:304] * 1.001, kind="tabular", background=rows[:40] * 1.001)
    return wb.wrap(estimator), inputs


CORRUPTED = {
    "a tenth larger": lambda values: values * 1.1,
    "sign flipped": np.negative,
    "features swapped": lambda values: np.roll(values, 1, axis=1),
    "one value moved": lambda values: values + np.eye(1, values[0].size).reshape(values[0].shape),
}


@pytest.mark.parametrize("corrupt", list(CORRUPTED.values()), ids=list(CORRUPTED))
@pytest.mark.parametrize(
    "method",
    [
        TreeSHAP(),
        TreeSHAP("tree_path_dependent"),
        ExactShapley(),
        KernelSHAP(budget=62 * 5 + 7),
        PermutationSHAP(budget=12 * 5 * 60),
        Occlusion(),
        IntegratedGradients(),
        IntegratedGradients(multiply_by_inputs=False),
        Saliency(),
        InputXGradient(),
        GradCAM(),
        GradCAM("2, 4", aug_smooth=True),
        HiResCAM(),
    ],
    ids=repr,
)
def test_a_corrupted_result_differs_and_the_honest_one_agrees(method, corrupt, forest):
    if isinstance(method, TreeSHAP):
        model, inputs = forest
    elif isinstance(method, GradCAM | HiResCAM):
        model = images_in_torch()
        inputs = rows_for(model)
    else:
        model = tanh_network()
        inputs = rows_for(model)
    result = wb.explain(model, inputs, method, Target(0))
    assert wb.cross_check(result).agrees
    wrong = replace(result, values=corrupt(result.values))
    opinion = wb.cross_check(wrong, model=model)
    assert opinion.agrees is False
    assert " differs: row " in opinion.verdict


@pytest.mark.parametrize("corrupt", ["sign flipped", "features swapped"])
@pytest.mark.parametrize("method", [LIME(budget=2000), GradientSHAP(budget=1000)], ids=repr)
def test_gross_mistakes_show_through_sampling_noise(method, corrupt):
    model = tanh_network()
    rows = np.random.default_rng(3).normal(size=(200, 6))
    result = wb.explain(model, Inputs(rows[:2], kind="tabular", background=rows), method, Target(0))
    opinion = wb.cross_check(result)
    assert opinion.agrees
    assert 0 < opinion.expected < 0.3
    wrong = replace(result, values=CORRUPTED[corrupt](result.values))
    assert wb.cross_check(wrong, model=model).agrees is False


def test_sampled_results_are_judged_by_their_errors():
    model = tanh_network(features=14)
    rng = np.random.default_rng(4)
    inputs = Inputs(rng.normal(size=(2, 14)), kind="tabular", background=rng.normal(size=(3, 14)))
    result = wb.explain(model, inputs, KernelSHAP(budget=3000), Target(0))
    opinion = wb.cross_check(result)
    assert "within sampling error" in opinion.verdict
    assert "KernelExplainer(l1_reg=0)" in opinion.call
    assert opinion.difference > 1e-6  # other coalitions
    assert any("spread of shap over 8 seeds" in note for note in opinion.notes)
    exact = wb.explain(model, inputs, ExactShapley(), Target(0))
    z = np.concatenate(
        [(one.theirs - exact.values[i]) / one.expected for i, one in enumerate(opinion.pairs)]
    )
    assert 0.1 < np.sqrt((z**2).mean()) < 2  # the expected error is of the size of the real one
    table = rows_for(tanh_network())
    small = wb.explain(tanh_network(), table, PermutationSHAP(budget=12 * 5 * 20), Target(0))
    boastful = replace(small, error=small.error / 20)
    assert wb.cross_check(small, model=tanh_network()).agrees
    assert wb.cross_check(boastful, model=tanh_network()).agrees is False


def test_a_value_on_a_threshold_is_not_blamed_on_the_result():
    """shap compares the background in single precision; off the thresholds it agrees to the digit."""
    rows, truth = load_breast_cancer(return_X_y=True)
    estimator = HistGradientBoostingClassifier(max_iter=12, random_state=0)
    model = wb.wrap(estimator.fit(rows[:300], truth[:300]))
    inputs = Inputs(rows[300:303], kind="tabular", background=rows[:120])
    result = wb.explain(model, inputs, TreeSHAP())
    opinion = wb.cross_check(result)
    assert opinion.agrees
    assert "moved off it without changing any score" in opinion.call
    assert "shap differs: row" in opinion.notes[0]
    assert any("single precision" in note for note in opinion.notes)
    wrong = replace(result, values=result.values * 1.001)
    assert wb.cross_check(wrong, model=model).agrees is False


def test_where_shap_cannot_read_the_trees_the_scores_are_asked():
    rows = np.random.default_rng(0).normal(size=(80, 5))
    estimator = GradientBoostingClassifier(n_estimators=4, loss="exponential", random_state=0)
    model = wb.wrap(estimator.fit(rows, rows[:, 0] > 0))
    inputs = Inputs(rows[:2], kind="tabular", background=rows[:9])
    opinion = wb.cross_check(wb.explain(model, inputs, TreeSHAP()))
    assert opinion.agrees
    assert opinion.call.startswith("shap.ExactExplainer on the model's scores")
    assert "shap.TreeExplainer" in opinion.notes[0]
    bare = replace(model, native=None)
    opinion = wb.cross_check(wb.explain(bare, inputs, TreeSHAP("tree_path_dependent")))
    assert opinion.agrees is None
    assert "No other library here plays the path-dependent game" in opinion.verdict
    assert opinion.to_frame().empty


GROUPED = {"first": ("column u", "column w"), "second": ("column x", "column z")}


@pytest.mark.parametrize(
    "method",
    [ExactShapley(), PermutationSHAP(budget=4000), Occlusion(), LIME(budget=1000), TreeSHAP()],
    ids=repr,
)
def test_groups_are_the_players_of_both(method, table):
    rows = np.random.default_rng(1).normal(size=(90, 6))
    forest = RandomForestClassifier(5, max_depth=4, random_state=0).fit(rows, rows[:, 2] > 0)
    model = wb.wrap(forest) if isinstance(method, TreeSHAP) else tanh_network()
    grouped = replace(table, groups=GROUPED)
    opinion = wb.cross_check(wb.explain(model, grouped, method, Target(1)))
    assert opinion.agrees, opinion.verdict
    names = table.features if isinstance(method, TreeSHAP) else grouped.players()[1]
    assert opinion.pairs[0].players == names


@pytest.mark.parametrize("method", [LIME(budget=1500), ExactShapley()], ids=repr)
def test_categories_are_categories_to_both(method):
    rng = np.random.default_rng(5)
    rows = np.column_stack([rng.normal(size=300), rng.integers(0, 3, 300), rng.normal(size=300)])
    model = Model(
        "m", lambda x: x[:, :1] * (x[:, 1:2] == 1) + x[:, 2:], ("y",), "raw", kind="tabular"
    )
    inputs = Inputs(
        rows[:2], kind="tabular", background=rows[:60], features=("a", "b", "c"),
        categories={"b": ("x", "y", "z")},
    )  # fmt: skip
    assert wb.cross_check(wb.explain(model, inputs, method)).agrees


@pytest.mark.parametrize(
    "method",
    [
        KernelSHAP(budget=1200, segments=20),
        PermutationSHAP(budget=1200, segments=20),
        LIME(budget=600, segments=20),
        Occlusion(window=6, stride=4, fill="blur"),
        IntegratedGradients(steps=16, fill="blur"),
        GradientSHAP(budget=200),
        HiResCAM(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("target", [Target((1, 3, 0)), Target(2, against=0), Target.predicted()])
def test_images_agree_for_every_sort_of_target_through_the_same_preprocessing(method, target):
    torch.manual_seed(1)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.ReLU(inplace=True), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 5, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(5 * 6 * 4, 4),
    )  # fmt: skip
    model = wb.wrap(
        module, outputs=tuple("abcd"), scale="logit", name="m",
        preprocess=Normalize((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
    )  # fmt: skip
    inputs = rows_for(model)
    result = wb.explain(model, inputs, method, target)
    opinion = wb.cross_check(result, rows=[1, 2])
    assert opinion.agrees, opinion.verdict
    assert [one.row for one in opinion.pairs] == ["1", "2"]
    other = replace(result, values=-result.values)
    assert wb.cross_check(other, model=model, rows=[1]).agrees is False


def test_nothing_is_soiled_and_nothing_is_said(capfd, caplog, forest):
    tree_model, table = forest
    estimator = tree_model.native
    weights = [t.tree_.weighted_n_node_samples.copy() for t in estimator.estimators_]
    net = images_in_torch()
    net.native.train()
    before = copy.deepcopy(net.native.state_dict())
    np.random.seed(3)
    torch.manual_seed(3)
    random.seed(3)
    states = np.random.get_state()[1].copy(), torch.get_rng_state(), random.getstate()
    results = [
        wb.explain(tree_model, table, TreeSHAP()),
        wb.explain(tree_model, table, KernelSHAP(budget=8000)),
        wb.explain(tree_model, table, LIME(budget=300)),
        wb.explain(net, rows_for(net), GradientSHAP(budget=40)),
        wb.explain(net, rows_for(net), GradCAM()),
        wb.explain(net, rows_for(net), LIME(budget=100)),
    ]
    with caplog.at_level(logging.DEBUG):
        for result in results:
            assert wb.cross_check(result, rows=1).agrees
    assert [record.name for record in caplog.records if record.name == "shap"] == []
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])
    assert torch.equal(torch.get_rng_state(), states[1])
    assert random.getstate() == states[2]
    for tree, old in zip(estimator.estimators_, weights, strict=True):
        np.testing.assert_array_equal(tree.tree_.weighted_n_node_samples, old)
    assert net.native.training
    assert all(part.training for part in net.native.modules())
    assert net.native[2].inplace
    assert not any(part._forward_hooks for part in net.native.modules())
    assert all(p.requires_grad and p.grad is None for p in net.native.parameters())
    for name, tensor in net.native.state_dict().items():
        assert torch.equal(tensor, before[name])
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_shap_is_handed_a_copy_of_the_trees(monkeypatch, forest):
    """Which arrays shap writes into differs from release to release, so it gets none that live on."""
    import shap

    given, explainer = [], shap.TreeExplainer

    def recorded(native, *arguments, **options):
        given.append(native)
        return explainer(native, *arguments, **options)

    model, inputs = forest
    result = wb.explain(model, inputs, TreeSHAP())
    monkeypatch.setattr(shap, "TreeExplainer", recorded)
    assert wb.cross_check(result).agrees
    (native,) = given
    assert type(native) is type(model.native)
    assert native is not model.native
    assert native.estimators_[0] is not model.native.estimators_[0]


@pytest.mark.parametrize(
    ("method", "module", "library"),
    [
        (LIME(budget=200), "lime.lime_tabular", "lime"),
        (GradientSHAP(budget=40), "captum.attr", "captum"),
        (Occlusion(), "captum.attr", "captum"),
    ],
)
def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch, method, module, library):
    model = tanh_network()
    result = wb.explain(model, rows_for(model), method, Target(0))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        MissingDependency, match=rf"{library}.*explainability-workbench\[referees\]"
    ):
        wb.cross_check(result)


def test_the_model_is_remembered_weakly():
    other = tanh_network()  # shap keeps the frames of whoever imports it first
    wb.cross_check(wb.explain(other, rows_for(other), ExactShapley(), Target(0)), rows=1)
    model = tanh_network()
    result = wb.explain(model, rows_for(model), ExactShapley(), Target(0))
    assert wb.cross_check(result, rows=1).agrees
    del model
    gc.collect()
    with pytest.raises(
        InputError, match=r"'network'.*Pass it: workbench.cross_check\(attribution, model="
    ):
        wb.cross_check(result)
    assert wb.cross_check(result, model=tanh_network(), rows=1).agrees


def test_another_model_is_refused():
    model = network_in_torch()
    result = wb.explain(model, rows_for(model), ExactShapley(), Target(0))
    with pytest.raises(InputError, match="'other' was given"):
        wb.cross_check(result, model=model.renamed("other"))
    with pytest.raises(InputError, match="digest"):
        wb.cross_check(result, model=replace(model, digest="0123456789abcdef"))
    with torch.no_grad():
        model.native[0].weight += 1.0
    with pytest.raises(InputError, match="another model by now"):
        wb.cross_check(result)


def test_rows_are_counted_or_named():
    model = tanh_network()
    result = wb.explain(model, rows_for(model), Occlusion(), Target(0))
    assert [one.row for one in wb.cross_check(result).pairs] == ["0", "1", "2"]
    assert [one.row for one in wb.cross_check(result, rows=1).pairs] == ["0"]
    assert [one.row for one in wb.cross_check(result, rows=[3, 1]).pairs] == ["3", "1"]
    assert len(wb.cross_check(result, rows=99).pairs) == 4
    for wrong in (0, -1, [4], [], True, [0.5]):
        with pytest.raises(InputError, match=r"rows must be how many rows to check"):
            wb.cross_check(result, rows=wrong)


def test_a_method_of_ones_own_has_no_referee():
    @dataclass(frozen=True)
    class Mine(Occlusion):
        pass

    model = tanh_network()
    opinion = wb.cross_check(wb.explain(model, rows_for(model), Mine(), Target(0)))
    assert opinion.agrees is None
    assert "No library here is known to compute Mine" in opinion.verdict
    assert np.isnan(
        [opinion.difference, opinion.relative_difference, opinion.expected, opinion.rank]
    ).all()


def test_a_stop_ends_a_peers_own_loop():
    model = tanh_network(features=12)
    inputs = Inputs(np.ones((1, 12)), kind="tabular", background=np.zeros((2, 12)))
    result = wb.explain(model, inputs, ExactShapley(), Target(0))
    calls = []

    def stop():
        calls.append(1)
        return len(calls) > 3

    steps = list(checking(result, model, stop=stop))
    assert len(calls) == 4
    assert steps[-1].result is None
    assert steps[-1].done < steps[-1].total


def test_the_report_says_it_all_and_escapes_it():
    model = tanh_network(features=len(HOSTILE), outputs=1)
    rows = np.random.default_rng(0).normal(size=(5, len(HOSTILE)))
    hostile = replace(model, name=HOSTILE[1], outputs=(HOSTILE[3],))
    inputs = Inputs(
        rows[:2], kind="tabular", features=HOSTILE, background=rows, ids=(HOSTILE[1], "b")
    )
    opinion = wb.cross_check(wb.explain(hostile, inputs, ExactShapley()))
    html = opinion._repr_html_()
    assert "<script" not in html
    assert '" onerror' not in html
    assert "&lt;script&gt;" in html
    assert html.count("<caption>") == 2
    frame = opinion.to_frame()
    assert list(frame.columns) == [
        "row", "explained", "player", "value", "referee", "difference", "expected_error",
    ]  # fmt: skip
    assert len(frame) == 2 * len(HOSTILE)
    np.testing.assert_allclose(frame["value"] - frame["referee"], frame["difference"])
    assert opinion.library == "shap"
    assert opinion.version.count(".") >= 1
    assert opinion.evaluations >= 2 ** len(HOSTILE)
    assert repr(opinion).startswith("SecondOpinion(ExactShapley of ")


def test_the_verdict_weighs_the_difference_against_what_is_expected():
    near = pair("r", [1.0, 2.0], [1.0, 2.1], expected=[0.1, 0.1])
    far = pair("r", [1.0, 2.0], [1.0, 3.0], expected=[0.1, 0.1])
    same = pair("r", [1.0, 2.0], [1.0, 2.0 + 1e-9], rounding=1e-8)
    assert verdict([same], "shap")[1].startswith("shap agrees within rounding")
    assert verdict([same, near], "shap")[1].startswith("shap agrees within sampling error")
    agrees, sentence = verdict([near, far], "shap")
    assert not agrees
    assert "'player 1' is 2 here and 3 there" in sentence
    assert "7.1 times" in sentence
