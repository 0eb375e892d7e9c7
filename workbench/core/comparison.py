"""`Comparison`: how far attributions agree with a reference, in tidy rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.core.markup import escape
from workbench.core.table import frame_cells, html_table

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Agreement:
    """One number: one metric of one attribution's row against the reference's."""

    model: str
    method: str
    target: str
    row: str
    metric: str
    value: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """Rows of agreement with one reference model.

    Args:
        reference: the name of the model that the others are compared with.
        rows: one entry per model, method, target, row and metric.
        notes: what a reader must know besides the numbers.
    """

    reference: str
    rows: tuple[Agreement, ...]
    notes: tuple[str, ...] = ()

    def to_frame(self) -> pandas.DataFrame:
        """Columns model, method, target, row, metric, value."""
        import pandas as pd

        columns = ["model", "method", "target", "row", "metric", "value"]
        return pd.DataFrame([vars(row) for row in self.rows], columns=columns)

    def summary(self) -> pandas.DataFrame:
        """The mean over rows, one line per model, method and target, one column per metric."""
        frame = self.to_frame()
        return frame.pivot_table(
            index=["model", "method", "target"], columns="metric", values="value", sort=False
        ).reset_index()

    def __repr__(self) -> str:
        return f"Comparison(reference={self.reference!r}, {len(self.rows)} numbers)"

    def _repr_html_(self) -> str:
        frame = self.summary()
        table = html_table(list(frame.columns), frame_cells(frame, ".3f"), named=3)
        return f"<p>Agreement with <b>{escape(self.reference)}</b>, mean over rows</p>{table}"
