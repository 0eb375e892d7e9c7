"""Small trees whose values are known from arithmetic, and facts that hold whatever the trees are.

They restate shap's tests of its tree explainer: of its front page, of single trees, of rows in other forms.
"""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import workbench as wb
from tests.every_coalition import absent_from_background, shapley
from workbench.core import Tree, Trees
from workbench.methods import TreeSHAP

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import shap

GAMES = ("interventional", "tree_path_dependent")
CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def values_of(native, rows, game, background=None, target=0):
    inputs = wb.Inputs(rows, kind="tabular", background=background)
    return wb.explain(wb.wrap(native), inputs, TreeSHAP(game), wb.Target(target))


def pairs_of(native, rows, game, background=None):
    inputs = wb.Inputs(rows, kind="tabular", background=background)
    return wb.tree_interactions(wb.wrap(native), inputs, wb.Target(0), game).values


def tables(y):
    """A tree that learned a table over two truth values; each corner was seen once."""
    return DecisionTreeRegressor(random_state=0).fit(CORNERS, y)


@pytest.mark.parametrize("game", GAMES)
def test_two_truth_values_that_are_both_needed_share_the_credit(game):
    """And: 1 at (1, 1), 1/4 on average. Knowing one gives 1/2: (1/2 - 1/4 + 1 - 1/2) / 2 = 3/8 each.

    At (0, 0) the first zero takes the whole quarter: each gets (-1/4 + 0) / 2.
    At (1, 0): the 1 brings (1/4 + 0) / 2, and the 0 brings (-1/4 - 1/2) / 2.
    """
    found = values_of(tables([0, 0, 0, 1]), CORNERS, game, CORNERS)
    np.testing.assert_allclose(found.base, 0.25, atol=1e-15)
    wanted = np.array([[-1, -1], [-3, 1], [1, -3], [3, 3]]) / 8
    np.testing.assert_allclose(found.values, wanted, atol=1e-15)


@pytest.mark.parametrize("game", GAMES)
def test_or_mirrors_and_and_a_disagreement_is_all_interaction(game):
    """Or is 1 minus and of the opposites; of xor, one value alone tells nothing, so the pair takes all."""
    either = values_of(tables([0, 1, 1, 1]), CORNERS, game, CORNERS).values
    both = values_of(tables([0, 0, 0, 1]), CORNERS, game, CORNERS).values
    np.testing.assert_allclose(either, -both[::-1], atol=1e-15)
    xor = tables([0, 1, 1, 0])
    found = values_of(xor, CORNERS, game, CORNERS)
    wanted = np.array([-0.25, 0.25, 0.25, -0.25])[:, None] * [1, 1]
    np.testing.assert_allclose(found.values, wanted, atol=1e-15)
    pairs = pairs_of(xor, CORNERS, game, CORNERS)
    np.testing.assert_allclose(pairs[:, 0, 1], wanted[:, 0], atol=1e-15)
    np.testing.assert_allclose(np.einsum("nff->nf", pairs), 0.0, atol=1e-15)


def test_a_copy_of_a_column_that_no_split_asks_gets_nothing_in_either_game():
    """The two columns always agree, and the one split, of 0 and 4, asks one of them."""
    twins = np.array([[0.0, 0.0], [1.0, 1.0]] * 3)
    tree = DecisionTreeRegressor(random_state=0).fit(twins, twins[:, 0] * 4)
    used = int(tree.tree_.feature[0])
    for game in GAMES:
        found = values_of(tree, twins[:2], game, twins)
        np.testing.assert_allclose(found.values[:, used], [-2.0, 2.0], atol=1e-15)
        np.testing.assert_array_equal(found.values[:, 1 - used], 0.0)


def test_a_background_other_than_the_training_rows_moves_the_base_of_one_game_alone():
    """And, seen from (1, 1) only: the base is 1, and at (0, 1) the zero takes it all."""
    both = tables([0, 0, 0, 1])
    ones = np.ones((3, 2))
    moved = values_of(both, CORNERS[[1]], "interventional", ones)
    assert (moved.base.tolist(), moved.values.tolist()) == ([1.0], [[-1.0, 0.0]])
    still = values_of(both, CORNERS[[1]], "tree_path_dependent", ones)
    assert still.base.tolist() == [0.25]


