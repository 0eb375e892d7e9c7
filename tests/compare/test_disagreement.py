"""Disagreement against plain loops, and what weights and sampling do to it."""

from __future__ import annotations

from math import isnan, nan, sqrt

import numpy as np
import pytest

import workbench as wb
from tests.compare.members_by_hand import map_members, member, random_members
from tests.results_by_hand import HOSTILE, table_result
from workbench.compare import Members, disagreement
from workbench.errors import InputError
from workbench.methods import KernelSHAP

WEIGHTS = [3.0, 1.0, 0.5, 0.5]
SHARES = [0.6, 0.2, 0.1, 0.1]
# Sums of a few numbers of size 1 in two orders.
ROUNDING = {"rel": 1e-12, "abs": 1e-13}


def by_loops(parts, shares):
    """The formulas of the docstring, number by number."""
    n, p = parts[0].values.shape
    mean, spread, consensus = (np.zeros((n, p)) for _ in range(3))
    ratio, tops, bottoms = [], 0.0, 0.0
    for i in range(n):
        top = bottom = 0.0
        for j in range(p):
            credits = [part.values[i, j] for part in parts]
            middle = sum(w * a for w, a in zip(shares, credits, strict=True))
            variance = sum(w * (a - middle) ** 2 for w, a in zip(shares, credits, strict=True))
            mean[i, j], spread[i, j] = middle, sqrt(variance)
            consensus[i, j] = sum(
                w for w, a in zip(shares, credits, strict=True) if np.sign(a) == np.sign(middle)
            )
            top += variance
            bottom += sum(w * a**2 for w, a in zip(shares, credits, strict=True))
        ratio.append(top / bottom)
        tops, bottoms = tops + top, bottoms + bottom
    return mean, spread, consensus, ratio, tops / bottoms


def test_the_numbers_are_those_of_plain_loops():
    parts = random_members()
    found = disagreement(parts, WEIGHTS)
    mean, spread, consensus, ratio, overall = by_loops(parts, SHARES)
    assert found.mean == pytest.approx(mean, **ROUNDING)
    assert found.spread == pytest.approx(spread, **ROUNDING)
    assert found.consensus == pytest.approx(consensus, **ROUNDING)
    assert found.ratio == pytest.approx(ratio, **ROUNDING)
    assert found.overall == pytest.approx(overall, **ROUNDING)


def test_what_members_say_is_what_they_agree_on_plus_what_they_disagree_on():
    found = disagreement(random_members(), WEIGHTS)
    said = sum(w * (c**2).sum() for w, c in zip(SHARES, found.members.credit, strict=True))
    assert said == pytest.approx((found.mean**2).sum() + (found.spread**2).sum(), **ROUNDING)
    assert ((found.ratio > 0) & (found.ratio < 1)).all()


def test_identical_members_disagree_on_nothing():
    values = [[3.0, -2.0, 0.0], [0.1, 0.7, -0.3]]
    found = disagreement([member(name, values) for name in "abcd"], WEIGHTS)
    # A weighted mean of equal numbers may miss them by one rounding, 1e-16 of them, squared.
    assert found.ratio == pytest.approx(0, abs=1e-30)
    assert found.overall == pytest.approx(0, abs=1e-30)
    assert found.consensus == pytest.approx(1, **ROUNDING)
    assert found.agreed.all()
    assert not found.outlier.stands_out
    assert found.influence.explanation_change == pytest.approx(0, abs=1e-14)  # one rounding


def test_members_that_cancel_disagree_wholly():
    found = disagreement([member("plus", [[2.0, -1.0]]), member("minus", [[-2.0, 1.0]])])
    assert found.ratio.tolist() == [1.0]
    assert not found.agreed.any()
    assert np.isinf(found.influence.explanation_change).all()  # from nothing to something


def test_one_member_agrees_with_itself():
    found = disagreement([member("only", [[2.0, -1.0, 0.0]])], [5.0])
    assert found.members.weights.tolist() == [1.0]
    assert found.ratio.tolist() == [0.0]
    assert found.consensus.tolist() == [[1.0, 1.0, 1.0]]
    assert found.matrix().to_numpy() == pytest.approx(1.0)
    assert np.isnan(found.influence.output_change).all()
    assert np.isnan(found.influence.explanation_change).all()
    assert "it takes three members, not 1" in str(found.outlier)
    assert isnan(found.by_member().agreement[0])


