"""How rows reach a fitted estimator: as it was fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, ambiguous, clean, plain_numbers
from workbench.errors import InputError, ModelError
from workbench.models.asking import Serialized, said_by, step_of
from workbench.models.columns import check_numbers, columns_in
from workbench.models.given import (
    POSITIONS,
    Form,
    about_positions,
    accepted,
    as_array,
    as_column,
    as_float32,
    as_frame,
    differing,
    labels_unseen,
    nothing_accepted,
    seeing,
    typed,
)

Rows = Callable[[NDArray[Any]], Any]
Order = NDArray[np.intp] | None

_METHODS = ("predict_proba", "decision_function", "score_samples", "predict", "transform")


@dataclass(frozen=True, eq=False)
class Fitted:
    """How rows reach an estimator.

    Args:
        rows_of: from rows to what the estimator was fitted on.
        order: the row column of each of its columns, or None where the rows reach it unchanged.
        notes: sentences the user should know.
        frames: whether it gets frames, or None where that is not known.
    """

    rows_of: Rows
    order: Order
    notes: tuple[str, ...] = ()
    frames: bool | None = None


def fitted_on(
    estimator: Any, name: str, like: Inputs | None, *, frames: bool | None = None
) -> Fitted:
    """How rows reach an estimator: by the names it keeps, as the user says, or as trying shows.

    Args:
        estimator: the step that rows reach first, with all steps behind it.
        name: what messages call it.
        like: rows to try.
        frames: whether it reads frames, where the user says so.

    Raises:
        InputError: several forms are accepted and give different scores, or a column is missing.
        ModelError: no form is accepted.
    """
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and frames is not False:
        return _by_name([str(column) for column in names], name, like)
    if like is None or not (typed(like) or (frames is not None and like.of_kind.columns)):
        check_numbers(like, name)
        return Fitted(np.asarray, None)
    form = _form(estimator, name, like, frames)
    changed = form.of is not np.asarray
    notes = (
        list(about_positions(like))
        if form is POSITIONS
        else [
            f"The labels of column {column!r}, {list(labels)[:5]}, reach the model as these numbers."
            for column, labels in like.categories.items()
            if form.frames is False and ambiguous(labels)
        ]
    )
    if form.frames and frames is None:
        notes.append(
            "It keeps no names of its columns: what reads them by position takes them in the order of "
            "these rows."
        )
    order = np.arange(len(like.features)) if changed else None
    return Fitted(form.of, order, tuple(notes), form.frames)


def _by_name(columns: list[str], name: str, like: Inputs | None) -> Fitted:
    if like is None:
        import pandas as pd

        return Fitted(lambda rows: pd.DataFrame(rows, columns=columns), None)
    order, notes = columns_in(like, columns, name)

    def named(rows: NDArray[Any]) -> Any:
        frame = like.to_frame(rows)
        if list(frame.columns) == columns:
            return frame
        return frame.iloc[:, order].set_axis(columns, axis=1)

    return Fitted(named, order, tuple(notes))


def _form(estimator: Any, name: str, like: Inputs, frames: bool | None) -> Form:
    ask = Serialized(name, estimator, lambda given: asked(estimator, given))
    if frames is not None:
        form = as_frame(like) if frames else as_array(like)
        text = any(not (plain_numbers(one) or ambiguous(one)) for one in like.categories.values())
        if not frames and text and not seeing(accepted([form], like, ask)[0], like, ask):
            check_numbers(like, name)
            return POSITIONS
        return form
    forms = [as_frame(like), as_array(like)]
    if len(like.features) == 1:
        forms = [as_column(like), *forms]
    able, refused, alike = accepted(forms, like, ask)
    if any(ambiguous(labels) for labels in like.categories.values()) and any(
        one.form.frames is False for one in able
    ):  # a model of numbers takes them for what it was fitted on, labels or positions
        check_numbers(like, name, asked=True)
    if not alike:
        raise differing(name, able)
    if able and not (able := seeing(able, like, ask)):
        raise labels_unseen(name, like)
    if not able:
        able, _, _ = accepted([as_float32(like)], like, ask)
    if not able:
        first = refused[0].error or ValueError(refused[0].why)
        gap = refuses_gaps(first, estimator, name, like.values[:2], like.features)
        raise gap or nothing_accepted(name, like, refused)
    return able[0].form


def asked(estimator: Any, given: Any) -> Any:
    """What an estimator gives for rows, by the first of its methods that says most about them."""
    method = next(one for one in _METHODS if hasattr(estimator, one))
    return getattr(estimator, method)(given)


def columns_of(estimator: Any, like: Inputs | None) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """The names of the rows' columns where they are known, and the shape of a row."""
    if like is not None:
        return like.features, like.values.shape[1:]
    fitted = getattr(estimator, "feature_names_in_", None)
    width = getattr(estimator, "n_features_in_", None)
    names = () if fitted is None else tuple(str(column) for column in fitted)
    return names, () if width is None else (int(width),)


