"""What a run will cost, in the Explain panel without a browser: counted, estimated, asked about."""

import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from workbench import methods
from workbench.core import Inputs, Model, Target
from workbench.errors import InputError, WorkbenchError
from workbench.panels import Bench, ExplainPanel
from workbench.panels.kit import choices, preview
from workbench.panels.kit.choices import Choices, resolve
from workbench.study.run import run


@pytest.fixture
def scored(linear):
    return replace(linear, scale="logit", outputs=("sick", "well"))


@pytest.fixture
def bench(scored, four):
    return Bench([scored], {"four": four})


@pytest.fixture
def crawling(bench, scored):
    """A model of two rows in a millisecond or more, in batches of four."""
    calls = []

    def predict(rows):
        calls.append(len(rows))
        time.sleep(0.0005 * len(rows))
        return scored.predict(rows)

    bench.add_model(Model("crawling", predict, ("sick", "well"), "logit", batch=4))
    return calls


LONG = methods.KernelSHAP(budget=4_000_000)
# 4 columns over 5 background rows: all 14 coalitions, whatever the budget.
ALL = 3 * (14 * 5 + 6) + 3


def long_run(**choices):
    """800,000 rows of the budget buy 100,000 pairs of walks: 2.4 million model rows, minutes or more."""
    recipe = methods.PermutationSHAP(budget=800_000)
    return {"model": "crawling", "method": recipe, "rows": "0", **choices}


class TestModelRows:
    def test_are_shown_before_anything_runs_and_follow_the_choices(self, bench, counted, scored):
        bench.add_model(counted.on(replace(scored, gradient=None)))
        panel = ExplainPanel(bench, method=LONG)
        assert panel.view.evaluations == (ALL, ALL)
        assert panel.view.cost == f"{ALL} model rows"
        assert f"{ALL} model rows." in panel.shown.parts["expected"]
        panel.controls.set(rows="1")
        assert "77 model rows." in panel.shown.parts["expected"]  # 14 * 5 + 6 + 1
        panel.controls["method"] = "LIME"
        assert "5,000 model rows." in panel.shown.parts["expected"]  # 4999 and the row
        assert counted.rows == 0
        (result,) = panel.start().wait(20)
        assert result.evaluations == 5000

    def test_are_a_range_where_a_tolerance_may_stop_early(self, bench):
        panel = ExplainPanel(bench, method=methods.PermutationSHAP(), rows="0")
        low, high = panel.view.evaluations
        assert low < high
        assert f"{low:,} to {high:,} model rows." in panel.shown.parts["expected"]

    def test_that_a_budget_cannot_buy_block_the_run_before_it_begins(self, bench):
        panel = ExplainPanel(bench, method=methods.KernelSHAP(budget=20))
        assert not panel.controls.enabled("Run")
        assert not panel.controls.enabled("Estimate time")
        assert panel.status.notice.startswith(
            "KernelSHAP with 4 players and 5 background rows needs"
        )
        assert panel.shown.parts["expected"] == ""
        with pytest.raises(InputError, match="needs a budget"):
            panel.estimate()

    def test_of_many_images_are_estimated_from_some(self, monkeypatch):
        from workbench.coalitions import superpixels

        monkeypatch.setattr(choices, "MOST_PIXELS", 16 * 12 * 10)
        cut = []
        original = superpixels.Superpixels.pieces

        def counting(self, image):
            cut.append(image.shape)
            return original(self, image)

        monkeypatch.setattr(superpixels.Superpixels, "pieces", counting)
        rng = np.random.default_rng(0)
        images = Inputs(rng.random((40, 12, 10, 3)), kind="image")
        model = Model(
            "mean", lambda rows: rows.mean(axis=(1, 2)), tuple("rgb"), "logit", kind="image"
        )
        bench = Bench([model], {"images": images})
        forms = {"KernelSHAP": {"superpixels": "grid", "segments": 4, "budget": 64}}
        view = resolve(bench, Choices(rows="all", method="KernelSHAP", forms=forms))
        assert set(cut) == {(12, 10, 3)}
        assert len(cut) == 16
        # Each image: 14 coalitions, its ends, its output.
        assert view.evaluations == (40 * 17, 40 * 17)
        assert view.cost == "about 680 model rows"
        assert next(run(view.study)).evaluations == 40 * 17
        panel = ExplainPanel(bench, rows="all", method=methods.KernelSHAP(**forms["KernelSHAP"]))
        assert "Expected: about 680 model rows." in panel.shown.parts["expected"]


