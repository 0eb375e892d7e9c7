"""Readable stand-ins: a tree or a line with a model's own outputs and scale, and how faithful it is."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

import workbench as wb
from tests.variants.networks_at_hand import network
from workbench import data, methods, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError

BREAST = data.breast_cancer("train")
RNG = np.random.default_rng(0)
TABLE = Inputs(RNG.normal(size=(200, 4)), kind="tabular", features=tuple("abcd"))


def line(scale="logit"):
    """2a - b + 1, and -3c."""
    weights = np.array([[2.0, 0.0], [-1.0, 0.0], [0.0, -3.0], [0.0, 0.0]])
    return wb.wrap(
        lambda rows: rows @ weights + np.array([1.0, 0.0]),
        name="line",
        outputs=["up", "down"],
        scale=scale,
        kind="tabular",
    )


def stairs():
    """Four steps: 0, 1, 10, 11 by the signs of a and d."""
    return wb.wrap(
        lambda rows: (rows[:, 0] > 0) + 10.0 * (rows[:, 3] > 0),
        name="stairs",
        outputs=["y"],
        scale="raw",
    )


def test_a_line_is_found_again_exactly():
    copy = variants.distill_to_linear(line(), TABLE)
    np.testing.assert_allclose(
        copy.native.coef_, [[2, -1, 0, 0], [0, 0, -3, 0]], atol=1e-12
    )  # least squares in double precision
    assert copy.outputs == ("up", "down")
    assert copy.scale == "logit"
    assert copy.features == tuple("abcd")
    assert "R² of its scores against those of line is 1.000" in copy.notes[0]
    assert "same class for 100.0%" in copy.notes[0]
    assert copy.variant.of == "line"
    assert copy.variant.description == (
        "a linear model of 4 columns, fitted to the scores of line on 150 rows"
    )
    assert copy.lineage[-1].startswith("distill_to_linear(model, inputs, seed=0)")


def test_steps_are_found_again_by_a_tree_as_deep_as_they_are():
    copy = variants.distill_to_tree(stairs(), TABLE, 2)
    corners = np.array([[a, 0.0, 0.0, d] for a in (-1.0, 1.0) for d in (-1.0, 1.0)])
    assert copy.scores(corners)[:, 0].tolist() == [0.0, 10.0, 1.0, 11.0]
    assert copy.native.get_n_leaves() == 4
    assert copy.scale == "raw"
    shallow = variants.distill_to_tree(stairs(), TABLE, 1)
    assert shallow.native.get_n_leaves() == 2
    fidelity = float(shallow.notes[0].split(" is ")[1].rstrip("."))
    assert 0.95 < fidelity < 1.0  # the large step is 100 of 101 parts of the variance


def test_tree_shap_explains_the_tree_in_the_models_own_unit():
    forest = RandomForestClassifier(10, random_state=0).fit(BREAST.values, BREAST.y)
    model = wb.wrap(forest, name="forest", outputs=data.BREAST_CANCER)
    copy = variants.distill_to_tree(model, BREAST, 4)
    result = wb.explain(copy, BREAST[:6], methods.TreeSHAP(), wb.Target("benign"))
    assert np.abs(result.gap).max() < 1e-12  # a few sums in double precision
    assert result.scale == model.scale == "probability"
    np.testing.assert_allclose(copy.scores(BREAST.values).sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("kind", ["torch", "scikit-learn", "function"])
def test_any_model_is_distilled(kind):
    if kind == "torch":
        model = network()
    elif kind == "scikit-learn":
        forest = RandomForestClassifier(5, random_state=0).fit(BREAST.values, BREAST.y)
        model = wb.wrap(forest, name="net")
    else:
        model = wb.wrap(
            lambda rows: rows[:, :2] / 10.0, name="net", outputs=["a", "b"], scale="logit"
        )
    for copy in (
        variants.distill_to_tree(model, BREAST, 6),
        variants.distill_to_linear(model, BREAST),
    ):
        own, wanted = (one.scores(BREAST.values).argmax(axis=1) for one in (copy, model))
        assert (own == wanted).mean() > 0.9
        assert (copy.outputs, copy.scale) == (model.outputs, model.scale)


def test_what_is_held_out_is_not_learned_from():
    """Noise is learned by heart where it is seen, and not where it is held out."""
    noise = {
        row.tobytes(): value for row, value in zip(TABLE.values, RNG.normal(size=200), strict=True)
    }
    model = wb.wrap(
        lambda rows: np.array([noise.get(row.tobytes(), 0.0) for row in rows]),
        name="noise",
        outputs=["y"],
        scale="raw",
    )
    copy = variants.distill_to_tree(model, TABLE, 64)
    assert float(copy.notes[0].split(" is ")[1].rstrip(".")) < 0
    exact = np.isclose(copy.scores(TABLE.values)[:, 0], model.scores(TABLE.values)[:, 0])
    assert exact.sum() == 150


def test_a_line_through_probabilities_says_where_it_leaves_them():
    model = wb.wrap(
        lambda rows: 1.0 / (1.0 + np.exp(-4.0 * rows[:, 0])),
        name="steep",
        outputs=["p"],
        scale="probability",
    )
    copy = variants.distill_to_linear(model, TABLE)
    scores = copy.scores(TABLE.values)
    outside = int(((scores < 0) | (scores > 1)).sum())
    assert outside > 0
    assert f"For {outside} of 200 rows its scores lie outside 0 … 1" in copy.notes[1]


def test_the_same_seed_gives_the_same_tree_and_another_other_rows():
    one, two, other = (variants.distill_to_tree(network(), BREAST, 5, seed=s) for s in (1, 1, 2))
    assert one.digest == two.digest != other.digest


def test_a_model_that_says_the_same_of_all_rows_has_no_fidelity():
    flat = wb.wrap(lambda rows: np.ones(len(rows)), name="flat", outputs=["y"], scale="raw")
    copy = variants.distill_to_tree(flat, TABLE, 3)
    assert "flat gives the same scores to all" in copy.notes[0]
    assert copy.variant.changed is False


REFUSED = {
    "no depth": ({"depth": 0}, InputError, "1 … 64"),
    "half a depth": ({"depth": 2.5}, InputError, "1 … 64"),
    "no rows": ({"inputs": TABLE[:0]}, InputError, "10 rows at least"),
    "few rows": ({"inputs": TABLE[:9]}, InputError, "has 9"),
    "an array": ({"inputs": TABLE.values}, InputError, "rows as Inputs"),
    "nothing held out": ({"validation": 0}, InputError, "above 0 and below 1"),
    "everything held out": ({"validation": 0.999}, InputError, "Lower it"),
    "no seed": ({"seed": -1}, InputError, "whole number"),
    "images": (
        {"inputs": Inputs(np.zeros((12, 4, 4, 1)), kind="image")},
        IncompatibleError,
        "tables",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_distilled_is_refused(what):
    given, error, words = REFUSED[what]
    with pytest.raises(error, match=words):
        variants.distill_to_tree(**{"model": stairs(), "inputs": TABLE, "depth": 3} | given)
    if "depth" not in given:
        with pytest.raises(error, match=words):
            variants.distill_to_linear(**{"model": stairs(), "inputs": TABLE} | given)
