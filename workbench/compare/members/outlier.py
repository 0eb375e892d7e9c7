"""Which member's reasons are least like the others', and whether it stands out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.core.student import reach

Array = NDArray[np.float64]

ROWS = 5
"""With fewer rows no member stands out: over three rows, up to 17 % of equals were called outliers."""

TIMES = 2.0
"""An outlier is at least so many times as far from the others as they are from one another."""

MARGIN = 0.02
"""And farther by at least this, one minus the cosine of 11 degrees: twice a tiny distance is still tiny."""


@dataclass(frozen=True)
class Outlier:
    """The member whose explanations are farthest from the others'.

    Distance is one minus the cosine of two members' credits, averaged over rows: 0 the same, 1 nothing in
    common, 2 the opposite. Weights do not matter.

    Args:
        member: its name.
        distance: its mean distance from the others.
        others: the others' mean distance from one another; NaN with fewer than three members.
        doubt: the standard error of `margin`, from its variation over rows; NaN with one row.
        rows: how many rows there are.
        reason: why it does not stand out, or "" when it does.
    """

    member: str
    distance: float
    others: float
    doubt: float
    rows: int
    reason: str

    @property
    def margin(self) -> float:
        """How much farther it is from the others than they are from one another."""
        return self.distance - self.others

    @property
    def stands_out(self) -> bool:
        """Whether it counts as an outlier; `find_outlier` has the criterion."""
        return not self.reason

    def __str__(self) -> str:
        if not self.stands_out:
            return f"No member stands out: {self.reason}."
        half = self.doubt * float(reach(np.array([self.rows - 1.0]))[0])
        return (
            f"{self.member} stands out: its distance from the others is {self.distance:.2f}, theirs from "
            f"one another {self.others:.2f} (margin {self.margin:.2f} ± {half:.2f})."
        )


def find_outlier(names: tuple[str, ...], cosine: Array) -> Outlier:
    """The member farthest from the others, and whether it stands out.

    It stands out when there are three members and five rows or more, and it is at least twice as far from
    the others as they are from one another, by 0.02 or more and by two standard errors over the rows.
    Measured on members that differ by chance alone (ten rows or more, 5 or 30 columns), one was named in
    5 % of ensembles or fewer; of three members with lasting differences and 5 columns, in 10 %.

    Args:
        names: of the members `(m,)`.
        cosine: their similarities `(n, m, m)`.

    Example:
        >>> alike = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> found = find_outlier(("a", "b", "c"), np.stack([alike] * 5))
        >>> found.member, found.stands_out, round(found.margin, 3)
        ('c', True, 0.9)
    """
    n, m, _ = cosine.shape
    if m < 3:
        return Outlier(
            names[0], _pair(cosine), np.nan, np.nan, n, f"it takes three members, not {m}"
        )
    distance = 1.0 - cosine
    distance[:, np.arange(m), np.arange(m)] = 0.0
    sums = distance.sum(axis=2)
    own = sums / (m - 1)
    others = (sums.sum(axis=1, keepdims=True) / 2 - sums) / ((m - 1) * (m - 2) / 2)
    far = int(np.argmax(own.mean(axis=0)))
    margins = own[:, far] - others[:, far]
    doubt = float(margins.std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan
    found = float(own[:, far].mean()), float(others[:, far].mean())
    return Outlier(names[far], *found, doubt, n, _reason(names[far], *found, doubt, n))


def _pair(cosine: Array) -> float:
    return float(1.0 - cosine[:, 0, 1].mean()) if cosine.shape[1] == 2 else 0.0


def _reason(name: str, distance: float, others: float, doubt: float, n: int) -> str:
    if n < ROWS:
        return f"it takes {ROWS} rows, not {n}"
    margin = distance - others
    start = f"{name} is the farthest from the others ({distance:.2f}), but"
    if margin < MARGIN:
        return f"{start} by less than {MARGIN:g} than they are from one another ({others:.2f})"
    if distance < TIMES * others:
        return f"{start} not twice as far as they are from one another ({others:.2f})"
    if margin <= 2 * doubt:
        return f"{start} rows differ too much to tell"
    return ""
