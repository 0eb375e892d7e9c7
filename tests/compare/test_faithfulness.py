"""Deletion and insertion against a slow version and on known models; better and worse, told apart."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import trapezoid

import workbench as wb
from tests.compare.drift_by_hand import explanation
from tests.models_in_numpy import tanh_network
from workbench.coalitions.fills import fill_rows
from workbench.compare import (
    evaluations_of_faithfulness,
    faithfulness,
    mass_in_mask,
    measure,
    pointing_game,
    quality,
    ratings,
)
from workbench.core import Inputs, Model, Target
from workbench.errors import IncompatibleError, InputError
from workbench.methods import ExactShapley

rng = np.random.default_rng(0)
WEIGHTS = np.array([4.0, -3.0, 2.0, 1.0, 0.5, -0.2])
ROWS = Inputs(rng.uniform(0.5, 2, size=(7, 6)), kind="tabular", background=np.zeros((1, 6)))


def linear(name="linear"):
    return Model(name, lambda rows: rows @ WEIGHTS[:, None], ("y",), "raw")


def slow(model, values, inputs, target, steps, controls, fill, seed):
    """One row and one set of players at a time, by the definition."""
    gains = []
    for i, (row, credit) in enumerate(zip(inputs.values, values, strict=True)):
        p = len(credit)
        half = [p * j // steps for j in range(1, steps // 2 + 1)]
        cuts = sorted({0, p, *half, *(p - c for c in half)})

        def score(present, row=row, i=i):
            total = 0.0
            fills = fill_rows(fill, inputs, i)
            for other in fills:
                mixed = other.copy()
                mixed[list(present)] = row[list(present)]
                out = model.scores(mixed[None])[0]
                if model.scale == "logit":
                    out = np.exp(out) / np.exp(out).sum()
                total += out[target] / len(fills)
            return total

        def area(order, put, p=p, cuts=cuts, score=score):
            curve = [score(order[:c] if put else order[c:]) for c in cuts]
            return trapezoid(curve, np.array(cuts) / p)

        order = sorted(range(p), key=lambda j, credit=credit: (-credit[j], j))
        generator = np.random.default_rng((seed, i))
        drawn = [generator.permutation(p).tolist() for _ in range(-(-controls // 2))]
        chance = [order for one in drawn for order in (one, one[::-1])][:controls]
        put = np.mean([area(one, True) for one in chance])
        # Taking away in the reverse of an order leaves what that order puts back.
        taken = np.mean([area(one[::-1], False) for one in chance])
        gains.append((taken - area(order, False), area(order, True) - put))
    return np.array(gains).T


@pytest.mark.parametrize(("steps", "fill"), [(3, "background"), (16, "mean"), (4, "zero")])
def test_gains_are_what_one_set_at_a_time_says(steps, fill):
    network = tanh_network()
    background = rng.normal(size=(3, 6))
    inputs = Inputs(rng.normal(size=(4, 6)), kind="tabular", background=background)
    values = rng.normal(size=(4, 6))
    values[0, 1] = values[0, 4]  # a tie: the first goes first
    one = explanation(values, "network", inputs=inputs, target=Target(2))
    found = faithfulness(network, one, steps=steps, controls=3, fill=fill, seed=5)
    expected = slow(network, values, inputs, 2, steps, 3, fill, 5)
    # Sums of some dozens of scores in another order.
    assert np.allclose([found.deletion, found.insertion], expected, rtol=0, atol=1e-12)
    assert np.median(np.abs(expected)) > 1e-2


def test_the_right_order_gains_the_most_a_reversed_one_loses_it_and_a_random_one_nothing():
    right = explanation(ROWS.values * WEIGHTS, "linear", inputs=ROWS)
    best = faithfulness(linear(), right, controls=2)
    worst = faithfulness(linear(), replace(right, values=-right.values), controls=2)
    assert (best.deletion > 0.3).all()
    assert (best.insertion > 0.3).all()
    # A linear model's areas lie as far to either side of an order and its reverse; sums rounded.
    assert np.allclose(best.deletion, -worst.deletion, rtol=0, atol=1e-12)
    assert np.allclose(best.insertion, -worst.insertion, rtol=0, atol=1e-12)
    many = Inputs(np.ones((300, 6)), kind="tabular", background=np.zeros((1, 6)))
    blind = explanation(rng.normal(size=(300, 6)), "linear", inputs=many)
    gain = faithfulness(linear(), blind, controls=4).deletion
    assert abs(gain.mean()) < 3 * gain.std() / np.sqrt(300)  # three standard errors


def test_a_linear_models_gain_is_worked_out_by_hand():
    """Two players worth 3 and 1: the first alone leaves 1 of 4, by chance 2, half a width apart."""
    model = Model("two", lambda rows: rows @ np.array([[3.0], [1.0]]), ("y",), "raw")
    rows = Inputs(np.ones((1, 2)), kind="tabular", background=np.zeros((1, 2)))
    one = explanation([[3.0, 1.0]], "two", inputs=rows)
    found = faithfulness(model, one, controls=2)
    assert found.deletion[0] == pytest.approx(0.5 * (2 - 1))
    assert found.insertion[0] == pytest.approx(0.5 * (3 - 2))


def test_all_models_get_the_same_random_orders():
    network = (
        tanh_network()
    )  # not additive: there an order and its reverse cancel whatever is drawn
    first, second, other = (
        faithfulness(
            network.renamed(name),
            explanation(ROWS.values * WEIGHTS, name, inputs=ROWS, target=Target(1)),
            seed=seed,
        )
        for name, seed in (("a", 0), ("b", 0), ("a", 1))
    )
    assert (first.deletion == second.deletion).all()
    assert (np.abs(first.deletion - other.deletion) > 1e-6).all()


def test_model_rows_are_counted_and_known_before(counted):
    network = tanh_network()
    inputs = Inputs(rng.normal(size=(4, 6)), kind="tabular", background=rng.normal(size=(3, 6)))
    one = explanation(rng.normal(size=(4, 6)), "network", inputs=inputs)
    asked = counted.on(network)
    found = faithfulness(asked, one, steps=4, controls=2)
    # Rows, and 4 orders (both ways and two by chance) x 3 cuts x 3 fills for each.
    assert found.evaluations == counted.rows == 4 + 4 * 4 * 3 * 3
    assert evaluations_of_faithfulness(one, steps=4, controls=2) == counted.rows
    assert counted.calls == 1 + 4  # every row's copies in one batch


def test_pixels_leave_for_the_color_of_the_whole_picture():
    picture = np.zeros((1, 4, 4, 1))
    picture[0, 1, 2] = 8.0
    inputs = Inputs(picture, kind="image")
    model = Model("bright", lambda rows: rows[:, 1, 2, :], ("y",), "raw")
    found_it, missed = np.zeros((2, 1, 4, 4))
    found_it[0, 1, 2] = missed[0, 3, 3] = 1.0
    gains = [
        faithfulness(model, explanation(one, "bright", inputs=inputs), controls=2, fill="mean")
        for one in (found_it, missed)
    ]
    assert gains[0].deletion > gains[1].deletion
    assert gains[0].deletion > 2  # half of 8 - 0.5, less nothing: it is gone at the first step
    assert gains[0].insertion > 2


def test_superpixels_leave_as_wholes():
    owner = np.zeros((1, 4, 4), int)
    owner[:, :, 2:] = 1
    picture = np.where(owner == 1, 6.0, 0.0)[..., None]
    inputs = Inputs(picture, kind="image")
    model = Model("right", lambda rows: rows[:, :, 2:].mean(axis=(1, 2)), ("y",), "raw")
    names = {"players": owner, "player_names": ("superpixel 0", "superpixel 1")}
    one = explanation(np.where(owner == 1, 1.0, 0.0), "right", inputs=inputs, **names)
    # Mean color 3: the right half gone at once leaves 3 of 6; by chance, in half of the orders.
    found = faithfulness(model, one, controls=2)
    assert found.deletion[0] == pytest.approx(0.5 * 1.5)


def test_rows_with_one_player_have_nothing_to_order():
    rows = Inputs(np.ones((2, 1)), kind="tabular", background=np.zeros((1, 1)))
    model = Model("one", lambda rows: rows, ("y",), "raw")
    found = faithfulness(model, explanation([[1.0], [2.0]], "one", inputs=rows))
    assert (found.deletion.tolist(), found.insertion.tolist()) == ([0, 0], [0, 0])
    assert found.evaluations == 2


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"model": linear("other")}, IncompatibleError, "'other' was given that of 'linear'"),
        ({"steps": 1}, InputError, "at least 2 steps and 1 control, but was given 1 and 4"),
        ({"controls": 0}, InputError, "given 16 and 0"),
        ({"fill": "blur"}, InputError, "can blur only images"),
    ],
)
def test_what_cannot_be_asked_is_refused(changes, error, words):
    fields = {"model": linear(), "attribution": explanation(ROWS.values, "linear", inputs=ROWS)}
    with pytest.raises(error, match=words):
        faithfulness(**(fields | changes))


def test_mass_in_the_mask_is_the_positive_part_inside():
    maps, masks = np.zeros((3, 4, 5)), np.zeros((3, 4, 5), bool)
    masks[:, :2] = True
    maps[0, 0, 0], maps[0, 3, 4], maps[0, 1, 1] = 3.0, 1.0, -9.0
    maps[1] = -1.0
    maps[2] = 0.5
    inputs = Inputs(np.zeros((3, 4, 5, 3)), kind="image", truth=masks)
    one = explanation(maps, inputs=inputs)
    assert mass_in_mask(one).tolist() == [0.75, 0.0, 0.5]
    assert mass_in_mask(one, ~masks).tolist() == [0.25, 0.0, 0.5]
    with pytest.raises(InputError, match="The mass in the mask needs masks"):
        mass_in_mask(explanation(maps))
    rated = ratings(one)
    assert rated["mass in mask"].tolist() == [0.75, 0.0, 0.5]
    assert rated["pointing game"].tolist() == pointing_game(one).tolist() == [True, False, True]
    assert list(ratings(explanation(ROWS.values, inputs=ROWS))) == []


def test_better_and_worse_are_the_paired_differences_sign():
    before = {"gain": np.linspace(0, 1, 40)}
    steady = 0.001 * np.sin(np.arange(40.0))
    # Rows lie a thousand times farther apart than the two models do: only pairs can tell.
    for shift, verdict in ((0.001, "better"), (-0.001, "worse"), (0.0, "no difference seen")):
        (found,) = quality(before, {"gain": before["gain"] + shift + steady}, model="m", method="M")
        assert found.verdict == verdict
        assert found.difference == pytest.approx(shift + steady.mean())
        assert found.low < found.difference < found.high
    few = {"gain": before["gain"][:19]}
    (found,) = quality(few, {"gain": few["gain"] + 1}, model="m", method="M")
    assert (found.verdict, found.low) == ("undetermined", pytest.approx(1))
    assert quality(before, {}, model="m", method="M") == ()
    with pytest.raises(InputError, match=r"\(40,\) and \(19,\)"):
        quality(before, few, model="m", method="M")


def test_a_changed_explanation_need_not_be_a_worse_one():
    """Two linear models with other weights, each explained rightly: changed, and as faithful."""
    rows = Inputs(rng.uniform(0.5, 2, size=(60, 6)), kind="tabular", background=np.zeros((1, 6)))
    models = {
        "reference": Model("reference", lambda rows: rows @ WEIGHTS[:, None], ("y",), "raw"),
        "copy": Model("copy", lambda rows: rows @ WEIGHTS[::-1, None], ("y",), "raw"),
    }
    results = {
        name: wb.explain(model, rows, ExactShapley(), Target(0)) for name, model in models.items()
    }
    rated = {name: ratings(results[name], models[name]) for name in models}
    (distance,) = measure(results["reference"], results["copy"], metrics=["distance"])
    assert distance.verdict == "changed"
    found = quality(rated["reference"], rated["copy"], model="copy", method="ExactShapley")
    assert {one.measure: one.verdict for one in found} == {
        "deletion gain": "no difference seen",
        "insertion gain": "no difference seen",
    }
    blind = replace(results["copy"], values=results["copy"].values[:, ::-1])
    worse = quality(rated["reference"], ratings(blind, models["copy"]), model="copy", method="M")
    assert {one.verdict for one in worse} == {"worse"}
