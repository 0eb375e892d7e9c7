"""Members whose disagreement was planted: who stands out, and when nobody is named."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from tests.compare.members_by_hand import member
from workbench.compare import disagreement
from workbench.compare.members.outlier import find_outlier

# Sums of a few numbers of size 1 in two orders.
ROUNDING = {"rel": 1e-12, "abs": 1e-13}


def planted(n: int = 8) -> tuple[list, np.random.Generator]:
    """Four members that agree but for a little, on six columns."""
    rng = np.random.default_rng(7)
    common = 2 * rng.normal(size=(n, 6))
    return [member(f"good {k}", common + 0.2 * rng.normal(size=(n, 6))) for k in range(4)], rng


def test_a_member_that_uses_only_a_and_one_that_uses_only_b_share_nothing():
    n = 6
    a, b = np.zeros((n, 2)), np.zeros((n, 2))
    a[:, 0], b[:, 1] = 4.0, 2.0
    found = disagreement([member("only A", a), member("only B", b)])
    assert found.mean.tolist() == [[2.0, 1.0]] * n
    assert found.spread.tolist() == [[2.0, 1.0]] * n
    assert found.consensus.tolist() == [[0.5, 0.5]] * n
    assert found.ratio.tolist() == [0.5] * n
    assert not found.agreed.any()
    assert found.matrix("cosine").loc["only A", "only B"] == 0.0
    assert found.influence.overall_share == pytest.approx([2 / 3, 1 / 3], **ROUNDING)
    assert len(found.influence.cancelling_players()) == 0  # nothing meets its opposite
    (pair,) = found.influence.cancelling_pairs().to_dict("records")
    assert pair == {"member": "only A", "with": "only B", "canceled": 0.0, "share": 0.0}


def test_a_member_of_pure_noise_is_the_outlier_wherever_it_stands():
    parts, rng = planted()
    noise = member("noise", 2 * rng.normal(size=(8, 6)))
    for place in range(5):
        found = disagreement([*parts[:place], noise, *parts[place:]])
        assert found.outlier.member == "noise"
        assert found.outlier.stands_out
        assert str(found.outlier).startswith("noise stands out")
        lowest = found.by_member().set_index("member").agreement.idxmin()
        assert lowest == "noise"
    assert not disagreement(parts).outlier.stands_out


def test_the_outliers_distances_are_those_of_plain_loops():
    parts, rng = planted()
    parts.append(member("noise", 2 * rng.normal(size=(8, 6))))
    alike = disagreement(parts).members.similarity("cosine").mean(axis=0)
    own = np.mean([1 - alike[4, j] for j in range(4)])
    rest = np.mean([1 - alike[i, j] for i, j in combinations(range(4), 2)])
    found = disagreement(parts).outlier
    assert (found.distance, found.others) == pytest.approx((own, rest), **ROUNDING)
    assert found.margin == pytest.approx(own - rest, **ROUNDING)


def test_a_member_of_opposite_sign_cancels_and_is_named():
    parts, _ = planted()
    parts.append(member("opposite", -parts[0].values))
    found = disagreement(parts)
    assert found.outlier.member == "opposite"
    assert found.outlier.stands_out
    assert found.outlier.distance == pytest.approx(2, abs=0.05)  # the others are nearly alike
    pairs = found.influence.cancelling_pairs()
    assert [set(pair) for pair in pairs[["member", "with"]].to_numpy()[:4]] == [
        {"opposite", f"good {k}"} for k in (0, *[int(name[-1]) for name in pairs["member"][1:4]])
    ]
    exact = pairs[(pairs["member"] == "good 0") & (pairs["with"] == "opposite")]
    assert exact.share.tolist() == [1.0]
    assert exact.canceled.item() == pytest.approx(np.abs(parts[0].values).sum() / 5 / 8, **ROUNDING)


def test_members_that_differ_by_chance_alone_are_rarely_called_outliers():
    rng = np.random.default_rng(3)
    named = 0
    for _ in range(200):
        common = rng.normal(size=(10, 5))
        parts = [member(name, common + 0.5 * rng.normal(size=(10, 5))) for name in "abcde"]
        named += disagreement(parts).outlier.stands_out
    assert named <= 10  # 5 % of 200, the docstring's bound


@pytest.mark.parametrize(
    ("rows", "others", "noise", "words"),
    [
        (4, 3, 1.0, "it takes 5 rows, not 4"),
        (8, 1, 1.0, "it takes three members, not 2"),
        (8, 3, 0.0, "by less than 0.02"),
    ],
)
def test_nobody_is_named_without_grounds(rows, others, noise, words):
    parts, rng = planted(rows)
    strange = parts[0].values * (1 - noise) + noise * 9 * rng.normal(size=(rows, 6))
    found = disagreement([*parts[:others], member("strange", strange)]).outlier
    assert not found.stands_out
    assert words in str(found)


def test_one_odd_row_makes_no_outlier():
    """Four times as far on the mean, but all of it from one row of five."""
    cosine = np.full((5, 3, 3), 0.95)
    cosine[:, :2, 2] = cosine[:, 2, :2] = np.array([1.0, 1.0, 1.0, 1.0, 0.0])[:, None]
    found = find_outlier(("a", "b", "c"), cosine)
    assert (found.member, found.distance, found.others) == (
        "c",
        pytest.approx(0.2),
        pytest.approx(0.05),
    )
    assert "rows differ too much" in found.reason
    steady = cosine.copy()
    steady[:, :2, 2] = steady[:, 2, :2] = 0.8
    assert find_outlier(("a", "b", "c"), steady).stands_out
