"""Whatever a library fits, the values are those of its own raw scores, asked about every coalition.

The facts are those of shap's tests of its tree explainer: they hold for every objective, link and kind of
tree. The referee here is the library's own `predict` on rows whose absent values come from a background.
"""

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn import ensemble, tree

import workbench as wb
from tests.every_coalition import absent_from_background, interactions, shapley
from workbench.methods import TreeSHAP

RNG = np.random.default_rng(14)
F = 5
X = np.round(
    RNG.normal(size=(160, F)), 1
)  # rounded: rows and background share values and thresholds
Y = X[:, 0] - X[:, 1] * X[:, 2] + np.abs(X[:, 3]) + 0.1 * RNG.normal(size=160)
TWO, THREE = (Y > 0.8).astype(int), np.digitize(Y, [0.2, 1.2])
SEVERAL = np.stack([Y, Y**2, X[:, 4]], axis=1)
HOLES = X.copy()
HOLES[RNG.random(X.shape) < 0.15] = np.nan
QUERIES = np.repeat(np.arange(16), 10)
GRADES = np.digitize(Y, [0.0, 0.8, 1.6])
WEIGHTS = RNG.integers(0, 4, size=160).astype(float)
ROWS, BACKGROUND = [3, 50, 121], [0, 7, 7, 20, 91, 159, 33]

XGB = {"n_estimators": 6, "max_depth": 3, "n_jobs": 1, "random_state": 0}
LGB = {"n_estimators": 6, "num_leaves": 6, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}
CAT = {"iterations": 6, "depth": 3, "verbose": 0, "thread_count": 1, "allow_writing_files": False}
SK = {"max_depth": 3, "random_state": 0}
RAW = {"prediction_type": "RawFormulaVal"}


def xgb(kind, y, fit=None, **more):
    return getattr(xgboost, f"XGB{kind}")(**{**XGB, **more}), y, fit or {}


def lgb(kind, y, fit=None, **more):
    return getattr(lightgbm, f"LGBM{kind}")(**{**LGB, **more}), y, fit or {}


def cat(kind, y, fit=None, **more):
    return getattr(catboost, f"CatBoost{kind}")(**{**CAT, **more}), y, fit or {}


RANKED = {"qid": QUERIES}
GROUPED = {"group": np.full(16, 10)}
WEIGHED = {"sample_weight": WEIGHTS}

