"""Colors, words and numbers that every picture shares."""

from __future__ import annotations

import textwrap
from typing import Any, Literal

import numpy as np

from workbench.core import CONVENTION, Attribution, clean

RAISES, LOWERS = "#b2182b", "#2166ac"
"""Red raises the explained number, blue lowers it: the ends of the map `SIGNED`, both color-blind safe."""

SIGNED, ONE_SIGNED = "RdBu_r", "magma"
"""Color maps: zero in the middle for signed values, from nothing to much for values of one sign."""

INK, FAINT, GRID, NEUTRAL = "#222222", "#666666", "#e3e3e3", "#9a9a9a"

MISSING = "#c6c6c6"
"""A missing value, which is neither low nor high; lighter than what has no low and high at all."""

UNITS = {
    "logit": "logit (log-odds)",
    "probability": "probability",
    "raw": "the model's own unit",
}


def label(text: object, limit: int = 42) -> str:
    """Text from data for a picture: one line, cleaned, cut."""
    return clean(text, limit=limit)


def number(value: float) -> str:
    """A number with its sign and three significant digits.

    >>> number(0.1), number(-3.0), number(0.0)
    ('+0.100', '−3.00', '0')
    """
    if value == 0:
        return "0"
    text = f"{abs(value):#.3g}".removesuffix(".")
    return ("−" if value < 0 else "+") + text


def plain(value: float) -> str:
    """A number with four significant digits and a real minus sign."""
    return f"{value:.4g}".replace("-", "−")


def headline(attribution: Attribution, row: int) -> str:
    """The question that the picture answers."""
    what = label(attribution.explained[row], 32)
    who = label(attribution.inputs.ids[row], 24)
    return f"Why “{what}” for row {who}"


def byline(attribution: Attribution) -> str:
    """The method and the model; and a note where the gradient comes from a twin."""
    early = " · stopped early" if not attribution.complete else ""
    twin = f" · {convention(attribution)}" if convention(attribution) else ""
    return f"{type(attribution.method).__name__} of {label(attribution.model, 40)}{twin}{early}"


def convention(attribution: Attribution) -> str:
    """For a gradient through rounding, what it is and how far its twin is off; "" for other results."""
    gap = attribution.provenance.twin_gap
    return "" if gap is None else f"{CONVENTION}, twin off by at most {gap:.2g}"


def wrapped(line: str, width: int) -> str:
    """A line broken between words, so that it stays on the picture."""
    return "\n".join(textwrap.wrap(line, width))


def account(attribution: Attribution, row: int) -> str:
    """Output, base and gap in words, as far as the method has them."""
    output = f"output {plain(float(attribution.output[row]))}"
    base = float(attribution.base[row])
    if not np.isfinite(base):
        return f"{output} · values need not sum to it"
    gap = float(attribution.gap[row])
    scale = max(abs(float(attribution.output[row])), abs(base), 1e-12)
    shown = "0" if abs(gap) < 1e-6 * scale else plain(gap)
    return f"{output} = base {plain(base)} + values + gap {shown}"


def unit_label(attribution: Attribution) -> str:
    """The axis label: the unit of the values."""
    errors = " (whiskers: 95 % confidence)" if attribution.error is not None else ""
    return f"contribution in {unit_in_words(attribution)}{errors}"


def unit_in_words(attribution: Attribution) -> str:
    """The unit of values and outputs; of raw scores also what they are, where that is known."""
    return attribution.provenance.unit or UNITS[attribution.scale]


def dress(axes: Any, *, along: Literal["x", "y"] = "x", size: float = 9) -> None:
    """Style the axes: no box, a faint grid along the values, letters of so many points."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=INK, length=0, labelsize=size)
    axes.grid(axis=along, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def title(axes: Any, first: str, second: str) -> None:
    """Two lines above the axes, or more where they are long: the question and the byline."""
    axes.set_title(
        f"{first}\n{wrapped(second, 80)}", loc="left", fontsize=10.5, color=INK, parse_math=False
    )