class TestEstimate:
    def test_is_a_job_that_adds_time_and_memory_and_leaves_the_result_alone(self, bench):
        panel = ExplainPanel(bench, method=methods.Occlusion())
        first = panel.start()
        first.wait(20)
        before = panel.attributions
        panel.controls.click("Estimate time")
        job = panel.job
        assert job.wait(20) == ()
        assert job.name == "Estimate of Occlusion of linear"
        assert panel.plan.evaluations == (63, 63)  # 3 * 4 * 5 + 3
        said = panel.plan.sentence
        assert re.fullmatch(r"63 model rows, under 1 s and (under 1|\d+) MB", said)
        assert panel.shown.parts["expected"] == f"<div>Expected: {said}.</div>"
        assert panel.status.text == f"Estimate: {panel.plan.estimate}."
        assert f"<p>Expected: {said}.</p>" in panel.twin()
        assert panel.job is first
        assert panel.attributions == before
        assert bench.results == before
        assert panel.shown.stale == ""
        assert panel.controls.enabled("Estimate time")
        assert panel.controls.enabled("Run")

    def test_goes_when_the_choices_change_and_returns_with_them(self, bench):
        panel = ExplainPanel(bench, method=methods.Occlusion())
        panel.estimate().wait(20)
        panel.controls.set(rows="1")
        assert panel.plan is None
        assert panel.shown.parts["expected"] == "<div>Expected: 21 model rows.</div>"
        assert "Expected" not in panel.twin()
        panel.controls.set(rows="0-2")
        assert panel.plan is not None
        assert "under 1 s" in panel.shown.parts["expected"]

    def test_goes_when_the_model_is_replaced_by_another_of_its_name(self, bench, scored):
        panel = ExplainPanel(bench, method=methods.Occlusion())
        panel.estimate().wait(20)
        bench.add_model(replace(scored))
        assert panel.plan is None

    def test_asked_for_while_choices_change_belongs_to_the_old_ones(self, bench, scored):
        door, asked = threading.Event(), threading.Event()

        def predict(rows):
            asked.set()
            door.wait(10)
            return scored.predict(rows)

        bench.add_model(Model("held", predict, ("sick", "well"), "logit"))
        panel = ExplainPanel(bench, model="held", method=methods.Occlusion())
        job = panel.estimate()
        assert asked.wait(10)
        panel.controls.set(rows="1")
        door.set()
        job.wait(20)
        assert panel.plan is None
        panel.controls.set(rows="0-2")
        assert panel.plan.evaluations == (63, 63)

    def test_can_be_cancelled_and_then_there_is_none(self, bench, scored):
        door, asked = threading.Event(), threading.Event()

        def predict(rows):
            asked.set()
            door.wait(10)
            return scored.predict(rows)

        bench.add_model(Model("held", predict, ("sick", "well"), "logit", batch=8))
        panel = ExplainPanel(bench, model="held", method=methods.PermutationSHAP())
        panel.controls.click("Estimate time")
        job = panel.job
        assert asked.wait(10)
        assert not panel.controls.enabled("Run")
        assert not panel.controls.enabled("Estimate time")
        assert panel.controls.enabled("Cancel")
        with pytest.raises(WorkbenchError, match="One job runs at a time"):
            panel.start()
        panel.controls.click("Cancel")
        door.set()
        assert job.wait(20) == ()
        assert job.state == "cancelled"
        assert panel.plan is None
        assert panel.status.text.startswith("Estimate of PermutationSHAP of held cancelled after")
        assert panel.controls.enabled("Run")

    def test_of_a_model_that_fails_says_so_in_one_sentence(self, bench):
        bench.add_model(
            Model("broken", lambda rows: np.full((len(rows), 1), np.nan), ("y",), "raw")
        )
        panel = ExplainPanel(bench, model="broken", method=methods.Occlusion())
        panel.controls.click("Estimate time")
        assert _ended(panel)
        assert panel.status.error.startswith("Model 'broken' must return finite scores")
        assert panel.status.text.startswith("Estimate of Occlusion of broken failed after")
        assert panel.plan is None


def _ended(panel, seconds=20):
    """Wait for the live region to say how the job ended."""
    stop = time.monotonic() + seconds
    while not re.search(r"failed|cancelled|Expected|Done|long", panel.status.text):
        assert time.monotonic() < stop
        time.sleep(0.01)
    return True


