"""Drift, accuracy, size and latency against the level, with the knee and the Pareto set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.compare.drift import Curve, CurvePoint
from workbench.core import text_table
from workbench.draw.canvas import RENDER_LOCK
from workbench.draw.drift.words import (
    GRAY,
    LINES,
    MARKS,
    SHAPES,
    figure_of,
    metric_title,
    narrow,
    rooted,
    short,
    sign_and_word,
)
from workbench.draw.paper import new_figure
from workbench.draw.style import FAINT, INK, dress, label
from workbench.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = 22
"""Characters of a copy's name on the axis."""

CROWDED = 6
"""With at most so many copies, names are written horizontally."""


def drift_curve(curve: Curve) -> Figure:
    """One axis each for drift, accuracy, size and latency, the original first, then the copies by level.

    Drift is drawn with its 95 % interval, the shaded margin and the reference lines. The shape of a
    point is the copy's verdict for rows like these over all methods, not only the curve's. A large ring
    marks the Pareto set: copies that no other beats in every respect. A dashed line marks the knee, where
    the curve bends.

    Args:
        curve: from `workbench.lab.curve`.

    Raises:
        InputError: no copy is on the curve.
    """
    words = drift_curve_text(curve)
    every = (curve.reference, *curve.points)
    drawn = [_drift, *(draw for name, draw in _MORE.items() if _known(every, name))]
    if _flips in drawn and _accuracy in drawn:
        drawn.remove(_flips)  # they are written beside the accuracy
    with RENDER_LOCK:
        wide = max(6.4, 2.2 + 0.85 * len(every))
        ticks = _ticks(curve)
        turned = len(every) > CROWDED or max(map(len, ticks)) > 12
        figure = new_figure(wide, 1.7 + 1.3 * len(drawn) + 0.7 * turned, words)
        grid: Any = figure.subplots(
            len(drawn),
            1,
            squeeze=False,
            sharex=True,
            height_ratios=[1.5, *[1.0] * (len(drawn) - 1)],
        )
        slots = list(grid.ravel())
        for slot, draw in zip(slots, drawn, strict=True):
            dress(slot, along="y", size=8.5)
            draw(slot, curve, every)
            _knee(slot, every)
        slots[-1].set_xticks(range(len(every)))
        slots[-1].set_xticklabels(
            ticks, parse_math=False,
            rotation=25 if turned else 0, ha="right" if turned else "center",
        )  # fmt: skip
        slots[-1].set_xlim(-0.5, len(every) - 0.5)
        slots[-1].set_xlabel(label(curve.level, 80), fontsize=9, color=FAINT, parse_math=False)
        figure.suptitle(
            f"What each level costs “{label(curve.reference.model, 32)}”\n"
            f"{label(curve.method, 40)}, drift by {metric_title(curve.metric)}",
            x=0.02, ha="left", fontsize=10.5, color=INK, parse_math=False,
        )  # fmt: skip
        _key(figure, curve)
        return figure


def drift_curve_text(curve: Curve) -> str:
    """The same as an aligned table: a line per copy with its verdicts, what decided them, and its marks."""
    if not curve.points:
        raise InputError(
            "A curve needs at least one copy, but there is none. Explain a copy beside its model first."
        )
    heads = (
        "",
        "drift, 95 %",
        "accuracy",
        "flips",
        "file",
        "packed",
        "not zero",
        "MACs",
        "seconds",
        "these rows",
        "rows like these",
        "decided by",
        "",
    )
    ticks = _ticks(curve)
    lines = []
    for at, one in enumerate((curve.reference, *curve.points)):
        original = one is curve.reference
        marks = ["Pareto"] if one.pareto and not original else []
        marks += ["knee"] if one.knee else []
        lines.append(
            (
                f"{ticks[at]}: {label(one.model, 40)}" if _leveled(curve) else ticks[at],
                "0"
                if original
                else f"{figure_of(one.drift)} [{figure_of(one.low)}, {figure_of(one.high)}]",
                _percent(one.accuracy),
                _percent(one.flips),
                bytes_of(one.file_bytes),
                _packed(one.packed_bits),
                _packed(one.nonzero_bits),
                "–" if one.macs is None else f"{one.macs:,}",
                figure_of(one.seconds),
                "" if original else sign_and_word(one.on_rows),
                "" if original else sign_and_word(one.verdict),
                _decided_by(one),
                ", ".join(marks),
            )
        )
    found = [
        f"What each level costs “{label(curve.reference.model, 32)}”",
        f"{label(curve.method, 40)}, drift by {metric_title(curve.metric)}, margin "
        f"{figure_of(curve.margin)}; {label(curve.level, 80)}",
        text_table(heads, lines),
    ]
    return "\n".join([*found, *(label(note, 300) for note in curve.notes)])


