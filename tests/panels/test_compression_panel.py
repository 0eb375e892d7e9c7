"""The Compression panel without a browser: copies made, judged, kept and looked into; bad input."""

import threading
import time
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

import workbench as wb
from tests.panels.compression_bench import (
    FEATURES,
    QUICK,
    lines,
    network,
    panel_of,
    ran,
)
from workbench import methods
from workbench.compare.drift.metrics import DRIFT_METRICS
from workbench.core import GradientCheck, Inputs, Target, Variant
from workbench.errors import InputError
from workbench.panels import Bench, CompressionPanel, ExplainPanel
from workbench.panels.compression.run import compression_steps
from workbench.panels.kit import preview


class TestARun:
    def test_gives_every_copy_a_line_with_its_size_its_predictions_and_its_verdict(self, bench):
        panel = ran(bench)
        table = lines(panel.shown.parts["table"])
        assert list(table) == ["net", "20% pruned", "80% pruned"]
        assert table["net"][0] == "the model"
        behavior = {one.model: one for one in panel.drift.behavior}["net, 80% pruned"]
        here, like, owed, drift, margin, flips, accuracy = table["80% pruned"][:7]
        assert here.endswith(panel.drift.on_rows["net, 80% pruned"])
        assert like.endswith(panel.drift.verdicts["net, 80% pruned"])
        assert flips == f"{behavior.flips:.1%}"
        assert accuracy == f"{behavior.accuracy[1]:.1%}"
        claim = panel.drift.claim("net, 80% pruned")
        (measured,) = [
            one for one in panel.drift.of("net, 80% pruned") if one.metric == claim.metric
        ]
        assert owed == f"{claim.method}, {DRIFT_METRICS[claim.metric].title}"
        assert drift == f"{measured.mean:.3g} [{measured.low:.3g}, {measured.high:.3g}]"
        assert margin == f"{measured.margin:.3g}"
        assert panel.drift.sentence("net, 80% pruned") in unescape(panel.shown.parts["table"])
        size = panel.copies[1].variant.size
        assert table["80% pruned"][-1].startswith(f"{size.nonzeros:,} (")

    def test_puts_copies_and_explanations_on_the_bench_and_other_panels_can_use_them(self, bench):
        panel = ran(bench)
        assert list(bench.models) == ["net", "net, 20% pruned", "net, 80% pruned"]
        assert bench.results == panel.attributions
        assert panel.shown.stale == ""
        other = ExplainPanel(bench, model="net, 80% pruned", method=QUICK, rows="0-3")
        known = {"bench": bench}
        exec(other.code, known)  # noqa: S102 - that it makes the copy anew is the promise
        (again,) = known["attributions"]
        np.testing.assert_array_equal(
            again.values, wb.explain(panel.copies[1], again.inputs, QUICK).values
        )

    def test_can_be_copied_as_code_that_gives_the_same_drift(self, bench, rows):
        bench.add_model(network("sibling", 1))
        panel = ran(
            bench,
            siblings=["sibling"],
            rows="5-28",
            target=Target("yes"),
            methods=[QUICK, methods.Occlusion()],
        )
        known = {"bench": bench}
        exec(panel.code, known)  # noqa: S102 - that it runs without the panel is the promise
        found = known["found"]
        assert found.models == panel.drift.models
        assert dict(found.verdicts) == dict(panel.drift.verdicts)
        assert len(found.measured) == len(panel.drift.measured)
        for ours, theirs in zip(panel.drift.measured, found.measured, strict=True):
            np.testing.assert_array_equal(ours.drift, theirs.drift)
            assert (ours.retraining, ours.noise) == (theirs.retraining, theirs.noise)
        assert found.explained == ("yes",) * 24

    def test_can_be_copied_as_code_with_text_levels_and_recipes_without_levels(self, bench):
        asked = {"cast": ["bfloat16"], "distill_to_linear": [None]}
        panel = panel_of(bench, recipes=asked, methods=methods.Occlusion())
        known = {"bench": bench}
        exec(panel.code, known)  # noqa: S102
        assert len(known["found"].models) == 2

    def test_shows_lines_curve_and_row_with_their_words(self, bench, pictures):
        panel = ran(bench, recipes={"prune": [0.2, 0.5, 0.8]})
        assert panel.shown.parts["overview"].count("<img") == 2
        assert panel.shown.parts["row"].count("<img") == 1
        twin = panel.twin()
        assert twin.count("<img") == 3
        assert twin.count("The picture in words") == 3
        assert "share of weights set to zero" in twin
        assert [point.level for point in panel.curve.points] == [0.2, 0.5, 0.8]

    def test_of_one_copy_has_no_curve(self, bench, pictures):
        panel = ran(bench, recipes={"prune": [0.5]})
        assert panel.shown.parts["overview"].count("<img") == 1

    def test_leaves_the_key_as_it_was_so_that_its_result_is_not_old(self, bench):
        panel = ran(bench)
        assert panel.outcome.key == panel.view.key
        assert panel.outcome.complete
        panel.controls.set({"levels-prune": "0.2"})
        assert "the choices have changed since" in panel.shown.stale
        panel.controls.set({"levels-prune": "0.2, 0.8"})
        assert panel.shown.stale == ""

    def test_says_how_it_ended(self, bench):
        panel = ran(bench)
        verdicts = list(panel.drift.verdicts.values())
        for verdict in set(verdicts):
            assert f"{verdicts.count(verdict)} {verdict}" in panel.status.text
        for said in (
            "; explanations on these 60 rows: ",
            "; for rows like these: ",
            "; predictions: ",
        ):
            assert said in panel.status.text
        assert panel.status.text.startswith("Done: copies of net")


