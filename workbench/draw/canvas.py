"""Figures into bytes and markup, one at a time."""

from __future__ import annotations

import base64
import io
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core import clean, escape, write_whole
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RENDER_LOCK = threading.RLock()
"""Held while a figure is laid out or rasterized: threads share matplotlib's text machinery."""

_INK: dict[Any, Any] = {
    "svg.hashsalt": "workbench",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "axes.unicode_minus": True,
}

_OTHER_SCRIPTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Thai",
    "Noto Sans Devanagari", "Noto Emoji", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Segoe UI Emoji", "WenQuanYi Zen Hei",
    "Arial Unicode MS", "Unifont",
)  # fmt: skip
"""Fonts for letters that matplotlib's own font lacks; those that are installed are used."""


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Writes a picture to a file, whole or not at all: .png, .svg or .pdf, as its name ends.

    The same picture always gives the same bytes. A folder that is not there is not made.

    Example:
        >>> from matplotlib.figure import Figure
        >>> save(Figure(), "a.jpg")
        Traceback (most recent call last):
        workbench.errors.InputError: A picture is saved as .png, .svg or .pdf, but 'a.jpg' ...

    Args:
        figure: what a function of `draw` gave, or any figure of matplotlib.
        path: the file; one that is there is replaced.

    Raises:
        InputError: another ending, or the file cannot be written there.
    """
    ending = Path(path).suffix
    if (write := _WRITERS.get(ending.lower())) is None:
        raise InputError(
            f"A picture is saved as .png, .svg or .pdf, but {clean(path)!r} ends in {clean(ending)!r}. "
            "Name a file with one of these endings."
        )
    write_whole(path, write(figure), "A picture")


def png_bytes(figure: Figure, dpi: float = 110) -> bytes:
    """The figure as PNG; the same figure always gives the same bytes."""
    return _saved(figure, "png", dpi=dpi, metadata={"Software": None})


def svg_text(figure: Figure) -> str:
    """The figure as an SVG element with its text drawn as outlines, without dates or random ids."""
    text = _saved(figure, "svg", metadata={"Date": None, "Creator": None}).decode("utf-8")
    # Matplotlib repeats every text in a comment, which nobody needs.
    return re.sub(r"<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)


def pdf_bytes(figure: Figure) -> bytes:
    """The figure as a PDF without dates."""
    return _saved(figure, "pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})


_WRITERS: dict[str, Callable[[Figure], bytes | str]] = {
    ".png": png_bytes,
    ".svg": svg_text,
    ".pdf": pdf_bytes,
}


def figure_html(figure: Figure, alt: str, caption: str = "") -> str:
    """A `<figure>` with the picture inside it, its alternative text and a caption; all text escaped."""
    source = base64.b64encode(png_bytes(figure)).decode("ascii")
    below = f"<figcaption>{escape(caption, limit=1000)}</figcaption>" if caption else ""
    return (
        f'<figure class="wb-figure"><img alt="{escape(alt, limit=2000)}" '
        f'src="data:image/png;base64,{source}">{below}</figure>'
    )


def _saved(figure: Figure, form: str, **options: object) -> bytes:
    import matplotlib as mpl

    buffer = io.BytesIO()
    fonts = {"font.sans-serif": _fonts()}
    with RENDER_LOCK, mpl.rc_context(_INK | fonts), _boxes_for_letters_without_a_font(figure):
        if figure.get_layout_engine() is not None:
            # Each layout starts from the last one and moves things a little, so it is made once.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        figure.savefig(buffer, format=form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


@cache
def _fonts() -> list[str]:
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in there)]


@cache
def _letters() -> frozenset[int]:
    """The characters that matplotlib's own font can draw."""
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


@contextmanager
def _boxes_for_letters_without_a_font(figure: Figure) -> Iterator[None]:
    """Draw names in any script without warnings; a letter that no font has becomes a box.

    Filters of warnings belong to the whole process, so they are touched only where such a letter is drawn.
    """
    from matplotlib.text import Text

    drawn = {ord(ch) for one in figure.findobj(Text) for ch in one.get_text()}
    if drawn <= _letters() | {ord("\n")}:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", "Matplotlib currently does not support", UserWarning)
        yield