def bytes_of(count: int | None) -> str:
    """Bytes in the unit that fits, thousands by the thousand.

    >>> bytes_of(118_600), bytes_of(900), bytes_of(None)
    ('118.6 kB', '900 B', '–')
    """
    if count is None:
        return "–"
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _packed(bits: int | None) -> str:
    return bytes_of(None if bits is None else -(-bits // 8))


def _leveled(curve: Curve) -> bool:
    """Whether the copies have levels, numbers that mean something."""
    return curve.level != "copy"


def _ticks(curve: Curve) -> list[str]:
    """The labels on the axis: the original's, then each copy's."""
    if _leveled(curve):
        return ["original", *(f"{one.level:g}" for one in curve.points)]
    names = [one.model for one in curve.points]
    called = short(names, curve.reference.model, NAME)
    return ["original", *(called[name] for name in names)]


def _decided_by(one: CurvePoint) -> str:
    method, metric = one.decided_by
    return f"{label(method, 30)}, {metric_title(metric)}" if method else ""


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _known(every: tuple[CurvePoint, ...], name: str) -> bool:
    return any(getattr(one, name) is not None for one in every)


def _drift(axes: Any, curve: Curve, every: tuple[CurvePoint, ...]) -> None:
    axes.axhspan(0, curve.margin, color="#dcebf5", zorder=0, lw=0)
    for field, (_, dashes) in LINES.items():
        where = getattr(curve, field)
        if where is not None:
            axes.axhline(where, color=INK, lw=1.1, ls=dashes, zorder=1)
    _joined(axes, curve, [one.drift for one in every])
    for at, one in enumerate(every):
        if one is curve.reference:
            axes.plot([at], [0], marker="s", ms=6, color=INK, zorder=4, clip_on=False)
            continue
        mark = MARKS[one.verdict]
        axes.plot([at, at], [one.low, one.high], color=mark.color, lw=2.2, zorder=3)
        axes.plot([at], [one.drift], zorder=4, clip_on=False, **mark.drawn())
        if one.pareto:
            axes.plot(
                [at], [one.drift], marker="o", ms=15, mec=INK, mew=1.1, mfc="none", clip_on=False
            )
    lines = [getattr(curve, field) or 0.0 for field in LINES]
    top = max(curve.margin, *(one.high for one in every), *lines) or 1.0
    thin = narrow(curve.margin, top)
    if thin:
        rooted(axes, "y", top)
    axes.set_ylim(0, 1.1 * top)
    axes.set_ylabel("drift (square-\nroot scale)" if thin else "drift", fontsize=9, color=FAINT)


def _accuracy(axes: Any, curve: Curve, every: tuple[CurvePoint, ...]) -> None:
    _series(axes, curve, [one.accuracy for one in every], "{:.0%}")
    for at, one in enumerate(every):
        if one.flips is not None and one.accuracy is not None and one is not curve.reference:
            axes.annotate(
                f"{one.flips:.0%} flip", (at, one.accuracy), xytext=(0, -13),
                textcoords="offset points", ha="center", fontsize=8, color=INK,
            )  # fmt: skip
    axes.set_ylabel("accuracy", fontsize=9, color=FAINT)
    axes.margins(y=0.5)


def _flips(axes: Any, curve: Curve, every: tuple[CurvePoint, ...]) -> None:
    _series(axes, curve, [one.flips for one in every], "{:.0%}")
    axes.set_ylabel("flips", fontsize=9, color=FAINT)


def _size(axes: Any, curve: Curve, every: tuple[CurvePoint, ...]) -> None:
    from matplotlib.ticker import FuncFormatter

    files = [one.file_bytes for one in every]
    packed = [None if one.packed_bits is None else one.packed_bits / 8 for one in every]
    filled = [None if one.nonzero_bits is None else one.nonzero_bits / 8 for one in every]
    _series(axes, curve, files, None, marker="s", size=10, hollow=True)
    _series(axes, curve, packed, None)
    sizes, key = packed, "size\n(square: file,\ndot: packed)"
    if any(one is not None and one != whole for one, whole in zip(filled, packed, strict=True)):
        _series(axes, curve, filled, None, marker="v", hollow=True)
        sizes, key = filled, "size (square: file,\ndot: packed, triangle:\nof it not zero)"
    for at, size in enumerate(sizes):
        if size is not None:
            _tell(axes, at, size, bytes_of(round(size)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bytes_of(round(value))))
    axes.set_ylim(0, 1.3 * (max(filter(None, (*files, *packed)), default=1.0)))
    axes.set_ylabel(key, fontsize=8, color=FAINT)


def _latency(axes: Any, curve: Curve, every: tuple[CurvePoint, ...]) -> None:
    seconds = [None if one.seconds is None else 1000 * one.seconds for one in every]
    _series(axes, curve, seconds, "{:.3g} ms")
    axes.set_ylim(0, 1.3 * (max(filter(None, seconds), default=1.0)))
    axes.set_ylabel("latency, ms", fontsize=9, color=FAINT)


_MORE = {"accuracy": _accuracy, "flips": _flips, "packed_bits": _size, "seconds": _latency}
"""The axes below the drift, each by the field that must be known for at least one copy."""


def _series(
    axes: Any,
    curve: Curve,
    values: list[Any],
    form: str | None,
    marker: str = "o",
    *,
    size: float = 6,
    hollow: bool = False,
) -> None:
    _joined(axes, curve, values)
    for at, value in enumerate(values):
        if value is None:
            continue
        axes.plot(
            [at], [value], marker=marker, ms=size, mew=1.3, mec=INK, mfc="white" if hollow else INK,
            zorder=4, clip_on=False,
        )  # fmt: skip
        if form is not None:
            _tell(axes, at, value, form.format(value))
    axes.margins(y=0.3)


def _joined(axes: Any, curve: Curve, values: list[Any]) -> None:
    if _leveled(curve):
        there = [(at, value) for at, value in enumerate(values) if value is not None]
        axes.plot(
            [at for at, _ in there], [value for _, value in there], color=GRAY, lw=1, zorder=2
        )


def _tell(axes: Any, at: int, value: float, text: str) -> None:
    axes.annotate(
        text, (at, value), xytext=(0, 7), textcoords="offset points", ha="center", fontsize=8, color=INK,
        parse_math=False, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.8},
    )  # fmt: skip


def _knee(axes: Any, every: tuple[CurvePoint, ...]) -> None:
    for at, one in enumerate(every):
        if one.knee:
            axes.axvline(at, color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
            if axes.get_subplotspec().is_first_row():
                axes.annotate(
                    "knee", (at, 1), xycoords=axes.get_xaxis_transform(), xytext=(4, -9),
                    textcoords="offset points", fontsize=8.5, color=INK,
                )  # fmt: skip


def _key(figure: Any, curve: Curve) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shown: list[Any] = [Patch(color="#dcebf5", label="within the margin")]
    shown += [
        Line2D([], [], color=INK, lw=1.1, ls=dashes, label=name)
        for field, (name, dashes) in LINES.items()
        if getattr(curve, field) is not None
    ]
    for verdict in dict.fromkeys(one.verdict for one in curve.points):
        shown.append(Line2D([], [], **MARKS[verdict].drawn(), label=verdict))
    if any(one.pareto for one in curve.points):
        shown.append(
            Line2D([], [], ls="none", marker="o", ms=11, mec=INK, mfc="none", label="Pareto set")
        )
    legend = figure.legend(
        handles=shown, loc="outside lower left", ncols=4, fontsize=8.5, frameon=False, labelcolor=INK,
        alignment="left", title_fontsize=8.5, title=SHAPES,
    )  # fmt: skip
    legend.get_title().set_color(INK)
