"""Kinds of rows, one file each; `Inputs.kind` is a kind's name, `Inputs.of_kind` the kind itself.

A kind of your own is added with `add`, before its first `Inputs`:

>>> from workbench.core import kinds
>>> kinds.names()
('tabular', 'image', 'signal', 'volume')
>>> kinds.of("image").axes
('n', 'h', 'w', 'c')
"""

from __future__ import annotations

from workbench.core.kinds.image import IMAGE
from workbench.core.kinds.kind import Cut, Owners, RowKind, Rows
from workbench.core.kinds.signal import SIGNAL
from workbench.core.kinds.tabular import TABULAR
from workbench.core.kinds.volume import VOLUME
from workbench.errors import InputError

__all__ = [
    "PLACED",
    "Cut",
    "Owners",
    "RowKind",
    "Rows",
    "add",
    "has_columns",
    "names",
    "of",
    "remove",
    "with_axes",
]

_OURS = (TABULAR, IMAGE, SIGNAL, VOLUME)
_known = {one.name: one for one in _OURS}

PLACED = tuple(one.name for one in _OURS if one.windows)
"""The kinds whose single places can be credited: images, signals and volumes."""


def names() -> tuple[str, ...]:
    """The kinds that rows may have."""
    return tuple(_known)


def of(name: str, wanted: str = "Inputs need a kind of") -> RowKind:
    """The kind of this name; `wanted` begins the error message where there is none.

    Raises:
        InputError: there is no such kind; names those there are.
    """
    found = _known.get(name) if isinstance(name, str) else None
    if found is not None:
        return found
    if name == "text":
        raise InputError(
            "Text cannot be explained yet: no method here plays words, so rows of kind='text' would be "
            "taken for something else. Turn the text into numbers, such as word counts, and give "
            "kind='tabular'."
        )
    raise InputError(f"{wanted} {list(_known)}, not {name!r}.")


def with_axes(ndim: int) -> str | None:
    """The first kind with so many axes, counting the axis of the rows, or None.

    >>> [with_axes(ndim) for ndim in (2, 3, 4, 5, 6)]
    ['tabular', 'signal', 'image', 'volume', None]
    """
    return next((one.name for one in _OURS if one.ndim == ndim), None)


def has_columns(name: str | None) -> bool:
    """Whether rows of this kind are table rows; False where no kind is given.

    >>> has_columns("tabular"), has_columns("image"), has_columns(None)
    (True, False, False)
    """
    return name is not None and of(name).columns


def add(kind: RowKind) -> None:
    """Adds a kind of rows of your own, until `remove`; `draw.add_pictures` adds its pictures.

    Raises:
        InputError: the name is taken, the kind has no axis for rows, or its default fill is not among its
            fills.
    """
    if kind.name in _known:
        raise InputError(
            f"A new kind needs a name of its own, but {kind.name!r} is one of {list(_known)}. Choose "
            "another, or remove that one first."
        )
    if not kind.name or kind.ndim < 2 or not 0 <= kind.spatial < kind.ndim:
        raise InputError(
            f"A kind needs a name, axes for rows and for what they hold, and at most so many spatial ones, "
            f"but {kind.name!r} has {kind.axes} and spatial={kind.spatial}. Give axes such as ('n', 't')."
        )
    strange = sorted({kind.default_fill, *kind.from_row} - set(kind.fills))
    if strange:
        raise InputError(
            f"A kind's fills are {list(kind.fills)}, but {kind.name!r} also speaks of {strange}. Add them "
            "to its fills."
        )
    _known[kind.name] = kind


def remove(name: str) -> None:
    """Removes a kind that was added; rows of that kind can no longer be used.

    Raises:
        InputError: it was not added.
    """
    if name not in _known or name in {one.name for one in _OURS}:
        raise InputError(
            f"Only an added kind can be removed, but {name!r} is not one. Added are "
            f"{[one for one in _known if one not in {ours.name for ours in _OURS}]}."
        )
    del _known[name]
