"""KernelSHAP and PermutationSHAP: budgets and what they buy, what is refused, what is said."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs, Model
from workbench.errors import InputError
from workbench.methods import KernelSHAP, PermutationSHAP


def table(p: int = 6, b: int = 4, n: int = 2) -> Inputs:
    rng = np.random.default_rng(0)
    return Inputs(rng.normal(size=(n, p)), kind="tabular", background=rng.normal(size=(b, p)))


def product(p: int) -> Model:
    """Every column matters to every other."""
    return Model("product", lambda rows: np.prod(1 + rows, axis=1, keepdims=True), ("y",), "raw")


def plane(p: int) -> Model:
    return Model("plane", lambda rows: rows @ np.arange(1.0, p + 1)[:, None], ("y",), "raw")


@pytest.mark.parametrize(("p", "coalitions"), [(2, 2), (3, 6), (4, 14), (5, 15), (8, 24)])
def test_kernel_shap_takes_the_fewest_coalitions_that_tell_players_apart_and_no_fewer(p, coalitions):
    rows = table(p)
    for budget in (coalitions * 4 - 1, coalitions * 4):
        recipe = KernelSHAP(budget=budget)
        if budget < coalitions * 4:
            words = f"at least {coalitions * 4} model rows, but has {budget}"
            with pytest.raises(InputError, match=words):
                recipe.evaluations(rows)
            with pytest.raises(InputError, match=words):
                list(recipe.attribute(product(p), rows, (wb.Target(0),)))
        else:
            found = wb.explain(product(p), rows, recipe)
            np.testing.assert_allclose(found.gap, 0, atol=1e-9)


def test_kernel_shap_of_a_plane_is_exact_however_few_coalitions_are_drawn():
    rows = table(8)
    found = wb.explain(plane(8), rows, KernelSHAP(budget=4 * 24))
    wanted = np.arange(1.0, 9) * (rows.values - rows.background.mean(axis=0))
    np.testing.assert_allclose(found.values, wanted, atol=1e-9)
    np.testing.assert_allclose(found.error, 0, atol=1e-9)  # residuals of nothing


@pytest.mark.parametrize("recipe", [KernelSHAP(budget=4 * 40), PermutationSHAP(budget=400)])
def test_the_plan_is_what_is_asked(recipe, counted):
    rows = table(6)
    planned = recipe.evaluations(rows)
    found = wb.explain(counted.on(product(6)), rows, recipe)
    # The rows' own scores are asked for beside it, and reused.
    assert planned.fewest <= counted.rows - len(rows) <= planned.most
    assert found.evaluations == counted.rows


@pytest.mark.parametrize(("b", "fewest"), [(4, 2 * 6 * 4), (1, 4 * 6)])
def test_permutation_shap_needs_a_rotation_and_two_pairs(b, fewest):
    rows = table(6, b)
    with pytest.raises(InputError, match=f"at least {fewest} model rows"):
        PermutationSHAP(budget=fewest - 1).evaluations(rows)
    PermutationSHAP(budget=fewest).evaluations(rows)
    one = table(1, b)
    PermutationSHAP(budget=2).evaluations(one)  # one player takes no walk
    found = wb.explain(plane(1), one, PermutationSHAP(budget=2))
    np.testing.assert_allclose(found.values, one.values - one.background.mean(), atol=1e-12)


def test_one_rotation_is_told_as_too_few_for_an_honest_error_and_two_are_not():
    rows = table(6)
    once = wb.explain(product(6), rows, PermutationSHAP(budget=48))
    assert any("one rotation over the background" in note for note in once.notes)
    twice = wb.explain(product(6), rows, PermutationSHAP(budget=96))
    assert not any("one rotation" in note for note in twice.notes)
    assert not any("relative error" in note for note in twice.notes)  # none was asked for


def test_a_tolerance_that_is_reached_is_told_and_one_that_is_not_names_how_many_rows_missed_it():
    rows = table(6, n=3)
    reached = wb.explain(plane(6), rows, PermutationSHAP(tolerance=0.1))
    assert "The relative error is at most 0.1 (95 % confidence in each row)." in reached.notes
    missed = wb.explain(product(6), rows, PermutationSHAP(tolerance=0.001, budget=480))
    (note,) = (one for one in missed.notes if "relative error" in one)
    assert "3 of 3 rows did not reach a relative error of 0.001" in note
    plain = wb.explain(plane(6), rows, PermutationSHAP())
    assert "The relative error is at most 0.05 (95 % confidence in each row)." in plain.notes


def test_only_the_rows_that_missed_are_counted():
    """Where the first column is zero the model is a plane, and known at the first look."""

    def either(rows):
        return np.where(rows[:, :1] > -9, rows.sum(axis=1, keepdims=True), 0) + 5 * np.prod(
            rows[:, :2], axis=1, keepdims=True
        ) * (rows[:, 2:3] > 5)

    values = np.zeros((3, 6))
    values[:, 3:] = 1.0
    values[1, :3] = 1.0, 1.0, 9.0
    rows = Inputs(values, kind="tabular", background=np.random.default_rng(0).normal(size=(4, 6)))
    found = wb.explain(
        Model("either", either, ("y",), "raw"), rows, PermutationSHAP(tolerance=0.001, budget=480)
    )
    (note,) = (one for one in found.notes if "relative error" in one)
    assert note.startswith("1 of 3 rows did not reach")


@pytest.mark.parametrize("recipe", [KernelSHAP(), PermutationSHAP(), wb.methods.Occlusion()])
def test_a_table_without_a_background_is_told_what_it_lacks(recipe):
    bare = Inputs(np.ones((1, 3)), kind="tabular")
    assert "needs background rows" in recipe.lacks(bare)
    assert recipe.lacks(table()) is None
