"""Numbers in words, plans in words and tables: at the places where one word gives way to another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.core import Agreement, Comparison
from workbench.core.markup import clean, encodable, escape
from workbench.core.plan import Cost, Plan, bytes_in_words, rows_in_words, seconds_in_words
from workbench.core.table import LONGEST, csv_text, file_name
from workbench.core.variant import GradientCheck, Variant
from workbench.methods import GradCAM, Occlusion


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.994, "under 1 s"), (0.995, "about 1.0 s"), (9.94, "about 9.9 s"), (9.95, "about 10 s"),
        (89.9, "about 90 s"), (90.0, "about 1.5 min"), (5399, "about 90 min"), (5400, "about 1.5 h"),
        (3600 * 36_000, "about 36,000 h"),
    ],
)  # fmt: skip
def test_a_time_has_two_digits_in_the_largest_unit_it_fills_one_and_a_half_times(seconds, words):
    assert seconds_in_words((seconds, seconds)) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "under 1 MB"), (999_999, "under 1 MB"), (1_000_000, "1.0 MB"), (994_999_999, "995 MB"),
        (995_000_000, "1.0 GB"), (12_300_000_000, "12 GB"),
    ],
)  # fmt: skip
def test_memory_has_two_digits_in_its_unit(count, words):
    assert bytes_in_words(count) == words


def test_rows_are_a_number_or_a_range_and_may_go_without_a_unit():
    assert rows_in_words((1, 1), unit="") == "1"
    assert rows_in_words((1, 2)) == "1 to 2 model rows"
    assert rows_in_words(None, unit="") == "unknown"


def cost(model="net", method=None, **changes) -> Cost:
    fields = {"evaluations": (10, 10), "seconds": (2.0, 4.0), "result_bytes": 3_000_000}
    return Cost(model, method or Occlusion(), **(fields | changes))


def test_a_plan_adds_up_its_cells_and_the_largest_working_memory():
    plan = Plan(
        (cost(working_bytes=5_000_000), cost("copy", evaluations=(1, 5), working_bytes=1)), True
    )
    assert (plan.evaluations, plan.seconds, plan.bytes) == ((11, 15), (4.0, 8.0), 11_000_000)
    assert plan.sentence == "11 to 15 model rows, about 3.5 to 9.2 s and 11 MB"
    assert repr(plan).startswith("Plan(2 cells: ")
    assert repr(Plan((cost(),), False)) == "Plan(1 cell: 10 model rows)"
    for name in ("evaluations", "seconds", "result_bytes"):
        part = Plan((cost(), cost(**{name: None})), True)
        assert getattr(part, {"result_bytes": "bytes"}.get(name, name)) is None


def notes(*costs, probed=True) -> str:
    return " ".join(Plan(costs, probed).notes)


def test_a_plan_says_what_its_numbers_are_and_nothing_that_does_not_hold():
    measured = cost(finished=True, working_bytes=1)
    assert notes(measured) == "Working memory is how far the process grew while the probe ran."
    assert "does not report working memory" in notes(cost(finished=True))
    assert "short probe" in notes(cost())
    assert "short probe" not in notes(measured)
    assert "A range where a tolerance" in notes(cost(evaluations=(1, 2)))
    assert "A range" not in notes(cost(evaluations=(2, 2)), cost(evaluations=None))
    assert "Occlusion does not say how many" in notes(
        cost(evaluations=None), cost(method=GradCAM())
    )
    assert "The time of GradCAM is unknown" in notes(cost(), cost(method=GradCAM(), seconds=None))
    assert notes(cost(), probed=False) == "No model was asked, so seconds and bytes are not known."


def test_a_plans_table_has_a_head_for_every_column_and_none_for_what_was_not_measured():
    for probed, columns in ((True, 6), (False, 3)):
        page = Plan((cost(), cost("copy")), probed)._repr_html_()
        assert page.count('<th scope="col">') == columns
        assert page.count('<th scope="row">') == 2 * 2  # model and method name a line
        assert page.count("<td>") == 2 * (columns - 2)
    frame = Plan((cost(seconds=None, evaluations=(1, 5)),), True).to_frame()
    assert frame.loc[0, ["fewest_evaluations", "most_evaluations"]].tolist() == [1, 5]
    assert frame.loc[0, ["fewest_seconds", "most_seconds"]].isna().all()


def test_text_is_cut_at_its_limit_and_not_before_it():
    assert clean("x" * 200) == "x" * 200
    assert clean("x" * 201) == "x" * 100 + "…" + "x" * 99  # both ends stay
    assert clean("") == ""
    assert clean("a\r\nb") == "a b"
    assert escape("'") == "&#x27;"
    assert encodable("é\ud800") == "é\ufffd"
    assert encodable("\udfff") == "\ufffd"
    assert encodable("\ue000") == "\ue000"


@pytest.mark.parametrize("begin", [*list("=+-@"), "＝", " =", "\t+"])
def test_a_text_that_a_spreadsheet_would_compute_gets_an_apostrophe_and_a_number_none(begin):
    line = csv_text(pd.DataFrame({"head": [f"{begin}1"], "number": [-1.5], "none": [np.nan]}))
    _, row = line.splitlines()
    assert row.startswith("\"'")
    assert row.endswith(',-1.5,""')
    assert csv_text(pd.DataFrame({f"{begin}x": [True]})).startswith("\"'")


def test_a_cell_is_cut_where_spreadsheets_cut_and_a_name_is_one_of_a_file():
    (_, row) = csv_text(pd.DataFrame({"a": ["x" * (LONGEST + 1)]})).splitlines()
    assert len(row) == LONGEST + 2
    assert csv_text(pd.DataFrame({"a": [True, 3]})).splitlines()[1:] == ['"True"', "3"]
    assert file_name("__a__b__") == "a_b"
    assert file_name("x" * 99, limit=5) == "xx_xx"


def test_a_comparison_averages_rows_and_shows_its_numbers():
    rows = [
        Agreement("copy", "LIME", "0", row, metric, value)
        for row, values in (("a", (0.5, 2.0)), ("b", (1.0, 4.0)))
        for metric, value in zip(("cosine", "distance"), values, strict=True)
    ]
    found = Comparison("net", tuple(rows))
    assert found.summary().iloc[0].tolist() == ["copy", "LIME", "0", 0.75, 3.0]
    assert len(found.to_frame()) == 4
    assert "<td>0.750</td>" in found._repr_html_()
    assert repr(found) == "Comparison(reference='net', 4 numbers)"


def made(**changes) -> Variant:
    return Variant("net", "made()", "made", "float32", **({"touched": 1, "layers": 3} | changes))


def test_a_copy_warns_of_what_is_wrong_with_it_and_of_nothing_else():
    assert made().warnings == ()
    assert made(touched=0, layers=0).warnings == ()  # nothing that could be touched
    assert "none of 3 layers" in made(touched=0).warnings[0]
    assert made(batch_gap=0.0).warnings == ()
    assert "by up to 0.5)" in made(batch_gap=0.5).warnings[0]
    assert made(gradient=GradientCheck("ok", "fine")).warnings == ()
    assert "not used: it is flat" in made(gradient=GradientCheck("zero", "it is flat")).warnings[0]


def test_a_copy_knows_whether_it_changed_anything_once_it_was_tried():
    assert [made(change=one).changed for one in (None, 0.0, 1e-300)] == [None, False, True]
    assert [made(batch_gap=one).batch_invariant for one in (None, 0.0, 1e-9)] == [None, True, False]
    assert made().twin_note == ""
    assert "at most 0.25." in made(twin_gap=0.25, explained_as="its twin").twin_note
    assert "come from its twin" in made(twin_gap=0.0, explained_as="its twin").twin_note