class TestTheLiveTable:
    def test_fills_as_copies_are_made_and_then_as_they_are_judged(self, bench):
        panel = panel_of(bench)
        told = []
        labels = [step.label for step in compression_steps(panel.view, told.append)]
        assert [len(one.models) for one in told] == sorted(len(one.models) for one in told)
        assert len(told[0].models) == 0
        judged = [0 if one.drift is None else len(one.drift.models) for one in told]
        assert judged == sorted(judged)
        assert set(judged) == {0, 1, 2}
        assert judged.index(1) > [len(one.models) for one in told].index(2)
        assert any("Making Magnitude pruning, 0.2" in label for label in labels)
        assert [one.complete for one in told] == [False] * (len(told) - 1) + [True]

    def test_counts_its_steps_up_to_the_end(self, bench):
        panel = panel_of(bench)
        steps = list(compression_steps(panel.view, lambda _: None))
        shares = [step.done / step.total for step in steps]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0
        assert sum(share == 1.0 for share in shares) == 1

    def test_says_what_each_line_waits_for(self, bench):
        from workbench.panels.compression.table import table_html

        panel = panel_of(bench)
        told = []
        list(compression_steps(panel.view, told.append))
        assert [cells[0] for cells in lines(table_html(told[0], running=True)).values()] == [
            "the model", "being made", "being made",
        ]  # fmt: skip
        made = next(one for one in told if len(one.models) == 1)
        assert [cells[0] for cells in lines(table_html(made, running=True)).values()] == [
            "the model", "waiting", "being made",
        ]  # fmt: skip


class TestCancel:
    def test_keeps_the_copies_and_verdicts_that_are_there(self, rows):
        bench = Bench([network(slow=True)], [rows])
        panel = panel_of(
            bench,
            recipes={"prune": [0.2, 0.5, 0.8]},
            rows="all",
            methods=methods.IntegratedGradients(steps=64),
        )
        job = panel.start()
        deadline = time.monotonic() + 60
        while panel.drift is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        panel.cancel()
        job.wait(60)
        assert job.state == "cancelled"
        assert len(panel.copies) == 3
        assert 1 <= len(panel.drift.models) < 3
        assert "The run was cancelled: 3 of 3 copies are here" in panel.shown.stale
        assert panel.status.text.startswith("Cancelled after")
        assert "net, 80% pruned" in bench.models
        assert lines(panel.shown.parts["table"])["80% pruned"][0] == "not judged"


