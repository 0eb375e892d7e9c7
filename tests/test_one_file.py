"""What a new compressor takes, and a new method: one file each, and nothing else is edited."""

import importlib
import inspect
import sys
from dataclasses import replace

import numpy as np
import pytest

import workbench as wb
from tests.contract import test_every_method_on_every_model as contract
from tests.models_in_numpy import tanh_network
from tests.panels.compression_bench import network
from tests.study import test_plan as counting
from workbench import methods, variants
from workbench.core import Inputs
from workbench.errors import InputError
from workbench.panels import Bench, CompressionPanel

SHRINK = '''
"""Shrunken weights: every weight times a share."""

from workbench.models.torch import remade
from workbench.variants.recipes import Recipe
from workbench.variants.record import copied, recorded, running


def shrink(model, share, *, rows=None, name=None):
    """A copy whose every weight is multiplied."""
    module = copied(model)
    for weight in module.parameters():
        weight.data.mul_(share)
    return recorded(
        remade(model, module, name=name or f"{model.name}, shrunk to {share:g}"), model,
        recipe=f"shrink(model, {share})", description="shrunk", runs_as=running(module),
        touched=2, layers=2, rows=rows,
    )


RECIPE = Recipe("shrink", "Shrunken weights", "shrink", "share of every weight", (0.9, 0.5))
'''

PRODUCT = '''
"""Input times gradient."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from workbench.core import (
    Doc, Estimate, Evaluations, Progress, Range, Referee, check_parameters, resolve_targets,
)


@dataclass(frozen=True)
class ScaledGradient:
    """Each value times the slope of the target there."""

    factor: Annotated[float, Range(0.5, 2.0), Doc("what the product is multiplied by")] = 1.0

    needs: ClassVar = ("gradient",)
    kinds: ClassVar = ("tabular", "image")
    additive: ClassVar = False
    source: ClassVar = "Shrikumar et al. 2016"
    quick: ClassVar = {"factor": 2.0}

    def __post_init__(self):
        check_parameters(self)

    def evaluations(self, inputs, /):
        return Evaluations.exactly(len(inputs))

    def attribute(self, model, inputs, targets, /):
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.full((len(targets), *inputs.values.shape), np.nan)

        def estimate():
            return Estimate(values.copy(), output, base=np.full(output.shape, np.nan))

        for row in range(len(inputs)):
            one = slice(row, row + 1)
            _, slopes = model.gradient(inputs.values[one], weights[:, one])
            values[:, row] = self.factor * inputs.values[row] * slopes[:, 0]
            yield Progress(row + 1, len(inputs), estimate)

    def referees(self, attribution, model):
        """Differences of the scores to both sides."""

        def ask(question, seed):
            step = 1e-5 * np.eye(len(question.values))
            both = [question.explained(question.values + sign * step) for sign in (1, -1)]
            return question.method.factor * question.values * (both[0] - both[1]) / 2e-5

        return (Referee("numpy", "differences of the scores", ask, precision=1e-6),)
'''


def rows(n=30):
    values = np.random.default_rng(3).normal(size=(n, 5))
    return Inputs(values, kind="tabular", y=np.arange(n) % 2, name="rows", background=values)


def put(monkeypatch, room, folder, *, cached):
    """Another folder becomes a part of the room, and is forgotten again afterwards."""
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(folder)])
    known, names = set(sys.modules), set(vars(room))
    importlib.invalidate_caches()
    cached.cache_clear()
    yield room
    for name in set(sys.modules) - known:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    for name in set(vars(room)) - names:
        delattr(room, name)
    monkeypatch.undo()
    cached.cache_clear()


@pytest.fixture(params=["in the room", "in a room of the room"])
def compressor(request, monkeypatch, tmp_path):
    folder = tmp_path if request.param == "in the room" else tmp_path / "shrinking"
    folder.mkdir(exist_ok=True)
    if folder != tmp_path:
        (folder / "__init__.py").write_text('"""A room."""\n')
    (folder / "shrink.py").write_text(SHRINK)
    yield from put(monkeypatch, variants, tmp_path, cached=variants.recipes)


