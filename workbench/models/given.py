"""How a table reaches a model: as the frame it was, as an array, or as one column; found by trying.

A model that keeps the names of its columns says itself that it was fitted on a frame. Of the others nobody
knows, so each form is tried on a few rows. Where one form alone is accepted, that is the one; where several
are accepted and give the same scores, it does not matter; where they differ, only the user can say.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, ambiguous, clean, plain_numbers
from workbench.errors import InputError, ModelError
from workbench.models.asking import Serialized, failures, said_by, step_of
from workbench.models.columns import coded, number_of

Rows = NDArray[Any]

_CYCLED = 16  # labels of a column that are tried; more would cost much and show little
_BASES = 8  # rows in which labels are exchanged

_NAMES = ("X has feature names, but", "X does not have valid feature names, but")
"""How scikit-learn and LightGBM say that the fit had columns of another sort."""


@dataclass(frozen=True, eq=False)
class Form:
    """One way to hand rows to a model.

    Args:
        word: the form as a sentence names it.
        of: from rows `(n, f)` to what the model gets.
        frames: the value of `wrap(..., frames=)` that means this form, or None where there is none.
    """

    word: str
    of: Callable[[Rows], Any]
    frames: bool | None = None


def typed(like: Inputs | None) -> bool:
    """Whether rows came from a frame, so that other forms than an array of numbers are possible.

    >>> typed(None), typed(Inputs([[1.0]], kind="tabular"))
    (False, False)
    """
    return like is not None and like.of_kind.columns and bool(like.columns)


def as_frame(like: Inputs) -> Form:
    """The frame, with the names, labels and types that `like` was read with."""
    return Form("a frame", like.to_frame, True)


def as_array(like: Inputs) -> Form:
    """The array that the frame's own `to_numpy` gives: labels stay labels, never their positions.

    >>> rows = Inputs([[1.0]], kind="tabular", categories={"x0": (5, 9)})
    >>> as_array(rows).of(rows.values)
    array([[9]])
    """
    numeric = all(
        plain_numbers(labels) or ambiguous(labels) for labels in like.categories.values()
    ) and not any(column.unit for column in like.columns)
    if not like.categories and all(column.dtype == "float64" for column in like.columns):
        return Form("an array", np.asarray, False)
    tables = {
        like.features.index(name): number_of(labels, name, like.name)
        for name, labels in (like.categories.items() if numeric else ())
    }

    def of(rows: Rows) -> Any:
        cells = like.to_frame(rows).to_numpy()
        if not numeric or cells.dtype.kind in "biuf":
            return cells
        numbers = np.array(rows, dtype=np.float64)
        for column, table in tables.items():
            numbers[:, column] = coded(numbers[:, column], table, like.features[column])
        return numbers

    return Form("an array", of, False)


POSITIONS = Form("an array of positions of labels", np.asarray)
"""An array of numbers, in which labels are their positions."""


def about_positions(like: Inputs) -> tuple[str, ...]:
    """Notes on columns whose labels reach a model as positions, as only its user can know to be right."""
    return tuple(
        f"It gets positions in {list(labels)[:5]} in column {column!r}, not the labels; frames=True gives "
        "labels."
        for column, labels in like.categories.items()
        if not plain_numbers(labels)
    )


def as_column(like: Inputs) -> Form:
    """The only column, for a step that reads texts."""
    return Form("one column", lambda rows: like.to_frame(rows).iloc[:, 0])


def as_float32(like: Inputs) -> Form:
    """The array in single precision, for networks."""
    whole = as_array(like)
    return Form(
        "an array in float32", lambda rows: np.asarray(whole.of(rows), dtype=np.float32), False
    )


@dataclass(frozen=True, eq=False)
class Tried:
    """What a model answered to one form.

    Args:
        form: how the rows were given.
        scores: its answer, or None where it failed.
        why: what it said when it failed.
        misnamed: whether it said that names are there, or are not, as they were not in the fit.
        error: what it raised.
    """

    form: Form
    scores: Rows | None
    why: str = ""
    misnamed: bool = False
    error: Exception | None = None


def tried(form: Form, rows: Rows, ask: Serialized) -> Tried:
    """One form on a few rows; failures are an answer too."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            scores = _array(ask(form.of(rows)))
        except failures() as error:
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
            return Tried(form, None, clean(said_by(cause)), error=cause)
    misnamed = any(str(one.message).startswith(_NAMES) for one in said)
    if scores.ndim == 0 or len(scores) != len(rows):
        why = f"it answered {len(rows)} rows with the shape {scores.shape}."
        return Tried(form, None, why)
    return Tried(form, scores, misnamed=misnamed)


def accepted(
    forms: Sequence[Form], like: Inputs, ask: Serialized
) -> tuple[list[Tried], list[Tried], bool]:
    """The forms that a model accepts, those it refuses, and whether all accepted ones give one answer.

    Forms under which it complains about names count only where no other is left.
    """
    first = like.values[:2] if len(like) > 1 else np.repeat(like.values[:1], 2, axis=0)
    found = [tried(form, first, ask) for form in forms]
    able = [one for one in found if one.scores is not None]
    able = [one for one in able if not one.misnamed] or able
    refused = [one for one in found if one.scores is None]
    if len(able) < 2 or _random(able[0], first, ask):
        return able, refused, True
    if not _alike(able):
        return able, refused, False
    cycled = _with_every_label(like)
    more = [tried(one.form, cycled, ask) for one in able]
    return able, refused, _alike([one for one in more if one.scores is not None])


