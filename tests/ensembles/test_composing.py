"""Attributions added without a model: exact where that is right, refused where it only looks right."""

import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import ensembles, methods, models
from workbench.core import Inputs
from workbench.ensembles.voting import VOTE_SHARE
from workbench.errors import IncompatibleError, InputError

RNG = np.random.default_rng(8)
ROWS = RNG.normal(size=(120, 4))
TARGET = wb.Target(0)


def table(seed=0) -> Inputs:
    rows = np.random.default_rng(seed).normal(size=(8, 4))
    return Inputs(rows[:3], kind="tabular", background=rows[3:])


def networks(count=3):
    return [replace(tanh_network(features=4, seed=s), name=f"seed {s}") for s in range(count)]


def apart(method, inputs=None, target=TARGET, count=3):
    inputs = table() if inputs is None else inputs
    return [wb.explain(model, inputs, method, target) for model in networks(count)]


@pytest.mark.parametrize(
    "method",
    [
        methods.ExactShapley(),
        methods.LIME(budget=60),
        methods.Occlusion(),
        methods.KernelSHAP(budget=5 * 14 + 7),
        methods.GradientSHAP(budget=16),
        methods.IntegratedGradients(steps=8),
    ],
    ids=lambda m: type(m).__name__,
)
def test_attributions_computed_apart_compose_to_the_ensembles_own(method):
    weights = [3, 2, 1]
    composed = ensembles.compose(apart(method), weights, name="mean")
    whole = wb.explain(ensembles.vote(networks(), weights), table(), method, TARGET)
    np.testing.assert_allclose(composed.values, whole.values, atol=1e-12)  # the same sums
    np.testing.assert_allclose(composed.base, whole.base, atol=1e-12)
    np.testing.assert_allclose(composed.output, whole.output, atol=1e-12)
    assert composed.evaluations == whole.evaluations
    if composed.error is not None:
        assert (composed.error >= whole.error - 1e-12).all()  # a bound on the ensemble's own
        assert any("upper bound" in note for note in composed.notes)
    assert composed.provenance.ensemble.weights == pytest.approx([1 / 2, 1 / 3, 1 / 6])


def refused(parts, message):
    with pytest.raises(IncompatibleError, match=message):
        ensembles.compose(parts)


def test_what_only_looks_right_when_added_is_refused():
    first, second, _ = apart(methods.ExactShapley())
    refused([first, replace(second, scale="probability")], "same scale.*logit.*probability")
    refused([first, apart(methods.Occlusion())[1]], "same recipe")
    kernel = apart(methods.KernelSHAP(budget=77))[0]
    other_seed = apart(methods.KernelSHAP(budget=77, seed=1))[1]
    refused([kernel, other_seed], "seed included")
    refused([first, apart(methods.ExactShapley(), table(1))[1]], "same rows")
    other = table().with_background(np.ones((2, 4)))
    refused([first, apart(methods.ExactShapley(), other)[1]], "same background")
    refused(
        [first, apart(methods.ExactShapley(), table().with_background(np.ones((5, 4))))[1]],
        "background",
    )
    refused([first, apart(methods.ExactShapley(), target=wb.Target(1))[1]], "same target")
    renamed = replace(table(), features=tuple("wxyz"))
    refused([first, apart(methods.ExactShapley(), renamed)[1]], "same columns")
    grouped = replace(table(), groups={"both": (0, 1)})
    refused([first, apart(methods.ExactShapley(), grouped)[1]], "same players")


def test_path_dependent_and_interventional_tree_values_are_not_mixed():
    classes = (ROWS[:, 0] > 0).astype(int)
    forests = [
        wb.wrap(RandomForestClassifier(3, random_state=s).fit(ROWS, classes), name=f"f{s}")
        for s in (0, 1)
    ]
    parts = [
        wb.explain(model, table(), methods.TreeSHAP(variant), TARGET)
        for model, variant in zip(forests, ("interventional", "tree_path_dependent"), strict=True)
    ]
    refused(parts, "Path-dependent and interventional values answer different questions")
    result = wb.explain(
        ensembles.vote(forests),
        table(),
        methods.TreeSHAP(feature_perturbation="tree_path_dependent"),
        TARGET,
    )
    assert "path dependent, no background" in result.provenance.badge
    np.testing.assert_allclose(result.gap, 0.0, atol=1e-12)  # sums of leaves