def test_a_member_of_weight_zero_changes_nothing_but_is_still_compared():
    parts = random_members(3)
    alone = disagreement(parts[:2])
    beside = disagreement(parts, [1, 1, 0])
    for name in ("mean", "spread", "consensus", "ratio"):
        assert getattr(beside, name) == pytest.approx(getattr(alone, name), **ROUNDING)
    assert beside.influence.output_change[2].tolist() == [0.0] * 6
    assert beside.influence.explanation_change[2].tolist() == [0.0] * 6
    assert beside.influence.overall_share[2] == 0
    assert beside.matrix().shape == (3, 3)
    assert len(beside.influence.cancelling_pairs()) == 1
    assert beside.outlier == disagreement(parts).outlier


def test_whoever_holds_all_the_weight_leaves_nobody():
    change = disagreement(random_members(3), [1, 0, 0]).influence.explanation_change
    assert np.isnan(change[0]).all()
    assert (change[1:] == 0).all()


def test_zeros_agree_with_zeros():
    found = disagreement([member("a", [[0.0, 0.0]]), member("b", [[0.0, 0.0]])])
    assert found.ratio.tolist() == [0.0]
    assert found.consensus.tolist() == [[1.0, 1.0]]
    assert found.influence.overall_share.tolist() == [0.0, 0.0]
    assert found.influence.explanation_change.tolist() == [[0.0], [0.0]]


def test_a_solvers_remainder_of_zero_has_no_sign():
    found = disagreement([member("a", [[5.0, 1e-15]]), member("b", [[4.0, -1e-16]])])
    assert found.consensus.tolist() == [[1.0, 1.0]]


def test_three_quarters_of_the_weight_are_consensus_however_they_are_added():
    values = [[[1.0]]] * 3 + [[[-1.0]]] + [[[1.0]]] * 6 + [[[-1.0]], [[-1.0]]]
    parts = [member(f"m{k}", value) for k, value in enumerate(values)]
    found = disagreement(parts)
    assert found.consensus[0, 0] == pytest.approx(0.75, **ROUNDING)
    assert found.agreed[0, 0]
    assert not disagreement(parts[:7] + parts[10:]).agreed[0, 0]  # six of nine


def test_new_weights_give_what_starting_over_gives():
    parts = random_members()
    first = disagreement(parts)
    first.matrix("kendall")
    again, fresh = first.reweighted(WEIGHTS), disagreement(parts, WEIGHTS)
    for name in ("mean", "spread", "consensus", "ratio", "overall"):
        assert np.array_equal(getattr(again, name), getattr(fresh, name))
    assert again.by_member().equals(fresh.by_member())
    assert again.members.credit is first.members.credit
    assert again.members.similarity("kendall") is first.members.similarity("kendall")
    assert first.members.weights.tolist() == [0.25] * 4
    stack = Members.of(parts, WEIGHTS)
    assert np.array_equal(disagreement(stack).mean, fresh.mean)
    assert np.array_equal(disagreement(stack, [1, 1, 1, 1]).mean, first.mean)


def test_fifty_members_are_measured():
    parts = random_members(50, n=3)
    found = disagreement(parts)
    assert found.mean == pytest.approx(np.mean([part.values for part in parts], axis=0), **ROUNDING)
    assert found.spread == pytest.approx(
        np.std([part.values for part in parts], axis=0), **ROUNDING
    )
    assert found.matrix("kendall").shape == (50, 50)
    assert len(found.by_member()) == 50
    assert len(found.influence.cancelling_pairs()) == 50 * 49 // 2


# --- weights at work


def test_contributions_and_shares_are_those_of_plain_loops():
    parts = random_members()
    found = disagreement(parts, WEIGHTS).influence
    sizes = [[SHARES[k] * np.abs(parts[k].values[i]).sum() for i in range(6)] for k in range(4)]
    totals = [sum(sizes[k][i] for k in range(4)) for i in range(6)]
    for k in range(4):
        assert found.contribution[k] == pytest.approx(SHARES[k] * parts[k].values, **ROUNDING)
        assert found.share[k] == pytest.approx(
            [sizes[k][i] / totals[i] for i in range(6)], **ROUNDING
        )
        assert found.overall_share[k] == pytest.approx(sum(sizes[k]) / sum(totals), **ROUNDING)


