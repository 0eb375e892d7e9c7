"""Where reasons changed: rows, slices of the data, features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from workbench.compare.drift import Drift, Measured
from workbench.core import Attribution, Inputs
from workbench.errors import InputError

Array = NDArray[np.float64]

TOP = 5
"""Features that count as a row's main reasons; half of them where there are fewer than ten."""

_BINS = 4  # quarters of a column's rows
_FEW = 6  # distinct values up to which a column's values are slices of their own


@dataclass(frozen=True)
class RowFinding:
    """One row, one copy: how far its reasons moved.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        metric: the metric that ranks.
        row: the row's position among the study's.
        id: its name.
        drift: by that metric.
        kept: whether the copy predicts the reference's class.
    """

    model: str
    method: str
    metric: str
    row: int
    id: str
    drift: float
    kept: bool


@dataclass(frozen=True)
class SliceFinding:
    """Some rows that have something in common, held against all others.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        metric: the metric whose drift is meant.
        slice: what the rows have in common, such as "class = circle" or "age from 50 to 62".
        rows: how many.
        drift: their mean drift.
        rest: the mean drift of all other rows.
        low: of the interval of `drift - rest` (Welch); 95 % hold for all slices of a copy together.
        high: likewise.
        flips: share of the slice's rows whose predicted class changed.
        rest_flips: the same of the other rows.
        positions: the rows' positions among the study's.
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

    @property
    def harder(self) -> bool:
        """Whether the slice is hit harder than the rest, and not by chance."""
        return self.low > 0


@dataclass(frozen=True)
class FeatureFinding:
    """One feature (or player) whose part in the reasons changed.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        feature: its name.
        change: "gained" where more rows have it among their top features, by two standard errors over rows;
            "lost" where fewer; else "same".
        before: share of rows that had it among the reference's top features.
        after: the copy's share.
        size_before: mean size of its values in the reference's explanations.
        size_after: in the copy's.
        mean_change: mean of the copy's value - the reference's, signed, in the models' scale.
    """

    model: str
    method: str
    feature: str
    change: Literal["gained", "lost", "same"]
    before: float
    after: float
    size_before: float
    size_after: float
    mean_change: float


@dataclass(frozen=True)
class Findings:
    """Everything found, the largest first.

    Args:
        rows: every row of every copy: first those whose prediction is kept, by drift; then the flipped.
        slices: those with more drift than the rest, by the lower end of their interval; whether that is
            chance says `harder`.
        features: by the change of their mean size; of tables alone.
        notes: what a reader must know.
    """

    rows: tuple[RowFinding, ...]
    slices: tuple[SliceFinding, ...]
    features: tuple[FeatureFinding, ...]
    notes: tuple[str, ...] = ()


def findings(
    drift: Drift, *, method: str | None = None, metric: str | None = None, smallest: int = 10
) -> Findings:
    """Where reasons changed, from a `Drift` that carries its attributions, as `workbench.drift` makes it.

    A row whose predicted class changed is a flip; that its reasons changed too is no news, so flipped rows
    are listed last. One pair of models says which rows flip, not which are forgotten whenever a model is
    compressed: that takes populations of models.

    Source: Hooker et al. (2019), "What do compressed deep neural networks forget?", for slices and
    exemplars. **Differs:** one pair of models, so flips and not exemplars identified by modal labels.

    Args:
        method: which of the drift's methods; its first when left out.
        metric: which metric ranks; the first that decides when left out.
        smallest: rows that a slice needs, and that must remain outside it.

    Raises:
        InputError: no such method or metric; a drift that was stored without its attributions.
    """
    if not drift.attributions:
        raise InputError(
            "findings needs the attributions behind the drift, but it carries none. Take the Drift that "
            "workbench.drift(...) or lab.steps(...) gave."
        )
    if type(smallest) is not int or smallest < 2:
        raise InputError(
            f"A slice needs a smallest number of rows from 2 on, not {smallest!r}: one row has no spread."
        )
    method = drift.methods[0] if method is None else method
    chosen = _chosen(drift, method, metric)
    inputs = drift.attributions[0].inputs
    rows: list[RowFinding] = []
    slices: list[SliceFinding] = []
    features: list[FeatureFinding] = []
    named = dict(_by_model(drift, method))
    before = named[drift.reference]
    for one in chosen:
        flipped = _flipped(drift, one.model, len(drift.ids))
        rows += [
            RowFinding(one.model, method, one.metric, i, drift.ids[i], float(d), not flipped[i])
            for i, d in zip(one.rows.tolist(), one.drift, strict=True)
        ]
        slices += _slices(one, inputs, before, flipped, smallest)
        if inputs.kind == "tabular":
            features += _features(one, before, named[one.model])
    notes = [
        f"{name!r} was not explained by {method}, so nothing is found in it."
        for name in drift.models
        if name not in {one.model for one in chosen}
    ]
    if not slices:
        notes.append(f"No slice has {smallest} rows and more drift than the rest.")
    return Findings(
        tuple(sorted(rows, key=lambda row: (not row.kept, -row.drift, row.row))),
        tuple(sorted(slices, key=lambda part: -part.low)),
        tuple(sorted(features, key=lambda one: -abs(one.size_after - one.size_before))),
        tuple(notes),
    )


def _chosen(drift: Drift, method: str, metric: str | None) -> list[Measured]:
    """What was measured of each copy by one method and metric, over all rows."""
    of_method = [one for one in drift.measured if one.method == method and one.stratum == "all"]
    if not of_method:
        raise InputError(
            f"findings needs a method of the drift, but {method!r} is none. Choose one of "
            f"{list(drift.methods)}."
        )
    known = list(dict.fromkeys(one.metric for one in of_method))
    if metric is None:
        metric = next((name for name in drift.deciding if name in known), known[0])
    if metric not in known:
        raise InputError(
            f"findings needs a metric of {method}, but {metric!r} is none. Choose one of {known}."
        )
    return [one for one in of_method if one.metric == metric]


def _by_model(drift: Drift, method: str) -> Iterator[tuple[str, Attribution]]:
    """Each model's attribution by one of the study's methods.

    Attributions come model by model, in the study's order of methods; a copy may lack some of them.
    """
    of_copies = {(one.model, one.method) for one in drift.measured}
    for model in (drift.reference, *drift.models):
        names = [
            name for name in drift.methods if model == drift.reference or (model, name) in of_copies
        ]
        mine = [one for one in drift.attributions if one.model == model]
        yield from ((model, one) for name, one in zip(names, mine, strict=True) if name == method)


def _flipped(drift: Drift, model: str, n: int) -> NDArray[np.bool_]:
    flipped = np.zeros(n, dtype=np.bool_)
    for one in drift.measured:
        if one.model == model and one.stratum == "flipped":
            flipped[one.rows] = True
    return flipped


def _slices(
    measured: Measured,
    inputs: Inputs,
    before: Attribution,
    flipped: NDArray[np.bool_],
    smallest: int,
) -> list[SliceFinding]:
    """Every slice with enough rows and more drift than the rest."""
    drift = np.zeros(len(inputs))
    drift[measured.rows] = measured.drift
    tried = [
        (name, inside)
        for name, inside in (*_by_class(inputs, before), *_by_column(inputs))
        if smallest <= inside.sum() <= len(inputs) - smallest
    ]
    found = []
    for name, inside in tried:
        a, b = drift[inside], drift[~inside]
        if a.mean() <= b.mean():
            continue
        low, high = _welch(a, b, 0.05 / len(tried))
        found.append(
            SliceFinding(
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
            )
        )
    return found


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


def _by_class(inputs: Inputs, before: Attribution) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Rows of one class: the true one where it is known as a position or a name, else the explained one."""
    classes = inputs.classes
    explained = np.array(before.explained)
    if classes is None or np.issubdtype(classes.dtype, np.floating):
        for name in dict.fromkeys(before.explained):
            yield f"explained = {name}", explained == name
        return
    target = before.target
    names: dict[object, str] = {}
    # One output has two classes, and what is explained of a contrast is no class.
    several = len(set(before.explained)) > 1
    if isinstance(target.index, tuple) and target.against is None and several:
        names = dict(zip(target.index, before.explained, strict=True))
    for one in dict.fromkeys(classes.tolist()):
        yield f"class = {names.get(one, one)}", classes == one


