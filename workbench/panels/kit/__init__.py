"""What every panel is made of: one way of change, one life cycle, native controls, results that are drawn.

A panel is a frozen view, a pure `resolve(bench, choices)` that makes it, and pure functions that turn what
came out into markup (`Picturing`). A `StudyPanel` puts them together; `tests/panels/test_kit.py` has one
of eighty lines.
"""

from workbench.panels.kit.controls import Controls
from workbench.panels.kit.panel import Panel
from workbench.panels.kit.question_controls import Fields, Question, fill, show_sections
from workbench.panels.kit.result import LOOKS, RANKING, Drawing, Picturing, Result
from workbench.panels.kit.shown import Shown
from workbench.panels.kit.study import Run, StudyPanel, explaining
from workbench.panels.outcome import Outcome, summary
from workbench.panels.preview import First, Work, at_once, study_name

__all__ = [
    "LOOKS",
    "RANKING",
    "Controls",
    "Drawing",
    "Fields",
    "First",
    "Outcome",
    "Panel",
    "Picturing",
    "Question",
    "Result",
    "Run",
    "Shown",
    "StudyPanel",
    "Work",
    "at_once",
    "explaining",
    "fill",
    "show_sections",
    "study_name",
    "summary",
]
