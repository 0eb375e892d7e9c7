"""A matplotlib figure that a notebook shows, in any backend, with its text twin."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from workbench.draw.canvas import png_bytes


class Picture(Figure):
    """A `matplotlib.figure.Figure` that shows itself as PNG at the end of a cell.

    A plain figure shows itself only where a notebook backend is switched on, and that backend uses pyplot,
    which jobs on threads must not touch.

    Attributes:
        words: the picture as text, for places that show no pictures.
    """

    words: str = ""

    def __init__(self, width: float, height: float, words: str) -> None:
        super().__init__(figsize=(width, height), dpi=100, layout="constrained", facecolor="white")
        FigureCanvasAgg(self)
        self.words = words

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"image/png": png_bytes(self), "text/plain": self.words}