CASES = {
    "xgboost, absolute error": xgb("Regressor", Y, objective="reg:absoluteerror"),
    "xgboost, square of logs": xgb("Regressor", np.exp(Y), objective="reg:squaredlogerror"),
    "xgboost, pseudo-Huber": xgb("Regressor", Y, objective="reg:pseudohubererror"),
    "xgboost, Poisson": xgb("Regressor", np.floor(np.exp(Y)), objective="count:poisson"),
    "xgboost, Tweedie": xgb("Regressor", np.exp(Y), objective="reg:tweedie"),
    "xgboost, gamma": xgb("Regressor", np.exp(Y), objective="reg:gamma"),
    "xgboost, a base for counts": xgb(
        "Regressor", np.exp(Y), objective="reg:gamma", base_score=3.0
    ),
    "xgboost, a base for numbers": xgb("Regressor", Y, base_score=-40.5),
    "xgboost, a base for classes": xgb("Classifier", TWO, base_score=0.9),
    "xgboost, Cox": xgb("Regressor", np.exp(Y), objective="survival:cox"),
    "xgboost, ndcg": xgb("Ranker", GRADES, RANKED, objective="rank:ndcg"),
    "xgboost, pairs": xgb("Ranker", GRADES, RANKED, objective="rank:pairwise"),
    "xgboost, map": xgb("Ranker", GRADES > 1, RANKED, objective="rank:map"),
    "xgboost, two classes": xgb("Classifier", TWO),
    "xgboost, three classes": xgb("Classifier", THREE),
    "xgboost, several numbers": xgb("Regressor", SEVERAL),
    "xgboost, vector leaves": xgb("Regressor", SEVERAL, multi_strategy="multi_output_tree"),
    "xgboost, dart": xgb("Classifier", TWO, booster="dart", rate_drop=0.5, one_drop=1),
    "xgboost, dart of three": xgb("Classifier", THREE, booster="dart", rate_drop=0.5, one_drop=1),
    "xgboost, forest of three": xgb("RFClassifier", THREE),
    "xgboost, forest steps": xgb("Regressor", Y, num_parallel_tree=3),
    "xgboost, weighted rows": xgb("Regressor", Y, WEIGHED),
    "xgboost, rising": xgb("Regressor", Y, monotone_constraints=(1, 0, 0, 0, 0)),
    "xgboost, pairs allowed": xgb("Regressor", Y, interaction_constraints="[[0, 1], [2, 3]]"),
    "xgboost, approximate splits": xgb("Regressor", Y, tree_method="approx"),
    "xgboost, stumps": xgb("Regressor", Y, max_depth=1),
    "xgboost, one tree, one split": xgb("Regressor", Y, max_depth=1, n_estimators=1),
    "xgboost, nothing learned": xgb("Regressor", Y, gamma=1e9),
    "lightgbm, Poisson": lgb("Regressor", np.floor(np.exp(Y)), objective="poisson"),
    "lightgbm, Tweedie": lgb("Regressor", np.exp(Y), objective="tweedie"),
    "lightgbm, gamma": lgb("Regressor", np.exp(Y), objective="gamma"),
    "lightgbm, Huber": lgb("Regressor", Y, objective="huber"),
    "lightgbm, fair": lgb("Regressor", Y, objective="fair"),
    "lightgbm, quantile": lgb("Regressor", Y, objective="quantile", alpha=0.2),
    "lightgbm, percent": lgb("Regressor", np.exp(Y), objective="mape"),
    "lightgbm, cross entropy with a lambda": lgb(
        "Regressor", TWO, objective="cross_entropy_lambda"
    ),
    "lightgbm, ranks": lgb("Ranker", GRADES, GROUPED),
    "lightgbm, xendcg": lgb("Ranker", GRADES, GROUPED, objective="rank_xendcg"),
    "lightgbm, two classes": lgb("Classifier", TWO),
    "lightgbm, three classes": lgb("Classifier", THREE),
    "lightgbm, one against the rest": lgb("Classifier", THREE, objective="multiclassova"),
    "lightgbm, unbalanced": lgb("Classifier", TWO, is_unbalance=True),
    "lightgbm, dart": lgb("Classifier", THREE, boosting_type="dart", drop_rate=0.6),
    "lightgbm, goss": lgb("Regressor", Y, data_sample_strategy="goss"),
    "lightgbm, extra trees": lgb("Regressor", Y, extra_trees=True),
    "lightgbm, weighted rows": lgb("Regressor", Y, WEIGHED),
    "lightgbm, bundled": lgb("Regressor", Y, enable_bundle=True, max_bin=7),
    "lightgbm, smoothed": lgb("Regressor", Y, path_smooth=3.0),
    "lightgbm, stumps": lgb("Regressor", Y, num_leaves=2),
    "lightgbm, one tree, one split": lgb("Regressor", Y, num_leaves=2, n_estimators=1),
    "lightgbm, nothing learned": lgb("Classifier", TWO, min_split_gain=1e9),
    "catboost, Poisson": cat("Regressor", np.floor(np.exp(Y)), loss_function="Poisson"),
    "catboost, quantile": cat("Regressor", Y, loss_function="Quantile:alpha=0.2"),
    "catboost, Huber": cat("Regressor", Y, loss_function="Huber:delta=0.5"),
    "catboost, log-cosh": cat("Regressor", Y, loss_function="LogCosh"),
    "catboost, several quantiles": cat("Regressor", Y, loss_function="MultiQuantile:alpha=0.2,0.8"),
    "catboost, ranks": cat("Ranker", GRADES, {"group_id": QUERIES}, loss_function="YetiRank"),
    "catboost, two classes": cat("Classifier", TWO),
    "catboost, three classes": cat("Classifier", THREE),
    "catboost, focal": cat(
        "Classifier", TWO, loss_function="Focal:focal_alpha=0.3;focal_gamma=2.0"
    ),
    "catboost, weighted rows": cat("Regressor", Y, WEIGHED),
    "catboost, stumps": cat("Regressor", Y, depth=1),
    "catboost, one tree, one split": cat("Regressor", Y, depth=1, iterations=1),
}


def own_scores(native):
    """The library's own raw scores `(n, k)` of rows."""
    if isinstance(native, xgboost.XGBModel):
        return lambda rows: native.predict(rows, output_margin=True).reshape(len(rows), -1)
    if isinstance(native, lightgbm.LGBMModel | lightgbm.Booster):
        return lambda rows: native.predict(rows, raw_score=True).reshape(len(rows), -1)
    if isinstance(native, catboost.CatBoost):
        raw = {} if isinstance(native, catboost.CatBoostRanker) else RAW  # a ranker has no other
        return lambda rows: native.predict(rows, **raw).reshape(len(rows), -1)
    if hasattr(native, "decision_function"):
        # With the exponential loss it is half the log-odds of `predict_proba`.
        odds = 2 if getattr(native, "loss", "") == "exponential" else 1
        return lambda rows: odds * native.decision_function(rows).reshape(len(rows), -1)
    if hasattr(native, "predict_proba"):
        return native.predict_proba
    return lambda rows: native.predict(rows).reshape(len(rows), -1)


