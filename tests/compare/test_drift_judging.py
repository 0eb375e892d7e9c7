"""From explanations to verdicts, on explanations whose every number is given."""

from dataclasses import replace

import numpy as np
import pytest

from tests.compare.drift_by_hand import Sampled, explanation
from tests.results_by_hand import HOSTILE
from workbench.compare import DRIFT_METRICS, Lines, judge, measure, quality
from workbench.compare.drift.measuring import is_sampled, noise_share
from workbench.compare.drift.metrics import drift_of_rows
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError

N, P = 60, 6
rng = np.random.default_rng(0)
VALUES = rng.normal(size=(N, P))
NEAR = VALUES + 0.02 * rng.normal(size=(N, P))
FAR = rng.normal(size=(N, P))
SCORES = rng.normal(size=(N, 2))
exact, near, far = explanation(VALUES), explanation(NEAR, "near"), explanation(FAR, "far")


def by(measured, metric, stratum="all"):
    (one,) = (m for m in measured if (m.metric, m.stratum) == (metric, stratum))
    return one


def test_every_metric_is_measured_row_by_row_beside_its_lines():
    lines = Lines(siblings=(explanation(VALUES * 2, "sibling"), near), random=(far,))
    measured = measure(exact, near, lines=lines, method="a method")
    assert [one.metric for one in measured] == [
        name for name, metric in DRIFT_METRICS.items() if metric.of not in ("maps", "planes")
    ]
    for one in measured:
        assert (one.model, one.method, one.stratum) == ("near", "a method", "all")
        drift = drift_of_rows(one.metric, VALUES, NEAR)
        assert (one.drift == drift).all()
        assert one.mean == pytest.approx(drift.mean())
        assert one.low <= one.mean <= one.high
        assert one.random == pytest.approx(drift_of_rows(one.metric, VALUES, FAR).mean())
        assert one.margin == DRIFT_METRICS[one.metric].margin
        # Nothing was sampled: no noise, and no test.
        assert (one.noise, one.p, one.q, one.noise_share) == (0.0, None, None, 0.0)
        assert one.normalized == pytest.approx(one.mean / one.random)
    assert by(measured, "scale").retraining == pytest.approx(
        (0.5 + by(measured, "scale").mean) / 2,
        abs=1e-12,  # 2 x is twice as long; rounding
    )


def test_random_weights_lie_at_one_and_the_reference_at_zero():
    measured = measure(exact, replace(far, model="copy"), lines=Lines(random=(far,)))
    assert all(one.normalized == 1 for one in measured)
    same = measure(exact, explanation(VALUES, "copy"), lines=Lines(random=(far,)))
    assert all(one.normalized == 0 and one.verdict == "preserved" for one in same)
    assert all((one.drift == 0).all() for one in same)


def test_kept_and_flipped_rows_are_told_apart():
    flipped = np.arange(N) % 5 == 0
    moved = np.where(flipped[:, None], FAR, VALUES)
    measured = measure(exact, explanation(moved, "copy"), flipped=flipped)
    everything, kept, turned = (by(measured, "distance", s) for s in ("all", "kept", "flipped"))
    assert kept.rows.tolist() == [i for i in range(N) if i % 5]
    assert turned.rows.tolist() == list(range(0, N, 5))
    assert (kept.mean, kept.on_rows, kept.verdict) == (0, "preserved", "undetermined")
    assert turned.verdict == "undetermined"  # twelve rows
    assert everything.mean == pytest.approx(turned.mean * 12 / N)
    assert {one.stratum for one in measure(exact, near, flipped=np.zeros(N))} == {"all", "kept"}


def test_margins_may_be_given_by_metric():
    wide = measure(exact, far, margins={"distance": 2.0})
    assert by(wide, "distance").verdict == "preserved"
    assert by(wide, "cosine").verdict == "changed"
    assert by(measure(exact, near, margins={"distance": 0.001}), "distance").verdict == "changed"


