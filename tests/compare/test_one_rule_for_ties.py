"""All rank by one rule, referees too: what rounding tells apart is a tie."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau, spearmanr

from tests.compare.drift_by_hand import explanation
from tests.compare.members_by_hand import member
from workbench.compare import Members, compare, drift_per_row
from workbench.second_opinion import SecondOpinion
from workbench.second_opinion.opinion import Pair

SCIPYS = {
    "spearman": lambda a, b: spearmanr(a, b).statistic,
    "kendall": lambda a, b: kendalltau(a, b).statistic,
}
RNG = np.random.default_rng(4)
WHOLE = RNG.integers(-2, 4, size=(2, 8, 9)).astype(float)
"""Two explanations of eight rows, with many ties."""
NEARLY = WHOLE + 1e-9 * RNG.normal(size=WHOLE.shape)
"""The same, apart by what single precision cannot hold."""


def by_members(values, metric):
    parts = [member(name, rows) for name, rows in zip("ab", values, strict=True)]
    return Members.of(parts).similarity(metric)[:, 0, 1]


def by_drift(values, metric):
    one, other = values
    return 1 - drift_per_row(metric, explanation(one), explanation(other, "copy"))


def by_compare(values, metric):
    one, other = values
    found = compare([explanation(one), explanation(other, "copy")], "reference")
    return np.array([line.value for line in found.rows if line.metric == metric])


def by_second_opinion(values, metric):
    """Row by row: `rank` is the lowest of its rows."""
    assert metric == "spearman"
    pairs = [
        Pair("row", "y", ("p",) * len(a), a, b, np.zeros(len(a)))
        for a, b in zip(*values, strict=True)
    ]
    opinions = (SecondOpinion("m", "n", "raw", (pair,), "", "", "", None, "") for pair in pairs)
    return np.array([opinion.rank for opinion in opinions])


@pytest.mark.parametrize("values", [WHOLE, NEARLY], ids=["ties", "ties at a billionth"])
@pytest.mark.parametrize(
    ("found", "metric"),
    [
        (by_members, "spearman"),
        (by_members, "kendall"),
        (by_drift, "spearman"),
        (by_drift, "kendall"),
        (by_compare, "spearman"),
        (by_second_opinion, "spearman"),
    ],
)
def test_ties_are_scipys_and_a_billionth_breaks_none(values, found, metric):
    expected = [SCIPYS[metric](a, b) for a, b in zip(*WHOLE, strict=True)]
    assert np.ptp(expected) > 0
    # Some dozens of products in float64.
    assert found(values, metric) == pytest.approx(np.array(expected), abs=1e-12)


def test_the_five_largest_are_the_first_of_ties_for_all():
    one = np.array([[3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 0.0]])
    later = one + np.array([[0, 0, 0, 0, 0, 3e-9, 0]])
    turned = one[:, ::-1]  # the first of ties are others: places 1 to 5
    assert by_members((one, later), "top5") == by_compare((one, later), "top5") == 1
    assert by_members((one, turned), "top5") == by_compare((one, turned), "top5") == 0.8
    assert by_drift((one, turned), "feature_agreement") == pytest.approx(0.8)  # 1 less 1 less it


def test_a_difference_of_a_ten_thousandth_is_an_order():
    one, other = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2.0 + 1e-4, 2.0]])
    for found in (by_members, by_drift, by_compare, by_second_opinion):
        assert found((one, other), "spearman") == pytest.approx(0.5)  # ranks 1 3 2
