"""`resolve`: every choice becomes valid, or the view says what is in the way."""

from dataclasses import replace

import numpy as np
import pytest

from workbench import methods
from workbench.core import Inputs, Model, Target
from workbench.errors import InputError
from workbench.panels import Bench
from workbench.panels.kit.choices import Choices, resolve, target_choices
from workbench.study.run import run


@pytest.fixture
def scored(linear):
    return replace(linear, scale="logit", outputs=("sick", "well"))


@pytest.fixture
def bench(scored, four, table):
    wide = Model("wide", lambda rows: rows[:, :1], ("y",), "raw", shape=(6,), kind="tabular")
    return Bench([scored, wide], {"four": four, "six": table})


def options(view):
    return {one.name: one.reason for one in view.options}


def field(view, name):
    return next(one for one in view.fields if one["name"] == name)


def test_an_empty_bench_says_where_models_come_from(four):
    view = resolve(Bench(inputs=[four]), Choices())
    assert "bench.add_model" in view.blocked
    assert view.study is None
    assert view.code == ""


def test_a_bench_without_rows_says_where_rows_come_from(linear):
    assert "bench.add_inputs" in resolve(Bench([linear]), Choices()).blocked


def test_nothing_asked_is_the_first_of_everything(bench):
    view = resolve(bench, Choices())
    assert view.blocked == ""
    assert view.choices.model == "linear"
    assert view.choices.data == "four"
    assert view.choices.rows == "0-2"  # three rows are there
    assert view.choices.target == "predicted"
    (method,) = view.study.methods
    assert options(view)[type(method).__name__] == ""


def test_resolving_what_was_resolved_changes_nothing(bench):
    once = resolve(bench, Choices())
    assert resolve(bench, once.choices).choices == once.choices
    assert resolve(bench, once.choices).key == once.key


def test_only_rows_that_fit_the_model_are_offered_and_the_change_is_said(bench):
    view = resolve(bench, Choices(model="wide", data="four"))
    assert [value for value, _ in field(view, "data")["options"]] == ["six"]
    assert view.choices.data == "six"
    assert "needs rows of 6" in view.note


def test_when_no_rows_fit_the_reason_is_in_the_way(scored):
    wide = Model("wide", lambda rows: rows[:, :1], ("y",), "raw", shape=(9,))
    view = resolve(Bench([wide], [Inputs(np.ones((2, 4)), kind="tabular")]), Choices())
    assert "needs rows of 9" in view.blocked
    assert view.study is None


def test_names_that_are_gone_become_the_first_that_is_there(bench):
    view = resolve(bench, Choices(model="gone", data="gone", method="Gone"))
    assert (view.choices.model, view.choices.data) == ("linear", "four")
    assert view.study is not None


def test_methods_that_cannot_explain_come_last_with_the_reason(bench):
    view = resolve(bench, Choices())
    reasons = [one.reason for one in view.options]
    assert reasons == sorted(reasons, key=bool)
    assert (
        "TreeSHAP needs the model's trees, which 'linear' does not give."
        in options(view)["TreeSHAP"]
    )
    assert "image, signal and volume rows" in options(view)["GradCAM"]
    assert len(view.options) == len(methods.catalog())


def test_an_impossible_method_gives_way_and_the_reason_is_said(bench):
    view = resolve(bench, Choices(method="GradCAM"))
    assert view.choices.method != "GradCAM"
    assert "GradCAM explains image, signal and volume rows" in view.note


def test_a_method_that_one_parameter_makes_possible_can_be_chosen(scored, four):
    bare = Bench([scored], [four.with_background(None)])
    view = resolve(bare, Choices(method="KernelSHAP"))
    assert view.choices.method == "KernelSHAP"
    assert options(view)["KernelSHAP"] == ""
    assert "needs background rows" in view.blocked
    zero = resolve(bare, replace(view.choices, forms={"KernelSHAP": {"fill": "zero"}}))
    assert zero.blocked == ""
    assert zero.study.methods == (methods.KernelSHAP(fill="zero"),)


@pytest.mark.parametrize("text", ["", "9", "x", "2-1"])
def test_rows_that_are_not_there_are_in_the_way_and_stay_as_typed(bench, text):
    view = resolve(bench, Choices(rows=text))
    assert view.choices.rows == text
    assert view.blocked
    assert view.study is None


