"""Which features' credit changed, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.compare.drift import DRIFT_METRICS, Measured, credit_of
from workbench.core import Attribution

Array = NDArray[np.float64]

TOP = 5
"""Features that count as a row's main reasons; half of them where there are fewer than ten."""

Change = Literal["sign turned", "lost to", "gained from", "grew", "shrank", "moved", "same"]
"""How a feature's credit changed; "lost to" and "gained from" are followed by the other feature."""

_FLOOR = DRIFT_METRICS["distance"].margin / 10  # of an explanation's length
_LEFT = 0.25  # of what moved at both ends, where one feature's credit went to another


@dataclass(frozen=True)
class FeatureFinding:
    """One feature (or player) and how its credit changed.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        feature: its name.
        change: "sign turned" where the copy's credit has the other sign in most rows in which it counts;
            "lost to" and "gained from" where another feature gained row by row what it lost, or lost it;
            "grew" and "shrank" where most of what moved is size, beyond two standard errors over rows;
            "moved" for anything else; "same" where its mean |difference| is at most half a percent of the
            explanations' length.
        other: the feature that it lost to or gained from, else "".
        moved: mean over rows of |the copy's value - the reference's|, in the models' scale; findings are
            ranked by it.
        mean_change: mean of the same difference, signed.
        turned: among the rows in which it counts, the share with the other sign.
        share_before: share of rows that had it among the reference's top features.
        share_after: the copy's share.
        size_before: mean size of its values in the reference's explanations.
        size_after: in the copy's.
    """

    model: str
    method: str
    feature: str
    change: Change
    other: str
    moved: float
    mean_change: float
    turned: float
    share_before: float
    share_after: float
    size_before: float
    size_after: float

    @property
    def words(self) -> str:
        """How its credit changed, with the other feature's name where there is one."""
        return f"{self.change} {self.other}".rstrip()


def features_of(
    measured: Measured, before: Attribution, after: Attribution
) -> Iterator[FeatureFinding]:
    """How each player's credit changed from the reference to the copy."""
    first, second = credit_of(before), credit_of(after)
    k = min(TOP, max(1, first.shape[1] // 2))
    had, has = _top(first, k).mean(axis=0), _top(second, k).mean(axis=0)
    moved = np.abs(second - first).mean(axis=0)
    # The median length: one very long row would hide the changes in all others.
    floor = _FLOOR * max(float(np.median(np.linalg.norm(one, axis=1))) for one in (first, second))
    turned = turned_share(first, second, floor)
    changes = named_changes(first, second, floor=floor, noise=_noise(measured, before, after))
    for j, (change, other) in enumerate(changes):
        yield FeatureFinding(
            model=measured.model,
            method=measured.method,
            feature=before.names[j],
            change=change,
            other="" if other is None else before.names[other],
            moved=float(moved[j]),
            mean_change=float((second[:, j] - first[:, j]).mean()),
            turned=float(turned[j]),
            share_before=float(had[j]),
            share_after=float(has[j]),
            size_before=float(np.abs(first[:, j]).mean()),
            size_after=float(np.abs(second[:, j]).mean()),
        )


def named_changes(
    first: Array, second: Array, *, floor: float, noise: Array | None = None
) -> list[tuple[Change, int | None]]:
    """How each player's credit changed, and the player that it lost credit to or gained it from.

    >>> rows = np.array([[1.0, 2.0, 0.0, 3.0], [2.0, 4.0, 0.0, -3.0]])
    >>> named_changes(rows, rows * [-1, 0, 1, 1] + [[0, 0, 2, 0], [0, 0, 4, 0]], floor=0.01)
    [('sign turned', None), ('lost to', 2), ('gained from', 1), ('same', None)]

    Args:
        first: the reference's credit `(n, p)`.
        second: the copy's.
        floor: smaller credit is negligible.
        noise: how far sampling alone moves each player `(p,)`; None where seeds are shared.
    """
    difference = second - first
    moved = np.abs(difference).mean(axis=0)
    still = moved <= (floor if noise is None else np.maximum(floor, noise))
    turned = turned_share(first, second, floor) > 0.5
    grown = np.abs(second) - np.abs(first)
    growth = grown.mean(axis=0)
    n = len(first)
    doubt = 2 * grown.std(axis=0, ddof=1) / n**0.5 if n > 1 else np.zeros(len(moved))
    by_size = (np.abs(growth) > doubt) & (np.abs(growth) >= moved / 2)
    left = ~still & ~turned & by_size
    given = _handed_over(difference, moved, losers=left & (growth < 0), winners=left & (growth > 0))
    taken = {to: lost for lost, to in given.items()}
    found: list[tuple[Change, int | None]] = []
    for j in range(len(moved)):
        if still[j]:
            found.append(("same", None))
        elif turned[j]:
            found.append(("sign turned", None))
        elif j in given:
            found.append(("lost to", given[j]))
        elif j in taken:
            found.append(("gained from", taken[j]))
        elif by_size[j]:
            found.append(("grew" if growth[j] > 0 else "shrank", None))
        else:
            found.append(("moved", None))
    return found


def turned_share(first: Array, second: Array, floor: float) -> Array:
    """Share of the rows with a different sign, of those where a player counts in either `(p,)`.

    Both values must be beyond the floor: the sign of a rounding says nothing.
    """
    counts = (np.abs(first) > floor) | (np.abs(second) > floor)
    other = (np.minimum(np.abs(first), np.abs(second)) > floor) & (first * second < 0)
    return np.asarray(other.sum(axis=0) / np.maximum(counts.sum(axis=0), 1))


def _handed_over(
    difference: Array,
    moved: Array,
    *,
    losers: NDArray[np.bool_],
    winners: NDArray[np.bool_],
) -> dict[int, int]:
    """Pairs of players where one gained, row by row, what the other lost; the closest match first."""
    to = np.flatnonzero(winners)
    pairs = []
    for j in np.flatnonzero(losers).tolist():
        left = np.abs(difference[:, [j]] + difference[:, to]).mean(axis=0) / (moved[j] + moved[to])
        pairs += [(one, j, k) for one, k in zip(left, to.tolist(), strict=True) if one <= _LEFT]
    found: dict[int, int] = {}
    for _, j, k in sorted(pairs):
        if j not in found and k not in found.values():
            found[j] = k
    return found


def _noise(measured: Measured, before: Attribution, after: Attribution) -> Array | None:
    """Twice the sampling error of each player's values, where the two share no seeds; else None."""
    if measured.over_floor is None or before.error is None or after.error is None:
        return None
    errors = [
        [np.asarray(one.error_by_player(row)) for row in range(len(one))] for one in (before, after)
    ]
    return np.asarray(2 * np.hypot(*map(np.stack, errors)).mean(axis=0))


def _top(credit: Array, k: int) -> NDArray[np.bool_]:
    """Which players are among each row's k largest `(n, p)`; a player without credit never is."""
    top = np.zeros(credit.shape, dtype=np.bool_)
    order = np.argsort(-np.abs(credit), axis=1, kind="stable")[:, :k]
    np.put_along_axis(top, order, True, axis=1)
    return np.asarray(top & (credit != 0))
