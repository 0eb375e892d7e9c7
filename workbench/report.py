"""A study as one HTML file that needs nothing else: no script, no request, readable on paper."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from workbench.compare.drift import Drift
from workbench.core import (
    Attribution,
    Comparison,
    csv_link,
    escape,
    frame_cells,
    html_table,
    make_folder,
    write_whole,
)
from workbench.draw import (
    alt_text,
    beeswarm,
    beeswarm_text,
    behavior_html,
    drift_lines,
    drift_lines_text,
    figure_html,
    picture,
    quality_html,
    verdict_html,
)
from workbench.errors import InputError

MOST_SAVED = 20_000
"""At most so many values are put into a page as CSV: about 2 MB."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --faint: #5c636b; --paper: #fff; --ground: #f4f5f7;
        --line: #dfe2e6; --accent: #2166ac; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ec; --faint: #a3aab3; --paper: #22262b; --ground: #16191d; --line: #363c44;
          --accent: #7db4e6; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
       font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .2rem; }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
p.lead, p.facts, figcaption, caption, footer { color: var(--faint); }
p.facts { margin: 0 0 .8rem; font-size: .92rem; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
          padding: 0 1.4rem 1.4rem; margin: 1.4rem 0; break-inside: avoid-page; }
section h2 { margin-top: 1.2rem; }
figure { margin: 1rem 0; background: #fff; border-radius: 6px; padding: .6rem; display: inline-block;
         max-width: 100%; }
figure img { max-width: 100%; height: auto; display: block; }
.wb-wide-table { overflow-x: auto; }
.wb-remark { color: var(--faint); font-size: .82rem; font-weight: 400; }
.wb-wide-table th { font-weight: 500; } .wb-wide-table thead th { vertical-align: bottom; }
.wb-copy th { padding-top: 1rem; }
table { border-collapse: collapse; font-size: .9rem; margin: .6rem 0 1rem;
        font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .35rem; font-size: .88rem; }
