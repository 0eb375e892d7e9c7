"""`Wrapping`: the arguments of `wrap` as one value that every adapter reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from workbench.core import Inputs, Scale, kinds
from workbench.core.inputs import Kind
from workbench.errors import InputError

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds before the first further call; each wait after it is twice as long, up to the longest."""


@dataclass(frozen=True, eq=False)
class Wrapping:
    """The arguments of `wrap`, checked as far as they can be without the object.

    >>> Wrapping(scale="raw").named("forest").name
    'forest'
    >>> Wrapping(name="mine").named("forest").name
    'mine'

    Args:
        name: what menus and tables call the model; "" to use the object's own name.
        outputs: one name per column of scores.
        scale: the unit of the scores.
        kind: what a row is.
        like: example rows, like those to be explained.
        preprocess: what happens to rows before the object sees them.
        shape: the shape of one row, with None for a free length.
        batch: rows per call.
        output: which of several answers holds the scores.
        frames: whether the object reads pandas frames.
        retries: how often a failed call is made again, or the seconds before each of these calls.
        metered: whether each row costs something, so that nothing is asked beside the runs.

    Raises:
        InputError: an argument that fits no object, or one that contradicts another.
    """

    name: str = ""
    outputs: Sequence[str] | None = None
    scale: Scale | None = None
    kind: Kind | None = None
    like: Inputs | None = None
    preprocess: Callable[[Any], Any] | None = None
    shape: Sequence[int | None] | None = None
    batch: int | None = None
    output: str | int | None = None
    frames: bool | None = None
    retries: int | Sequence[float] = 0
    metered: bool = False

    def __post_init__(self) -> None:
        scale, kind, like, shape, batch = self.scale, self.kind, self.like, self.shape, self.batch
        if scale is not None and scale not in get_args(Scale):
            raise InputError(f"scale must be one of {list(get_args(Scale))}, not {scale!r}.")
        if kind is not None:
            kinds.of(kind, "kind must be one of")
        if batch is not None and (not isinstance(batch, int) or batch < 1):
            raise InputError(f"batch must be a whole number of rows above zero, not {batch!r}.")
        if shape is not None and not all(
            length is None or (isinstance(length, int) and length > 0) for length in shape
        ):
            raise InputError(
                f"shape must hold lengths above zero, or None where free, not {shape!r}."
            )
        waits_of(self.retries)
        if like is None:
            return
        if not isinstance(like, Inputs):
            raise InputError(
                f"like must be Inputs, such as workbench.data.table(frame), not {type(like).__name__}."
            )
        if not len(like):
            raise InputError(f"like needs at least one row to try, but {like.name!r} has none.")
        if kind is not None and kind != like.kind:
            raise InputError(f"kind={kind!r} contradicts like, whose rows are {like.kind}.")

    def named(self, own: str) -> Wrapping:
        """The same, with the object's own name where none is given."""
        return self if self.name else replace(self, name=own)


def check_tabular(wrapping: Wrapping) -> None:
    """Refuse a kind of rows that an object which reads tables cannot have.

    Raises:
        InputError: another kind is asked for.
    """
    if wrapping.kind is not None and not kinds.has_columns(wrapping.kind):
        raise InputError(
            f"scikit-learn models and boosters read tables; kind={wrapping.kind!r} does not fit."
        )


def waits_of(retries: int | Sequence[float]) -> tuple[float, ...]:
    """The seconds before each further call.

    >>> waits_of(3), waits_of(0), waits_of((0.5, 10))
    ((1.0, 2.0, 4.0), (), (0.5, 10.0))

    Raises:
        InputError: neither a number of calls nor seconds.
    """
    if isinstance(retries, int) and not isinstance(retries, bool) and retries >= 0:
        return tuple(min(FIRST_WAIT * 2.0**i, LONGEST_WAIT) for i in range(retries))
    if isinstance(retries, list | tuple):
        waits = [one for one in retries if isinstance(one, int | float) and 0 <= one < math.inf]
        if len(waits) == len(retries):
            return tuple(map(float, waits))
    raise InputError(
        "retries must be how often a failed call is made again, such as 3, or the seconds to wait before "
        f"each of these calls, such as (1, 5, 30), not {retries!r}."
    )