def sampled(noise, seed, model="reference", values=VALUES, **changes):
    drawn = values + noise * np.random.default_rng(seed).normal(size=values.shape)
    return explanation(drawn, model, method=Sampled(seed=seed), **changes)


def test_the_share_of_noise_is_known_from_another_seed_or_from_standard_errors():
    many = np.random.default_rng(3).normal(size=(400, P))
    for noise in (0.1, 0.5, 1.0):
        one, other = (sampled(noise, seed, values=many) for seed in (1, 2))
        true = noise**2 / (1 + noise**2)
        # Means over 400 rows of six players; a mean of ratios is not the ratio of means.
        assert noise_share(one, [other]) == pytest.approx(true, rel=0.25)
        told = replace(one, error=np.full(many.shape, noise))
        assert noise_share(told, []) == pytest.approx(true, rel=0.1)
    assert noise_share(one, []) is None
    assert noise_share(replace(one, values=0 * many, error=1 + 0 * many), []) == 1


def test_whether_values_are_sampled_is_seen_from_errors_and_seeds():
    assert not is_sampled(exact)
    assert is_sampled(sampled(0.1, 1))
    assert not is_sampled(sampled(0.1, 1, error=np.zeros((N, P))))  # exact after all
    assert is_sampled(explanation(VALUES, error=np.full((N, P), 0.1)))


def test_another_background_moves_the_line_of_noise_but_is_no_sampling_error():
    one = sampled(0.0, 1)
    over = one.inputs.with_background(np.ones((3, P)))
    elsewhere = sampled(0.5, 2, inputs=over)
    again = sampled(0.1, 3)
    found = by(measure(one, sampled(0, 1, "copy", NEAR), lines=Lines((elsewhere, again))), "cosine")
    assert found.noise_share == noise_share(one, [again])
    assert found.noise > 5 * found.noise_share


def test_noise_that_is_as_large_as_the_explanation_preserves_nothing():
    # Shared noise of four times the values' size makes unlike models look alike.
    shared = 4 * np.random.default_rng(7).normal(size=(N, P))
    one = sampled(0.0, 1, values=VALUES + shared)
    other = sampled(4.0, 2)
    copy = sampled(0.0, 1, "copy", NEAR + shared)
    found = by(measure(one, copy, lines=Lines((other,))), "distance")
    assert found.high < found.margin / 4
    assert found.verdict == "undetermined"
    assert "Spend a larger budget" in found.reason
    same = measure(one, replace(one, model="copy"), lines=Lines((other,)))
    assert {m.verdict for m in same} == {"preserved"}


def test_explanations_that_share_no_seeds_need_the_references_own_noise():
    one, copy = sampled(0.1, 1), sampled(0.1, 2, "copy")
    with pytest.raises(InputError, match=r"was not explained with another seed. Give Lines"):
        measure(one, copy, paired=False)
    found = by(measure(one, copy, paired=False, lines=Lines((sampled(0.1, 3),))), "distance")
    floor = drift_of_rows("distance", one.values, sampled(0.1, 3).values)
    assert found.over_floor == pytest.approx(found.drift**2 - floor**2)
    assert found.excess[0] == pytest.approx(found.over_floor.mean())
    assert by(measure(exact, near, paired=False), "distance").excess is None  # nothing was sampled


