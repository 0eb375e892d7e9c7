"""An ensemble and its members from one pass: counted, cancelled, the same bits, and failures named."""

import copy
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import ClassVar

import catboost
import lightgbm
import numpy as np
import pytest
import torch
import xgboost
from sklearn.ensemble import RandomForestClassifier

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import methods, models, variants
from workbench.core import Estimate, Inputs, Model, Progress, resolve_targets
from workbench.errors import IncompatibleError, InputError, MemberError, ModelError
from workbench.methods import catalog
from workbench.run import model_of, obstacle, steps
from workbench.variants.guarding import failures

RNG = np.random.default_rng(6)
ROWS = RNG.normal(size=(60, 4))
SMALL = {
    "KernelSHAP": {"budget": 5 * 14, "segments": 6},
    "PermutationSHAP": {"budget": 8 * 5 * 2, "segments": 6},
    "LIME": {"budget": 80, "segments": 6},
    "GradientSHAP": {"budget": 16},
    "IntegratedGradients": {"steps": 8},
    "ExactShapley": {"segments": 4},
    "Occlusion": {"window": 4, "stride": 2},
}


def table(n=3) -> Inputs:
    return Inputs(ROWS[:n], kind="tabular", background=ROWS[40:45])


def pictures() -> Inputs:
    rng = np.random.default_rng(7)
    return Inputs(rng.random((2, 24, 16, 3)), kind="image", background=rng.random((2, 24, 16, 3)))


def networks():
    return [replace(tanh_network(features=4, seed=s), name=f"seed {s}") for s in (1, 2, 3)]


def small_cnns():
    made = []
    for seed, width in ((0, 4), (1, 6)):
        torch.manual_seed(seed)
        module = models.small_cnn(3, width=width)
        made.append(wb.wrap(module, name=f"cnn {seed}", outputs=["a", "b", "c"], scale="logit"))
    return made


def forests():
    classes = np.digitize(ROWS[:, 0] + ROWS[:, 1], [-0.5, 0.5])
    return [
        wb.wrap(
            RandomForestClassifier(3, max_depth=3, random_state=s).fit(ROWS, classes), name=f"f{s}"
        )
        for s in (0, 1)
    ]


