"""The capabilities of an ensemble: all those of its members, where they add up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.game import perturbed
from workbench.core import Ask, Call, Combination, Model, Trees
from workbench.core.layers import Layers, last_with_places
from workbench.errors import IncompatibleError

Array = NDArray[np.float64]

_NO_MAPS = (
    "The members of an ensemble have no maps in common. Explain its members one by one "
    "(ensembles.unpack(ensemble) or ensemble.combination.members)."
)


def combination_of(ensemble: Model) -> Combination:
    """The combination of a model that has one.

    Raises:
        IncompatibleError: it has none.
    """
    if ensemble.combination is None:
        raise IncompatibleError(
            f"An ensemble is needed, but model {ensemble.name!r} has no members. Build one with "
            "ensembles.vote or ensembles.stack, or take one apart with ensembles.unpack."
        )
    return ensemble.combination


def over(ensemble: Model, combination: Combination) -> Model:
    """The ensemble with this combination, whose members compute every answer."""
    members = combination.members
    every = _held_by_all(combination)
    can = [name for name in ("gradient", "activations") if every(name)]
    return replace(
        ensemble.through(_asked_of_all(combination), (*can, *masked_by(members))),
        combination=combination,
        trees=_trees(combination) if every("trees") and combination.direct is None else None,
        layers=_layers(combination) if every("layers") else None,
        absent={**ensemble.absent, "feature_maps": _NO_MAPS},
    )


def bundle_of(
    ensemble: Model, combination: Combination, active: Sequence[int]
) -> tuple[Model, dict[int, slice]]:
    """The remaining members, and the ensemble, as one model; and the positions of each one's outputs.

    The ensemble's block is number -1; it exists only if no member is missing.
    """
    members = [combination.members[m] for m in active]
    whole = len(members) == len(combination.members)
    names = [f"{m.name}: {output}" for m in members for output in m.outputs]
    ends = np.cumsum([0, *(len(m.outputs) for m in members)])
    blocks = {m: slice(int(ends[i]), int(ends[i + 1])) for i, m in enumerate(active)}
    blocks[-1] = slice(int(ends[-1]), int(ends[-1]) + (len(ensemble.outputs) if whole else 0))
    rowless = combination.linear and combination.direct is None

    def together(member_scores: Sequence[Array], rows: NDArray[Any]) -> Array:
        own = [combination.scores(member_scores, rows)] if whole else []
        return np.concatenate([*member_scores, *own], axis=1)

    def answer(call: Call) -> Any:
        if "masks" in call.takes:
            member_scores, copies = masked_scores(members, call)
            return together(member_scores, np.empty((call.rows, 0)) if rowless else copies())
        rows = call["rows"]
        if call.scores_alone:
            return together([member.scores(rows) for member in members], rows)
        weights = call["weights"]
        own = weights[:, :, blocks[-1]]
        total = np.zeros((len(weights), *rows.shape))
        member_scores = []
        for m, member in zip(active, members, strict=True):
            mine = weights[:, :, blocks[m]]
            if whole:
                mine = mine + combination.weights[m] * (own @ combination.views[m])
            some = np.flatnonzero(mine.any(axis=(1, 2)))  # most targets concern one member alone
            scores, gradients = member.gradient(rows, mine[some])  # type: ignore[misc]
            member_scores.append(np.asarray(scores, dtype=np.float64))
            total[some] += gradients
        if whole and combination.direct is not None:
            total += own @ combination.direct
        return together(member_scores, rows), total

    differentiable = all(member.gradient is not None for member in members) and combination.linear
    return replace(
        ensemble.through(answer, ["gradient"] * differentiable + masked_by(members)),
        combination=None,
        outputs=(*names, *(ensemble.outputs if whole else ())),
        classes=None,
        trees=None,
        layers=None,
    ), blocks


def masked_by(members: Sequence[Model]) -> list[str]:
    """The ways in which members compute perturbed copies together.

    In bfloat16 only if all members can; in full precision if one can, since NumPy makes the others' copies.
    """
    some = ["masked"] if any(member.masked is not None for member in members) else []
    half = all(member.masked_half is not None for member in members)
    return some + ["masked_half"] * half


def masked_scores(
    members: Sequence[Model], call: Call
) -> tuple[list[Array], Callable[[], NDArray[Any]]]:
    """Each member's scores of perturbed copies of one row, and those copies, made only when needed.

    Members that cannot make copies themselves share one set of copies, made in NumPy.
    """

    @cache
    def copies() -> NDArray[Any]:
        return perturbed(*call.arguments)

    member_scores = [
        member.scores(copies())
        if getattr(member, call.capability) is None
        else member.checked(call.to(member)(), call.rows)
        for member in members
    ]
    return member_scores, copies


def merged(parts: Sequence[tuple[Trees, Array]], intercept: Array) -> Trees:
    """A weighted sum of sums of trees as one.

    parts: each sum of trees with its matrix `(K, k)`: the weight of its outputs in each output of the sum.
    intercept: what is added to the sum `(K,)`.
        intercept: added to the sum `(K,)`.
    """
    single = all(trees.dtype == np.float32 for trees, _ in parts)
    merged_trees = tuple(
        replace(
            tree,
            values=tree.values @ matrix.T,
            threshold=tree.threshold if single else _exact_cut(tree.threshold, trees.dtype),
            hole=tree.hole if single or tree.hole is None else _exact_hole(tree.hole, trees.dtype),
        )
        for trees, matrix in parts
        for tree in trees.trees
    )
    offset = intercept + sum(matrix @ trees.offset for trees, matrix in parts)
    return Trees(merged_trees, np.asarray(offset), np.float32 if single else np.float64)


def _exact_hole(hole: Array, dtype: type[np.floating[Any]]) -> Array:
    """The float64 numbers that round to those of a hole in the tree's own precision."""
    if dtype == np.float64:
        return hole
    before = np.nextafter(hole[:, 0].astype(dtype), dtype(-np.inf)).astype(np.float64)
    return np.stack(
        [np.nextafter(_exact_cut(before, dtype), np.inf), _exact_cut(hole[:, 1], dtype)], axis=1
    )


