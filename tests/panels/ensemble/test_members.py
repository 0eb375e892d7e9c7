"""Members of an ensemble in its panel: planted truths, mixed units, failures, bad input."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.panels.ensemble.bench import FEATURES, lines, members_table, panel_of, ran, scoring, sure
from workbench import ensembles
from workbench.core import Inputs, Target
from workbench.errors import InputError, MemberError
from workbench.panels import Bench


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
        said = panel.shown.parts["warnings"]
        assert "Member &#x27;bad&#x27; failed" in said
        assert "ZeroDivisionError: in the member" in said
        (whole,) = panel.attributions
        assert whole.model == "vote of 4 without bad"
        assert [part.model for part in whole.parts] == ["first", "second", "third"]
        alone = ran(Bench(trio, [rows]))
        # Sums of three doubles in another order.
        np.testing.assert_allclose(whole.values, alone.attributions[0].values, atol=1e-12)
        panel.reweight([0.1, 0.1, 0.3, 0.5])
        weights = panel.attributions[0].provenance.ensemble.weights
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
        fitted = StackingClassifier(parts, end, cv=3).fit(rows.values, rows.y)
        stack = ensembles.unpack(fitted, name="stack")
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
