"""A cell is a value: its digest changes with whatever changes its numbers, and with nothing else."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench.core import Cell, Inputs, Study, Target
from workbench.errors import InputError
from workbench.methods import ExactShapley, GradientSHAP, KernelSHAP, Occlusion
from workbench.study.plan import evaluations_of, shared_evaluations

ROWS = Inputs(
    np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 5.0]]),
    kind="tabular",
    features=("a", "b", "c"),
    background=np.array([[0.0, 0.0, 1.0]]),
    groups={"ab": ("a", "b")},
    categories={"a": ("x", "y")},
)
NETWORK = replace(tanh_network(3), digest="d" * 64)

OTHER_NUMBERS = {
    "a value": {"values": np.array([[0.0, 1.0, 2.0], [1.0, 0.0, np.nextafter(5.0, 6.0)]])},
    "the precision": {"values": ROWS.values.astype(np.float32)},
    "the sign of zero": {"values": np.array([[0.0, 1.0, 2.0], [1.0, -0.0, 5.0]])},
    "the background": {"background": np.array([[0.0, 0.0, 2.0]])},
    "no background": {"background": None},
    "the groups": {"groups": {"ab": ("a", "c")}},
    "a column's name": {"features": ("a", "b", "d")},
    "what a code means": {"categories": {"a": ("y", "x")}},
    "labels that are numbers": {"categories": {"a": (0, 1)}},
    "labels that are truths": {"categories": {"a": (False, True)}},
}


def test_the_digest_of_rows_changes_with_whatever_changes_numbers():
    other = [replace(ROWS, **change).digest for change in OTHER_NUMBERS.values()]
    assert len({ROWS.digest, *other}) == 1 + len(other)
    assert all(len(one) == 64 for one in other)


def test_the_digest_of_rows_does_not_change_with_what_they_are_called_or_what_is_known_of_them():
    named = replace(ROWS, ids=("p", "q"), name="others", y=[0, 1], truth=[True, False])
    assert named.digest == ROWS.digest
    assert ROWS[[0, 1]].digest == ROWS.digest
    assert ROWS[[1, 0]].digest != ROWS.digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.datetime64("2020-01-01"), "datetime.date(2020, 1, 1)"),
        (b"x", "b'x'"),
        ((1, 2), "(1, 2)"),
        ("\ud83d\ude00", "\U0001f600"),  # two halves of a character, and the character
    ],
)
def test_labels_that_are_written_alike_have_other_digests(one, other):
    first, second = (replace(ROWS, categories={"a": (label, "y")}) for label in (one, other))
    assert first.digest != second.digest
    network = replace(NETWORK, categories=first.categories)
    cells = [Cell(replace(network, categories=rows.categories), KernelSHAP(), ROWS)
             for rows in (first, second)]  # fmt: skip
    assert len({cell.digest for cell in cells}) == 2


def test_labels_that_say_nothing_of_themselves_have_no_digest():
    rows = replace(ROWS, categories={"a": (object(), "y")})
    with pytest.raises(InputError, match="whose text does not show its content"):
        rows.digest  # noqa: B018
    assert Cell(NETWORK, KernelSHAP(), rows).digest == ""


def test_images_and_tables_of_the_same_bytes_have_other_digests():
    pixels = Inputs(np.zeros((1, 2, 2, 1)), kind="image")
    assert pixels.digest != Inputs(np.zeros((1, 2, 1, 2)), kind="image").digest


def test_the_digest_of_a_cell_changes_with_the_model_the_recipe_the_rows_and_the_targets():
    first = Cell(NETWORK, KernelSHAP(), ROWS)
    others = [
        replace(first, model=replace(NETWORK, digest="e" * 64)),
        replace(first, model=replace(NETWORK, scale="probability")),
        replace(first, model=replace(NETWORK, outputs=("b", "a", "c"))),
        replace(first, model=replace(NETWORK, gradient=None)),
        replace(first, method=KernelSHAP(seed=1)),
        replace(first, method=ExactShapley()),
        replace(first, inputs=ROWS[:1]),
        replace(first, targets=(Target(0),)),
        replace(first, targets=(Target("0"),)),
        replace(first, targets=(Target(0, against=1),)),
        replace(first, targets=(Target(0), Target(1))),
    ]
    assert len({first.digest, *(one.digest for one in others)}) == 1 + len(others)


def test_the_digest_of_a_cell_is_the_same_of_equal_cells_under_another_name():
    first = Cell(NETWORK, KernelSHAP(), ROWS, [Target(0)])
    again = Cell(NETWORK.renamed("other"), KernelSHAP(), replace(ROWS, name="other"), (Target(0),))
    assert first.targets == (Target(0),)
    assert first.digest == again.digest != ""


@dataclass(frozen=True)
class Holding:
    """A method that holds what has no text."""

    held: object
    needs: ClassVar = ()
    kinds: ClassVar = ("tabular",)
    additive: ClassVar = False
    source: ClassVar = "none"

    def attribute(self, model, inputs, targets):
        yield None


def test_a_cell_whose_content_cannot_be_told_has_no_digest():
    assert Cell(replace(NETWORK, digest=""), KernelSHAP(), ROWS).digest == ""
    assert Cell(NETWORK, Holding(print), ROWS).digest == ""
    ones = Cell(NETWORK, Holding(np.ones(2)), ROWS).digest
    assert ones != Cell(NETWORK, Holding(np.zeros(2)), ROWS).digest
    assert ones != ""


def test_a_study_yields_its_cells_in_the_order_of_the_run():
    other = replace(NETWORK, name="other")
    targets = (Target(0), Target(1))
    study = Study((NETWORK, other), (KernelSHAP(), Occlusion()), ROWS, targets)
    assert [cell.label for cell in study.cells] == [
        "KernelSHAP of network", "Occlusion of network", "KernelSHAP of other", "Occlusion of other",
    ]  # fmt: skip
    assert all(cell.inputs is ROWS and cell.targets == targets for cell in study.cells)
    ran = [(one.model, type(one.method).__name__) for one in wb.run(study)][:: len(targets)]
    assert ran == [(cell.model.name, type(cell.method).__name__) for cell in study.cells]


@pytest.mark.parametrize("method", [ExactShapley(), Occlusion(), GradientSHAP(budget=40)])
def test_a_cell_costs_what_it_costs_alone_whatever_ran_before(method):
    study = Study((NETWORK,), (Occlusion(), ExactShapley(), method), ROWS, (Target(0),))
    cell = study.cells[-1]
    fewest, most = evaluations_of(cell)
    (alone,) = wb.run(cell.study)
    assert fewest <= alone.evaluations <= most
    first = Study((NETWORK,), (method, Occlusion()), ROWS, (Target(0),)).cells[0]
    assert evaluations_of(first) == (fewest, most)


def test_what_the_cells_of_a_study_share_is_told_beside_them():
    study = Study((NETWORK,), (ExactShapley(), Occlusion()), ROWS, (Target(0),))
    alone = sum(one.evaluations for cell in study.cells for one in wb.run(cell.study))
    together = sum(one.evaluations for one in wb.run(study))
    assert shared_evaluations(study) == (alone - together, alone - together)
    assert alone - together == len(ROWS)
    assert shared_evaluations(replace(study, methods=(Holding(1),))) is None


def test_a_plan_asks_each_method_once_what_it_costs_and_tells_what_is_shared(monkeypatch):
    """A method may have to make superpixels to know."""
    times, real = [], Occlusion.evaluations

    def counting(self, inputs, /):
        times.append(self)
        return real(self, inputs)

    monkeypatch.setattr(Occlusion, "evaluations", counting)
    models = (NETWORK, NETWORK.renamed("again"))
    study = Study(models, (Occlusion(), ExactShapley()), ROWS, (Target(0),))
    plan = wb.plan(study, probe_seconds=0)
    assert len(times) == 1
    assert plan.shared == shared_evaluations(study) == (2 * len(ROWS),) * 2


def test_a_cell_is_checked_when_it_is_made():
    with pytest.raises(InputError, match="A cell needs at least one of its targets"):
        Cell(NETWORK, KernelSHAP(), ROWS, ())
    with pytest.raises(InputError, match="A cell needs at least one row"):
        Cell(NETWORK, KernelSHAP(), ROWS[[]])
    with pytest.raises(InputError, match="A method is a recipe"):
        Cell(NETWORK, KernelSHAP, ROWS)


@dataclass(frozen=True)
class Tables(GradientSHAP):
    """A method of one's own whose field holds arrays within tables."""

    tables: object = None


def test_arrays_in_the_same_place_of_a_recipe_all_count():
    ones, zeros = np.ones(2), np.zeros(2)
    methods = [Tables(tables={"a": {"b": first}, "a.b": zeros}) for first in (ones, zeros)] + [
        Tables(tables=np.array([first, zeros, None], dtype=object)) for first in (ones, zeros)
    ]
    assert len({Cell(NETWORK, method, ROWS).digest for method in methods}) == 4