th, td { text-align: right; padding: .28rem .8rem .28rem 0; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, .text { text-align: left; }
thead th { color: var(--faint); font-weight: 600; }
ul.notes { margin: .4rem 0; padding-left: 1.1rem; font-size: .92rem; }
a { color: var(--accent); }
.skip { position: absolute; left: -999px; } .skip:focus { left: 1rem; top: 1rem; }
footer { font-size: .85rem; margin-top: 2.5rem; }
code { font-size: .86em; overflow-wrap: anywhere; }
@media print { body { background: #fff; } section { border: 0; padding: 0; } }
"""


def report(
    attributions: Iterable[Attribution],
    *,
    title: str,
    comparisons: Sequence[Comparison] = (),
    drifts: Sequence[Drift] = (),
    rows: int = 2,
    path: str | os.PathLike[str] | None = None,
) -> str:
    """The page as text, written to `path` when one is given.

    Args:
        attributions: what `run` gave, in any order.
        title: the question the page answers.
        comparisons: how far models agree, shown first.
        drifts: how reasons and predictions changed in copies, shown before that.
        rows: how many rows of each result get a picture.
        path: a file to write; an existing one is replaced only by a complete page.

    Raises:
        InputError: there is nothing to report, or the file cannot be written.
    """
    results = list(attributions)
    if not results and not drifts:
        raise InputError(
            "A report needs at least one attribution or drift, but there is none. Run a study first."
        )
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{_summary(results)}</p>' if results else "",
        *map(_drift, drifts),
        *(_comparison(comparison) for comparison in comparisons),
        *(_result(result, rows) for result in results),
        _provenance(results) if results else "",
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        '<body><a class="skip" href="#results">Skip to the results</a><main>'
        + "\n".join(body).replace("<section", '<section id="results"', 1)
        + "</main></body></html>\n"
    )
    if path is not None:
        make_folder(Path(path).parent, "A report")
        write_whole(path, page, "A report")
    return page


def _summary(results: list[Attribution]) -> str:
    models = list(dict.fromkeys(result.model for result in results))
    methods = list(dict.fromkeys(type(result.method).__name__ for result in results))
    explained = sum(map(len, results))
    early = sum(not result.complete for result in results)
    text = f"{len(results)} explanations of {explained} rows: {', '.join(models)} by {', '.join(methods)}."
    return escape(text + (f" {early} were stopped early." if early else ""), limit=600)


def _drift(drift: Drift) -> str:
    """A sentence per copy, verdicts with what decided them, predictions, pictures."""
    judged = {one.model for one in drift.measured if one.metric in drift.deciding}
    items = "".join(
        f"<li><b>{escape(name, limit=120)}</b>: {escape(drift.sentence(name), limit=600)}</li>"
        for name in drift.models
        if name in judged
    )
    pictures = [
        figure_html(drift_lines(drift, method), drift_lines_text(drift, method))
        for method in (drift.methods if judged else ())
    ]
    tables = verdict_html(drift) + behavior_html(drift) + quality_html(drift)
    link = csv_link(drift.to_frame(), f"drift of {drift.reference}", "Save every figure as CSV")
    return (
        f"<section><h2>Copies of {escape(drift.reference, limit=120)}</h2><ul>{items}</ul>"
        f"{tables}{''.join(pictures)}{link}{_notes(drift.notes)}</section>"
    )


def _comparison(comparison: Comparison) -> str:
    frame = comparison.summary()
    caption = "Mean over rows; 1 is agreement, except for relative_change, where 0 is."
    cells = frame_cells(frame, ".3f")
    table = html_table(list(frame.columns), cells, caption, named=3, texts=3, look="wide")
    link = csv_link(
        comparison.to_frame(), f"agreement with {comparison.reference}", "Save every row as CSV"
    )
    return (
        f"<section><h2>Agreement with {escape(comparison.reference)}</h2>"
        f"{table}{link}{_notes(comparison.notes)}</section>"
    )


def _result(result: Attribution, rows: int) -> str:
    error = "exact" if result.error is None else "sampled, with standard errors"
    if not result.complete:
        error += ", stopped early"
    facts = (
        f"In {result.scale}; {error}; {result.evaluations:,} model rows in {result.seconds:.2f} s; "
        f"largest gap {_gap(result)}."
    )
    pictures = []
    if result.inputs.of_kind.columns and len(result) >= 10:
        figure = beeswarm(result)
        pictures.append(figure_html(figure, beeswarm_text(result), "Every explained row."))
    pictures += [
        figure_html(picture(result, i), alt_text(result, i)) for i in range(min(rows, len(result)))
    ]
    return (
        f"<section><h2>{escape(type(result.method).__name__)} of {escape(result.model)}</h2>"
        f'<p class="facts">{escape(facts)}<br><code>{escape(repr(result.method), limit=400)}</code></p>'
        f"{_notes(result.notes)}{''.join(pictures)}{_rows(result)}{_saved(result)}</section>"
    )


def _rows(result: Attribution, most: int = 12) -> str:
    head = ["row", "explained", "output", "base", "gap"]
    lines = [
        [row, what, f"{output:.4g}", _number(base), _number(gap)]
        for row, what, output, base, gap in zip(
            result.inputs.ids, result.explained, result.output, result.base, result.gap, strict=True
        )
    ][:most]
    more = f" The first {most} of {len(result)}." if len(result) > most else ""
    caption = f"Explained rows, in {result.scale}.{more}"
    return html_table(head, lines, caption, texts=2, look="wide")


def _saved(result: Attribution) -> str:
    """A link that saves every value, for tables that are small enough for the page."""
    if not result.inputs.of_kind.columns or result.values.size > MOST_SAVED:
        return ""
    name = f"{type(result.method).__name__} of {result.model}"
    return csv_link(result.to_frame(), name, "Save every value as CSV")


def _provenance(results: list[Attribution]) -> str:
    lines = []
    for model, group in groupby(sorted(results, key=lambda r: r.model), key=lambda r: r.model):
        one = next(iter(group))
        digest = one.provenance.digest or "not known"
        lines.append([model, digest[:16], "; ".join(one.provenance.lineage) or "made live"])
    versions = results[0].provenance.versions
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    caption = "Where the models come from."
    table = html_table(["model", "digest", "lineage"], lines, caption, texts=3, look="wide")
    return f"<footer>{table}<p>{escape(listed)}</p></footer>"


def _notes(notes: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(note, limit=500)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _gap(result: Attribution) -> str:
    finite = np.abs(result.gap[np.isfinite(result.gap)])
    return (
        f"{finite.max():.2g}"
        if len(finite)
        else "not defined: the values need not sum to the output"
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"
