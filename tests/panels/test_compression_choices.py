"""What the Compression panel may be asked for: ways to make copies, copies at hand, rows, methods."""

from dataclasses import replace

import pytest

import workbench as wb
from tests.panels.compression_bench import (
    QUICK,
    copy_by_hand,
    lines,
    network,
    panel_of,
    ran,
)
from workbench import methods, variants
from workbench.errors import InputError
from workbench.panels import Bench, CompressionPanel


class TestCopies:
    def test_that_cannot_be_made_are_named_and_the_others_go_on(self, bench):
        panel = ran(bench, recipes={"prune": [0.5, 1.0]})
        assert panel.drift.models == ("net, 50% pruned",)
        table = lines(panel.shown.parts["table"])
        assert table["Magnitude pruning, 1.0"][0] == "not made"
        assert "Magnitude pruning, 1.0" in panel.shown.parts["warnings"]
        assert "1 not judged" in panel.status.text

    def test_of_which_none_can_be_made_are_an_error_that_says_why(self, bench):
        panel = panel_of(bench, recipes={"prune": [1.0]})
        with pytest.raises(InputError, match="No copy of 'net' can be held against it"):
            panel.start().wait(30)
        assert "No copy of 'net'" in panel.status.error
        assert panel.drift is None

    def test_that_no_method_can_explain_are_named_and_the_others_go_on(self, bench):
        panel = ran(bench, recipes={"prune": [0.5], "distill_to_linear": [None]})
        assert panel.drift.models == ("net, 50% pruned",)
        states = [cells[0] for cells in lines(panel.shown.parts["table"]).values()]
        assert states.count("not explained") == 1
        assert "gradient" in panel.shown.parts["warnings"]
        assert len(panel.copies) == 2

    def test_of_the_bench_are_held_against_the_model_they_were_made_from(self, bench, rows):
        for name in ("one", "two"):
            bench.add_model(copy_by_hand(bench.models["net"], name, change=0.0))
        bench.add_model(network("stranger", 5))
        panel = CompressionPanel(bench, methods=QUICK)
        assert [one.name for one in panel.view.copies] == ["one", "two"]
        assert panel.view.families == ()
        panel.controls.set({"held-1": "", "held-2": "sibling"})
        assert [one.name for one in panel.view.copies] == ["one"]
        assert [one.name for one in panel.view.siblings] == ["stranger"]
        panel.start().wait(30)
        assert dict(panel.drift.verdicts) == {"one": "preserved"}
        assert panel.drift.measured[0].retraining > 0

    def test_that_changed_nothing_are_said_loudly(self, bench):
        net = bench.models["net"]
        bench.add_model(copy_by_hand(net, "no-op", touched=0, layers=2, change=0.0))
        panel = ran(bench, recipes=(), copies=["no-op"])
        assert (
            'role="note">no-op: Nothing was changed: none of 2 layers'
            in panel.shown.parts["warnings"]
        )
        assert "changes no score of the rows" in panel.shown.parts["table"]
        assert lines(panel.shown.parts["table"])["no-op"][3:5] == ["0 [0, 0]", "0.05"]

    def test_with_a_twin_carry_its_label_in_table_and_picture(self, bench, pictures):
        net = bench.models["net"]
        twin = copy_by_hand(net, "int8", twin_gap=0.125, change=0.5, explained_as="its twin")
        bench.add_model(twin)
        panel = ran(bench, recipes=(), copies=["int8"])
        label = "straight-through convention, twin off by at most 0.12"
        assert label in panel.shown.parts["row"]
        assert (
            "Gradients come from its twin (straight-through convention)"
            in panel.shown.parts["table"]
        )
        assert panel.attributions[-1].provenance.twin_gap == 0.125
        assert panel.attributions[0].provenance.twin_gap is None
        scores_alone = wb.explain(twin, panel.study.inputs, methods.Occlusion())
        assert scores_alone.provenance.twin_gap is None

    def test_of_other_outputs_or_units_are_not_offered(self, bench):
        net = bench.models["net"]
        bench.add_model(replace(net, name="other", outputs=("ja", "nein")))
        bench.add_model(replace(net, name="unit", scale="probability"))
        panel = panel_of(bench)
        assert panel.view.others == ()
        assert "Other models on the bench" not in panel.shown.sections

    def test_made_anew_take_the_place_of_older_ones_of_their_name(self, bench):
        ran(bench)
        panel = ran(bench, copies=["net, 80% pruned"])
        assert panel.drift.models == ("net, 20% pruned", "net, 80% pruned")
        assert panel.copies[-1] is bench.models["net, 80% pruned"]


