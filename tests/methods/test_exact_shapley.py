"""ExactShapley: closed forms, and where enumeration ends."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.coalitions.superpixels import Superpixels
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError
from workbench.methods import ExactShapley


def white(h: int, w: int) -> Inputs:
    """A picture without contrast, which SLIC cuts by its shape alone."""
    return Inputs(np.ones((1, h, w, 3)), kind="image")


def bright() -> Model:
    return Model("bright", lambda rows: rows.mean(axis=(1, 2)), ("r", "g", "b"), "raw")


def test_an_image_of_17_superpixels_is_refused_before_and_while_it_runs_and_16_are_enumerated():
    recipe = ExactShapley(superpixels="slic", segments=16, fill="zero")
    many, few = white(6, 34), white(12, 12)
    cut = Superpixels("slic", 16)
    assert [cut.of(one.values[0]).max() + 1 for one in (many, few)] == [17, 16]
    for asked in (
        lambda: recipe.evaluations(many),
        lambda: next(recipe.attribute(bright(), many, (wb.Target(0),))),
    ):
        with pytest.raises(InputError, match="at most 16 players, but row 0 has 17 superpixels"):
            asked()
    assert recipe.evaluations(few).most == 2**16
    found = wb.explain(bright(), few, recipe, wb.Target(0))
    # A mean is additive: each pixel has its share of it.
    np.testing.assert_allclose(found.values[0], 1 / 144, rtol=1e-9)  # sums of 65,536 scores


def test_a_table_of_17_columns_is_refused_with_the_number_and_the_way_out_and_groups_help():
    rows = np.ones((1, 17))
    wide = Inputs(rows, kind="tabular", background=0 * rows)
    model = Model("sum", lambda rows: rows.sum(axis=1, keepdims=True), ("y",), "raw")
    assert "at most 16 players; 'rows' has 17. Group columns" in ExactShapley().lacks(wide)
    with pytest.raises(IncompatibleError, match="has 17"):
        wb.explain(model, wide, ExactShapley())
    grouped = Inputs(rows, kind="tabular", background=0 * rows, groups={"pair": (3, 4)})
    assert ExactShapley().lacks(grouped) is None


def test_the_glove_game_has_its_known_values():
    """Whoever holds the one left glove beside two right ones is worth 2/3, each of the others 1/6."""

    def pairs(rows):
        return np.minimum(rows[:, 0], rows[:, 1] + rows[:, 2])[:, None]

    rows = Inputs(np.ones((1, 3)), kind="tabular", background=np.zeros((1, 3)))
    found = wb.explain(Model("gloves", pairs, ("pairs",), "raw"), rows, ExactShapley())
    np.testing.assert_allclose(found.values, [[2 / 3, 1 / 6, 1 / 6]], atol=1e-15)
    assert found.error is None
    assert found.base == 0