@pytest.mark.parametrize(
    ("copy", "error", "words"),
    [
        (explanation(NEAR, "copy", method=Sampled(budget=9, seed=1)), InputError, "one recipe"),
        (explanation(NEAR, "copy", method=Sampled(seed=2)), InputError, "one recipe"),
        (explanation(NEAR, "copy"), IncompatibleError, "two methods never agree"),
        (sampled(0, 1, "copy", complete=False), InputError, "stopped early. Run it to its end"),
        (
            sampled(
                0,
                1,
                "copy",
                inputs=sampled(0, 1).inputs.with_background(np.ones((1, P))),
            ),
            IncompatibleError,
            "one background",
        ),
    ],
)
def test_another_recipe_is_refused(copy, error, words):
    with pytest.raises(error, match=words):
        measure(sampled(0, 1), copy)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metrics": ["ssim"]}, r"not by \['ssim'\]"),
        ({"margins": {"distance": -1}}, "'distance' has -1"),
        ({"margins": {"distanze": 0.1}}, "'distanze' has 0.1"),
        ({"flipped": [True]}, r"shape \(60,\), but has \(1,\)"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        measure(exact, near, **changes)


def judged(**changes):
    copies = {"near": {"Exact": near}, "far": {"Exact": far}}
    scores = {"reference": SCORES, "near": SCORES, "far": -SCORES}
    fields = {"reference": {"Exact": exact}, "candidates": copies, "scores": scores}
    return judge(**(fields | {"outputs": ("no", "yes")} | changes))


def test_copies_are_judged_together_and_each_gets_its_verdict():
    found = judged(notes=("a note",))
    assert found.verdicts == {"near": "preserved", "far": "changed"}
    assert found.deciding == ("distance", "spearman_of_sizes")
    assert [one.flips for one in found.behavior] == [0, 1]
    assert found.notes[0] == "a note"
    assert len(found.measured) == 11 * (2 + 2)  # near: all, kept; far: all, flipped
    assert judged(deciding=["scale"]).deciding == ("scale",)


def test_rates_are_adjusted_over_all_metrics_and_methods_of_a_copy():
    one, copy = sampled(0.05, 1), sampled(0.05, 1, "near", VALUES * 0.8)
    also = {"first": one, "second": one}
    found = judged(
        reference=also,
        candidates={"near": {"first": copy, "second": sampled(0.05, 1, "near", VALUES * 0.99)}},
        scores={"reference": SCORES, "near": SCORES},
    )
    ours = [m for m in found.measured if m.stratum == "all"]
    assert len(ours) == 22
    from scipy.stats import false_discovery_control

    expected = false_discovery_control([m.p for m in ours])
    assert [m.q for m in ours] == pytest.approx(expected)


def test_what_averaging_over_flipped_rows_would_hide_is_said():
    turned = np.arange(N) < 6
    moved = explanation(np.where(turned[:, None], FAR, VALUES), "near")
    scores = {"reference": SCORES, "near": np.where(turned[:, None], -SCORES, SCORES)}
    found = judged(candidates={"near": {"Exact": moved}}, scores=scores)
    (note,) = found.notes
    assert "but preserved over the 54 rows whose class was kept; the other 6 flipped" in note


def test_samples_that_are_shared_in_part_are_said():
    some = np.arange(N) < 10
    one = sampled(0.05, 1, draws=np.full(N, 40))
    copy = sampled(0.05, 1, "near", draws=np.where(some, 60, 40))
    found = judged(reference={"M": one}, candidates={"near": {"M": copy}})
    assert any(
        "near, M: on 10 of 60 rows other numbers of samples were drawn than of reference, 600 beside 400"
        in note
        for note in found.notes
    )


def test_rows_that_were_asked_for_elsewhere_are_no_other_samples():
    every = np.full(N, 40)
    one = sampled(0.05, 1, evaluations=800, draws=every)
    copy = sampled(0.05, 1, "near", evaluations=860, draws=every)
    found = judged(reference={"M": one}, candidates={"near": {"M": copy}})
    assert not any("shared" in note for note in found.notes)


def test_models_that_share_no_seeds_share_no_samples_in_part():
    one, again = sampled(0.05, 1, draws=np.full(N, 40)), sampled(0.05, 2, draws=np.full(N, 40))
    copy = sampled(0.05, 3, "near", draws=np.full(N, 60))
    found = judged(
        reference={"M": one},
        candidates={"near": {"M": copy}},
        lines={"M": Lines(noise=(again,))},
        paired=False,
    )
    assert not any("shared" in note for note in found.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"candidates": {"near": {}}}, "explanations of the reference and of a copy"),
        ({"scores": {"reference": SCORES, "near": SCORES}}, r"none of \['far'\]"),
        ({"deciding": ["accuracy"]}, r"not on \['accuracy'\]"),
        ({"reference": {"Other": exact}}, r"explained by 'Exact', but 'reference' only by"),
    ],
)
def test_a_drift_that_cannot_be_judged_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        judged(**changes)


