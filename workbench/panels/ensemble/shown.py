"""How the Ensemble panel shows its result: numbers at once, pictures a moment later."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.panels.ensemble.outcome import EnsembleOutcome
from workbench.panels.ensemble.result import (
    EnsembleLook,
    badge_html,
    cancelling_html,
    ensemble_notes_html,
    look_fields,
    matrix_html,
    members_html,
    pictures_html,
    ranking_options,
    row_html,
    settled_look,
    warnings_html,
)
from workbench.panels.kit import LOOKS, RANKING, Drawing, Picturing, Result, Shell, stale_sentence

EMPTY = (
    '<div class="wb-empty">Choose members and press Run. The ensemble appears here beside its members.'
    "</div>"
)

PARTS = (
    "warnings",
    "badge",
    "members",
    RANKING,
    "row",
    "pictures",
    "cancelling",
    LOOKS,
    "alike",
    "notes",
)


def numbers(outcome: EnsembleOutcome, look: EnsembleLook) -> Mapping[str, str]:
    """Everything but pictures."""
    canceled = "" if outcome.found is None else cancelling_html(outcome.found)
    return {
        "warnings": warnings_html(outcome),
        "badge": badge_html(outcome),
        "members": members_html(outcome),
        "row": row_html(outcome, look.row),
        "cancelling": canceled and f"<details><summary>What cancels</summary>{canceled}</details>",
        "notes": ensemble_notes_html(outcome),
    }


def pictures(outcome: EnsembleOutcome, look: EnsembleLook) -> Mapping[str, Drawing]:
    """The pictures: the ensemble with its members, and the members compared."""
    found = outcome.found
    # The matrix does not depend on weights, so a slider leaves it as it is.
    of = None if found is None else found.members.parts
    one_row = look.row if look.of != EnsembleLook.of else None

    def matrix() -> str:
        return "" if found is None or len(found.members) < 2 else matrix_html(found, look)

    return {
        "pictures": (
            (outcome, look.row, look.opacity),
            lambda: pictures_html(outcome, look.row, look.opacity),
        ),
        "alike": ((of, look.metric, look.of, one_row), matrix),
    }


PICTURING: Picturing[EnsembleOutcome, EnsembleLook] = Picturing(
    EnsembleLook(),
    numbers,
    pictures,
    look_fields,
    settled_look,
    ranked=lambda outcome, _: ("Rows by disagreement", ranking_options(outcome)),
    stale=stale_sentence,
)


def ensemble_shown(panel: Shell) -> Result[EnsembleOutcome, EnsembleLook]:
    """Badge, ranking, the row shown, members, matrix and notes of the last result."""
    return Result(
        panel,
        PICTURING,
        PARTS,
        drawn=("pictures", "alike"),
        empty={"badge": EMPTY},
        ranking="Rows by disagreement",
    )
