"""LightGBM writes underscores for the spaces in column names; a person's frame still has the spaces."""

import lightgbm
import numpy as np
import pandas as pd
import pytest

import workbench as wb
from workbench import data, methods
from workbench.errors import IncompatibleError, InputError

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "sepal length (cm)": RNG.normal(size=200),
        "my town": pd.Categorical(RNG.choice(["Turin", "Oslo", "Bonn"], 200), ["Turin", "Oslo", "Bonn"]),
        "dose": RNG.normal(size=200),
    }
)  # fmt: skip
Y = FRAME["sepal length (cm)"] + 2 * (FRAME["my town"] == "Oslo") - FRAME["dose"]
QUIET = {"n_estimators": 6, "verbose": -1, "num_threads": 1}


def fitted(frame=FRAME):
    return lightgbm.LGBMRegressor(**QUIET).fit(frame, Y)


def test_the_frame_of_the_fit_needs_no_like():
    native = fitted()
    rows = data.table(FRAME[:5], background=FRAME[50:60])
    found = wb.explain(wb.wrap(native), rows, methods.TreeSHAP(), wb.Target(0))
    np.testing.assert_array_equal(found.output, native.predict(FRAME[:5]))
    assert found.names == ("sepal length (cm)", "my town", "dose")
    with_like = wb.explain(wb.wrap(native, like=rows), rows, methods.TreeSHAP(), wb.Target(0))
    np.testing.assert_array_equal(found.values, with_like.values)


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 2, 1]])
def test_another_order_of_columns_is_refused_without_like_and_found_with_it(order):
    native = fitted()
    rows = data.table(FRAME.iloc[:5, order])
    with pytest.raises((InputError, IncompatibleError), match="another order"):
        wb.explain(wb.wrap(native), rows, methods.LIME(budget=16), wb.Target(0))
    model = wb.wrap(native, like=rows)
    np.testing.assert_array_equal(model.scores(rows.values)[:, 0], native.predict(FRAME[:5]))


def test_labels_in_another_order_are_refused_under_a_respelled_name_too():
    sorted_labels = FRAME.assign(**{"my town": FRAME["my town"].astype(str)})
    with pytest.raises((InputError, IncompatibleError), match="takes the rows' numbers otherwise"):
        wb.explain(
            wb.wrap(fitted()), data.table(sorted_labels[:5]), methods.LIME(budget=16), wb.Target(0)
        )


def test_two_columns_that_are_one_for_lightgbm_are_refused():
    native = fitted(FRAME.rename(columns={"my town": "town"}))
    both = FRAME.rename(columns={"my town": "town"}).assign(**{"sepal_length_(cm)": 0.0})
    with pytest.raises(InputError, match="underscores for spaces"):
        wb.wrap(native, like=data.table(both[:5]))


def test_other_names_stay_other_names():
    renamed = data.table(FRAME[:5].rename(columns={"dose": "do se"}))
    with pytest.raises((InputError, IncompatibleError), match="'do se'"):
        wb.explain(wb.wrap(fitted()), renamed, methods.LIME(budget=16), wb.Target(0))
