"""Which form of rows a function reads: the one that was said, or the one that trying shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.core import Inputs, ambiguous, plain_numbers
from workbench.errors import InputError
from workbench.models.arguments import Wrapping
from workbench.models.asking import Serialized
from workbench.models.columns import check_numbers
from workbench.models.given import (
    POSITIONS,
    Form,
    about_positions,
    accepted,
    as_array,
    as_frame,
    differing,
    typed,
)

_PLAIN = Form("an array", np.asarray, False)


def form_for(
    native: object, call: Callable[[Any], Any], wrapping: Wrapping
) -> tuple[Form, tuple[str, ...]]:
    """The form in which a function gets its rows, and notes about what was found.

    Args:
        native: the function, or the object it belongs to.
        call: from rows in some form to scores.
        wrapping: with `like`, rows to try, and with `frames` where it was said.

    Raises:
        InputError: several forms are accepted and give different scores, or the form that was said cannot
            hold these rows.
    """
    name, like, frames = wrapping.name, wrapping.like, wrapping.frames
    if like is None or not like.of_kind.columns:
        return _PLAIN, ()
    if frames:
        return as_frame(like), ()
    labeled = {
        column: labels for column, labels in like.categories.items() if not plain_numbers(labels)
    }
    dated = [name for name, one in zip(like.features, like.columns, strict=False) if one.unit]
    if frames is False:
        return _said_array(like, name, labeled, dated)
    if wrapping.metered or not typed(like):
        check_numbers(like, name)
        return _PLAIN, about_positions(like)
    # What it raises here is told when it is tried once more, as `wrap` does.
    ask = Serialized(name, native, call)
    if not labeled and not dated:
        able, _, _ = accepted([_PLAIN], like, ask)
        framed, _, _ = accepted([] if able else [as_frame(like)], like, ask)
        return (framed[0].form, (_FRAMES,)) if framed else (_PLAIN, ())
    forms = [*([] if dated else [POSITIONS]), as_array(like), as_frame(like)]
    able, _, alike = accepted(forms, like, ask)
    if not alike:
        if any(ambiguous(labels) for labels in labeled.values()):
            check_numbers(like, name, asked=True)
        raise differing(name, able)
    if not able and dated:
        raise _dates(name, dated)
    form = able[0].form if able else POSITIONS
    if form is POSITIONS:
        if len(able) < 2:
            check_numbers(like, name, asked=True)
        return form, about_positions(like) if len(able) < 2 else ()
    return form, (_FRAMES,) if form.frames else (_ARRAY,)


_FRAMES = "It reads pandas frames: that was found by trying."
_ARRAY = "It reads arrays in which labels are labels: that was found by trying."


def _said_array(
    like: Inputs, name: str, labeled: dict[str, Any], dated: list[str]
) -> tuple[Form, tuple[str, ...]]:
    """An array of numbers: labels that are numbers as these numbers, others as their positions."""
    if dated:
        raise _dates(name, dated)
    if all(ambiguous(labels) for labels in labeled.values()):
        return as_array(like), ()
    if any(ambiguous(labels) for labels in labeled.values()):
        check_numbers(like, name)
    return POSITIONS, about_positions(like)


def _dates(name: str, dated: list[str]) -> InputError:
    return InputError(
        f"Model {name!r} must read the dates or spans of time in columns {dated[:5]}, which no array of "
        "numbers holds as it expects them. Give frames=True if it reads frames, or rows with the numbers "
        "that it was made for."
    )