def test_a_drift_tells_itself_in_frames():
    found = judged(lines={"Exact": Lines(random=(far,))})
    frame = found.to_frame()
    assert len(frame) == len(found.measured)
    line = frame[(frame["copy"] == "far") & (frame.metric == "cosine") & (frame.stratum == "all")]
    one = by(found.of("far"), "cosine")
    assert line[["mean", "low", "margin"]].to_numpy().tolist() == [[one.mean, one.low, one.margin]]
    assert line.normalized.item() == 1
    assert not line.decides.item()
    assert set(frame[frame.decides].metric) == {"distance", "spearman_of_sizes"}
    summary = found.summary()
    assert summary["copy"].tolist() == ["near", "far"]
    assert summary.verdict.tolist() == ["preserved", "changed"]
    assert summary.flips.tolist() == [0, 1]
    assert summary.distance.tolist() == [
        by(found.of(name), "distance").mean for name in found.models
    ]
    assert "beyond the margin" in summary.reason[1]
    assert repr(found) == (
        "Drift(from 'reference', 60 rows, ['Exact']: 'near' preserved, 'far' changed)"
    )
    with pytest.raises(InputError, match=r"a copy of \['near', 'far'\], not 'gone'"):
        found.of("gone")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text_in_html(name):
    copy = replace(far, model=name)
    rated = quality({"mass": SCORES[:, 0]}, {"mass": SCORES[:, 1]}, model=name, method=name)
    html = judged(
        candidates={name: {"Exact": copy}},
        scores={"reference": SCORES, name: SCORES},
        quality=rated,
        notes=(name,),
    )._repr_html_()
    assert "<script" not in html
    assert '" onerror' not in html
    assert "\u202e" not in html
    assert html.count("<table>") == html.count("</table>") == 2
    assert "changed" in html


def test_a_row_that_is_repeated_is_no_further_evidence():
    again = np.tile(VALUES[:19], (5, 1))
    rows = Inputs(np.tile(np.arange(19.0)[:, None], (5, P)), kind="tabular")
    one, copy = (
        explanation(again * size, name, inputs=rows) for size, name in ((1, "net"), (3, "copy"))
    )
    scores = {"net": np.zeros((95, 1)), "copy": np.zeros((95, 1))}
    found = judge({"Exact": one}, {"copy": {"Exact": copy}}, scores, ("y",))
    assert found.verdicts == {"copy": "undetermined"}
    assert (
        "19 different rows, repeated to 95, decide nothing" in by(found.measured, "distance").reason
    )
    assert any("Only 19 of 95 rows differ from each other" in note for note in found.notes)
    own = explanation(again), explanation(again * 3, "copy")
    apart = judge(
        {"Exact": own[0]},
        {"copy": {"Exact": own[1]}},
        scores | {"reference": scores["net"]},
        ("y",),
    )
    assert apart.verdicts == {"copy": "changed"}
    assert apart.notes == ()


def test_nothing_lies_between_random_weights_and_noise_that_is_farther_away():
    lines = Lines(noise=(sampled(2.0, 3),), random=(sampled(0.1, 4),))
    far = by(measure(sampled(0, 1), sampled(0, 1, "copy", 9 * NEAR), lines=lines), "distance")
    assert far.noise > far.random
    assert far.normalized is None


def test_values_that_are_no_numbers_are_refused_wherever_they_are():
    broken = np.where(np.arange(N)[:, None] == 3, np.nan, VALUES)
    for reference, copy in ((VALUES, broken), (broken, VALUES)):
        with pytest.raises(InputError, match=f"Drift needs numbers, but {P} of the values"):
            measure(explanation(reference), explanation(copy, "copy"))
