"""A Series or frame that a function answers with says by its index which row each score belongs to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench import data, explain, methods, wrap

FRAME = pd.DataFrame({"age": [31.0, 62.0, 45.0, 28.0], "dose": [0.5, 2.0, -1.0, 3.0]})


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows["age"].sort_values(),
        lambda rows: rows[["age"]][::-1],
        lambda rows: rows.groupby(rows["dose"] > 1)["age"].apply(lambda part: part).droplevel(0),
    ],
    ids=["sorted", "reversed frame", "by group"],
)
def test_scores_are_those_of_their_rows(answer: Callable[[Any], Any]) -> None:
    rows = data.table(FRAME[:1], background=FRAME[1:])
    model = wrap(answer, outputs=["age"], scale="raw", frames=True, like=rows)
    np.testing.assert_array_equal(model.scores(FRAME)[:, 0], FRAME["age"])
    found = explain(model, rows, methods.ExactShapley())
    np.testing.assert_allclose(found.values[0], [31 - 45, 0], atol=1e-12)
