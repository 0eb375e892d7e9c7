"""Rows, slices and features are found where they were planted, on drifts written down by hand."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.lab.rows_by_hand import drift_of, explained, measured, table
from workbench.core import Inputs, Target
from workbench.errors import InputError
from workbench.lab import findings

N = 40


def kept_with(*found, inputs=None, values=None):
    """A drift over 40 rows of two columns, the reference's values and the copies' kept beside it."""
    inputs = (
        Inputs(np.zeros((N, 2)), kind="tabular", features=("a", "b")) if inputs is None else inputs
    )
    values = np.ones(inputs.values.shape) if values is None else values
    models = tuple(dict.fromkeys(one.model for one in found))
    return drift_of(
        *found, attributions=tuple(explained(name, values, inputs) for name in ("net", *models))
    )


def test_rows_are_ranked_by_drift_those_with_a_kept_prediction_first():
    drift = np.arange(N) / N
    flips = measured("int8", drift[[39, 3]], stratum="flipped", rows=np.array([39, 3]))
    found = findings(kept_with(measured("int8", drift), flips)).rows
    assert len(found) == N
    assert [row.row for row in found[:3]] == [38, 37, 36]
    assert [row.row for row in found[-2:]] == [39, 3]
    assert [row.kept for row in found] == [True] * 38 + [False] * 2
    assert found[0].id == "row 38"
    assert found[0].drift == 38 / 40


def test_the_class_that_is_hit_hardest_is_named_and_a_slice_by_chance_is_not_called_harder():
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2, 3], 10)
    drift = 0.1 + 0.02 * rng.random(N)
    drift[classes == 2] += 0.3
    inputs = Inputs(rng.normal(size=(N, 2)), kind="tabular", features=("a", "b"), y=classes)
    named = tuple(("circle", "square", "triangle", "cross")[k] for k in classes)
    made = kept_with(measured("int8", drift), inputs=inputs)
    made = replace(
        made,
        attributions=tuple(
            replace(one, target=Target(tuple(classes.tolist())), explained=named)
            for one in made.attributions
        ),
    )
    found = findings(made).slices
    assert found[0].slice == "class = triangle"
    assert found[0].rows == 10
    assert found[0].positions == tuple(range(20, 30))
    assert found[0].drift == pytest.approx(drift[20:30].mean())
    assert found[0].rest == pytest.approx(np.delete(drift, slice(20, 30)).mean())
    assert [part.slice for part in found if part.harder] == ["class = triangle"]
    assert len(found) > 1  # other slices have more drift than the rest too, by chance


def test_one_slice_of_many_is_called_harder_by_chance_in_a_twentieth_of_studies_at_most():
    called = 0
    inputs = table(60, 6)
    for seed in range(200):
        drift = np.random.default_rng(seed).exponential(0.1, size=60)
        made = kept_with(measured("int8", drift), inputs=inputs)
        called += any(part.harder for part in findings(made).slices)
    assert called <= 10  # 5 % of 200, with 24 slices tried in each


def test_slices_have_their_least_number_of_rows_on_either_side():
    drift = np.r_[np.ones(9), np.zeros(31)]
    classes = np.r_[np.zeros(9, dtype=int), np.ones(31, dtype=int)]
    inputs = Inputs(np.zeros((N, 1)), kind="tabular", features=("a",), y=classes)
    few = findings(kept_with(measured("int8", drift), inputs=inputs), smallest=10)
    assert [(part.slice, part.rows, part.words) for part in few.slices] == [
        ("class = 0", 9, "too few to say")
    ]
    none = findings(kept_with(measured("int8", 0 * drift), inputs=inputs), smallest=10)
    assert none.notes == ("No slice has 10 rows and more drift than the rest.",)
    (part,) = findings(kept_with(measured("int8", drift), inputs=inputs), smallest=9).slices
    assert (part.slice, part.drift, part.rest, part.low) == ("class = 0", 1.0, 0.0, 1.0)


def test_classes_are_called_by_their_own_names_and_never_by_another_classs_output():
    drift = np.r_[np.ones(20), np.zeros(20)]
    shared = {"kind": "tabular", "features": ("a",)}
    for classes, target, told, name in (
        # One output, "ill", is explained in every row: class 0 is its opposite.
        ([0] * 20 + [1] * 20, Target((0,) * N), ("ill",) * N, "class = 0"),
        # What is explained of a contrast is a difference, and no class.
        (
            [0] * 20 + [1] * 20,
            Target((0,) * 20 + (1,) * 20, 1),
            ("a − b",) * 20 + ("0",) * 20,
            "class = 0",
        ),
        (["cat"] * 20 + ["dog"] * 20, Target((0,) * N), ("dog",) * N, "class = cat"),
    ):
        made = kept_with(
            measured("int8", drift),
            inputs=Inputs(np.zeros((N, 1)), y=np.array(classes), **shared),
        )
        made_of = tuple(replace(one, target=target, explained=told) for one in made.attributions)
        assert [one.slice for one in findings(replace(made, attributions=made_of)).slices] == [name]


def test_slices_of_a_table_are_categories_values_and_quarters():
    values = np.stack([np.arange(N), np.arange(N) % 2, np.arange(N) % 5], axis=1)
    inputs = Inputs(
        values,
        kind="tabular",
        features=("age", "city", "children"),
        categories={"city": ("Oslo", "Rome")},
    )
    drift = np.where(values[:, 1] == 1, 1.0, 0.0) + np.where(values[:, 0] >= 30, 0.5, 0.0)
    found = findings(kept_with(measured("int8", drift), inputs=inputs), smallest=5).slices
    names = {part.slice: part.rows for part in found}
    assert found[0].slice == "city = Rome"
    assert names["age from 29.25 to 39"] == 10
    assert names["city = Rome"] == 20
    assert {name for name in names if name.startswith("children")} <= {
        f"children = {k}" for k in range(5)
    }


def test_slices_say_how_many_of_their_rows_flipped():
    drift = np.r_[np.ones(20), np.zeros(20)]
    classes = np.repeat([0, 1], 20)
    inputs = Inputs(np.zeros((N, 1)), kind="tabular", features=("a",), y=classes)
    turned = np.array([0, 1, 2, 3, 30])
    flips = measured("int8", drift[turned], stratum="flipped", rows=turned)
    (part,) = findings(kept_with(measured("int8", drift), flips, inputs=inputs)).slices
    assert (part.flips, part.rest_flips) == (4 / 20, 1 / 20)


def test_features_that_came_among_the_top_and_left_it_are_told_with_signed_change():
    inputs = Inputs(np.zeros((N, 4)), kind="tabular", features=tuple("abcd"))
    before = np.tile([4.0, -3.0, 0.5, 0.0], (N, 1))
    after = np.tile([4.0, 0.0, -2.5, 0.0], (N, 1))
    made = drift_of(
        measured("int8", np.ones(N)),
        attributions=(explained("net", before, inputs), explained("int8", after, inputs)),
    )
    found = {one.feature: one for one in findings(made).features}
    assert [one.feature for one in findings(made).features][:2] == ["b", "c"]
    assert (found["b"].change, found["b"].share_before, found["b"].share_after) == (
        "shrank",
        1.0,
        0.0,
    )
    assert (found["b"].size_before, found["b"].size_after, found["b"].mean_change) == (
        3.0,
        0.0,
        3.0,
    )
    assert (found["c"].change, found["c"].mean_change) == ("sign turned", -3.0)
    assert (found["c"].share_before, found["c"].share_after) == (0.0, 1.0)
    assert found["a"].change == found["d"].change == "same"


def test_a_feature_without_credit_is_never_among_the_top():
    inputs = Inputs(np.zeros((N, 4)), kind="tabular", features=tuple("abcd"))
    before, after = (np.tile(row, (N, 1)) for row in ([0.0, 5.0, 4.0, 0.0], [0.0, 5.0, 0.0, 0.0]))
    made = drift_of(
        measured("int8", np.ones(N)),
        attributions=(explained("net", before, inputs), explained("int8", after, inputs)),
    )
    found = {one.feature: (one.change, one.share_after) for one in findings(made).features}
    # Two are on top where there are four; with one left, the second place stays empty.
    assert found == {
        "a": ("same", 0.0),
        "b": ("same", 1.0),
        "c": ("shrank", 0.0),
        "d": ("same", 0.0),
    }


def test_a_feature_that_comes_and_goes_has_moved_and_neither_grew_nor_shrank():
    inputs = Inputs(np.zeros((N, 2)), kind="tabular", features=("a", "b"))
    even = np.arange(N) % 2 == 0
    before = np.where(even[:, None], [2.0, 1.0], [1.0, 2.0])
    after = np.where(even[:, None], [1.0, 2.0], [2.0, 1.0])
    made = drift_of(
        measured("int8", np.ones(N)),
        attributions=(explained("net", before, inputs), explained("int8", after, inputs)),
    )
    found = findings(made).features
    assert {one.change for one in found} == {"moved"}
    assert [(one.share_before, one.share_after, one.mean_change, one.moved) for one in found] == [
        (0.5, 0.5, 0.0, 1.0)
    ] * 2


def test_pixels_have_no_names_and_no_feature_findings():
    images = Inputs(np.zeros((N, 4, 5, 3)), kind="image")
    made = drift_of(
        measured("int8", np.ones(N)),
        attributions=(
            explained("net", np.ones((N, 4, 5)), images),
            explained("int8", np.zeros((N, 4, 5)), images),
        ),
    )
    assert findings(made).features == ()


def test_what_is_not_there_is_refused_with_what_is():
    made = kept_with(measured("int8", np.ones(N)))
    with pytest.raises(InputError, match=r"'LIME' is none. Choose one of \['Occlusion'\]"):
        findings(made, method="LIME")
    with pytest.raises(InputError, match=r"'cosine' is none. Choose one of \['distance'\]"):
        findings(made, metric="cosine")
    with pytest.raises(InputError, match=r"carries none\. Take the Drift"):
        findings(replace(made, attributions=()))
    with pytest.raises(InputError, match="from 2 on, not 1"):
        findings(made, smallest=1)


def test_a_copy_without_the_method_is_named_and_left_out():
    first = measured("int8", np.ones(N), method="GradCAM")
    second = measured("int8", np.ones(N))
    third = measured("pruned", np.ones(N))
    inputs = Inputs(np.zeros((N, 2)), kind="tabular", features=("a", "b"))
    ones = np.ones((N, 2))
    made = drift_of(
        first,
        second,
        third,
        attributions=(
            explained("net", ones, inputs),
            explained("net", 2 * ones, inputs),
            explained("int8", 3 * ones, inputs),
            explained("int8", 4 * ones, inputs),
            explained("pruned", 5 * ones, inputs),
        ),
    )
    found = findings(made, method="GradCAM")
    assert {row.model for row in found.rows} == {"int8"}
    assert found.notes[0] == "'pruned' was not explained by GradCAM, so nothing is found in it."
    assert found.features[0].size_after == 3.0
    by_occlusion = {
        one.model: one.size_after for one in findings(made, method="Occlusion").features
    }
    assert by_occlusion == {"int8": 4.0, "pruned": 5.0}


def test_findings_show_themselves_in_a_line():
    from tests.lab.rows_by_hand import linear, table
    from workbench.methods import Occlusion

    net, copy = linear("net", 1, 2, 3, 4, 5, 6), linear("copy", -1, 2, 3, 4, 5, 6)
    drift = wb.drift(net, copy, table(30), Occlusion())
    shown = repr(findings(drift))
    assert shown.startswith("Findings(slices hit harder: ")
    assert "features: u sign turned; rows: " in shown
    assert "(30 in all)" in shown
    assert len(shown) < 500