def _by_column(inputs: Inputs) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Rows that share a column's category or value, or lie in one quarter of its range."""
    if inputs.kind != "tabular":
        return
    for j, feature in enumerate(inputs.features):
        column = inputs.values[:, j]
        distinct = np.unique(column)
        if feature in inputs.categories or len(distinct) <= _FEW:
            for value in distinct:
                inside = column == value
                yield f"{feature} = {inputs.shown(int(inside.argmax()), j)}", inside
            continue
        edges = np.unique(np.quantile(column, np.linspace(0, 1, _BINS + 1)))
        place = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, len(edges) - 2)
        for k in range(len(edges) - 1):
            yield f"{feature} from {edges[k]:.4g} to {edges[k + 1]:.4g}", place == k


def _features(
    measured: Measured, before: Attribution, after: Attribution
) -> Iterator[FeatureFinding]:
    """What each player lost or gained from the reference to the copy."""
    first, second = (
        np.stack([one.by_player(row) for row in range(len(one))]) for one in (before, after)
    )
    n, p = first.shape
    k = min(TOP, max(1, p // 2))
    had, has = _top(first, k), _top(second, k)
    for j, feature in enumerate(before.names):
        moved = has[:, j].astype(np.float64) - had[:, j]
        doubt = 2 * moved.std(ddof=1) / n**0.5 if n > 1 else 0.0
        mean = float(moved.mean())
        yield FeatureFinding(
            model=measured.model,
            method=measured.method,
            feature=feature,
            change="same" if abs(mean) <= doubt else ("gained" if mean > 0 else "lost"),
            before=float(had[:, j].mean()),
            after=float(has[:, j].mean()),
            size_before=float(np.abs(first[:, j]).mean()),
            size_after=float(np.abs(second[:, j]).mean()),
            mean_change=float((second[:, j] - first[:, j]).mean()),
        )


def _top(credit: Array, k: int) -> NDArray[np.bool_]:
    """Which players are among each row's k largest `(n, p)`; one without credit never is."""
    top = np.zeros(credit.shape, dtype=np.bool_)
    order = np.argsort(-np.abs(credit), axis=1, kind="stable")[:, :k]
    np.put_along_axis(top, order, True, axis=1)
    return np.asarray(top & (credit != 0))
