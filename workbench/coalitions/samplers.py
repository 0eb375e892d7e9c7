"""Which coalitions to evaluate: samples are values, the same for every model of a study."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from math import comb
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError

Sampler = Literal["kernel", "leverage"]
"""How KernelSHAP draws coalitions; see `shapley_sample`."""


@dataclass(frozen=True, eq=False)
class Coalitions:
    """Masks over p players, and how they were drawn.

    Args:
        masks: `(s, p)`, True where a player is present.
        weights: each coalition's weight in a regression `(s,)`.
        cluster: which independent draw a coalition belongs to `(s,)`; -1 where nothing was drawn.
            A coalition and its complement are one draw.
        seed: what they were drawn with.
    """

    masks: NDArray[np.bool_]
    weights: NDArray[np.float64]
    cluster: NDArray[np.intp]
    seed: int | None = None

    @property
    def sampled(self) -> bool:
        """Whether anything was drawn at random, so that a standard error means something."""
        return bool((self.cluster >= 0).any())

    @cached_property
    def inverse(self) -> NDArray[np.float64]:
        """The inverse of the weighted Gram matrix `(p, p)`: one factorization for every right-hand side.

        Raises:
            InputError: the coalitions do not distinguish the players.
        """
        masks = self.masks.astype(np.float64)
        gram = masks.T @ (masks * self.weights[:, None])
        if np.linalg.matrix_rank(gram, rtol=1e-10, hermitian=True) < len(gram):
            raise InputError(
                f"The {len(masks)} coalitions drawn do not tell {masks.shape[1]} players apart. Raise the "
                "budget, or take another seed."
            )
        return np.asarray(np.linalg.inv(gram))


def all_subsets(p: int) -> NDArray[np.bool_]:
    """Every coalition of p players `(2**p, p)`; coalition number i has player j where bit j is set.

    >>> all_subsets(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return np.asarray((np.arange(2**p)[:, None] >> np.arange(p)) % 2 == 1)


def all_but_one(p: int) -> NDArray[np.bool_]:
    """The coalitions that lack one player `(p, p)`."""
    return ~np.eye(p, dtype=bool)


@lru_cache(maxsize=16)
def shapley_sample(p: int, size: int, seed: int, sampler: Sampler = "kernel") -> Coalitions:
    """About `size` coalitions for KernelSHAP, neither empty nor full, in complement pairs; read-only.

    Coalition sizes are enumerated from the outside in where drawing would ask for at least as many; the
    rest is drawn with its complement. With `size >= 2**p - 2` everything is enumerated and nothing is
    left to chance. The weights are those of the Shapley kernel, whatever the coalitions were drawn by.
    The sample is kept, because every row and every model of a study uses the same.

    Args:
        p: players, at least two.
        size: how many coalitions.
        seed: of what is left to chance.
        sampler: "kernel" draws a size by the kernel's weight of all its coalitions, "leverage" every size
            as often as any other, which is the leverage score of a coalition in the regression.

    Source: Lundberg & Lee (2017), eq. 8; paired draws: Covert & Lee (2021); leverage scores: Musco &
    Witter (2025), theorem 3.1. **Differs:** sizes are enumerated as a whole rather than in part.
    """
    rng = np.random.default_rng(seed)
    mass = _kernel_mass(p)
    masks: list[NDArray[np.bool_]] = []
    weights: list[NDArray[np.float64]] = []
    outer, pairs = _outside_in(p, size, sampler)
    for s in outer:
        chosen = np.zeros((comb(p, s), p), dtype=bool)
        members = np.array(list(combinations(range(p), s)))
        chosen[np.arange(len(chosen))[:, None], members] = True
        masks.append(chosen if s == p - s else np.concatenate([chosen, ~chosen]))
        weights.append(np.full(len(masks[-1]), mass[s] / len(masks[-1])))
    cluster = [np.full(sum(map(len, masks)), -1, dtype=np.intp)]
    if pairs:
        pending = range(len(outer) + 1, p // 2 + 1)
        share = _shares(p, sampler)
        chance = np.array([share[s] for s in pending]) / sum(share[s] for s in pending)
        drawn = rng.choice(len(pending), size=pairs, p=chance)
        sizes = np.array(pending)[drawn]
        one = rng.random((pairs, p)).argsort(axis=1).argsort(axis=1) < sizes[:, None]
        masks.append(np.stack([one, ~one], axis=1).reshape(2 * pairs, p))
        worth = np.array([mass[s] for s in pending]) / chance / (2 * pairs)
        weights.append(np.repeat(worth[drawn], 2))
        cluster.append(np.repeat(np.arange(pairs), 2))
    return Coalitions(
        _read_only(np.concatenate(masks)),
        _read_only(np.concatenate(weights)),
        _read_only(np.concatenate(cluster)),
        seed,
    )


def shapley_sample_size(p: int, size: int, sampler: Sampler = "kernel") -> tuple[int, int]:
    """How many coalitions `shapley_sample` enumerates and how many it draws, without making them.

    >>> shapley_sample_size(6, 42), len(shapley_sample(6, 42, seed=0).masks)
    ((12, 30), 42)
    """
    outer, pairs = _outside_in(p, size, sampler)
    return sum(_coalitions_of(p, s) for s in outer), 2 * pairs


def _outside_in(p: int, size: int, sampler: Sampler) -> tuple[range, int]:
    """The coalition sizes (with their mirror images) to enumerate, and how many pairs to draw."""
    share = _shares(p, sampler)
    pending = range(1, p // 2 + 1)
    left = size
    while pending:
        s = pending[0]
        cost = _coalitions_of(p, s)
        # Enumerate when drawing would spend at least as many coalitions on this size.
        if left * share[s] / sum(share[t] for t in pending) < cost * (1 - 1e-9):
            break
        left -= cost
        pending = pending[1:]
    return range(1, p // 2 + 1 - len(pending)), left // 2 if pending else 0


def _kernel_mass(p: int) -> dict[int, float]:
    """The kernel's weight of all coalitions of a size and its mirror image together, by size."""
    return {s: (1 + (s != p - s)) * (p - 1) / (s * (p - s)) for s in range(1, p // 2 + 1)}


def _shares(p: int, sampler: Sampler) -> dict[int, float]:
    """How often a size or its mirror image is drawn, up to a factor, by size."""
    if sampler == "kernel":
        return _kernel_mass(p)
    return {s: float(1 + (s != p - s)) for s in range(1, p // 2 + 1)}


def _coalitions_of(p: int, s: int) -> int:
    """How many coalitions have s players or all but s."""
    return comb(p, s) * (2 if s != p - s else 1)


def coin_flips(p: int, size: int, seed: int) -> NDArray[np.bool_]:
    """Coalitions `(size, p)` with every player present by a fair coin; the first one is full."""
    masks = np.random.default_rng(seed).integers(0, 2, size=(size, p)).astype(bool)
    masks[0] = True
    return masks


@dataclass(frozen=True, eq=False)
class Permutations:
    """Antithetic permutation pairs, each over one fill, rotating so that fills are used equally often.

    Args:
        rank: each player's position in each pair's forward permutation `(m, p)`.
        which: each pair's fill `(m,)`; every b consecutive pairs use each of the b fills once.
        seed: what they were drawn with.
    """

    rank: NDArray[np.intp]
    which: NDArray[np.intp]
    seed: int

    def masks(self, pairs: slice) -> NDArray[np.bool_]:
        """Interior coalitions `(m, 2, p - 1, p)`: forward then backward, growing by one player each.

        The empty and the full coalition are left out: they are the fill and the row themselves.
        """
        rank = self.rank[pairs]
        p = rank.shape[1]
        grown = np.arange(1, p)[:, None]
        both = np.stack([rank, p - 1 - rank], axis=1)
        return both[:, :, None, :] < grown


@lru_cache(maxsize=16)
def permutations(p: int, fills: int, rotations: int, seed: int) -> Permutations:
    """`rotations * fills` antithetic pairs of permutations of p players, read-only.

    Each permutation by itself is drawn uniformly; p in a row form a Latin square, in which every player
    takes every place once. On boosted trees that takes 15 to 20 % off the error; with eight players or
    more it was never seen to add any. Both fills and squares are drawn one after the other, so that more
    of them begin with the same ones. Kept, because every row and every model of a study walks the same.

    Source: Mitchell, Cooper, Frank & Holmes (2022), antithetic sampling; Castro, Gómez, Molina & Tejada
    (2017) on evening out places.
    """
    of_fills, of_squares = np.random.default_rng(seed).spawn(2)
    which = np.concatenate([of_fills.permutation(fills) for _ in range(rotations)])
    cyclic = (np.arange(p)[:, None] + np.arange(p)) % p
    squares = []
    for _ in range(-(-len(which) // p)):
        rows, columns, names = (of_squares.permutation(p) for _ in range(3))
        squares.append(names[cyclic[rows][:, columns]])
    rank = np.concatenate(squares)[: len(which)]
    return Permutations(_read_only(rank), _read_only(which), seed)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array
