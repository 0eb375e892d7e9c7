"""What a study will cost in seconds, by hand on a clock of our own, and in bytes."""

import importlib
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import workbench as wb
from tests.models_in_numpy import tanh_network
from tests.study.studies_to_plan import ZERO, Mine, convolutional, pictures, table
from workbench import ensembles
from workbench.core import Cost, Estimate, Evaluations, Plan, Progress
from workbench.methods import (
    LIME,
    ExactShapley,
    GradCAM,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    PermutationSHAP,
)
from workbench.study.plan import planning
from workbench.study.probe import Mark, seconds_of
from workbench.study.run import run

probe = importlib.import_module("workbench.study.probe")
clocks = importlib.import_module("workbench.study.clock")
plans = importlib.import_module("workbench.study.plan")


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(clocks, "perf_counter", made)
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
        model, calls = slow(clock, per_row=0.01, first=5.0)
        plan = wb.plan(wb.Study((model,), (method,), table(), ZERO), probe_seconds=30.0)
        assert not plan.costs[0].finished
        # A row is 0.01 s whatever it is asked for; rounding of sums of some hundred numbers.
        assert plan.seconds == pytest.approx((0.01 * count, 0.01 * count), rel=1e-9)
        assert 0 < sum(calls) <= 0.02 * count

    def test_a_probe_that_is_left_early_goes_on_at_its_pace(self, clock):
        model, _ = slow(clock, per_row=0.01, first=0.2)
        plan = wb.plan(wb.Study((model,), (ExactShapley(),), table(), ZERO), probe_seconds=2.0)
        (cost,) = plan.costs
        assert not cost.finished
        # 1796 rows of 0.01 s; the 0.2 s of the first call fell into the first beginning.
        assert cost.seconds == pytest.approx((17.96, 17.96), rel=1e-9)  # sums of 0.01, rounded
        assert clock.now - 100.0 == pytest.approx(0.2 + 0.35)  # 35 rows are 2 % of them

    def test_a_tolerance_gives_a_range(self, clock):
        model, calls = slow(clock, per_row=0.01)
        method = PermutationSHAP(budget=4000, tolerance=1.0)
        study = wb.Study((model,), (method,), table(), ZERO)
        plan = wb.plan(study, probe_seconds=9.0)
        assert plan.evaluations == (1436, 13_196)
        # 28 rows are too few for a pilot: up to three times the fewest. Sums of 0.01, rounded.
        assert plan.seconds == pytest.approx((14.36, 43.08), rel=1e-9)
        assert sum(calls) == 28  # 2 % of the fewest

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
        assert any(
            note.startswith("The time of Mine is unknown: a probe may ask") for note in plan.notes
        )

    def test_scores_that_an_earlier_cell_asked_for_take_no_time_again(self, clock):
        model, _ = slow(clock, per_row=0.01)
        again = ExactShapley(fill="zero")  # 64 coalitions over one fill
        study = wb.Study((model,), (ExactShapley(), again), table(), ZERO)
        first, second = wb.plan(study, probe_seconds=9.0).costs
        # 4 outputs and 4 * 64 * 7; then 4 * 64 alone. Sums of 0.01, rounded.
        assert first.seconds[0] == pytest.approx(17.96)
        assert second.seconds[0] == pytest.approx(2.56)

    def test_the_methods_own_work_is_timed_where_rows_stand_for_others(self, clock):
        """A method that asks for its rows' scores and then works by itself, as tree SHAP does."""

        @dataclass(frozen=True)
        class Working(Mine):
            def evaluations(self, inputs):
                return Evaluations.exactly(0)

            def attribute(self, model, inputs, targets, /):
                output = model.scores(inputs.values)[None, :, 0]
                for done in range(4):
                    clock.now += 3.0
                    yield Progress(
                        done + 1, 4, lambda: Estimate(inputs.values[None], output, output)
                    )

        model, calls = slow(clock, per_row=0.1)
        rows = table(values=np.random.default_rng(0).normal(size=(100, 6)))
        plan = wb.plan(wb.Study((model,), (Working(),), rows, ZERO), probe_seconds=60.0)
        assert sum(calls) <= 2
        # 100 rows of 0.1 s, of which one was asked, and four times 3 s of the method's own work.
        assert plan.seconds == pytest.approx((22.0, 22.0))