def test_a_wrong_parameter_is_in_the_way_and_the_form_stays(bench):
    view = resolve(bench, Choices(method="LIME", forms={"LIME": {"segments": 1}}))
    assert "LIME.segments must lie in 2 … 500" in view.blocked
    assert view.parameters


def test_a_single_output_needs_no_choice(bench):
    view = resolve(bench, Choices(model="wide"))
    assert view.choices.target == 0
    assert [one["name"] for one in view.fields] == ["model", "data", "rows", "target"]
    assert view.study.targets == (Target("y"),)


def test_raw_outputs_have_no_predicted_one(linear, four):
    view = resolve(Bench([linear], [four]), Choices(target="predicted"))
    assert view.choices.target == 0
    assert [value for value, _ in field(view, "target")["options"]] == [0, 1]


def test_a_contrast_with_itself_is_not_offered(bench):
    view = resolve(bench, Choices(target=1, against=1))
    assert view.choices.against is None
    assert [value for value, _ in field(view, "against")["options"]] == [None, 0]


def test_a_contrast_reaches_the_study(bench):
    view = resolve(bench, Choices(target="predicted", against=1))
    assert view.study.targets == (Target.predicted(against="well"),)


def test_an_output_that_the_next_model_lacks_becomes_its_first(bench):
    assert resolve(bench, Choices(model="wide", target=1, against=0)).choices.target == 0


def test_outputs_of_the_same_name_are_told_apart_by_position(linear, four):
    twins = replace(linear, outputs=("y", "y"), scale="logit")
    view = resolve(Bench([twins], [four]), Choices(target=1))
    assert view.study.targets == (Target(1),)


def test_layers_are_offered_where_a_method_takes_one(four):
    images = Inputs(np.full((2, 5, 6, 3), 0.5), kind="image")
    model = Model(
        "net",
        lambda rows: rows.mean(axis=(1, 2)),
        ("r", "g", "b"),
        "logit",
        kind="image",
        activations=lambda *a: a,
        layers=lambda rows: {"conv1": (4, 5, 6), "conv2": (8, 3, 3)},
    )
    view = resolve(Bench([model], [images]), Choices(method="GradCAM"))
    assert view.parameters[0]["suggestions"] == ["conv1", "conv2"]


def test_equal_choices_have_equal_keys_and_others_do_not(bench, scored):
    first = resolve(bench, Choices(method="LIME"))
    assert resolve(bench, Choices(method="LIME")).key == first.key
    for other in (
        Choices(method="LIME", rows="0"),
        Choices(method="Occlusion"),
        Choices(method="LIME", target=1),
        Choices(method="LIME", forms={"LIME": {"seed": 4}}),
    ):
        assert resolve(bench, other).key != first.key
    bench.add_model(scored.renamed("linear"))
    assert resolve(bench, Choices(method="LIME")).key != first.key


@pytest.mark.parametrize(
    "choices",
    [
        Choices(),
        Choices(target=1, against=0, rows="2, 0", method="Occlusion"),
        Choices(target="predicted", against=1, method="LIME", forms={"LIME": {"budget": 60}}),
    ],
)
def test_the_code_runs_without_the_panel_and_gives_the_same_bits(bench, choices):
    view = resolve(bench, choices)
    space = {"bench": bench}
    exec(view.code, space)  # noqa: S102 - that code can be run is the promise
    for here, there in zip(run(view.study), space["attributions"], strict=True):
        np.testing.assert_array_equal(here.values, there.values)
        assert here.inputs.ids == there.inputs.ids
        assert here.target == there.target
        assert here.method == there.method


def test_names_from_data_cannot_break_out_of_the_code(scored, four):
    name = "it's\n__import__('os')  # "
    bench = Bench([scored.renamed(name)], {name: four})
    space = {"bench": bench}
    exec(resolve(bench, Choices()).code, space)  # noqa: S102 - as above
    assert space["model"].name == name


def test_a_target_in_code_is_the_same_in_the_panel(scored):
    assert target_choices(scored, Target("well", against="sick")) == (1, 0)
    assert target_choices(scored, Target.predicted()) == ("predicted", None)
    assert target_choices(scored, None) == (None, None)
    with pytest.raises(InputError, match="one per row"):
        target_choices(scored, Target((0, 1)))
    with pytest.raises(InputError, match=r"\['sick', 'well'\], not 'ill'"):
        target_choices(scored, Target("ill"))
