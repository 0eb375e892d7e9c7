"""Checks a gradient against central finite differences of the scores it should be the slope of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import GradientCheck
from workbench.errors import WorkbenchError
from workbench.models.asking.failures import failures

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
_COARSE = {"bfloat16": 2.0**-8, "float16": 2.0**-11}  # of a score: one step of its last digit
_OF_FEW_DIGITS = (
    2 * TOLERANCE
)  # in random directions: bfloat16 rounds within a net, not at its end alone
_CLEAR = 4  # times what rounding may do: from there a change decides
_SHORT = 0.01  # steps up to here are short: longer ones also see how far the scores bend


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

    A row counts only where a short step changes its scores, or should, by more than their rounding does.
    The scores of a model that is sure (a softmax near 0 and 1) hardly move: their differences are lost in
    the last digits, and say nothing for or against a gradient. Where this is so of every row, the gradient
    is "not decided", unless two long steps agree with each other, or one of them with the gradient.

    Args:
        scores: the function.
        gradient: what is claimed to be its gradient.
        rows: `(n, *f)`; in tables, every column is moved in units of its own spread. Each row is moved
            a little first, since equal pixels put a network with maximum pooling on a kink. Beside others,
            columns of whole numbers are not moved, because a code or a length may then be none; and steps
            to rows that the model does not answer are left out.
    """
    given = np.asarray(rows[:_ROWS], dtype=np.float64)
    steps = _Steps.of(given, np.random.default_rng(seed))
    aside = _answered(scores, steps.rows)
    if aside is None:  # the row as it is, which the model is known to answer
        steps = replace(steps, rows=given)
    rows = steps.rows
    scored = np.asarray(scores(rows), dtype=np.float64) if aside is None else aside
    weights = np.random.default_rng(seed + 1).normal(size=(1, *scored.shape))
    claimed = np.asarray(gradient(rows, weights)[1][0], dtype=np.float64).reshape(len(rows), -1)
    if not np.isfinite(scored).all() or not np.isfinite(claimed).all():
        what = "scores" if not np.isfinite(scored).all() else "gradient"
        return GradientCheck("not finite", f"The {what} of some row is NaN or infinite.")
    steps = steps if (claimed * steps.unit).any() else replace(steps, unit=steps.whole)
    claimed = claimed * steps.unit
    directions, sorts = steps.directions(claimed)
    slopes = np.einsum("nf,dnf->dn", claimed, directions)
    size = np.abs(weights[0] * scored).sum(axis=1)
    noise, rounding = _DIGITS * (1.0 + size), _DIGITS * (1.0 + size)
    found: dict[float, Array] = {}
    clear: dict[float, NDArray[np.bool_]] = {}
    for length in STEPS:
        ends = _answered(scores, steps.ends(length, directions))
        if ends is None:
            continue
        rounding = np.maximum(noise, _step_of(ends) * size)
        sums = np.einsum("dnk,nk->dn", _difference(ends, directions.shape[:2]), weights[0])
        sums[np.abs(sums) < noise] = 0.0
        found[length] = sums / (2 * length * steps.long)
        claims = 2 * length * steps.long * slopes
        along = np.maximum(*(np.abs(one[sorts[ALONG]].mean(axis=0)) for one in (claims, sums)))
        clear[length] = along > _CLEAR * rounding
        lost = np.maximum(np.abs(claims), np.abs(sums)) <= _CLEAR * rounding
        lost[sorts[ALONG]] = ~clear[length]
        found[length][lost] = np.nan
        if clear[length].all() and all(
            error <= TOLERANCE for error in _errors(slopes, found[length], sorts).values()
        ):
            break
    if not found:
        return GradientCheck(
            "not decided",
            "The model answers no row beside those that were tried, so its gradient was not held against "
            "differences, and not decided.",
        )
    if not claimed.any():
        far = steps.ends(max(found), directions)
        return _of_zero(found, clear, lambda: _slope_at(gradient, far, scored.shape[1], seed))
    # Two short steps: a single one may be long enough to bend.
    decided = np.sum([clear[one] for one in clear if one <= _SHORT], axis=0) > 1
    if not decided.any():
        return _from_afar(slopes, found, clear, sorts)
    some = {length: differences[:, decided] for length, differences in found.items()}
    few_digits = bool((rounding > noise).any())
    return _verdict(slopes[:, decided], some, sorts, _OF_FEW_DIGITS if few_digits else TOLERANCE)


def _answered(scores: Scores, rows: Array) -> Array | None:
    """The scores of rows that were moved, or None where they are no rows of the model: it fails on them, or
    gives numbers that are not finite."""
    try:
        found = np.asarray(scores(rows), dtype=np.float64)
    except WorkbenchError:
        return None
    except failures() as error:
        if isinstance(error, MemoryError):
            raise
        return None
    return found if np.isfinite(found).all() else None


_LOST = (
    "Finite differences of the scores are lost in their rounding at every row that was tried, so they say "
    "nothing for or against its gradient, which was not decided."
)


