"""The Compression panel's table: one line per copy, filled as they are made and judged. Pure HTML."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.compare.drift import Drift
from workbench.core import Size, TableCell, clean, csv_link, html_table
from workbench.panels.compression.run import CompressionOutcome, Copy

UNKNOWN = "–"


def table_html(outcome: CompressionOutcome, *, running: bool = False) -> str:
    """One line per copy, filled as copies finish: verdicts, what decided them, predictions, sizes."""
    from workbench.draw.drift import short

    drift = outcome.drift
    n = None if drift is None else len(drift.ids)
    heads = ["model", f"these {n} rows" if n else "these rows", "rows like these", "decided by"]
    heads += ["its drift, 95 %", "its margin", "flips", "accuracy", "file", "packed", "non-zeros"]
    original = _size_of_original(outcome)
    before = [one.accuracy[0] for one in (drift.behavior if drift else ()) if one.accuracy]
    first = TableCell(outcome.reference.name, limit=60)
    none = (UNKNOWN,) * 5
    accuracy = _percent(before[0] if before else None)
    called = short([one.name for one in outcome.copies], outcome.reference.name, 60)
    lines: list[Sequence[object]] = [(first, "the model", *none, accuracy, *_sizes(original))]
    lines += [
        (
            TableCell(called[one.name], remarks=_remarks(one, drift), across=True),
            *_cells(one, outcome, original, running=running),
        )
        for one in outcome.copies
    ]
    caption = f"Copies of {clean(outcome.reference.name, limit=60)}"
    if drift is not None:
        caption += (
            f", their reasons by {', '.join(drift.methods)}. A verdict is the gravest over all methods and "
            "metrics; what it is owed to stands beside it. Drift is 0 where nothing changed"
        )
    table = html_table(heads, lines, caption, look="wide", limit=120)
    if drift is None:
        return table
    return table + csv_link(drift.summary(), f"drift of {drift.reference}")


def _cells(
    one: Copy, outcome: CompressionOutcome, original: Size | None, *, running: bool
) -> Sequence[str]:
    from workbench.draw.drift import claims, decided_by, figure_of, interval, leading, said_of

    variant = None if one.model is None else one.model.variant
    drift = outcome.drift
    judged = drift is not None and one.name in drift.models
    behavior = next((b for b in (drift.behavior if drift else ()) if b.model == one.name), None)
    accuracy = behavior.accuracy[1] if behavior and behavior.accuracy else None
    waiting = "waiting" if running else "not judged"
    state = waiting if one.model is not None else ("being made" if running else "not made")
    if one.failed:
        state = "not made" if one.model is None else "not explained"
    verdicts: tuple[str, ...] = (state, *(UNKNOWN,) * 4)
    found = claims(drift, one.name) if drift is not None and judged else None
    if drift is not None and found is not None:
        claim = leading(drift, one.name) or found[1]
        owed = next(m for m in drift.of(one.name, method=claim.method) if m.metric == claim.metric)
        figures = (interval(owed), figure_of(owed.margin))
        # No line break between a sign and its word.
        here, like = (said_of(one).replace(" ", "\N{NO-BREAK SPACE}", 1) for one in found)
        verdicts = (here, like, decided_by(claim), *figures)
    return (
        *verdicts,
        _percent(behavior.flips if behavior else None),
        _percent(accuracy),
        *_sizes(None if variant is None else variant.size, original),
    )


def _remarks(one: Copy, drift: Drift | None) -> list[str]:
    """Sentences about a copy: how it drifted, what it is, and what a user must know about it."""
    from workbench.draw.drift import claims

    variant = None if one.model is None else one.model.variant
    remarks = []
    if drift is not None and one.name in drift.models and claims(drift, one.name):
        remarks.append(drift.sentence(one.name))
    if variant is not None:
        remarks.append(f"{variant.description}; runs as {variant.runs_as}")
        remarks += (
            ["changes no score of the rows it was tried on"] if variant.changed is False else []
        )
        remarks += [variant.twin_note] if variant.twin_note else []
    return remarks + ([one.failed] if one.failed else [])


def _size_of_original(outcome: CompressionOutcome) -> Size | None:
    variants = [one.variant for one in outcome.models if one.variant is not None]
    return next((one.original_size for one in variants if one.original_size is not None), None)


def _sizes(size: Size | None, original: Size | None = None) -> tuple[str, str, str]:
    """File bytes, packed bytes and non-zeros; for a copy, with their share of the original's."""
    from workbench.draw.drift import bytes_of

    if size is None:
        return UNKNOWN, UNKNOWN, UNKNOWN
    whole = (
        (None, None, None)
        if original is None
        else (original.file_bytes, original.packed_bits, original.nonzeros)
    )

    def share(mine: int, whole: int | None) -> str:
        return f" ({mine / whole:.0%})" if whole and mine != whole else ""

    return (
        bytes_of(size.file_bytes) + share(size.file_bytes, whole[0]),
        bytes_of(-(-size.packed_bits // 8)) + share(size.packed_bits, whole[1]),
        f"{size.nonzeros:,}" + share(size.nonzeros, whole[2]),
    )


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1%}"
