"""`RowKind`: everything that differs between a table, an image and whatever else a row may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Owners = NDArray[np.intp]
"""Each place's player `(*places)`; -1 for none."""

Cut = Callable[[NDArray[Any]], Owners]
"""How a method cuts one row into players, where the row itself does not say: an image's superpixels."""


class Rows(Protocol):
    """What a kind needs to know of some rows: `Inputs`, or the draft of one."""

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


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.normal(size=shape)


@dataclass(frozen=True)
class RowKind:
    """One kind of rows: what `Inputs`, methods, comparisons and pictures ask it instead of its name.

    A row's *places* are its shape without channels: what one player may own. With the defaults a kind is
    explained by every method that plays players, compared by them, and shown as bars.

    Args:
        name: what `Inputs.kind` says.
        axes: the letters of the rows' shape, rows first.
        players: rows, the position of one and a method's `Cut` to each place's player `(*places)` and the
            players' names.
        spatial: along how many axes a row's places lie side by side: 2 for images, 0 where order means
            nothing. The axes after them are channels, which a player owns whole.
        columns: whether a row is a line of a table, with names, categories and groups.
        shared_players: whether all rows have the same players.
        place_names: the names of single places, where each is a player of its own; else None.
        place_plural: what single places are called.
        check: refuses rows that cannot be of this kind, and says which fields of `Inputs` it puts in order.
        fills: what may stand in for an absent player, as `coalitions.Fill` says.
        default_fill: what "auto" means.
        from_row: those of `fills` that are made of the row itself, without a background.
        fill: the name of one of these, a row and its owners to the row that stands in `(*f)`; None where
            `coalitions.fills` makes them.
        labels: rows, the position of one and players' names to what that row holds there, or None.
        heads: what tables call a player, and what is said of it.
        where: rows, the position of one, the players' names and owners to what is said of each.
        place_words: what the axes of a single place are called.
        deciding: the drift metrics that a verdict rests on.
        noise: a generator and a shape to rows that a model of this kind can be tried on.

    Example:
        >>> RowKind("signal", ("n", "t"), lambda rows, row, cut: (np.array([0, 0, 1]), ("a", "b"))).ndim
        2
    """

    name: str
    axes: tuple[str, ...]
    players: Callable[[Rows, int, Cut], tuple[Owners, tuple[str, ...]]]
    spatial: int = 0
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

    @property
    def ndim(self) -> int:
        """The number of the rows' axes, rows themselves among them."""
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
