"""Families of copies: a recipe at several levels, step by step, under names that differ."""

from itertools import islice

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

import workbench as wb
from tests.variants.networks_at_hand import network, same_bits
from workbench import data, variants
from workbench.core import Model
from workbench.errors import IncompatibleError, InputError

BREAST = data.breast_cancer("train")


def forest() -> Model:
    fitted = RandomForestClassifier(8, max_depth=4, random_state=0)
    return wb.wrap(fitted.fit(BREAST.values, BREAST.y), name="forest")


def times(model: Model, level: float) -> Model:
    return Model("copy", lambda rows: level * model.predict(rows), model.outputs, "raw")


def test_one_copy_per_level_in_the_order_asked_for():
    copies = variants.sweep(forest(), "fewer_trees", [0.25, 0.5], rows=BREAST)
    assert [len(copy.native.estimators_) for copy in copies] == [2, 4]
    assert all(copy.variant.of == "forest" for copy in copies)
    by_recipe = variants.sweep(forest(), variants.recipe("fewer_trees"), [0.25, 0.5], rows=BREAST)
    assert [copy.name for copy in by_recipe] == [copy.name for copy in copies]


def test_a_recipe_brings_levels_of_its_own():
    copies = variants.sweep(network(), "prune", rows=BREAST)
    assert len(copies) == len(variants.recipe("prune").levels)
    nonzeros = [copy.variant.size.nonzeros for copy in copies]
    assert nonzeros == sorted(nonzeros, reverse=True)  # from gentle to harsh


def test_names_differ_even_where_a_function_calls_all_its_copies_alike():
    copies = variants.sweep(forest(), times, [2, 3])
    assert [copy.name for copy in copies] == ["copy (2)", "copy (3)"]

    def same(model, level):
        return model

    assert [copy.name for copy in variants.sweep(forest(), same, [1])] == ["forest (1)"]
    # Shares that come to the same number of trees are called by their level.
    close = variants.sweep(forest(), "fewer_trees", [0.5, 0.51], rows=BREAST)
    assert [copy.name for copy in close] == ["forest, 4 trees", "forest, 4 trees (0.51)"]


def test_stopping_keeps_what_is_finished_and_starts_nothing_more():
    made = []

    def noted(model, level):
        made.append(level)
        return times(model, level)

    steps = list(islice(variants.sweep_steps(forest(), noted, [1, 2, 3]), 3))
    assert [(step.done, step.total, step.label) for step in steps] == [
        (0, 3, "noted, level 1"),
        (1, 3, "noted, level 1"),
        (1, 3, "noted, level 2"),
    ]
    assert [step.result.name for step in steps if step.result is not None] == ["copy (1)"]
    assert made == [1]


def test_training_shows_its_epochs_and_comes_to_the_same_copy():
    model = network()
    recipe = variants.recipe("distill")
    steps = list(islice(variants.sweep_steps(model, recipe, [0.5], rows=BREAST), 4))
    assert [step.result for step in steps] == [None] * 4
    assert steps[3].label.startswith(f"{recipe.title}, level 0.5: epoch 2 of 50")
    one = variants.sweep(model, "repair", [0.5], rows=BREAST)[0]
    other = variants.prune_and_repair(model, BREAST, 0.5)
    assert same_bits(one, other)
    assert one.name == other.name


def test_a_level_that_fails_is_named():
    with pytest.raises(InputError, match=r"Fewer trees, level 7 of 'forest' failed: share is"):
        variants.sweep(forest(), "fewer_trees", [0.5, 7], rows=BREAST)

    def broken(model, level):
        return np.zeros(level)

    with pytest.raises(IncompatibleError, match=r"broken, level 2 must give a Model.*ndarray"):
        variants.sweep(forest(), broken, [2])


@pytest.mark.parametrize(
    ("recipe", "levels", "words"),
    [
        ("fewer trees", [0.5], "There is no recipe 'fewer trees'. There are 'fake_quantize'"),
        ("fewer_trees", [], "at least one level"),
        ("fewer_trees", [0.5, 0.25, 0.5], "0.5 repeat"),
        ("fewer_trees", "0.5", "not the text"),
        (times, None, "no levels of its own"),
        (3, [1], "a function of model and level"),
    ],
)
def test_sweeps_that_cannot_be_are_refused_at_the_call(recipe, levels, words):
    with pytest.raises(InputError, match=words):
        variants.sweep_steps(forest(), recipe, levels)
