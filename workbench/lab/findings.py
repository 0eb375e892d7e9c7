"""Where reasons changed: rows, slices of the data, features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.compare.drift import Drift, Measured
from workbench.core import Attribution
from workbench.errors import InputError
from workbench.lab.feature_findings import FeatureFinding, features_of
from workbench.lab.slices import SliceFinding, gravity, slices_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class RowFinding:
    """One row, one copy: how far its reasons moved.

    Args:
        model: the copy's name.
        method: as in `Measured`.
        metric: the metric that rows are ranked by.
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
class Findings:
    """Everything found, the largest first.

    Args:
        rows: every row of every copy: first those whose prediction is kept, by drift; then the flipped.
        slices: those with more drift than the rest: first those that are `harder`, then those with too few
            rows to say, then those that may be chance.
        features: by the mean |difference| of their values; only for tables.
        notes: what a reader must know.
        explained: the attributions that were compared, by the model's name; the reference's is the first.
    """

    rows: tuple[RowFinding, ...]
    slices: tuple[SliceFinding, ...]
    features: tuple[FeatureFinding, ...]
    notes: tuple[str, ...] = ()
    explained: Mapping[str, Attribution] = field(default_factory=dict, repr=False, compare=False)

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a tidy table, the farthest moved first: one line per copy, row and player.

        Columns copy, method, metric, row, drift, kept, player, `feature_value` (what the row holds there),
        value, base and output of the copy, and the reference's as `reference value`, `reference base` and
        `reference output`. Where credit went to an image's places there is one line per row, without the
        columns of players.
        """
        import pandas as pd

        lines = pd.DataFrame(
            {
                "copy": [one.model for one in self.rows],
                "method": [one.method for one in self.rows],
                "metric": [one.metric for one in self.rows],
                "row": [one.id for one in self.rows],
                "drift": [one.drift for one in self.rows],
                "kept": [one.kept for one in self.rows],
                "at": [one.row for one in self.rows],
            }
        )
        reference = next(iter(self.explained.values()), None)
        if reference is None or not reference.has_players:
            return lines.drop(columns="at")
        credit = ["value", "base", "output"]
        before = _numbered(reference).rename(columns={name: f"reference {name}" for name in credit})
        before = before[["at", "place", *(f"reference {name}" for name in credit)]]
        after = pd.concat(
            [
                _numbered(result).assign(copy=name)
                for name, result in self.explained.items()
                if result is not reference
            ]
        )
        after = after[["copy", "at", "place", "player", "feature_value", *credit]]
        merged = lines.merge(after, on=["copy", "at"]).merge(before, on=["at", "place"], how="left")
        return merged.drop(columns=["at", "place"])

    def __repr__(self) -> str:
        harder = [one.slice for one in self.slices if one.harder]
        moved = [f"{one.feature} {one.words}" for one in self.features if one.change != "same"]
        rows = [f"{one.id} {one.drift:.3g}" for one in self.rows]
        shown = {"slices hit harder": harder, "features": moved, "rows": rows}
        return f"Findings({'; '.join(f'{what}: {_few(every)}' for what, every in shown.items())})"


def _numbered(result: Attribution) -> pandas.DataFrame:
    """Its tidy rows with the position of each row and player: ids and names may repeat."""
    frame = result.to_frame()
    players = len(frame) // len(result)
    return frame.assign(
        at=np.repeat(np.arange(len(result)), players),
        place=np.tile(np.arange(players), len(result)),
    )


def _few(every: Sequence[str], most: int = 5) -> str:
    """The first of some names, and how many there are."""
    more = f", … ({len(every)} in all)" if len(every) > most else ""
    return f"{', '.join(every[:most])}{more}" or "none"


def findings(
    drift: Drift, *, method: str | None = None, metric: str | None = None, smallest: int = 5
) -> Findings:
    """Where reasons changed, from a `Drift` that carries its attributions, as `workbench.drift` makes it.

    A row whose predicted class changed is a flip. It is no surprise that its reasons changed too, so
    flipped rows are listed last. One pair of models shows which rows flip, not which rows every compression
    forgets: that takes populations of models.

    Source: Hooker et al. (2019), "What do compressed deep neural networks forget?", for slices and
    exemplars. **Differs:** one pair of models, so flips and not exemplars identified by modal labels.

    Args:
        method: which of the drift's methods; its first when left out.
        metric: the metric to rank by; the first that decides when left out.
        smallest: the fewest rows that a slice must have, and that must remain outside it.

    Raises:
        InputError: there is no such method or metric, or the drift was stored without its attributions.
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
    named = drift.explained_by(method)
    before = named[drift.reference]
    for one in chosen:
        flipped = _flipped(drift, one.model, len(drift.ids))
        rows += [
            RowFinding(one.model, method, one.metric, i, drift.ids[i], float(d), not flipped[i])
            for i, d in zip(one.rows.tolist(), one.drift, strict=True)
        ]
        slices += slices_of(one, inputs, before, flipped, smallest)
        if inputs.of_kind.columns:
            features += features_of(one, before, named[one.model])
    notes = [
        f"{name!r} was not explained by {method}, so nothing is found in it."
        for name in drift.models
        if name not in {one.model for one in chosen}
    ]
    if not slices:
        notes.append(f"No slice has {smallest} rows and more drift than the rest.")
    return Findings(
        tuple(sorted(rows, key=lambda row: (not row.kept, -row.drift, row.row))),
        tuple(sorted(slices, key=gravity)),
        tuple(sorted(features, key=lambda one: -one.moved)),
        tuple(notes),
        named,
    )


def _chosen(drift: Drift, method: str, metric: str | None) -> list[Measured]:
    """The measurement of each copy by one method and metric, over all rows."""
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


def _flipped(drift: Drift, model: str, n: int) -> NDArray[np.bool_]:
    flipped = np.zeros(n, dtype=np.bool_)
    for one in drift.measured:
        if one.model == model and one.stratum == "flipped":
            flipped[one.rows] = True
    return flipped
