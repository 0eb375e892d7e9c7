"""The promises of every method on every kind of model, from the catalog: a new file is tested by itself."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import ensembles
from workbench.core import Inputs
from workbench.methods import catalog
from workbench.study.fit import obstacle
from workbench.study.run import steps


def rows_of_a_table() -> Inputs:
    rng = np.random.default_rng(11)
    return Inputs(
        rng.normal(size=(4, 6)),
        kind="tabular",
        features=tuple(f"column {name}" for name in "uvwxyz"),
        background=rng.normal(size=(5, 6)),
    )


def images() -> Inputs:
    """Smooth enough for superpixels to find something."""
    rng = np.random.default_rng(12)
    return Inputs(rng.random((3, 16, 12, 3)), kind="image", background=rng.random((2, 16, 12, 3)))


def network_in_torch():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(6, 9), torch.nn.BatchNorm1d(9), torch.nn.Tanh(), torch.nn.Linear(9, 3)
    )
    return wb.wrap(module, name="torch network", outputs=tuple("abc"), scale="logit")


def images_in_torch():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 7, 3, padding=1),
        torch.nn.BatchNorm2d(7),
        torch.nn.ReLU(inplace=True),
        torch.nn.Conv2d(7, 5, 3, stride=2, padding=1),
        torch.nn.ReLU(inplace=True),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(5, 4),
    )
    return wb.wrap(module, name="torch images", outputs=tuple("abcd"), scale="logit")


def fitted(estimator):
    rng = np.random.default_rng(13)
    rows = rng.normal(size=(120, 6))
    classes = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0).astype(int)
    return wb.wrap(estimator.fit(rows, classes), name=type(estimator).__name__)


def ensemble():
    networks = [replace(tanh_network(seed=seed), name=f"seed {seed}") for seed in (0, 1)]
    return ensembles.vote(networks, [3, 1])


MODELS = {
    "ensemble of networks": ensemble,
    "function": lambda: replace(tanh_network(), gradient=None),
    "network in NumPy": tanh_network,
    "network in torch": network_in_torch,
    "forest": lambda: fitted(RandomForestClassifier(6, max_depth=4, random_state=0)),
    "boosting": lambda: fitted(GradientBoostingClassifier(n_estimators=5, random_state=0)),
    "logistic regression": lambda: fitted(LogisticRegression()),
    "images in torch": images_in_torch,
    "function of images": lambda: wb.wrap(
        lambda x: np.tanh(x.mean(axis=(1, 2))), outputs=tuple("rgb"), scale="logit", kind="image"
    ),
}


# Made once, to ask which methods take them: this runs whenever tests are collected.
MADE = {name: make() for name, make in MODELS.items()}


def rows_for(model) -> Inputs:
    return images() if model.kind == "image" else rows_of_a_table()


def cases_of(name: str):
    model = MADE[name]
    for method in catalog():
        if obstacle(method, model, rows_for(model)) is None:
            recipe = method(**getattr(method, "quick", {}))  # few model rows, all promises
            yield pytest.param(MODELS[name], recipe, id=f"{method.__name__}-{name}")


CASES = [case for name in MODELS for case in cases_of(name)]
TABLE_CASES = [case for name in MODELS if MADE[name].kind != "image" for case in cases_of(name)]

every_case = pytest.mark.parametrize(("make", "method"), CASES)


def test_every_method_is_tested_on_some_model():
    assert {type(case.values[1]) for case in CASES} == set(catalog())


@every_case
def test_the_same_recipe_gives_the_same_bits_and_soils_nothing(make, method):
    model = make()
    inputs = rows_for(model)
    values, background = inputs.values.copy(), inputs.background.copy()
    np.random.seed(5)
    torch.manual_seed(5)
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    native = model.native
    state = copy.deepcopy(native.state_dict()) if isinstance(native, torch.nn.Module) else None
    first = wb.explain(model, inputs, method, wb.Target(0))
    second = wb.explain(model, inputs, method, wb.Target(0))
    np.testing.assert_array_equal(first.values, second.values)
    if first.error is not None:
        np.testing.assert_array_equal(first.error, second.error)
    np.testing.assert_array_equal(inputs.values, values)
    np.testing.assert_array_equal(inputs.background, background)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    if state is not None:
        assert native.training  # a fresh module is in training mode, and is given back so
        assert all(torch.equal(now, state[name]) for name, now in native.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in native.parameters())
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in native.modules())


@every_case
def test_a_row_is_explained_alike_whoever_its_neighbors_are(make, method):
    model = make()
    inputs = rows_for(model)
    together = wb.explain(model, inputs, method, wb.Target(0))
    alone = wb.explain(model, inputs[2], method, wb.Target(0))
    # float32 networks round differently in batches of another size
    np.testing.assert_allclose(together.values[2], alone.values[0], rtol=1e-4, atol=2e-6)
    np.testing.assert_allclose(together.output[2], alone.output[0], rtol=1e-5, atol=1e-6)


@every_case
def test_the_result_has_the_promised_shape_and_unit(make, method):
    model = make()
    inputs = rows_for(model)
    result = wb.explain(model, inputs, method)
    shape = inputs.values.shape
    assert result.values.shape in ({shape, shape[:3]} if inputs.kind == "image" else {shape})
    assert np.isfinite(result.values).all()
    assert result.scale == model.scale
    assert result.evaluations > 0
    np.testing.assert_allclose(result.output, model.scores(inputs.values).max(axis=1), rtol=1e-5)
    if result.error is not None:
        assert result.error.shape == result.values.shape
        assert (result.error >= 0).all()
    if inputs.kind == "image":
        assert result.maps().shape == shape[:3]
    else:
        assert len(result.by_player(0)) == len(result.names)


@every_case
def test_an_additive_method_leaves_no_gap(make, method):
    model = make()
    inputs = rows_for(model)
    result = wb.explain(model, inputs, method, wb.Target(0))
    if not method.additive:
        return
    if type(method).__name__ == "GradientSHAP":  # complete in expectation only
        allowed = 5 * np.sqrt((result.error.reshape(len(inputs), -1) ** 2).sum(axis=1)) + 1e-5
    elif type(method).__name__ == "IntegratedGradients":
        # 32 nodes: exact to float32 on smooth networks, to the kinks of ReLU on the image network
        allowed = 2e-3 if inputs.kind == "image" else 1e-5
    else:
        allowed = 2e-6  # float32 scores of both ends
    assert (np.abs(result.gap) <= allowed).all(), result.gap


@every_case
def test_all_targets_of_one_pass_equal_each_target_alone(make, method):
    model = make()
    inputs = rows_for(model)[:2]
    targets = (wb.Target(0), wb.Target(len(model.outputs) - 1), wb.Target.predicted())
    together = list(wb.run(wb.Study((model,), (method,), inputs, targets)))
    for target, result in zip(targets, together, strict=True):
        alone = wb.explain(model, inputs, method, target)
        np.testing.assert_allclose(result.values, alone.values, rtol=1e-4, atol=2e-6)  # float32


@every_case
def test_whenever_it_is_stopped_what_is_kept_is_sound(make, method):
    model = replace(make(), batch=7)
    inputs = rows_for(model)
    study = wb.Study((model,), (method,), inputs, (wb.Target(0), wb.Target.predicted()))
    before = 0
    for step in steps(study):
        kept = step.partial()
        assert len(kept) in (0, 2)
        for result in kept:
            assert np.isfinite(result.values).all()
            assert result.complete == (step.done == step.total)
            assert result.inputs.ids == inputs.ids[: len(result)]
            assert len(result.explained) == len(result) >= before
            if result.error is not None:
                assert (result.error >= 0).all()
        before = max([before, *map(len, kept)])
    whole = next(wb.run(study))
    np.testing.assert_array_equal(kept[0].values, whole.values)  # looking changes nothing


@pytest.mark.parametrize(("make", "method"), TABLE_CASES)
def test_a_column_the_model_ignores_gets_nothing(make, method):
    inner = make()
    inputs = rows_of_a_table()
    rng = np.random.default_rng(14)
    wider = Inputs(
        np.insert(inputs.values, 3, rng.normal(size=4), axis=1),
        kind="tabular",
        background=np.insert(inputs.background, 3, rng.normal(size=5), axis=1),
    )

    def drop(rows):
        return np.delete(rows, 3, axis=1)

    def gradient(rows, weights):
        scores, gradients = inner.gradient(drop(rows), weights)
        return scores, np.insert(gradients, 3, 0.0, axis=2)

    def deep_lift(rows, fills, weights):
        scores, found = inner.deep_lift(drop(rows), drop(fills), weights)
        return scores, np.insert(found, 3, 0.0, axis=2)

    def trees():
        inside = inner.trees()
        moved = [replace(t, feature=t.feature + (t.feature >= 3)) for t in inside.trees]
        return replace(inside, trees=tuple(moved))

    model = replace(
        inner,
        predict=lambda rows: inner.predict(drop(rows)),
        gradient=gradient if inner.gradient else None,
        deep_lift=deep_lift if inner.deep_lift else None,
        trees=trees if inner.trees else None,
        masked=None,
        combination=None,  # the members would not see what is changed here
        features=(),
        shape=(7,),
    )
    bigger = {"KernelSHAP": {"budget": 5 * 126 + 7}, "PermutationSHAP": {"budget": 14 * 5 * 2}}
    method = replace(method, **bigger.get(type(method).__name__, {}))
    result = wb.explain(model, wider, method, wb.Target(0))
    if type(method).__name__ == "LIME":  # a regression on random rows: nothing but noise
        assert (np.abs(result.values[:, 3]) < 5 * result.error[:, 3]).all()
    else:
        np.testing.assert_allclose(result.values[:, 3], 0.0, atol=5e-7)  # float32 networks


@pytest.mark.parametrize(("make", "method"), TABLE_CASES)
def test_permuting_the_columns_permutes_the_values(make, method):
    """Deterministic methods exactly; sampled ones are given every coalition or judged by their errors."""
    inner = make()
    inputs = rows_of_a_table()
    order = np.array([2, 0, 5, 1, 4, 3])
    back = np.argsort(order)
    turned = Inputs(inputs.values[:, order], kind="tabular", background=inputs.background[:, order])

    def gradient(rows, weights):
        scores, gradients = inner.gradient(rows[:, back], weights)
        return scores, gradients[:, :, order]

    def deep_lift(rows, fills, weights):
        scores, found = inner.deep_lift(rows[:, back], fills[:, back], weights)
        return scores, found[:, :, order]

    def trees():
        inside = inner.trees()
        moved = [
            replace(t, feature=np.where(t.feature < 0, t.feature, back[t.feature]))
            for t in inside.trees
        ]
        return replace(inside, trees=tuple(moved))

    model = replace(
        inner,
        predict=lambda rows: inner.predict(rows[:, back]),
        gradient=gradient if inner.gradient else None,
        deep_lift=deep_lift if inner.deep_lift else None,
        trees=trees if inner.trees else None,
        masked=None,
        combination=None,  # the members would not see what is changed here
        features=(),
    )
    if type(method).__name__ == "PermutationSHAP":
        method = replace(method, budget=12 * 5 * 40)  # enough draws to see a tree's rare branches
    straight = wb.explain(inner, inputs, method, wb.Target(0))
    result = wb.explain(model, turned, method, wb.Target(0))
    difference = result.values - straight.values[:, order]
    if straight.error is None or type(method).__name__ == "GradientSHAP":
        np.testing.assert_allclose(difference, 0.0, atol=2e-6)  # float32 sums in another order
    else:
        spread = np.sqrt(result.error**2 + straight.error[:, order] ** 2) + 1e-9
        assert np.sqrt(((difference / spread) ** 2).mean()) < 2.0