def test_maps_after_the_maximum_do_not_add_up():
    rng = np.random.default_rng(0)
    inputs = Inputs(rng.random((1, 16, 16, 3)), kind="image")
    model = wb.wrap(models.small_cnn(2, width=4), name="a", outputs=["x", "y"], scale="logit")
    result = wb.explain(model, inputs, methods.GradCAM(), TARGET)
    refused([result, replace(result, model="b")], "maxima with zero")


def test_the_same_model_twice_or_none_at_all_is_refused():
    first, second, _ = apart(methods.ExactShapley())
    with pytest.raises(InputError, match="different models"):
        ensembles.compose([first, first])
    with pytest.raises(InputError, match="different models"):
        ensembles.compose([])
    with pytest.raises(InputError, match="not be negative"):
        ensembles.compose([first, second], [2, -1])


def test_other_weights_need_no_model_and_give_what_a_new_run_would():
    calls = []

    def counted(model):
        def predict(rows):
            calls.append(len(rows))
            return model.predict(rows)

        return replace(model, predict=predict)

    ensemble = ensembles.vote([counted(model) for model in networks()])
    result = wb.explain(ensemble, table(), methods.ExactShapley(), TARGET)
    calls.clear()
    again = ensembles.reweighted(result, {"seed 2": 3, "seed 0": 0, "seed 1": 1})
    assert calls == []
    afresh = wb.explain(
        ensembles.vote(networks(), [0, 1, 3]), table(), methods.ExactShapley(), TARGET
    )
    np.testing.assert_allclose(again.values, afresh.values, atol=1e-12)  # three terms
    np.testing.assert_allclose(again.output, afresh.output, atol=1e-12)
    np.testing.assert_allclose(again.base, afresh.base, atol=1e-12)
    assert again.provenance.ensemble.weights == (0.0, 0.25, 0.75)
    assert any("no say: ['seed 0']" in note for note in again.notes)
    back = ensembles.reweighted(again, [1, 1, 1])
    np.testing.assert_allclose(back.values, result.values, atol=1e-12)


def test_maps_are_weighted_anew_before_their_maximum():
    torch.manual_seed(1)  # networks whose mean is negative in places
    rng = np.random.default_rng(0)
    inputs = Inputs(rng.random((2, 24, 16, 3)), kind="image")
    members = [
        wb.wrap(
            models.small_cnn(3, width=w), name=f"width {w}", outputs=["x", "y", "z"], scale="logit"
        )
        for w in (4, 5)
    ]
    result = wb.explain(ensembles.vote(members), inputs, methods.GradCAM(), TARGET)
    again = ensembles.reweighted(result, [1, 4])
    afresh = wb.explain(ensembles.vote(members, [1, 4]), inputs, methods.GradCAM(), TARGET)
    np.testing.assert_allclose(again.values, afresh.values, atol=1e-12)  # two terms
    assert again.values.min() == 0.0


def test_only_a_mean_with_its_parts_can_be_weighted_anew():
    alone = apart(methods.ExactShapley())[0]
    with pytest.raises(IncompatibleError, match="has no parts"):
        ensembles.reweighted(alone, [1])
    composed = ensembles.compose(apart(methods.ExactShapley()))
    with pytest.raises(InputError, match="each of 3 members"):
        ensembles.reweighted(composed, [1, 2])


