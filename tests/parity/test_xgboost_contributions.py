"""XGBoost's contributions and interactions, re-derived from the text it dumps, and beside ours.

The facts are those of XGBoost's own tests of `pred_contribs` and `pred_interactions`, without those of
approximate contributions. One referee reads XGBoost's dump line by line, and follows a row down with some
of its features known: it shares no code with the package, nor with XGBoost's implementation.
"""

import re

import numpy as np
import pytest
import xgboost

import workbench as wb
from tests.every_coalition import coalitions, interactions, shapley
from workbench.methods import TreeSHAP

RNG = np.random.default_rng(23)
F = 6
X = np.round(RNG.normal(size=(150, F)), 1)
X[RNG.random(X.shape) < 0.1] = np.nan
FULL = np.nan_to_num(X)
Y = FULL[:, 0] * FULL[:, 1] + np.sin(FULL[:, 2]) - FULL[:, 3] + 0.1 * RNG.normal(size=150)
TWO, THREE = (Y > 0).astype(int), np.digitize(Y, [-0.6, 0.6])
QUICK = {"max_depth": 3, "eta": 0.5, "nthread": 1, "seed": 0}
ROWS = X[[4, 9, 60, 111]]
SINGLE = {"rtol": 1e-4, "atol": 1e-4}  # XGBoost divides covers and adds trees in float32

CASES = {
    "a number": ({}, Y),
    "a base far away": ({"base_score": 25.0}, Y),
    "two classes": ({"objective": "binary:logistic"}, TWO),
    "a base of a tenth": ({"objective": "binary:logistic", "base_score": 0.1}, TWO),
    "three classes": ({"objective": "multi:softprob", "num_class": 3}, THREE),
    "dart": ({"booster": "dart", "rate_drop": 0.4, "one_drop": 1}, Y),
    "dart of three": (
        {"booster": "dart", "rate_drop": 0.4, "objective": "multi:softprob", "num_class": 3},
        THREE,
    ),
    "counts": ({"objective": "count:poisson"}, np.floor(np.exp(Y))),
    "forests": ({"num_parallel_tree": 3, "subsample": 0.7}, Y),
    "by loss": ({"grow_policy": "lossguide", "max_leaves": 5, "max_depth": 0}, Y),
    "sets of rows weighed": ({"scale_pos_weight": 4.0, "objective": "binary:logitraw"}, TWO),
}


def fitted(case):
    params, y = CASES[case]
    return xgboost.train({**QUICK, **params}, xgboost.DMatrix(X, y), 5)


def explained(booster, rows=ROWS):
    """Our path-dependent values `(n, k, f)`, bases `(n, k)` and interactions `(n, k, f, f)`."""
    model = wb.wrap(booster)
    inputs = wb.Inputs(rows, kind="tabular")
    recipe = TreeSHAP("tree_path_dependent")
    values, bases, pairs = [], [], []
    for target in map(wb.Target, range(len(model.outputs))):
        one = wb.explain(model, inputs, recipe, target)
        both = wb.tree_interactions(model, inputs, target, "tree_path_dependent")
        values.append(one.values)
        bases.append(one.base)
        pairs.append(both.values)
    return np.stack(values, 1), np.stack(bases, 1), np.stack(pairs, 1)


def asked(booster, k, **what):
    found = booster.predict(xgboost.DMatrix(ROWS), **what)
    return found.reshape(len(ROWS), k, *found.shape[(1 if k == 1 else 2) :])


