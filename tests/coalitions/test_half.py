"""Perturbed copies in bfloat16: faster, and only where the standard error is larger than the harm."""

from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from workbench import data, models
from workbench.coalitions import half as half_precision
from workbench.coalitions.half import CHECKED
from workbench.errors import IncompatibleError
from workbench.methods import LIME, KernelSHAP
from workbench.study.run import steps

RECIPES = [LIME(budget=400), KernelSHAP(budget=400)]


@pytest.fixture(scope="module")
def shapes():
    model = wb.load(data.asset("shapes_cnn.safetensors"), architecture=models.small_cnn)
    return model, data.shapes("test", n=2)


def in_both(model, inputs, recipe):
    """The recipe in full precision and in bfloat16, and by how many standard errors they differ."""
    full = wb.explain(model, inputs, recipe, wb.Target(1))
    half = wb.explain(model, inputs, replace(recipe, precision="bfloat16"), wb.Target(1))
    noise = [np.linalg.norm(full.error_by_player(i)) for i in range(len(inputs))]
    apart = [np.linalg.norm(full.by_player(i) - half.by_player(i)) for i in range(len(inputs))]
    return full, half, np.array(apart) / np.array(noise)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_a_real_network_in_bfloat16_moves_by_less_than_the_standard_error_and_says_so(
    shapes, recipe
):
    model, inputs = shapes
    full, half, moved = in_both(model, inputs, recipe)
    assert (moved > 0).all()  # it was another precision
    assert (moved < 1).all()
    (said,) = (note for note in half.notes if "bfloat16" in note)
    assert said.startswith(
        "2 of 2 rows were computed in bfloat16, which moved their values by at most"
    )
    assert half.evaluations == full.evaluations + 2 * CHECKED
    assert not any("bfloat16" in note for note in full.notes)


def spoiled(model, by):
    """The same model, whose bfloat16 answers are off by a share of superpixel 0's presence."""

    def masked_half(row, fills, players, masks, which):
        scores = model.masked(row, fills, players, masks, which)
        return scores + by * masks[:, :1]

    return replace(model, masked_half=masked_half)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_where_it_would_move_the_values_the_row_is_done_again_in_full(shapes, recipe):
    model, inputs = shapes
    full, half, moved = in_both(spoiled(model, 5.0), inputs, recipe)
    np.testing.assert_array_equal(full.values, half.values)
    (said,) = (note for note in half.notes if "bfloat16" in note)
    assert said.startswith("2 of 2 rows were computed in full precision, because bfloat16 would")
    assert not moved.any()


def told(found):
    """By how many standard errors the result says that its values moved."""
    (said,) = (note for note in found.notes if "bfloat16" in note)
    return float(said.split("at most ")[1].split()[0])


def test_the_estimated_harm_is_the_true_one_where_all_coalitions_are_checked(shapes, monkeypatch):
    """A presence that counts 0.1 more moves the coefficient of superpixel 0 by 0.1 and no other."""
    monkeypatch.setattr(half_precision, "CHECKED", 400)
    model, inputs = shapes
    full, half, moved = in_both(spoiled(model, 0.1), inputs[:1], RECIPES[0])
    shift = half.by_player(0) - full.by_player(0)
    assert shift[0] == pytest.approx(0.1, abs=0.005)  # the ridge shrinks it a little
    assert np.abs(shift[1:]).max() < 0.005
    assert told(half) == pytest.approx(moved[0], abs=0.005)  # two digits are told


def test_a_sample_of_coalitions_tells_the_harm_or_more(shapes):
    model, inputs = shapes
    _, half, moved = in_both(spoiled(model, 0.1), inputs[:1], RECIPES[0])
    # The sample's own chance adds about as much again here: 64 of 400 coalitions, 47 players.
    assert moved[0] < told(half) < 2.5 * moved[0]


def test_a_model_without_bfloat16_is_refused(network, table):
    with pytest.raises(IncompatibleError, match="cannot compute in bfloat16"):
        wb.explain(network, table, KernelSHAP(budget=300, precision="bfloat16"), wb.Target(0))


def test_an_enumerated_game_has_no_error_to_hide_behind(shapes):
    model, inputs = shapes
    recipe = KernelSHAP(budget=17, segments=4, superpixels="grid", precision="bfloat16")
    found = wb.explain(model, inputs[:1], recipe, wb.Target(1))
    assert found.error is None
    assert any("computed in full precision" in note for note in found.notes)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_a_row_stopped_before_its_check_says_that_it_is_unchecked(shapes, recipe):
    model, inputs = shapes
    study = wb.Study((model,), (replace(recipe, precision="bfloat16"),), inputs, (wb.Target(1),))
    seen = steps(study)
    early = next(
        step for step in seen if step.done > 400
    )  # past 40 % of the first of two rows' 1000
    (partial,) = early.partial()
    assert any("before it was checked" in note for note in partial.notes)
    *_, last = seen
    assert not any("before it was checked" in note for note in last.result[0].notes)


def test_background_images_take_turns_and_the_check_asks_about_the_same_game(shapes):
    model, inputs = shapes
    recipe = LIME(budget=400, fill="background", precision="bfloat16")
    many, one = inputs[:1], inputs[:1].with_background(inputs.background[:1])
    found = wb.explain(model, many, recipe, wb.Target(1))
    assert found.evaluations == 400 + CHECKED + 1
    assert any("1 of 1 rows were computed in bfloat16" in note for note in found.notes)
    alone = wb.explain(model, one, recipe, wb.Target(1))
    assert np.abs(found.by_player(0) - alone.by_player(0)).max() > 0.1


def test_tables_say_that_lime_takes_no_shortcut(network, table):
    found = wb.explain(network, table, LIME(budget=200, precision="bfloat16"), wb.Target(0))
    assert "Tables are computed in full precision." in found.notes


def test_a_study_is_refused_before_its_first_model_row(network, table, counted):
    methods = (LIME(budget=200), KernelSHAP(budget=300, precision="bfloat16"))
    with pytest.raises(IncompatibleError, match="cannot compute in bfloat16"):
        list(wb.run(wb.Study((counted.on(network),), methods, table, (wb.Target(0),))))
    assert counted.rows == 0


def test_double_precision_has_nothing_to_gain():
    import torch

    double = wb.wrap(torch.nn.Linear(3, 2).double(), scale="logit", kind="tabular")
    assert double.masked_half is None
