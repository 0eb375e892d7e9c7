"""An empty figure for a picture; matplotlib is imported when one is made, not with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.draw.figure import Picture


def new_figure(width: float, height: float, words: str) -> Picture:
    """An empty figure on white paper, sizes in inches, with the picture's text twin."""
    from workbench.draw.figure import Picture  # brings matplotlib

    return Picture(width, height, words)