def test_weighted_rows_weigh_the_paths():
    """A split with 9 of 10 parts of the weight on the left: base 1/10, and the step from it."""
    rows = np.array([[0.0], [1.0]])
    tree = DecisionTreeRegressor(random_state=0).fit(rows, [0.0, 1.0], sample_weight=[9.0, 1.0])
    found = values_of(tree, rows, "tree_path_dependent")
    np.testing.assert_allclose(found.base, 0.1, atol=1e-15)
    np.testing.assert_allclose(found.values, [[-0.1], [0.9]], atol=1e-15)


@pytest.mark.parametrize("game", GAMES)
def test_a_tree_that_is_one_leaf_credits_nobody_among_trees_that_do(game):
    leaf = DecisionTreeRegressor().fit(CORNERS, [7.0] * 4)
    found = values_of(leaf, CORNERS, game, CORNERS)
    assert found.values.tolist() == [[0.0, 0.0]] * 4
    assert found.base.tolist() == [7.0] * 4
    forest = RandomForestRegressor(8, random_state=0).fit(CORNERS, [0, 0, 0, 1])
    sizes = {tree.tree_.node_count for tree in forest.estimators_}
    assert min(sizes) == 1 < max(sizes)  # samples of equal rows make single leaves
    found = values_of(forest, CORNERS, game, CORNERS)
    np.testing.assert_allclose(
        found.values.sum(axis=1) + found.base, forest.predict(CORNERS), atol=1e-15
    )


@pytest.mark.parametrize("game", GAMES)
def test_the_same_tree_twice_counts_twice(game):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 4))
    one = wb.wrap(DecisionTreeRegressor(max_depth=4, random_state=0).fit(rows, rows[:, 0] ** 2))
    (tree,), offset = one.trees().trees, one.trees().offset
    half = Tree(**{**tree.__dict__, "values": tree.values / 2})
    twice = Trees((half, half), offset)
    double = wb.Model("twice", one.predict, ("y",), "raw", trees=lambda: twice)
    inputs = wb.Inputs(rows[:9], kind="tabular", background=rows)
    alone, doubled = (wb.explain(m, inputs, TreeSHAP(game), wb.Target(0)) for m in (one, double))
    np.testing.assert_allclose(doubled.values, alone.values, rtol=0, atol=1e-14)


RNG = np.random.default_rng(31)
ROWS = np.round(
    RNG.normal(size=(120, 5)) * 4
)  # whole numbers: rows lie next to each other's thresholds
LABELS = (ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] > 1).astype(int)
NATIVE = {
    "forest": RandomForestRegressor(6, max_depth=4, random_state=0),
    "random splits": ExtraTreesRegressor(6, max_depth=4, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=6, random_state=0),
    "histograms": HistGradientBoostingClassifier(max_iter=6, min_samples_leaf=4, random_state=0),
}


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("case", NATIVE)
def test_rows_in_any_form_and_order_have_one_answer(case, game):
    native = copy.deepcopy(NATIVE[case]).fit(ROWS, LABELS)
    want = values_of(native, ROWS[:20], game, ROWS[60:90]).values
    for form in (np.float32, np.int64, np.int16, scipy.sparse.csr_matrix, pd.DataFrame):
        seen = (
            form(ROWS[:20])
            if isinstance(form, type) and not _number(form)
            else ROWS[:20].astype(form)
        )
        found = values_of(native, seen, game, ROWS[60:90])
        np.testing.assert_array_equal(found.values, want)
    shuffled = RNG.permutation(20)
    found = values_of(native, ROWS[:20][shuffled], game, ROWS[60:90]).values
    np.testing.assert_allclose(found, want[shuffled], rtol=0, atol=1e-14)
    alone = values_of(native, ROWS[[7]], game, ROWS[60:90]).values
    np.testing.assert_allclose(alone, want[[7]], rtol=0, atol=1e-14)
    again = values_of(native, ROWS[[7] * 3], game, RNG.permutation(ROWS[60:90])).values
    np.testing.assert_allclose(again, want[[7] * 3], rtol=0, atol=1e-14)


def _number(form):
    return issubclass(form, np.number)