def test_thirty_features_a_hundred_rows_and_ten_members_are_weighted_anew_without_a_single_call():
    """No call of a model; the time is printed by `-s`, not asserted: it belongs to the machine."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(110, 30))
    inputs = Inputs(values[:100], kind="tabular", background=values[100:])
    calls = []

    def linear(seed):
        slope = np.random.default_rng(seed).normal(size=(30, 2))

        def predict(rows):
            calls.append(seed)
            return rows @ slope

        return wb.Model(f"m{seed}", predict, ("a", "b"), "logit")

    ensemble = ensembles.vote([linear(seed) for seed in range(10)])
    result = wb.explain(ensemble, inputs, methods.Occlusion(), TARGET)
    assert len(calls) > 0
    calls.clear()
    started = time.perf_counter()
    again = ensembles.reweighted(result, np.arange(10))
    print(f"weighted anew in {1000 * (time.perf_counter() - started):.1f} ms")  # noqa: T201
    assert calls == []
    assert again.values.shape == (100, 30)
    assert not np.allclose(again.values, result.values)


def test_what_a_sample_said_of_its_precision_is_not_said_of_another_mean():
    members = networks()
    precise = methods.PermutationSHAP(tolerance=0.2)
    result = wb.explain(ensembles.vote(members, [5, 1, 1]), table(), precise, TARGET)
    said = "relative error"
    assert said in result.notes[-1]
    again = ensembles.reweighted(result, [1, 1, 5])
    composed = ensembles.compose(apart(precise))
    for other in (again, composed):
        assert not any(said in note for note in other.notes)
        assert any("upper bound" in note for note in other.notes)


def test_other_weights_leave_what_the_ensemble_says_of_itself_but_not_of_its_weights():
    voters = [
        replace(model, outputs=("no", "maybe", "yes")[: len(model.outputs)]) for model in networks()
    ]
    ensemble = ensembles.vote(voters, [4, 0, 4], how="hard")
    result = wb.explain(ensemble, table(), methods.ExactShapley(), TARGET)
    told = [note for note in result.notes if "weight" in note]
    assert any("divided by their sum, 8" in note for note in told)
    again = ensembles.reweighted(result, [1, 1, 3])
    assert VOTE_SHARE in again.notes
    assert "The weights were divided by their sum, 5." in again.notes
    assert not any("sum, 8" in note or "no say" in note for note in again.notes)
    assert len(set(again.notes)) == len(again.notes)
    back = ensembles.reweighted(again, [4, 0, 4])
    assert back.notes == result.notes


def test_time_is_the_one_pass_of_the_ensemble_or_all_that_were_made_apart():
    result = wb.explain(ensembles.vote(networks()), table(), methods.ExactShapley(), TARGET)
    assert ensembles.reweighted(result, [1, 2, 3]).seconds == result.seconds > 0
    parts = [replace(part, seconds=2.0**k) for k, part in enumerate(apart(methods.ExactShapley()))]
    assert ensembles.compose(parts).seconds == 7.0


def test_draws_are_called_the_same_only_where_one_pass_made_them():
    walks = methods.PermutationSHAP(budget=160)
    composed = ensembles.compose(apart(walks)).provenance.badge
    whole = wb.explain(ensembles.vote(networks()), table(), walks, TARGET)
    again = ensembles.reweighted(whole, [1, 2, 3]).provenance.badge
    stated = "sampling errors stand beside the values"
    assert "from the same draws" not in composed
    assert stated in composed
    for badge in (whole.provenance.badge, again):
        assert f"from the same draws; {stated}" in badge


def test_the_badge_of_lime_says_what_it_draws_from():
    result = wb.explain(ensembles.vote(networks()), table(), methods.LIME(budget=60), TARGET)
    assert "columns redrawn from quartile bins of 5 background rows" in result.provenance.badge
    assert "interventional" not in result.provenance.badge


def test_a_second_opinion_on_other_weights_asks_the_model_that_has_them():
    classes = (ROWS[:, 0] > 0).astype(int)
    forests = [
        wb.wrap(RandomForestClassifier(3, random_state=s).fit(ROWS, classes), name=f"f{s}")
        for s in (0, 1)
    ]
    former = ensembles.vote(forests, [3, 1], name="forests")
    result = wb.explain(
        former, table(), methods.TreeSHAP(feature_perturbation="interventional"), TARGET
    )
    assert result.provenance.digest == former.digest != ""
    again = ensembles.reweighted(result, [1, 3])
    assert again.provenance.digest == ""
    assert again.provenance.lineage == ()
    assert wb.cross_check(again, model=ensembles.vote(forests, [1, 3], name="forests")).agrees


def test_the_badge_says_what_a_method_of_ones_own_says_of_the_absent():
    @dataclass(frozen=True)
    class Mine(methods.ExactShapley):
        def absence(self, inputs):
            return f"{len(inputs)} dice" if inputs.name else None

    rows = table()
    named, unnamed = (
        wb.explain(ensembles.vote(networks()), one, Mine(), TARGET).provenance.badge
        for one in (replace(rows, name="rows"), replace(rows, name=""))
    )
    assert named.endswith(f"; {len(rows)} dice.")
    assert "; interventional, 5 background rows." in unnamed
