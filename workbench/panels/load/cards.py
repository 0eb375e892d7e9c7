"""Models, rows and the bench as small pieces of HTML: what each thing is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workbench.core import Inputs, Model, escape, html_table
from workbench.models.asking import remarks_of
from workbench.panels.kit import Bench


def model_html(model: Model) -> str:
    """What a model is: where it is from, its outputs, scale, capabilities and notes."""
    origin = model.lineage[-1] if model.lineage else "a live object"
    facts = {
        "format": "" if model.file is None else model.file.format,
        "from": origin,
        "digest": model.digest,
        "outputs": ", ".join(model.outputs[:12]) + (" …" if len(model.outputs) > 12 else ""),
        "scale": model.scale,
        "rows": f"{model.kind or 'any kind'} {_shape(model.shape)}",
        "can": ", ".join(model.capabilities),
    }
    return _card(model.name, facts, (*model.notes, *remarks_of(model))) + file_html(model)


def file_html(model: Model) -> str:
    """For a model from a file, the table of what was checked when it was loaded, and by which version."""
    if model.file is None:
        return ""
    table = html_table((), model.file.to_rows(), look="plain", limit=300)
    return (
        f'<details class="wb-file"><summary>The file: {escape(model.file.format)}, '
        f"{len(model.file.checks)} checks</summary>"
        f"{table}</details>"
    )


def inputs_html(inputs: Inputs) -> str:
    """What a set of rows is."""
    background = "none" if inputs.background is None else f"{len(inputs.background)} rows"
    facts = {
        "rows": f"{len(inputs)} {inputs.kind} {_shape(inputs.values.shape[1:])}",
        "background": background,
        "missing values": _missing(inputs),
        "known truth": "" if inputs.truth is None else "the pixels that decide",
    }
    return _card(inputs.name, facts, ())


def _missing(inputs: Inputs) -> str:
    """How many values are missing in which columns, of the rows and of their background; "" where none."""
    if not inputs.of_kind.columns:
        return ""
    parts = []
    for where, values in (("", inputs.values), (" of the background", inputs.background)):
        if values is None or not np.isnan(values).any():
            continue
        counts = np.isnan(values).sum(axis=0)
        named = [f"{inputs.features[j]} ({counts[j]})" for j in np.flatnonzero(counts)]
        more = f" and {len(named) - 8} more columns" * (len(named) > 8)
        parts.append(f"{int(counts.sum())}{where}: {', '.join(named[:8])}{more}")
    return "; ".join(parts)


def bench_html(bench: Bench) -> str:
    """Two small tables: the models and the rows."""
    models = [
        (name, model.kind or "any", f"{len(model.outputs)} in {model.scale}")
        for name, model in bench.models.items()
    ]
    inputs = [(name, rows.kind, f"{len(rows)} rows") for name, rows in bench.inputs.items()]
    tables = (
        html_table(heads, lines, look="plain")
        for heads, lines in (
            (("Model", "Reads", "Outputs"), models),
            (("Rows", "Kind", "Count"), inputs),
        )
        if lines
    )
    return "".join(tables) or '<div class="wb-doc">The bench is empty.</div>'


def _card(name: str, facts: Mapping[str, str], notes: tuple[str, ...]) -> str:
    lines = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value, limit=300)}</dd>"
        for key, value in facts.items()
        if value
    )
    items = "".join(f"<li>{escape(note, limit=500)}</li>" for note in notes)
    listed = f'<ul class="wb-notes">{items}</ul>' if items else ""
    return f'<div class="wb-card"><b>{escape(name)}</b><dl>{lines}</dl>{listed}</div>'


def _shape(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if one is None else str(one) for one in shape)
