"""The tree engine against the definition: every coalition asked, every tree walked."""

from itertools import combinations
from math import factorial

import numpy as np
import pytest

import workbench as wb
from workbench import methods
from workbench.core import Tree, Trees
from workbench.errors import IncompatibleError, InputError
from workbench.trees import kernels
from workbench.trees.credit import TreeCredit


def grown(rng, features, depth, *, outputs=1, missing=False, categorical=(), balanced=False):
    """A random tree whose thresholds are whole numbers, so that rows lie on them."""
    left, right, feature, threshold, missing_left, cover, values, goes_left = ([] for _ in range(8))

    def node(level, weight):
        me = len(left)
        for column in (left, right, feature, threshold, missing_left, cover, values, goes_left):
            column.append(None)
        is_leaf = level == depth or (not balanced and level > 0 and rng.random() < 0.2)
        cover[me], goes_left[me] = weight, None
        values[me] = rng.normal(size=outputs)
        missing_left[me] = bool(missing and rng.random() < 0.5)
        left[me] = right[me] = -1
        feature[me], threshold[me] = 0, 0.0
        if not is_leaf:
            feature[me] = int(rng.integers(features))
            threshold[me] = float(rng.integers(4))
            if feature[me] in categorical:
                goes_left[me] = rng.random(rng.integers(2, 6)) < 0.5
            part = rng.integers(0, weight + 1) if weight > 1 else weight / 2
            left[me] = node(level + 1, part)
            right[me] = node(level + 1, weight - part)
        return me

    node(0, 64)
    return Tree(
        left=np.array(left),
        right=np.array(right),
        feature=np.array(feature),
        threshold=np.array(threshold),
        missing_left=np.array(missing_left),
        values=np.array(values),
        cover=np.array(cover, dtype=float),
        goes_left={i: g for i, g in enumerate(goes_left) if g is not None},
    )


def path_dependent_game(trees, row):
    """v(S): known features decide, at the others both branches count as often as training rows."""

    def walked(tree, share, node, present):
        if tree.left[node] < 0:
            return tree.values[node]
        if present[tree.feature[node]]:
            left = tree.sends_left(node, row[None, tree.feature[node]])[0]
            return walked(tree, share, tree.left[node] if left else tree.right[node], present)
        return sum(
            share[child] * walked(tree, share, child, present)
            for child in (tree.left[node], tree.right[node])
        )

    return lambda present: sum(walked(t, t.shares(), 0, present) for t in trees.trees)


def interventional_game(trees, row, background):
    return lambda present: trees.scores(np.where(present, row, background)).mean(axis=0)


def by_definition(game, features):
    """Shapley values `(f, k)` and interactions `(f, f, k)` from all coalitions."""
    known = {
        subset: game(np.isin(np.arange(features), subset))
        for size in range(features + 1)
        for subset in combinations(range(features), size)
    }
    k = len(known[()])
    single, pairs = np.zeros((features, k)), np.zeros((features, features, k))
    for subset in known:
        s = len(subset)
        for i in set(range(features)) - set(subset):
            weight = factorial(s) * factorial(features - s - 1) / factorial(features)
            single[i] += weight * (known[tuple(sorted((*subset, i)))] - known[subset])
            for j in set(range(features)) - set(subset) - {i}:
                weight = factorial(s) * factorial(features - s - 2) / factorial(features - 1)
                with_i, with_j = tuple(sorted((*subset, i))), tuple(sorted((*subset, j)))
                both = tuple(sorted((*subset, i, j)))
                change = known[both] - known[with_i] - known[with_j] + known[subset]
                pairs[i, j] += weight * change / 2
    for i in range(features):
        pairs[i, i] = single[i] - pairs[i].sum(axis=0)
    return single, pairs


def credit_of(trees, background, rows, weights):
    values = np.full((len(weights), *rows.shape), np.nan)
    for _, part, credit in TreeCredit(trees, background).of(rows, weights):
        values[:, part] = credit
    return values


CASES = {
    "thresholds": {},
    "features come again on a path": {"features": 3, "depth": 6},
    "missing values": {"missing": True},
    "categories": {"categorical": (0, 2, 4), "missing": True},
    "several outputs": {"outputs": 3},
}