class TestCost:
    def test_is_said_before_anything_runs_and_counts_every_model(self, bench):
        bench.add_model(network("sibling", 1))
        panel = panel_of(bench, siblings=["sibling"])
        # The model, other seeds, random weights, two copies, a sibling.
        assert panel.view.models == 6
        (low, high) = panel.view.evaluations
        (one,) = wb.plan(panel.view.study, probe_seconds=0).costs
        assert (low, high) == (6 * one.evaluations[0], 6 * one.evaluations[1])
        assert (
            f"{high:,} model rows for 6 models; making 2 copies comes on top"
            in panel.shown.parts["expected"]
        )

    def test_that_is_high_is_asked_about_and_leaves_the_result_that_is_there(
        self, bench, monkeypatch
    ):
        panel = ran(bench)
        outcome, known = panel.outcome, bench.results
        monkeypatch.setattr(preview, "MANY_ROWS", 0)
        monkeypatch.setattr(preview, "ASK_SECONDS", -1.0)
        panel.controls.click("Run")
        panel.job.wait(30)
        assert panel.asking
        assert preview.QUESTION in panel.status.text
        assert "Run anyway" in panel.controls
        assert panel.outcome is outcome
        assert bench.results == known
        panel.controls.click("Run anyway")
        panel.job.wait(30)
        assert panel.outcome is not outcome

    def test_is_estimated_from_the_models_own_explanation(self, bench):
        panel = panel_of(bench)
        panel.estimate().wait(30)
        assert len(panel.plan.costs) == 5
        assert panel.plan.evaluations == panel.view.evaluations
        assert panel.outcome is None


class TestRows:
    def test_whose_prediction_is_kept_come_first_by_how_far_the_reasons_moved(self, bench):
        panel = ran(bench, recipes={"prune": [0.8]}, rows="all")
        options = panel.shown.rows
        kept = ["prediction kept" in one["detail"] for one in options]
        assert len(options) == 60
        assert kept == sorted(kept, reverse=True)
        assert not all(kept)
        drifts = [float(one["detail"].split(" ·")[0].rsplit(" ", 1)[1]) for one in options]
        first = drifts[: sum(kept)]
        assert first == sorted(first, reverse=True)

    def test_chosen_are_shown_and_the_overview_is_not_drawn_again(self, bench, pictures):
        panel = ran(bench)
        overview, before = panel.shown.parts["overview"], panel.shown.parts["row"]
        panel.controls["ranking"] = "7"
        panel.settle()
        assert "for row 7" in panel.shown.parts["row"]
        assert panel.shown.parts["row"] != before
        assert panel.shown.parts["overview"] is overview

    def test_of_another_copy_begin_where_that_one_is_farthest_off(self, bench):
        panel = ran(bench, rows="5-40")
        assert panel.result.look.copy == "net, 80% pruned"  # the farthest of all
        panel.controls["ranking"] = "7"
        panel.controls.set(copy="net, 20% pruned")
        panel.settle()
        found = [one for one in panel.shown.rows if "kept" in one["detail"]]
        assert panel.controls["ranking"] == found[0]["value"] == str(panel.result.look.row)
        assert panel.result.look.row not in (0, 7)
        assert "20% pruned" in panel.shown.parts["heading"]


