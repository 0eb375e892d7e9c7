"""A `Combination` as a `Model`: what its members share, and how a run explains it together with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.core import Combination, Model, Scale, class_names
from workbench.ensembles.combined import combination_of, matrices_of, over
from workbench.ensembles.members import Gathered
from workbench.ensembles.together import EnsembleRun
from workbench.models.asking import remarks_of


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
        gathered: the members' common columns, shape and kind.
        name: what menus and tables call it.
        outputs: the K outputs' names.
        scale: the unit of its scores.
        how: the last line of its lineage.
        notes: sentences the user should know.
        native: the object it was read from.
    """
    members = combination.members
    first = members[0]
    alike = all(
        class_names(one.outputs) == class_names(outputs)
        and (one.classes, one.opposite) == (first.classes, first.opposite)
        for one in members
    )
    lineage = [line for member in members for line in member.lineage]
    bare = Model(
        name=name,
        predict=members[0].predict,
        outputs=outputs,
        scale=scale,
        kind=gathered.kind,
        features=gathered.features,
        categories=gathered.categories,
        columns=gathered.columns,
        shape=gathered.shape,
        classes=first.classes if alike else None,
        opposite=first.opposite if alike else "",
        unit=members[0].unit if members[0].scale == scale else "",
        batch=min(member.batch for member in members),
        native=native,
        lineage=(*dict.fromkeys(lineage), how),
        digest=_digest(combination, how),
        notes=tuple(dict.fromkeys((*notes, *gathered.notes))),
        remarks=lambda: tuple(
            f"{member.name}: {remark}" for member in members for remark in remarks_of(member)
        ),
    )
    return over(bare, replace(combination, begin=EnsembleRun))


def with_outputs(ensemble: Model, names: Mapping[str, str]) -> Model:
    """The ensemble and its members, with other names for some of their outputs.

    Args:
        ensemble: a model with a combination.
        names: {present name of an output: its new name}.
    """
    combination = combination_of(ensemble)

    def named(model: Model) -> Model:
        return replace(model, outputs=tuple(names.get(one, one) for one in model.outputs))

    members = tuple(named(member) for member in combination.members)
    return over(named(ensemble), replace(combination, members=members))


def with_labels(ensemble: Model, labels: Sequence[Any]) -> Model:
    """The ensemble and its members, with the labels that the ensemble was fitted with.

    scikit-learn fits members on positions, so what they call 1 may be the second of the labels 1 and 2.

    Args:
        ensemble: a model with a combination; outputs that stand for classes are called after them.
        labels: of all its classes, in order.
    """
    combination = combination_of(ensemble)
    by_name = {str(label): label for label in labels}

    def knowing(model: Model) -> Model:
        one = len(model.outputs) == 1
        of_both = len(labels) == 2 and model.outputs == (str(labels[1]),)
        fits = of_both if one else all(name in by_name for name in model.outputs)
        own = tuple(labels) if one else tuple(by_name.get(name) for name in model.outputs)
        opposite = str(labels[0]) if of_both else ""
        return replace(model, classes=own if fits else None, opposite=opposite)

    members = tuple(knowing(member) for member in combination.members)
    return over(knowing(ensemble), replace(combination, members=members))


def _digest(combination: Combination, how: str) -> str:
    """A hash of members and weights, or "" where a member has none or the rule cannot be hashed."""
    digests = [member.digest for member in combination.members]
    if combination.rule is not None or not all(digests):
        return ""
    state = hashlib.sha256(how.encode())
    for digest, matrix in zip(digests, matrices_of(combination), strict=True):
        state.update(digest.encode() + repr(matrix.shape).encode() + matrix.tobytes())
    state.update(np.asarray(combination.intercept).tobytes())
    if combination.direct is not None:
        state.update(combination.direct.tobytes())
    return state.hexdigest()
