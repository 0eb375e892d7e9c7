"""Checks a gradient against central finite differences of the scores it should be the slope of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import GradientCheck

Array = NDArray[np.float64]
Scores = Callable[[Array], NDArray[Any]]
"""Rows `(n, *f)` to scores `(n, k)`."""
Gradient = Callable[[Array, Array], tuple[NDArray[Any], NDArray[Any]]]
"""Rows and weights `(1, n, k)` to scores `(n, k)` and gradients `(1, n, *f)`."""

TOLERANCE = 0.15
"""Relative error up to which a gradient passes.

Measured over nets of tables and images: kinks, bfloat16 and the steps of int8 leave up to .1 along the
gradient itself. A gradient that misses one branch is off by .2 and more there, or by .35 in random
directions.
"""

STEPS = (0.003, 0.01, 0.001, 0.03, 0.1)
"""Lengths of a step as a share of the row's own length, in the order they are tried.

Short steps stay on one side of a kink; long ones see past the steps of a staircase and the few digits
of bfloat16.
"""

_ROWS = 4
"""The number of rows on which a gradient is tried."""

ALONG = "along the gradient itself"
_DIRECTIONS = 4  # of each kind
_ASIDE = 0.03  # of a row's length: further than the steps that decide for a net with kinks
_BLOCKS = 4  # an image's coarse directions have this many blocks along each side
_DIGITS = 1e-6  # of a score in single precision: a smaller change counts as none


def held_against_differences(
    scores: Scores, gradient: Gradient, rows: NDArray[Any], *, seed: int = 0
) -> GradientCheck:
    """Whether a gradient is the slope of the scores at up to 4 rows.

    Slopes of random weighted sums of all scores are compared along the gradient itself, in random
    directions and, for images, in directions that are constant in blocks. The first alone would miss a
    branch that the gradient leaves out: in many dimensions the slope of that branch is nearly at right
    angles to the gradient. In the other directions a wrong gradient is off by its whole relative error, but
    rounding errors are largest too. So a random direction counts against a gradient only where the
    differences over two lengths of a step agree with each other twice as well as with the gradient.

    Args:
        scores: the function.
        gradient: what is claimed to be its gradient.
        rows: `(n, *f)`; in tables, every column is moved in units of its own spread. Each row is moved
            a little first, since equal pixels put a network with maximum pooling on a kink.
    """
    steps = _Steps.of(np.asarray(rows[:_ROWS], dtype=np.float64), np.random.default_rng(seed))
    rows = steps.rows
    scored = np.asarray(scores(rows), dtype=np.float64)
    weights = np.random.default_rng(seed + 1).normal(size=(1, *scored.shape))
    claimed = np.asarray(gradient(rows, weights)[1][0], dtype=np.float64).reshape(len(rows), -1)
    if not np.isfinite(scored).all() or not np.isfinite(claimed).all():
        what = "scores" if not np.isfinite(scored).all() else "gradient"
        return GradientCheck("not finite", f"The {what} of some row is NaN or infinite.")
    claimed = claimed * steps.unit
    directions, sorts = steps.directions(claimed)
    slopes = np.einsum("nf,dnf->dn", claimed, directions)
    noise = _DIGITS * (1.0 + np.abs(weights[0] * scored).sum(axis=1))
    found: dict[float, Array] = {}
    for length in STEPS:
        ends = np.asarray(scores(steps.ends(length, directions)), dtype=np.float64)
        if not np.isfinite(ends).all():
            return GradientCheck("not finite", "The scores beside some row are NaN or infinite.")
        sums = np.einsum("dnk,nk->dn", _difference(ends, directions.shape[:2]), weights[0])
        sums[np.abs(sums) < noise] = 0.0
        found[length] = sums / (2 * length * steps.long)
        if claimed.any() and all(
            error <= TOLERANCE for error in _errors(slopes, found[length], sorts).values()
        ):
            break
    if not claimed.any():
        if any(differences.any() for differences in found.values()):
            return GradientCheck("zero", "The gradient is zero everywhere, but the scores change.")
        return GradientCheck(
            "ok", "The scores are flat around every row that was tried, and the gradient is zero."
        )
    return _verdict(slopes, found, sorts)


def _verdict(slopes: Array, found: dict[float, Array], sorts: dict[str, slice]) -> GradientCheck:
    every = [_errors(slopes, differences, sorts) for differences in found.values()]
    errors = {name: min(one[name] for one in every) for name in sorts}
    error = errors[ALONG]
    if error > TOLERANCE:
        return GradientCheck(
            "suspect",
            f"{ALONG.capitalize()} the scores' finite differences are off by {error:.0%} or more, at "
            f"every length of a step; {TOLERANCE:.0%} would pass.",
            error,
        )
    for name, some in list(sorts.items())[1:]:
        against = _sure(slopes[some], [found[one][some] for one in sorted(found)])
        if errors[name] > TOLERANCE and against is not None:
            return GradientCheck(
                "suspect",
                f"In {name} the scores' finite differences are off by {against:.0%}, and agree with each "
                "other: a part of the model has a slope that its gradient does not know of, or takes steps "
                "that are too coarse.",
                against,
            )
    return GradientCheck(
        "ok", f"Finite differences of the scores agree with it to {error:.1%}.", error
    )


def _errors(slopes: Array, differences: Array, sorts: dict[str, slice]) -> dict[str, float]:
    """The relative error in every kind of direction; along the gradient, that of the mean slope."""
    found = {name: _apart(slopes[some], differences[some]) for name, some in sorts.items()}
    along = [part[sorts[ALONG]].mean(axis=0, keepdims=True) for part in (slopes, differences)]
    return {**found, ALONG: _apart(*along)}


def _sure(slopes: Array, found: list[Array]) -> float | None:
    """The error where two lengths of a step agree on a slope that is not the gradient's."""
    for short, long in pairwise(found):
        error = min(_apart(slopes, short), _apart(slopes, long))
        # Between two steps of a staircase nothing changes at all, which tells nothing about its slope.
        flat = min(np.linalg.norm(short), np.linalg.norm(long)) < np.linalg.norm(slopes) / 3
        if not flat and error > TOLERANCE and _apart(short, long) <= error / 2:
            return error
    return None


