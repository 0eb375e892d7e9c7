"""What a study will cost in seconds, by hand on a clock of our own, and in bytes."""

import importlib
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

import workbench as wb
from tests.models_in_numpy import tanh_network
from tests.studies_to_plan import THREE, ZERO, Mine, convolutional, pictures, table
from workbench.core import Cost, Plan, Progress
from workbench.methods import (
    LIME,
    ExactShapley,
    GradCAM,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    PermutationSHAP,
)
from workbench.study.plan import evaluations, planning
from workbench.study.probe import Mark, seconds_of
from workbench.study.run import run

probe = importlib.import_module("workbench.study.probe")
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
