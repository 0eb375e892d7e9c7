"""What a study will cost: model rows to the row, seconds by hand on a clock of our own."""

import importlib
import time
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestRegressor

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench.core import Cost, Estimate, Evaluations, Inputs, Plan, Progress, check_parameters
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.methods import (
    LIME,
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
from workbench.plan import evaluations, planning
from workbench.probe import Mark, seconds_of
from workbench.run import obstacle, run

probe = importlib.import_module("workbench.probe")
plans = importlib.import_module("workbench.plan")  # `workbench.plan` is the function

ZERO = (wb.Target(0),)
THREE = (wb.Target(0), wb.Target(1), wb.Target(2, against=0))
RECIPES = {
    "ExactShapley": [{"segments": 4}],
    "GradientSHAP": [{"budget": 40}],
    "IntegratedGradients": [{"steps": 5}, {"steps": 5, "fill": "zero"}],
    "KernelSHAP": [
        {"budget": 300, "segments": 6},
        {"budget": 5000, "segments": 6},  # every coalition
        {"budget": 300, "segments": 6, "fill": "zero"},
        {"budget": 70, "segments": 20, "fill": "zero"},  # sizes enumerated from outside, rest drawn
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
    "TreeSHAP": [{}, {"variant": "path_dependent"}],
}


def table(**changes) -> Inputs:
    """Four rows of six columns, over seven background rows."""
    rng = np.random.default_rng(3)
    given = {
        "values": rng.normal(size=(4, 6)),
        "kind": "tabular",
        "features": tuple("uvwxyz"),
        "background": rng.normal(size=(7, 6)),
    }
    return Inputs(**(given | changes))


def with_categories() -> Inputs:
    values, background = table().values.copy(), table().background.copy()
    for rows in (values, background):
        rows[:, 1] = np.arange(len(rows)) % 3
    return table(values=values, background=background, categories={"v": ("red", "green", "blue")})


def pictures(n: int = 3) -> Inputs:
    rng = np.random.default_rng(8)
    return Inputs(
        rng.random((n, 16, 12, 3)),
        kind="image",
        background=rng.random((2, 16, 12, 3)),
        name="pictures",
    )


def tiles() -> Inputs:
    """24 tiles of one color each, which quickshift tells apart: more than ExactShapley takes."""
    colors = np.random.default_rng(0).random((1, 4, 6, 3))
    return Inputs(colors.repeat(16, axis=1).repeat(16, axis=2), kind="image")


@cache
def forest():
    rows = table().background
    outputs = rows[:, :3]
    return wb.wrap(
        RandomForestRegressor(3, max_depth=3, random_state=0).fit(rows, outputs),
        name="forest",
        scale="raw",
    )


@cache
def convolutional():
    torch.manual_seed(3)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 7, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(7, 5, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 4),
    ).eval()
    return wb.wrap(module, name="images", outputs=tuple("abcd"), scale="logit", batch=2)


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
    elif isinstance(method, ScoreCAM):
        # How many of the layer's five channels have contrast only the model knows.
        assert (fewest, most) == (len(inputs), len(inputs) * (1 + 512))
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
            (GradCAM(), LayerCAM(), Occlusion(), LIME(budget=64)),
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
            (TreeSHAP(), TreeSHAP("path_dependent"), TreeSHAP()),
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


@dataclass(frozen=True)
class Mine:
    """A user's own method: asks for the rows' scores again and again, and does not say how often."""

    rounds: int = 5
    needs = ()
    kinds = ("tabular", "image")
    additive = False
    source = "mine"

    def __post_init__(self):
        check_parameters(self)

    def attribute(self, model, inputs, targets, /):
        output = np.zeros((len(targets), len(inputs)))
        values = np.zeros((len(targets), *inputs.values.shape))
        for done in range(self.rounds):
            model.scores(inputs.values + done)
            yield Progress(done + 1, self.rounds, lambda: Estimate(values, output, output))


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

    def test_is_timed_all_the_same(self):
        plan = wb.plan(wb.Study((tanh_network(),), (Mine(),), table()))
        assert plan.costs[0].finished
        assert plan.seconds[0] > 0

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
            wb.plan(wb.Study((broken,), (Occlusion(),), table()))


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(probe, "perf_counter", made)
    monkeypatch.setattr(plans, "perf_counter", made)
    return made


def slow(clock, per_row, first=0.0, batch=10):
    """A model that takes `per_row` seconds for a row, and `first` more for its first call; it was tried."""
    network = tanh_network()
    calls = []

    def predict(rows):
        calls.append(len(rows))
        clock.now += per_row * len(rows) + (first if len(calls) == 1 else 0.0)
        return network.predict(rows)

    tried = {"trial": lambda _: None}  # a trial's four rows are in no plan, and take their time
    return replace(network, predict=predict, gradient=None, batch=batch, **tried), calls


class TestSeconds:
    @pytest.mark.parametrize(
        ("method", "count"),
        [
            (KernelSHAP(budget=1400), 4 * (62 * 7 + 8) + 4),  # 200 buy all 62 coalitions
            (PermutationSHAP(budget=1400), 4 * (16 * 7 * 10 + 8) + 4),
            (ExactShapley(), 4 * 64 * 7 + 4),
            (Occlusion(), 4 * 6 * 7 + 4),
        ],
        ids=lambda one: type(one).__name__,
    )
    def test_a_probe_of_a_part_tells_the_whole(self, clock, method, count):
        model, _ = slow(clock, per_row=0.01, first=5.0)
        plan = wb.plan(wb.Study((model,), (method,), table(), ZERO), probe_seconds=30.0)
        if count * 0.01 <= 25.0:  # what the first call left
            assert plan.costs[0].finished
        # A row is 0.01 s whatever it is asked for; rounding of sums of some hundred numbers.
        assert plan.seconds == pytest.approx((0.01 * count, 0.01 * count), rel=1e-9)

    def test_a_probe_that_is_left_early_goes_on_at_its_pace(self, clock):
        model, _ = slow(clock, per_row=0.01, first=0.2)
        plan = wb.plan(wb.Study((model,), (ExactShapley(),), table(), ZERO), probe_seconds=2.0)
        (cost,) = plan.costs
        assert not cost.finished
        # 1796 rows of 0.01 s; the 0.2 s of the first call fell into the first beginning.
        assert cost.seconds == pytest.approx((17.96, 17.96), rel=1e-9)  # sums of 0.01, rounded
        assert clock.now - 100.0 <= 2.0 + 0.1  # and one batch of 10 rows

    def test_a_tolerance_gives_a_range_until_a_row_is_seen_to_end(self, clock):
        model, _ = slow(clock, per_row=0.01)
        method = PermutationSHAP(budget=4000, tolerance=1.0)
        study = wb.Study((model,), (method,), table(), ZERO)
        plan = wb.plan(study, probe_seconds=1.0)
        assert plan.evaluations == (1436, 13_196)
        assert plan.seconds == pytest.approx((14.36, 131.96), rel=1e-9)  # sums of 0.01, rounded
        # A row that ends at its first judgement takes 8 + 350 model rows, the first also the 4 outputs.
        longer = wb.plan(study, probe_seconds=9.0)
        assert not longer.costs[0].finished
        assert longer.seconds[0] == longer.seconds[1]
        assert 14.36 <= longer.seconds[0] <= 14.36 + 3 * 0.04  # the outputs counted for each row

    def test_work_after_the_last_model_row_goes_by_progress(self):
        marks = [Mark(1.0, 50, 0.2), Mark(2.0, 100, 0.4), Mark(2.5, 100, 0.5), Mark(3.0, 100, 0.6)]
        # From 0.4 to 0.6 in a second: the other 0.4 take two.
        found = seconds_of(marks, finished=False, evaluations=(100, 100), rows=3)
        assert found == pytest.approx((5.0, 5.0))  # 0.6 - 0.4 is not exact

    def test_a_single_mark_is_taken_from_the_start(self):
        found = seconds_of([Mark(2.0, 10, 0.1)], finished=False, evaluations=(40, 40), rows=4)
        assert found == (8.0, 8.0)

    def test_without_a_count_time_goes_with_progress(self):
        marks = [Mark(5.0, 50, 0.2), Mark(6.0, 60, 0.4)]
        assert seconds_of(marks, finished=False, evaluations=None, rows=4) == pytest.approx(
            (9.0, 9.0)  # 0.4 - 0.2 is not exact
        )

    def test_where_nothing_moved_the_time_is_unknown(self):
        assert seconds_of([Mark(2.0, 10, 0.0)], finished=False, evaluations=None, rows=4) is None
        plan = Plan((Cost("m", Mine(), None, result_bytes=1),), probed=True)
        assert plan.seconds is None
        assert "The time of Mine is unknown: the probe saw no progress." in plan.notes

    def test_a_finished_cell_takes_what_it_took(self, clock):
        model, _ = slow(clock, per_row=0.001)
        plan = wb.plan(wb.Study((model,), (Occlusion(),), table(), ZERO), probe_seconds=9.0)
        assert plan.costs[0].finished
        assert plan.seconds == pytest.approx((0.172, 0.172), rel=1e-9)  # sums of 0.001, rounded

    def test_scores_that_an_earlier_cell_asked_for_take_no_time_again(self, clock):
        model, _ = slow(clock, per_row=0.01)
        study = wb.Study((model,), (Occlusion(), Occlusion(fill="zero")), table(), ZERO)
        first, second = wb.plan(study, probe_seconds=9.0).costs
        assert first.seconds[0] == pytest.approx(
            1.72
        )  # 4 outputs and 4 * 6 * 7; sums of 0.01, rounded
        assert second.seconds[0] == pytest.approx(0.24)  # 4 * 6 alone; sums of 0.01, rounded


class TestThePromise:
    def test_a_slow_model_is_asked_for_one_batch_per_cell_and_no_more(self, clock):
        model, calls = slow(clock, per_row=10.0, batch=3)
        study = wb.Study((model,), (ExactShapley(), KernelSHAP(), LIME()), table(), ZERO)
        plan = wb.plan(study, probe_seconds=2.0)
        # The four rows' own scores come first, in batches of three; after one of these the time is up.
        assert calls == [3, 3, 3]
        assert plan.seconds[0] == pytest.approx(10.0 * sum(low for low, _ in evaluations(study)))

    def test_a_method_that_never_yields_is_left_between_two_calls(self, clock):
        left = []

        @dataclass(frozen=True)
        class Silent(Mine):
            def attribute(self, model, inputs, targets, /):
                try:
                    for _ in range(1000):
                        model.scores(inputs.values[:2] + 1)
                except Exception:
                    left.append("mistaken for an error")
                    raise
                finally:
                    left.append("closed")
                yield Progress(1, 1, lambda: None)

        model, calls = slow(clock, per_row=1.0)
        plan = wb.plan(wb.Study((model,), (Silent(),), table(), ZERO), probe_seconds=7.0)
        assert len(calls) == 4  # 2, 4, 6 and 8 seconds
        assert left == ["closed"]
        assert plan.seconds is None

    def test_time_that_one_cell_leaves_is_the_others(self, clock):
        model, _ = slow(clock, per_row=0.01)
        study = wb.Study((model,), (LIME(budget=20), ExactShapley()), table(), ZERO)
        before = clock.now
        wb.plan(study, probe_seconds=4.0)
        # LIME ends after 23 rows of 0.01 s, begun twice; Exact gets what is left, not half of 4 s.
        assert clock.now - before == pytest.approx(
            4.0, abs=0.11
        )  # and at most one batch of 10 rows

    def test_the_method_is_closed_whatever_happens(self):
        ends, held = [], []

        @dataclass(frozen=True)
        class Holding(Mine):
            def attribute(self, model, inputs, targets, /):
                held.append(self.begun(model, inputs, targets))  # so that nothing else closes it
                return held[-1]

            def begun(self, model, inputs, targets):
                try:
                    yield from super().attribute(model, inputs, targets)
                finally:
                    ends.append("closed")

        study = wb.Study((tanh_network(),), (Holding(),), table())
        wb.plan(study)
        assert ends == ["closed", "closed"]  # it is begun twice
        going = planning(study)
        next(going)
        going.close()
        assert ends == ["closed"] * 3

    def test_a_torch_model_is_left_as_it_was_found(self):
        module = convolutional().native
        before = {name: part.clone() for name, part in module.state_dict().items()}
        hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in module.modules()]
        state = torch.random.get_rng_state()
        module.train()
        try:
            methods = (GradCAM(), LIME(budget=200), IntegratedGradients())
            wb.plan(wb.Study((convolutional(),), methods, pictures()), probe_seconds=0.05)
            assert all(part.training for part in module.modules())
        finally:
            module.eval()
        for name, part in module.state_dict().items():
            assert torch.equal(part, before[name])
        assert [
            (len(m._forward_hooks), len(m._forward_pre_hooks)) for m in module.modules()
        ] == hooks
        assert all(weight.grad is None for weight in module.parameters())
        assert torch.equal(torch.random.get_rng_state(), state)

    def test_the_run_after_a_plan_gives_the_same_bits_and_costs_the_same(self):
        study = wb.Study(
            (tanh_network(),), (KernelSHAP(budget=300), LIME(budget=99)), table(), ZERO
        )
        before = list(run(study))
        wb.plan(study)
        for one, other in zip(before, run(study), strict=True):
            np.testing.assert_array_equal(one.values, other.values)
            assert one.evaluations == other.evaluations


