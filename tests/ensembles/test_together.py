"""An ensemble and its members from one pass: counted, cancelled, the same bits, and failures named."""

import copy
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

import workbench as wb
from tests.ensembles.ensembles_at_hand import ROWS, networks, pictures, small_cnns, table, was_tried
from workbench import ensembles, methods
from workbench.core import Estimate, Inputs, Model, Progress, resolve_targets
from workbench.errors import IncompatibleError, InputError
from workbench.methods import catalog
from workbench.study.fit import obstacle
from workbench.study.run import steps

SMALL = {
    "KernelSHAP": {"budget": 5 * 14 + 7, "segments": 6},
    "PermutationSHAP": {"budget": 8 * 5 * 2, "segments": 6},
    "LIME": {"budget": 80, "segments": 6},
    "GradientSHAP": {"budget": 16},
    "IntegratedGradients": {"steps": 8},
    "ExactShapley": {"segments": 4},
    "Occlusion": {"window": 4, "stride": 2},
}


def forests():
    classes = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-0.5, 0.5])
    return [
        wb.wrap(
            RandomForestClassifier(3, max_depth=3, random_state=s).fit(ROWS, classes), name=f"f{s}"
        )
        for s in (0, 1)
    ]


ENSEMBLES = {
    "networks in NumPy": lambda: ensembles.vote(networks(), [3, 2, 1]),
    "networks for images": lambda: ensembles.vote(small_cnns(), [3, 1]),
    "forests": lambda: ensembles.vote(forests(), [3, 1]),
    "mean probability of networks": lambda: ensembles.vote(networks(), space="probability"),
}


def rows_for(model) -> Inputs:
    return pictures() if model.kind == "image" else table()


def cases():
    for name, make in ENSEMBLES.items():
        model = make()
        for method in catalog():
            if obstacle(method, model, rows_for(model)) is None:
                recipe = method(**SMALL.get(method.__name__, getattr(method, "quick", {})))
                yield pytest.param(make, recipe, id=f"{method.__name__}-{name}")


every_case = pytest.mark.parametrize(("make", "method"), list(cases()))


def test_every_method_is_tested_on_some_ensemble():
    # Members have no maps in common, or maps that add up, which is said; DeepLIFT reads one module.
    alone = {methods.EigenCAM, methods.ScoreCAM, methods.AblationCAM, methods.GradCAMPlusPlus}
    alone.add(methods.DeepLIFT)
    assert {type(case.values[1]) for case in cases()} == set(catalog()) - alone


@every_case
def test_the_ensembles_values_are_its_members_sum_and_the_same_bits_come_again(make, method):
    ensemble = make()
    inputs = rows_for(ensemble)
    natives = [m.native for m in ensemble.combination.members]
    states = [
        copy.deepcopy(n.state_dict()) if isinstance(n, torch.nn.Module) else None for n in natives
    ]
    first = wb.explain(ensemble, inputs, method, wb.Target(0))
    again = wb.explain(ensemble, inputs, method, wb.Target(0))
    np.testing.assert_array_equal(first.values, again.values)
    if not first.provenance.ensemble.composed:
        assert not getattr(method, "linear", False)
        assert first.notes[0].startswith("Computed on the ensemble's own score")
        return
    weights = first.provenance.ensemble.weights
    total = sum(w * part.values for w, part in zip(weights, first.parts, strict=True))
    if first.provenance.ensemble.signed:
        if isinstance(method, methods.GradCAM):  # LayerCAM's maps begin above zero after a ReLU
            assert total.min() < -1e-9
        total = np.maximum(total, 0.0)
    size = np.abs(total).max()
    # float32 gradients of torch; elsewhere float64 sums in another order
    loose = type(method).__name__ in ("IntegratedGradients", "GradientSHAP", "InputXGradient")
    np.testing.assert_allclose(first.values, total, rtol=0, atol=(1e-5 if loose else 1e-9) * size)
    np.testing.assert_allclose(
        first.output, ensemble.scores(inputs.values)[:, 0], rtol=1e-5
    )  # float32
    assert first.evaluations == sum(part.evaluations for part in first.parts)
    assert first.notes[0].startswith("Exact")
    for native, state in zip(natives, states, strict=True):
        if state is not None:
            assert native.training
            assert all(torch.equal(now, state[name]) for name, now in native.state_dict().items())
            assert not any(m._forward_hooks or m._forward_pre_hooks for m in native.modules())


