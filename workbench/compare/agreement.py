"""How far two attributions of the same rows agree, metric by metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from workbench.core import Agreement, Attribution, Comparison
from workbench.errors import IncompatibleError, InputError

Array = NDArray[np.float64]
TOP = 5


def compare(attributions: Iterable[Attribution], reference: str) -> Comparison:
    """Every attribution held against the reference model's, same method and target, row by row.

    Metrics, per row: `cosine` and `spearman` (1 is agreement), `sign` (the share of players with the
    same sign), `top5` (the overlap of the five largest by size), `distance` (the size of the difference
    over the size of the reference: 0 is agreement; it sees shrinking, which ranks do not).

    Args:
        attributions: what `run` gave.
        reference: the name of the model that the others are held against.

    Raises:
        InputError: the reference is not among them, or rows or players differ.
        IncompatibleError: scales differ, so the numbers have different units.
    """
    results = list(attributions)
    names = sorted({result.model for result in results})
    originals = [result for result in results if result.model == reference]
    if not originals:
        raise InputError(
            f"compare needs attributions of the reference {reference!r}, but found {names}."
        )
    if len(names) == 1:
        raise InputError(f"compare needs a second model beside {reference!r}, but there is none.")
    rows: list[Agreement] = []
    notes: list[str] = []
    for original in originals:
        recipe = (repr(original.method), repr(original.target))
        for other in results:
            if other.model == reference or (repr(other.method), repr(other.target)) != recipe:
                continue
            _check(original, other)
            target = original.target.label(())
            if original.explained != other.explained:
                moved = sum(
                    a != b for a, b in zip(original.explained, other.explained, strict=True)
                )
                notes.append(
                    f"{other.model}: on {moved} of {len(original)} rows another output was explained than "
                    f"for {reference}. Name the target to compare reasons for the same output."
                )
            for i, row in enumerate(original.inputs.ids):
                a, b = _credit(original, i), _credit(other, i)
                rows += [
                    Agreement(
                        other.model, type(other.method).__name__, target, row, name, metric(a, b)
                    )
                    for name, metric in METRICS.items()
                ]
    return Comparison(reference, tuple(rows), tuple(dict.fromkeys(notes)))


def _check(original: Attribution, other: Attribution) -> None:
    if original.scale != other.scale:
        raise IncompatibleError(
            f"Attributions in different units cannot be compared: {original.model!r} is in "
            f"{original.scale}, {other.model!r} in {other.scale}. Wrap both with the same scale=."
        )
    same_rows = original.inputs.ids == other.inputs.ids and np.array_equal(
        original.inputs.values, other.inputs.values
    )
    if not same_rows or original.values.shape != other.values.shape:
        raise InputError(
            f"compare needs the same rows for every model, but {original.model!r} has "
            f"{original.values.shape} and {other.model!r} {other.values.shape}. Run one study for both."
        )


def _credit(attribution: Attribution, row: int) -> Array:
    if attribution.inputs.kind == "tabular" or attribution.players is not None:
        return attribution.by_player(row)
    return np.ravel(attribution.maps()[row])


def _cosine(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    if size == 0.0:
        return float(not a.any() and not b.any())
    return float(a @ b / size)


def _spearman(a: Array, b: Array) -> float:
    from scipy.stats import rankdata

    return _pearson(rankdata(a), rankdata(b))


def _pearson(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    return _cosine(a, b)


def _sign(a: Array, b: Array) -> float:
    return float((np.sign(a) == np.sign(b)).mean())


def _top(a: Array, b: Array) -> float:
    k = min(TOP, len(a))
    first, second = (set(np.argsort(-np.abs(x), kind="stable")[:k].tolist()) for x in (a, b))
    return len(first & second) / k


def _distance(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a))
    difference = float(np.linalg.norm(a - b))
    return difference / size if size else (0.0 if difference == 0.0 else float("inf"))


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "cosine": _cosine,
    "spearman": _spearman,
    "sign": _sign,
    f"top{TOP}": _top,
    "distance": _distance,
}