def test_leaving_a_member_out_is_starting_over_without_it():
    parts = random_members()
    whole = disagreement(parts, WEIGHTS)
    output = whole.members.weights @ whole.members.output
    for k in range(4):
        others = [j for j in range(4) if j != k]
        rest = disagreement([parts[j] for j in others], [WEIGHTS[j] for j in others])
        moved = rest.members.weights @ rest.members.output - output
        assert whole.influence.output_change[k] == pytest.approx(moved, **ROUNDING)
        for i in range(6):
            change = sqrt(((rest.mean[i] - whole.mean[i]) ** 2).sum() / (whole.mean[i] ** 2).sum())
            assert whole.influence.explanation_change[k, i] == pytest.approx(change, **ROUNDING)


def test_a_large_weight_on_small_values_is_a_small_share():
    found = disagreement([member("loud", [[9.0, 0.0]]), member("quiet", [[0.5, 0.5]])], [1, 3])
    assert found.influence.overall_share == pytest.approx([0.75, 0.25], **ROUNDING)


def test_cancelling_players_name_who_raises_and_who_lowers():
    parts = [
        member("up", [[6.0, 1.0, 0.2], [1.0, 1.0, 1.0]]),
        member("down", [[-5.0, 1.0, -0.2], [1.0, 1.0, 1.0]]),
        member("slightly up", [[1.0, 1.0, 0.0], [1.0, 1.0, -1.0]]),
        member("without a voice", [[9.0, 9.0, -9.0], [9.0, -9.0, 9.0]]),
    ]
    (line,) = disagreement(parts, [1, 1, 0.5, 0]).influence.cancelling_players().to_dict("records")
    assert line == {
        "row": "0",
        "player": "column 0",
        "mean": pytest.approx(0.6, **ROUNDING),  # 2.4 - 2.0 + 0.2
        "canceled": pytest.approx(2.0, **ROUNDING),
        "raised by": "up, slightly up",
        "lowered by": "down",
    }


# --- sampling apart from spread


def test_sampling_is_the_weighted_variance_that_errors_alone_would_make():
    errors = [np.full((1, 2), 0.3), np.full((1, 2), 0.6), None]
    values = [[[1.0, 5.0]], [[1.5, 5.0]], [[2.0, 5.0]]]
    parts = [
        member(f"m{k}", value, error=error)
        for k, (value, error) in enumerate(zip(values, errors, strict=True))
    ]
    found = disagreement(parts, [2, 1, 1])
    expected = sqrt(0.5 * 0.5 * 0.3**2 + 0.25 * 0.75 * 0.6**2)
    assert found.sampling == pytest.approx(np.full((1, 2), expected), **ROUNDING)
    apart = sqrt(found.spread[0, 0] ** 2 - expected**2)
    assert found.beyond_sampling[0].tolist() == [pytest.approx(apart, **ROUNDING), 0.0]
    whole = 0.5 * (1 + 25) + 0.25 * (2.25 + 25) + 0.25 * (4 + 25)
    assert found.ratio_of_sampling.tolist() == [pytest.approx(2 * expected**2 / whole, **ROUNDING)]


def test_exact_members_owe_nothing_to_sampling():
    found = disagreement(random_members())
    assert found.sampling is None
    assert found.beyond_sampling is found.spread
    assert found.ratio_of_sampling.tolist() == [0.0] * 6
    assert (found.to_frame().sampling == 0).all()


def test_an_unknown_error_stays_unknown():
    parts = [member("a", [[1.0]], error=[[nan]]), member("b", [[2.0]])]
    assert isnan(disagreement(parts).beyond_sampling[0, 0])


def test_one_model_under_many_seeds_has_no_spread_beyond_sampling(network, table):
    """Expected spread² and sampling² are equal here; over 30 seeds their means are near each other."""
    one = wb.Target(0)
    parts = [
        wb.explain(network.renamed(f"seed {k}"), table, KernelSHAP(budget=219, seed=k), one)
        for k in range(30)
    ]
    assert parts[0].error is not None
    found = disagreement(parts)
    times = (found.spread**2).mean() / (found.sampling**2).mean()
    # Variances of 30 draws vary by a quarter of themselves; few-draw errors are estimates too.
    assert 0.5 < times < 2
    assert "30 recipes" in found.members.notes[0]


