"""Images: a row is a height, a width and channels, cut into superpixels by the method that plays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core.kinds.kind import Cut, Owners, RowKind, Rows
from workbench.errors import InputError


def _check(rows: Rows) -> Mapping[str, Any]:
    n, h, w, c = rows.values.shape
    if c not in (1, 3, 4) and h in (1, 3, 4):
        raise InputError(
            f"Images need channels last, (n, h, w, c), but {rows.values.shape} looks like channels first. "
            "Use values.transpose(0, 2, 3, 1)."
        )
    if h in (1, 3) and w == c == 4:
        raise InputError(
            f"Images need channels last, (n, h, w, c), but {rows.values.shape} may as well be channels "
            f"first: {h} channels of 4 x 4 pixels. Use values.transpose(0, 2, 3, 1) for these; images of "
            f"{h} x 4 pixels with four channels can be laid on their side (values.transpose(0, 2, 1, 3))."
        )
    if n and min(h, w, c) == 0:
        raise InputError(
            f"Images need at least one pixel and one channel, but have {rows.values.shape}."
        )
    return {}


def _remarks(rows: Rows) -> tuple[str, ...]:
    """What such sizes leave open: both the first and the last axis may be colors."""
    _, h, w, c = rows.values.shape
    if h not in (1, 3, 4) or (h, w) == (w, c):
        return ()
    return (
        f"The rows {rows.values.shape} are taken as images of {h} x {w} pixels with {c} channels, channels "
        f"last. If they are {h} channels of {w} x {c} pixels, use values.transpose(0, 2, 3, 1).",
    )


def _players(rows: Rows, row: int, cut: Cut) -> tuple[Owners, tuple[str, ...]]:
    players = cut(rows.values[row])
    return players, tuple(f"superpixel {p}" for p in range(players.max() + 1))


def _where(_rows: Rows, _row: int, names: Sequence[str], owners: Owners | None) -> list[str]:
    """Each superpixel's center; "" where this image has no superpixel of that number."""
    parts = []
    for j in range(len(names)):
        places = np.argwhere(np.asarray(owners) == j)
        center = places.mean(axis=0).round().astype(int) if len(places) else None
        parts.append("" if center is None else f"y {center[0]}, x {center[1]}")
    return parts


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    return rng.uniform(0.0, 1.0, shape)


IMAGE = RowKind(
    name="image",
    axes=("n", "h", "w", "c"),
    players=_players,
    spatial=2,
    windows=True,
    place_plural="pixels",
    check=_check,
    fills=("background", "mean", "zero", "blur", "contrast"),
    default_fill="contrast",
    from_row=("mean", "blur", "contrast"),
    heads=("part", "center"),
    where=_where,
    place_words=("y", "x", "channel"),
    deciding=("cosine", "top_places", "scale"),
    noise=_noise,
    remarks=_remarks,
)
"""Rows `(n, h, w, c)`, channels last. An absent part gets a color chosen to differ from it."""
