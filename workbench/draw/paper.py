"""Where pictures begin: an empty figure, made when it is needed and not when the room is entered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.draw.figure import Picture


def new_figure(width: float, height: float, words: str) -> Picture:
    """An empty figure on white paper, sizes in inches, with the picture's text twin."""
    from workbench.draw.figure import Picture  # brings matplotlib

    return Picture(width, height, words)
