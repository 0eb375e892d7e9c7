"""The Ensemble panel without a browser: members, weights without model calls, planted truths, bad input."""

import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from workbench import methods, variants
from workbench.compare import disagreement
from workbench.core import Inputs, Model, Target
from workbench.errors import InputError, MemberError
from workbench.panels import Bench, EnsemblePanel, shares

FEATURES = ("a", "b", "c", "d", "e")


def scoring(name, weights, *, scale="logit", outputs=("no", "yes")):
    """Two outputs, the second a weighted sum of the columns, the first its negative."""
    weights = np.array(weights, dtype=float)

    def predict(rows):
        return np.stack([-(rows @ weights), rows @ weights], axis=1)

    return Model(name, predict, outputs, scale, kind="tabular", features=FEATURES)


def sure(name, weights):
    """The same as probabilities."""
    inner = scoring(name, weights)

    def predict(rows):
        p = 1 / (1 + np.exp(-2 * inner.predict(rows)[:, 1]))
        return np.stack([1 - p, p], axis=1)

    return replace(inner, predict=predict, scale="probability")


@pytest.fixture
def rows():
    """Forty rows of five columns of known class, over seven background rows."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 5))
    return Inputs(
        values,
        kind="tabular",
        features=FEATURES,
        background=rng.normal(size=(7, 5)),
        classes=(values[:, 0] + values[:, 1] > 0).astype(int),
        name="rows",
    )


@pytest.fixture
def trio():
    return [
        scoring("first", [2, 1, 0, 0, 0.5]),
        scoring("second", [1, 2, 0.5, 0, 0]),
        scoring("third", [1, 1, 0, 1, 0]),
    ]


@pytest.fixture
def bench(trio, rows):
    return Bench(trio, [rows])


def panel_of(bench, **choices):
    choices = {"rows": "0-9", "target": Target("yes"), "method": methods.ExactShapley(), **choices}
    return EnsemblePanel(bench, **choices)


def ran(bench, **choices):
    panel = panel_of(bench, **choices)
    panel.start().wait(60)
    assert panel.status.error == ""
    return panel


def lines(html, caption):
    """The table with this in its caption: {first cell: the other cells}."""
    table = next(one for one in re.findall(r"<table>.*?</table>", html, re.S) if caption in one)
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    return {first: others for first, *others in cells}


def members_table(panel):
    """{member: its cells, the remark last, "" where there is none}."""
    found = {}
    for first, cells in lines(panel.shown.parts["members"], "Members over").items():
        name, _, remark = first.partition('<div class="wb-remark">')
        found[name] = [*cells, remark.removesuffix("</div>")]
    return found


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
        panel = ran(bench, method=methods.KernelSHAP(budget=140))
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
        direct = variants.weigh([good, bad], rows[list(range(10, 40))])
        assert panel.weighing.rows == 30
        assert panel.view.shares == pytest.approx(
            tuple(direct.weights), abs=1e-12
        )  # the same search
        assert panel.view.shares[0] > 0.9
        assert panel.attributions[0].provenance["ensemble"]["weights"][0] > 0.9
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
        from workbench.panels import ensemble_shown

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


class TestPlantedTruth:
    def test_members_that_use_one_feature_alone_are_named_with_it(self, rows):
        pair = [scoring("only a", [2, 0, 0, 0, 0]), scoring("only b", [0, 2, 0, 0, 0])]
        table = members_table(ran(Bench([*pair, scoring("both", [1, 1, 0, 0, 0])], [rows])))
        assert table["only a"][-2] == "a (100%)"
        assert table["only b"][-2] == "b (100%)"
        assert "uses a alone" in table["only a"][-1]
        assert "uses b alone" in table["only b"][-1]
        assert table["both"][-1] == ""

    def test_a_member_of_pure_noise_stands_out(self, rows):
        alike = [scoring(f"m{k}", [2, 2 + 0.1 * k, 0, 0, 0]) for k in range(4)]

        def noise(given):
            # A hash of the row: any change of any column draws anew.
            mixed = np.sin(given @ np.array([127.1, 311.7, 74.7, 269.5, 183.3])) * 43758.5453
            score = 4 * (mixed - np.floor(mixed)) - 2
            return np.stack([-score, score], axis=1)

        loud = replace(scoring("noise", [1, 0, 0, 0, 0]), predict=noise)
        panel = ran(Bench([*alike, loud], [rows]), rows="0-19")
        table = members_table(panel)
        assert table["noise"][-1] == "stands out; little in common with any other"
        assert [table[f"m{k}"][-1] for k in range(4)] == [""] * 4
        assert panel.disagreement.outlier.member == "noise"
        assert "noise stands out" in panel.shown.parts["members"]

    def test_a_member_of_opposite_sign_is_named_and_cancels(self, rows):
        alike = [scoring(f"m{k}", [2, 1, 0.1 * k, 0, 0]) for k in range(3)]
        panel = ran(Bench([*alike, scoring("against", [-2, -1, 0, 0, 0])], [rows]))
        table = members_table(panel)
        assert table["against"][-1] == "stands out; opposite reasons to m0, m1, m2"
        assert table["against"][2].startswith("−0.9") or table["against"][2] == "−1.00"
        assert [table[f"m{k}"][-1] for k in range(3)] == [""] * 3
        pairs = lines(panel.shown.parts["cancelling"], "Pairs whose contributions cancel most")
        assert len(pairs) == 3
        assert all("against" in (first, *cells) for first, cells in pairs.items())

    def test_rows_whose_reasons_differ_though_the_class_does_not_come_first(self):
        # Both say yes to the first three rows: by the same column there, by different ones in row 1.
        values_ = np.array([[1, 1, 0, 0, 0], [5, 5, 0, 0, 0], [0, 0, 2, 0, 0], [1, -1, 0, 0, 0.0]])
        some = Inputs(values_, kind="tabular", features=FEATURES, background=np.zeros((1, 5)))
        pair = [scoring("x", [1, 0, 1, 0, 0]), scoring("y", [0, 1, 1, 0, 0])]
        panel = ran(Bench(pair, [some]), rows="all")
        options = panel.shown.rows
        assert [one["value"] for one in options] == ["0", "1", "2", "3"]
        assert [one["detail"].split(" · ")[0] for one in options] == [
            "disagreement 0.50",
            "disagreement 0.50",
            "disagreement 0.00",
            "disagreement 0.50",
        ]
        assert options[0]["detail"].endswith("all members: yes")
        assert options[3]["detail"].endswith("members: 1 no, 1 yes")


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
        options = [value for value, _ in panel.result.looks.fields[0]["options"]]
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
        assert panel.attributions[0].provenance["ensemble"]["weights"][0] == pytest.approx(0.7)

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
        whole = variants.vote(trio, [0.5, 0.2, 0.3], name="whole")
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


class TestMembers:
    def test_none_is_said(self, bench):
        panel = panel_of(bench)
        panel.controls.set({f"member-{i}": False for i in range(3)})
        assert panel.status.notice == "An ensemble needs at least one member. Tick one."
        assert not panel.controls.enabled("Run")
        assert panel.code == ""
        with pytest.raises(InputError, match="at least one member"):
            panel.start()
        panel.controls.set({"member-1": True})
        assert panel.view.members == ("second",)
        assert panel.controls.enabled("Run")

    def test_one_is_an_ensemble_without_sliders_or_matrix(self, bench):
        panel = ran(bench, members=["second"])
        assert panel.controls.values("Weights") == {}
        assert panel.shown.parts["alike"] == ""
        assert "it takes three members, not 1" in panel.shown.parts["members"]

    def test_fifty_fit_and_can_be_weighted(self, rows):
        rng = np.random.default_rng(5)
        fifty = [scoring(f"m{k}", rng.normal(size=5) + 1) for k in range(50)]
        panel = ran(Bench(fifty, [rows]), rows="0-4")
        assert len(panel.controls.values("Weights")) == 50
        panel.controls.set({"weight-0": 51})
        assert panel.view.shares[0] == 0.51
        assert sum(panel.view.shares) == pytest.approx(1, abs=1e-9)  # fifty roundings to six digits
        assert len(members_table(panel)) == 50
        panel.twin()

    def test_of_different_units_are_converted_and_that_is_said(self, rows):
        bench = Bench([scoring("l", [1, 0, 0, 0, 0]), sure("p", [1, 1, 0, 0, 0])], [rows])
        panel = ran(bench)
        assert "were turned from logit into probability" in panel.shown.parts["said"]
        assert panel.attributions[0].scale == "probability"
        assert np.abs(panel.attributions[0].gap).max() < 1e-9  # exact values of probabilities

    def test_of_a_unit_that_does_not_follow_are_a_sentence(self, rows):
        raw = scoring("raw", [1, 0, 0, 0, 0], scale="raw")
        panel = panel_of(
            Bench([scoring("l", [1, 0, 0, 0, 0]), raw], [rows]), target=None, members=["l", "raw"]
        )
        assert panel.status.notice.startswith("A mean needs members in one unit")
        assert "Traceback" not in panel.status.notice
        assert not panel.controls.enabled("Run")

    def test_of_other_classes_are_left_out_at_first_and_a_sentence_when_ticked(self, trio, rows):
        other = scoring("other", [1, 0, 0, 0, 0], outputs=("cat", "dog"))
        panel = panel_of(Bench([*trio, other], [rows]))
        assert panel.view.members == ("first", "second", "third")
        panel.controls.set({"member-3": True})
        assert "must have the same outputs" in panel.status.notice
        assert "'other'" in panel.status.notice

    def test_that_fail_are_named_and_the_others_kept(self, trio, rows):
        def broken(given):
            raise ZeroDivisionError("in the member")

        bad = replace(scoring("bad", [1, 0, 0, 0, 0]), predict=broken)
        panel = ran(Bench([*trio, bad], [rows]))
        assert "Member &#x27;bad&#x27; failed: in the member" in panel.shown.parts["warnings"]
        (whole,) = panel.attributions
        assert whole.model == "vote of 4 without bad"
        assert [part.model for part in whole.parts] == ["first", "second", "third"]
        alone = ran(Bench(trio, [rows]))
        # Sums of three doubles in another order.
        np.testing.assert_allclose(whole.values, alone.attributions[0].values, atol=1e-12)
        panel.reweight([0.1, 0.1, 0.3, 0.5])
        weights = panel.attributions[0].provenance["ensemble"]["weights"]
        assert weights == pytest.approx((0.2, 0.2, 0.6))

    def test_that_fail_in_a_stack_are_an_error_in_the_panel(self, rows, trio):
        nan = replace(
            scoring("nan", [1, 0, 0, 0, 0]), predict=lambda r: np.full((len(r), 2), np.nan)
        )
        panel = panel_of(Bench([nan, scoring("nan too", [1, 0, 0, 0, 0])], [rows]), weights=[1, 0])
        job = panel.start()
        with pytest.raises(MemberError):
            job.wait(30)
        assert "Member 'nan' failed" in panel.status.error
        assert "Traceback" not in panel.status.error
        assert panel.controls.enabled("Run")

    @pytest.mark.parametrize("final", ["linear", "tree"])
    def test_of_a_stack_keep_what_was_fitted_and_stand_below_its_own_picture(self, rows, final):
        from sklearn.ensemble import StackingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.naive_bayes import GaussianNB
        from sklearn.tree import DecisionTreeClassifier

        parts = [("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3))]
        end = LogisticRegression() if final == "linear" else DecisionTreeClassifier(max_depth=2)
        fitted = StackingClassifier(parts, end, cv=3).fit(rows.values, rows.classes)
        stack = variants.unpack(fitted, name="stack")
        panel = ran(Bench([stack], [rows]), members="stack", target=None)
        assert panel.controls.values("Weights") == {}
        assert "fitted" in panel.shown.parts["weights_said"]
        assert panel.view.members == ("bayes", "tree")
        with pytest.raises(InputError, match="fitted"):
            panel.reweight([1, 2])
        assert panel.shown.parts["pictures"].count("<img") == 3
        assert "of stack" in re.search(r'alt="(.*?)"', panel.shown.parts["pictures"])[1]
        assert "not the mean of its members" in panel.shown.parts["warnings"]
        output = panel.attributions[0].output
        first = panel.shown.rows[0]
        assert f"output {output[int(first['value'])]:.3g}" in first["detail"]
        space = {"bench": panel.bench}
        exec(panel.code, space)  # noqa: S102 - that it can be run is the promise
        np.testing.assert_array_equal(space["found"].ratio, panel.disagreement.ratio)

    def test_arrive_and_go_with_the_bench(self, bench, trio):
        panel = panel_of(bench)
        bench.add_model(scoring("late", [1, 1, 1, 1, 1]))
        assert len(panel.controls.values("Members")) == 4
        assert panel.view.members[:3] == ("first", "second", "third")
        panel.close()
        bench.add_model(scoring("later", [1, 1, 1, 1, 1]))
        assert len(panel.controls.values("Members")) == 4

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"members": ["gone"]}, "models are"),
            ({"members": "gone"}, "models are"),
            ({"data": "gone"}, "inputs are"),
            ({"target": Target("ill")}, "not 'ill'"),
            ({"method": object()}, "not 'object'"),
            ({"combination": "median"}, "not 'median'"),
            ({"combination": "raw"}, "not 'raw'"),
            ({"weights": [1, 2]}, "3 members"),
            ({"weights": [-1, 2, 3]}, "must not be negative"),
            ({"weights": [0, 0, 0]}, "all are zero"),
        ],
    )
    def test_given_wrong_are_an_error_not_a_first_choice(self, bench, arguments, said):
        with pytest.raises(InputError, match=said):
            panel_of(bench, **arguments)


def test_an_empty_bench_says_what_is_missing_and_shows_no_empty_headings():
    panel = EnsemblePanel(Bench())
    assert "There is no model yet" in panel.status.notice
    assert all(one.layout.display == "none" for one in panel._controls.sections.values())
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
    assert panel.controls["rows"] == panel.view.asked.choices.rows


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
from workbench.panels.later import Later

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