@pytest.mark.parametrize("many", [3, 300], ids=["few rows", "many rows"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("interventional", [False, True], ids=["path-dependent", "interventional"])
def test_credit_and_interactions_are_those_of_the_definition(case, interventional, many):
    options = {"features": 6, "depth": 5, **CASES[case]}
    features, depth = options.pop("features"), options.pop("depth")
    outputs = options.get("outputs", 1)
    rng = np.random.default_rng(len(case))
    trees = Trees(
        tuple(grown(rng, features, depth, **options) for _ in range(3)),
        offset=rng.normal(size=outputs),
    )
    rows = rng.integers(-1, 6, size=(many, features)).astype(float)
    background = rng.integers(-1, 6, size=(many, features)).astype(float)
    if options.get("missing"):
        rows[rng.random(rows.shape) < 0.2] = np.nan
        background[rng.random(rows.shape) < 0.2] = np.nan
    weights = rng.normal(size=(2, many, outputs))
    engine = TreeCredit(trees, background if interventional else None)
    values = credit_of(trees, background if interventional else None, rows, weights)
    pairs = engine.pairs_of(rows[:3], weights[:, :3])
    for i in range(3):
        game = (
            interventional_game(trees, rows[i], background)
            if interventional
            else path_dependent_game(trees, rows[i])
        )
        single, both = by_definition(game, features)
        # float64 throughout; a hundred sums of numbers of size one
        np.testing.assert_allclose(values[:, i], weights[:, i] @ single.T, atol=1e-12)
        wanted = np.einsum("tk,ijk->tij", weights[:, i], both)
        np.testing.assert_allclose(pairs[:, i], wanted, atol=1e-12)


def chain(features):
    """A tree that asks about one feature after the other: the last leaf's path knows them all."""
    left = np.full(2 * features + 1, -1)
    right, feature = left.copy(), np.zeros(2 * features + 1, dtype=int)
    for i in range(features):
        left[2 * i], right[2 * i], feature[2 * i] = 2 * i + 1, 2 * i + 2, i
    cover = np.ones(2 * features + 1)
    for i in range(features):  # a third of the rows that are left goes left
        cover[2 * i + 1], cover[2 * i + 2] = cover[2 * i] / 3, cover[2 * i] * 2 / 3
    values = np.random.default_rng(0).normal(size=(2 * features + 1, 1))
    return Tree(
        left, right, feature, np.full(len(left), 0.5), np.zeros(len(left), bool), values, cover
    )


@pytest.mark.parametrize("features", [17, 40, 64, 65, 66, 130])
@pytest.mark.parametrize("interventional", [False, True], ids=["path-dependent", "interventional"])
def test_paths_over_more_than_sixteen_features_are_exact_too(features, interventional):
    trees = Trees((chain(features),), offset=np.zeros(1))
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2, size=(6, features)).astype(float)
    rows[:, 9:] = 1.0  # so that many rows reach the deep leaves
    background = rng.integers(0, 2, size=(4, features)).astype(float)
    background[:2] = 1.0
    values = credit_of(trees, background if interventional else None, rows, np.ones((1, 6, 1)))[0]
    base = trees.scores(background).mean() if interventional else trees.expected()[0]
    np.testing.assert_allclose(values.sum(axis=1), trees.scores(rows)[:, 0] - base, atol=1e-12)
    leaf_by_leaf = by_counting_coalitions(
        trees.trees[0], rows, background if interventional else None
    )
    np.testing.assert_allclose(values, leaf_by_leaf, atol=1e-12)


def by_counting_coalitions(tree, rows, background):
    """Shapley values of a chain, leaf by leaf, without an integral and without patterns.

    A leaf's game is a product over its features, so the sum over coalitions of one size is an
    elementary symmetric polynomial, built feature by feature.
    """
    result = np.zeros_like(rows)
    share = tree.shares()
    for leaf in np.flatnonzero(tree.left < 0):
        steps, node = [], 0
        while node != leaf:
            is_left = tree.left[node] == leaf
            child = int(tree.left[node] if is_left else tree.right[node])
            steps.append((int(tree.feature[node]), is_left, child))
            node = child
        u = len(steps)
        weights = [factorial(s) * factorial(u - s - 1) / factorial(u) for s in range(u)]
        present = [
            ((rows[:, f] <= 0.5) == is_left)[:, None].astype(float) for f, is_left, _ in steps
        ]
        absent = [
            np.full((1, 1), share[child])
            if background is None
            else ((background[:, f] <= 0.5) == is_left)[None].astype(float)
            for f, is_left, child in steps
        ]
        for i in range(u):
            sums = [np.ones((1, 1)), *[np.zeros((1, 1))] * (u - 1)]
            for j in range(u):
                if j != i:
                    sums = [
                        sums[s] * absent[j] + (sums[s - 1] * present[j] if s else 0.0)
                        for s in range(u)
                    ]
            total = sum(w * one for w, one in zip(weights, sums, strict=True))
            credit = tree.values[leaf, 0] * (present[i] - absent[i]) * total
            result[:, steps[i][0]] += credit.mean(axis=1)
    return result


def test_interactions_along_a_path_over_more_than_sixty_four_features_are_refused():
    engine = TreeCredit(Trees((chain(65),), offset=np.zeros(1)), None)
    with pytest.raises(IncompatibleError, match="at most 64 different columns, but one has 65"):
        engine.pairs_of(np.ones((1, 65)), np.ones((1, 1, 1)))


def test_a_column_split_both_ways_is_refused():
    tree = grown(np.random.default_rng(0), 1, 3, balanced=True)
    mixed = Tree(**{**tree.__dict__, "goes_left": {0: np.array([True, False])}})
    with pytest.raises(IncompatibleError, match="column 0 is split both ways"):
        TreeCredit(Trees((mixed,), offset=np.zeros(1)), None)


def test_a_forest_of_single_leaves_gives_no_credit():
    leaf = Tree(
        *(np.array([v]) for v in (-1, -1, 0, 0.0)), np.array([False]), np.ones((1, 1)), np.ones(1)
    )
    values = credit_of(Trees((leaf, leaf), np.zeros(1)), None, np.ones((2, 3)), np.ones((1, 2, 1)))
    assert values.tolist() == [[[0.0] * 3] * 2]


def test_a_branch_no_training_row_took_changes_nothing():
    """r = 0 on one side: the path-dependent game never goes there unless the row does."""
    tree = Tree(
        left=np.array([1, -1, 3, -1, -1]),
        right=np.array([2, -1, 4, -1, -1]),
        feature=np.array([0, 0, 1, 0, 0]),
        threshold=np.full(5, 0.5),
        missing_left=np.zeros(5, bool),
        values=np.array([[0.0], [10.0], [0.0], [1.0], [3.0]]),
        cover=np.array([4.0, 0.0, 4.0, 2.0, 2.0]),
    )
    trees = Trees((tree,), np.zeros(1))
    rows = np.array([[0.0, 0.0], [1.0, 1.0]])
    values = credit_of(trees, None, rows, np.ones((1, 2, 1)))[0]
    # Row 0: v() = 2, v({0}) = 10, v({1}) = 1, v({0,1}) = 10: (8 + 9)/2 and (-1 + 0)/2.
    # Row 1: feature 0 takes the only branch there is: nothing; feature 1: 3 - 2.
    np.testing.assert_allclose(values, [[8.5, -0.5], [0.0, 1.0]], atol=1e-14)


def test_work_comes_in_pieces_that_add_up(monkeypatch):
    """Cancel is possible between pieces of the forest, and the pieces make the same whole."""
    rng = np.random.default_rng(3)
    trees = Trees(tuple(grown(rng, 4, 4) for _ in range(6)), np.zeros(1))
    rows, weights = rng.integers(0, 4, size=(5, 4)).astype(float), np.ones((1, 5, 1))
    whole = credit_of(trees, rows, rows, weights)
    monkeypatch.setattr("workbench.trees.credit._WORK", 1)
    monkeypatch.setattr("workbench.trees.credit._ROWS", 2)
    pieces = list(TreeCredit(trees, rows).of(rows, weights))
    assert len(pieces) == 3 * 6  # three groups of rows, six trees each
    assert [done for done, _, _ in pieces] == sorted(done for done, _, _ in pieces)
    assert pieces[-1][0] == 1.0
    np.testing.assert_allclose(credit_of(trees, rows, rows, weights), whole, atol=1e-14)


def test_patterns_are_numbered_even_when_their_hashes_meet():
    patterns = np.arange(0, 2**20, 2**10, dtype=np.uint64)
    patterns = np.concatenate([patterns, patterns[::-1]])
    ids, distinct = np.empty(len(patterns), np.int32), np.empty(len(patterns), np.uint64)
    count = kernels.group(patterns, np.empty(4096, np.int32), ids, distinct)
    assert count == 1024
    assert (distinct[ids] == patterns).all()


def test_interactions_say_what_they_need(monkeypatch):
    trees = Trees((grown(np.random.default_rng(0), 3, 3),), np.zeros(1))
    model = wb.Model("t", trees.scores, ("y",), "raw", trees=lambda: trees)
    rows = wb.Inputs(np.zeros((2, 3)), kind="tabular")
    with pytest.raises(InputError, match="need background rows"):
        wb.tree_interactions(model, rows)
    with pytest.raises(InputError, match="feature_perturbation must be one of"):
        wb.tree_interactions(model, rows, feature_perturbation="both")
    bare = wb.Model("f", trees.scores, ("y",), "raw")
    with pytest.raises(IncompatibleError, match="need trees, but model 'f' provides only"):
        wb.tree_interactions(bare, rows)
    monkeypatch.setattr("workbench.trees.interactions._BYTES", 100)
    with pytest.raises(InputError, match="Explain fewer rows"):
        wb.tree_interactions(model, rows, feature_perturbation="tree_path_dependent")


def test_the_strongest_pair_is_named():
    rng = np.random.default_rng(5)
    from sklearn.ensemble import GradientBoostingRegressor

    rows = rng.normal(size=(400, 4))
    y = rows[:, 1] * rows[:, 3] + 0.1 * rows[:, 0]
    model = wb.wrap(GradientBoostingRegressor(max_depth=3, random_state=0).fit(rows, y))
    inputs = wb.Inputs(
        rows[:20], kind="tabular", features=("a", "b", "c", "d"), background=rows[:50]
    )
    found = wb.tree_interactions(model, inputs)
    assert np.abs(found.gap).max() < 1e-10
    assert found.strongest(1)[["feature", "with"]].values.tolist() == [["b", "d"]]
    attribution = wb.explain(model, inputs, methods.TreeSHAP())
    np.testing.assert_allclose(found.shapley, attribution.values, atol=1e-12)
