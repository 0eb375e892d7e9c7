"""What a drift study runs, in which order, and what it gives when it is stopped."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import workbench as wb
from tests.lab.networks import bundled
from tests.lab.rows_by_hand import linear, network, table
from workbench import data
from workbench.core import Inputs, Model, Target
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.lab import DriftStudy, default_methods, steps, studies
from workbench.lab.parts import with_other_background
from workbench.methods import (
    LIME,
    ExactShapley,
    GradientSHAP,
    IntegratedGradients,
    Occlusion,
    PermutationSHAP,
)

SAMPLED = PermutationSHAP(budget=200)


def nudged(name="nudged", by=0.02):
    """The network with columns that count a little more."""
    whole = network()
    return Model(
        name, lambda rows: whole.predict(rows * (1 + by)), whole.outputs, "logit", batch=64
    )


def test_an_identical_copy_is_preserved_with_a_drift_of_exactly_zero():
    found = wb.drift(network(), network("copy"), table(60), (SAMPLED, LIME(budget=60), Occlusion()))
    assert dict(found.verdicts) == {"copy": "preserved"}
    assert found.methods == ("PermutationSHAP", "LIME", "Occlusion")
    assert len(found.measured) > 20
    assert all((one.drift == 0).all() for one in found.measured)
    assert all(one.noise > 0 for one in found.measured if one.metric == "distance")
    assert found.behavior[0].flips == 0


def test_an_identical_network_has_no_drift_though_batch_sizes_are_tried_by_the_clock():
    model = bundled("shapes_cnn")
    copy = bundled("shapes_cnn").renamed("copy")
    # 49 windows an image: outside the lab, they would come in batches of 8, then 16, then 32.
    windows = Occlusion(window=16, stride=8)
    found = wb.drift(model, copy, data.shapes("test", n=4), windows, random_weights=False)
    assert all((one.drift == 0).all() for one in found.measured)
    assert found.behavior[0].largest == 0


def test_every_model_is_explained_with_the_same_seeds_and_background():
    last = [*steps(DriftStudy(network(), (nudged(),), table(), (SAMPLED,)))][-1]
    reference, copy = last.result.attributions
    assert (reference.model, copy.model) == ("network", "nudged")
    assert reference.method == copy.method == SAMPLED
    assert reference.inputs.shares_background(copy.inputs)
    assert reference.target == copy.target
    assert reference.evaluations == copy.evaluations


def test_the_reference_lines_come_before_the_copies_and_copies_in_their_order():
    siblings = (network("sibling", seed=1),)
    study = DriftStudy(
        network(),
        (nudged(), nudged("more", 0.5)),
        table(),
        (SAMPLED, Occlusion()),
        siblings=siblings,
    )
    every = [*steps(study)]
    finished = [step.label for step in every if step.label.endswith("is finished")]
    assert finished == [
        "network (reference) is finished",
        "network (noise) is finished",
        "network (noise) is finished",
        "sibling (sibling) is finished",
        "nudged (copy) is finished",
        "more (copy) is finished",
    ]
    # 2 methods of reference, sibling and each copy; noise by other seeds (1 hears them), by background (2)
    assert every[-1].done == every[-1].total == 1000 * (2 + 1 + 2 + 2 + 2 + 2)
    done = [step.done for step in every]
    assert done == sorted(done)
    # The self-test has two models, and two rows of its own.
    assert [len(one.models) for one in studies(study)] == [2] + [1] * 6
    assert [len(one.inputs) for one in studies(study)] == [2] + [24] * 6


def test_the_rows_that_a_plan_counts_are_asked_for():
    asked = {"net": 0, "copy": 0}

    def counting(name):
        whole = network()

        def predict(rows):
            asked[name] += len(rows)
            return whole.predict(rows)

        return Model(name, predict, whole.outputs, "logit")

    # The self-test costs LIME on tables as much as a whole study: its sample serves all rows at once.
    study = DriftStudy(counting("net"), (counting("copy"),), table(), (LIME(budget=60),))
    planned = sum(cost for one in studies(study) for cost in wb.plan(one).evaluations[:1])
    asked.update(net=0, copy=0)
    list(steps(study))
    # Beside it, scores of the rows by either model, of eight alone too, and whether LIME hears the
    # background.
    hears = 2 * 60
    # A look at either model: 8 rows first and last, 8 again, 4 rows in batches of 8. Four rows of
    # each are tried in no plan: its probe is too small for that.
    looks = 2 * (8 + 8 + 8 + 8 + 4 * 8)
    assert sum(asked.values()) == planned + 2 * (24 + 8) + hears + looks + 2 * 4


def test_stopping_keeps_the_copies_that_are_finished():
    study = DriftStudy(network(), (nudged(), nudged("more", 0.5)), table(), (Occlusion(),))
    for step in steps(study):
        if not step.result.finished:
            assert step.result.drift() is None
            continue
        kept = step
        break
    assert kept.result.finished == ("nudged",)
    assert kept.done < kept.total
    found = kept.result.drift()
    assert found.models == ("nudged",)
    assert [one.model for one in found.attributions] == ["network", "nudged"]
    early, *_, last = [step for step in steps(study) if step.result.finished]
    assert early.result.drift().models == (
        "nudged",
    )  # of that step, though more is finished by now
    whole = last.result.drift()
    assert whole.models == ("nudged", "more")
    first = [one for one in whole.measured if one.model == "nudged"]
    assert [one.reason for one in first] == [one.reason for one in found.measured]


def test_the_noise_line_is_made_of_other_seeds_and_of_other_backgrounds():
    seeds = wb.drift(network(), nudged(), table(background=1), SAMPLED)
    both = wb.drift(network(), nudged(), table(), SAMPLED)
    exact = wb.drift(network(), nudged(), table(), ExactShapley())
    silent = wb.drift(network(), nudged(), table(background=None), Occlusion(fill="zero"))
    noise = [
        next(one.noise for one in found.measured if one.metric == "distance")
        for found in (seeds, both, exact, silent)
    ]
    assert min(noise[:3]) > 0
    assert noise[3] == 0


def test_without_repetitions_there_is_no_line_of_noise_but_its_size_is_known():
    found = wb.drift(network(), nudged(), table(), SAMPLED, noise_seeds=0)
    one = found.measured[0]
    assert one.noise is None
    assert one.noise_share > 0


def test_another_background_is_drawn_from_the_same_rows_and_may_repeat_them():
    inputs = table()
    other = with_other_background(inputs, seed=1)
    assert not other.shares_background(inputs)
    assert {tuple(row) for row in other.background} < {tuple(row) for row in inputs.background}
    assert with_other_background(inputs, seed=1).shares_background(other)
    assert with_other_background(table(background=None), seed=1).background is None


def test_the_far_line_is_missing_where_weights_cannot_be_reached_and_a_note_says_so():
    found = wb.drift(network(), nudged(), table(), Occlusion())
    assert found.measured[0].random is None
    assert "The line of random weights is missing: the weights of 'network'" in found.notes[0]
    assert wb.drift(network(), nudged(), table(), Occlusion(), random_weights=False).notes == ()


def test_siblings_are_a_line_and_no_copies():
    sibling = network("sibling", seed=1)
    found = wb.drift(network(), [nudged()], table(), Occlusion(), siblings=[sibling])
    assert found.models == ("nudged",)
    as_copy = wb.drift(network(), sibling, table(), Occlusion())
    line = {one.metric: one.retraining for one in found.measured if one.stratum == "all"}
    drift = {one.metric: one.mean for one in as_copy.measured if one.stratum == "all"}
    assert line == drift


def test_what_a_copy_cannot_do_is_left_out_and_named_never_replaced():
    blind = replace(nudged("int8"), absent={"gradient": "True int8 operators have none."})
    found = wb.drift(network(), blind, table(), (IntegratedGradients(), Occlusion()))
    assert {one.method for one in found.measured} == {"Occlusion"}
    assert found.methods == ("IntegratedGradients", "Occlusion")
    (note,) = [note for note in found.notes if note.startswith("Left out")]
    assert "'int8'" in note
    assert note.endswith("True int8 operators have none.")


def test_a_copy_that_no_method_explains_stops_the_study_with_the_reason():
    blind = replace(nudged("int8"), absent={"gradient": "True int8 operators have none."})
    with pytest.raises(
        IncompatibleError, match=r"'int8' can be explained by none .* int8 operators"
    ):
        wb.drift(network(), blind, table(), (IntegratedGradients(), GradientSHAP()))


def test_a_method_that_cannot_explain_the_reference_is_refused_first(counted):
    model = counted.on(linear("net", 1, 2, 3, 4, 5, 6))
    with pytest.raises(IncompatibleError, match="IntegratedGradients needs"):
        wb.drift(model, linear("copy", 1, 2, 3, 4, 5, 7), table(), IntegratedGradients())
    assert counted.rows == len(table())  # its own predictions, and no explanation


def test_a_model_that_draws_numbers_is_found_out_before_anything_runs():
    rng = np.random.default_rng(0)
    whole = network()

    def predict(rows):
        return whole.predict(rows) + rng.normal(scale=1e-6, size=(len(rows), 3))

    shaky = Model("shaky", predict, whole.outputs, "logit")
    with pytest.raises(
        ModelError, match=r"identical copy .* exactly no drift, but Occlusion of 'shaky'"
    ):
        wb.drift(shaky, network("copy"), table(), Occlusion())


@dataclass(frozen=True)
class Shaken:
    """A method that forgets its seed."""

    needs = ()
    kinds = ("tabular",)
    additive = False
    source = "nowhere"

    def attribute(self, model, inputs, targets, /):
        for progress in Occlusion().attribute(model, inputs, targets):
            estimate = progress.estimate()
            moved = estimate.values + np.random.default_rng().normal(size=estimate.values.shape)
            yield replace(
                progress, estimate=lambda moved=moved, e=estimate: replace(e, values=moved)
            )


def test_a_method_that_draws_without_a_seed_is_found_out_too():
    with pytest.raises(ModelError, match="Shaken of 'network' gave two answers"):
        wb.drift(network(), nudged(), table(), Shaken())


def test_unpaired_seeds_are_a_control_that_sees_less():
    rows, method = table(40), PermutationSHAP(budget=300)
    paired = wb.drift(network(), nudged(), rows, method)
    alone = wb.drift(network(), nudged(), rows, method, paired=False)
    drift = [
        next(one.mean for one in found.measured if one.metric == "distance")
        for found in (paired, alone)
    ]
    # A copy nudged by 2 % beside sampling errors of some 10 %.
    assert drift[1] > 3 * drift[0]
    assert alone.measured[0].excess is not None


def test_a_fixed_budget_shares_all_samples_whatever_ran_before_it():
    # The copy has no gradients, so its rows are asked for in another cell than its reference's.
    both = (IntegratedGradients(), SAMPLED)
    found = wb.drift(network(), nudged(), table(), both)
    assert any("Left out for 'nudged': IntegratedGradients" in note for note in found.notes)
    assert not any("shared only in part" in note for note in found.notes)


def test_a_tolerance_that_stops_a_copy_elsewhere_shares_samples_in_part():
    until = PermutationSHAP(tolerance=0.2)
    reference, copy = network(), network("other", seed=1)
    found = wb.drift(reference, copy, table(), until)
    (note,) = [note for note in found.notes if "shared only in part" in note]
    one, other = (wb.explain(model, table(), until, wb.Target(0)) for model in (reference, copy))
    assert note.startswith("other, PermutationSHAP: ")
    assert (one.draws != other.draws).any()
    same = wb.drift(reference, network("same"), table(), until)
    assert not any("shared only in part" in note for note in same.notes)


def test_faithfulness_asks_every_model_about_itself(counted):
    copy = counted.on(nudged())
    asked = []
    for faithfulness in (False, True):
        before = counted.rows
        found = wb.drift(network(), copy, table(), Occlusion(), faithfulness=faithfulness)
        asked.append(counted.rows - before)
        measures = {one.measure for one in found.quality}
        assert measures == ({"deletion gain", "insertion gain"} if faithfulness else set())
    assert asked[1] > asked[0]


def test_default_methods_suit_the_rows_and_share_all_their_samples():
    (method,) = default_methods((network(), nudged()), table())
    assert method == PermutationSHAP(budget=4096)  # a budget, so that no tolerance stops one early
    (many,) = default_methods((network(),), table(background=700))
    assert many.budget == 2 * (2 * 6 * 700)
    images = Inputs(np.zeros((2, 32, 48, 3)), kind="image")
    plain = Model("net", lambda rows: rows[:, 0, 0], ("r", "g", "b"), "logit", kind="image")
    assert default_methods((plain,), images) == (Occlusion(window=8, stride=4),)


def test_one_method_or_several_in_any_iterable_are_taken():
    one = wb.drift(network(), nudged(), table(), Occlusion())
    several = wb.drift(network(), iter([nudged()]), table(), iter([Occlusion()]))
    assert one.methods == several.methods == ("Occlusion",)
    named = wb.drift(network(), nudged(), table(), "Occlusion")
    assert named.methods == ("Occlusion",)


def test_a_target_of_the_users_own_is_explained_for_all():
    found = wb.drift(network(), nudged(), table(), Occlusion(), target=Target("b"))
    assert set(found.explained) == {"b"}


def test_fewer_than_twenty_rows_decide_nothing():
    few = wb.drift(network(), nudged(by=5.0), table(19), Occlusion())
    many = wb.drift(network(), nudged(by=5.0), table(20), Occlusion())
    assert dict(few.verdicts) == {"nudged": "undetermined"}
    assert dict(many.verdicts) == {"nudged": "changed"}


def test_an_unknown_margin_is_refused():
    with pytest.raises(InputError, match="and 'cosinus' is none"):
        wb.drift(network(), nudged(), table(), Occlusion(), margins={"cosinus": 0.1})


def test_classes_that_are_no_outputs_are_refused_before_anything_is_explained():
    rows = table(y=["unknown"] * 24)
    with pytest.raises(InputError, match="Known classes must be positions"):
        next(steps(DriftStudy(network(), (network("copy"),), rows, (Occlusion(),))))