def categories_of(estimator: Any, like: Inputs | None) -> Mapping[str, tuple[Any, ...]] | None:
    """What is known about the labels: a frame without its labels can only be made of numbers."""
    if like is not None:
        return like.categories
    return None if getattr(estimator, "feature_names_in_", None) is None else {}


def typical_row(estimator: Any, like: Inputs | None) -> NDArray[Any]:
    """A row to try: the first of `like`, else ones, which have a logarithm."""
    if like is not None:
        return like.values[:1]
    return np.ones((1, int(getattr(estimator, "n_features_in_", 1))))


_GAPS = ("nan", "infin", "missing", "too large", "finite", "null")


def refuses_gaps(
    error: Exception, estimator: Any, name: str, rows: Any, features: tuple[str, ...]
) -> ModelError | None:
    """The error for rows with missing or infinite values that a step refuses, or None for other errors.

    >>> rows = np.array([[1.0, 2.0], [np.nan, np.inf]])
    >>> print(refuses_gaps(ValueError("Input contains NaN."), 3, "risk", rows, ("age", "dose")))
    Model 'risk' needs values that are there and finite, but 1 of 2 rows (first: row 1) hold missing or
    infinite ones in columns ['age', 'dose'], which int refuses: Input contains NaN. Leave these rows out,
    or fit it with a step that fills them, such as SimpleImputer.
    """
    values = np.asarray(rows)
    text = said_by(error).lower()
    if values.ndim != 2 or values.dtype.kind != "f" or not any(word in text for word in _GAPS):
        return None
    gaps = np.isinf(values) if "infin" in text and "nan" not in text else ~np.isfinite(values)
    if not gaps.any():
        return None
    bad, columns = np.flatnonzero(gaps.any(axis=1)), np.flatnonzero(gaps.any(axis=0))
    named = [features[j] if features else f"x{j}" for j in columns[:10]]
    step = step_of(error)
    who = f"its step {clean(step)!r}" if step else type(estimator).__name__
    return ModelError(
        f"Model {name!r} needs values that are there and finite, but {len(bad)} of {len(values)} rows "
        f"(first: row {bad[0]}) hold missing or infinite ones in columns {named}, which {who} refuses: "
        f"{clean(said_by(error))} Leave these rows out, or fit it with a step that fills them, such as "
        "SimpleImputer."
    )


def check_fitted(estimator: Any, final: Any, name: str) -> None:
    """Refuses an estimator of scikit-learn that says it is not fitted; of others only trying tells.

    Raises:
        InputError: it is not.
    """
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not type(final).__module__.startswith("sklearn."):
        return
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise not_fitted(name) from None
    except TypeError:  # no `fit`: whoever wrote it decides what it needs
        return


def not_fitted(name: str) -> InputError:
    """The error for an estimator that was not fitted."""
    return InputError(
        f"A fitted estimator is needed, but {name!r} has not been fitted. Call fit first."
    )