def _exact_cut(threshold: Array, dtype: type[np.floating[Any]]) -> Array:
    """Thresholds at which float64 values go the same way as after rounding to the tree's own precision.

    The largest float64 that rounds to a float32 at or below the threshold lies halfway to the next
    float32, or just before that where the tie is rounded up (to the even one).
    """
    if dtype == np.float64:
        return threshold
    below = threshold.astype(dtype)
    below = np.where(below > threshold, np.nextafter(below, dtype(-np.inf)), below)
    above = np.nextafter(below, dtype(np.inf))
    half = (below.astype(np.float64) + above.astype(np.float64)) / 2
    return np.asarray(np.where(half.astype(dtype) == below, half, np.nextafter(half, -np.inf)))


def _held_by_all(combination: Combination) -> Callable[[str], bool]:
    def every(capability: str) -> bool:
        held = all(getattr(member, capability) is not None for member in combination.members)
        return held and combination.linear

    return every


def matrices_of(combination: Combination) -> list[Array]:
    """The weight of each member's outputs in each of the ensemble's `(K, k_m)`."""
    pairs = zip(combination.weights, combination.views, strict=True)
    return [weight * view for weight, view in pairs]


def _asked_of_all(combination: Combination) -> Ask:
    """Calls every member with the same arguments and combines the answers: scores as the ensemble does.

    Gradients add up, and maps lie side by side, because the weights of each member's maps are its own.
    """
    members, matrices = combination.members, matrices_of(combination)
    # Where nothing is passed through, only the number of copies counts.
    rowless = combination.linear and combination.direct is None

    def answer(call: Call) -> Any:
        if "masks" in call.takes:
            member_scores, copies = masked_scores(members, call)
            return combination.scores(
                member_scores, np.empty((call.rows, 0)) if rowless else copies()
            )
        rows = call["rows"]
        if call.scores_alone:
            return combination.scores([member.scores(rows) for member in members], rows)
        weights = call["weights"]
        if callable(weights):
            scores = combination.scores([member.scores(rows) for member in members], rows)
            weights = weights(slice(0, len(rows)), scores)

        def summed(gradients: Sequence[NDArray[Any]]) -> Array:
            total = np.zeros((len(weights), *rows.shape))
            for one in gradients:
                total += one
            return total if combination.direct is None else total + weights @ combination.direct

        def answer_of(member: Model, matrix: Array) -> Any:
            return call.to(member).taking(weights=lambda _: weights @ matrix)()

        answers = map(answer_of, members, matrices)
        return call.giving(
            tuple(zip(*answers, strict=True)),
            scores=lambda member_scores: combination.scores(member_scores, rows),
            gradients=summed,
            maps=partial(np.concatenate, axis=1),
            map_gradients=partial(np.concatenate, axis=2),
        )

    return answer


def _trees(combination: Combination) -> Callable[[], Trees]:
    @cache
    def trees() -> Trees:
        found = [member.trees() for member in combination.members]  # type: ignore[misc]
        parts = list(zip(found, matrices_of(combination), strict=True))
        return merged(parts, np.asarray(combination.intercept))

    return trees


def _layers(combination: Combination) -> Callable[..., Layers]:
    def layers(rows: NDArray[Any]) -> Layers:
        """Layers that all members have, of equal height and width: their channels are put side by side.

        The one that is read when none is named stands behind no member's own such layer, since nothing may
        read what that member computes there.
        """
        listed = [member.layers(rows) for member in combination.members]  # type: ignore[misc]
        common = {}
        for name in listed[0]:
            shapes = [one.get(name, ()) for one in listed]
            if len({shape[1:] for shape in shapes}) == 1 and len(shapes[0]) == 3:
                common[name] = (sum(shape[0] for shape in shapes), *shapes[0][1:])
        ends = [list(one).index(name) for one in listed if (name := _chosen(one))]
        read = [
            name
            for name in common
            if len(ends) == len(listed)
            and all(list(one).index(name) <= end for one, end in zip(listed, ends, strict=True))
        ]
        default = last_with_places({name: common[name] for name in read})
        said = [note for one in listed if (note := getattr(one, "said", {}).get(default, ""))]
        whys = [why for one in listed if (why := getattr(one, "why", ""))]
        return Layers(
            common,
            default=default,
            why=whys[0] if whys else "",
            said={default: said[0]} if said else {},
        )

    return layers


def _chosen(listed: dict[str, tuple[int, ...]]) -> str:
    return listed.chosen if isinstance(listed, Layers) else last_with_places(listed)
