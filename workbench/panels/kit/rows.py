"""Rows as people write them: "0-7, 12", "5 random", "all"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.core import clean
from workbench.errors import InputError

_ONE = re.compile(r"\d+")
_SPAN = re.compile(r"(\d+)\s*[-–]\s*(\d+)")
_RANDOM = re.compile(r"(\d+)\s+random")


def positions(text: str, count: int) -> tuple[int, ...]:
    """Positions in order of mention, each once.

    >>> positions("2-4, 0, 3", 10)
    (2, 3, 4, 0)
    >>> positions("all", 3)
    (0, 1, 2)

    "5 random" is drawn without repetition and always gives the same rows.

    Args:
        text: positions, spans (both ends included), "N random" and "all", with commas between.
        count: how many rows there are.

    Raises:
        InputError: nothing is chosen, a part cannot be read, or a row is not there.
    """
    chosen: dict[int, None] = {}
    for part in filter(None, (part.strip() for part in text.lower().split(","))):
        if part == "all":
            found: Sequence[int] = range(count)
        elif match := _ONE.fullmatch(part):
            found = (int(part),)
        elif match := _SPAN.fullmatch(part):
            first, last = int(match[1]), int(match[2])
            if last < first:
                raise InputError(f"A span of rows goes upwards, but {part!r} goes down.")
            # Checked before the range is enumerated: "0-99999999999" must not hang the panel.
            found = range(first, min(last, count) + 1)
        elif match := _RANDOM.fullmatch(part):
            found = _drawn(int(match[1]), count)
        else:
            raise InputError(
                f"Rows are written like '0-7, 12', '5 random' or 'all', but {clean(part, limit=40)!r} "
                "is none of these."
            )
        for one in found:
            if one >= count:
                raise InputError(f"There are {count} rows, 0 to {count - 1}, so no row {one}.")
            chosen[one] = None
    if not chosen:
        raise InputError("At least one row is needed, but none is chosen. Write for example '0-7'.")
    return tuple(chosen)


def _drawn(size: int, count: int) -> Sequence[int]:
    import numpy as np

    if size > count:
        raise InputError(f"There are {count} rows, so {size} random ones cannot be drawn.")
    return [int(one) for one in np.random.default_rng(0).choice(count, size, replace=False)]


def rows_as_code(chosen: Sequence[int]) -> str:
    """The index that picks these rows from `Inputs`.

    >>> rows_as_code((3, 4, 5)), rows_as_code((3, 5))
    ('[3:6]', '[[3, 5]]')
    """
    if list(chosen) == list(range(chosen[0], chosen[0] + len(chosen))):
        return f"[{chosen[0]}:{chosen[0] + len(chosen)}]"
    return f"[{list(chosen)}]"