@every_case
def test_a_member_is_explained_as_it_is_alone(make, method):
    ensemble = make()
    inputs = rows_for(ensemble)
    if hasattr(method, "signed"):
        return  # its part is before the maximum: the test on small networks below looks at that
    target = wb.Target(1)
    together = wb.explain(ensemble, inputs, method, target)
    for member, part in zip(ensemble.combination.members, together.parts, strict=True):
        alone = wb.explain(member, inputs, method, target)
        size = np.abs(alone.values).max()
        np.testing.assert_allclose(part.values, alone.values, rtol=0, atol=1e-5 * size)  # float32
        np.testing.assert_allclose(part.output, alone.output, rtol=1e-5)
        assert part.explained == alone.explained
        assert part.evaluations == alone.evaluations
        if part.error is not None:
            np.testing.assert_allclose(
                part.error, alone.error, rtol=1e-3, atol=1e-6 * size
            )  # squares of float32


@every_case
def test_whenever_it_is_stopped_what_is_kept_is_sound(make, method):
    small = make()
    members = tuple(replace(m, batch=1) for m in small.combination.members)
    ensemble = replace(small, batch=1, combination=replace(small.combination, members=members))
    study = wb.Study((ensemble,), (method,), rows_for(ensemble), (wb.Target(0), wb.Target(1)))
    done = []
    for step in steps(study):
        done.append(step.done)
        for result in step.partial():
            assert np.isfinite(result.values).all()
            assert len(result.parts) == len(members)
            assert all(part.complete == result.complete for part in result.parts)
            assert all(part.inputs.ids == result.inputs.ids for part in result.parts)
    assert done == sorted(done)
    assert len(done) > 2
    kept = step.partial()
    np.testing.assert_array_equal(kept[0].values, next(wb.run(study)).values)


@every_case
@pytest.mark.parametrize(
    "target", [wb.Target(0), wb.Target.predicted()], ids=["named", "predicted"]
)
def test_a_plan_tells_how_many_rows_the_members_will_answer(make, method, target):
    ensemble = make()
    alone = ensemble.combination.members[0]
    study = wb.Study(
        (alone, ensemble), (method, methods.Occlusion()), rows_for(ensemble), (target,)
    )
    told = wb.plan(study, probe_seconds=0).costs
    for cost, result in zip(told, wb.run(study), strict=True):
        low, high = cost.evaluations
        assert low <= result.evaluations <= high
        assert low == high or isinstance(method, methods.PermutationSHAP)


def test_a_probe_of_an_ensemble_counts_its_parts_and_leaves_no_trace():
    ensemble = ensembles.vote(networks())
    study = wb.Study((ensemble,), (methods.ExactShapley(),), table(), (wb.Target(0),))
    before = wb.explain(ensemble, table(), methods.ExactShapley(), wb.Target(0))
    (cost,) = wb.plan(study, probe_seconds=5).costs
    assert cost.evaluations == (729, 729)
    own = (3 * 4 + 3 + 3) * 8  # values, output and base of three rows with four columns, in float64
    players = 4 * 8
    assert cost.result_bytes >= 4 * (
        own + players
    )  # the ensemble and three members, room for errors
    after = wb.explain(ensemble, table(), methods.ExactShapley(), wb.Target(0))
    np.testing.assert_array_equal(after.values, before.values)


def counting(model, counts):
    def predict(rows):
        counts[model.name] = counts.get(model.name, 0) + len(rows)
        return model.predict(rows)

    return replace(model, predict=predict, gradient=None, trial=was_tried)


@pytest.mark.parametrize(
    "method",
    [methods.ExactShapley(), methods.KernelSHAP(budget=5 * 14 + 7), methods.LIME(budget=80)],
    ids=lambda m: type(m).__name__,
)
def test_every_member_answers_as_often_as_it_would_alone(method):
    counts: dict[str, int] = {}
    members = [counting(model, counts) for model in networks()]
    wb.explain(members[0], table(), method)
    alone = counts.pop("seed 1")
    result = wb.explain(ensembles.vote(members), table(), method)
    assert counts == dict.fromkeys(["seed 1", "seed 2", "seed 3"], alone)
    assert result.evaluations == 3 * alone
    assert [part.evaluations for part in result.parts] == [alone] * 3


