"""Copies of a row with noise, and what a gradient method's values at them have in common."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Estimate, Inputs, check_method, parameters
from workbench.errors import InputError
from workbench.gradients.fixed import Fixed
from workbench.gradients.slopes import COLUMNS, groups_of

Array = NDArray[np.float64]


def recipe_in_words(around: Any) -> Any:
    """A recipe as its code, such as "IntegratedGradients(steps=20)"; text stays as it is."""
    if isinstance(around, str):
        return around
    if isinstance(around, type) and hasattr(around, "attribute"):
        return f"{around.__name__}()"
    if not hasattr(around, "attribute"):
        return around
    held = {one.name: getattr(around, one.name) for one in parameters(type(around))}
    usual = {one.name: one.default for one in parameters(type(around))}
    told = ", ".join(f"{name}={one!r}" for name, one in held.items() if one != usual[name])
    return f"{type(around).__name__}({told})"


def recipe_named(text: str, known: Sequence[type]) -> Any:
    """The gradient method with its parameters that a text names.

    Args:
        text: a method's name, alone or called with its parameters as literals.
        known: the methods there are.

    Raises:
        InputError: the text is no such call, or no method with gradients has that name.
    """
    return _read(text, tuple(known))


@lru_cache(maxsize=256)
def _read(text: str, known: tuple[type, ...]) -> Any:
    able = {one.__name__: one for one in known if _averageable(one)}
    wanted = (
        f"around must name a gradient method, {', '.join(able)}, with its parameters in parentheses, such "
        f"as 'IntegratedGradients(steps=20)', not {text!r}."
    )
    try:
        call = ast.parse(text.strip(), mode="eval").body
        name = call if isinstance(call, ast.Name) else getattr(call, "func", None)
        if not isinstance(name, ast.Name) or name.id not in able or getattr(call, "args", None):
            raise InputError(wanted)
        given = {one.arg: ast.literal_eval(one.value) for one in getattr(call, "keywords", ())}
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(wanted) from None
    fields = [one.name for one in parameters(able[name.id])]
    if strange := [one for one in given if one not in fields]:
        raise InputError(f"{name.id} has the parameters {fields}, and none called {strange[0]!r}.")
    recipe = able[name.id](**given)
    check_method(recipe)
    return recipe


def _averageable(method: type) -> bool:
    """Whether a method's values follow from gradients, and from no other draw."""
    needs = getattr(method, "needs", ())
    drawn = any(one.name == "seed" for one in parameters(method))
    return not drawn and bool({"gradient", "activations", "deep_lift"} & set(needs))


def noise_size(inputs: Inputs, row: int, share: float) -> Array:
    """The noise's standard deviation in every feature of a row, `(*f)` or one number for all.

    A share of the image's range, or of each column's standard deviation in the background; categories have
    none, since there is nothing between two of them.
    """
    if not inputs.of_kind.columns:
        return np.asarray(share * np.ptp(inputs.values[row]), dtype=np.float64)
    background = np.asarray(inputs.background, dtype=np.float64)
    known = [column[np.isfinite(column)] for column in background.T]
    size = share * np.array([column.std() if len(column) else 0.0 for column in known])
    size[np.isin(inputs.features, list(inputs.categories))] = 0.0
    return np.asarray(size)


def noisy_copies(
    inputs: Inputs, row: int, size: Array, rng: np.random.Generator, count: int, weights: Array
) -> tuple[Inputs, list[Any]]:
    """So many copies of a row with noise, and the row's own targets for them.

    Args:
        inputs: the rows.
        row: which of them.
        size: the noise's standard deviation.
        rng: draws the noise.
        count: how many copies.
        weights: the targets' weights over the outputs at the row `(t, k)`.
    """
    given = inputs.values[row]
    noise = rng.standard_normal((count, *given.shape))
    values = (given + size * noise).astype(given.dtype)
    copies = replace(inputs[[row] * count], values=values)
    return copies, [Fixed(np.repeat(one[None], count, axis=0)) for one in weights]


class Averaged:
    """The mean, mean square or variance of values over copies, with its standard error, row by row.

    Args:
        average: "smoothgrad", "smoothgrad_sq" or "vargrad".
        inputs: the explained rows.
        output: the explained number `(t, n)`.
    """

    def __init__(self, average: str, inputs: Inputs, output: Array) -> None:
        self._average, self._output = average, output
        self._values: Any = None
        self._error: Any = None
        self._shape = len(output), len(inputs)
        self._row = -1
        self._seen = 0
        self._sums: list[Array] = []
        self._first: Any = None
        self._planar = not inputs.of_kind.columns
        self._notes: tuple[str, ...] = (COLUMNS,) if groups_of(inputs)[0] else ()

    def add(self, row: int, found: Estimate) -> None:
        """Take the values `(t, m, *f)` of some copies of a row."""
        values = np.asarray(found.values, dtype=np.float64)
        if self._values is None:
            shape = *self._shape, *values.shape[2:]
            self._values, self._error = np.full(shape, np.nan), np.full(shape, np.nan)
            # Of a method that reads a layer, the first note says which; others name single copies.
            self._notes += found.notes[:1] if self._planar else ()
        if row != self._row:
            if self._row >= 0:
                self._values[:, self._row], self._error[:, self._row] = self._now()
            # Sums of powers about the first copy's value, which does not cancel where values are large.
            self._row, self._seen, self._first = row, 0, values[:, :1]
            self._sums = [np.zeros(values[:, 0].shape) for _ in range(4)]
        away = values if self._average == "smoothgrad_sq" else values - self._first
        away = away**2 if self._average == "smoothgrad_sq" else away
        for power, held in enumerate(self._sums, start=1):
            held += (away**power).sum(axis=1)
        self._seen += values.shape[1]

    def estimate(self, row: int, seen: int) -> Estimate:
        """What the copies so far give."""
        values, error = self._values, self._error
        if row == self._row and seen == self._seen:
            values[:, row], error[:, row] = self._now()
        return Estimate(
            values=values.copy(),
            output=self._output,
            base=np.full(self._output.shape, np.nan),
            error=error.copy(),
            notes=self._notes,
        )

    def _now(self) -> tuple[Array, Array]:
        n = self._seen
        first, second, third, fourth = (one / n for one in self._sums)
        variance = np.maximum(second - first**2, 0.0)
        if self._average != "vargrad":
            start = 0.0 if self._average == "smoothgrad_sq" else self._first[:, 0]
            return start + first, np.sqrt(variance / max(n - 1, 1))
        power = fourth - 4 * third * first + 6 * second * first**2 - 3 * first**4
        return variance, np.sqrt(np.maximum(power - variance**2, 0.0) / max(n - 1, 1))
