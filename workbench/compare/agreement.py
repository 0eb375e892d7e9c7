"""How far two attributions of the same rows agree, metric by metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.compare.comparable import check_comparable
from workbench.compare.formulas import TOP, cosine, feature_agreement, spearman
from workbench.core import Agreement, Attribution, Comparison, Model
from workbench.errors import InputError

Array = NDArray[np.float64]


def compare(
    attributions: Iterable[Attribution] | Attribution, reference: str | Model
) -> Comparison:
    """Every attribution compared with the reference model's, same method and target, row by row.

    Metrics, per row: `cosine` and `spearman` (1 is agreement), `sign` (the share of players with the
    same sign), `top5` (the overlap of the five largest by size), `relative_change` (the size of the
    difference over the size of the reference: 0 is agreement; it notices shrinking, which ranks do not).
    The `distance` of `wb.drift` differs: it divides by the longer of the two, so it is never above 2.

    >>> import workbench as wb
    >>> rows = wb.Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    >>> one = wb.Model("one", lambda rows: rows @ [[3.0], [4.0]], ("score",), "raw")
    >>> two = wb.Model("two", lambda rows: rows @ [[3.0], [-1.0]], ("score",), "raw")
    >>> study = wb.Study((one, two), (wb.methods.ExactShapley(),), rows)
    >>> found = compare(wb.run(study), reference="one")
    >>> {one.metric: one.value for one in found.rows if one.metric in ("sign", "relative_change")}
    {'sign': 0.5, 'relative_change': 1.0}

    Args:
        attributions: what `run` gave.
        reference: the model that the others are compared with, or its name.

    Raises:
        InputError: these are no attributions, the reference is not among them, rows or players differ, or
            values are not numbers.
        IncompatibleError: units or backgrounds differ.
    """
    results = _checked(attributions)
    reference = reference.name if isinstance(reference, Model) else reference
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
            check_comparable(original, other, "compare needs", but=("output",))  # a note says so
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


def _checked(given: Any) -> list[Attribution]:
    several = isinstance(given, Iterable) and not hasattr(given, "columns")
    results = list(given) if several else [given]
    for one in results:
        if not isinstance(one, Attribution):
            raise InputError(
                f"compare needs attributions, as workbench.run or explain gives them, not a "
                f"{type(one).__name__}. Explain the models first."
            )
    return results


def _credit(attribution: Attribution, row: int) -> Array:
    if attribution.has_players:
        return attribution.by_player(row)
    return np.ravel(attribution.maps()[row])


def _one(formula: Callable[[Array, Array], Array]) -> Callable[[Array, Array], float]:
    """A formula for many rows, applied to one."""
    return lambda a, b: float(formula(a[None], b[None])[0])


def _sign(a: Array, b: Array) -> float:
    return float((np.sign(a) == np.sign(b)).mean())


def _relative_change(a: Array, b: Array) -> float:
    size = float(np.linalg.norm(a))
    difference = float(np.linalg.norm(a - b))
    return difference / size if size else (0.0 if difference == 0.0 else float("inf"))


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "cosine": _one(cosine),
    "spearman": _one(spearman),
    "sign": _sign,
    f"top{TOP}": _one(feature_agreement),
    "relative_change": _relative_change,
}