class TestALongRun:
    def test_is_looked_at_first_and_asked_about_and_starts_at_the_second_press(
        self, bench, crawling
    ):
        panel = ExplainPanel(bench, **long_run())
        assert panel.view.evaluations[1] > preview.MANY_ROWS
        panel.controls.click("Run")
        assert panel.job.wait(30) == ()
        assert sum(crawling) < 10_000  # a look at it
        assert panel.asking
        assert "Run anyway" in panel.controls
        assert preview.QUESTION in panel.status.text
        assert preview.QUESTION in panel.shown.parts["expected"]
        assert panel.plan.seconds[0] > preview.ASK_SECONDS
        assert "press Run anyway" not in panel.twin()
        panel.controls.click("Run anyway")
        assert "Run" in panel.controls
        job = panel.job
        while job.done == 0:
            time.sleep(0.01)
        assert job.label == "PermutationSHAP of crawling"
        panel.cancel()
        job.wait(20)
        assert job.state == "cancelled"

    def test_that_was_estimated_is_asked_about_without_another_look(self, bench, crawling):
        panel = ExplainPanel(bench, **long_run())
        panel.estimate().wait(30)
        assert not panel.asking
        crawling.clear()
        panel.controls.click("Run")
        assert crawling == []
        assert panel.asking
        assert "Run anyway" in panel.controls

    def test_is_no_question_any_more_once_the_choices_change(self, bench, crawling):
        panel = ExplainPanel(bench, **long_run())
        panel.estimate().wait(30)
        panel.controls.click("Run")
        panel.controls["method"] = "Occlusion"
        assert not panel.asking
        assert "Run" in panel.controls
        panel.controls.click("Run")
        (result,) = panel.job.wait(20)
        assert type(result.method).__name__ == "Occlusion"

    def test_that_is_asked_about_keeps_the_result_that_is_there(self, bench, crawling):
        panel = ExplainPanel(bench, model="crawling", method=methods.Occlusion(), rows="0")
        panel.start().wait(20)
        before, picture = panel.attributions, panel.shown.parts["picture"]
        panel.controls["method"] = "PermutationSHAP"
        panel.controls.set(budget=800_000)
        panel.controls.click("Run")
        panel.job.wait(30)
        assert panel.asking
        assert panel.attributions == before
        assert panel.shown.parts["picture"] == picture
        assert "From the previous run (Occlusion of crawling)" in panel.shown.stale

    def test_is_not_started_for_choices_that_are_gone(self, bench, crawling):
        panel = ExplainPanel(bench, **long_run())
        panel.controls.click("Run")
        job = panel.job
        panel.controls["method"] = "Occlusion"
        assert job.wait(30) == ()
        assert (
            panel.status.text == "PermutationSHAP of crawling was not started: it would take long."
        )
        assert "Run" in panel.controls

    def test_can_be_cancelled_while_it_is_looked_at(self, bench, crawling, monkeypatch):
        monkeypatch.setattr(preview, "PROBE_SECONDS", 30.0)
        panel = ExplainPanel(bench, **long_run())
        panel.controls.click("Run")
        job = panel.job
        while not crawling:
            time.sleep(0.01)
        start = time.monotonic()
        panel.controls.click("Cancel")
        assert job.wait(20) == ()
        assert time.monotonic() - start < 5  # a batch is 2 ms; the look would take 30 s
        assert job.state == "cancelled"
        assert not panel.asking
        assert panel.status.text.startswith("Cancelled after")

    def test_starts_without_a_question_from_code(self, bench, crawling):
        panel = ExplainPanel(bench, **long_run())
        job = panel.start()
        while job.done == 0:
            time.sleep(0.01)
        assert job.label == "PermutationSHAP of crawling"
        panel.cancel()
        job.wait(20)

    def test_of_many_rows_that_turns_out_short_goes_on_by_itself(self, bench):
        panel = ExplainPanel(bench, method=methods.PermutationSHAP(budget=70_000), rows="0-2")
        assert panel.view.evaluations[1] > preview.MANY_ROWS
        panel.controls.click("Run")
        (result,) = panel.job.wait(60)
        assert result.evaluations == panel.view.evaluations[0]
        assert panel.status.text.startswith("Done: PermutationSHAP of linear, 3 rows in ")
        assert panel.plan is not None
        assert not panel.asking


def test_a_name_from_data_stays_text_beside_the_button(scored, four):
    evil = "<script>alert(1)</script>"
    bench = Bench([replace(scored, name=evil)], {"four": four})
    panel = ExplainPanel(bench, method=methods.Occlusion(), target=Target(0))
    panel.estimate().wait(20)
    for text in (panel.twin(), panel.shown.parts["expected"]):
        assert "<script" not in text


def test_the_button_says_what_it_does(bench):
    assert "leave it after a moment" in ExplainPanel(bench).controls.hint("Estimate time")


def test_an_empty_bench_promises_nothing():
    panel = ExplainPanel(Bench())
    assert panel.shown.parts["expected"] == ""
    assert not panel.controls.enabled("Estimate time")
