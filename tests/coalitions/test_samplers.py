"""Coalitions and permutations: what is drawn, how it is weighed, what is enumerated."""

from __future__ import annotations

from itertools import permutations as orders
from math import comb

import numpy as np
import pytest

from workbench.coalitions.samplers import (
    all_but_one,
    all_subsets,
    coin_flips,
    permutations,
    shapley_sample,
    shapley_sample_size,
)


def kernel(p: int, s: int) -> float:
    """The Shapley kernel of one coalition of s players (Lundberg & Lee 2017, theorem 2)."""
    return (p - 1) / (comb(p, s) * s * (p - s))


@pytest.mark.parametrize("sampler", ["kernel", "leverage"])
@pytest.mark.parametrize("p", [2, 3, 4, 5, 6])
def test_all_coalitions_weigh_as_the_kernel_says(p, sampler):
    sample = shapley_sample(p, 2**p - 2, 0, sampler)
    assert len({tuple(mask) for mask in sample.masks.tolist()}) == len(sample.masks) == 2**p - 2
    wanted = [kernel(p, int(mask.sum())) for mask in sample.masks]
    np.testing.assert_allclose(sample.weights, wanted, rtol=1e-12)
    assert not sample.sampled
    assert (sample.cluster == -1).all()


@pytest.mark.parametrize("sampler", ["kernel", "leverage"])
def test_drawn_coalitions_stand_for_the_mass_of_their_sizes(sampler):
    """The weights of every size and its mirror image sum, over many draws, to the kernel's."""
    p, size = 9, 120
    samples = [shapley_sample.__wrapped__(p, size, seed, sampler) for seed in range(300)]
    for s in range(1, p):
        mass = [one.weights[one.masks.sum(axis=1) == s].sum() for one in samples]
        wanted = comb(p, s) * kernel(p, s)
        # Four standard errors over the seeds; sizes that are enumerated have none.
        assert abs(np.mean(mass) - wanted) <= 4 * np.std(mass) / np.sqrt(300) + 1e-12
    one = samples[0]
    kept, drawn = shapley_sample_size(p, size, sampler)
    assert ((one.cluster < 0).sum(), (one.cluster >= 0).sum()) == (kept, drawn)
    assert kept + drawn <= size
    pairs = one.masks[one.cluster >= 0].reshape(-1, 2, p)
    assert (pairs[:, 0] != pairs[:, 1]).all()  # a coalition and its complement
    assert one.cluster[one.cluster >= 0].tolist() == np.repeat(np.arange(drawn // 2), 2).tolist()
    enumerated = one.masks[one.cluster < 0]
    assert len({tuple(mask) for mask in enumerated.tolist()}) == len(enumerated)


def test_a_member_of_a_drawn_size_is_any_player_equally_often():
    samples = [shapley_sample.__wrapped__(7, 40, seed) for seed in range(200)]
    drawn = np.concatenate([one.masks[one.cluster >= 0][::2] for one in samples])
    share = drawn.mean(axis=0)
    assert np.ptp(share) < 8 * np.sqrt(0.25 / len(drawn))  # eight standard errors of a share


def test_a_sample_is_one_value_that_cannot_be_written():
    one = shapley_sample(6, 30, 1)
    assert shapley_sample(6, 30, 1) is one
    for array in (one.masks, one.weights, one.cluster):
        assert not array.flags.writeable
    assert (shapley_sample(6, 30, 2).masks != one.masks).any()
    assert one.seed == 1


def test_subsets_are_numbered_by_their_bits_and_one_may_be_missing():
    subsets = all_subsets(4)
    assert [int(mask @ (1 << np.arange(4))) for mask in subsets] == list(range(16))
    assert all_but_one(3).tolist() == [
        [False, True, True],
        [True, False, True],
        [True, True, False],
    ]


def test_coins_are_fair_and_the_first_coalition_is_everybody():
    masks = coin_flips(10, 4000, 0)
    assert masks[0].all()
    assert abs(masks[1:].mean() - 0.5) < 4 * np.sqrt(0.25 / 39_990)  # four standard errors
    np.testing.assert_array_equal(masks, coin_flips(10, 4000, 0))
    assert (masks != coin_flips(10, 4000, 1)).any()


@pytest.mark.parametrize(("p", "fills", "rotations"), [(5, 3, 4), (4, 1, 8), (1, 3, 2)])
def test_every_rotation_uses_every_fill_once_and_p_walks_put_everybody_everywhere(
    p, fills, rotations
):
    walk = permutations(p, fills, rotations, 0)
    assert len(walk.which) == len(walk.rank) == fills * rotations
    for turn in walk.which.reshape(rotations, fills):
        assert sorted(turn) == list(range(fills))
    for start in range(0, len(walk.rank) - p + 1, p):
        square = walk.rank[start : start + p]
        assert all(sorted(line) == list(range(p)) for line in [*square, *square.T])
    more = permutations(p, fills, 2 * rotations, 0)
    np.testing.assert_array_equal(more.rank[: len(walk.rank)], walk.rank)
    np.testing.assert_array_equal(more.which[: len(walk.which)], walk.which)


def test_every_order_is_drawn_equally_often():
    walks = [permutations.__wrapped__(3, 1, 30, seed).rank for seed in range(60)]
    drawn = [tuple(rank) for rank in np.concatenate(walks).tolist()]
    counts = [drawn.count(order) for order in orders(range(3))]
    # Within a square the orders depend on one another; five deviations of 1800 independent ones.
    assert max(abs(count - 300) for count in counts) < 5 * np.sqrt(1800 * (1 / 6) * (5 / 6))


def test_a_walk_lets_players_in_by_their_rank_and_back_in_the_other_order():
    walk = permutations(4, 2, 3, 5)
    masks = walk.masks(slice(1, 4))
    assert masks.shape == (3, 2, 3, 4)
    for rank, (forward, backward) in zip(walk.rank[1:4], masks, strict=True):
        order = np.argsort(rank)
        for step in range(3):
            assert set(np.flatnonzero(forward[step])) == set(order[: step + 1])
            assert set(np.flatnonzero(backward[step])) == set(order[::-1][: step + 1])
