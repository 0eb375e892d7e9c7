"""The last result of a panel: how its run ended, and whether it is what is asked for now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from workbench.core import Attribution, clean
from workbench.panels.kit.choices import Asked
from workbench.panels.kit.jobs import Job


@dataclass(frozen=True, eq=False)
class Outcome:
    """The last result, and the choices it came from."""

    attribution: Attribution
    key: tuple[object, ...]


class Explained(Protocol):
    """An outcome around one attribution."""

    @property
    def attribution(self) -> Attribution:
        """The result."""

    @property
    def key(self) -> tuple[object, ...]:
        """The choices it came from."""


def stale_sentence(outcome: Explained, view: Asked, job: Job | None) -> str:
    """Why the picture may not be what is asked for now, or "".

    Args:
        outcome: what is shown.
        view: what is asked for.
        job: the last run.
    """
    shown = outcome.attribution
    made = f"{type(shown.method).__name__} of {clean(shown.model, limit=60)}"
    if outcome.key != view.key:
        return f"From the previous run ({made}): the choices have changed since. Press Run."
    if job is not None and not job.result and job.state in ("cancelled", "failed"):
        return f"From the previous run ({made}): the last one was {job.state}."
    if not shown.complete:
        asked = len(view.study.inputs) if view.study is not None else 0
        return f"Cancelled: {len(shown)} of {asked} rows have an estimate, the last of them unfinished."
    return ""


def summary(job: Job) -> str:
    """How a run ended, in one sentence for the live region."""
    took = f"{job.seconds:.1f} s"
    if job.state == "failed":
        return f"{job.name} failed after {took}."
    count = len(job.result[0]) if job.result else 0
    rows = f"{count} row{'' if count == 1 else 's'}"
    if job.state == "cancelled":
        kept = f"{rows} kept" if count else "no row was finished"
        return f"Cancelled after {took}: {kept}."
    evaluated = f"{job.result[0].evaluations:,} model rows" if job.result else ""
    return f"Done: {job.name}, {rows} in {took}, {evaluated} evaluated."
