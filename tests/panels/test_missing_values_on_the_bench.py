"""Rows with missing values on the bench: counted where they are loaded, shown where they are explained."""

import numpy as np

import workbench as wb
from workbench import methods
from workbench.panels import Bench, ExplainPanel
from workbench.panels.load.cards import inputs_html

NAN = np.nan


def rows():
    values = [[NAN, 1.0], [2.0, NAN], [NAN, 1.0]]
    return wb.Inputs(
        values, features=("age", "dose"), background=[[0.0, NAN], [NAN, 2.0]], name="patients"
    )


def model():
    def predict(asked):
        return 3.0 * np.isnan(asked[:, :1]) + np.nan_to_num(asked[:, 1:])

    return wb.Model("net", predict, ("risk",), "raw")


def test_a_card_counts_missing_values_of_rows_and_background():
    html = inputs_html(rows())
    assert "3: age (2), dose (1)" in html
    assert "2 of the background: age (1), dose (1)" in html
    assert "missing" not in inputs_html(wb.Inputs([[1.0]]))
    many = inputs_html(wb.Inputs(np.full((1, 11), NAN)))
    assert "11: x0 (1), x1 (1)" in many
    assert "x7 (1) and 3 more columns" in many


def test_the_explain_panel_shows_a_missing_value_as_missing():
    panel = ExplainPanel(Bench([model()], {"patients": rows()}), method=methods.ExactShapley())
    (result,) = panel.start().wait(20)
    np.testing.assert_array_equal(result.inputs.values, rows().values)
    assert "<td>missing</td>" in panel.twin()
    assert "age = missing" in panel.twin()


def test_a_gradient_method_is_offered_with_the_reason_why_it_cannot():
    from dataclasses import replace

    def gradient(asked, weights):
        return model().predict(asked), np.zeros((len(weights), *asked.shape))

    panel = ExplainPanel(Bench([replace(model(), gradient=gradient)], {"patients": rows()}))
    (option,) = (one for one in panel.view.options if one.name == "IntegratedGradients")
    assert "rows 0, 1, 2, columns 'age', 'dose'" in option.reason
