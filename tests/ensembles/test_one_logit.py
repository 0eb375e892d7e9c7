"""One logit belongs to the class it is named after, whichever of the two comes first."""

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

import workbench as wb
from workbench import ensembles, methods
from workbench.core import Inputs, Model

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(60, 2))


def logistic(logits):
    return 1 / (1 + np.exp(-logits))


def lone(name="lone", output="a", factor=1.0):
    """One logit, `factor` times the first column."""
    return Model(
        name,
        lambda rows: factor * rows[:, :1],
        (output,),
        "logit",
        gradient=lambda rows, weights: (
            factor * rows[:, :1],
            factor * weights * np.eye(rows.shape[1])[:1],
        ),
    )


def pair(name="pair", outputs=("a", "b"), factor=0.5):
    """Both probabilities, the first output's logit `factor` times the first column."""

    def predict(rows):
        p = logistic(factor * rows[:, 0])
        return np.stack([p, 1 - p], axis=1)

    return Model(name, predict, outputs, "probability")


def test_one_logit_of_the_first_class_becomes_that_classes_probability():
    ensemble = ensembles.vote([lone(), pair()], space="probability")
    a = (logistic(ROWS[:, 0]) + logistic(0.5 * ROWS[:, 0])) / 2
    assert ensemble.outputs == ("a", "b")
    np.testing.assert_allclose(ensemble.scores(ROWS), np.stack([a, 1 - a], 1), atol=1e-14)  # sums


@pytest.mark.parametrize("classes", [("a", "b"), ("b", "a")])
def test_classes_name_the_order_and_not_whose_logit_it_is(classes):
    ensemble = ensembles.vote([lone()], space="probability", classes=classes)
    assert ensemble.outputs == classes
    a = ensemble.scores(ROWS)[:, classes.index("a")]
    np.testing.assert_allclose(a, logistic(ROWS[:, 0]), atol=1e-15)  # one logistic function
    weights = RNG.normal(size=(1, len(ROWS), 2))
    _, gradients = ensemble.gradient(ROWS, weights)
    step = 1e-5 * np.eye(2)[0]
    slope = (ensemble.predict(ROWS + step) - ensemble.predict(ROWS - step)) / 2e-5
    numeric = np.einsum("tnk,nk->tn", weights, slope)
    np.testing.assert_allclose(gradients[:, :, 0], numeric, atol=1e-8)  # steps of 1e-5


def test_probabilities_in_either_order_become_the_logit_of_one_agreed_class():
    turned = pair("turned", ("b", "a"), -0.25)  # of "a" the logit is a quarter of the column
    ensemble = ensembles.vote([pair(), turned], space="logit")
    assert ensemble.outputs == ("b",)
    np.testing.assert_allclose(
        ensemble.scores(ROWS)[:, 0], -0.375 * ROWS[:, 0], atol=1e-12
    )  # one logarithm
    named = ensembles.vote([pair(), turned], space="logit", classes=("b", "a"))
    assert named.outputs == ("a",)
    np.testing.assert_allclose(
        named.scores(ROWS)[:, 0], -ensemble.scores(ROWS)[:, 0], atol=1e-12
    )  # one logarithm


def test_probabilities_become_the_logit_of_the_class_that_a_member_has_one_logit_of():
    smooth = Model(
        "smooth",
        pair().predict,
        ("a", "b"),
        "probability",
        gradient=lambda rows, weights: (
            pair().predict(rows),
            (
                (weights[:, :, :1] - weights[:, :, 1:])
                * np.prod(pair().predict(rows), axis=1)[:, None]
            )
            * np.array([0.5, 0.0]),
        ),
    )
    ensemble = ensembles.vote([smooth, lone()], space="logit")
    assert ensemble.outputs == ("a",)
    np.testing.assert_allclose(
        ensemble.scores(ROWS)[:, 0], 0.75 * ROWS[:, 0], atol=1e-12
    )  # one logarithm
    _, gradients = ensemble.gradient(ROWS, np.ones((1, len(ROWS), 1)))
    np.testing.assert_allclose(
        gradients[0], np.tile([0.75, 0.0], (len(ROWS), 1)), atol=1e-12
    )  # one division


def test_a_perfect_member_with_one_logit_of_the_first_class_has_all_the_weight():
    perfect = lone("perfect", "malignant", factor=40.0)
    guess = Model(
        "guess",
        lambda rows: np.full((len(rows), 2), 0.5),
        ("malignant", "benign"),
        "probability",
    )
    classes = np.where(ROWS[:, 0] > 0, 0, 1)  # positions of ("malignant", "benign")
    found = ensembles.weigh([perfect, guess], Inputs(ROWS, kind="tabular", y=classes))
    assert found.accuracy["member", "perfect"] == 1.0
    np.testing.assert_allclose(found.weights, [1.0, 0.0], atol=1e-6)  # the search's own tolerance


def test_a_part_of_one_logit_speaks_for_the_class_it_is_named_after():
    names = np.where(ROWS[:, 0] > 0, "a", "b")
    held = Inputs(ROWS, kind="tabular", y=names)
    stack = ensembles.stack([lone()], held, GradientBoostingClassifier(n_estimators=5))
    inputs = Inputs(np.array([[2.0, 0.0]]), kind="tabular", background=np.zeros((1, 2)))
    for output, wanted in (("a", 2.0), ("b", -2.0)):
        result = wb.explain(stack, inputs, methods.ExactShapley(), wb.Target(output))
        np.testing.assert_allclose(result.parts[0].values, [[wanted, 0.0]], atol=1e-12)  # 4 sums
        assert (result.values[0, 0] > 0) == (wanted > 0)


def test_a_member_that_is_right_on_every_row_is_found_whatever_the_order_of_its_outputs():
    classes = (ROWS[:, 0] < 0).astype(int)  # positions of ("a", "b")
    turned = pair("turned", ("b", "a"), -0.5)
    held = Inputs(ROWS, kind="tabular", y=classes)
    stack = ensembles.stack([pair("straight"), turned], held)
    assert any("['straight', 'turned']. Were they held out?" in note for note in stack.notes)
    wrong = ensembles.stack([pair("straight"), pair("wrong", ("b", "a"))], held)
    assert any("['straight']. Were they held out?" in note for note in wrong.notes)
