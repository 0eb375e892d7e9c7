"""LIME: what it says of its fit, how many rows it asks for, and what closeness does."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs, Model
from workbench.errors import InputError
from workbench.methods import LIME


def table(n: int = 2) -> Inputs:
    rng = np.random.default_rng(0)
    return Inputs(rng.normal(size=(n, 3)), kind="tabular", background=rng.normal(size=(80, 3)))


def steps_model(bins_of=None) -> Model:
    """A score that is exactly linear in "the first column is in the row's bin"."""
    return Model("steps", lambda rows: (rows[:, :1] > 0) * 2.0, ("y",), "raw")


def fits(result) -> list[str]:
    return [note for note in result.notes if "weighted R²" in note]


def test_the_fit_is_told_once_as_one_number_or_as_a_span():
    found = wb.explain(steps_model(), table(1), LIME(budget=400))
    (note,) = fits(found)
    assert " to " not in note
    nothing = Model("nothing", lambda rows: 0 * rows[:, :1], ("y",), "raw")
    assert fits(wb.explain(nothing, table(2), LIME(budget=400))) == [
        "The local linear models explain 1.00 of the variance (weighted R²)."
    ]
    (note,) = fits(wb.explain(steps_model(), table(8), LIME(budget=400)))
    low, high = (float(one) for one in note.split("explain ")[1].split(" of")[0].split(" to "))
    assert 0 < low < high <= 1


def test_tables_and_images_have_their_own_number_of_rows_unless_it_is_given():
    image = Inputs(np.random.default_rng(1).random((2, 12, 12, 3)), kind="image")
    assert LIME().evaluations(table()).most == 5000 - 1  # the row itself is the first
    assert LIME(budget=64).evaluations(table()).most == 63
    assert LIME().evaluations(image).most == 2 * 1000
    assert LIME(budget=64).evaluations(image).most == 2 * 64
    asked = LIME(budget=64, precision="bfloat16").evaluations(image)
    assert (asked.fewest, asked.most) == (2 * 128, 2 * 192)  # once or twice, and 64 to check


def test_only_tables_say_that_bfloat16_was_not_used(network):
    rows = Inputs(
        np.random.default_rng(1).normal(size=(2, 6)),
        kind="tabular",
        background=np.random.default_rng(2).normal(size=(30, 6)),
    )
    said = "Tables are computed in full precision."
    assert said not in wb.explain(network, rows, LIME(budget=100), wb.Target(0)).notes
    half = LIME(budget=100, precision="bfloat16")
    assert said in wb.explain(network, rows, half, wb.Target(0)).notes
    assert half.unfit(network, rows) is None
    image = Inputs(np.zeros((1, 8, 8, 3)), kind="image")
    assert "cannot compute in bfloat16" in half.unfit(network, image)


def test_without_a_background_a_table_has_no_bins_and_an_image_needs_none():
    bare = Inputs(np.ones((1, 3)), kind="tabular")
    assert "needs background rows" in LIME().lacks(bare)
    assert LIME().lacks(table()) is None
    image = Inputs(np.zeros((1, 8, 8, 3)), kind="image")
    assert LIME().lacks(image) is None
    assert "needs background rows" in LIME(fill="background").lacks(image)
    with pytest.raises(InputError, match="needs background rows"):
        list(LIME().attribute(steps_model(), bare, (wb.Target(0),)))


def test_a_wide_kernel_is_no_kernel_and_a_narrow_one_looks_near_the_row():
    """With a kernel of 100 all rows weigh the same: ordinary least squares on "same bin or not"."""
    from workbench.coalitions.bins import quartile_bins

    rows = table(1)
    model = Model("product", lambda x: (x[:, :1] > 0) * (x[:, 1:2] > 0) * 1.0, ("y",), "raw")
    found = wb.explain(model, rows, LIME(budget=3000, kernel_width=100.0, ridge=0.0))
    bins = quartile_bins(rows)
    drawn, codes = bins.draw(2999, 0)
    same = np.vstack([np.ones(3), codes == bins.codes_of(rows.values)[0]])
    design = np.column_stack([same, np.ones(3000)])
    wanted = np.linalg.lstsq(
        design, np.concatenate([model.scores(rows.values), model.scores(drawn)])[:, 0], rcond=None
    )[0]
    # Weights of exp(-3 / 20,000) and more.
    np.testing.assert_allclose(found.values[0], wanted[:3], atol=1e-4)
    assert found.base[0] == pytest.approx(wanted[3], abs=1e-4)