class TestThePromise:
    @pytest.mark.parametrize("count", [1, 3, 30])
    @pytest.mark.parametrize("background", [1, 7, 100])
    def test_at_most_two_percent_of_the_run_are_asked_for(self, count, background):
        asked = []

        def predict(rows):
            asked.append(len(rows))
            return rows.sum(axis=1, keepdims=True)

        model = wb.Model("counting", predict, ("y",), "raw")
        rng = np.random.default_rng(0)
        rows = table(
            values=rng.normal(size=(count, 6)), background=rng.normal(size=(background, 6))
        )
        methods = (ExactShapley(), KernelSHAP(), PermutationSHAP(), LIME(), Occlusion())
        study = wb.Study((model,), methods, rows, ZERO)
        plan = wb.plan(study)
        assert 0 < sum(asked) <= 0.02 * plan.evaluations[0]
        asked.clear()
        list(run(study))  # and the plan told the truth about the run
        assert plan.evaluations[0] <= sum(asked) - 4 <= plan.evaluations[1]  # a trial's four rows

    @pytest.mark.parametrize("wrapped", [False, True])
    def test_a_metered_model_is_asked_for_nothing(self, wrapped):
        asked = []

        def predict(rows):
            asked.append(len(rows))
            return rows.sum(axis=1, keepdims=True)

        model = wb.Model("paid", predict, ("y",), "raw", metered=True)
        if wrapped:
            model = wb.wrap(predict, outputs=["y"], scale="raw", like=table(), metered=True)
        pair = ensembles.vote([model, wb.Model("free", predict, ("y",), "raw")])
        for one in (model, pair):
            plan = wb.plan(wb.Study((one,), (ExactShapley(),), table(), ZERO))
            assert asked == []
            assert plan.seconds is None
            assert plan.evaluations is not None

    def test_the_method_is_closed_whatever_happens(self):
        ends, held = [], []

        @dataclass(frozen=True)
        class Holding(Mine):
            def evaluations(self, inputs):
                return Evaluations.exactly(self.rounds * len(inputs) * 100)

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
    def test_before_a_row_has_ended_errors_are_counted_as_if_there_were_some(self, clock):
        model, _ = slow(clock, per_row=1.0)
        study = wb.Study((model,), (ExactShapley(),), table(), ZERO)
        early = wb.plan(study, probe_seconds=10.0).costs[0].result_bytes
        # Values and errors 2 * 4 * 6, output and base 2 * 4, players 6, eight bytes each.
        assert early == 8 * (48 + 8 + 6)
        assert early >= kept(run(study)) == 8 * (24 + 8 + 6)

    def test_the_system_tells_how_far_the_process_grew(self):
        if probe._peak_from_here() is None:
            pytest.fail("This test needs Linux, whose /proc/self/clear_refs can be written.")
        size = 200 * 2**20

        def predict(rows):
            np.ones(size // 8)  # every page is touched
            return rows[:, :1]

        hungry = wb.Model("hungry", predict, ("y",), "raw")
        (cost,) = wb.plan(wb.Study((hungry,), (Occlusion(),), table())).costs  # 172 rows, 3 asked
        assert (
            0.9 * size <= cost.working_bytes <= 1.5 * size
        )  # other threads and the allocator's own

    def test_where_the_system_does_not_tell_the_plan_says_so(self, monkeypatch):
        monkeypatch.setattr(probe, "_peak_from_here", lambda: None)
        plan = wb.plan(wb.Study((tanh_network(),), (Occlusion(),), table(), ZERO))
        assert plan.costs[0].working_bytes is None
        assert plan.bytes == plan.costs[0].result_bytes
        assert (
            "Bytes are those of the results: this system does not report working memory."
            in plan.notes
        )

    def test_results_add_up_and_working_memory_does_not(self):
        costs = [
            Cost("m", Mine(), (1, 1), (1.0, 1.0), result_bytes=10, working_bytes=one)
            for one in (7, 5)
        ]
        assert Plan(tuple(costs), probed=True).bytes == 27


def test_a_real_clock_finds_a_real_pace():
    pause = 0.004

    def predict(rows):
        time.sleep(pause * len(rows))
        return rows[:, :1]

    model = wb.Model("sleepy", predict, ("y",), "raw", batch=5)
    plan = wb.plan(wb.Study((model,), (ExactShapley(),), table()), probe_seconds=0.3)
    assert not plan.costs[0].finished
    assert plan.seconds[0] >= pause * 1796  # sleeping takes at least as long as asked for