def own_contributions(native, rows):
    """The library's own path-dependent values and bases `(n, k, f + 1)`, or None where it has none."""
    if isinstance(native, xgboost.XGBModel) and native.multi_strategy is None:
        found = native.get_booster().predict(
            xgboost.DMatrix(rows, missing=native.missing), pred_contribs=True
        )
    elif isinstance(native, lightgbm.LGBMModel | lightgbm.Booster):
        found = native.predict(rows, pred_contrib=True)
    elif isinstance(native, catboost.CatBoost):
        found = native.get_feature_importance(catboost.Pool(rows), type="ShapValues")
    else:
        return None
    return found.reshape(len(rows), -1, rows.shape[1] + 1)


def check(native, rows):
    """Values, interactions, sums and bases of every output, held against the library's own answers."""
    model = wb.wrap(native, scale="logit" if hasattr(native, "decision_function") else None)
    few, background = rows[ROWS], rows[BACKGROUND]
    inputs = wb.Inputs(few, kind="tabular", background=background)
    worth = [absent_from_background(own_scores(native), row, background) for row in few]
    whole = np.array([one[-1] for one in worth])
    size = np.abs(worth).max()
    single = isinstance(native, xgboost.XGBModel)
    # XGBoost adds up in float32: a few roundings of the largest sum. All others use float64.
    near = {"rtol": 0, "atol": (2e-6 if single else 1e-12) * size}
    own = own_contributions(native, few)
    # Its covers are rounded too, on the way down: as in tests/models/test_xgboost.py.
    as_own = {"rtol": 1e-4, "atol": 1e-4} if single else {"rtol": 1e-6, "atol": 1e-9}
    for output in range(whole.shape[1]):
        for game in ("interventional", "tree_path_dependent"):
            target = wb.Target(output)
            one = wb.explain(model, inputs, TreeSHAP(game), target)
            pairs = wb.tree_interactions(model, inputs, target, game)
            np.testing.assert_allclose(one.values.sum(axis=1) + one.base, whole[:, output], **near)
            np.testing.assert_array_equal(pairs.values, pairs.values.transpose(0, 2, 1))
            np.testing.assert_allclose(pairs.shapley, one.values, rtol=0, atol=1e-12 * size)
            np.testing.assert_allclose(pairs.base, one.base, rtol=0, atol=1e-12 * size)
            if game == "interventional":
                np.testing.assert_allclose(one.base, [v[0, output] for v in worth], **near)
                for i, game_of_row in enumerate(worth):
                    played = game_of_row[:, [output]]
                    np.testing.assert_allclose(one.values[i], shapley(played)[:, 0], **near)
                    both = interactions(played)[..., 0]
                    np.testing.assert_allclose(pairs.values[i], both, **near)
            elif own is not None:
                np.testing.assert_allclose(one.values, own[:, output, :-1], **as_own)
                np.testing.assert_allclose(one.base, own[:, output, -1], **as_own)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("rows", [X, HOLES], ids=["whole", "with holes"])
@pytest.mark.parametrize("case", CASES)
def test_boosters_of_every_objective_have_the_values_of_the_definition(case, rows):
    native, y, fit = CASES[case]
    check(native.fit(rows, y, **fit), rows)


def leaves_set_by_hand(booster):
    booster.set_leaf_output(1, 0, 5.0)


def two_rounds_taken_back(booster):
    booster.rollback_one_iter()
    booster.rollback_one_iter()