def test_a_study_asks_a_member_that_also_stands_alone_only_once_for_its_rows():
    counts: dict[str, int] = {}
    members = [counting(model, counts) for model in networks()]
    ensemble = ensembles.vote(members, name="seed 1 ")  # not the member of nearly that name
    study = wb.Study((members[0], ensemble), (methods.Occlusion(),), table())
    single, whole = wb.run(study)
    alone = single.evaluations
    assert counts["seed 2"] == alone
    assert counts["seed 1"] == 2 * alone - 3  # the three rows themselves were known
    assert whole.evaluations == 3 * alone - 3


def test_models_of_one_name_are_never_taken_for_each_other():
    first, second, third = networks()
    inside = ensembles.vote([first, second], name="pair")
    outside = replace(third, name="seed 1")  # another model, called like a member
    together = list(
        wb.run(wb.Study((outside, inside), (methods.Occlusion(),), table(), (wb.Target(0),)))
    )
    alone = wb.explain(inside, table(), methods.Occlusion(), wb.Target(0))
    np.testing.assert_array_equal(together[1].values, alone.values)


def test_predicted_means_the_ensembles_own_prediction_for_every_member():
    ensemble = ensembles.vote(networks())
    result = wb.explain(ensemble, table(20), methods.Occlusion())
    own = ensemble.scores(table(20).values).argmax(axis=1)
    assert result.explained == tuple(np.array(ensemble.outputs)[own])
    for member, part in zip(ensemble.combination.members, result.parts, strict=True):
        said = member.scores(table(20).values)
        np.testing.assert_array_equal(part.output, said[np.arange(20), own])
        assert part.explained == result.explained
    disagree = [m.scores(table(20).values).argmax(axis=1) for m in ensemble.combination.members]
    assert (np.array(disagree) != own).any()  # so that the test tells the two apart


def test_contrasts_and_one_output_per_row_reach_every_member():
    ensemble = ensembles.vote(networks(), [1, 2, 3])
    for target in (wb.Target(("a", "c", "b")), wb.Target.predicted(against="b")):
        result = wb.explain(ensemble, table(), methods.ExactShapley(), target)
        total = sum(w * p.values for w, p in zip([1 / 6, 1 / 3, 1 / 2], result.parts, strict=True))
        np.testing.assert_allclose(result.values, total, atol=1e-12)  # sums of coalitions
        assert np.abs(result.values).max() > 0.01


def test_standard_errors_are_the_ensembles_own_not_the_sum_of_its_members():
    ensemble = ensembles.vote(networks(), [3, 2, 1])
    method = methods.PermutationSHAP(budget=8 * 5 * 4)
    result = wb.explain(ensemble, table(), method, wb.Target(0))
    whole = wb.wrap(ensemble.predict, name="w", outputs=ensemble.outputs, scale="logit")
    alone = wb.explain(whole, table(), method, wb.Target(0))
    np.testing.assert_allclose(result.error, alone.error, rtol=1e-9)  # the same coalitions
    weights = result.provenance.ensemble.weights
    bound = sum(w * part.error for w, part in zip(weights, result.parts, strict=True))
    assert (result.error <= bound + 1e-15).all()
    assert (result.error < 0.99 * bound).any()


def test_bfloat16_is_used_by_an_ensemble_whose_members_all_can_and_refused_by_others():
    ensemble = ensembles.vote(small_cnns(), [3, 1])
    sampled = {"budget": 60, "superpixels": "grid", "segments": 6}
    half = wb.explain(
        ensemble, pictures(), methods.LIME(**sampled, precision="bfloat16"), wb.Target(0)
    )
    full = wb.explain(ensemble, pictures(), methods.LIME(**sampled), wb.Target(0))
    assert any("bfloat16" in note for note in half.notes)
    size = np.abs(full.values).max()
    np.testing.assert_allclose(
        half.values, full.values, rtol=0, atol=0.1 * size
    )  # 8 bits of mantissa
    voting = ensembles.vote(small_cnns(), how="hard")
    assert voting.masked_half is None  # a network's scores are not its votes
    with pytest.raises(IncompatibleError, match="bfloat16"):
        wb.explain(voting, pictures(), methods.LIME(**sampled, precision="bfloat16"), wb.Target(0))


