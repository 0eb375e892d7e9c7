"""Stacking: the meta-model is fitted on held-out rows, and a linear one keeps contributions exact."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import ensembles, methods
from workbench.core import Inputs
from workbench.ensembles.stacking import linear_form
from workbench.errors import IncompatibleError, InputError

RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(240, 4))
TWO = (ROWS[:, 0] - ROWS[:, 1] * ROWS[:, 2] > 0).astype(int)
THREE = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-0.6, 0.6])
NAMES = ("no", "yes", "maybe")


def held_out(classes) -> Inputs:
    return Inputs(ROWS[120:], kind="tabular", features=tuple("abcd"), y=classes[120:])


def explained() -> Inputs:
    return Inputs(ROWS[:3], kind="tabular", features=tuple("abcd"), background=ROWS[60:66])


def members(classes):
    like, names = explained(), list(NAMES[: classes.max() + 1])
    made = {
        "forest": RandomForestClassifier(6, max_depth=3, random_state=0),
        "boosting": GradientBoostingClassifier(n_estimators=6, random_state=0),
        "logistic": LogisticRegression(),
    }
    return [
        wb.wrap(e.fit(ROWS[:120], classes[:120]), name=n, outputs=names, like=like)
        for n, e in made.items()
    ]


@pytest.mark.parametrize("classes", [TWO, THREE], ids=["two classes", "three classes"])
@pytest.mark.parametrize("passthrough", [False, True])
def test_contributions_in_the_margin_are_exact_whatever_the_members_units(classes, passthrough):
    models = members(classes)
    assert {model.scale for model in models} == {"probability", "logit"}
    stack = ensembles.stack(models, held_out(classes), passthrough=passthrough)
    said = [model.scores(ROWS) for model in models]
    # Of two probabilities the meta-model reads the second.
    blocks = [one[:, 1:] if one.shape[1] == 2 else one for one in said]
    z = np.hstack([*blocks, ROWS] if passthrough else blocks)
    meta = LogisticRegression(max_iter=1000).fit(z[120:], classes[120:])
    wanted = meta.decision_function(z).reshape(len(ROWS), -1)
    np.testing.assert_allclose(stack.scores(ROWS), wanted, atol=1e-12)  # one product
    assert stack.outputs == (("yes",) if classes is TWO else NAMES)
    whole = wb.wrap(stack.predict, name="whole", outputs=stack.outputs, scale="logit")
    for j in range(wanted.shape[1]):
        result = wb.explain(stack, explained(), methods.ExactShapley(), wb.Target(j))
        other = wb.explain(whole, explained(), methods.ExactShapley(), wb.Target(j))
        np.testing.assert_allclose(result.values, other.values, atol=1e-12)  # sums of 16 coalitions
        contributions = sum(part.values for part in result.parts)
        if passthrough:
            inputs = explained()
            slope = meta.coef_[j, z.shape[1] - 4 :]
            contributions = contributions + slope * (inputs.values - inputs.background.mean(axis=0))
        np.testing.assert_allclose(result.values, contributions, atol=1e-12)  # sums
        assert {part.scale for part in result.parts} == {"logit"}
        badge = result.provenance.badge
        assert ("explanations and of the columns passed through" in badge) == passthrough


def test_gradients_reach_columns_that_are_passed_through():
    networks = [
        replace(tanh_network(features=4, seed=s), name=f"n{s}", features=tuple("abcd"))
        for s in (0, 1)
    ]
    stack = ensembles.stack(networks, held_out(TWO), passthrough=True)
    assert np.abs(stack.combination.direct).min() > 1e-3
    lines = methods.IntegratedGradients(steps=64)
    result = wb.explain(stack, explained(), lines)
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-9)  # 64 nodes on smooth functions
    *_, last = lines.attribute(stack, explained(), [wb.Target(0)])  # without its members
    np.testing.assert_allclose(last.estimate().values[0], result.values, atol=1e-12)  # one sum


def test_the_meta_model_is_copied_and_the_rows_are_called_held_out():
    meta = LogisticRegression()
    stack = ensembles.stack(members(TWO), held_out(TWO), meta)
    assert not hasattr(meta, "coef_")
    assert any("taken to be held out" in note for note in stack.notes)
    assert stack.lineage[-1] == "LogisticRegression on the scores of forest, boosting, logistic"


def test_a_member_that_is_right_on_every_row_is_suspected():
    tree = DecisionTreeClassifier(random_state=0).fit(ROWS[120:], TWO[120:])  # on the held-out rows
    leaked = wb.wrap(tree, name="leaked", outputs=["no", "yes"], like=explained())
    stack = ensembles.stack([*members(TWO), leaked], held_out(TWO))
    assert any("['leaked']. Were they held out?" in note for note in stack.notes)


def test_a_tree_as_meta_model_gives_probabilities_that_are_no_sum():
    stack = ensembles.stack(members(TWO), held_out(TWO), DecisionTreeClassifier(max_depth=2))
    assert stack.scale == "probability"
    assert not stack.combination.linear
    result = wb.explain(stack, explained(), methods.PermutationSHAP(budget=192), wb.Target("yes"))
    assert result.provenance.badge.startswith("Approximate")
    assert "no sum of its members" in " ".join(result.notes)
    assert [part.scale for part in result.parts] == ["probability", "logit", "probability"]
    with pytest.raises(IncompatibleError, match="IntegratedGradients needs"):
        wb.explain(stack, explained(), methods.IntegratedGradients())


def test_values_are_stacked_too():
    value = 3 * ROWS[:, 0] + np.abs(ROWS[:, 1])
    models = [
        wb.wrap(e.fit(ROWS[:120], value[:120]), name=n, like=explained())
        for n, e in {"line": LinearRegression(), "tree": DecisionTreeRegressor(max_depth=4)}.items()
    ]
    stack = ensembles.stack(models, held_out(value), LinearRegression())
    result = wb.explain(stack, explained(), methods.ExactShapley())
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sums of 16 coalitions
    assert stack.scale == "raw"


def test_rows_that_cannot_teach_a_meta_model_are_refused():
    unknown = Inputs(ROWS[:5], kind="tabular", features=tuple("abcd"))
    with pytest.raises(InputError, match="has none"):
        ensembles.stack(members(TWO), unknown)
    same = Inputs(ROWS[:5], kind="tabular", features=tuple("abcd"), y=np.ones(5, dtype=int))
    with pytest.raises(InputError, match="at least two classes"):
        ensembles.stack(members(TWO), same)


def test_a_link_function_is_not_taken_for_a_linear_form():
    count = np.exp(ROWS[:, 0] / 2)
    assert linear_form(PoissonRegressor().fit(ROWS, count), 4) is None
    coefficients, intercept = linear_form(LinearRegression().fit(ROWS, ROWS[:, 0] + 1), 4)
    np.testing.assert_allclose(coefficients, [[1, 0, 0, 0]], atol=1e-12)  # least squares
    np.testing.assert_allclose(intercept, [1.0], atol=1e-12)