def test_one_model_under_one_seed_has_sampling_but_no_spread(network, table):
    """Shared coalitions: the same errors in every member, which sampling overstates as said."""
    parts = [
        wb.explain(network.renamed(name), table, KernelSHAP(budget=219, seed=0), wb.Target(0))
        for name in "abc"
    ]
    found = disagreement(parts)
    # Copies: one rounding of values below 10.
    assert found.spread == pytest.approx(0, abs=1e-14)
    assert (found.sampling > 0).any()
    assert (found.beyond_sampling == 0).all() or found.beyond_sampling.max() < 1e-14
    assert found.members.notes == ()


# --- rows


def test_rows_of_one_class_are_ranked_by_disagreement_before_the_others():
    values = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.5], [1.0, 0.0]])
    parts = [member("a", np.ones((4, 2))), member("b", values)]
    classes = [["cat", "cat", "cat", "dog"], ["cat", "cat", "cat", "cat"]]
    ranking = disagreement(parts, predictions=classes).ranking()
    assert ranking.position.tolist() == [1, 2, 0, 3]
    assert ranking["same class"].tolist() == [True, True, True, False]
    assert ranking.ratio.tolist()[0] == pytest.approx(0.5, **ROUNDING)
    assert ranking.row.tolist() == ["1", "2", "0", "3"]
    assert ranking.output.tolist() == [11.0, 11.75, 12.0, 11.5]
    unknown = disagreement(parts).ranking()
    assert unknown.position.tolist() == [1, 3, 2, 0]
    assert unknown["same class"].isna().all()


def test_a_member_without_weight_has_no_voice_in_the_class():
    parts = random_members(3, n=2)
    classes = [[0, 1], [0, 1], [1, 1]]
    assert disagreement(parts, predictions=classes).members.same_class.tolist() == [False, True]
    silent = disagreement(parts, [1, 1, 0], predictions=classes).members.same_class
    assert silent.tolist() == [True, True]
    later = disagreement(Members.of(parts), predictions=classes).members.same_class
    assert later.tolist() == [False, True]


# --- how it is told


def test_frames_tell_the_arrays():
    found = disagreement(random_members(), WEIGHTS)
    frame = found.to_frame()
    assert list(frame.columns) == [
        "row", "player", "mean", "spread", "sampling", "beyond sampling", "consensus", "agreed",
    ]  # fmt: skip
    for name in ("mean", "spread", "consensus", "agreed"):
        wide = frame.pivot(index="row", columns="player", values=name)
        assert np.array_equal(wide.to_numpy(), getattr(found, name))
    members = found.by_member()
    assert members["weight"].tolist() == found.members.weights.tolist()
    alike = found.members.similarity("cosine").mean(axis=0)
    others = [np.mean([alike[k, j] for j in range(4) if j != k]) for k in range(4)]
    assert members["agreement"].to_numpy() == pytest.approx(others, **ROUNDING)


def test_maps_have_numbers_per_place_and_no_frame():
    parts = map_members()
    found = disagreement(parts)
    assert found.mean.shape == (1, 12 * 16)
    expected = np.mean([part.maps()[0] for part in parts], axis=0)
    assert found.members.shaped(found.mean[0], 0) == pytest.approx(expected, **ROUNDING)
    assert "kendall" not in found.members.metrics
    with pytest.raises(InputError, match=r"no similarity 'kendall'.*'top tenth'"):
        found.matrix("kendall")
    with pytest.raises(InputError, match="Use mean, spread and consensus"):
        found.to_frame()


def test_html_is_escaped_and_text_is_short():
    parts = [
        table_result(np.ones((6, 2)) * (k + 1), model=name, names=HOSTILE[:2])
        for k, name in enumerate(HOSTILE[:4])
    ]
    found = disagreement(parts)
    html = found._repr_html_()
    assert "<script" not in html
    assert 'onerror="' not in html
    assert "&lt;script&gt;" in html
    assert "No member stands out" in html
    assert repr(found) == (
        f"Disagreement(4 members, 6 rows, 2 players, in probability: ratio {found.overall:.2f})"
    )


def test_new_weights_cost_no_more_steps_for_many_rows_and_columns_than_for_few():
    """Counted, not timed: nothing loops over rows or players in Python, and no model is asked."""
    import cProfile
    import pstats

    def steps(n, p):
        found = disagreement(random_members(10, n=n, p=p))
        profile = cProfile.Profile()
        again = profile.runcall(lambda: found.reweighted(range(1, 11)))
        profile.runcall(lambda: again.influence)
        return pstats.Stats(profile).total_calls

    steps(5, 3)  # what the first call of a process remembers, such as that a range is no mapping
    assert steps(100, 30) == steps(5, 3)
