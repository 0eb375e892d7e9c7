"""Rows as the last step of a fitted scikit-learn Pipeline sees them, with one-hot columns as one player."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError

Origins = list[frozenset[int]]
"""For each column, the columns it was made from."""


def transformed(pipeline: Any, inputs: Inputs) -> Inputs:
    """The same rows after the preprocessing of a fitted Pipeline, ready for its last step.

    Columns made from a single original column (one-hot, splines, words of a text) become one player
    with that column's name, so that `wrap(pipeline[-1])` is explained in terms a person knows. A
    column made from several (an interaction, a principal component) is a player of its own. Names that
    scikit-learn gives twice get the column's number.

    Args:
        pipeline: a fitted `sklearn.pipeline.Pipeline`; all steps but the last are applied.
        inputs: original rows and background, as `workbench.data.table` read them.

    Raises:
        IncompatibleError: not a Pipeline with a preprocessing step.
        InputError: the Pipeline is not fitted, cannot transform these rows, or does not say where its
            columns come from.
    """
    from sklearn.exceptions import NotFittedError
    from sklearn.pipeline import Pipeline

    if not isinstance(pipeline, Pipeline) or len(pipeline) < 2:
        raise IncompatibleError(
            "transformed needs a scikit-learn Pipeline with at least one step before the model, but "
            f"got {type(pipeline).__name__}"
            + (f" with {len(pipeline)} step" if isinstance(pipeline, Pipeline) else "")
            + ". A bare model is explained on the rows themselves."
        )
    steps = pipeline[:-1]
    frame = inputs.to_frame()
    try:
        values = _dense(steps.transform(frame))
        names = [str(name) for name in steps.get_feature_names_out()]
        background = inputs.background
        if background is not None:
            background = _dense(steps.transform(inputs.to_frame(background)))
        origins = _origins(steps, list(frame.columns))
    except (NotFittedError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"The rows of {inputs.name!r} with columns {list(inputs.features)[:20]} must go through "
            f"the Pipeline's steps {[name for name, _ in steps.steps]}, but: {error} "
            "Fit the Pipeline on a frame with these columns first, and give every step "
            "get_feature_names_out."
        ) from error
    if not len(names) == len(origins) == values.shape[1]:
        raise InputError(
            f"The Pipeline names {len(names)} columns but makes {values.shape[1]}, so they cannot be "
            "told apart. Give its steps a get_feature_names_out that names every column."
        )
    owners, players = inputs.players()
    made: dict[int, list[int]] = {}
    for column, sources in enumerate(origins):
        owner = {int(owners[j]) for j in sources}
        if len(owner) == 1:
            made.setdefault(owner.pop(), []).append(column)
    return Inputs(
        values,
        kind="tabular",
        features=tuple(
            f"{name} #{column}" if names.count(name) > 1 else name
            for column, name in enumerate(names)
        ),
        background=background,
        groups={players[player]: columns for player, columns in made.items() if len(columns) > 1},
        y=inputs.y,
        ids=inputs.ids,
        name=f"{inputs.name}, preprocessed",
    )


def _dense(values: Any) -> NDArray[np.float64]:
    if hasattr(values, "toarray"):
        values = values.toarray()
    return np.asarray(values, dtype=np.float64)


def _origins(step: Any, columns: Sequence[str]) -> Origins:
    """The source of each output column of a fitted transformer, as positions of `columns`."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    own: Origins = [frozenset({j}) for j in range(len(columns))]
    if step == "drop":
        return []
    if step is None or step == "passthrough":
        return own
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            names = _names(inner, columns)
            own = _through(_origins(inner, columns), own)
            columns = names
        return own
    if isinstance(step, FeatureUnion):
        return [origin for _, inner in step.transformer_list for origin in _origins(inner, columns)]
    if isinstance(step, ColumnTransformer):
        made: Origins = []
        for name, inner, chosen in step.transformers_:
            where = step.output_indices_.get(name, slice(0, 0))
            if where.stop > where.start:
                picked = _positions(chosen, columns)
                origins = _origins(inner, [columns[j] for j in picked])
                made += _through(origins, [frozenset({j}) for j in picked])
        return made
    return _leaf_origins(step, len(columns))


def _names(step: Any, columns: Sequence[str]) -> list[str]:
    if step is None or step == "passthrough":
        return list(columns)
    return [str(name) for name in step.get_feature_names_out(_expected(step, columns))]


def _expected(step: Any, columns: Sequence[str]) -> NDArray[Any]:
    # A step that was fitted on a frame accepts only the names it saw there.
    return np.asarray(getattr(step, "feature_names_in_", columns), dtype=object)


def _through(outer: Origins, inner: Origins) -> Origins:
    return [frozenset().union(*(inner[j] for j in sources)) for sources in outer]


def _positions(chosen: Any, columns: Sequence[str]) -> list[int]:
    if isinstance(chosen, str | int | np.integer):
        chosen = [chosen]
    if isinstance(chosen, slice):
        ends = [
            columns.index(end) + offset if isinstance(end, str) else end
            for end, offset in ((chosen.start, 0), (chosen.stop, 1))  # a slice of names keeps both
        ]
        return list(range(len(columns)))[slice(ends[0], ends[1], chosen.step)]
    picked = np.asarray(list(chosen), dtype=object)
    if len(picked) and all(isinstance(x, bool | np.bool_) for x in picked):
        return np.flatnonzero(picked.astype(bool)).tolist()
    return [
        list(columns).index(x) if isinstance(x, str) else range(len(columns))[int(x)]
        for x in picked
    ]


def _leaf_origins(step: Any, width: int) -> Origins:
    """One transformer's sources, read from the names it gives to columns with unmistakable names."""
    probe = copy.copy(step)
    if hasattr(probe, "feature_names_in_"):
        del probe.feature_names_in_  # otherwise only the names seen in the fit are accepted
    markers = np.array([f"⟦{j}⟧" for j in range(width)], dtype=object)
    names = probe.get_feature_names_out(markers)
    found = [frozenset(int(j) for j in re.findall("⟦([0-9]+)⟧", str(name))) for name in names]
    # A name without any column in it (pca0, a word of a text) may depend on all of them.
    return [origin or frozenset(range(width)) for origin in found]
