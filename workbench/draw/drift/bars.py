"""One row of a table for a model and its copies: bars side by side, with the difference in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution
from workbench.draw.bars import player_labels
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.drift.pairs import (
    MOST,
    conventions,
    output_words,
    pair_byline,
    pair_question,
    relative,
    same_rows,
    shown_as,
)
from workbench.draw.paper import new_figure
from workbench.draw.style import (
    FAINT,
    INK,
    LOWERS,
    NEUTRAL,
    RAISES,
    dress,
    label,
    number,
    unit_in_words,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NAME = 30


@dataclass(frozen=True)
class Pair:
    """One player: its name, the model's value, the copies' values `(m,)`, half their 95 % intervals."""

    name: str
    model: float
    copies: Array
    halves: Array


@dataclass(frozen=True)
class CopyBars:
    """The drawn copies, each player's values for model and copies, and notes on the copies' gradients."""

    shown: tuple[Attribution, ...]
    pairs: list[Pair]
    notes: list[str]


def copy_bars(
    reference: Attribution, copies: Sequence[Attribution], row: int = 0, *, top: int = 8
) -> Figure:
    """A panel per copy: the model's bars hollow, the copy's filled below them, and the difference.

    All panels share one order (the largest value in any panel first) and one scale.

    Args:
        reference: of table rows.
        copies: of the same rows by the same method; the first four are drawn.
        row: which of the rows.
        top: how many players get bars of their own; the rest share one.

    Raises:
        InputError: the rows are images, or the studies differ.
    """
    found = _copy_bars(reference, copies, row, top)
    shown, pairs, notes = found.shown, found.pairs, found.notes
    called = shown_as(reference, shown, NAME)
    words = _in_words(reference, copies, row, found)
    across = 1 if len(shown) == 1 else 2
    down = -(-len(shown) // across)
    with RENDER_LOCK:
        high = 0.8 + 0.4 * max(len(pairs), 2)
        figure = new_figure(2.6 + 3.3 * across, 1.1 + high * down + 0.16 * len(notes), words)
        grid: Any = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        slots = list(grid.ravel())
        for k, (slot, one) in enumerate(zip(slots, shown, strict=False)):
            dress(slot)
            _draw(slot, pairs, k, sampled=one.error is not None)
            slot.set_title(
                f"{called[one.model]} · {output_words(one, row)}",
                loc="left", fontsize=9, color=INK, parse_math=False,
            )  # fmt: skip
        for slot in slots[len(shown) :]:
            slot.set_visible(False)
        slots[0].set_yticks(range(len(pairs)))
        slots[0].set_yticklabels([pair.name for pair in pairs], parse_math=False)
        slots[0].set_ylim(len(pairs) - 0.4, -0.6)
        _limits(slots[0], pairs)
        figure.suptitle(
            f"{pair_question(reference, row)}\n{pair_byline(reference, copies)}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        whiskers = " · whiskers: 95 % confidence" if reference.error is not None else ""
        key = (
            f"contribution in {unit_in_words(reference)}{whiskers}\n"
            f"hollow: {label(reference.model, 40)} ({output_words(reference, row)}), filled: the copy, "
            "in figures: copy − model"
        )
        figure.supxlabel("\n".join([key, *notes]), fontsize=8.5, color=FAINT, parse_math=False)
        return figure


def copy_bars_text(
    reference: Attribution, copies: Sequence[Attribution], row: int = 0, *, top: int = 8
) -> str:
    """The same as one aligned table: the model's value, each copy's, and the difference in brackets."""
    return _in_words(reference, copies, row, _copy_bars(reference, copies, row, top))


def _copy_bars(
    reference: Attribution, copies: Sequence[Attribution], row: int, top: int
) -> CopyBars:
    same_rows(reference, copies, maps=False)
    shown = tuple(copies)[:MOST]
    return CopyBars(shown, _pairs(reference, shown, row, top), conventions(shown, reference))


def _in_words(
    reference: Attribution, copies: Sequence[Attribution], row: int, found: CopyBars
) -> str:
    shown, pairs = found.shown, found.pairs
    width = max(len(pair.name) for pair in pairs)
    called = shown_as(reference, shown, 22)
    heads = [called[one.model] for one in (reference, *shown)]
    room = [max(len(heads[0]), 9), *(max(len(head), 19) for head in heads[1:])]
    lines = [
        pair_question(reference, row),
        f"{pair_byline(reference, copies)}, in {reference.scale}; in brackets: copy − model",
        f"  {'':<{width}}  " + "  ".join(f"{h:>{w}}" for h, w in zip(heads, room, strict=True)),
    ]
    for pair in pairs:
        cells = [number(pair.model)]
        cells += [f"{number(value)} ({number(value - pair.model)})" for value in pair.copies]
        line = "  ".join(f"{cell:>{w}}" for cell, w in zip(cells, room, strict=True))
        lines.append(f"  {pair.name:<{width}}  {line}")
    first = reference.by_player(row)
    lines += [
        f"  {called[one.model]}: {output_words(one, row)}, differs by "
        f"{relative(first, one.by_player(row))}"
        for one in shown
    ]
    return "\n".join([*lines, *found.notes])


def _pairs(reference: Attribution, copies: Sequence[Attribution], row: int, top: int) -> list[Pair]:
    """The `top` players with the largest values in any model; the others are summed, model by model."""
    names = player_labels(reference, row)
    every = np.stack([one.by_player(row) for one in (reference, *copies)])
    halves = np.stack([_halves(one, row) for one in (reference, *copies)])
    order = np.argsort(-np.abs(every).max(axis=0), kind="stable")
    own = len(order) if len(order) <= top + 1 else top
    pairs = [Pair(names[j], float(every[0, j]), every[1:, j], halves[:, j]) for j in order[:own]]
    rest = order[own:]
    if len(rest):
        sums = every[:, rest].sum(axis=1)
        # Errors of a sum of unknown correlation are at most their sum.
        wide = halves[:, rest].sum(axis=1)
        pairs.append(Pair(f"{len(rest)} others", float(sums[0]), sums[1:], wide))
    return pairs


def _halves(attribution: Attribution, row: int) -> Array:
    halves = attribution.half_width_by_player(row)
    return np.zeros(len(attribution.by_player(row))) if halves is None else np.nan_to_num(halves)


def _draw(axes: Any, pairs: list[Pair], k: int, *, sampled: bool) -> None:
    place = np.arange(len(pairs))
    model = np.array([pair.model for pair in pairs])
    copy = np.array([pair.copies[k] for pair in pairs])
    axes.barh(
        place - 0.19, model, height=0.34, facecolor="white", edgecolor=NEUTRAL, lw=1.2, zorder=2
    )
    colors = [RAISES if value > 0 else LOWERS if value < 0 else NEUTRAL for value in copy]
    axes.barh(place + 0.19, copy, height=0.34, color=colors, zorder=2)
    if sampled:
        for values, offset, of in ((model, -0.19, 0), (copy, 0.19, k + 1)):
            half = np.array([pair.halves[of] for pair in pairs])
            axes.errorbar(
                values, place + offset, xerr=half, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2,
                zorder=3,
            )  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.9, zorder=4)
    for at, (mine, theirs) in enumerate(zip(model, copy, strict=True)):
        wide = pairs[at].halves[[0, k + 1]]
        end = max(mine + wide[0], theirs + wide[1], 0.0)
        axes.annotate(
            number(theirs - mine), (end, at), xytext=(5, 0), textcoords="offset points", va="center",
            ha="left", fontsize=8, color=INK, parse_math=False,
        )  # fmt: skip


def _limits(axes: Any, pairs: list[Pair]) -> None:
    every = np.array([[pair.model, *pair.copies] for pair in pairs])
    wide = np.array([pair.halves for pair in pairs])
    low, high = min(0.0, float((every - wide).min())), max(0.0, float((every + wide).max()))
    width = (high - low) or 1.0
    axes.set_xlim(low - 0.04 * width, high + 0.2 * width)
