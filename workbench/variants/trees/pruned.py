"""Minimal cost-complexity pruning (Breiman et al. 1984) of trees that are already fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Model
from workbench.core.repeatable import repeatable
from workbench.errors import InputError
from workbench.variants.recipes import Recipe
from workbench.variants.record import for_pruned_trees
from workbench.variants.trees.native import (
    arrays_of,
    final_of,
    members_of,
    tree_copy,
    with_arrays,
    with_members,
)


@repeatable
def prune_trees(
    model: Model,
    alpha: float | None = None,
    *,
    keep: float | None = None,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A decision tree or forest without the branches that are not worth their leaves.

    A branch is worth (R(node) - R(branch)) / (leaves - 1) per leaf, where R is the impurity weighted by
    the share of the training rows. The weakest branch becomes a leaf, again and again, while it is worth
    at most alpha.
    The impurities are those of the fit, so no rows are needed, and the trees are those that a fit with
    `ccp_alpha=alpha` grows.

    Args:
        model: a decision tree, random forest or extra trees, alone or at the end of a Pipeline; left as it
            is.
        alpha: what a leaf must be worth to stay, in the unit of the trees' impurity; zero or more.
        keep: instead of alpha, the share of all leaves that may stay, above 0 and at most 1; it takes the
            smallest alpha, one for all trees, that leaves no more.
        name: what menus and tables call the copy.
        rows: to try both models on.

    Raises:
        InputError: neither alpha nor keep, or both; out of range.
        IncompatibleError: a model of another kind.

    Source:
        Breiman, Friedman, Olshen & Stone 1984, *Classification and regression trees*, section 3.3.
    """
    if (alpha is None) == (keep is None):
        found = "neither" if alpha is None else "both"
        raise InputError(
            f"Pruning needs alpha or keep, and got {found}. Give keep=0.5 for half the leaves, or alpha, "
            "what a leaf must be worth."
        )
    if keep is not None and not (_number(keep) and 0 < keep <= 1):
        raise InputError(
            f"keep is the share of leaves that may stay, above 0 and at most 1, not {keep!r}. Take 0.5."
        )
    if alpha is not None and not (_number(alpha) and alpha >= 0):
        raise InputError(f"alpha is what a leaf must be worth, zero or more, not {alpha!r}.")
    final = final_of(model, for_pruned_trees)
    members = members_of(final)
    paths = [_path(*arrays_of(member)) for member in members]
    before = sum(path.leaves for path in paths)
    price = _alpha_for(paths, keep * before) if keep is not None else float(alpha or 0.0)
    after = sum(path.left_at(price) for path in paths)
    by_member = {id(member): path for member, path in zip(members, paths, strict=True)}

    def pruned(member: Any) -> Any:
        nodes, values = arrays_of(member)
        own = with_arrays(member, *_cut(nodes, values, by_member[id(member)].below(price)))
        own.ccp_alpha = price
        return own

    made = with_members(final, pruned)
    made.ccp_alpha = price
    how = f"keep={keep!r}" if keep is not None else f"{alpha!r}"
    return tree_copy(
        model,
        made,
        name=name or f"{model.name}, {after} of {before} leaves",
        recipe=f"prune_trees(model, {how})",
        description=f"cost-complexity pruning at alpha {price:.3g}: {after} of {before} leaves",
        touched=sum(path.left_at(price) < path.leaves for path in paths),
        trees=len(paths),
        rows=rows,
    )


def _number(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
    )


@dataclass(frozen=True, eq=False)
class _Path:
    """The branches of one tree, in the order in which they become leaves.

    `nodes` and `prices` `(m,)`: the branches, and the price at which each one goes, which never falls;
    `left` `(m,)`: the leaves that stay then.
    """

    leaves: int
    nodes: NDArray[np.intp]
    prices: NDArray[np.float64]
    left: NDArray[np.intp]

    def below(self, alpha: float) -> NDArray[np.intp]:
        """The branches that go at this price."""
        return self.nodes[: self._count(alpha)]

    def left_at(self, alpha: float) -> int:
        """The leaves that stay at this price."""
        count = self._count(alpha)
        return int(self.left[count - 1]) if count else self.leaves

    def _count(self, alpha: float) -> int:
        return int(np.searchsorted(self.prices, alpha, side="right"))


