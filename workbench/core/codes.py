"""What the whole numbers in a column of categories mean, and whether two agree on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InputError

Labels = tuple[Any, ...]


def plain_numbers(labels: Labels | None) -> bool:
    """Whether a column's numbers mean themselves: it has no labels, or each label equals its position.

    >>> plain_numbers(None), plain_numbers((False, True)), plain_numbers((0, 1)), plain_numbers((1, 2))
    (True, True, True, False)
    """
    return labels is None or all(
        isinstance(label, bool | int | float) and label == code for code, label in enumerate(labels)
    )


def ambiguous(labels: Labels | None) -> bool:
    """Whether labels are numbers that differ from their positions, so that an array may hold either.

    >>> ambiguous((1, 2)), ambiguous((0, 1)), ambiguous(("1", "2"))
    (True, False, False)
    """
    return not plain_numbers(labels) and all(
        isinstance(label, bool | int | float) for label in labels or ()
    )


def same_codes(meant: Labels | None, given: Labels | None) -> bool:
    """Whether every code of a column means the same in `meant` and `given`; None means plain numbers.

    >>> same_codes(("Oslo", "Rome"), ("Oslo",)), same_codes(("Oslo", "Rome"), ("Rome", "Oslo"))
    (True, False)
    >>> same_codes((1, 2), None), same_codes((1, 2), ("1", "2")), same_codes((1, 2), (1.0, 2.0))
    (False, False, True)
    """
    if plain_numbers(meant) and plain_numbers(given):
        return True
    if meant is None or given is None:
        return False
    return given == meant[: len(given)]


def other_codes(
    meant: Mapping[str, Labels] | None, given: Mapping[str, Labels], columns: Sequence[str]
) -> str:
    """The first column whose codes mean different things, with both meanings; "" where there is none.

    Args:
        meant: {column: labels} of a model; None where it does not say. Then it is unknown whether it reads
            positions or labels, if the labels are numbers too.
        given: of the rows.
        columns: the names.

    >>> other_codes({"town": ("Rome", "Oslo")}, {}, ["age", "town"])
    "in column 'town' it reads positions in ['Rome', 'Oslo'], but the rows hold plain numbers"
    """
    for column in columns:
        own, other = (None if meant is None else meant.get(column)), given.get(column)
        if meant is None and not ambiguous(other):
            continue  # text: positions are the only numbers there are
        if not same_codes(own, other):
            return f"in column {column!r} it reads {_said(own)}, but the rows hold {_said(other)}"
    return ""


def about_labels(
    meant: Mapping[str, Labels] | None, given: Mapping[str, Labels]
) -> tuple[str, ...]:
    """A note where it is unknown whether a model was fitted with the rows' positions of labels.

    >>> about_labels(None, {"sex": (False, True)}), about_labels({}, {})
    ((), ())
    """
    columns = [column for column, labels in given.items() if not plain_numbers(labels)]
    if meant is not None or not columns:
        return ()
    return (
        f"The model does not say which labels it takes the numbers in {columns[:5]} for: positions in "
        "those of these rows are assumed. Wrap it with like=rows that it was fitted on to have it checked.",
    )


def written(labels: Mapping[str, Labels]) -> dict[str, list[Any]]:
    """Labels as JSON; different labels always give different JSON.

    >>> written({"a": ("x", 1, None)}), written({"a": (b"x",)})
    ({'a': ['x', 1, None]}, {'a': [{'builtins.bytes': "b'x'"}]})

    Raises:
        InputError: a label whose content its text does not show.
    """
    return {column: [_written(label) for label in named] for column, named in labels.items()}


def _written(label: Any) -> Any:
    if label is None or type(label) in (bool, int, float, str):
        return label
    if type(label) is tuple:
        return {"tuple": [_written(one) for one in label]}
    cls = type(label)
    if repr(label) == object.__repr__(label):
        raise InputError(
            f"Labels must be told apart by what they hold, but one is a {cls.__name__} whose text does "
            "not show its content. Give text, numbers or booleans."
        )
    return {f"{cls.__module__}.{cls.__qualname__}": repr(label)}


def check_positions(
    values: NDArray[Any], features: Sequence[str], categories: Mapping[str, Labels], what: str
) -> None:
    """Refuses numbers that are not a position of a label, such as pandas' -1; NaN is a missing label.

    Raises:
        InputError: there is one; names the column and the first such row.
    """
    for column, labels in categories.items():
        held = values[:, features.index(column)]
        bad = ~np.isnan(held) & ((held != np.floor(held)) | (held < 0) | (held >= len(labels)))
        if bad.any():
            first = int(np.argmax(bad))
            raise InputError(
                f"Column {column!r} must hold positions 0..{len(labels) - 1} of its labels "
                f"{list(labels)[:5]}, but {what} {first} holds {held[first]:g} ({int(bad.sum())} of "
                f"{len(held)} are none). Give whole numbers in that range, such as "
                "workbench.data.table(frame) reads, or leave the column out of categories."
            )


def _said(labels: Labels | None) -> str:
    if labels is None:
        return "plain numbers"
    more = " and more" if len(labels) > 10 else ""
    return f"positions in {list(labels[:10])}{more}"
