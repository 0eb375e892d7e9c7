"""What is claimed of which rows: counts, bounds and sentences, on drifts that are written down."""

from dataclasses import replace

import numpy as np
import pytest

from tests.compare.drift_by_hand import Sampled, explanation
from workbench.compare import Lines, judge, measure
from workbench.core import Inputs

rng = np.random.default_rng(0)


def values(n, p=6):
    return rng.normal(size=(n, p)) + 3.0


def judged(first, second, **changes):
    n = len(first)
    scores = {"net": np.zeros((n, 2)), "copy": np.zeros((n, 2))}
    copies = {"copy": {"Exact": explanation(second, "copy")}}
    return judge({"Exact": explanation(first, "net")}, copies, scores, ("no", "yes"), **changes)


def with_other_reasons(first, rows):
    """The same values, in some rows in the opposite order."""
    second = first.copy()
    second[rows] = second[rows][:, ::-1] * np.array([1, -1, 1, -1, 1, -1])
    return second


def test_too_few_rows_preserve_these_rows_and_say_how_many_would_do():
    first = values(24)
    found = judged(first, first)
    assert found.on_rows == {"copy": "preserved"}
    assert found.verdicts == {"copy": "undetermined"}
    like, here = found.claim("copy"), found.claim("copy", "these rows")
    assert (like.word, like.scope, like.beyond, like.rows) == (
        "undetermined", "rows like these", 0, 24,
    )  # fmt: skip
    assert like.share == pytest.approx(1 - 0.05 ** (1 / 24))
    assert (like.rows_needed, here.rows_needed) == (59, None)
    assert found.of_explanations("copy") == (
        "preserved on these 24 rows; undetermined for rows like these "
        "(0 of 24 rows beyond, so perhaps 12 % of them; 59 rows would do)"
    )
    assert found.sentence("copy").endswith(
        "Predictions preserved on these rows (0 of 24 rows flipped, 0 %)."
    )


def test_enough_rows_preserve_rows_like_these():
    first = values(59)
    found = judged(first, first)
    assert found.verdicts == {"copy": "preserved"}
    assert found.of_explanations("copy") == (
        "preserved for rows like these (0 of 59 rows beyond, so at most 5 % of them, 95 % confidence)"
    )
    assert judged(first[:58], first[:58]).verdicts == {"copy": "undetermined"}


def test_an_allowance_of_a_tenth_takes_fewer_rows_and_one_of_a_hundredth_more():
    first = values(60)
    assert judged(first[:29], first[:29], allowance=0.1).verdicts == {"copy": "preserved"}
    strict = judged(first, first, allowance=0.01)
    assert (strict.verdicts["copy"], strict.claim("copy").rows_needed) == ("undetermined", 299)


def test_a_few_rows_with_other_reasons_are_not_hidden_by_the_mean():
    first = values(400)
    second = with_other_reasons(first, np.arange(20))  # exactly as many as are allowed
    found = judged(first, second, margins={"distance": 0.2, "spearman_of_sizes": 2.0})
    assert found.of("copy")[0].mean < 0.2
    assert found.verdicts == {"copy": "undetermined"}
    assert found.claim("copy").beyond == 20


def test_more_rows_than_are_allowed_change_a_copy_in_part_and_are_named():
    first = values(100)
    second = with_other_reasons(first, np.arange(0, 100, 7))  # 15 rows
    found = judged(first, second, margins={"distance": 0.4, "spearman_of_sizes": 2.0})
    assert (found.on_rows["copy"], found.verdicts["copy"]) == ("changed in part",) * 2
    claim = found.claim("copy")
    assert claim.positions == tuple(range(0, 100, 7))
    assert found.of_explanations("copy") == (
        "changed in part for rows like these (15 of 100 rows beyond: 0, 7, 14, 21, 28, …)"
    )
    # All of them, and the mean is beyond its margin as well.
    assert judged(first, with_other_reasons(first, np.arange(100))).verdicts == {"copy": "changed"}


def test_a_sampled_row_counts_as_beyond_only_beyond_its_own_standard_error():
    first = np.full((60, 4), 1.0)
    moved = first.copy()
    moved[:6] *= 1.25  # a distance of 0.2 in a tenth of the rows; the limit is 0.1
    fields = {"method": Sampled()}
    for error, beyond, doubtful, word in (
        (0.02, 6, 0, "changed in part"),
        (0.3, 0, 6, "undetermined"),  # one standard error is a distance of some 0.3 of length 1
    ):
        one = explanation(first, error=np.full(first.shape, error), **fields)
        copy = explanation(moved, "copy", error=np.full(first.shape, error), **fields)
        (found,) = (m for m in measure(one, copy) if m.metric == "distance")
        assert (found.beyond, found.doubtful, found.on_rows) == (beyond, doubtful, word)
        assert found.verdict == "undetermined"


def test_a_row_that_is_given_often_counts_once_in_mean_and_bound():
    first = values(20)
    second = with_other_reasons(first, np.array([0]))
    often = np.r_[np.zeros(100, int), np.arange(1, 20)]
    rows = Inputs(np.arange(20.0)[often][:, None] + np.zeros(6), kind="tabular")
    one, copy = (
        explanation(x[often], name, inputs=rows) for x, name in ((first, "net"), (second, "copy"))
    )
    (found,) = (m for m in measure(one, copy) if m.metric == "distance")
    (plain,) = (
        m
        for m in measure(explanation(first), explanation(second, "copy"))
        if m.metric == "distance"
    )
    assert found.mean == pytest.approx(plain.mean)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))
    assert (found.beyond, found.known, found.share) == (1, 20, plain.share)


def test_predictions_are_told_beside_explanations():
    first = values(60)
    explained = {"Exact": explanation(first, "net")}
    scores = np.tile([[2.0, 1.0]], (60, 1))
    flipped = scores.copy()
    flipped[:27] = flipped[:27, ::-1]
    found = judge(
        explained,
        {"copy": {"Exact": explanation(first, "copy")}},
        {"net": scores, "copy": flipped},
        ("no", "yes"),
    )
    assert found.sentence("copy") == (
        "Explanations preserved for rows like these (0 of 60 rows beyond, so at most 4.9 % of them, "
        "95 % confidence). Predictions changed on these rows (27 of 60 rows flipped, 45 %)."
    )


def test_the_telling_metric_is_the_gravest_and_of_these_the_farthest_from_its_margin():
    first = values(60)
    found = judged(first, first[:, ::-1] * 1.5, lines={"Exact": Lines()})
    telling = found.claim("copy")
    beside = {one.metric: one.mean / one.margin for one in found.of("copy")}
    assert beside[telling.metric] == max(beside[name] for name in found.deciding)
    calm = replace(
        found,
        measured=tuple(
            replace(one, verdict="preserved") if one.metric == telling.metric else one
            for one in found.measured
        ),
    )
    assert calm.claim("copy").metric != telling.metric
