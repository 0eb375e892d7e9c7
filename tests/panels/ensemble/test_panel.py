"""The Ensemble panel without a browser: what a run shows, its code, names from data, many threads."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from tests.panels.ensemble.bench import FEATURES, members_table, panel_of, ran, scoring
from workbench import ensembles, methods
from workbench.compare import disagreement
from workbench.core import Inputs, Model, Target
from workbench.panels import Bench, EnsemblePanel
from workbench.panels.ensemble import shares


class TestResult:
    def test_shows_badge_members_band_and_matrix_and_the_numbers_behind_them(self, bench):
        panel = ran(bench)
        twin = panel.twin()
        assert "Exact, as the sum of its members&#x27; explanations" in panel.shown.parts["badge"]
        assert panel.shown.parts["pictures"].count("<img") == 2
        assert panel.shown.parts["alike"].count("<img") == 1
        assert twin.count("<img") == 3
        assert twin.count("The picture in words") == 3
        assert panel.attributions[0].parts
        assert set(members_table(panel)) == {"first", "second", "third"}
        direct = disagreement(panel.attributions[0].parts)
        np.testing.assert_array_equal(panel.disagreement.ratio, direct.ratio)
        shown = members_table(panel)["first"]
        assert shown[1] == f"{direct.influence.overall_share[0]:.1%}"

    def test_of_a_row_chosen_in_the_ranking_is_shown(self, bench):
        panel = ran(bench)
        first = panel.shown.parts["pictures"]
        assert f"for row {panel.shown.rows[0]['value']}" in first
        assert panel.shown.rows[0]["value"] != "7"
        panel.controls["ranking"] = "7"
        panel.settle()
        assert panel.result.look.row == 7
        assert panel.shown.parts["pictures"] != first
        assert "for row 7" in panel.shown.parts["pictures"]
        assert f"ratio {panel.disagreement.ratio[7]:.2f}" in panel.shown.parts["row"]

    def test_has_a_matrix_by_another_metric_and_of_one_row(self, bench):
        panel = ran(bench)
        options = panel.controls.options("metric")
        assert options == list(panel.disagreement.members.metrics)
        panel.controls.set(metric="kendall")
        panel.settle()
        assert "Kendall" in panel.shown.parts["alike"]
        panel.controls.set(of="the row shown")
        panel.settle()
        assert f"row {panel.shown.rows[0]['value']}" in panel.shown.parts["alike"]

    def test_of_images_is_maps_with_an_opacity(self):
        rng = np.random.default_rng(0)
        images = Inputs(rng.uniform(size=(3, 12, 10, 3)), kind="image")

        def member(name, channel):
            def predict(given):
                return np.stack([given[..., channel].mean(axis=(1, 2))] * 2, 1) * [-1, 1]

            return Model(name, predict, ("no", "yes"), "logit", kind="image")

        bench = Bench([member("red", 0), member("green", 1)], [images])
        recipe = methods.LIME(budget=64, segments=6, superpixels="grid")
        panel = ran(bench, rows="0-1", method=recipe)
        assert panel.shown.parts["pictures"].count("<img") == 2
        before = panel.shown.parts["pictures"]
        panel.controls.set(opacity=0.1)
        panel.settle()
        assert panel.shown.parts["pictures"] != before

    def test_is_marked_stale_by_other_rows_but_not_by_other_weights(self, bench):
        panel = ran(bench)
        panel.reweight([0.8, 0.1, 0.1])
        assert panel.shown.stale == ""
        panel.controls.set(rows="1-3")
        assert "the choices have changed since" in panel.shown.stale
        panel.controls.set(rows="0-9")
        assert panel.shown.stale == ""
        panel.controls.set({"member-0": False})
        assert "the choices have changed since" in panel.twin()

    def test_is_kept_as_far_as_it_is_known_when_cancelled(self, trio, rows):
        def slow(model):
            def predict(given):
                time.sleep(0.002)
                return model.predict(given)

            return replace(model, predict=predict, batch=8)

        panel = panel_of(
            Bench([slow(model) for model in trio], [rows]),
            rows="0-4",
            method=methods.PermutationSHAP(budget=8_000),
        )
        job = panel.start()
        while job.done < 400:  # two of five rows
            time.sleep(0.01)
        panel.controls.click("Cancel")
        (known,) = job.wait(20)
        assert job.state == "cancelled"
        assert 0 < len(known) < 5
        assert len(panel.attributions[0].parts) == 3
        assert "Cancelled: " in panel.shown.stale
        assert "classes unknown" in panel.shown.rows[0]["detail"]
        panel.reweight([0.7, 0.2, 0.1])  # what is known is weighted anew too
        assert panel.attributions[0].provenance.ensemble.weights[0] == pytest.approx(0.7)

    def test_has_a_cost_before_and_after_an_estimate(self, bench):
        panel = panel_of(bench)
        assert (
            "model rows, and 30 for the members&#x27; own classes" in panel.shown.parts["expected"]
        )
        panel.estimate().wait(30)
        assert panel.plan is not None
        panel.reweight([0.7, 0.2, 0.1])
        assert panel.plan is not None  # other weights take the same time


class TestCode:
    @pytest.mark.parametrize("combination", ["logit", "probability", "hard"])
    def test_of_the_panel_runs_and_gives_the_same(self, bench, combination):
        panel = ran(bench, combination=combination, weights=[0.5, 0.2, 0.3])
        space = {"bench": bench}
        exec(panel.code, space)  # noqa: S102 - that it can be run is the promise
        (again,) = space["attributions"]
        np.testing.assert_array_equal(again.values, panel.attributions[0].values)
        np.testing.assert_array_equal(space["found"].ratio, panel.disagreement.ratio)

    def test_with_equal_weights_says_nothing_of_weights(self, bench):
        assert "weights" not in panel_of(bench).code
        assert "weights=[0.5, 0.25, 0.25]" in panel_of(bench, weights=[2, 1, 1]).code

    def test_of_an_ensemble_on_the_bench_takes_its_members(self, trio, rows):
        whole = ensembles.vote(trio, [0.5, 0.2, 0.3], name="whole")
        bench = Bench([whole], [rows])
        panel = ran(bench, members="whole")
        assert panel.study.models == (whole,)
        assert panel.view.members == ("first", "second", "third")
        assert panel.view.shares == (0.5, 0.2, 0.3)
        assert "model = bench.models['whole']\n" in panel.code
        panel.reweight([0.25, 0.25, 0.5])
        space = {"bench": bench}
        exec(panel.code, space)  # noqa: S102 - that it can be run is the promise
        # Sums of three doubles in another order.
        np.testing.assert_allclose(
            space["attributions"][0].values, panel.attributions[0].values, atol=1e-12
        )

    def test_gives_rows_to_members_none_of_which_reads_all_columns(self, rows):
        left = replace(
            scoring("left", [1, 0, 0, 0, 0]),
            predict=lambda r: np.stack([-r[:, 0], r[:, 0]], 1),
            features=("a",),
        )
        right = replace(left, name="right", features=("b",))
        bench = Bench([left, right], [rows])
        panel = ran(bench)
        assert "like=inputs" in panel.code
        exec(panel.code, {"bench": bench})  # noqa: S102 - that it can be run is the promise
        assert members_table(panel)["right"][-1].startswith("uses b alone")


def test_an_empty_bench_says_what_is_missing_and_shows_no_empty_headings():
    panel = EnsemblePanel(Bench())
    assert "There is no model yet" in panel.status.notice
    assert panel.shown.sections == ("Result",)
    assert "Run the notebook" in panel.twin()


@pytest.mark.filterwarnings("ignore:Glyph:UserWarning")  # the bundled font draws a box for it
@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'); import os; ('",
        "$\\frac{a}{b}$ \\n {0} %s",
        "\u202egnp.exe\x00\x1b[31m",
        "a" * 3000,
        "名前 😀",
    ],
)
def test_names_from_data_are_never_markup_nor_code(rows, evil):
    hostile = replace(rows, name=evil, features=(evil, *FEATURES[1:]), ids=(evil, *rows.ids[1:]))
    pair = [
        replace(
            scoring(f"{evil}{k}", [1, k, 0, 0, 0], outputs=(evil, "yes")),
            features=hostile.features,
            notes=(evil,),
        )
        for k in range(2)
    ]
    bench = Bench(pair, {evil: hostile})
    panel = ran(bench, target=Target(0))
    shown = [panel.twin(), panel.shown.parts["said"], panel.shown.parts["members"]]
    for html in shown:
        assert "<script" not in html
        assert "<img src=x" not in html
        assert "\x1b" not in html
        assert "\u202e" not in html
    exec(panel.code, {"bench": bench})  # noqa: S102 - that names are literals is the promise


def test_handlers_on_many_threads_leave_a_consistent_panel(bench):
    panel = panel_of(bench, method=methods.PermutationSHAP(budget=2000))
    job = panel.start()

    def user(seed):
        rng = np.random.default_rng(seed)
        for _ in range(12):
            panel.controls.set({f"weight-{rng.integers(3)}": int(rng.integers(100))})
            panel.controls.set(rows=f"0-{rng.integers(1, 9)}")

    users = [threading.Thread(target=user, args=(seed,)) for seed in range(4)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join(30)
    job.wait(60)
    assert panel.status.error == ""
    assert sum(panel.view.shares) == pytest.approx(1, abs=1e-9)  # three roundings to six digits
    shown = panel.controls.values("Weights")
    assert list(shown.values()) == shares.percents(panel.view.shares)
    assert panel.controls["rows"] == panel.view.question.choices.rows


def test_the_bundle_carries_the_twin_and_a_short_repr(bench):
    panel = ran(bench)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/html"] == panel.twin()
    assert bundle["text/plain"].startswith("EnsemblePanel(3 members, data='rows', rows='0-9'")


def test_an_interpreter_that_ends_while_a_picture_is_drawn_ends_in_peace():
    import subprocess
    import sys

    script = """
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from workbench.panels.kit.result import Later

def draw():
    for _ in range(20):
        figure = Figure()
        figure.subplots().imshow([[0.0, 1.0]])
        FigureCanvasAgg(figure).draw()
    print("drawn", flush=True)

Later(draw, pause=0.0).ask()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "drawn\n"
