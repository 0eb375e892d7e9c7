"""A missing value in a picture, in its text and in the report; dates by their order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgba

import workbench as wb
from workbench import data, draw, methods
from workbench.draw.style import MISSING, NEUTRAL
from workbench.report import report

NAN = np.nan


def explained(rows):
    width = rows.values.shape[1]
    model = wb.Model(
        "known", lambda asked: np.nan_to_num(asked) @ np.ones((width, 1)), ("y",), "raw"
    )
    return wb.explain(model, rows, methods.ExactShapley())


@pytest.fixture(scope="module")
def result():
    values = [[1.0, NAN, 0.0], [2.0, 3.0, NAN], [3.0, 5.0, 1.0], [NAN, 4.0, 1.0]]
    return explained(
        wb.Inputs(
            values,
            features=("age", "dose", "color"),
            categories={"color": ("red", "blue")},
            background=[[0.0, 0.0, 0.0]],
        )
    )


def colors(figure, column):
    """The points' colors of one column of a beeswarm, as text."""
    axes = figure.axes[0]
    names = [one.get_text() for one in axes.get_yticklabels()]
    return [to_hex(one) for one in axes.collections[names.index(column)].get_facecolors()]


def test_a_bars_label_says_missing(result):
    assert "dose = missing" in draw.bars_text(result, 0)
    assert "color = missing" in draw.bars_text(result, 1)
    figure = draw.bars(result, 0)
    assert "dose = missing" in [one.get_text() for one in figure.axes[0].get_yticklabels()]
    assert "age = missing" in draw.waterfall_text(result, 3)


def test_a_missing_value_has_a_gray_of_its_own_that_the_legend_names(result):
    figure = draw.beeswarm(result)
    gray, none = to_hex(MISSING), to_hex(NEUTRAL)
    assert gray != none
    assert [one == gray for one in colors(figure, "dose")] == [True, False, False, False]
    assert colors(figure, "color") == [none, gray, none, none]
    (legend,) = [one.get_legend() for one in figure.axes if one.get_legend()]
    assert [one.get_text() for one in legend.get_texts()] == ["missing"]
    (handle,) = legend.legend_handles
    assert tuple(handle.get_facecolor()[0]) == to_rgba(MISSING)


def lightness(found):
    return [sum(to_rgba(one)[:3]) for one in found]


def test_known_values_beside_missing_ones_keep_their_order_of_colors(result):
    ramp = lightness(colors(draw.beeswarm(result), "age")[:3])  # cividis grows lighter
    assert ramp[0] < ramp[1] < ramp[2]


def test_without_missing_values_there_is_no_legend_and_no_column():
    whole = explained(wb.Inputs([[1.0], [2.0]], features=("age",), background=[[0.0]]))
    assert draw.beeswarm(whole).axes[0].get_legend() is None
    assert "missing" not in draw.beeswarm_text(whole)


def test_the_text_of_a_swarm_counts_missing_values(result):
    lines = draw.beeswarm_text(result).splitlines()
    assert lines[1].endswith("missing")
    counts = {line.split()[0]: line.split()[-1] for line in lines[2:]}
    assert counts == {"age": "1", "dose": "1", "color": "1"}


def test_a_column_that_is_missing_in_every_row_is_drawn():
    rows = wb.Inputs([[NAN, 1.0], [NAN, 2.0]], background=[[1.0, 0.0]])
    assert set(colors(draw.beeswarm(explained(rows)), "x0")) == {to_hex(MISSING)}


def test_infinity_is_at_the_end_of_the_colors():
    rows = wb.Inputs([[1.0], [2.0], [3.0], [np.inf]], background=[[1.0]])
    made = wb.explain(
        wb.Model("bounded", lambda asked: np.tanh(asked), ("y",), "raw"),
        rows,
        methods.ExactShapley(),
    )
    found = colors(draw.beeswarm(made), "x0")
    assert found[3] == found[2] != found[1]


def test_a_date_is_shown_as_a_date_and_colored_by_its_order():
    frame = pd.DataFrame({"when": pd.to_datetime(["2024-05-03", None, "2024-05-01", "2024-05-02"])})
    rows = data.table(frame, background=frame[2:3])
    model = wb.Model(
        "days", lambda asked: np.nan_to_num(asked) / 86.4e9, ("y",), "raw", columns=rows.columns
    )
    made = wb.explain(model, rows, methods.ExactShapley())
    assert "when = 2024-05-03" in draw.bars_text(made, 0)
    assert "when = missing" in draw.bars_text(made, 1)
    found = colors(draw.beeswarm(made), "when")
    ramp = lightness(found)
    assert ramp[2] < ramp[3] < ramp[0]
    assert found[1] == to_hex(MISSING)


def test_the_report_says_missing(result):
    assert "dose = missing" in report([result], title="Reasons")