class TestLookingFurther:
    def test_at_layers_names_those_of_the_copy_that_differ(self, bench):
        panel = ran(bench)
        run = panel.job
        panel.find_layers().wait(30)
        table = lines(panel.shown.parts["extras"])
        assert set(table) == {"0", "2"}
        assert "One layer of net, 80% pruned at a time" in panel.shown.parts["extras"]
        assert panel.job is run
        assert "One layer of" in panel.twin()

    def test_at_latency_adds_an_axis_to_the_curve(self, bench, pictures):
        panel = ran(bench)
        panel.measure_latency().wait(60)
        panel.settle()
        assert set(lines(panel.shown.parts["extras"])) == {
            "net",
            "net, 20% pruned",
            "net, 80% pruned",
        }
        assert all(point.seconds > 0 for point in panel.curve.points)
        assert "seconds" in panel.shown.parts["overview"]  # a column of the curve's words
        panel.start().wait(30)
        assert panel.shown.parts["extras"] == ""  # it was about the run before

    def test_without_a_run_is_refused_and_its_buttons_wait(self, bench):
        panel = panel_of(bench)
        assert not panel.controls.enabled("Which layers did it")
        for ask in (panel.measure_latency, panel.find_layers):
            with pytest.raises(InputError, match="no judged copies"):
                ask()
        with pytest.raises(InputError, match="no drift study yet"):
            _ = panel.study


def test_names_from_data_never_become_markup(rows, pictures):
    hostile = "<script>alert(1)</script><img src=x onerror=y>\x1b\u202e"
    inputs = Inputs(
        rows.values, kind="tabular", features=(hostile, *FEATURES[1:]), background=rows.background,
        name=hostile, ids=[f"{hostile}{i}" for i in range(60)], y=rows.y,
    )  # fmt: skip
    model = network(hostile, outputs=(hostile, "yes"))
    bench = Bench([model], [inputs])
    with pytest.MonkeyPatch.context() as patch:  # missing glyphs are no error
        patch.setattr("warnings.warn", lambda *a, **k: None)
        record = Variant(
            hostile, "done(net)", hostile, hostile, touched=1, layers=1, notes=(hostile,), twin_gap=0.5,
            explained_as=hostile, gradient=GradientCheck("suspect", hostile),
        )  # fmt: skip
        bench.add_model(replace(model, name=f"{hostile}2", variant=record))
        panel = CompressionPanel(
            bench,
            recipes={"prune": [0.5]},
            copies=[f"{hostile}2"],
            methods=[methods.Occlusion(), QUICK],
        )
        panel.start().wait(30)
        shown = [panel.twin(), panel.shown.parts["said"], panel.shown.parts["table"]]
        assert "alert(1)" in panel.shown.parts["warnings"]
    assert panel.drift is not None
    for html in shown:
        assert "<script" not in html
        assert "<img src=x" not in html
        assert "\x1b" not in html
        assert "\u202e" not in html
    exec(panel.code, {"bench": bench})  # noqa: S102 - that names are literals is the promise


def test_handlers_on_many_threads_leave_a_consistent_panel(bench):
    panel = panel_of(bench, recipes={"prune": [0.2, 0.5, 0.8]})
    job = panel.start()

    def user(seed):
        rng = np.random.default_rng(seed)
        for _ in range(8):
            panel.controls.set(rows=f"0-{rng.integers(20, 50)}")
            panel.controls.set({"levels-prune": f"0.{rng.integers(1, 9)}"})

    users = [threading.Thread(target=user, args=(seed,)) for seed in range(3)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join(60)
    job.wait(60)
    assert panel.status.error == ""
    assert panel.controls["rows"] == panel.view.question.choices.rows
    assert panel.controls["levels-prune"] == panel.view.choices.recipes["prune"]
    assert panel.drift.models == ("net, 20% pruned", "net, 50% pruned", "net, 80% pruned")


def test_the_bundle_carries_the_twin_and_a_short_repr(bench):
    panel = ran(bench)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/html"] == panel.twin()
    assert bundle["text/plain"] == (
        "CompressionPanel(model='net', recipes=['prune'], data='rows', rows='0-59', "
        "method='IntegratedGradients')"
    )
