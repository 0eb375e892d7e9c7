"""Figures into bytes and markup, one at a time."""

from __future__ import annotations

import base64
import io
import re
import threading
from typing import TYPE_CHECKING, Any

from workbench.core import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RENDER_LOCK = threading.RLock()
"""Held while a figure is laid out or rasterized: matplotlib's text machinery is shared between threads."""

_INK: dict[Any, Any] = {
    "svg.hashsalt": "workbench",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "axes.unicode_minus": True,
}


def to_png(figure: Figure, dpi: float = 110) -> bytes:
    """The figure as PNG; the same figure always gives the same bytes."""
    return _saved(figure, "png", dpi=dpi, metadata={"Software": None})


def to_svg(figure: Figure) -> str:
    """The figure as an SVG element with its text drawn as outlines, without dates or random ids."""
    text = _saved(figure, "svg", metadata={"Date": None, "Creator": None}).decode("utf-8")
    # Matplotlib repeats every text in a comment: not markup, but not needed either.
    return re.sub(r"<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)


def figure_html(figure: Figure, alt: str, caption: str = "") -> str:
    """A `<figure>` with the picture inside it, its alternative text and a caption; all text escaped."""
    source = base64.b64encode(to_png(figure)).decode("ascii")
    below = f"<figcaption>{escape(caption, limit=1000)}</figcaption>" if caption else ""
    return (
        f'<figure class="wb-figure"><img alt="{escape(alt, limit=2000)}" '
        f'src="data:image/png;base64,{source}">{below}</figure>'
    )


def _saved(figure: Figure, form: str, **options: object) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    with RENDER_LOCK, mpl.rc_context(_INK):
        if figure.get_layout_engine() is not None:
            # Each layout starts from the last one and moves things a little: settle it once.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        figure.savefig(buffer, format=form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()
