"""The catalog: every recipe is a real call, prints as code that runs, and says when it does not apply."""

import inspect
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from torch import nn

import workbench as wb
from tests.variants.networks_at_hand import network
from workbench import data, variants
from workbench.errors import IncompatibleError, InputError, MissingDependency

BREAST = data.breast_cancer("train")
RECIPES = variants.recipes()
TREES = ("fewer_trees", "prune_trees", "quantize_leaves")


def forest():
    fitted = RandomForestClassifier(8, max_depth=6, random_state=0)
    return wb.wrap(fitted.fit(BREAST.values, BREAST.y), name="forest")


def original(recipe):
    return forest() if recipe.name in TREES else network()


def quick(recipe, given):
    """Training as short as can be: what is tested here is the call."""
    short = (
        {"schedule": variants.Schedule(epochs=1)} if recipe.name in ("repair", "distill") else {}
    )
    return replace(recipe, fixed=(*recipe.fixed, *short.items(), *given))


def test_names_and_titles_are_unique_and_every_function_is_public():
    assert len({one.name for one in RECIPES}) == len({one.title for one in RECIPES}) == len(RECIPES)
    for one in RECIPES:
        assert one.function in variants.__all__
        assert one.levels
        assert (one.levels == (None,)) == (one.level == "")
        signature = inspect.signature(getattr(variants, one.function))
        for word in (one.parameter, *(key for key, _ in one.fixed)):
            assert not word or word in signature.parameters
        second = list(signature.parameters)[1]
        if one.rows_as != "rows":
            assert second == one.rows_as
        else:
            assert "rows" in signature.parameters


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.name)
def test_levels_differ_and_numbers_go_one_way(recipe):
    levels = recipe.levels
    assert len(set(levels)) == len(levels)
    if all(isinstance(one, int | float) for one in levels):
        assert list(levels) in (sorted(levels), sorted(levels, reverse=True))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.name)
def test_every_recipe_makes_a_recorded_copy_and_its_code_makes_the_same(recipe):
    model = original(recipe)
    short = quick(recipe, ())
    level = recipe.levels[-1] if recipe.name != "static_graph" else "trace"
    assert recipe.obstacle(model) is None
    copy = short.make(model, level, BREAST)
    assert copy.variant.of == model.name
    assert copy.name != model.name
    assert copy.outputs == model.outputs
    code = short.code("model", level)
    assert code.startswith(f"variants.{recipe.function}(model")
    again = eval(code, {"variants": variants, "model": model, "inputs": BREAST})  # noqa: S307 - our own
    assert np.array_equal(again.scores(BREAST.values), copy.scores(BREAST.values))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.name)
def test_a_recipe_that_needs_rows_says_so_and_others_do_without(recipe):
    model = original(recipe)
    level = recipe.levels[0]
    if recipe.needs_rows:
        with pytest.raises(InputError, match="Give rows=inputs"):
            recipe.make(model, level)
    else:
        assert recipe.make(model, level).variant.of == model.name


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda one: one.name)
def test_a_recipe_does_not_apply_to_models_of_other_kinds(recipe):
    function = wb.wrap(lambda rows: rows[:, :2], name="f", outputs=["a", "b"], scale="logit")
    if recipe.name.startswith("distill_to"):
        assert recipe.obstacle(function) is None
        image = replace(function, kind="image")
        assert "reads image rows" in recipe.obstacle(image)
        return
    why = recipe.obstacle(function)
    assert "'f' wraps a function" in why
    with pytest.raises(IncompatibleError):
        recipe.make(function, recipe.levels[0], BREAST)


def test_obstacles_tell_kinds_of_trees_apart():
    fitted = HistGradientBoostingClassifier(max_iter=2).fit(BREAST.values, BREAST.y)
    histograms = wb.wrap(fitted, name="hist")
    line = wb.wrap(LogisticRegression(max_iter=5000).fit(BREAST.values, BREAST.y), name="line")
    found = {
        name: tuple(variants.recipe(name).obstacle(model) is None for model in (histograms, line))
        for name in TREES
    }
    assert found == {
        "fewer_trees": (True, False),
        "prune_trees": (False, False),
        "quantize_leaves": (True, False),
    }
    plain = wb.wrap(nn.Linear(30, 2), name="plain", scale="logit")
    assert "'plain' has none" in variants.recipe("fold_batch_norm").obstacle(plain)


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(
        sys.modules["workbench.variants.recipes"],
        "find_spec",
        lambda name: None if name in ("torchao", "onnxruntime") else find_spec(name),
    )
    torch_ao, onnx = (variants.recipe(name) for name in ("quantize_weights", "quantize_onnx"))
    assert 'pip install "explainability-workbench[compress]"' in torch_ao.obstacle(network())
    assert "needs onnxruntime, which is not installed" in onnx.obstacle(network())
    assert "explainability-workbench[onnx]" in onnx.obstacle(network())
    with pytest.raises(MissingDependency, match="torchao"):
        torch_ao.make(network(), 8)
    assert variants.recipe("prune").obstacle(network()) is None


def test_code_names_what_it_is_given():
    assert variants.recipe("prune_random").code("models[0]", 0.5, "") == (
        "variants.prune(models[0], 0.5, by='random')"
    )
    assert variants.recipe("distill").code("net", 0.25, "train") == (
        "variants.distill(net, train, width=0.25)"
    )
    assert variants.recipe("fold_batch_norm").code("net", None) == (
        "variants.fold_batch_norm(net, rows=inputs)"
    )


def test_the_catalog_is_light():
    """Menus are built before anything heavy is needed."""
    code = (
        "import sys; from workbench import variants; variants.recipes(); "
        "print({'torch', 'sklearn', 'torchao', 'onnx'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
