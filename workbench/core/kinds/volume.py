"""Volumes: a row is a depth, a height, a width and channels, cut into segments by the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.kinds.kind import Cut, Owners, RowKind, Rows
from workbench.errors import InputError

_CHANNELS = 4  # at most so many are usual


def _check(rows: Rows) -> Mapping[str, Any]:
    n, *places, c = rows.values.shape
    if n and min(*places, c) == 0:
        raise InputError(
            f"Volumes need at least one voxel and one channel, but have {rows.values.shape}."
        )
    if places[0] == 1 and c > _CHANNELS:
        raise InputError(
            f"Volumes need channels last, (n, d, h, w, c), but {rows.values.shape} looks like channels "
            "first. Use values.transpose(0, 2, 3, 4, 1)."
        )
    return {}


def _remarks(rows: Rows) -> tuple[str, ...]:
    _, d, h, w, c = rows.values.shape
    if d > _CHANNELS or c <= _CHANNELS:
        return ()
    return (
        f"The rows {rows.values.shape} are taken as volumes of {d} x {h} x {w} voxels with {c} channels, "
        f"channels last. If they are {d} channels of {h} x {w} x {c} voxels, use "
        "values.transpose(0, 2, 3, 4, 1).",
    )


def _players(rows: Rows, row: int, cut: Cut) -> tuple[Owners, tuple[str, ...]]:
    owners = cut(rows.values[row])
    return owners, tuple(f"segment {p}" for p in range(owners.max() + 1))


def _where(_rows: Rows, _row: int, names: Sequence[str], owners: Owners | None) -> list[str]:
    """The edges of a box, the center of any other segment; "" where this row has none of that number."""
    parts = []
    for j in range(len(names)):
        places = np.argwhere(np.asarray(owners) == j)
        if not len(places):
            parts.append("")
            continue
        low, high = places.min(axis=0), places.max(axis=0)
        if len(places) == np.prod(high - low + 1):
            spans = zip("zyx", low, high, strict=True)
            parts.append(", ".join(f"{axis} {a}" + f"-{b}" * bool(a < b) for axis, a, b in spans))
        else:
            center = places.mean(axis=0).round().astype(int)
            parts.append(
                "around "
                + ", ".join(f"{axis} {at}" for axis, at in zip("zyx", center, strict=True))
            )
    return parts


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.uniform(0.0, 1.0, shape)


VOLUME = RowKind(
    name="volume",
    axes=("n", "d", "h", "w", "c"),
    players=_players,
    spatial=3,
    windows=True,
    place_plural="voxels",
    check=_check,
    fills=("background", "mean", "zero", "blur", "contrast"),
    default_fill="contrast",
    from_row=("mean", "blur", "contrast"),
    heads=("segment", "place"),
    where=_where,
    place_words=("z", "y", "x", "channel"),
    deciding=("cosine", "top_places", "scale"),
    noise=_noise,
    remarks=_remarks,
)
"""Rows `(n, d, h, w, c)`, channels last. An absent part gets, in each channel, a level chosen to differ."""
