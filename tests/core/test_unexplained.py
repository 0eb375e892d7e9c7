"""Rows whose values are all zero, or below rounding, are found and said."""

import numpy as np
import pytest

from workbench.core import (
    Attribution,
    Inputs,
    Provenance,
    Target,
    unexplained_rows,
    with_unexplained_noted,
)
from workbench.methods import KernelSHAP, Occlusion


def result(values, output, base=None, method=None, players=None, names=()):
    values = np.array(values, dtype=float)
    kind = "tabular" if values.ndim == 2 else "image"
    inputs = Inputs(np.zeros(values.shape + (() if kind == "tabular" else (1,))), kind=kind)
    base = np.full(len(values), np.nan) if base is None else base
    return Attribution(
        values, output, base, None, inputs, "m", method or Occlusion(), Target(0),
        ("y",) * len(values), "raw", players=players, player_names=names,
        provenance=Provenance(notes=("first",)),
    )  # fmt: skip


def told(*arguments, **named):
    first, *others = with_unexplained_noted(result(*arguments, **named)).notes
    assert first == "first"
    return others


def test_zeros_are_unexplained_and_so_is_what_single_precision_cannot_tell():
    # An output of 8 is known to 8 / 2**22, about 1.9e-6.
    values = [[0, 0], [1.8e-6, -1.8e-6], [2e-6, 0], [0, 1]]
    assert unexplained_rows(result(values, [8.0] * 4)).tolist() == [True, True, False, False]


def test_a_score_of_1e_12_may_have_values_of_its_size():
    assert unexplained_rows(result([[1e-12, 0], [0, 0]], [1e-12, 0])).tolist() == [False, True]


def test_where_the_base_is_larger_its_rounding_counts():
    found = unexplained_rows(result([[1e-6], [1e-6]], [0.0, 0.0], base=[0.0, 8.0]))
    assert found.tolist() == [False, True]


def test_credit_of_a_large_superpixel_is_judged_whole():
    values = np.full((1, 64, 64), 1e-3 / 64**2)  # 2.4e-7 a pixel, 0.001 in all
    players = np.zeros((1, 64, 64), dtype=int)
    assert unexplained_rows(result(values, [8.0])).tolist() == [True]
    whole = result(values, [8.0], players=players, names=("superpixel 0",))
    assert unexplained_rows(whole).tolist() == [False]


def test_a_note_names_the_rows_and_says_that_the_output_changes():
    (note,) = told([[0, 0], [1, 0], [0, 0]], [1.0, 2.0, 3.0])
    assert note.startswith("Every value is 0 or below rounding in 2 of 3 rows (0, 2): ")
    assert "changes from row to row, so this is no proof that nothing counts" in note


def test_many_rows_are_counted():
    (note,) = told(np.zeros((1200, 1)), np.arange(1200.0))
    assert "in 1,200 of 1,200 rows (0, 1, 2, 3, 4 and 1195 more)" in note


def test_of_a_constant_output_it_is_said_that_nothing_differs():
    (note,) = told([[0, 0], [0, 0]], [1.0, 1.0])
    assert "The output is the same in all rows" in note
    assert "no proof" not in note


def test_one_row_alone_cannot_tell():
    (note,) = told([[0, 0]], [1.0])
    assert note.startswith("Every value is 0 or below rounding in row (0): ")
    assert note.endswith("Whether it reads this row at all cannot be seen from one row.")


def test_one_row_with_a_base_can():
    (note,) = told([[0, 0]], [1.0], base=[0.25], method=KernelSHAP())
    assert "Yet the output is not the base" in note


def test_an_additive_method_has_nothing_to_share_out_where_the_output_is_the_base():
    blind, shared = told(
        [[0, 0], [0, 0], [1, 1]], [1.0, 2.0, 3.0], base=[1.0, 1.0, 1.0], method=KernelSHAP()
    )
    assert "in 1 of 3 rows (1): there" in blind
    assert "in 1 of 3 rows (0), where the output is the base: there was nothing" in shared


@pytest.mark.parametrize("base", [None, [0.0, 0.0]])
def test_nothing_is_said_where_every_row_has_a_value(base):
    assert told([[1, 0], [0, 1e-3]], [1.0, 1.0], base=base) == []