@pytest.mark.parametrize("game", GAMES)
def test_columns_in_another_order_have_their_values_in_that_order(game):
    """All columns are looked at for each split and none tie, so that the same tree grows."""
    rows = RNG.normal(size=(120, 5))
    y = rows[:, 0] + rows[:, 1] * rows[:, 2]
    order = np.array([3, 0, 4, 2, 1])
    kind = DecisionTreeRegressor(max_depth=5, min_samples_leaf=6, random_state=0)
    here = copy.deepcopy(kind).fit(rows, y)
    there = copy.deepcopy(kind).fit(rows[:, order], y)
    np.testing.assert_allclose(here.predict(rows), there.predict(rows[:, order]), atol=1e-14)
    want = values_of(here, rows[:12], game, rows).values
    found = values_of(there, rows[:12][:, order], game, rows[:, order]).values
    np.testing.assert_allclose(found, want[:, order], rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", NATIVE)
def test_values_on_a_threshold_go_the_way_the_model_sends_them(case):
    """Rows and background lie on thresholds, one double above, and one below; a forest sees float32."""
    native = copy.deepcopy(NATIVE[case]).fit(ROWS / 3, LABELS)
    ask = getattr(native, "decision_function", native.predict)
    edges = [[], [], [], [], []]
    for tree in (
        wb.wrap(native, scale="logit" if case in ("boosting", "histograms") else None).trees().trees
    ):
        for node in np.flatnonzero(tree.left >= 0):
            edges[tree.feature[node]].append(tree.threshold[node])
    made = []
    for i in range(24):
        row = [RNG.choice(one) for one in edges]
        made.append(row if i % 3 == 0 else np.nextafter(row, (-1) ** i * np.inf))
    made = np.array(made)
    rows, background = made[:6], made[6:]
    found = values_of(native, rows, "interventional", background).values
    for row, values in zip(rows, found, strict=True):
        want = shapley(absent_from_background(lambda r: ask(r)[:, None], row, background))[:, 0]
        np.testing.assert_allclose(values, want, rtol=0, atol=1e-13)


@pytest.mark.parametrize("count", [1, 2, 40])
def test_backgrounds_of_any_size_are_averages_over_their_rows(count):
    native = copy.deepcopy(NATIVE["boosting"]).fit(ROWS, LABELS)
    many = ROWS[60 : 60 + count]
    whole = values_of(native, ROWS[:8], "interventional", many)
    singly = [values_of(native, ROWS[:8], "interventional", one[None]) for one in many]
    np.testing.assert_allclose(
        whole.values, np.mean([s.values for s in singly], axis=0), atol=1e-14
    )
    np.testing.assert_allclose(whole.base, native.decision_function(many).mean(), atol=1e-14)
    twice = values_of(native, ROWS[:8], "interventional", np.concatenate([many, many]))
    np.testing.assert_allclose(twice.values, whole.values, rtol=0, atol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_single_trees_of_iris_agree_with_shap_for_each_class(seed):
    from sklearn.datasets import load_iris

    rows, y = load_iris(return_X_y=True)
    rng = np.random.default_rng(seed)
    seen = rows[rng.permutation(150)[:100]] + 0.013  # off the thresholds
    native = DecisionTreeClassifier(max_depth=3, random_state=seed, splitter="random").fit(rows, y)
    explainer = shap.TreeExplainer(copy.deepcopy(native))
    theirs = np.asarray(explainer.shap_values(seen, check_additivity=False))
    their_pairs = np.asarray(explainer.shap_interaction_values(seen))
    inputs = wb.Inputs(seen, kind="tabular")
    for target in range(3):
        ours = values_of(native, seen, "tree_path_dependent", target=target)
        np.testing.assert_allclose(ours.values, theirs[..., target], atol=1e-9)
        np.testing.assert_allclose(ours.base, explainer.expected_value[target], atol=1e-9)
        pairs = wb.tree_interactions(
            wb.wrap(native), inputs, wb.Target(target), "tree_path_dependent"
        ).values
        np.testing.assert_allclose(pairs, their_pairs[..., target], atol=1e-9)


def test_a_contrast_of_classes_is_the_difference_of_their_values():
    from sklearn.datasets import load_iris

    rows, y = load_iris(return_X_y=True)
    native = DecisionTreeClassifier(max_depth=4, random_state=0).fit(rows, y)
    inputs = wb.Inputs(rows[::15], kind="tabular", background=rows[::4])
    for game in GAMES:
        one, other, between = (
            wb.explain(wb.wrap(native), inputs, TreeSHAP(game), target).values
            for target in (wb.Target(1), wb.Target(2), wb.Target(1, against=2))
        )
        np.testing.assert_allclose(between, one - other, rtol=0, atol=1e-15)
        every = sum(
            wb.explain(wb.wrap(native), inputs, TreeSHAP(game), wb.Target(k)).values
            for k in range(3)
        )
        np.testing.assert_allclose(every, 0.0, atol=1e-14)  # probabilities sum to 1 everywhere
