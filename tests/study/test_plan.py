"""What a study will cost: model rows to the row, and in words."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.models_in_numpy import tanh_network
from tests.study.studies_to_plan import (
    THREE,
    ZERO,
    Mine,
    convolutional,
    forest,
    pictures,
    table,
    tiles,
    with_categories,
)
from workbench.core import Cost, Evaluations, Plan
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.methods import (
    LIME,
    AblationCAM,
    ExactShapley,
    GradCAM,
    GradientSHAP,
    IntegratedGradients,
    KernelSHAP,
    LayerCAM,
    Occlusion,
    PermutationSHAP,
    ScoreCAM,
    TreeSHAP,
    catalog,
)
from workbench.study.fit import obstacle
from workbench.study.plan import evaluations, planning
from workbench.study.run import run

RECIPES = {
    "ExactShapley": [{"segments": 4}],
    "GradientSHAP": [{"budget": 40}],
    "IntegratedGradients": [{"steps": 5}, {"steps": 5, "fill": "zero"}],
    "KernelSHAP": [
        {"budget": 300, "segments": 6},
        {"budget": 5000, "segments": 6},  # every coalition
        {"budget": 300, "segments": 6, "fill": "zero"},
        {
            "budget": 100,
            "segments": 20,
            "fill": "zero",
        },  # sizes enumerated from outside, rest drawn
    ],
    "LIME": [{"budget": 100, "segments": 6}, {}],
    "Occlusion": [{"window": 4, "stride": 4}, {"window": 5, "stride": 2}, {"fill": "zero"}],
    "PermutationSHAP": [
        {"budget": 400, "segments": 6},
        {"budget": 4000, "tolerance": 0.3, "segments": 6},
        {"tolerance": 0.9, "segments": 6},
        {"budget": 2000, "tolerance": 0.001, "segments": 6},  # never reached
        {"budget": 400, "segments": 6, "fill": "zero"},
    ],
    "TreeSHAP": [{}, {"feature_perturbation": "tree_path_dependent"}],
}


def situations():
    tables = {
        "columns": table(),
        "one row": table()[:1],
        "groups": table(groups={"pair": ("u", "x"), "other": ("v", "w")}),
        "one player": table(groups={"all": tuple("uvwxyz")}),
        "categories": with_categories(),
    }
    for model in (tanh_network(), forest()):
        for name, inputs in tables.items():
            yield f"{model.name}, {name}", model, inputs
    yield "convolutional, images", convolutional(), pictures()
    yield "convolutional, one image", convolutional(), pictures(1)


def cases():
    for name, model, inputs in situations():
        for method in catalog():
            for number, recipe in enumerate(
                RECIPES.get(method.__name__, [getattr(method, "quick", {})])
            ):
                made = method(**recipe)
                if obstacle(made, model, inputs) is None:
                    yield pytest.param(model, inputs, made, id=f"{method.__name__}-{number}-{name}")


def test_every_method_of_the_catalog_is_counted():
    assert {type(case.values[2]) for case in cases()} == set(catalog())


@pytest.mark.parametrize(("model", "inputs", "method"), list(cases()))
@pytest.mark.parametrize("targets", [ZERO, THREE], ids=["one target", "three"])
def test_model_rows_are_known_to_the_row_before_the_run(model, inputs, method, targets):
    study = wb.Study((model,), (method,), inputs, targets)
    ((fewest, most),) = evaluations(study)
    spent = {result.evaluations for result in run(study)}
    assert len(spent) == 1
    if isinstance(method, PermutationSHAP) and method.tolerance is not None:
        assert fewest <= spent.pop() <= most
    elif isinstance(method, ScoreCAM | AblationCAM):
        # How many of the layer's five channels have contrast only the model knows.
        assert (fewest, most) == (len(inputs), len(inputs) * (1 + method.channels))
        assert fewest < spent.pop() <= len(inputs) * (1 + 5)
    else:
        assert spent == {fewest} == {most}


def test_a_tolerance_reached_at_once_costs_the_fewest_and_one_never_reached_the_most():
    def counts(method):
        study = wb.Study((tanh_network(),), (method,), table(), ZERO)
        (count,) = evaluations(study)
        return count, next(run(study)).evaluations

    # 4 outputs and, per row, the ends (1 + 7) and walks of 2 x 5 coalitions: 35 pairs until the first
    # judgement (five rotations have 4 * 7 >= 24 degrees of freedom), 329 until the last
    # (4000 // (2 * 6 * 7) = 47 rotations).
    assert counts(PermutationSHAP(budget=4000, tolerance=1.0)) == ((1436, 13_196), 1436)
    assert counts(PermutationSHAP(budget=4000, tolerance=0.001)) == ((1436, 13_196), 13_196)


def test_a_single_player_is_never_walked():
    inputs = table(groups={"all": tuple("uvwxyz")})
    study = wb.Study((tanh_network(),), (PermutationSHAP(),), inputs, ZERO)
    assert evaluations(study) == ((4 + 4 * 8, 4 + 4 * 8),)


class TestSeveralCells:
    RECIPES = (
        LIME(budget=100),
        KernelSHAP(budget=300),
        GradientSHAP(budget=9),
        IntegratedGradients(steps=4),
        Occlusion(),
    )

    def test_scores_that_methods_share_are_counted_where_they_are_first_asked_for(self):
        models = (tanh_network(), replace(tanh_network(), name="other"))
        study = wb.Study(models, self.RECIPES, table(), ZERO)
        counts = evaluations(study)
        spent = [result.evaluations for result in run(study)]
        assert [low for low, _ in counts] == [high for _, high in counts] == spent
        # LIME: 99 + 4 outputs; GradientSHAP: 4 * 9 points + 7 background rows, but no outputs.
        assert (spent[0], spent[2], spent[3]) == (103, 36 + 7, 4 * 5)
        assert spent[5:] == spent[:5]  # another model is asked anew

    def test_class_maps_leave_the_rows_scores_to_the_next_method(self):
        study = wb.Study(
            (convolutional(),),
            (GradCAM(), LayerCAM(), Occlusion(), LIME(budget=100)),
            pictures(),
            ZERO,
        )
        counts = evaluations(study)
        spent = [result.evaluations for result in run(study)]
        assert [low for low, _ in counts] == [high for _, high in counts] == spent
        assert spent[:2] == [3, 3]

    def test_the_background_is_scored_once_for_two_methods(self):
        study = wb.Study(
            (forest(), replace(forest(), name="other")),
            (TreeSHAP(), TreeSHAP("tree_path_dependent"), TreeSHAP()),
            table(),
            ZERO,
        )
        spent = [result.evaluations for result in run(study)]
        assert [low for low, _ in evaluations(study)] == spent == [11, 0, 0, 11, 0, 0]

    def test_the_total_of_a_plan_is_what_the_study_asks_for(self, counted):
        study = wb.Study(
            (counted.on(replace(tanh_network(), gradient=None)),), self.RECIPES[:2], table()
        )
        (low, high) = wb.plan(study, probe_seconds=0).evaluations
        assert counted.rows == 0
        list(run(study))
        assert low == high == counted.rows


class TestAMethodThatDoesNotSay:
    def test_is_unknown_in_numbers_and_in_words(self):
        plan = wb.plan(wb.Study((tanh_network(),), (Mine(),), table()), probe_seconds=0)
        assert plan.evaluations is None
        assert plan.sentence == "unknown model rows"
        assert "Mine does not say how many model rows it asks for." in plan.notes

    def test_leaves_what_comes_after_it_within_bounds(self):
        study = wb.Study((tanh_network(),), (Mine(), Occlusion(), Occlusion()), table(), ZERO)
        unknown, second, third = evaluations(study)
        assert unknown is None
        # Whether Mine asks for the four rows' scores is not known, so they may be counted here or there.
        assert second == (4 * 6 * 7, 4 * 6 * 7 + 4)
        assert third == (4 * 6 * 7, 4 * 6 * 7)
        assert next(run(wb.Study((tanh_network(),), (Mine(),), table()))).evaluations == 5 * 4 + 4

    def test_is_not_tried_since_nobody_knows_what_share_of_it_that_would_be(self, counted):
        plan = wb.plan(wb.Study((counted.on(tanh_network()),), (Mine(),), table()))
        assert counted.rows == 0
        assert plan.seconds is None

    def test_a_count_that_is_no_count_is_refused_in_words(self):
        class Wrong(Mine):
            def evaluations(self, inputs):
                return 7

        with pytest.raises(IncompatibleError, match=r"must return .*Evaluations, but gave int"):
            wb.plan(wb.Study((tanh_network(),), (Wrong(),), table()))

    def test_one_that_says_so_is_counted(self):
        class Telling(Mine):
            def evaluations(self, inputs):
                return Evaluations.exactly(self.rounds * len(inputs))

        study = wb.Study((tanh_network(),), (Telling(3),), table())
        assert evaluations(study) == ((16, 16),)
        assert next(run(study)).evaluations == 16


class TestWhatCannotRun:
    @pytest.mark.parametrize(
        ("model", "method", "inputs"),
        [
            (tanh_network(), GradCAM(), table()),
            (tanh_network(), TreeSHAP(), table()),
            (tanh_network(), Occlusion(), table(background=None)),
            (convolutional(), Occlusion(), table()),
            (tanh_network(), KernelSHAP(budget=20), table()),
            (tanh_network(), PermutationSHAP(budget=20), table()),
            (convolutional(), ExactShapley(superpixels="quickshift"), tiles()),
        ],
        ids=["layers", "trees", "background", "kind", "coalitions", "rotations", "superpixels"],
    )
    def test_is_refused_as_the_run_refuses_it(self, model, method, inputs):
        study = wb.Study((model,), (method,), inputs)
        with pytest.raises((InputError, IncompatibleError)) as expected:
            list(run(study))
        with pytest.raises(type(expected.value)) as refused:
            wb.plan(study, probe_seconds=0)
        assert str(refused.value) == str(expected.value)

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "2"])
    def test_a_time_that_is_none_is_refused(self, seconds):
        with pytest.raises(InputError, match="probe_seconds must be a number of seconds from 0 on"):
            wb.plan(wb.Study((tanh_network(),), (Occlusion(),), table()), probe_seconds=seconds)

    def test_a_model_that_fails_in_the_probe_fails_as_in_the_run(self):
        broken = wb.Model("broken", lambda rows: np.full((len(rows), 1), np.nan), ("y",), "raw")
        with pytest.raises(ModelError, match="must return finite scores"):
            wb.plan(
                wb.Study((broken,), (Occlusion(),), table())
            )  # 172 model rows, of which 3 are tried


class TestWords:
    PLAN = Plan(
        (
            Cost(
                "<i>a</i>", Occlusion(), (12_000, 12_000), (1.4, 1.4), True, 3_000_000, 40_000_000
            ),
            Cost("b", PermutationSHAP(), (400, 65_000), (1.4, 90.0), False, 3_000_000, 50_000_000),
        ),
        probed=True,
    )

    def test_the_totals_are_one_sentence(self):
        expected = "12,400 to 77,000 model rows, about 2.4 s to 1.8 min and 56 MB"
        assert self.PLAN.sentence == expected
        assert repr(self.PLAN) == f"Plan(2 cells: {expected})"

    def test_html_and_text_say_the_same_and_names_stay_text(self):
        html = self.PLAN._repr_html_()
        assert self.PLAN.sentence in html
        assert "<i>" not in html
        assert "&lt;i&gt;a" in html
        for words in (
            "about 1.4 s to 1.5 min",
            "400 to 65,000",
            "40 MB",
            "A range where a tolerance",
        ):
            assert words in html

    def test_without_a_probe_there_is_no_empty_column(self):
        plan = wb.plan(wb.Study((tanh_network(),), (Occlusion(),), table()), probe_seconds=0)
        assert plan.sentence == "172 model rows"
        assert "time" not in plan._repr_html_().partition("</thead>")[0]
        assert plan.notes == ("No model was asked, so seconds and bytes are not known.",)

    def test_a_frame_has_a_line_per_cell(self):
        frame = self.PLAN.to_frame()
        assert list(frame["model"]) == ["<i>a</i>", "b"]
        assert list(frame["method"]) == ["Occlusion", "PermutationSHAP"]
        assert list(frame["fewest_evaluations"]) == [12_000, 400]
        assert list(frame["most_seconds"]) == [1.4, 90.0]
        assert list(frame["working_bytes"]) == [40_000_000, 50_000_000]


def test_planning_can_be_followed_and_ends_with_the_plan():
    study = wb.Study((tanh_network(),), (Occlusion(), LIME(budget=20)), table())
    seen = list(planning(study))
    assert [now.result is not None for now in seen] == [False] * (len(seen) - 1) + [True]
    assert [now.done for now in seen] == sorted(now.done for now in seen)
    assert (seen[-1].done, seen[-1].total) == (2000, 2000)
    assert seen[0].label == "Trying Occlusion of network"