def _apart(left: Array, right: Array) -> float:
    """The relative distance of slopes `(d, n)`; the median over rows, so that one row may lie on a kink."""
    size = np.maximum(np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=0))
    distance = np.linalg.norm(left - right, axis=0)
    return float(np.median(np.divide(distance, size, out=np.zeros_like(size), where=size > 0)))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _difference(ends: Array, shape: tuple[int, ...]) -> Array:
    forward, back = ends.reshape(2, *shape, -1)
    return np.asarray(forward - back)


@dataclass(frozen=True)
class _Steps:
    """Rows, the unit of each of their features, and the length of a row in these units."""

    rows: Array
    unit: Array
    long: Array
    random: np.random.Generator

    @classmethod
    def of(cls, rows: Array, random: np.random.Generator) -> _Steps:
        flat = rows.reshape(len(rows), -1)
        if rows.ndim == 2:
            # Columns may be in kilometers or in shares: each gets as unit its spread, its size, or one.
            known = np.ma.masked_invalid(flat)  # a missing value has no spread and no size
            spread = known.std(axis=0).filled(0.0)
            size = np.abs(known).max(axis=0).filled(0.0)
            unit = np.where(spread > 1e-9 * size, spread, np.where(size > 0, size, 1.0))
            long = np.full(len(rows), np.sqrt(flat.shape[1]))
            return cls(cls._aside(rows, unit, long, random), unit, long, random)
        long = np.linalg.norm(flat, axis=1)
        usual = long[long > 0].mean() if long.any() else np.sqrt(flat.shape[1])
        unit, long = np.ones(flat.shape[1]), np.where(long > 0, long, usual)
        return cls(cls._aside(rows, unit, long, random), unit, long, random)

    @staticmethod
    def _aside(rows: Array, unit: Array, long: Array, random: np.random.Generator) -> Array:
        way = _unit(random.normal(size=(len(rows), len(unit)))) * unit * (_ASIDE * long)[:, None]
        return np.asarray(rows + way.reshape(rows.shape))

    def directions(self, claimed: Array) -> tuple[Array, dict[str, slice]]:
        """Unit vectors `(d, n, f)` for every row, and which kind each one is."""
        n, f = claimed.shape
        flat = np.abs(claimed).max(axis=1, keepdims=True) == 0
        own = _unit(np.where(~flat, claimed, self.random.normal(size=(n, f))))
        # Four directions close together: their mean has half of the noise that the steps of int8 make.
        every = [own + _unit(self.random.normal(size=(n, f))) / 2 for _ in range(_DIRECTIONS)]
        every += list(self.random.normal(size=(_DIRECTIONS, n, f)))
        sorts = {
            ALONG: slice(0, _DIRECTIONS),
            "random directions": slice(_DIRECTIONS, len(every)),
        }
        if self.rows.ndim == 4:
            sorts["coarse random directions"] = slice(len(every), len(every) + _DIRECTIONS)
            every += [self._blocks() for _ in range(_DIRECTIONS)]
        return np.array([_unit(one) for one in every]), sorts

    def _blocks(self) -> Array:
        n, h, w, channels = self.rows.shape
        coarse = self.random.normal(size=(n, _BLOCKS, _BLOCKS, channels))
        down, across = np.arange(h) * _BLOCKS // h, np.arange(w) * _BLOCKS // w
        return np.asarray(coarse[:, down][:, :, across].reshape(n, -1))

    def ends(self, length: float, directions: Array) -> Array:
        """The rows moved both ways along every direction `(2 d n, *f)`."""
        flat = self.rows.reshape(len(self.rows), -1)
        moved = (length * self.long)[:, None] * self.unit * directions
        both = np.concatenate([flat + moved, flat - moved])
        return both.reshape(-1, *self.rows.shape[1:])
