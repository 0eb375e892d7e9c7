"""Signals: a row is samples in order, each with its channels, cut into equal pieces of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.core.kinds.kind import Cut, Owners, RowKind, Rows
from workbench.errors import InputError


def _check(rows: Rows) -> Mapping[str, Any]:
    n, t, c = rows.values.shape
    if n and min(t, c) == 0:
        raise InputError(
            f"Signals need at least one sample and one channel, but have {rows.values.shape}."
        )
    if t == 1 and c > 1:
        raise InputError(
            f"Signals need channels last, (n, t, c), but {rows.values.shape} is one sample of {c} "
            "channels, which looks like channels first. Use values.transpose(0, 2, 1)."
        )
    return {}


def _remarks(rows: Rows) -> tuple[str, ...]:
    """Fewer samples than channels are possible, but rare."""
    _, t, c = rows.values.shape
    if c <= t:
        return ()
    return (
        f"The rows {rows.values.shape} are taken as signals of {t} samples with {c} channels, channels "
        f"last. If they are {t} channels of {c} samples, use values.transpose(0, 2, 1).",
    )


def _players(rows: Rows, row: int, cut: Cut) -> tuple[Owners, tuple[str, ...]]:
    owners = cut(rows.values[row])
    return owners, tuple(_span(owners, j) for j in range(owners.max() + 1))


def _span(owners: Owners, player: int) -> str:
    """The first and the last sample of a piece; the same in every row, whose pieces are equal."""
    places = np.flatnonzero(owners == player)
    if len(places) == 1:
        return f"sample {places[0]}"
    return f"samples {places[0]} to {places[-1]}"


def _where(_rows: Rows, _row: int, names: Sequence[str], owners: Owners | None) -> list[str]:
    places = [np.flatnonzero(np.asarray(owners) == j) for j in range(len(names))]
    return [f"{one.mean():g}" if len(one) else "" for one in places]


SIGNAL = RowKind(
    name="signal",
    axes=("n", "t", "c"),
    players=_players,
    spatial=1,
    windows=True,
    place_plural="samples",
    check=_check,
    fills=("background", "mean", "zero", "blur", "contrast"),
    default_fill="contrast",
    from_row=("mean", "blur", "contrast"),
    heads=("segment", "middle"),
    where=_where,
    place_words=("sample", "channel"),
    deciding=("cosine", "top_places", "scale"),
    remarks=_remarks,
)
"""Rows `(n, t, c)`, channels last. An absent part gets in each channel a level that differs from it."""
