"""A `Combination` as a `Model`: an ensemble can do what all its members can, where that adds up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.game import perturbed
from workbench.core import Ask, Call, Combination, Model, Scale, Tree, Trees
from workbench.errors import IncompatibleError
from workbench.models.trial import remarks_of
from workbench.variants.members import Gathered

Array = NDArray[np.float64]


def assembled(
    combination: Combination,
    gathered: Gathered,
    *,
    name: str,
    outputs: tuple[str, ...],
    scale: Scale,
    how: str,
    notes: Sequence[str] = (),
    native: object = None,
) -> Model:
    """The ensemble as a model whose scores are those of its combined members.

    Args:
        combination: of members that read the gathered rows.
        gathered: what a row is.
        name: what menus and tables call it.
        outputs: the K outputs' names.
        scale: the unit of its scores.
        how: the last line of its lineage.
        notes: what a user should know.
        native: the object it was taken from.
    """
    members = combination.members
    lineage = [line for member in members for line in member.lineage]
    bare = Model(
        name=name,
        predict=members[0].predict,
        outputs=outputs,
        scale=scale,
        kind=gathered.kind,
        features=gathered.features,
        categories=gathered.categories,
        shape=gathered.shape,
        batch=min(member.batch for member in members),
        native=native,
        lineage=(*dict.fromkeys(lineage), how),
        digest=_digest(combination, how),
        notes=tuple(dict.fromkeys((*notes, *gathered.notes))),
        remarks=lambda: tuple(
            f"{member.name}: {remark}" for member in members for remark in remarks_of(member)
        ),
    )
    return over(bare, combination)


_NO_MAPS = (
    "The members of an ensemble have no maps in common. Explain its members one by one "
    "(variants.unpack(ensemble) or ensemble.combination.members)."
)


def combination_of(ensemble: Model) -> Combination:
    """The combination of a model that has one.

    Raises:
        IncompatibleError: it has none.
    """
    if ensemble.combination is None:
        raise IncompatibleError(
            f"An ensemble is needed, but model {ensemble.name!r} has no members. Build one with "
            "variants.vote or variants.stack, or take one apart with variants.unpack."
        )
    return ensemble.combination


def over(ensemble: Model, combination: Combination) -> Model:
    """The ensemble with this combination, whose members answer every call."""
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


def with_outputs(ensemble: Model, names: Mapping[str, str]) -> Model:
    """The ensemble and its members, with other names for some of their outputs.

    Args:
        ensemble: a model with a combination.
        names: {what an output is called: what it shall be called}.
    """
    combination = combination_of(ensemble)

    def named(model: Model) -> Model:
        return replace(model, outputs=tuple(names.get(one, one) for one in model.outputs))

    members = tuple(named(member) for member in combination.members)
    return over(named(ensemble), replace(combination, members=members))


def masked_by(members: Sequence[Model]) -> list[str]:
    """In which ways members are asked for perturbed copies together.

    In bfloat16 only where all of them are; else where one is, since the others' copies are made in NumPy.
    """
    some = ["masked"] if any(member.masked is not None for member in members) else []
    half = all(member.masked_half is not None for member in members)
    return some + ["masked_half"] * half


def masked_scores(
    members: Sequence[Model], call: Call
) -> tuple[list[Array], Callable[[], NDArray[Any]]]:
    """Each member's scores of perturbed copies of one row, and those copies, made when needed.

    Members that do not make their own share one set of copies, made in NumPy.
    """

    @cache
    def copies() -> NDArray[Any]:
        return perturbed(*call.arguments)

    said = [
        member.scores(copies())
        if getattr(member, call.capability) is None
        else member.checked(call.to(member)(), call.rows)
        for member in members
    ]
    return said, copies


def merged(parts: Sequence[tuple[Trees, Array]], intercept: Array) -> Trees:
    """A weighted sum of sums of trees as one.

    Args:
        parts: each with its matrix `(K, k)`: how much of its outputs goes to each of the sum's.
        intercept: added to the sum `(K,)`.
    """
    single = all(trees.dtype == np.float32 for trees, _ in parts)
    merged_trees = tuple(
        replace(
            tree,
            values=tree.values @ matrix.T,
            threshold=tree.threshold if single else _exact_cut(tree, trees.dtype),
        )
        for trees, matrix in parts
        for tree in trees.trees
    )
    offset = intercept + sum(matrix @ trees.offset for trees, matrix in parts)
    return Trees(merged_trees, np.asarray(offset), np.float32 if single else np.float64)


def _exact_cut(tree: Tree, dtype: type[np.floating[Any]]) -> Array:
    """Thresholds that send float64 values where the tree sends them after rounding to its own precision.

    The largest float64 that rounds to a float32 at or below the threshold lies halfway to the next
    float32, or right before that where the tie is rounded up (to the even one).
    """
    if dtype == np.float64:
        return tree.threshold
    below = tree.threshold.astype(dtype)
    below = np.where(below > tree.threshold, np.nextafter(below, dtype(-np.inf)), below)
    above = np.nextafter(below, dtype(np.inf))
    half = (below.astype(np.float64) + above.astype(np.float64)) / 2
    return np.asarray(np.where(half.astype(dtype) == below, half, np.nextafter(half, -np.inf)))


def _held_by_all(combination: Combination) -> Callable[[str], bool]:
    def every(capability: str) -> bool:
        held = all(getattr(member, capability) is not None for member in combination.members)
        return held and combination.linear

    return every


def _matrices(combination: Combination) -> list[Array]:
    """How much of each member's outputs goes to each of the ensemble's `(K, k_m)`."""
    pairs = zip(combination.weights, combination.views, strict=True)
    return [weight * view for weight, view in pairs]


def _asked_of_all(combination: Combination) -> Ask:
    """Every member asked the same, and its answers put together: scores as the ensemble combines them.

    Gradients add up, and maps lie side by side, because the weights of each member's are its own.
    """
    members, matrices = combination.members, _matrices(combination)
    # Only the number of copies counts where nothing is passed through.
    rowless = combination.linear and combination.direct is None

    def asked(call: Call) -> Any:
        if "masks" in call.takes:
            said, copies = masked_scores(members, call)
            return combination.scores(said, np.empty((call.rows, 0)) if rowless else copies())
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

        answers = [
            call.to(member).taking(weights=lambda _, matrix=matrix: weights @ matrix)()
            for member, matrix in zip(members, matrices, strict=True)
        ]
        return call.giving(
            tuple(zip(*answers, strict=True)),
            scores=lambda said: combination.scores(said, rows),
            gradients=summed,
            maps=partial(np.concatenate, axis=1),
            map_gradients=partial(np.concatenate, axis=2),
        )

    return asked


def _trees(combination: Combination) -> Callable[[], Trees]:
    @cache
    def trees() -> Trees:
        found = [member.trees() for member in combination.members]  # type: ignore[misc]
        parts = list(zip(found, _matrices(combination), strict=True))
        return merged(parts, np.asarray(combination.intercept))

    return trees


def _layers(combination: Combination) -> Callable[..., dict[str, tuple[int, ...]]]:
    def layers(rows: NDArray[Any]) -> dict[str, tuple[int, ...]]:
        """Layers that all members have, of one height and width: their channels side by side."""
        listed = [member.layers(rows) for member in combination.members]  # type: ignore[misc]
        common = {}
        for name in listed[0]:
            shapes = [one.get(name, ()) for one in listed]
            if len({shape[1:] for shape in shapes}) == 1 and len(shapes[0]) == 3:
                common[name] = (sum(shape[0] for shape in shapes), *shapes[0][1:])
        return common

    return layers


def _digest(combination: Combination, how: str) -> str:
    """A hash of members and weights, or "" where a member has none or the rule cannot be told."""
    digests = [member.digest for member in combination.members]
    if combination.rule is not None or not all(digests):
        return ""
    state = hashlib.sha256(how.encode())
    for digest, matrix in zip(digests, _matrices(combination), strict=True):
        state.update(digest.encode() + repr(matrix.shape).encode() + matrix.tobytes())
    state.update(np.asarray(combination.intercept).tobytes())
    if combination.direct is not None:
        state.update(combination.direct.tobytes())
    return state.hexdigest()
