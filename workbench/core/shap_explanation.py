"""An explanation in shap's own container, which shap's plots draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError, missing


def shap_explanation(results: Sequence[Any]) -> Any:
    """The `shap.Explanation` of one `Attribution` `(n, p)`, or of one per output `(n, p, t)`.

    Tables have a column per player; where a player is one column, `data` holds its numbers and
    `display_data` its labels. Images keep their shape.

    Raises:
        MissingDependency: shap is not installed.
        InputError: the rows' players differ, as superpixels do.
    """
    try:
        from shap import Explanation
    except ImportError:
        raise missing("referees", "to_shap") from None
    first = results[0]
    kind = first.inputs.of_kind
    if kind.columns:
        values = [np.stack([one.by_player(i) for i in range(len(one))]) for one in results]
        errors = [_errors(one) for one in results]
        names: Any = list(first.names[: values[0].shape[1]])
        numbers, shown = _own_values(first, len(names))
    elif kind.spatial:
        values = [
            one.maps()[..., None] if one.players is not None else one.values for one in results
        ]
        values = [one[..., None] if one.ndim == 1 + kind.spatial else one for one in values]
        errors, names, numbers, shown = [None], None, first.inputs.values, None
    else:
        raise InputError(
            f"shap's plots draw tables and images, but these rows are {first.inputs.kind}. Take values and "
            "by_player, or draw them here."
        )
    one_only = len(results) == 1
    known = all(one is not None for one in errors)
    outputs = [one.explained[0] if len(set(one.explained)) == 1 else None for one in results]
    # Of one output shap's picture of images takes no name.
    named = all(name is not None for name in outputs) and (kind.columns or not one_only)
    return Explanation(
        values=values[0] if one_only else np.stack(values, axis=-1),
        base_values=first.base if one_only else np.stack([one.base for one in results], axis=-1),
        data=numbers,
        display_data=shown,
        feature_names=names,
        output_names=(outputs[0] if one_only else outputs) if named else None,
        error_std=(errors[0] if one_only else np.stack(errors, axis=-1)) if known else None,  # type: ignore[arg-type]
        compute_time=first.seconds,
    )


def player_values(result: Any) -> list[list[Any]]:
    """Each row's own value of each player: a column's number or label; of several columns all, as text."""
    inputs = result.inputs
    count = len(result.by_player(0)) if len(result) else 0
    if not inputs.of_kind.columns:
        return [[None] * count for _ in range(len(result))]
    frame = inputs.to_frame()
    members = _members(result, count)
    return [
        [
            frame.iat[row, columns[0]]
            if len(columns) == 1
            else ", ".join(f"{inputs.features[j]} = {inputs.shown(row, j)}" for j in columns)
            for columns in members
        ]
        for row in range(len(result))
    ]


def _members(result: Any, count: int) -> list[list[int]]:
    """Each player's columns."""
    if result.players is None:
        return [[j] for j in range(count)]
    return [np.flatnonzero(result.players == player).tolist() for player in range(count)]


def _own_values(result: Any, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each row's own numbers `(n, p)`, NaN for players of several columns; and as a person reads them."""
    members = _members(result, count)
    values = result.inputs.values
    numbers = np.full((len(result), count), np.nan)
    for player, columns in enumerate(members):
        if len(columns) == 1:
            numbers[:, player] = values[:, columns[0]]
    shown = np.array(player_values(result), dtype=object).reshape(len(result), count)
    return numbers, shown


def _errors(result: Any) -> NDArray[np.float64] | None:
    if result.error is None:
        return None
    rows = [result.error_by_player(i) for i in range(len(result))]
    return np.stack([one for one in rows if one is not None])