def _with_every_label(like: Inputs) -> Rows:
    """Copies of a row that go through the labels, since one row may hold those that change nothing."""
    counts = [min(len(labels), _CYCLED) for labels in like.categories.values()]
    rows = np.repeat(like.values[:1], max([2, *counts]), axis=0)
    for name, labels in like.categories.items():
        if labels:
            rows[:, like.features.index(name)] = np.arange(len(rows)) % len(labels)
    return rows


def seeing(able: Sequence[Tried], like: Inputs, ask: Serialized) -> list[Tried]:
    """The forms under which labels of text change scores, if their positions change scores at all.

    An encoder that ignores labels it has never seen accepts text also where it was fitted on positions.
    """
    text = [
        like.features.index(name)
        for name, labels in like.categories.items()
        if not (plain_numbers(labels) or ambiguous(labels))
    ]
    base = like.values[:_BASES]
    count = max([len(like.categories[like.features[j]]) for j in text], default=0)
    if count < 2:
        return list(able)
    rows = np.repeat(base, min(count, _CYCLED), axis=0)
    for j in text:
        known = len(like.categories[like.features[j]])
        rows[:, j] = np.arange(len(rows)) % min(count, _CYCLED) % known

    def moves(form: Form) -> bool:
        scores = tried(form, rows, ask).scores
        if scores is None:
            return False
        by_row = scores.reshape(len(base), -1, *scores.shape[1:])
        return bool((by_row != by_row[:, :1]).any())

    seen = [one for one in able if moves(one.form)]
    return seen if seen or moves(POSITIONS) else list(able)


def _random(one: Tried, rows: Rows, ask: Serialized) -> bool:
    """Whether the same question has another answer when asked again: then answers tell nothing."""
    again = tried(one.form, rows, ask)
    return again.scores is None or not _alike([one, again])


def _alike(answers: Sequence[Tried]) -> bool:
    scores = [one.scores for one in answers if one.scores is not None]
    return all(_same(scores[0], other) for other in scores[1:])


def _same(left: Rows, right: Rows) -> bool:
    if left.shape != right.shape:
        return False
    try:
        ours, theirs = left.astype(np.float64), right.astype(np.float64)
    except (TypeError, ValueError):
        return bool((left == right).all())
    # Only as far apart as float64 rounds where a library adds in another order.
    return np.allclose(ours, theirs, rtol=1e-9, atol=1e-12, equal_nan=True)


def _array(answer: Any) -> Rows:
    if isinstance(answer, list) and answer and np.ndim(answer[0]) > 1:  # one block per question
        return np.concatenate([np.asarray(block) for block in answer], axis=1)
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu().numpy()
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def differing(name: str, able: Sequence[Tried]) -> InputError:
    """The error where several forms are accepted and give different scores."""
    shown = "; ".join(
        f"as {one.form.word} {np.ravel(one.scores[0])[:3].tolist()}"
        for one in able
        if one.scores is not None
    )
    return InputError(
        f"Model {name!r} accepts the rows in several forms, but its scores differ (first row: {shown}). "
        "It cannot be told which of them it reads. Give frames=True if it was fitted on a frame, or "
        "frames=False if on the array that frame.to_numpy() gives."
    )


def nothing_accepted(name: str, like: Inputs, refused: Sequence[Tried]) -> ModelError:
    """The error where every form is refused."""
    shown = "; ".join(f"as {one.form.word}: {one.why.rstrip('.')}" for one in refused)
    hint = _about_labels(like)
    steps = {step_of(one.error) if one.error is not None else "" for one in refused}
    step = steps.pop() if len(steps) == 1 else ""
    where = f" in its step {clean(step)!r}" if step else ""
    told = ModelError(
        f"Model {name!r} must accept a row to be wrapped, but failed{where} on the first row of "
        f"{like.name!r}, {shown}.{hint} Give rows like those it was fitted on: "
        "workbench.data.table(frame) keeps their types and labels."
    )
    told.__cause__ = next((one.error for one in refused if one.error is not None), None)
    return told


def labels_unseen(name: str, like: Inputs) -> ModelError:
    """The error where labels change no score, but numbers in their place do."""
    return ModelError(
        f"Model {name!r} accepts the rows of {like.name!r}, but none of their labels changes a score, "
        f"while numbers in their place do: it was fitted on numbers.{_about_labels(like)}"
    )


def _about_labels(like: Inputs) -> str:
    labeled = [column for column, labels in like.categories.items() if not plain_numbers(labels)]
    if not labeled:
        return ""
    return (
        f" The columns {labeled[:10]} hold labels: a model that was fitted on its own numbers for them "
        "needs rows with these numbers; frames=False gives it positions in these labels."
    )
