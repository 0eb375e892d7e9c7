"""Budgets: what is asked, what breaks them, and the table and the XML that say so."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tests.lab.rows_by_hand import behaving, drift_of, measured
from tests.results_by_hand import HOSTILE
from workbench.compare.drift.result import Quality
from workbench.core import printable
from workbench.errors import InputError
from workbench.lab import Budget, Check, Checked, check_budget, junit, table
from workbench.lab.junit import failed_junit

PRESERVED = drift_of(measured("int8", [0.02, 0.04]))
CHANGED = drift_of(measured("int8", [0.3, 0.5], reason="beyond the margin: drift 0.4."))
PART = drift_of(measured("int8", [0.02, 0.04], verdict="changed in part"))
HERE = drift_of(measured("int8", [0.02, 0.04], verdict="undetermined", on_rows="preserved"))
OPEN = drift_of(measured("int8", [0.1, 0.1], verdict="undetermined"))


def rated(drift, measure="pointing game", copy=(1.0, 0.0, 1.0, 1.0), verdict="worse"):
    one = Quality(
        "int8", "GradCAM", measure, np.ones(4), np.array(copy), -0.25, -0.5, -0.1, verdict
    )
    return drift_of(*drift.measured, quality=(one,))


@pytest.mark.parametrize(
    ("drift", "budget", "held"),
    [
        (PRESERVED, Budget(), True),
        (CHANGED, Budget(), False),
        (OPEN, Budget(), False),
        (OPEN, Budget(undetermined="allow"), True),
        (CHANGED, Budget(undetermined="allow"), False),
        (CHANGED, Budget("any", drift={"distance": 0.4}), True),
        (CHANGED, Budget("any", drift={"distance": 0.39}), False),
        (CHANGED, Budget("any", normalized=0.4), True),
        (CHANGED, Budget("any", normalized=0.3), False),
        (behaving(PRESERVED, "int8", flips=0.1), Budget(flips=0.1), True),
        # What nobody asked about: one row in a hundred may flip, and no more.
        (behaving(PRESERVED, "int8", flips=0.01), Budget(), True),
        (behaving(PRESERVED, "int8", flips=0.44), Budget(), False),
        (behaving(PRESERVED, "int8", flips=0.44), Budget(flips=1), True),
        (PART, Budget(), False),
        (PART, Budget("in part"), True),
        (CHANGED, Budget("in part"), False),
        (HERE, Budget(), False),
        (HERE, Budget(scope="these rows"), True),
        (behaving(PRESERVED, "int8", flips=0.2), Budget(flips=0.1), False),
        # 0.98 - 0.96 is 0.020000000000000018 in floating point
        (behaving(PRESERVED, "int8", accuracy=(0.98, 0.96)), Budget(accuracy_drop=0.02), True),
        (behaving(PRESERVED, "int8", accuracy=(0.98, 0.95)), Budget(accuracy_drop=0.02), False),
        (behaving(PRESERVED, "int8", accuracy=(0.9, 0.95)), Budget(accuracy_drop=0.0), True),
        (rated(PRESERVED), Budget(pointing_game=0.75), True),
        (rated(PRESERVED), Budget(pointing_game=0.76), False),
        (rated(PRESERVED), Budget(worse="break"), False),
        (rated(PRESERVED, verdict="no difference seen"), Budget(worse="break"), True),
    ],
)
def test_a_budget_is_kept_up_to_its_limit_and_broken_beyond(drift, budget, held):
    checked = check_budget(drift, budget)
    assert checked.held is held
    assert f"The budget is {'kept' if held else 'broken'}" in table(checked)


def test_every_copy_is_held_against_every_line_by_every_method():
    drift = drift_of(
        measured("a", [0.02, 0.02]),
        measured("a", [0.05, 0.05], method="GradCAM"),
        measured("b", [0.3, 0.3]),
        measured("b", [0.01, 0.01], method="GradCAM"),
    )
    checked = check_budget(drift, Budget("any", flips=1, drift={"distance": 0.04}))
    assert [
        (check.model, check.what, check.held) for check in checked.checks if check.what != "flips"
    ] == [
        ("a", "distance by Occlusion", True),
        ("a", "distance by GradCAM", False),
        ("b", "distance by Occlusion", False),
        ("b", "distance by GradCAM", True),
    ]


def test_only_all_rows_count_for_a_limit_of_drift():
    flipped = measured("int8", [9.0], stratum="flipped", rows=np.array([1]))
    drift = drift_of(measured("int8", [0.02, 0.04]), flipped)
    assert check_budget(drift, Budget(drift={"distance": 0.04})).held


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(flips=0.1), "budget.flips needs classes that are predicted"),
        (Budget(accuracy_drop=0.1), "budget.accuracy_drop needs rows whose classes are known"),
        (
            Budget(drift={"cosine": 0.1}),
            r"asks for 'cosine', which was not measured .* \['distance'\]",
        ),
        (Budget(pointing_game=0.5), "budget.pointing_game needs images whose truth is known"),
        (Budget(worse="break"), "budget.worse needs a measure of quality"),
        (Budget(normalized=0.5), "budget.normalized needs the line of random weights"),
        (Budget(verdict="any"), "A budget must ask for something"),
    ],
)
def test_what_was_not_measured_is_an_error_and_no_pass(budget, words):
    drift = behaving(drift_of(measured("int8", [0.0, 0.0], random=None)), "int8", flips=None)
    with pytest.raises(InputError, match=words):
        check_budget(drift, budget)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"verdict": "perfect"},
            r"budget.verdict must be one of \['preserved', 'in part', 'any'\], not 'perfect'",
        ),
        ({"undetermined": "maybe"}, "budget.undetermined must be one of"),
        ({"worse": True}, "budget.worse must be one of"),
        ({"flips": -0.1}, "budget.flips must be a number from 0 to 1, not -0.1"),
        ({"flips": 2}, "budget.flips must be a number from 0 to 1, not 2"),
        ({"accuracy_drop": True}, "budget.accuracy_drop must be a number"),
        ({"pointing_game": "half"}, "budget.pointing_game must be a number"),
        ({"normalized": float("nan")}, "budget.normalized must be a number from 0, not nan"),
        ({"drift": {"cosine": -1}}, "budget.drift.cosine must be a number from 0, not -1"),
        ({"drift": 0.1}, "budget.drift needs metrics"),
    ],
)
def test_a_budget_is_checked_when_it_is_made(fields, words):
    with pytest.raises(InputError, match=words):
        Budget(**fields)


def test_the_table_is_aligned_and_says_why():
    shown = table(check_budget(CHANGED, Budget(drift={"distance": 0.5})))
    assert shown.splitlines() == [
        "net against 1 copy, 2 rows",
        "copy  check                  allowed    found",
        "int8  verdict                preserved  changed for rows like these  BROKEN",
        "int8  flips                  ≤ 1.0%     0.0%                         held",
        "int8  distance by Occlusion  ≤ 0.5      0.4                          held",
        "int8: Explanations undetermined on these 2 rows; changed for rows like these (relative distance "
        "(L2) by Occlusion 0.4, margin 0.1). Predictions preserved on these rows (0 of 2 rows flipped, "
        "0 %).",
        "int8, verdict: distance by Occlusion: beyond the margin: drift 0.4.",
        "The budget is broken: 2 of 3 checks held.",
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text_in_table_and_xml(name):
    check = Check(name, f"cosine by {name}", "≤ 0.1", name, False, f"because {name} & <more>")
    checked = Checked(name, (check, Check(name, "flips", "≤ 0", "0", True)), 40, (name,))
    lines = table(checked).splitlines()
    assert len(lines) == 1 + 1 + 2 + 1 + 1 + 1
    assert not any(ord(ch) < 32 or ch == "\u202e" for line in lines for ch in line)
    root = ElementTree.fromstring(junit(checked, seconds=1.5).encode())
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    assert [len(case) for case in suite] == [1, 0, 0]
    shown = printable(name)  # without what XML cannot hold, and what a terminal would obey
    assert (suite[2].tag, suite[2].text) == ("system-out", shown)
    assert suite[0].get("classname") == shown
    assert suite[0][0].text == f"{shown}, allowed ≤ 0.1. because {shown} & <more>"


def test_a_study_that_could_not_be_run_is_an_error_in_xml():
    (suite,) = ElementTree.fromstring(failed_junit('needs "rows" & <none>').encode())
    assert (suite.get("errors"), suite.get("failures")) == ("1", "0")
    assert suite[0][0].tag == "error"
    assert suite[0][0].get("message") == 'needs "rows" & <none>'


def test_random_weights_within_the_noise_are_no_scale_to_measure_by():
    lost = drift_of(measured("int8", [0.9, 0.9], noise=0.5, random=0.4))
    with pytest.raises(
        InputError, match="farther away than the explainer's own noise, but for 'int8'"
    ):
        check_budget(lost, Budget("any", normalized=0.5))


def test_a_metric_that_does_not_exist_is_refused_before_anything_runs():
    with pytest.raises(InputError, match=r"budget\.drift is by metric, and 'cosin' is none"):
        Budget(drift={"cosin": 0.1})