ENSEMBLES = {
    "networks in NumPy": lambda: variants.vote(networks(), [3, 2, 1]),
    "networks for images": lambda: variants.vote(small_cnns(), [3, 1]),
    "forests": lambda: variants.vote(forests(), [3, 1]),
    "mean probability of networks": lambda: variants.vote(networks(), space="probability"),
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
    alone = {methods.EigenCAM, methods.ScoreCAM}  # members have no maps in common, which is said
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
    weights = first.provenance["ensemble"]["weights"]
    total = sum(w * part.values for w, part in zip(weights, first.parts, strict=True))
    if first.provenance["ensemble"]["signed"]:
        if isinstance(method, methods.GradCAM):  # LayerCAM's maps begin above zero after a ReLU
            assert total.min() < -1e-9
        total = np.maximum(total, 0.0)
    size = np.abs(total).max()
    # float32 gradients of torch; elsewhere float64 sums in another order
    loose = type(method).__name__ in ("IntegratedGradients", "GradientSHAP")
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
    members = tuple(replace(m, batch=7) for m in small.combination.members)
    ensemble = replace(small, batch=7, combination=replace(small.combination, members=members))
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
    ensemble = variants.vote(networks())
    study = wb.Study((ensemble,), (methods.ExactShapley(),), table(), (wb.Target(0),))
    before = wb.explain(ensemble, table(), methods.ExactShapley(), wb.Target(0))
    (cost,) = wb.plan(study, probe_seconds=5).costs
    assert cost.finished
    own = (3 * 4 + 3 + 3) * 8  # values, output and base of three rows with four columns, in float64
    players = 4 * 8
    assert cost.result_bytes == 4 * (own + players)  # the ensemble and three members
    after = wb.explain(ensemble, table(), methods.ExactShapley(), wb.Target(0))
    np.testing.assert_array_equal(after.values, before.values)


def was_tried(_):
    """The trial of a model that had it: its four rows are in no count."""


def counting(model, counts):
    def predict(rows):
        counts[model.name] = counts.get(model.name, 0) + len(rows)
        return model.predict(rows)

    return replace(model, predict=predict, gradient=None, trial=was_tried)


@pytest.mark.parametrize(
    "method",
    [methods.ExactShapley(), methods.KernelSHAP(budget=5 * 14), methods.LIME(budget=80)],
    ids=lambda m: type(m).__name__,
)
def test_every_member_answers_as_often_as_it_would_alone(method):
    counts: dict[str, int] = {}
    members = [counting(model, counts) for model in networks()]
    wb.explain(members[0], table(), method)
    alone = counts.pop("seed 1")
    result = wb.explain(variants.vote(members), table(), method)
    assert counts == dict.fromkeys(["seed 1", "seed 2", "seed 3"], alone)
    assert result.evaluations == 3 * alone
    assert [part.evaluations for part in result.parts] == [alone] * 3


def test_a_study_asks_a_member_that_also_stands_alone_only_once_for_its_rows():
    counts: dict[str, int] = {}
    members = [counting(model, counts) for model in networks()]
    ensemble = variants.vote(members, name="seed 1 ")  # not the member of nearly that name
    study = wb.Study((members[0], ensemble), (methods.Occlusion(),), table())
    single, whole = wb.run(study)
    alone = single.evaluations
    assert counts["seed 2"] == alone
    assert counts["seed 1"] == 2 * alone - 3  # the three rows themselves were known
    assert whole.evaluations == 3 * alone - 3


def test_models_of_one_name_are_never_taken_for_each_other():
    first, second, third = networks()
    inside = variants.vote([first, second], name="pair")
    outside = replace(third, name="seed 1")  # another model, called like a member
    together = list(
        wb.run(wb.Study((outside, inside), (methods.Occlusion(),), table(), (wb.Target(0),)))
    )
    alone = wb.explain(inside, table(), methods.Occlusion(), wb.Target(0))
    np.testing.assert_array_equal(together[1].values, alone.values)


def test_predicted_means_the_ensembles_own_prediction_for_every_member():
    ensemble = variants.vote(networks())
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
    ensemble = variants.vote(networks(), [1, 2, 3])
    for target in (wb.Target(("a", "c", "b")), wb.Target.predicted(against="b")):
        result = wb.explain(ensemble, table(), methods.ExactShapley(), target)
        total = sum(w * p.values for w, p in zip([1 / 6, 1 / 3, 1 / 2], result.parts, strict=True))
        np.testing.assert_allclose(result.values, total, atol=1e-12)  # sums of coalitions
        assert np.abs(result.values).max() > 0.01


def test_standard_errors_are_the_ensembles_own_not_the_sum_of_its_members():
    ensemble = variants.vote(networks(), [3, 2, 1])
    method = methods.PermutationSHAP(budget=8 * 5 * 4)
    result = wb.explain(ensemble, table(), method, wb.Target(0))
    whole = wb.wrap(ensemble.predict, name="w", outputs=ensemble.outputs, scale="logit")
    alone = wb.explain(whole, table(), method, wb.Target(0))
    np.testing.assert_allclose(result.error, alone.error, rtol=1e-9)  # the same coalitions
    weights = result.provenance["ensemble"]["weights"]
    bound = sum(w * part.error for w, part in zip(weights, result.parts, strict=True))
    assert (result.error <= bound + 1e-15).all()
    assert (result.error < 0.99 * bound).any()


def test_bfloat16_is_used_by_an_ensemble_whose_members_all_can_and_refused_by_others():
    ensemble = variants.vote(small_cnns(), [3, 1])
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
    voting = variants.vote(small_cnns(), how="hard")
    assert voting.masked_half is None  # a network's scores are not its votes
    with pytest.raises(IncompatibleError, match="bfloat16"):
        wb.explain(voting, pictures(), methods.LIME(**sampled, precision="bfloat16"), wb.Target(0))


# --- class activation maps


@pytest.mark.parametrize("method", [methods.GradCAM, methods.LayerCAM, methods.HiResCAM])
def test_activation_maps_of_small_networks_add_up_before_the_maximum(method):
    members = small_cnns()
    ensemble = variants.vote(members, [3, 1])
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
        assert "before the maximum with zero" in result.provenance["badge"]
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
    result = wb.explain(variants.vote(members), pictures(), methods.GradCAM(), wb.Target(0))
    total = np.mean([part.values for part in result.parts], axis=0)
    np.testing.assert_array_equal(result.values, np.maximum(total, 0.0))
    assert any("12 x 8" in note for note in result.notes)
    assert any("6 x 4" in note for note in result.notes)


# --- failures


def failing(name, on, how="NaN"):
    """A network that cannot answer rows whose first column is one of `on`."""
    inner = tanh_network(features=4, seed=9)

    def predict(rows):
        bad = np.isin(rows[:, 0], on)
        if how == "raises" and bad.any():
            raise ZeroDivisionError("a bad day")
        scores = inner.predict(rows)
        scores[bad] = np.nan
        return scores

    return replace(inner, name=name, predict=predict, gradient=None)


@pytest.mark.parametrize("how", ["NaN", "raises"])
@pytest.mark.parametrize("target", [wb.Target(0), wb.Target.predicted()])
def test_a_member_that_fails_on_a_row_is_named_with_it_and_the_others_are_kept(how, target):
    good = networks()[:2]
    bad = failing("moody", [ROWS[1, 0]], how)
    ensemble = variants.vote([good[0], bad, good[1]])
    with pytest.raises(
        MemberError, match=r"Member 'moody' failed.*It cannot answer row 1\."
    ) as caught:
        wb.explain(ensemble, table(), methods.ExactShapley(), target)
    parts = caught.value.parts
    assert [part.model for part in parts] == ["seed 1", "seed 2"]
    rest = wb.explain(variants.vote(good), table(), methods.ExactShapley(), target)
    for part, other in zip(parts, rest.parts, strict=True):
        np.testing.assert_allclose(part.values, other.values, atol=1e-12)  # sums of coalitions
        assert part.explained == rest.explained


def test_of_many_rows_at_fault_the_first_eight_are_named_and_no_more_are_looked_for():
    moody = failing("moody", ROWS[5:25, 0])
    calls: list[int] = []

    def predict(rows):
        calls.append(len(rows))
        return moody.predict(rows)

    ensemble = variants.vote([networks()[0], replace(moody, predict=predict, trial=was_tried)])
    with pytest.raises(MemberError, match=r"answer row 5, 6, 7, 8, 9, 10, 11, 12 and more\."):
        wb.explain(ensemble, table(30), methods.Occlusion(), wb.Target(0))
    # All rows, whose answer is remembered; then one by one up to the ninth at fault, row 13.
    assert calls == [30, *[1] * 14]


def test_a_member_that_fails_on_perturbed_rows_alone_is_named_too():
    bad = failing("moody", [ROWS[42, 0]])  # a background row
    ensemble = variants.vote([*networks()[:2], bad])
    study = wb.Study((ensemble,), (methods.KernelSHAP(budget=5 * 14),), table(), (wb.Target(0),))
    done = []

    def look():
        for step in steps(study):
            done.append(step.done)
            step.partial()

    with pytest.raises(MemberError, match="'moody' failed") as caught:
        look()
    assert done == sorted(done)
    assert len(caught.value.parts) == 2
    assert isinstance(caught.value, ModelError)
    assert "It cannot answer row" not in str(caught.value)
    assert "It answers the explained rows; the rows at fault are background rows" in str(
        caught.value
    )


def stumbling(library):
    """A network whose answer to a row is an error of a library, where the library is imported."""
    inner = tanh_network(features=4, seed=9)

    def predict(rows):
        if (rows[:, 0] == ROWS[1, 0]).any():
            if library == "assert":
                raise AssertionError
            if library == "catboost":
                raise catboost.CatBoostError("pool of another width")
            if library == "lightgbm":
                raise lightgbm.basic.LightGBMError("pool of another width")
            raise xgboost.core.XGBoostError("pool of another width")
        return inner.predict(rows)

    return replace(inner, name="stumbling", predict=predict, gradient=None)


@pytest.mark.parametrize("library", ["assert", "catboost", "lightgbm", "xgboost"])
def test_errors_of_the_boosting_libraries_name_the_member_too(library):
    ensemble = variants.vote([*networks()[:2], stumbling(library)])
    said = "AssertionError" if library == "assert" else "pool of another width"
    with pytest.raises(
        MemberError, match=rf"Member 'stumbling' failed: {said}\. It cannot answer row 1\."
    ) as caught:
        wb.explain(ensemble, table(), methods.Occlusion(), wb.Target(0))
    assert [part.model for part in caught.value.parts] == ["seed 1", "seed 2"]


def test_libraries_that_nobody_imported_are_not_imported_for_their_errors():
    code = (
        "import sys; from workbench.variants.guarding import failures; print(len(failures())); "
        "print([m for m in ('catboost', 'lightgbm') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split("\n")[1] == "[]"
    assert len(failures()) == int(said.stdout.split("\n")[0]) + 2


def test_progress_does_not_fall_when_a_member_fails_late():
    inner = networks()[2]

    def predict(rows):
        scores = inner.predict(rows)
        late = (rows[:, 0] == ROWS[2, 0]) & (
            rows[:, 1] != ROWS[2, 1]
        )  # copies of the last row alone
        scores[late] = np.inf
        return scores

    late = replace(inner, name="late", predict=predict, gradient=None)
    ensemble = variants.vote([*networks()[:2], late])
    study = wb.Study((ensemble,), (methods.ExactShapley(),), table(), (wb.Target(0),))
    done = []

    def look():
        done.extend(step.done for step in steps(study))

    with pytest.raises(MemberError, match="'late' failed"):
        look()
    assert max(done[:-3]) > 300  # the first two rows were done before
    assert done == sorted(done)


def test_a_second_opinion_is_asked_of_a_member_only_about_its_own_outputs():
    first, second, _ = networks()
    turned = replace(
        second,
        outputs=("c", "a", "b"),
        predict=lambda rows: second.predict(rows)[:, [2, 0, 1]],
        gradient=None,
    )
    ensemble = variants.vote([first, turned])
    result = wb.explain(ensemble, table(), methods.Occlusion(), wb.Target(0))
    assert model_of(result) is ensemble
    assert model_of(result.parts[0]) is ensemble.combination.members[0]
    assert model_of(result.parts[1]) is None  # the target's position means another output there
    maps = wb.explain(variants.vote(small_cnns()), pictures(), methods.GradCAM(), wb.Target(0))
    assert [model_of(part) for part in maps.parts] == [None, None]


def test_when_every_member_fails_nothing_is_kept():
    ensemble = variants.vote([failing("x", [ROWS[0, 0]]), failing("y", [ROWS[1, 0]])])
    with pytest.raises(MemberError, match=r"'x' failed.*'y' failed") as caught:
        wb.explain(ensemble, table(), methods.Occlusion(), wb.Target(0))
    assert caught.value.parts == ()


def test_gradients_that_are_not_finite_name_their_member():
    good = networks()[0]
    inner = networks()[1]

    def gradient(rows, weights):
        scores, gradients = inner.gradient(rows, weights)
        return scores, gradients * np.nan

    ensemble = variants.vote([good, replace(inner, name="steep", gradient=gradient)])
    with pytest.raises(MemberError, match="Member 'steep' failed: Its gradients") as caught:
        wb.explain(ensemble, table(), methods.IntegratedGradients(steps=4), wb.Target(0))
    assert [part.model for part in caught.value.parts] == ["seed 1"]
    assert "It answers the explained rows" not in str(caught.value)  # its scores are not at fault


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
    ensemble = variants.vote(forests())
    with pytest.raises(IncompatibleError, match="do not add up"):
        wb.explain(ensemble, table(), LooksInside())
    result = wb.explain(ensemble, table(), Squares())
    assert result.provenance["badge"].startswith("Computed on the ensemble's own score")


def test_raw_outputs_have_no_predicted_one_in_an_ensemble_either():
    raw = [replace(model, scale="raw") for model in networks()]
    with pytest.raises(InputError, match="raw outputs whose sizes cannot be compared"):
        wb.explain(variants.vote(raw), table(), methods.Occlusion())


def test_a_model_of_an_ensemble_explains_alike_inside_and_outside_of_run():
    ensemble = variants.vote(networks(), [1, 2, 3])
    assert isinstance(ensemble, Model)
    target = wb.Target(0)
    *_, last = methods.ExactShapley().attribute(ensemble, table(), [target])
    result = wb.explain(ensemble, table(), methods.ExactShapley(), target)
    np.testing.assert_allclose(last.estimate().values[0], result.values, atol=1e-12)  # one sum
