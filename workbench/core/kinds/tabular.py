"""Tables: a row has named columns, which are its players, alone or in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.codes import check_positions
from workbench.core.kinds.kind import Cut, Owners, RowKind, Rows
from workbench.core.markup import encodable
from workbench.errors import InputError


def _check(rows: Rows) -> Mapping[str, Any]:
    """The columns' names, groups and categories, put in order."""
    width = rows.values.shape[1]
    if not width:
        raise InputError(
            f"A table needs at least one column, but has {rows.values.shape}. Give rows (n, f)."
        )
    names = tuple(map(encodable, rows.features)) or tuple(f"x{j}" for j in range(width))
    if len(names) != width:
        raise InputError(f"features must name {width} columns, but name {len(names)}.")
    if len(set(names)) != width:
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(f"Column names must differ, but {twice} occur more than once.")
    groups = _groups(rows, names)
    labels = {
        encodable(column): tuple(x.item() if isinstance(x, np.generic) else x for x in named)
        for column, named in rows.categories.items()
    }
    if unknown := sorted(set(labels) - set(names)):
        raise InputError(f"categories name columns {unknown}, which are not in features.")
    check_positions(rows.values, names, labels, "row")
    return {
        "features": names,
        "groups": MappingProxyType(groups),
        "categories": MappingProxyType(labels),
    }


def _groups(rows: Rows, names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Each group's columns by position."""
    width = len(names)
    position = {name: j for j, name in enumerate(names)}
    groups: dict[str, tuple[int, ...]] = {}
    taken: set[int] = set()
    for group, members in rows.groups.items():
        try:
            columns = tuple(
                position[encodable(m)] if isinstance(m, str) else int(m) for m in members
            )
        except KeyError as error:
            raise InputError(f"Group {group!r} names column {error}, which is not there.") from None
        if not columns or any(not 0 <= j < width for j in columns):
            raise InputError(f"Group {group!r} needs columns in 0..{width - 1}, found {columns}.")
        if taken & set(columns) or len(set(columns)) < len(columns):
            raise InputError(f"Group {group!r} shares a column with another group: {columns}.")
        taken |= set(columns)
        groups[encodable(group)] = columns
    return groups


def _players(rows: Rows, _row: int, _cut: Cut) -> tuple[Owners, tuple[str, ...]]:
    players: Owners = np.full(rows.values.shape[1], -1, dtype=np.intp)
    names: list[str] = []
    owner = {int(j): group for group, columns in rows.groups.items() for j in columns}
    for j, feature in enumerate(rows.features):
        if players[j] >= 0:
            continue
        columns = [int(i) for i in rows.groups[owner[j]]] if j in owner else [j]
        players[columns] = len(names)
        names.append(owner.get(j, feature))
    return players, tuple(names)


def _labels(rows: Rows, row: int, names: Sequence[str]) -> list[str | None]:
    """The cells of columns; groups have none."""
    alone = {name: j for j, name in enumerate(rows.features) if name not in rows.groups}
    return [rows.shown(row, alone[name]) if name in alone else None for name in names]


def _where(rows: Rows, row: int, names: Sequence[str], _owners: Owners | None) -> list[str]:
    return ["group" if cell is None else cell for cell in _labels(rows, row, names)]


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.normal(size=shape)


TABULAR = RowKind(
    name="tabular",
    axes=("n", "f"),
    players=_players,
    columns=True,
    shared_players=True,
    place_names=lambda rows: rows.features,
    check=_check,
    labels=_labels,
    heads=("feature", "its value"),
    where=_where,
    noise=_noise,
)
"""Rows `(n, f)`. Absent columns are taken from the background."""
