"""What stands beside a curve: why there is no knee, by what the Pareto set goes, who is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

import workbench as wb
from tests.compare.test_curve import sized, sweep
from tests.lab.rows_by_hand import behaving, drift_of, linear, measured
from workbench.compare.drift.curve import curve, knee
from workbench.errors import InputError


def made(drifts, **more):
    return curve(sweep(drifts), [linear("net", 1.0)], **more)


def knees(one):
    return [note for note in one.notes if note.startswith("No knee")]


def test_a_curve_that_bends_says_nothing_of_a_missing_knee_and_one_that_does_not_says_why():
    bent, even = made([0.0, 0.02, 1.0]), made([0.0, 0.5, 1.0])
    assert [point.knee for point in bent.points] == [False, True, False]
    assert knees(bent) == []
    assert [point.knee for point in even.points] == [False, False, False]
    assert knees(even) == ["No knee: drift grows evenly with the level."]


def test_a_bend_counts_from_a_tenth_of_the_range_on():
    assert knee([0, 1, 2], [0.0, 0.39, 1.0]) == (1, "")  # .11 below the line
    assert knee([0, 1, 2], [0.0, 0.41, 1.0])[0] is None  # .09


def test_intervals_that_meet_in_one_point_may_be_flat_and_those_apart_are_not():
    drift = [0.0, 0.1, 1.0]
    assert knee([0, 1, 2], drift, [(0.0, 0.5), (0.0, 0.2), (0.5, 1.5)])[0] == 1
    why = knee([0, 1, 2], drift, [(0.0, 0.5), (0.0, 0.5), (0.5, 1.5)])[1]
    assert "share a value" in why


def test_the_pareto_set_goes_by_what_is_known_of_every_copy_and_of_the_reference():
    drift = sweep([0.1, 0.2])
    alone = curve(drift, [linear("net", 1.0)])
    assert "The Pareto set is by drift." in alone.notes
    models = [linear("net", 1.0), sized("c0", bits=400), sized("c1", bits=300)]
    assert "by drift, packed bits of weights that are not zero." in curve(drift, models).notes[-1]
    seconds = {"net": 1.0, "c0": 0.5, "c1": 0.25}
    assert curve(drift, models, seconds=seconds).notes[-1].endswith(", latency.")
    assert "latency" not in curve(drift, models, seconds={"net": 1.0, "c0": 0.5}).notes[-1]
    for name in ("c0", "c1"):
        drift = behaving(drift, name, accuracy=(0.9, 0.8))
    assert curve(drift, models).notes[-1].startswith("The Pareto set is by drift, accuracy, packed")


def test_a_copy_that_a_method_could_not_explain_is_named_and_left_out():
    drift = drift_of(
        measured("a", [0.1]), measured("b", [0.2]), measured("b", [0.3], method="LIME")
    )
    found = curve(drift, [linear("net", 1.0)], method="LIME", levels=[4, 2])
    assert [(point.model, point.level) for point in found.points] == [("b", 2)]
    assert "'a' is not on the curve: it could not be explained by LIME." in found.notes
    assert not any("'b' is not" in note for note in found.notes)


def test_what_makes_no_curve_is_refused():
    drift = sweep([0.1, 0.2])
    for more, words in (
        ({"levels": [1]}, "2 in all, but was given 1"),
        ({"levels": [1, "two"]}, "Levels of a curve are numbers, but 'two' is none"),
        ({"method": "LIME"}, r"a method of the drift, but 'LIME' is none"),
        ({"metric": "cosine"}, r"a metric of the drift, but 'cosine' is none"),
    ):
        with pytest.raises(InputError, match=words):
            curve(drift, [linear("net", 1.0)], **more)


def test_the_references_own_numbers_come_from_what_copies_remember_of_it():
    models = [linear("net", 1.0), sized("c0", bits=400), sized("other", bits=9, of="another")]
    drift = behaving(sweep([0.1]), "c0", accuracy=(0.9, 0.8), flips=0.2)
    found = curve(drift, models, seconds={"net": 2.0})
    assert (found.reference.drift, found.reference.accuracy, found.reference.flips) == (0, 0.9, 0)
    assert (found.reference.packed_bits, found.reference.seconds) == (3200, 2.0)
    assert found.points[0].nonzero_bits == 400
    half = replace(models[1].variant.size, nonzeros=50)
    sparse = replace(models[1], variant=replace(models[1].variant, size=half))
    assert curve(drift, [models[0], sparse]).points[0].nonzero_bits == 200


def test_copies_of_several_recipes_have_no_knee_for_they_are_no_levels():
    from tests.lab.rows_by_hand import table
    from workbench import variants
    from workbench.methods import IntegratedGradients

    torch = pytest.importorskip("torch", reason="an extra of the package")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    model = wb.wrap(net, name="net", outputs=["a", "b"], scale="logit", like=table(20))
    copies = [
        variants.prune(model, 0.1),
        variants.prune(model, 0.5),
        variants.cast(model, "bfloat16"),
    ]
    found = wb.drift(model, copies, table(20), IntegratedGradients(), random_weights=False)
    mixed = curve(found, [model, *copies])
    assert not any(point.knee for point in mixed.points)
    assert "No knee: the copies are not levels of one way to make them." in mixed.notes
    alone = curve(found, [model, *copies], levels=[1, 2, 3])
    assert "not levels of one way" not in " ".join(alone.notes)