@pytest.mark.parametrize(
    "change", [leaves_set_by_hand, two_rounds_taken_back, lightgbm.Booster.shuffle_models]
)
def test_boosters_changed_after_their_fit_are_explained_as_they_are_now(change):
    settings = {"num_leaves": 6, "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, Y), 5, keep_training_booster=True)
    change(booster)
    check(booster, X)


@pytest.mark.parametrize("y", [Y, TWO, THREE], ids=["a number", "two classes", "three classes"])
def test_a_weighted_sum_of_catboosts_models_is_explained_as_the_sum(y):
    kind = catboost.CatBoostRegressor if y is Y else catboost.CatBoostClassifier
    members = [kind(**{**CAT, "depth": depth}).fit(X, y) for depth in (2, 3)]
    total = catboost.sum_models(members, weights=[0.25, 2.0])
    check(total, X)
    inputs = wb.Inputs(X[ROWS], kind="tabular", background=X[BACKGROUND])
    first, second, both = (
        wb.explain(wb.wrap(one), inputs, TreeSHAP(), wb.Target(0)).values
        for one in (*members, total)
    )
    np.testing.assert_allclose(both, 0.25 * first + 2.0 * second, rtol=0, atol=1e-12)


def gb(kind, y, fit=None, **more):
    made = getattr(ensemble, f"GradientBoosting{kind}")(**{**SK, "n_estimators": 6, **more})
    return made, y, fit or {}


def hist(kind, y, fit=None, **more):
    made = getattr(ensemble, f"HistGradientBoosting{kind}")(
        **{**SK, "max_iter": 6, "min_samples_leaf": 3, **more}
    )
    return made, y, fit or {}


def forest(kind, y, fit=None, **more):
    return getattr(ensemble, kind)(**{**SK, "n_estimators": 6, **more}), y, fit or {}


def one_tree(kind, y, fit=None, **more):
    return getattr(tree, kind)(**{**SK, **more}), y, fit or {}


COUNTS = np.floor(np.exp(Y))
SCIKIT = {
    "a tree of three classes": one_tree("DecisionTreeClassifier", THREE),
    "a random tree": one_tree("ExtraTreeClassifier", TWO),
    "a tree of several numbers": one_tree("DecisionTreeRegressor", SEVERAL),
    "a tree that is one leaf": one_tree("DecisionTreeRegressor", np.full(160, 2.5)),
    "a tree with one split": one_tree("DecisionTreeRegressor", Y, max_depth=1),
    "a tree of counts": one_tree("DecisionTreeRegressor", COUNTS, criterion="poisson"),
    "a pruned tree": one_tree("DecisionTreeRegressor", Y, max_depth=None, ccp_alpha=0.05),
    "a rising tree": one_tree("DecisionTreeRegressor", Y, monotonic_cst=[1, 0, 0, 0, 0]),
    "a forest of weighted classes": forest("RandomForestClassifier", THREE, WEIGHED),
    "a forest of balanced samples": forest(
        "RandomForestClassifier", TWO, class_weight="balanced_subsample"
    ),
    "a forest of few rows each": forest("RandomForestRegressor", Y, max_samples=0.3),
    "a forest of several numbers": forest("RandomForestRegressor", SEVERAL, WEIGHED),
    "a forest of medians": forest("RandomForestRegressor", Y, criterion="absolute_error"),
    "random splits of several numbers": forest("ExtraTreesRegressor", SEVERAL),
    "random splits of three classes": forest("ExtraTreesClassifier", THREE),
    "boosting from zero": gb("Classifier", TWO, init="zero"),
    "boosting of three from zero": gb("Classifier", THREE, init="zero"),
    "boosting of quantiles": gb("Regressor", Y, loss="quantile", alpha=0.2),
    "boosting of absolute errors": gb("Regressor", Y, loss="absolute_error"),
    "boosting on parts of rows": gb("Regressor", Y, WEIGHED, subsample=0.5),
    "boosting of three classes": gb("Classifier", THREE),
    "boosting by exponential loss": gb("Classifier", TWO, loss="exponential"),
    "histograms of absolute errors": hist("Regressor", Y, loss="absolute_error"),
    "histograms of quantiles": hist("Regressor", Y, loss="quantile", quantile=0.2),
    "histograms of three classes": hist("Classifier", THREE, class_weight="balanced"),
    "histograms of three, with categories": hist("Classifier", THREE, categorical_features=[0, 3]),
    "histograms, rising": hist("Classifier", TWO, WEIGHED, monotonic_cst=[1, 0, 0, 0, 0]),
    "histograms, few bins": hist("Regressor", Y, max_bins=4),
    "histograms, stumps": hist("Classifier", TWO, max_depth=1),
}
WHOLE_ONLY = (
    "boosting",
    "a rising tree",
    "a tree of counts",
)  # not fitted by it where values are missing


@pytest.mark.parametrize(
    ("case", "rows"),
    [(case, X) for case in SCIKIT]
    + [(case, HOLES) for case in SCIKIT if not case.startswith(WHOLE_ONLY)],
    ids=lambda one: one if isinstance(one, str) else "whole" if one is X else "with holes",
)
def test_trees_of_scikit_learn_have_the_values_of_the_definition(case, rows):
    native, y, fit = SCIKIT[case]
    if "categories" in case:
        rows = rows.copy()
        rows[:, [0, 3]] = np.round(np.abs(rows[:, [0, 3]]) * 3) % 7
    check(native.fit(rows, y, **fit), rows)
