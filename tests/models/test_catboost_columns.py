"""CatBoost's columns of labels and texts, and its rankers: equal to its own predict, or refused."""

import catboost
import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench import data, methods
from workbench.errors import InputError

RNG = np.random.default_rng(0)
N = 200
CAT = {"iterations": 10, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
FRAME = pd.DataFrame(
    {
        "zip": RNG.integers(0, 4, N),
        "dose": RNG.normal(size=N),
        "town": RNG.choice(["Rome", "Oslo"], N),
        "text": [" ".join(RNG.choice(["good", "bad", "late", "fast"], 3)) for _ in range(N)],
    }
)
Y = 2.0 * (FRAME["zip"] == 2) + FRAME["dose"] - (FRAME["town"] == "Oslo")


@pytest.mark.parametrize(
    ("columns", "settings"),
    [
        (["zip", "dose"], {"cat_features": ["zip"]}),
        (["zip", "dose", "town"], {"cat_features": ["zip", "town"]}),
        (["text", "dose", "zip"], {"cat_features": ["zip"], "text_features": ["text"]}),
    ],
)
def test_whole_numbers_and_texts_reach_it_as_they_were(columns, settings):
    frame = FRAME[columns]
    native = catboost.CatBoostRegressor(**CAT).fit(frame, Y, **settings)
    rows = data.table(frame[:8], background=frame[50:60])
    found = wb.explain(wb.wrap(native, like=rows), rows, methods.ExactShapley(), wb.Target(0))
    np.testing.assert_array_equal(found.output, native.predict(frame[:8]))
    np.testing.assert_allclose(found.base, native.predict(frame[50:60]).mean(), rtol=1e-12)


def test_an_array_with_labels_is_read_by_position():
    array = FRAME[["zip", "dose"]].to_numpy(object)
    native = catboost.CatBoostRegressor(**CAT).fit(array, Y, cat_features=[0])
    rows = data.table(FRAME[["zip", "dose"]][:20])
    model = wb.wrap(native, like=rows)
    np.testing.assert_array_equal(model.scores(rows.values)[:, 0], native.predict(array[:20]))


@pytest.mark.parametrize("kind", ["int64", "category"])
def test_numbers_where_it_was_fitted_on_text_are_refused(kind):
    frame = FRAME[["town", "dose"]]
    native = catboost.CatBoostRegressor(**CAT).fit(frame, Y, cat_features=["town"])
    coded = frame.assign(town=(frame["town"] == "Rome").astype(int).astype(kind))
    with pytest.raises(InputError, match="fitted on labels in column 'town'"):
        wb.wrap(native, like=data.table(coded[:40]))
    misspelled = frame.assign(town=frame["town"].str.upper())
    assert "never seen" in " ".join(wb.wrap(native, like=data.table(misspelled[:40])).notes)
    assert "never seen" not in " ".join(wb.wrap(native, like=data.table(frame[:40])).notes)


@pytest.mark.parametrize("loss", ["YetiRank", "PairLogit"])
def test_a_ranker_is_explained_in_its_own_scores(loss):
    x = FRAME[["dose", "zip"]].astype(float)
    native = catboost.CatBoostRanker(**CAT, loss_function=loss)
    native.fit(x, RNG.integers(0, 3, N), group_id=np.repeat(np.arange(N // 10), 10))
    rows = data.table(x[:6], background=x[40:50])
    found = wb.explain(wb.wrap(native), rows, methods.TreeSHAP(), wb.Target(0))
    np.testing.assert_array_equal(found.output, native.predict(x[:6]))
    asked = wb.explain(wb.wrap(native), rows, methods.ExactShapley(), wb.Target(0))
    np.testing.assert_allclose(found.values, asked.values, atol=1e-12)