def kept(results):
    """Bytes of the arrays that attributions hold beside the rows."""
    arrays = [(r.values, r.error, r.output, r.base, r.players) for r in results]
    return sum(array.nbytes for some in arrays for array in some if array is not None)


class TestBytes:
    @pytest.mark.parametrize(
        ("model", "inputs", "method"),
        [
            (tanh_network(), table(), LIME(budget=99)),
            (tanh_network(), table(), Occlusion()),
            (tanh_network(), table(groups={"pair": "uv"}), KernelSHAP(budget=400)),
            (convolutional(), pictures(), GradCAM()),
            (convolutional(), pictures(), IntegratedGradients(steps=4)),
            (convolutional(), pictures(), LIME(budget=40, segments=5)),
        ],
        ids=lambda one: type(one).__name__,
    )
    def test_results_are_known_to_the_byte_once_the_probe_ends(self, model, inputs, method):
        study = wb.Study((model,), (method,), inputs, THREE)
        (cost,) = wb.plan(study, probe_seconds=20.0).costs
        assert cost.finished
        assert cost.result_bytes == kept(run(study))

    def test_before_a_row_has_ended_errors_are_counted_as_if_there_were_some(self, clock):
        model, _ = slow(clock, per_row=1.0)
        study = wb.Study((model,), (ExactShapley(),), table(), ZERO)
        early = wb.plan(study, probe_seconds=10.0).costs[0].result_bytes
        # Values and errors 2 * 4 * 6, output and base 2 * 4, players 6, eight bytes each.
        assert early == 8 * (48 + 8 + 6)
        later = wb.plan(study, probe_seconds=1200.0).costs[0]
        assert not later.finished
        assert later.result_bytes == kept(run(study)) == 8 * (24 + 8 + 6)

    def test_the_system_tells_how_far_the_process_grew(self):
        if probe._peak_from_here() is None:
            pytest.fail("This test needs Linux, whose /proc/self/clear_refs can be written.")
        size = 200 * 2**20

        def predict(rows):
            np.ones(size // 8)  # every page is touched
            return rows[:, :1]

        hungry = wb.Model("hungry", predict, ("y",), "raw")
        (cost,) = wb.plan(wb.Study((hungry,), (Occlusion(),), table())).costs
        assert (
            0.9 * size <= cost.working_bytes <= 1.5 * size
        )  # other threads and the allocator's own

    def test_where_the_system_does_not_tell_the_plan_says_so(self, monkeypatch):
        monkeypatch.setattr(probe, "_peak_from_here", lambda: None)
        plan = wb.plan(wb.Study((tanh_network(),), (Occlusion(),), table(), ZERO))
        assert plan.costs[0].working_bytes is None
        assert plan.bytes == plan.costs[0].result_bytes
        assert "Bytes are those of the results: this system tells no working memory." in plan.notes

    def test_results_add_up_and_working_memory_does_not(self):
        costs = [
            Cost("m", Mine(), (1, 1), (1.0, 1.0), result_bytes=10, working_bytes=one)
            for one in (7, 5)
        ]
        assert Plan(tuple(costs), probed=True).bytes == 27


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
        expected = "12,400 to 77,000 model rows, about 2.8 s to 1.5 min and 56 MB"
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
    assert [now.plan is not None for now in seen] == [False] * (len(seen) - 1) + [True]
    assert [now.done for now in seen] == sorted(now.done for now in seen)
    assert (seen[-1].done, seen[-1].total) == (2000, 2000)
    assert seen[0].label == "Trying Occlusion of network"


def test_a_real_clock_finds_a_real_pace():
    pause = 0.004

    def predict(rows):
        time.sleep(pause * len(rows))
        return rows[:, :1]

    model = wb.Model("sleepy", predict, ("y",), "raw", batch=5)
    plan = wb.plan(wb.Study((model,), (ExactShapley(),), table()), probe_seconds=0.3)
    assert not plan.costs[0].finished
    assert plan.seconds[0] >= pause * 1796  # sleeping takes at least as long as asked for
