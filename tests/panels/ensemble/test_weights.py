"""Weights of an ensemble in its panel: moved without asking a model, found on held-out rows."""

import numpy as np
import pytest

from tests.panels.ensemble.bench import members_table, panel_of, ran, scoring, sure
from workbench import ensembles, methods
from workbench.core import Target
from workbench.errors import InputError
from workbench.panels import Bench
from workbench.panels.ensemble import shares


class TestWeights:
    def test_moved_to_a_share_leave_the_others_in_proportion_and_sum_to_one(self):
        moved = shares.moved((0.5, 0.3, 0.2), 0, 75)
        assert moved == pytest.approx((0.75, 0.15, 0.1), abs=1e-6)  # kept to six digits
        assert sum(moved) == pytest.approx(1, abs=1e-12)  # rounding of three additions

    @pytest.mark.parametrize("percent", [-1, 101, None, "x", True, float("nan")])
    def test_that_are_no_share_are_refused(self, percent):
        with pytest.raises(InputError, match="from 0 to 100 %"):
            shares.moved((0.5, 0.5), 0, percent)

    @pytest.mark.parametrize("count", [1, 3, 7, 50])
    def test_are_shown_as_percentages_that_sum_to_a_hundred(self, count):
        shown = shares.percents(shares.equal(count))
        assert sum(round(10 * one) for one in shown) == 1000

    def test_compose_anew_without_asking_a_model(self, trio, rows, counted):
        panel = ran(Bench([counted.on(model) for model in trio], [rows]))
        before, ranked = counted.calls, panel.shown.rows
        panel.controls.set({"weight-0": 80})
        panel.reweight([0.1, 0.2, 0.7])
        panel.controls.click("Equal weights")
        panel.reweight({"first": 6, "second": 1, "third": 3})
        panel.settle()
        assert before > 0
        assert counted.calls == before
        assert panel.shown.rows != ranked

    def test_moved_or_not_the_mean_is_called_the_ensembles_own(self, bench):
        panel = ran(bench)
        for weights in (None, [0.6, 0.1, 0.3], None):
            panel.reweight(weights)
            assert panel.disagreement.is_of_ensemble

    def test_given_later_equal_a_study_that_began_with_them(self, bench):
        panel = ran(bench)
        panel.reweight([0.6, 0.1, 0.3])
        again = ran(bench, weights=[0.6, 0.1, 0.3])
        ours, theirs = panel.attributions[0], again.attributions[0]
        # Sums of three doubles in another order.
        np.testing.assert_allclose(ours.values, theirs.values, atol=1e-12)
        np.testing.assert_allclose(ours.output, theirs.output, atol=1e-12)
        np.testing.assert_allclose(panel.disagreement.ratio, again.disagreement.ratio, atol=1e-12)
        assert np.abs(ours.gap).max() < 1e-9  # exact values of small numbers
        assert panel.shown.stale == ""

    def test_put_back_are_the_runs_own_result_with_its_own_errors(self, bench):
        panel = ran(bench, method=methods.KernelSHAP(budget=149))
        first = panel.attributions[0]
        panel.reweight([0.6, 0.1, 0.3])
        assert panel.attributions[0] is not first
        panel.reweight(None)
        assert panel.attributions[0] is first

    def test_on_sliders_renormalize_and_show_percentages(self, bench):
        panel = panel_of(bench)
        panel.controls.set({"weight-1": 60})
        shown = panel.controls.values("Weights")
        assert shown == {"weight-0": 20.0, "weight-1": 60.0, "weight-2": 20.0}
        assert panel.study.models[0].combination.weights == pytest.approx([0.2, 0.6, 0.2])
        assert [panel.controls.label(one) for one in panel.controls.values("Weights")] == [
            "first, %",
            "second, %",
            "third, %",
        ]

    def test_out_of_range_are_said_and_the_slider_goes_back(self, bench):
        panel = panel_of(bench)
        panel.controls.set({"weight-1": -5})
        assert "from 0 to 100 %" in panel.status.error
        assert panel.controls.values("Weights")["weight-1"] == 33.3

    def test_of_zero_stay_in_the_table_and_say_so(self, bench):
        panel = ran(bench)
        panel.controls.set({"weight-2": 0})
        assert members_table(panel)["third"][0] == "0.0%"
        assert "has no say" in members_table(panel)["third"][-1]

    def test_that_would_predict_another_class_say_in_which_rows(self, rows):
        pair = [scoring("up", [1, 0, 0, 0, 0]), scoring("down", [-1, 0, 0, 0, 0])]
        panel = ran(Bench(pair, [rows]), target=Target.predicted(), weights=[0.9, 0.1])
        assert panel.shown.parts["warnings"] == ""
        panel.reweight([0.1, 0.9])
        assert "another one in row 0, 1, 2" in panel.shown.parts["warnings"]

    def test_are_found_on_the_rows_that_are_not_explained(self, trio, rows):
        good, bad = sure("good", [3, 3, 0, 0, 0]), sure("bad", [0, 0, 3, 0, 0])
        panel = ran(Bench([good, bad], [rows]))
        assert panel.controls.visible("Weights from held-out rows")
        found = panel.find_weights()
        found.wait(30)
        direct = ensembles.weigh([good, bad], rows[list(range(10, 40))])
        assert panel.weighing.rows == 30
        assert panel.view.shares == pytest.approx(
            tuple(direct.weights), abs=1e-12
        )  # the same search
        assert panel.view.shares[0] > 0.9
        assert panel.attributions[0].provenance.ensemble.weights[0] > 0.9
        assert "30 held-out rows" in panel.twin()
        assert panel.job is not found

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"combination": "logit"}, "for means of probabilities only"),
            ({"rows": "all"}, "Only 0 rows of known class"),
        ],
    )
    def test_are_not_offered_where_nothing_is_held_out(self, rows, changed, said):
        pair = [sure("good", [3, 3, 0, 0, 0]), sure("bad", [0, 0, 3, 0, 0])]
        panel = panel_of(Bench(pair, [rows]), **changed)
        assert not panel.controls.visible("Weights from held-out rows")
        assert said in panel.shown.parts["weights_said"]
        with pytest.raises(InputError, match=said):
            panel.find_weights()

    def test_that_move_many_times_at_once_are_drawn_once(self, bench, monkeypatch):
        from workbench.panels.ensemble import shown as ensemble_shown

        drawn = []
        draw = ensemble_shown.pictures_html
        monkeypatch.setattr(ensemble_shown, "pictures_html", lambda *a: drawn.append(1) or draw(*a))
        panel = ran(bench)
        matrix = panel.shown.parts["alike"]
        drawn.clear()
        for share in range(10, 60, 5):
            panel.controls.set({"weight-0": share})
        assert "pictures" in panel.shown.pending
        assert "55.0%" in panel.shown.parts["members"]  # numbers do not wait for pictures
        panel.settle()
        assert len(drawn) <= 2  # one may have begun while the slider still moved
        assert panel.shown.pending == ()
        assert "first (55%)" in panel.shown.parts["pictures"]
        assert panel.shown.parts["alike"] is matrix  # weights play no part in it