class TestRowsToMakeThemWith:
    def test_are_those_that_are_not_explained(self, bench):
        panel = panel_of(bench, rows="0-23")
        assert len(panel.view.made_with.inputs) == 36
        assert "rows = bench.inputs['rows'][24:60]" in panel.code
        assert panel.view.note == "Below 59 rows no copy is preserved for rows like these."

    def test_are_another_set_that_is_called_training_rows(self, bench, rows):
        bench.add_inputs(rows[:30], "training rows")
        panel = panel_of(bench, data="rows", rows="all")
        assert "rows = bench.inputs['training rows']" in panel.code
        panel.controls.set(made_with="rows")
        assert panel.view.choices.made_with == "rows"

    def test_are_said_to_be_the_explained_ones_where_there_are_no_others(self, bench):
        panel = panel_of(bench, rows="0-49")
        assert "made with the rows that are explained" in panel.shown.parts["said"].replace(
            "calibrated or trained", "made"
        )


class TestChoices:
    def test_at_first_are_a_recipe_that_applies_on_rows_enough_for_a_verdict(self, bench):
        panel = CompressionPanel(bench)
        assert [family.recipe.name for family in panel.view.families] == ["fake_quantize"]
        assert panel.view.question.choices.rows == "0-59"
        assert "Below" not in panel.view.note
        assert panel.code

    def test_of_levels_appear_with_their_recipe_and_are_read_as_its_kind(self, bench):
        panel = panel_of(bench)
        names = list(panel.controls.values("Ways to make copies"))
        assert "levels-prune" in names
        assert "levels-fake_quantize" not in names
        panel.controls.set({"make-fake_quantize": True})
        made = {family.recipe.name: family.levels for family in panel.view.families}
        assert made == {"prune": (0.2, 0.8), "fake_quantize": (8, 4, 3)}
        assert all(type(level) is int for level in made["fake_quantize"])
        panel.controls.set({"make-prune": False})
        assert [family.recipe.name for family in panel.view.families] == ["fake_quantize"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "needs at least one level"),
            ("0.2, 0.2", "must differ"),
            ("much", "are numbers"),
            ("<b>", "are numbers"),
        ],
    )
    def test_of_levels_that_cannot_be_read_are_said_and_nothing_runs(self, bench, text, said):
        panel = panel_of(bench)
        panel.controls.set({"levels-prune": text})
        assert said in panel.status.notice
        assert not panel.controls.enabled("Run")
        with pytest.raises(InputError, match=said):
            panel.start()

    def test_of_ways_that_do_not_apply_are_listed_with_the_reason(self, bench):
        panel = panel_of(bench)
        assert "Fewer trees" in panel.shown.parts["impossible"]
        with pytest.raises(InputError, match="Fewer trees does not apply"):
            panel_of(bench, recipes="fewer_trees")
        with pytest.raises(InputError, match="no recipe 'shrink'"):
            panel_of(bench, recipes="shrink")

    def test_of_names_that_are_not_on_the_bench_are_refused(self, bench):
        for wrong in ({"copies": ["x"]}, {"siblings": ["x"]}, {"made_with": "x"}, {"model": "x"}):
            with pytest.raises(InputError, match="'x' must be on the bench"):
                panel_of(bench, **wrong)

    def test_of_nothing_to_make_and_nothing_to_hold_is_blocked_with_advice(self, bench):
        panel = panel_of(bench, recipes=())
        assert "There is no copy to hold against the model" in panel.status.notice
        assert panel.code == ""

    def test_of_few_rows_say_that_there_will_be_no_verdict(self, bench):
        panel = ran(bench, rows="0-9")
        assert "Below 20 rows" in panel.shown.parts["said"]
        assert set(panel.drift.verdicts.values()) == {"undetermined"}

    def test_of_further_methods_are_ticks(self, bench):
        panel = panel_of(bench)
        panel.controls.set({"also-Occlusion": True})
        assert [type(one).__name__ for one in panel.view.methods] == [
            "IntegratedGradients", "Occlusion",
        ]  # fmt: skip
        assert "[methods.IntegratedGradients(steps=4), methods.Occlusion()]" in panel.code

    def test_of_another_model_start_anew(self, bench):
        bench.add_model(network("second", 4))
        panel = panel_of(bench)
        panel.controls.set(model="second")
        assert panel.view.reference.name == "second"
        assert [family.recipe.name for family in panel.view.families] == ["fake_quantize"]

    def test_without_models_or_rows_say_what_is_missing(self, rows):
        assert "There is no model yet" in CompressionPanel(Bench()).status.notice
        assert "There are no rows yet" in CompressionPanel(Bench([network()])).status.notice


def test_a_closed_panel_no_longer_follows_the_bench(bench):
    panel = panel_of(bench)
    panel.close()
    bench.add_model(network("later", 2))
    assert panel.view.others == ()


def test_every_recipe_of_the_catalog_prints_as_a_call_that_python_reads(bench):
    import ast

    for recipe in variants.recipes():
        if recipe.obstacle(bench.models["net"]) is None:
            panel = panel_of(bench, recipes=recipe.name)
            ast.parse(panel.code)
            assert f"'{recipe.name}'" in panel.code