def _path(nodes: NDArray[Any], _: NDArray[np.float64]) -> _Path:
    left, right = nodes["left_child"], nodes["right_child"]
    weight = nodes["weighted_n_node_samples"]
    risk = weight * nodes["impurity"] / weight[0]
    parent = np.full(len(nodes), -1)
    inner = np.flatnonzero(left >= 0)
    parent[left[inner]] = parent[right[inner]] = inner
    branch, leaves = np.zeros(len(nodes)), np.zeros(len(nodes), dtype=np.intp)
    # scikit-learn adds leaf by leaf up to the root; the same order of additions gives the same bits.
    for leaf in np.flatnonzero(left < 0).tolist():
        at = leaf
        while at >= 0:
            branch[at] += risk[leaf]
            leaves[at] += 1
            at = parent[at]
    stays = left >= 0
    gone, prices, remaining = [], [], []
    while stays[0]:
        here = np.flatnonzero(stays)
        worth = (risk[here] - branch[here]) / (leaves[here] - 1)
        weakest = int(here[np.argmin(worth)])
        gone.append(weakest)
        prices.append(float(worth.min()))
        pending = [weakest]
        while pending:
            node = pending.pop()
            if stays[node]:
                stays[node] = False
                pending += [int(left[node]), int(right[node])]
        fewer, more = leaves[weakest] - 1, risk[weakest] - branch[weakest]
        at = weakest
        while at >= 0:
            leaves[at] -= fewer
            branch[at] += more
            at = parent[at]
        remaining.append(int(leaves[0]))
    return _Path(
        int((left < 0).sum()),
        np.array(gone, dtype=np.intp),
        np.maximum.accumulate(np.array(prices, dtype=np.float64)),
        np.array(remaining, dtype=np.intp),
    )


def _alpha_for(paths: list[_Path], wanted: float) -> float:
    """The smallest price at which no more than the wanted number of leaves stay; a stump keeps its one."""
    prices = np.unique(np.concatenate([[0.0], *(np.maximum(path.prices, 0.0) for path in paths)]))
    low, high = 0, len(prices) - 1
    while low < high:
        middle = (low + high) // 2
        if sum(path.left_at(float(prices[middle])) for path in paths) <= wanted:
            high = middle
        else:
            low = middle + 1
    return float(prices[low])


def _cut(
    nodes: NDArray[Any], values: NDArray[np.float64], gone: NDArray[np.intp]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The tree with the nodes `gone` as leaves, its nodes in the order in which a fit writes them."""
    leaf = nodes["left_child"] < 0
    leaf[gone] = True
    kept: list[int] = []
    pending = [0]
    while pending:
        node = pending.pop()
        kept.append(node)
        if not leaf[node]:
            pending += [int(nodes["right_child"][node]), int(nodes["left_child"][node])]
    old = np.array(kept)
    new = np.full(len(nodes), -1)
    new[old] = np.arange(len(old))
    own = nodes[old].copy()
    ends = leaf[old]
    own["left_child"] = np.where(ends, -1, new[own["left_child"]])
    own["right_child"] = np.where(ends, -1, new[own["right_child"]])
    own["feature"] = np.where(ends, -2, own["feature"])
    own["threshold"] = np.where(ends, -2.0, own["threshold"])
    own["missing_go_to_left"] = np.where(ends, 0, own["missing_go_to_left"])
    return own, values[old]


RECIPE = Recipe(
    "prune_trees",
    "Cost-complexity pruning",
    "prune_trees",
    "share of leaves kept",
    (0.75, 0.5, 0.25),
    parameter="keep",
    applies=for_pruned_trees,
    order=41,
)
