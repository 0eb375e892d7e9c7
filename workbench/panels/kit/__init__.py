"""What every panel is made of: one way to change it, one life cycle, native controls, drawn results.

A panel is a frozen view, a pure `resolve(bench, choices)` that makes it, and pure functions that turn
results into markup (`Picturing`). A `StudyPanel` puts them together; `tests/panels/test_kit.py` has an
example of eighty lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.doors import open_door

if TYPE_CHECKING:
    from workbench.panels.kit.arguments import choices_for, choices_of, on_bench
    from workbench.panels.kit.attribution import (
        Outcome,
        facts_html,
        fill_html,
        notes_html,
        stale_sentence,
        summary,
        table_html,
        words_html,
    )
    from workbench.panels.kit.bench import Bench
    from workbench.panels.kit.choices import Asked, Choices, View, resolve, study_as_code
    from workbench.panels.kit.form import (
        Field,
        label_of,
        opacity,
        recipe_as_code,
        recipe_from,
        recipe_values,
    )
    from workbench.panels.kit.jobs import Job
    from workbench.panels.kit.panel import Panel
    from workbench.panels.kit.preview import First, study_name
    from workbench.panels.kit.question_controls import Fields, Question, fill, show_sections
    from workbench.panels.kit.result import LOOKS, RANKING, Drawing, Picturing, Result
    from workbench.panels.kit.rows import positions, rows_as_code
    from workbench.panels.kit.shell import Form, Shell, box, button, note_html, row, section, text
    from workbench.panels.kit.study import Run, StudyPanel, explaining
else:
    open_door(__name__)

__all__ = [
    "LOOKS",
    "RANKING",
    "Asked",
    "Bench",
    "Choices",
    "Drawing",
    "Field",
    "Fields",
    "First",
    "Form",
    "Job",
    "Outcome",
    "Panel",
    "Picturing",
    "Question",
    "Result",
    "Run",
    "Shell",
    "StudyPanel",
    "View",
    "box",
    "button",
    "choices_for",
    "choices_of",
    "explaining",
    "facts_html",
    "fill",
    "fill_html",
    "label_of",
    "note_html",
    "notes_html",
    "on_bench",
    "opacity",
    "positions",
    "recipe_as_code",
    "recipe_from",
    "recipe_values",
    "resolve",
    "row",
    "rows_as_code",
    "section",
    "show_sections",
    "stale_sentence",
    "study_as_code",
    "study_name",
    "summary",
    "table_html",
    "text",
    "words_html",
]