@pytest.mark.parametrize("case", CASES)
def test_contributions_and_interactions_are_xgboosts_own(case):
    booster = fitted(case)
    values, bases, pairs = explained(booster)
    k = values.shape[1]
    margin = asked(booster, k, output_margin=True).reshape(len(ROWS), k)
    own = asked(booster, k, pred_contribs=True)
    np.testing.assert_allclose(values, own[..., :-1], **SINGLE)
    np.testing.assert_allclose(bases, own[..., -1], **SINGLE)
    np.testing.assert_allclose(values.sum(axis=2) + bases, margin, **SINGLE)
    own = asked(booster, k, pred_interactions=True)
    np.testing.assert_allclose(pairs, own[..., :-1, :-1], **SINGLE)
    np.testing.assert_allclose(pairs.sum(axis=3), values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(bases, own[..., -1, -1], **SINGLE)


LINE = re.compile(
    r"(\d+):(?:\[f(\d+)<(.+)\] yes=(\d+),no=(\d+),missing=(\d+),.*|leaf=(.+),)cover=(.+)"
)


def dumped(booster):
    """Each tree of the dump as {node: (feature, threshold, yes, no, missing, leaf, cover)}."""
    trees = []
    for text in booster.get_dump(with_stats=True):
        nodes = {}
        for line in text.splitlines():
            node, feature, threshold, yes, no, missing, leaf, cover = LINE.fullmatch(
                line.strip()
            ).groups()
            split = None if leaf else (int(feature), np.float32(threshold))
            ways = None if leaf else (int(yes), int(no), int(missing))
            nodes[int(node)] = (split, ways, float(leaf or 0), float(cover))
        trees.append(nodes)
    return trees


def followed(nodes, row, known, at=0):
    """The mean leaf of a tree where unknown features take both branches by the covers of the dump."""
    split, ways, leaf, _ = nodes[at]
    if split is None:
        return leaf
    yes, no, missing = ways
    feature, threshold = split
    if known[feature]:
        value = np.float32(row[feature])
        below = yes if value < threshold else no
        return followed(nodes, row, known, missing if np.isnan(value) else below)
    whole = nodes[yes][3] + nodes[no][3]
    return sum(nodes[n][3] / whole * followed(nodes, row, known, n) for n in (yes, no))


@pytest.mark.parametrize("case", ["a number", "two classes", "three classes", "counts", "by loss"])
def test_values_follow_from_the_text_that_xgboost_dumps(case):
    booster = fitted(case)
    values, _, pairs = explained(booster)
    trees, k = dumped(booster), values.shape[1]
    for i, row in enumerate(ROWS):
        for output in range(k):
            worth = np.array(
                [[sum(followed(t, row, s) for t in trees[output::k])] for s in coalitions(F)]
            )
            # The dump has nine digits of each number, and XGBoost keeps them in float32.
            np.testing.assert_allclose(values[i, output], shapley(worth)[:, 0], rtol=0, atol=2e-6)
            both = interactions(worth)[..., 0]
            np.testing.assert_allclose(pairs[i, output], both, rtol=0, atol=2e-6)


def test_times_until_an_event_between_two_bounds_are_explained_in_their_logarithm():
    rows = xgboost.DMatrix(X)
    rows.set_float_info("label_lower_bound", np.exp(Y))
    rows.set_float_info("label_upper_bound", np.where(TWO, np.inf, np.exp(Y)))
    booster = xgboost.train({**QUICK, "objective": "survival:aft"}, rows, 5)
    values, bases, _ = explained(booster)
    times = booster.predict(xgboost.DMatrix(ROWS))
    np.testing.assert_allclose(np.exp((values.sum(axis=2) + bases)[:, 0]), times, rtol=1e-5)


def test_a_sum_of_single_features_has_no_interactions():
    y = FULL[:, 0] + 2 * FULL[:, 1] - FULL[:, 2] ** 2
    booster = xgboost.train({**QUICK, "max_depth": 1}, xgboost.DMatrix(X, y), 20)
    values, _, pairs = explained(booster)
    off = ~np.eye(F, dtype=bool)
    np.testing.assert_array_equal(pairs[..., off], 0.0)
    np.testing.assert_allclose(np.einsum("nkff->nkf", pairs), values, rtol=0, atol=1e-12)


def test_constraints_on_interactions_are_seen_in_the_interactions():
    params = {**QUICK, "interaction_constraints": "[[0, 1], [2, 3, 4]]"}
    booster = xgboost.train(params, xgboost.DMatrix(X, Y), 20)
    pairs = np.abs(explained(booster)[2]).max(axis=(0, 1))
    allowed = np.eye(F, dtype=bool)
    allowed[:2, :2] = allowed[2:5, 2:5] = True
    np.testing.assert_array_equal(pairs[~allowed], 0.0)
    assert pairs[0, 1] > 0.01


def test_a_slice_of_a_booster_is_explained_as_its_own_sum():
    whole = xgboost.train({**QUICK, **CASES["three classes"][0]}, xgboost.DMatrix(X, THREE), 6)
    parts = [explained(whole[0:2])[0], explained(whole[2:6])[0]]
    np.testing.assert_allclose(sum(parts), explained(whole)[0], rtol=0, atol=1e-12)


def test_a_booster_trained_further_adds_what_it_learned():
    first = xgboost.train(QUICK, xgboost.DMatrix(X, Y), 3)
    more = xgboost.train({**QUICK, "max_depth": 2}, xgboost.DMatrix(X, Y), 4, xgb_model=first)
    values, bases, _ = explained(more)
    own = more.predict(xgboost.DMatrix(ROWS), pred_contribs=True)
    np.testing.assert_allclose(np.column_stack([values[:, 0], bases[:, 0]]), own, **SINGLE)
    early = explained(first)[0]
    added = explained(more[3:7])[0]
    np.testing.assert_allclose(values, early + added, rtol=0, atol=1e-12)
