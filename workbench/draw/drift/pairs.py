"""One row explained for a model and for its copies: what their pictures share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from workbench.core import Attribution
from workbench.draw.drift.words import short
from workbench.draw.style import convention, headline, label, plain
from workbench.errors import InputError

MOST = 4
"""The most copies in one picture; more would be too small to read."""


def same_rows(reference: Attribution, copies: Sequence[Attribution], *, maps: bool) -> None:
    """Refuses explanations that do not share a scale, or that this picture cannot draw.

    Raises:
        InputError: there is no copy; rows, methods or units differ; or the rows are of another kind.
    """
    if not copies:
        raise InputError(
            "A picture of copies needs at least one, but got none. Give the copies' attributions."
        )
    planar = reference.inputs.of_kind.planar
    if planar != maps:
        instead = "copy_maps" if planar else "copy_bars" if reference.has_players else "picture"
        raise InputError(
            f"This picture is of {'image' if maps else 'tabular'} rows, but these are "
            f"{reference.inputs.kind}. Use {instead}."
        )
    for copy in copies:
        for what, mine, theirs in (
            ("method", repr(reference.method), repr(copy.method)),
            ("unit", reference.scale, copy.scale),
            ("rows", reference.inputs.ids, copy.inputs.ids),
            ("outputs", reference.explained, copy.explained),
        ):
            if mine != theirs:
                raise InputError(
                    f"Copies stand beside their model by the same {what}, but {reference.model!r} has "
                    f"{label(mine, 80)} and {copy.model!r} {label(theirs, 80)}. Explain them in one study."
                )


def pair_question(reference: Attribution, row: int) -> str:
    """The question that the picture answers."""
    return f"{headline(reference, row)}, for the model and its copies"


def pair_byline(reference: Attribution, copies: Sequence[Attribution]) -> str:
    """The method, the model, and how many copies are left out for lack of room."""
    early = "" if all(one.complete for one in (reference, *copies)) else " · stopped early"
    rest = len(copies) - MOST
    more = f" · {MOST} of {len(copies)} copies" if rest > 0 else ""
    return (
        f"{type(reference.method).__name__} of {label(reference.model, 40)} and copies{more}{early}"
    )


def conventions(copies: Sequence[Attribution], reference: Attribution) -> list[str]:
    """For each copy whose gradient comes from a twin: its name and what that means."""
    called = shown_as(reference, copies, 40)
    return [f"{called[one.model]}: {meaning}" for one in copies if (meaning := convention(one))]


def shown_as(reference: Attribution, copies: Sequence[Attribution], limit: int) -> dict[str, str]:
    """The labels of the model and its copies in the picture; no two look the same."""
    names = [one.model for one in copies if one.model != reference.model]
    return short([reference.model, *names], reference.model, limit)


def output_words(attribution: Attribution, row: int) -> str:
    """The explained score: "output 3.2"."""
    return f"output {plain(float(attribution.output[row]))}"


def relative(reference: np.ndarray, copy: np.ndarray) -> str:
    """How far the values moved, as a share of the reference's length.

    >>> relative(np.array([3.0, 4.0]), np.array([3.0, 3.0]))
    '20 %'
    """
    length = float(np.linalg.norm(reference))
    moved = float(np.linalg.norm(copy - reference))
    if not moved:
        return "nothing"
    if not length:
        return "all of it"
    share = 100 * moved / length
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"