def test_a_new_compressor_is_one_file(compressor, tmp_path):
    recipe = variants.recipe("shrink")
    assert recipe is variants.recipes()[-1]  # it names no place, so it comes last
    assert recipe.code("model", 0.5) == "variants.shrink(model, 0.5, rows=inputs)"
    model = network()
    by_code = eval(recipe.code("model", 0.5, ""), {"variants": variants, "model": model})  # noqa: S307
    half = {name: weight / 2 for name, weight in model.native.state_dict().items()}
    for name, weight in by_code.native.state_dict().items():
        np.testing.assert_array_equal(weight, half[name])

    copies = variants.sweep(model, "shrink", rows=rows())
    assert [copy.name for copy in copies] == ["net, shrunk to 0.9", "net, shrunk to 0.5"]
    found = wb.drift(model, copies, rows(), methods=methods.IntegratedGradients(steps=4))
    assert "net, shrunk to 0.5" in repr(found.to_frame())


def test_it_stands_in_the_menu_of_the_panel(compressor):
    bench = Bench([network()], [rows()])
    panel = CompressionPanel(bench, recipes="shrink", methods=methods.IntegratedGradients(steps=4))
    assert "Shrunken weights" in [field["label"] for field in panel.view.making]
    assert "variants.sweep(" in panel.code
    assert "'shrink', [0.9, 0.5]" in panel.code
    panel.close()


def test_two_files_with_recipes_of_one_name_are_refused(compressor, tmp_path):
    (tmp_path / "other.py").write_text(SHRINK.replace("shrink(", "shrivel(").replace(
        '"Shrunken weights", "shrink"', '"Shriveled weights", "shrivel"'
    ))  # fmt: skip
    with pytest.raises(
        InputError, match=r"variants.shr\w+ and variants.shr\w+ are both called 'shrink'"
    ):
        variants.recipes.__wrapped__()


def test_what_the_room_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'shrink'"):
        variants.shrink  # noqa: B018 - asking is the test


@pytest.fixture
def method(monkeypatch, tmp_path):
    (tmp_path / "scaled_gradient.py").write_text(PRODUCT)
    yield from put(monkeypatch, methods, tmp_path, cached=methods.catalog)


def toys(cases):
    """The catalog's cases that a file put in makes, without an edit of the tests."""
    return [case.values for case in cases if type(case.values[-1]).__name__ == "ScaledGradient"]


def test_a_new_method_is_one_file_and_keeps_the_promises_of_all(method):
    assert methods.catalog()[-1] is methods.ScaledGradient  # it names no place, so it comes last
    found = toys(case for name in contract.MODELS for case in contract.cases_of(name))
    assert {make().name for make, _ in found} >= {"torch network", "torch images", "vote of 2"}
    tables = (
        contract.test_a_column_the_model_ignores_gets_nothing,
        contract.test_permuting_the_columns_permutes_the_values,
    )
    every = [
        promise
        for name, promise in vars(contract).items()
        if name.startswith("test_")
        and list(inspect.signature(promise).parameters) == ["make", "method"]
    ]
    assert set(tables) < set(every)
    for make, recipe in found:
        assert recipe.factor == 2.0  # of its own `quick`
        for promise in every:
            if promise not in tables or make().kind != "image":
                promise(make, recipe)
    for case in toys(counting.cases()):
        counting.test_model_rows_are_known_to_the_row_before_the_run(*case, counting.THREE)


def test_its_second_opinion_stands_in_its_file_too(method):
    model, table = tanh_network(), contract.rows_of_a_table()
    result = wb.explain(model, table, methods.ScaledGradient(), wb.Target(0))
    opinion = wb.cross_check(result)
    assert opinion.agrees, opinion.verdict
    assert (opinion.library, opinion.call) == ("numpy", "differences of the scores")
    assert opinion.evaluations == 3 * 2 * 6  # of three rows, six columns to both sides
    wrong = replace(result, values=1.1 * result.values)
    assert wb.cross_check(wrong, model=model).agrees is False


def test_a_method_may_name_a_question_instead_or_say_why_there_is_none(method):
    model, table = tanh_network(), contract.rows_of_a_table()

    class Named(methods.Occlusion):
        referee = "captum.ablation"

    class Misnamed(methods.Occlusion):
        referee = "captum.ablated"

    class Alone(methods.Occlusion):
        unrefereed = "it is new"

    class Silent(methods.Occlusion):
        pass

    def opinion(kind):
        return wb.cross_check(wb.explain(model, table, kind()), model)

    assert opinion(Named).agrees
    assert opinion(Alone).verdict == "No library that can be asked here computes Alone (it is new)."
    assert "No library here is known to compute Silent" in opinion(Silent).verdict
    assert "ScaledGradient" in opinion(Silent).verdict
    with pytest.raises(InputError, match=r"Misnamed.referee must be one of .*'captum.ablation'"):
        opinion(Misnamed)
