"""The curve of drift against level, its knee and its Pareto set, on numbers written down by hand."""

from dataclasses import replace

import pytest

from tests.lab.rows_by_hand import behaving, drift_of, linear, measured
from workbench.compare.drift.curve import curve, knee, pareto
from workbench.core import Size, Variant
from workbench.errors import InputError


def sweep(drifts, **changes):
    """A drift of copies c0, c1, … with these means, over two rows each, at intervals of ± 0.01."""
    return drift_of(*(measured(f"c{i}", [one, one]) for i, one in enumerate(drifts)), **changes)


def sized(name, *, bits, nonzeros=100, of="net"):
    size = Size(file_bytes=bits // 8, packed_bits=bits, nonzeros=nonzeros, parameters=100, macs=7)
    original = Size(file_bytes=400, packed_bits=3200, nonzeros=100, parameters=100)
    variant = Variant(of, "made()", "made", "float32", size=size, original_size=original)
    return replace(linear(name, 1.0), variant=variant)


@pytest.mark.parametrize(
    ("levels", "drift", "at"),
    [
        ([0.1, 0.5, 0.9], [0.0, 0.02, 1.0], 1),
        ([8, 4, 3, 2], [0.0, 0.1, 0.2, 1.0], 2),  # bits fall as copies get harsher
        ([1, 2, 3, 4, 5], [0.0, 0.0, 0.0, 0.5, 1.0], 2),
        ([0.1, 0.5, 0.9], [0.3, 0.32, 1.3], 1),  # where drift begins does not matter
    ],
)
def test_the_knee_lies_farthest_below_the_line_from_end_to_end(levels, drift, at):
    assert knee(levels, drift) == (at, "")


@pytest.mark.parametrize(
    ("levels", "drift", "why"),
    [
        ([0.1, 0.9], [0.0, 1.0], "three levels or more"),
        ([1, 3, 2], [0.0, 0.1, 1.0], "do not go one way"),
        ([1, 2, 3], [0.0, 0.5, 1.0], "grows evenly"),
        ([1, 2, 3], [0.0, 0.9, 1.0], "grows evenly"),  # above the line: saturated, not bent
        ([1, 2, 3], [0.5, 0.1, 0.5], "no more drift than the gentlest"),
    ],
)
def test_without_a_bend_there_is_no_knee_and_the_reason_is_said(levels, drift, why):
    at, reason = knee(levels, drift)
    assert at is None
    assert why in reason


def test_a_curve_that_may_be_flat_has_no_knee():
    wide = [(0.0, 0.5), (0.0, 0.4), (0.3, 0.9)]
    narrow = [(0.0, 0.2), (0.0, 0.2), (0.3, 0.9)]
    assert knee([1, 2, 3], [0.1, 0.12, 0.6], wide)[0] is None
    assert knee([1, 2, 3], [0.1, 0.12, 0.6], narrow)[0] == 1


def test_the_pareto_set_keeps_ties_and_drops_what_is_beaten():
    assert pareto([(1, 9), (2, 5), (3, 5), (3, 6), (1, 9)]) == (True, True, False, False, True)


def test_a_curve_has_levels_sizes_accuracy_and_its_marks():
    drift = sweep([0.01, 0.05, 0.9], deciding=("distance",))
    for name, after in (("c0", 0.95), ("c1", 0.94), ("c2", 0.5)):
        drift = behaving(drift, name, accuracy=(0.95, after), flips=0.25)
    models = [
        linear("net", 1.0),
        *(sized(f"c{i}", bits=bits) for i, bits in enumerate((800, 400, 300))),
    ]
    made = curve(drift, models, levels=[8, 4, 3], level="bits", seconds={"c0": 0.5})
    assert [point.level for point in made.points] == [8, 4, 3]
    assert [point.knee for point in made.points] == [False, True, False]
    assert [point.pareto for point in made.points] == [True, True, True]
    assert [point.packed_bits for point in made.points] == [800, 400, 300]
    assert [point.file_bytes for point in made.points] == [100, 50, 37]
    assert [point.accuracy for point in made.points] == [0.95, 0.94, 0.5]
    assert [point.seconds for point in made.points] == [0.5, None, None]
    assert made.points[0].macs == 7
    assert (made.reference.accuracy, made.reference.packed_bits, made.reference.drift) == (
        0.95,
        3200,
        0,
    )
    assert (made.method, made.metric, made.level, made.margin) == (
        "Occlusion",
        "distance",
        "bits",
        0.1,
    )
    assert (made.noise, made.retraining, made.random) == (0.0, None, 1.0)
    # Latency is not known of all, so it is no criterion.
    assert made.notes[-1].endswith("by drift, accuracy, packed bits of weights that are not zero.")


def test_zeros_count_as_saved_and_the_reference_beats_a_copy_that_saves_nothing():
    drift = sweep([0.1, 0.2])
    models = [sized("c0", bits=3200), sized("c1", bits=3200, nonzeros=50)]
    saved = curve(drift, models)
    assert [point.nonzero_bits for point in saved.points] == [3200, 1600]
    # c0 drifts and is as large as the original; c1 is half.
    assert [point.pareto for point in saved.points] == [False, True]


def test_latency_counts_where_it_is_known_of_all():
    drift = sweep([0.1, 0.2])
    seconds = {"net": 2.0, "c0": 1.0, "c1": 3.0}
    made = curve(drift, [], seconds=seconds)
    assert [point.pareto for point in made.points] == [True, False]
    assert made.notes[-1] == "The Pareto set is by drift, latency."


def test_a_copy_that_is_more_accurate_than_the_original_is_not_beaten_by_it():
    drift = behaving(sweep([0.1, 0.2]), "c0", accuracy=(0.93, 0.90))
    made = curve(behaving(drift, "c1", accuracy=(0.93, 0.95)), [])
    assert [point.pareto for point in made.points] == [False, True]


def test_sizes_of_another_original_are_not_the_references():
    made = curve(sweep([0.1]), [sized("c0", bits=800, of="somebody else")])
    assert made.reference.packed_bits is None


def test_a_copy_without_the_method_is_left_out_with_a_note():
    drift = drift_of(
        measured("c0", [0.1, 0.1], method="GradCAM"),
        measured("c0", [0.3, 0.3]),
        measured("c1", [0.2, 0.2]),
    )
    made = curve(drift, [], method="GradCAM", levels=[1, 2])
    assert [point.model for point in made.points] == ["c0"]
    assert made.notes[0] == "'c1' is not on the curve: it could not be explained by GradCAM."
    assert [
        point.level for point in curve(drift, [], method="Occlusion", levels=[1, 2]).points
    ] == [1, 2]


def test_what_does_not_fit_is_refused():
    drift = sweep([0.1, 0.2])
    with pytest.raises(InputError, match="one level per copy, 2 in all, but was given 3"):
        curve(drift, [], levels=[1, 2, 3])
    with pytest.raises(InputError, match=r"'bfloat16' is none\. Leave levels out"):
        curve(drift, [], levels=["bfloat16", "float16"])
    with pytest.raises(InputError, match=r"needs a method of the drift, but 'LIME' is none"):
        curve(drift, [], method="LIME")
    with pytest.raises(InputError, match=r"needs a metric of the drift, but 'ssim' is none"):
        curve(drift, [], metric="ssim")
