"""Which groups of similar rows drift more than all others, and by more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.compare.drift import Measured
from workbench.core import Attribution, Inputs

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_BINS = 4  # quarters of a column's rows
_TAILS = (0.05, 0.1)  # of a column's rows at either end: a quarter would dilute the drift of few
_FEW = 6  # with at most so many distinct values, each value of a column is a slice
_CHANCE = 0.025  # one side of 95 %
_SHUFFLES = 999
_AT_ONCE = 2**21  # shuffled drifts held at a time


@dataclass(frozen=True)
class SliceFinding:
    """Some rows that have something in common, compared with all others.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        metric: the metric of drift.
        slice: what the rows have in common, such as "class = circle" or "age from 50 to 62".
        rows: how many.
        drift: their mean drift.
        rest: the mean drift of all other rows.
        low: lower end of the interval of `drift - rest` (Welch); the 95 % hold for all slices of a copy
            together. Minus infinity where the rows are too few.
        high: upper end; infinity where the rows are too few.
        flips: share of the slice's rows whose predicted class changed.
        rest_flips: the same of the other rows.
        positions: the rows' positions among the study's.
        p: how often any slice of the copy stands out so far when the same drifts are assigned to the rows
            at random; None where the rows are too few to say.
    """

    model: str
    method: str
    metric: str
    slice: str
    rows: int
    drift: float
    rest: float
    low: float
    high: float
    flips: float
    rest_flips: float
    positions: tuple[int, ...]
    p: float | None = None

    @property
    def harder(self) -> bool:
        """Whether the slice drifts more than the rest, and not by chance."""
        return self.p is not None and self.p <= _CHANCE

    @property
    def words(self) -> str:
        """The verdict on the slice, in a few words."""
        if self.p is None:
            return "too few to say"
        return "hit harder" if self.harder else "may be chance"

    def __str__(self) -> str:
        """The finding as part of a sentence."""
        rows = f"{self.rows} row{'s' * (self.rows != 1)}"
        return (
            f"{self.slice} has {rows}: {self.words}; mean drift {self.drift:.3g}, of the rest "
            f"{self.rest:.3g}"
        )


def slices_of(
    measured: Measured, inputs: Inputs, before: Attribution, flipped: Mask, smallest: int
) -> list[SliceFinding]:
    """Every slice with more drift than the rest, by more than a tenth of the metric's margin.

    Whether that is chance is tested for all slices with enough rows at once: `_SHUFFLES` times, the drifts
    are assigned to the rows at random, and how far the most conspicuous slice stands out is recorded. Where
    drift is independent of what rows have in common, at most one study in forty has a slice that is called
    harder, whatever the distribution of drift. A class, a category or a value with fewer rows is named
    too, where its mean is beyond the margin; of a column's quarters and ends only those with enough rows
    are slices.

    Args:
        before: the reference's explanations.
        flipped: rows whose predicted class changed `(n,)`.
        smallest: the fewest rows that a slice must have, and that must remain outside it.
    """
    drift = np.zeros(len(inputs))
    drift[measured.rows] = measured.drift
    every = [*_by_class(inputs, before), *_by_column(inputs)]
    sizes = [int(inside.sum()) for _, inside, _ in every]
    tried = [
        (name, inside)
        for (name, inside, _), rows in zip(every, sizes, strict=True)
        if smallest <= rows <= len(inputs) - smallest
    ]
    few = [
        (name, inside)
        for (name, inside, given), rows in zip(every, sizes, strict=True)
        if given and 0 < rows < min(smallest, len(inputs))
    ]
    floor = _floor(measured)

    def finding(name: str, inside: Mask, p: float | None) -> SliceFinding:
        a, b = drift[inside], drift[~inside]
        low, high = (-np.inf, np.inf) if p is None else _welch(a, b, 0.05 / len(tried))
        return SliceFinding(
            model=measured.model,
            method=measured.method,
            metric=measured.metric,
            slice=name,
            rows=len(a),
            drift=float(a.mean()),
            rest=float(b.mean()),
            low=low,
            high=high,
            flips=float(flipped[inside].mean()),
            rest_flips=float(flipped[~inside].mean()),
            positions=tuple(np.flatnonzero(inside).tolist()),
            p=p,
        )

    chances = by_chance(drift, np.array([inside for _, inside in tried]))
    found = [
        finding(name, inside, float(p)) for (name, inside), p in zip(tried, chances, strict=True)
    ]
    unsaid = [finding(name, inside, None) for name, inside in few]
    found += [one for one in unsaid if one.drift > measured.margin]
    return [one for one in found if one.drift - one.rest > floor]


def gravity(one: SliceFinding) -> tuple[int, float, float]:
    """The sort key of slices: `harder` ones, then those too small to say, then those that may be chance."""
    place = 0 if one.harder else 1 if one.p is None else 2
    return place, 0.0 if one.p is None else one.p, one.rest - one.drift


def by_chance(drift: Array, inside: Mask) -> Array:
    """How often chance alone lets some slice stand out as far as each of these does `(m,)`.

    A slice of k of n rows stands out by (its mean - the mean of all) √k / √(1 - k/n), which has the same
    spread for every k when the drifts are assigned to the rows at random.

    >>> by_chance(np.array([1.0, 1, 1, 1]), np.array([[True, True, False, False]]))
    array([1.])

    Args:
        drift: of each row `(n,)`.
        inside: which rows belong to each slice `(m, n)`.
    """
    if not len(inside):
        return np.ones(0)
    rows = inside.sum(axis=1)
    weights = (inside / np.sqrt(rows * (1 - rows / len(drift)))[:, None]).T
    moved = drift - drift.mean()
    stands_out = moved @ weights
    hits = np.zeros(len(inside))
    draw = np.random.default_rng(0)
    step = max(1, _AT_ONCE // len(drift))
    for start in range(0, _SHUFFLES, step):
        dealt = np.tile(moved, (min(step, _SHUFFLES - start), 1))
        most = (draw.permuted(dealt, axis=1) @ weights).max(axis=1)
        # Sums in another order differ by rounding.
        hits += (most[:, None] >= stands_out - 1e-9 * np.abs(stands_out)).sum(axis=0)
    return np.asarray((1 + hits) / (1 + _SHUFFLES))


def _floor(measured: Measured) -> float:
    """Drift up to this is negligible: a tenth of the margin, and never less than rounding."""
    return max(measured.margin / 10, 1e-9)


def _welch(a: Array, b: Array, alpha: float) -> tuple[float, float]:
    """The interval of mean(a) - mean(b) at 1 - alpha, variances unequal."""
    from scipy.stats import t

    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    middle, square = float(a.mean() - b.mean()), float(parts.sum())
    if square == 0.0:
        return middle, middle
    freedom = square**2 / (parts**2 / (np.array([len(a), len(b)]) - 1)).sum()
    half = float(t.ppf(1 - alpha / 2, freedom)) * square**0.5
    return middle - half, middle + half


def _by_class(inputs: Inputs, before: Attribution) -> Iterator[tuple[str, Mask, bool]]:
    """Rows of one class: the true one where it is known as a position or a name, else the explained one."""
    y = inputs.y
    explained = np.array(before.explained)
    if y is None or np.issubdtype(y.dtype, np.floating):
        for name in dict.fromkeys(before.explained):
            yield f"explained = {name}", explained == name, True
        return
    target = before.target
    names: dict[object, str] = {}
    # One output has two classes, and a contrast explains no class.
    several = len(set(before.explained)) > 1
    if isinstance(target.index, tuple) and target.against is None and several:
        names = dict(zip(target.index, before.explained, strict=True))
    for one in dict.fromkeys(y.tolist()):
        yield f"class = {names.get(one, one)}", y == one, True


def _by_column(inputs: Inputs) -> Iterator[tuple[str, Mask, bool]]:
    """Rows that share a column's category or value, or lie in one quarter or at one end of its range.

    Rows in which it is missing are a slice of their own, and in none of the others.

    The last entry says whether the data define the slice, and not an arbitrary cut.
    """
    if not inputs.of_kind.columns:
        return
    for j, feature in enumerate(inputs.features):
        column = inputs.values[:, j]
        missing = np.isnan(column)
        if missing.any():
            yield f"{feature} missing", missing, True
        known = column[~missing]
        distinct = np.unique(known)
        if feature in inputs.categories or len(distinct) <= _FEW:
            for value in distinct:
                inside = column == value
                yield f"{feature} = {inputs.shown(int(inside.argmax()), j)}", inside, True
            continue
        finite = known[np.isfinite(known)]
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, _BINS + 1)))
        place = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, len(edges) - 2)
        for k in range(len(edges) - 1):
            ends = f"from {_said(inputs, j, edges[k])} to {_said(inputs, j, edges[k + 1])}"
            yield f"{feature} {ends}", (place == k) & ~missing, False
        ordered = np.sort(known)
        for share in _TAILS:
            many = int(np.ceil(share * len(ordered)))
            least, most = ordered[-many], ordered[many - 1]
            yield f"{feature} from {_said(inputs, j, least)} on", column >= least, False
            yield f"{feature} up to {_said(inputs, j, most)}", column <= most, False


def _said(inputs: Inputs, column: int, value: float) -> str:
    """A number of a column as a person reads it: a date, or four digits."""
    said = inputs.columns[column].shown(float(value)) if inputs.columns else ""
    return said or f"{value:.4g}"
