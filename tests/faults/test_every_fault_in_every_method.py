"""Whatever breaks meanwhile: the promised error, the model as found, the next explanation right."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import workbench as wb
from tests.contract.test_every_method_on_every_model import images, rows_of_a_table
from tests.faults.faulty import MAKERS, Fault, outside
from workbench.core import Attribution, Inputs
from workbench.errors import IncompatibleError, ModelError
from workbench.methods import catalog
from workbench.study.fit import obstacle
from workbench.study.run import steps

SMALL = {
    "KernelSHAP": {"budget": 5 * 64 + 7, "segments": 6},
    "PermutationSHAP": {"budget": 12 * 5 * 2, "segments": 6},
    "LIME": {"budget": 80, "segments": 6},
    "GradientSHAP": {"budget": 15},
    "IntegratedGradients": {"steps": 8},
    "ExactShapley": {"segments": 4},
    "Occlusion": {"window": 4, "stride": 4},
}

BROKEN = (
    "NaN on some row",
    "raises KeyError",
    "allocates",
    "changes shape with the batch",
    "changes its number of rows",
    "answers with labels",
)
HARMLESS = ("sleeps", "mutates its input")
DOUBTFUL = {"depends on its batch": "depend on the rows beside", "is not repeatable": "random"}


def rows_for(maker: str) -> Inputs:
    return images()[:2] if "images" in maker else rows_of_a_table()[:2]


@cache
def methods_for(maker: str) -> tuple:
    model, inputs = MAKERS[maker](Fault("none")), rows_for(maker)
    return tuple(one for one in catalog() if obstacle(one, model, inputs) is None)


def explained(model, inputs: Inputs, method: type) -> Attribution:
    return wb.explain(
        model,
        inputs,
        method(**SMALL.get(method.__name__, getattr(method, "quick", {}))),
        wb.Target(0),
    )


def same(left: Attribution, right: Attribution) -> bool:
    return np.array_equal(left.values, right.values) and np.array_equal(left.output, right.output)


CASES = [
    pytest.param(maker, method, id=f"{method.__name__}-{maker}")
    for maker in MAKERS
    for method in methods_for(maker)
]
every_method = pytest.mark.parametrize(("maker", "method"), CASES)


def calls_of(fault: Fault, model, inputs: Inputs, method: type) -> int:
    """How often the method asks, when nothing breaks."""
    fault.armed, fault.calls, fault.last = True, 0, 0
    explained(model, inputs, method)
    return fault.calls


def begun(maker: str, kind: str):
    """A model with a fault that sleeps, its rows, and what it looks like."""
    fault = Fault(kind)
    model, inputs = MAKERS[maker](fault), rows_for(maker)
    return fault, model, inputs, outside(model)


def test_every_method_meets_every_fault():
    assert {case.values[1] for case in CASES} == set(catalog())


@pytest.mark.parametrize("kind", BROKEN)
@every_method
def test_a_broken_model_is_told_in_one_sentence_and_works_again_once_it_is_mended(
    maker, method, kind
):
    fault, model, inputs, before = begun(maker, kind)
    first = explained(model, inputs, method)
    fault.armed = True
    with pytest.raises((ModelError, IncompatibleError)) as told:
        explained(model, inputs, method)
    assert str(told.value).startswith(("Model ", "A gradient method needs"))
    assert str(told.value).endswith(".")
    assert outside(model) == before
    fault.armed = False
    assert same(explained(model, inputs, method), first)
    assert outside(model) == before


@every_method
def test_an_error_in_the_middle_ends_the_explanation_and_nothing_else(maker, method):
    """On call 7, or on the last one where a method asks less often."""
    fault, model, inputs, before = begun(maker, "raises in the middle")
    first = explained(model, inputs, method)
    last = min(7, calls_of(fault, model, inputs, method))
    assert last >= 1
    fault.calls, fault.last = 0, last
    with pytest.raises(ModelError, match="in the middle"):
        explained(model, inputs, method)
    assert fault.calls == last
    assert outside(model) == before
    assert same(explained(model, inputs, method), first)  # further calls do not break


@pytest.mark.parametrize("kind", HARMLESS)
@every_method
def test_a_slow_or_careless_model_is_explained_as_ever(maker, method, kind):
    if maker == "forest" and kind == "mutates its input":
        return  # the arrays that scikit-learn is given are no business of its subclass's
    fault, model, inputs, before = begun(maker, kind)
    rows, background = inputs.values.copy(), inputs.background.copy()
    first = explained(model, inputs, method)
    fault.armed = True
    assert same(explained(model, inputs, method), first)
    assert fault.calls
    assert outside(model) == before
    np.testing.assert_array_equal(inputs.values, rows)
    np.testing.assert_array_equal(inputs.background, background)


@every_method
def test_an_interrupt_passes_and_leaves_the_model_as_it_was(maker, method):
    fault, model, inputs, before = begun(maker, "is interrupted")
    first = explained(model, inputs, method)
    fault.armed = True
    with pytest.raises(KeyboardInterrupt):
        explained(model, inputs, method)
    assert outside(model) == before
    fault.armed = False
    assert same(explained(model, inputs, method), first)


@every_method
def test_stopping_after_the_first_batch_leaves_the_model_as_it_was(maker, method):
    _, model, inputs, before = begun(maker, "none")
    recipe = method(**SMALL.get(method.__name__, getattr(method, "quick", {})))
    going = steps(wb.Study((model,), (recipe,), inputs, (wb.Target(0),)))
    next(going)
    assert outside(model) == before
    going.close()
    assert outside(model) == before


@pytest.mark.parametrize("kind", DOUBTFUL)
@every_method
def test_a_model_that_is_no_function_of_one_row_is_explained_with_a_warning(maker, method, kind):
    fault, inputs = Fault(kind), rows_for(maker)
    fault.armed = True
    model = MAKERS[maker](fault)
    before = outside(model)
    result = explained(model, inputs, method)
    assert any(DOUBTFUL[kind] in note for note in result.notes)
    assert any("not counted" in note for note in result.notes)
    assert outside(model) == before
