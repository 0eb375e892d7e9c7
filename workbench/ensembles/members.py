"""An ensemble's members, matched by name to the same columns and the same outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Call, Column, Inputs, Model, Trees, kinds, same_codes
from workbench.core.inputs import Kind
from workbench.errors import IncompatibleError, InputError
from workbench.models.tabular import in_columns

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Gathered:
    """Members that read the same rows.

    Args:
        models: the members, each reading the ensemble's columns.
        kind: the kind of a row, or None where no member states one.
        features: the ensemble's columns, or () where no member knows names.
        shape: the shape of a row, or () where no member states one.
        notes: sentences for the user on which member reads which columns.
        categories: the labels behind the numbers of its columns; None where no member states them.
        columns: the types of the columns, such as dates; () where all hold plain numbers and labels.
    """

    models: tuple[Model, ...]
    kind: Kind | None
    features: tuple[str, ...]
    shape: tuple[int | None, ...]
    notes: tuple[str, ...]
    categories: Mapping[str, tuple[Any, ...]] | None = None
    columns: tuple[Column, ...] = ()


def gather(models: Sequence[Model], like: Inputs | None) -> Gathered:
    """The members over one set of columns: those of `like`, or of the member that has all of them.

    A member that names its columns gets them by name, in its own order; a member that does not must read
    all of them, in the ensemble's order.

    Raises:
        InputError: no models, a name or an output twice, or columns or shapes that do not go together; the
            message names them.
        IncompatibleError: members that read rows of different kinds.
    """
    models = tuple(models)
    names = [model.name for model in models]
    if not models:
        raise InputError("An ensemble needs at least one member, but none was given.")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            f"The members of an ensemble need different names, but {twice} occur more than once. "
            "Rename them with model.renamed(...)."
        )
    for model in models:
        if len(set(model.outputs)) < len(model.outputs):
            again = sorted({one for one in model.outputs if model.outputs.count(one) > 1})
            raise InputError(
                f"Outputs are matched by name, so those of a member must differ, but {model.name!r} has "
                f"{again[:8]} more than once. Wrap it with other outputs=[...]."
            )
    read_by = {model.kind: model.name for model in models if model.kind is not None}
    if like is not None:
        read_by.setdefault(like.kind, like.name)
    if len(read_by) > 1:
        found = ", ".join(f"{name!r} reads {kind}" for kind, name in read_by.items())
        raise IncompatibleError(
            f"The members of an ensemble must read rows of one kind, but {found}. Leave out the others."
        )
    kind = next(iter(read_by), None)
    other = kind is not None and not kinds.has_columns(kind)
    if other or not (like is not None or any(model.features for model in models)):
        unnamed = all(one.categories is None for one in models)
        return Gathered(models, kind, (), _shape(models), (), None if unnamed else {})
    features = like.features if like is not None else _widest(models)
    read, notes = [], []
    for model in models:
        if not model.features:
            if model.shape and model.shape != (len(features),):
                raise InputError(
                    f"Member {model.name!r} does not name its columns, so it must read all "
                    f"{len(features)} of the ensemble ({list(features)[:8]}), but reads "
                    f"{model.shape[0]}. Wrap it with like=rows, so that its columns have names."
                )
            read.append(model)
            continue
        order = _places(model, features)
        if len(order) < len(features):
            notes.append(
                f"Member {model.name!r} reads {len(order)} of the {len(features)} columns, by name."
            )
        read.append(model if model.features == features else in_order(model, features, order))
    known = _categories(models, like, features)
    if known is not None:
        read = [replace(model, categories=known) for model in read]
    columns = _columns(models, like, features)
    read = [replace(model, columns=columns) for model in read]
    shape = (len(features),)
    return Gathered(tuple(read), "tabular", features, shape, tuple(notes), known, columns)


def _columns(
    models: Sequence[Model], like: Inputs | None, features: tuple[str, ...]
) -> tuple[Column, ...]:
    """The types of the columns, on which all members agree as far as their numbers mean something else.

    Raises:
        InputError: one member reads dates where another reads plain numbers.
    """
    claims = [
        (f"member {model.name!r}", model.features or features, model.columns) for model in models
    ]
    if like is not None:
        claims.insert(0, (f"{like.name!r}", like.features, like.columns))
    found: dict[str, tuple[str, Column]] = {}
    for who, read, columns in claims:
        for name, column in zip(read, columns or [Column()] * len(read), strict=True):
            first, known = found.setdefault(name, (who, column))
            if known.unit != column.unit:
                raise InputError(
                    f"Members must read the same numbers alike, but in column {name!r} {first} reads "
                    f"{known.unit or 'plain numbers'} and {who} {column.unit or 'plain numbers'}. Wrap all "
                    "members with the same like=rows."
                )
            if known == Column():
                found[name] = (who, column)
    typed = any(columns for _, _, columns in claims)
    return tuple(found[name][1] for name in features) if typed else ()


def _categories(
    models: Sequence[Model], like: Inputs | None, features: tuple[str, ...]
) -> dict[str, tuple[Any, ...]] | None:
    """{column: labels} on which all members agree, or None where none of them states labels.

    Raises:
        InputError: two of them read a column's numbers as positions in different labels.
    """
    claims = [
        (f"member {model.name!r}", model.features or features, model.categories)
        for model in models
        if model.categories is not None
    ]
    if like is not None:
        claims.append((f"{like.name!r}", like.features, like.categories))
    found: dict[str, tuple[str, tuple[Any, ...] | None]] = {}
    for who, read, categories in claims:
        for column in read:
            labels = categories.get(column)
            first, known = found.setdefault(column, (who, labels))
            if not (same_codes(known, labels) or same_codes(labels, known)):
                raise InputError(
                    f"Members must read the same numbers alike, but in column {column!r} {first} reads "
                    f"{_meant(known)} and {who} {_meant(labels)}. Wrap all members with the same like=rows."
                )
            if len(labels or ()) > len(known or ()):
                found[column] = (who, labels)
    return {column: known for column, (_, known) in found.items() if known} if claims else None


def _meant(labels: tuple[Any, ...] | None) -> str:
    return "plain numbers" if labels is None else f"positions in {list(labels[:10])}"


def _widest(models: Sequence[Model]) -> tuple[str, ...]:
    widest = max(models, key=lambda model: len(model.features))
    for model in models:
        missing = [name for name in model.features if name not in widest.features]
        if missing:
            raise InputError(
                f"Members must find their columns in the rows of the ensemble, but {model.name!r} reads "
                f"{missing[:8]}, which {widest.name!r} does not have (it reads "
                f"{list(widest.features)[:8]}). Give like=rows that hold the columns of both, or rename "
                "the columns."
            )
    return widest.features


def _places(model: Model, features: tuple[str, ...]) -> NDArray[np.intp]:
    missing = [name for name in model.features if name not in features]
    if missing:
        raise InputError(
            f"Member {model.name!r} reads columns {list(model.features)[:8]}, but the rows have "
            f"{list(features)[:8]}. Missing: {missing[:8]}. Give rows with these columns."
        )
    return np.array([features.index(name) for name in model.features], dtype=np.intp)


def _shape(models: Sequence[Model]) -> tuple[int | None, ...]:
    shape: tuple[int | None, ...] = ()
    for model in models:
        if not model.shape:
            continue
        if not shape:
            shape, first = model.shape, model.name
            continue
        pairs = list(zip(shape, model.shape, strict=False))
        if len(shape) != len(model.shape) or any(None not in p and p[0] != p[1] for p in pairs):
            raise InputError(
                f"The members of an ensemble must read the same rows, but {first!r} reads rows of "
                f"{shape} and {model.name!r} of {model.shape}. Leave one of them out."
            )
        shape = tuple(b if a is None else a for a, b in pairs)
    return shape


def in_order(model: Model, features: tuple[str, ...], order: NDArray[np.intp]) -> Model:
    """The same model over rows in which its own columns are those at `order`.

    Args:
        model: a model that reads `len(order)` columns.
        features: the columns of the wider rows, or () where they have no names.
        order: for each of the model's columns, its place in the wider rows.

    Returns:
        A plain model, even where `model` is an ensemble.
    """
    width = len(features)

    def narrowed(call: Call) -> Any:
        def widened(narrow: NDArray[Any]) -> NDArray[Any]:
            wide = np.zeros((*narrow.shape[:2], call["rows"].shape[1]), dtype=narrow.dtype)
            wide[:, :, order] = narrow
            return wide

        mine = call.taking(
            rows=lambda rows: rows[:, order],
            row=lambda row: row[order],
            fills=lambda fills: fills[:, order],
            players=lambda players: players[order],
        )
        return call.giving(mine(), gradients=widened)

    @cache
    def trees() -> Trees:
        return in_columns(model.trees(), order, {})  # type: ignore[misc]

    return replace(
        model.through(narrowed),
        trees=None if model.trees is None else trees,
        features=features,
        shape=(width,) if width else (),
        columns=(),  # those of the wider rows are the caller's to say
        combination=None,  # the members of an inner ensemble read that ensemble's columns
    )


def common_outputs(models: Sequence[Model]) -> tuple[str, ...]:
    """The ensemble's outputs: the first member's, or one logit if a member has one for two classes."""
    single = [model.outputs for model in models if len(model.outputs) == 1]
    return single[0] if single else models[0].outputs


def view_of(model: Model, outputs: tuple[str, ...]) -> Array:
    """The weights `(K, k)` of a member's outputs in each of the ensemble's outputs, matched by name.

    >>> model = Model("m", lambda rows: rows, ("dog", "cat"), "logit")
    >>> view_of(model, ("cat", "dog"))
    array([[0., 1.],
           [1., 0.]])
    >>> view_of(model, ("cat",))  # two softmax inputs: the log-odds are their difference
    array([[-1., 1.]])

    Raises:
        InputError: the outputs are not the same; the message lists the differences.
    """
    if set(model.outputs) == set(outputs) and len(model.outputs) == len(outputs):
        return np.array([[float(own == one) for own in model.outputs] for one in outputs])
    if model.scale == "logit" and (len(model.outputs), len(outputs)) == (2, 1):
        (one,) = outputs
        if one in model.outputs:
            return np.array([[1.0 if own == one else -1.0 for own in model.outputs]])
    missing = [one for one in outputs if one not in model.outputs]
    more = [own for own in model.outputs if own not in outputs]
    raise InputError(
        f"The members of an ensemble must have the same outputs (in any order), but {model.name!r} has "
        f"{list(model.outputs)[:20]} where the ensemble has {list(outputs)[:20]}: it lacks "
        f"{missing[:8]} and has {more[:8]} besides. Wrap it with the right outputs=[...], or leave it out."
    )