def _of_zero(
    found: dict[float, Array], clear: dict[float, NDArray[np.bool_]], elsewhere: Callable[[], bool]
) -> GradientCheck:
    """The verdict on a gradient that is zero at every row.

    Args:
        elsewhere: whether it is another number where long steps end; on a staircase it is zero there too.
    """
    if not any(np.nan_to_num(differences).any() for differences in found.values()):
        return GradientCheck(
            "ok", "The scores are flat around every row that was tried, and the gradient is zero."
        )
    near = any(clear[length].any() for length in clear if length <= _SHORT)
    if near or not elsewhere():
        return GradientCheck("zero", "The gradient is zero everywhere, but the scores change.")
    return GradientCheck("not decided", _LOST)


def _slope_at(gradient: Gradient, rows: Array, outputs: int, seed: int) -> bool:
    """Whether a gradient is anything but zero at some of these rows."""
    weights = np.random.default_rng(seed + 1).normal(size=(1, len(rows), outputs))
    return bool(np.asarray(gradient(rows, weights)[1][0]).any())


def _from_afar(
    slopes: Array,
    found: dict[float, Array],
    clear: dict[float, NDArray[np.bool_]],
    sorts: dict[str, slice],
) -> GradientCheck:
    """The verdict where no short step shows anything: long ones decide if they agree."""
    if not any(one.any() for one in clear.values()):
        return GradientCheck("not decided", _LOST)
    error = min(_errors(slopes, one, sorts)[ALONG] for one in found.values())
    mean = [one[sorts[ALONG]].mean(axis=0, keepdims=True) for one in (slopes, *found.values())]
    lengths = [mean[1 + list(found).index(length)] for length in sorted(found)]
    if error <= TOLERANCE or _sure(mean[0], lengths) is not None:
        return _verdict(slopes, found, sorts)
    return GradientCheck("not decided", _LOST, error)


def _step_of(scores: Array) -> float:
    """One step of the last digit of scores, as a share of a score: coarser than in single precision where
    all of them are numbers of bfloat16 or float16, else 0."""
    single = scores.astype(np.float32)
    if not np.array_equal(single, scores):
        return 0.0
    if not (single.view(np.uint32) & 0xFFFF).any():
        return _COARSE["bfloat16"]
    with np.errstate(over="ignore"):
        return _COARSE["float16"] if np.array_equal(scores.astype(np.float16), scores) else 0.0


def _verdict(
    slopes: Array,
    found: dict[float, Array],
    sorts: dict[str, slice],
    aside: float = TOLERANCE,
) -> GradientCheck:
    """The verdict of differences that decide; `aside` is the error that passes in random directions."""
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
        if errors[name] > aside and against is not None and against > aside:
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
        known = ~(np.isnan(short) | np.isnan(long))
        own, *sizes = (np.linalg.norm(one[known]) for one in (slopes, short, long))
        flat = min(sizes) < own / 3
        if known.any() and not flat and error > TOLERANCE and _apart(short, long) <= error / 2:
            return error
    return None


def _apart(left: Array, right: Array) -> float:
    """The relative distance of slopes `(d, n)`; the median over rows, so that one row may lie on a kink.

    Slopes that are lost in rounding are NaN, and count on neither side; infinite where all are.
    """
    lost = np.isnan(left) | np.isnan(right)
    left, right = np.where(lost, 0.0, left), np.where(lost, 0.0, right)
    size = np.maximum(np.linalg.norm(left, axis=0), np.linalg.norm(right, axis=0))
    distance = np.linalg.norm(left - right, axis=0)
    some = ~lost.all(axis=0)
    shares = np.divide(distance, size, out=np.zeros_like(size), where=size > 0)[some]
    return float(np.median(shares)) if some.any() else np.inf


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _difference(ends: Array, shape: tuple[int, ...]) -> Array:
    forward, back = ends.reshape(2, *shape, -1)
    return np.asarray(forward - back)


@dataclass(frozen=True)
class _Steps:
    """Rows, the unit of each of their features, and the length of a row in these units.

    A column that is not moved has a unit of 0; `whole` are the units with all columns moved.
    """

    rows: Array
    unit: Array
    long: Array
    random: np.random.Generator
    whole: Array

    @classmethod
    def of(cls, rows: Array, random: np.random.Generator) -> _Steps:
        flat = rows.reshape(len(rows), -1)
        if rows.ndim == 2:
            # Columns may be in kilometers or in shares: each gets as unit its spread, its size, or one.
            known = np.ma.masked_invalid(flat)  # a missing value has no spread and no size
            spread = known.std(axis=0).filled(0.0)
            size = np.abs(known).max(axis=0).filled(0.0)
            whole = np.where(spread > 1e-9 * size, spread, np.where(size > 0, size, 1.0))
            codes = np.ma.filled((known == np.round(known)).all(axis=0), False) & (size > 0)
            unit = whole if codes.all() else np.where(codes, 0.0, whole)
            long = np.full(len(rows), np.sqrt(flat.shape[1]))
            return cls(cls._aside(rows, unit, long, random), unit, long, random, whole)
        long = np.linalg.norm(flat, axis=1)
        usual = long[long > 0].mean() if long.any() else np.sqrt(flat.shape[1])
        unit, long = np.ones(flat.shape[1]), np.where(long > 0, long, usual)
        return cls(cls._aside(rows, unit, long, random), unit, long, random, unit)

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
