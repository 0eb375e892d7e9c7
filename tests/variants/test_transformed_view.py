"""The second view of a Pipeline: its last step on the columns it reads, raw columns as players."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler

import workbench as wb
from workbench import data, methods, variants
from workbench.errors import IncompatibleError

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "town": RNG.choice(["Oslo", "Rome", "Lima"], 90),
        "age": RNG.normal(50, 10, 90),
        "kind": RNG.choice(["a", "b"], 90),
        "dose": RNG.normal(size=90),
    }
)
LABEL = (FRAME.town == "Rome") + (FRAME.age > 50) * (FRAME.kind == "a") + FRAME.dose > 0.5
ROUNDING = 1e-12  # sums of probabilities near 1, added in another order


def forest():
    return RandomForestClassifier(5, max_depth=5, random_state=0)


def pipeline(last, numbers=None):
    steps = make_column_transformer(
        (OneHotEncoder(), ["town", "kind"]),
        (numbers or StandardScaler(), ["age", "dose"]),
        verbose_feature_names_out=False,
    )
    return make_pipeline(steps, last).fit(FRAME, LABEL)


def rows():
    every = data.table(FRAME)
    return every[:3].with_background(every.values[10:21])


def by_name(result):
    """Credit `(players,)` of every row, by player."""
    return {
        name: np.array([result.by_player(row)[j] for row in range(len(result.inputs))])
        for j, name in enumerate(result.names)
    }


def test_the_view_answers_as_the_pipeline_and_shows_the_trees():
    model = wb.wrap(pipeline(forest()), like=rows())
    view, seen = variants.transformed_view(model, rows())
    np.testing.assert_array_equal(view.scores(seen.values), model.scores(rows().values))
    assert (view.outputs, view.scale) == (model.outputs, model.scale)
    assert "trees" in view.capabilities
    assert "trees" not in model.capabilities
    assert "transformed_view" in model.absent["trees"]
    assert any("in the units these give them" in note for note in view.notes)
    assert seen.players()[1] == ("town", "kind", "age", "dose")


def test_raw_columns_and_their_players_play_one_game():
    model = wb.wrap(pipeline(forest()), like=rows())
    view, seen = variants.transformed_view(model, rows())
    raw = by_name(wb.explain(model, rows(), methods.ExactShapley(), wb.Target(0)))
    grouped = by_name(wb.explain(view, seen, methods.ExactShapley(), wb.Target(0)))
    assert raw.keys() == grouped.keys()
    for name in raw:
        np.testing.assert_allclose(raw[name], grouped[name], rtol=0, atol=ROUNDING)


def test_tree_shap_plays_single_columns_which_is_another_game_with_the_same_total():
    view, seen = variants.transformed_view(wb.wrap(pipeline(forest()), like=rows()), rows())
    groups = wb.explain(view, seen, methods.ExactShapley(), wb.Target(0))
    columns = wb.explain(view, seen, methods.TreeSHAP(), wb.Target(0))
    np.testing.assert_allclose(columns.gap, 0, atol=ROUNDING)
    np.testing.assert_allclose(columns.base, groups.base, atol=ROUNDING)
    assert not np.allclose(by_name(columns)["town"], by_name(groups)["town"], atol=1e-4)
    assert any("columns played, not groups" in note for note in columns.notes)


def test_in_a_linear_model_every_game_gives_a_raw_column_the_same():
    model = wb.wrap(pipeline(LogisticRegression()), like=rows(), scale="logit")
    view, seen = variants.transformed_view(model, rows())
    raw = by_name(wb.explain(model, rows(), methods.ExactShapley(), wb.Target(0)))
    final = view.native
    parts = final.coef_[0] * (seen.values - seen.background.mean(axis=0))
    players, names = seen.players()
    for player, name in enumerate(names):
        np.testing.assert_allclose(raw[name], parts[:, players == player].sum(axis=1), atol=1e-12)


def test_a_column_made_of_several_is_a_player_the_raw_view_does_not_have():
    model = wb.wrap(pipeline(forest(), PolynomialFeatures(2, include_bias=False)), like=rows())
    view, seen = variants.transformed_view(model, rows())
    assert "age dose" in seen.players()[1]
    raw = by_name(wb.explain(model, rows(), methods.ExactShapley(), wb.Target(0)))
    other = by_name(wb.explain(view, seen, methods.ExactShapley(), wb.Target(0)))
    assert not np.allclose(raw["age"], other["age"], atol=1e-4)


def test_the_pipeline_inside_a_search_has_a_view_and_a_bare_model_has_none():
    search = GridSearchCV(pipeline(LogisticRegression()), {"logisticregression__C": [1.0]}, cv=2)
    model = wb.wrap(search.fit(FRAME, LABEL), like=rows())
    view, seen = variants.transformed_view(model, rows(), name="inside")
    assert view.name == "inside"
    np.testing.assert_array_equal(view.scores(seen.values), model.scores(rows().values))
    bare = wb.wrap(LogisticRegression().fit(FRAME[["age"]], LABEL), like=data.table(FRAME[["age"]]))
    with pytest.raises(IncompatibleError, match="needs a scikit-learn Pipeline"):
        variants.transformed_view(bare, rows())
