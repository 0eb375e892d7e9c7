"""An ensemble's own attribution: its members' mean is called the ensemble only where it is that."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier

import workbench as wb
from tests.compare.members_by_hand import member
from tests.models_in_numpy import tanh_network
from workbench import draw, ensembles, methods, models
from workbench.compare import Members, disagreement
from workbench.core import Inputs
from workbench.errors import InputError

RNG = np.random.default_rng(2)
ROWS = RNG.normal(size=(160, 4))
TWO = (ROWS[:, 0] - ROWS[:, 1] * ROWS[:, 2] > 0).astype(int)


def inputs() -> Inputs:
    return Inputs(ROWS[:3], kind="tabular", background=ROWS[90:96])


def networks():
    return [replace(tanh_network(features=4, seed=s), name=f"seed {s}") for s in range(3)]


def held_out() -> Inputs:
    return Inputs(ROWS[80:], kind="tabular", y=TWO[80:])


def explained(model, method=None):
    return wb.explain(model, inputs(), method or methods.ExactShapley(), wb.Target(0))


def heads(found):
    """What the column of the mean is headed in the picture and in its words."""
    figure = draw.member_bars(found)
    said = draw.member_bars_text(found).splitlines()[2]
    head = figure.axes[0].get_title(loc="left")
    assert said.split()[: len(head.split())] == head.split()
    return head


@pytest.mark.parametrize(
    "method",
    [methods.ExactShapley(), methods.KernelSHAP(budget=6 * 14 + 8), methods.LIME(budget=80)],
    ids=lambda m: type(m).__name__,
)
def test_a_votes_own_weights_are_taken_and_its_mean_is_the_ensemble(method):
    result = explained(ensembles.vote(networks(), [5, 2, 1]), method)
    found = disagreement(result)
    np.testing.assert_allclose(found.members.weights, [5 / 8, 2 / 8, 1 / 8], rtol=1e-15)  # eighths
    np.testing.assert_allclose(found.mean, result.values, atol=1e-12)  # three terms
    assert found.is_of_ensemble
    assert found.notes == ()
    assert heads(found) == "the ensemble"
    equal = disagreement(result.parts)  # nobody said what the weights are
    assert not np.allclose(equal.mean, result.values, atol=1e-3)
    assert heads(equal) == "weighted mean"


def test_other_weights_make_a_mean_that_is_not_the_ensembles():
    found = disagreement(explained(ensembles.vote(networks(), [5, 2, 1])))
    for other in (
        found.reweighted([1, 1, 1]),
        disagreement(found.members, {"seed 0": 1, "seed 1": 0, "seed 2": 0}),
    ):
        assert not other.is_of_ensemble
        assert "has other weights" in other.notes[0]
        assert heads(other) == "weighted mean"
    assert found.reweighted([10, 4, 2]).is_of_ensemble


def test_adaboost_is_the_weighted_mean_of_its_rounds_and_its_output_is_its_own():
    boosted = AdaBoostClassifier(n_estimators=4, random_state=0).fit(
        ROWS, np.digitize(ROWS[:, 0], [-0.5, 0.5])
    )
    result = explained(ensembles.unpack(boosted))
    found = disagreement(result)
    np.testing.assert_allclose(found.mean, result.values, atol=1e-12)  # four terms
    assert heads(found) == "the ensemble"
    output = boosted.decision_function(ROWS[:1])[0, 0]
    assert found.members.weights @ found.members.output[:, 0] != pytest.approx(output)  # intercept
    assert f"output {output:.4g} ·" in draw.member_bars_text(found).replace("−", "-")


@pytest.mark.parametrize("passthrough", [False, True])
def test_a_stack_is_a_sum_and_its_members_mean_is_not_called_the_ensemble(passthrough):
    result = explained(ensembles.stack(networks(), held_out(), passthrough=passthrough))
    found = disagreement(result)
    if not passthrough:
        np.testing.assert_allclose(3 * found.mean, result.values, atol=1e-12)  # three terms
    assert not found.is_of_ensemble
    assert heads(found) == "sum of members"
    assert "adds the members' contributions up" in found.notes[0]
    assert "adds the members&#x27; contributions up" in found._repr_html_()
    assert "mean output" not in draw.member_bars_text(found)


def test_what_is_no_sum_is_not_called_a_mean():
    meta = GradientBoostingClassifier(n_estimators=3, random_state=0)
    pairs = [replace(model, outputs=("0", "1", "2")) for model in networks()]
    found = disagreement(explained(ensembles.stack(pairs, held_out(), meta)))
    assert "is no sum of its members" in found.notes[0]
    assert heads(found) == "weighted mean"


def test_maps_that_are_cut_at_zero_are_not_their_members_mean():
    torch.manual_seed(1)  # networks whose mean is negative in places
    pixels = Inputs(np.random.default_rng(0).random((1, 16, 16, 3)), kind="image")
    members = [
        wb.wrap(models.small_cnn(2, width=w), name=f"w{w}", outputs=["x", "y"], scale="logit")
        for w in (4, 5)
    ]
    result = wb.explain(ensembles.vote(members), pixels, methods.GradCAM(), wb.Target(0))
    found = disagreement(result)
    assert found.mean.min() < 0 <= result.values.min()
    assert not found.is_of_ensemble
    assert "cut at zero" in found.notes[0]
    figure = draw.member_maps(found)
    assert [axes.get_title() for axes in figure.axes if axes.images][1] == "weighted mean"
    assert "weighted mean" in draw.member_maps_text(found)


def test_an_attribution_without_members_is_refused():
    with pytest.raises(InputError, match="that of 'alone' has none"):
        disagreement(member("alone", [[1.0, 2.0]]))
    with pytest.raises(InputError, match="that of 'alone' has none"):
        Members.of(member("alone", [[1.0, 2.0]]))
