"""`RowKind`: everything that differs between tables, images and other kinds of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Owners = NDArray[np.intp]
"""Each place's player `(*places)`; -1 for none."""

Cut = Callable[[NDArray[Any]], Owners]
"""How a method cuts one row into players, where its kind does not fix them: an image's superpixels."""


class Rows(Protocol):
    """What a kind needs to know of some rows: `Inputs`, or an unfinished one."""

    @property
    def values(self) -> NDArray[Any]:
        """The rows `(n, *f)`."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of a table's columns."""

    @property
    def groups(self) -> Mapping[str, Sequence[int | str]]:
        """Columns that are present or absent together."""

    @property
    def categories(self) -> Mapping[str, tuple[Any, ...]]:
        """The labels behind a column's whole numbers."""

    def shown(self, row: int, column: int, /) -> str:
        """One table cell as a person reads it."""


def _nothing_to_check(_rows: Rows) -> Mapping[str, Any]:
    return {}


def _no_labels(_rows: Rows, _row: int, names: Sequence[str]) -> list[str | None]:
    return [None] * len(names)


def _no_places(_rows: Rows, _row: int, names: Sequence[str], _owners: Owners | None) -> list[str]:
    return [""] * len(names)


def _no_remarks(_rows: Rows) -> tuple[str, ...]:
    return ()


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.normal(size=shape)


@dataclass(frozen=True)
class RowKind:
    """One kind of rows: `Inputs`, methods, comparisons and pictures ask this object instead of the name.

    A row's *places* are the positions in its shape without channels; a player owns some of them. With the
    defaults, every method that works on players explains a kind; it is compared player by player, and shown
    as bars.

    Args:
        name: the name, as in `Inputs.kind`.
        axes: the letters of the rows' shape, rows first.
        players: takes rows, the position of one and a method's `Cut`; returns each place's player
            `(*places)` and the players' names.
        spatial: the number of axes along which neighboring places are related: 2 for images, 0 where order
            means nothing. The axes after them are channels; a player owns all channels of its places.
        windows: whether methods may credit single places: windows slide over them, layers have maps of
            them.
        columns: whether a row is a table row, with names, categories and groups.
        shared_players: whether all rows have the same players.
        place_names: returns the names of single places, where each is a player of its own; else None.
        place_plural: the word for single places, such as "pixels".
        check: refuses rows that cannot be of this kind; returns the fields of `Inputs` that it corrects.
        fills: the names of possible replacements for an absent player; see `coalitions.Fill`.
        default_fill: the fill that "auto" means.
        from_row: those of `fills` that are made from the row itself, without a background.
        fill: takes the name of one of these, a row and its owners; returns the replacement row `(*f)`. None
            where `coalitions.fills` makes it.
        labels: takes rows, the position of one and players' names; returns the row's values, or None.
        heads: in tables, the headings of the column of players and of the column that `where` fills.
        where: takes rows, the position of one, the players' names and owners; returns a text for each.
        place_words: the names of a single place's axes.
        deciding: the drift metrics that a verdict rests on.
        noise: takes a generator and a shape; returns random rows to try a model on.
        remarks: takes rows; returns sentences on how they were understood, where that was not certain.

    Example:
        >>> RowKind("beats", ("n", "t"), lambda rows, row, cut: (np.array([0, 0, 1]), ("a", "b"))).ndim
        2
    """

    name: str
    axes: tuple[str, ...]
    players: Callable[[Rows, int, Cut], tuple[Owners, tuple[str, ...]]]
    spatial: int = 0
    windows: bool = False
    columns: bool = False
    shared_players: bool = False
    place_names: Callable[[Rows], tuple[str, ...]] | None = None
    place_plural: str = "places"
    check: Callable[[Rows], Mapping[str, Any]] = _nothing_to_check
    fills: tuple[str, ...] = ("background", "mean", "zero")
    default_fill: str = "background"
    from_row: tuple[str, ...] = ()
    fill: Callable[[str, NDArray[Any], Owners | None], NDArray[Any]] | None = None
    labels: Callable[[Rows, int, Sequence[str]], list[str | None]] = _no_labels
    heads: tuple[str, str] = ("part", "where")
    where: Callable[[Rows, int, Sequence[str], Owners | None], list[str]] = _no_places
    place_words: tuple[str, ...] = ()
    deciding: tuple[str, ...] = ("distance", "spearman_of_sizes")
    noise: Callable[[np.random.Generator, tuple[int, ...]], NDArray[Any]] = _normal
    remarks: Callable[[Rows], tuple[str, ...]] = _no_remarks

    @property
    def ndim(self) -> int:
        """The number of axes, counting the axis of the rows."""
        return len(self.axes)

    @property
    def by_place(self) -> str:
        """Where credit to single places is to be read, as an advice."""
        return "Use maps()." if self.spatial else "Read values."

    @property
    def planar(self) -> bool:
        """Whether a row's places lie in a plane, so that credit can be laid over it as a map."""
        return self.spatial == 2

    def places(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The places of a row of this shape."""
        return shape[: self.spatial] if self.spatial else shape
