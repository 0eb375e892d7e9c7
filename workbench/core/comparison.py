"""`Comparison`: how far attributions agree with a reference, in tidy rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.core.markup import escape

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Agreement:
    """One number: how one metric sees one attribution's row beside the reference's."""

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
        reference: the name of the model that the others are held against.
        rows: one entry per model, method, target, row and metric.
        notes: what a reader must know beside the numbers.
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
        head = "".join(f"<th>{escape(column)}</th>" for column in frame.columns)
        body = "".join(
            "<tr>"
            + "".join(
                f"<td>{cell:.3f}</td>" if isinstance(cell, float) else f"<td>{escape(cell)}</td>"
                for cell in line
            )
            + "</tr>"
            for line in frame.itertuples(index=False)
        )
        return (
            f"<p>Agreement with <b>{escape(self.reference)}</b>, mean over rows</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