# --- class activation maps


@pytest.mark.parametrize("method", [methods.GradCAM, methods.LayerCAM, methods.HiResCAM])
def test_activation_maps_of_small_networks_add_up_before_the_maximum(method):
    members = small_cnns()
    ensemble = ensembles.vote(members, [3, 1])
    inputs = pictures()
    result = wb.explain(ensemble, inputs, method(), wb.Target(2))
    assert [part.evaluations for part in result.parts] == [len(inputs)] * 2  # one pass each
    # Channels of both networks side by side, with the ensemble's own gradients: the whole network's map.
    recipe = method()
    run = getattr(recipe, "signed", recipe.attribute)
    *_, last = run(ensemble, inputs, [wb.Target(2)])
    whole = last.estimate().values[0]
    parts = [part.values for part in result.parts]
    size = np.abs(whole).max()
    np.testing.assert_allclose(
        0.75 * parts[0] + 0.25 * parts[1], whole, rtol=0, atol=1e-6 * max(size, 1)
    )  # float32 gradients
    shown = np.maximum(whole, 0.0) if method is not methods.HiResCAM else whole
    np.testing.assert_allclose(result.values, shown, rtol=0, atol=1e-6 * max(size, 1))
    if method is not methods.HiResCAM:
        assert "before the maximum with zero" in result.provenance.badge
        assert any("before the maximum" in note for note in result.parts[0].notes)


def test_networks_whose_layers_differ_in_size_are_added_after_enlarging():
    def module(stride):
        torch.manual_seed(stride)
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 4, 3, stride=stride, padding=1),
            torch.nn.ReLU(),
            torch.nn.AdaptiveAvgPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(4, 3),
        )

    members = [
        wb.wrap(module(s), name=f"stride {s}", outputs=["a", "b", "c"], scale="logit")
        for s in (2, 4)
    ]
    result = wb.explain(ensembles.vote(members), pictures(), methods.GradCAM(), wb.Target(0))
    total = np.mean([part.values for part in result.parts], axis=0)
    np.testing.assert_array_equal(result.values, np.maximum(total, 0.0))
    assert any("12 x 8" in note for note in result.notes)
    assert any("6 x 4" in note for note in result.notes)


# --- what cannot be done


@dataclass(frozen=True)
class LooksInside:
    """A user's method that reads trees, and does not say that it is linear."""

    needs: ClassVar = ("trees",)
    kinds: ClassVar = ("tabular",)
    additive: ClassVar = False
    source: ClassVar = "here"

    def attribute(self, model, inputs, targets):
        scores, weights = resolve_targets(model, inputs, targets)
        output = np.einsum("tnk,nk->tn", weights, scores)
        values = np.ones((len(targets), *inputs.values.shape))
        yield Progress(1, 1, lambda: Estimate(values, output, np.zeros_like(output)))


@dataclass(frozen=True)
class Squares(LooksInside):
    """The same, asking for scores alone: it explains the ensemble itself, and its members."""

    needs: ClassVar = ()


def test_a_method_that_looks_inside_and_does_not_add_up_is_refused():
    ensemble = ensembles.vote(forests())
    with pytest.raises(IncompatibleError, match="do not add up"):
        wb.explain(ensemble, table(), LooksInside())
    result = wb.explain(ensemble, table(), Squares())
    assert result.provenance.badge.startswith("Computed on the ensemble's own score")


def test_raw_outputs_have_no_predicted_one_in_an_ensemble_either():
    raw = [replace(model, scale="raw") for model in networks()]
    with pytest.raises(InputError, match="raw outputs whose sizes cannot be compared"):
        wb.explain(ensembles.vote(raw), table(), methods.Occlusion())


def test_a_model_of_an_ensemble_explains_alike_inside_and_outside_of_run():
    ensemble = ensembles.vote(networks(), [1, 2, 3])
    assert isinstance(ensemble, Model)
    target = wb.Target(0)
    *_, last = methods.ExactShapley().attribute(ensemble, table(), [target])
    result = wb.explain(ensemble, table(), methods.ExactShapley(), target)
    np.testing.assert_allclose(last.estimate().values[0], result.values, atol=1e-12)  # one sum
