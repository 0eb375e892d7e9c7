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


def fewest_of(method, rows: Inputs) -> int:
    """The smallest budget, as the refusal of a smaller one names it."""
    with pytest.raises(InputError, match=r"needs a budget of at least \d+ model rows") as refused:
        method(budget=2).evaluations(rows)
    return int(str(refused.value).split("at least ")[1].split(" ")[0])


@pytest.mark.parametrize("b", [1, 4])
@pytest.mark.parametrize("p", [3, 4, 5, 8])
@pytest.mark.parametrize("method", [KernelSHAP, PermutationSHAP])
def test_the_smallest_budget_that_a_refusal_names_is_enough_and_one_row_less_is_not(method, p, b):
    rows = table(p, b)
    fewest = fewest_of(method, rows)
    ends = 2 + b if method is KernelSHAP else 0
    assert (fewest - ends) % b == 0  # coalitions are asked over every background row
    few = method(budget=fewest - 1)
    words = (
        f"{p} players and {b} background rows needs .*least {fewest} model rows.* has {fewest - 1}"
    )
    with pytest.raises(InputError, match=words):
        few.evaluations(rows)
    with pytest.raises(InputError, match=words):
        list(few.attribute(product(p), rows, (wb.Target(0),)))
    found = wb.explain(product(p), rows, method(budget=fewest))
    np.testing.assert_allclose(found.gap, 0, atol=1e-9)
    assert found.evaluations >= fewest / 2


@pytest.mark.parametrize("p", [2, 3, 4])
def test_kernel_shap_of_up_to_four_players_takes_all_their_coalitions_and_is_exact(p):
    rows = table(p)
    least = (2**p - 2) * 4 + 1 + 1 + 4  # the score of the row, and its ends
    with pytest.raises(InputError, match=f"at least {least} model rows"):
        KernelSHAP(budget=least - 1).evaluations(rows)
    found = wb.explain(product(p), rows, KernelSHAP(budget=least))
    exact = wb.explain(product(p), rows, wb.methods.ExactShapley())
    np.testing.assert_allclose(found.values, exact.values, atol=1e-9)
    assert found.error is None


def test_kernel_shap_of_a_plane_is_exact_however_few_coalitions_are_drawn():
    rows = table(8)
    found = wb.explain(plane(8), rows, KernelSHAP(budget=4 * 40 + 6))
    wanted = np.arange(1.0, 9) * (rows.values - rows.background.mean(axis=0))
    np.testing.assert_allclose(found.values, wanted, atol=1e-9)
    np.testing.assert_allclose(found.error, 0, atol=1e-9)  # residuals of nothing


@pytest.mark.parametrize("recipe", [KernelSHAP(budget=4 * 40 + 6), PermutationSHAP(budget=400)])
def test_the_plan_is_what_is_asked(recipe, counted):
    rows = table(6)
    planned = recipe.evaluations(rows)
    found = wb.explain(counted.on(product(6)), rows, recipe)
    # The rows' own scores are asked for beside it, and reused.
    assert planned.fewest <= counted.rows - len(rows) <= planned.most
    assert found.evaluations == counted.rows


def test_a_tolerance_is_judged_first_with_twenty_four_degrees_of_freedom():
    # Three players over four fills: seven rotations of four pairs leave 4 x (7 - 1) = 24; a pair walks
    # 2 x (3 - 1) steps, and the two ends of a row take 1 + 4.
    found = PermutationSHAP(tolerance=0.05).evaluations(table(3))
    assert found.fewest == 2 * (4 * 7 * 4 + 5)


def test_two_players_over_four_fills_take_a_rotation_of_sixteen_rows():
    wb.explain(plane(2), table(2), PermutationSHAP(budget=2 * 2 * 4))
    with pytest.raises(InputError, match="needs a budget of at least 16 model rows"):
        wb.explain(plane(2), table(2), PermutationSHAP(budget=2 * 2 * 4 - 1))


def test_one_player_gets_everything_by_the_smallest_budget_there_is():
    one = table(1)
    for recipe in (PermutationSHAP(budget=2), KernelSHAP(budget=2)):
        found = wb.explain(plane(1), one, recipe)
        np.testing.assert_allclose(found.values, one.values - one.background.mean(), atol=1e-12)
        assert recipe.evaluations(one).most == 2 * (1 + 4)


def test_one_rotation_is_refused_or_told_as_too_few_for_an_honest_error_and_many_are_not():
    rows, rotation = table(6), 2 * 6 * 4
    if fewest_of(PermutationSHAP, rows) == rotation:
        once = wb.explain(product(6), rows, PermutationSHAP(budget=rotation))
        assert any("one rotation over the background" in note for note in once.notes)
    many = wb.explain(product(6), rows, PermutationSHAP(budget=20 * rotation))
    assert not any("one rotation" in note for note in many.notes)
    assert not any("relative error" in note for note in many.notes)  # none was asked for


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


def test_a_row_has_missed_where_one_of_several_targets_did():
    both = Model(
        "both",
        lambda rows: np.hstack([plane(6).predict(rows), product(6).predict(rows)]),
        ("plane", "product"),
        "raw",
    )
    recipe = PermutationSHAP(tolerance=0.001, budget=480)
    study = wb.Study((both,), (recipe,), table(6, n=3), (wb.Target(0), wb.Target(1)))
    for found in wb.run(study):
        (note,) = (one for one in found.notes if "relative error" in one)
        assert note.startswith("3 of 3 rows did not reach")


@pytest.mark.parametrize("recipe", [KernelSHAP(), PermutationSHAP(), wb.methods.Occlusion()])
def test_a_table_without_a_background_is_told_what_it_lacks(recipe):
    bare = Inputs(np.ones((1, 3)), kind="tabular")
    assert "needs background rows" in recipe.lacks(bare)
    assert recipe.lacks(table()) is None
