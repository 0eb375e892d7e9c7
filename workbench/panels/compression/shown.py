"""How the Compression panel shows its result: a table that fills at once, pictures a moment later."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from workbench.core import clean
from workbench.panels.compression.result import (
    CompressionLook,
    findings_html,
    look_fields,
    notes_html,
    overview_html,
    ranking_options,
    row_html,
    settled_look,
    tables_html,
    turned,
    warnings_html,
)
from workbench.panels.compression.run import CompressionOutcome
from workbench.panels.compression.table import table_html
from workbench.panels.kit import LOOKS, RANKING, Asked, Drawing, Job, Picturing, Result, Shell

EMPTY = (
    '<div class="wb-empty">Choose how copies are made and press Run. Each copy appears here as it is '
    "finished, with what it cost and whether it kept the reasons.</div>"
)


def numbers(outcome: CompressionOutcome, look: CompressionLook) -> Mapping[str, str]:
    """Everything but pictures."""
    return {
        "warnings": warnings_html(outcome),
        "table": table_html(outcome, running=outcome.running),
        "findings": findings_html(outcome, look),
        "tables": tables_html(outcome),
        "notes": notes_html(outcome),
    }


def pictures(outcome: CompressionOutcome, look: CompressionLook) -> Mapping[str, Drawing]:
    """The overview of all copies, and the picture of the row shown."""
    return {
        # The overview depends on neither row nor copy, so choosing one leaves it as it is.
        "overview": ((outcome, look.method, look.stratum), lambda: overview_html(outcome, look)),
        "row": ((outcome, look), lambda: row_html(outcome, look)),
    }


def ranked(outcome: CompressionOutcome, look: CompressionLook) -> tuple[str, list[dict[str, str]]]:
    """The rows of the copy shown, by drift; rows whose prediction is kept come first."""
    title = f"Rows of {clean(look.copy, limit=60)} by drift, prediction kept first"
    return title, ranking_options(outcome, look)


def stale_sentence(outcome: CompressionOutcome, view: Asked, job: Job | None) -> str:
    """Why the result may not match the present choices, or ""."""
    if outcome.running:
        return ""
    made = f"copies of {clean(outcome.reference.name, limit=60)}"
    if outcome.key != view.key:
        return f"From the previous run ({made}): the choices have changed since. Press Run."
    if not outcome.complete:
        judged = 0 if outcome.drift is None else len(outcome.drift.models)
        state = "failed" if job is not None and job.state == "failed" else "cancelled"
        return (
            f"The run was {state}: {len(outcome.models)} of {len(outcome.copies)} copies are here, "
            f"{judged} with a verdict."
        )
    return ""


PICTURING: Picturing[CompressionOutcome, CompressionLook] = Picturing(
    CompressionLook(), numbers, pictures, look_fields, settled_look, turned, ranked, stale_sentence
)


def compression_shown(
    panel: Shell, extras: ipywidgets.Widget
) -> Result[CompressionOutcome, CompressionLook]:
    """Table, verdicts, curve, ranking, the row shown and findings of the last result.

    Args:
        panel: whose lock and guard are used.
        extras: a widget shown below the row, such as buttons that look further.
    """
    parts = ("warnings", "table", LOOKS, "overview", RANKING, "row", "findings", extras)
    return Result(
        panel,
        PICTURING,
        (*parts, "tables", "notes"),
        drawn=("overview", "row"),
        empty={"table": EMPTY},
        ranking="Rows by drift, prediction kept first",
    )
