"""The Explain panel: choose model, rows, target and method; run, look, copy as code."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets

from workbench.core import Attribution, Method, Study, Target
from workbench.panels.explain.opinion import SecondLook
from workbench.panels.explain.picture import PICTURING
from workbench.panels.kit import (
    LOOKS,
    Bench,
    Choices,
    Job,
    Question,
    Result,
    StudyPanel,
    View,
    choices_of,
    explaining,
    note_html,
    resolve,
    text,
)
from workbench.second_opinion import SecondOpinion

EMPTY = (
    '<div class="wb-empty">Choose what to explain and press Run. The picture appears here.</div>'
)


class ExplainPanel(StudyPanel[Choices, View]):
    """One model's output on some rows, attributed to their features, by clicking.

    `panel.study` is what Run computes, `panel.code` the same as text, `panel.attributions` the result.
    Without a browser: `panel.start().wait()`.

    Args:
        bench: the models and rows to choose from.
        model: a model's name. This and every other argument: the first choice when left out.
        data: the name of a set of rows.
        rows: which of them, such as "0-7, 12", "5 random" or "all".
        target: what to explain.
        method: a recipe or a method class.

    Raises:
        InputError: a name that is not on the bench, or a target that the model does not have.
    """

    def __init__(
        self,
        bench: Bench,
        *,
        model: str | None = None,
        data: str | None = None,
        rows: str | None = None,
        target: Target | None = None,
        method: Method | type | None = None,
    ) -> None:
        choices = choices_of(bench, model, data, rows, target, method)
        purpose = "How much did each feature raise or lower what the model says?"
        super().__init__("Explain", purpose, bench, resolve, choices)
        self._second = SecondLook(self, self._row_shown, self.refresh)
        self.assemble(
            ExplainControls(self),
            Result(self, PICTURING, (LOOKS, "picture", self._second), empty={"picture": EMPTY}),
            explaining,
            asked=_in_words,
            beside=(self._second,),
        )
        self.present()

    @property
    def study(self) -> Study:
        """What Run computes.

        Raises:
            InputError: there is nothing to run; says why.
        """
        return self.needed_study()

    @property
    def opinion(self) -> SecondOpinion | None:
        """Another library's opinion on the result shown, if it was asked for one."""
        return self._second.opinion

    def second_opinion(self) -> Job:
        """What Second opinion does, as a running job: ask another library about the row shown."""
        return self._second.start()

    def __repr__(self) -> str:
        choices = self.view.choices
        return (
            f"ExplainPanel(model={choices.model!r}, data={choices.data!r}, rows={choices.rows!r}, "
            f"method={choices.method!r})"
        )

    def _row_shown(self) -> tuple[Attribution, int] | None:
        """The result shown and its row."""
        if self.result.outcome is None:
            return None
        return self.result.outcome.attribution, self.result.look.row


class ExplainControls(ipywidgets.Box):  # type: ignore[misc]
    """The left side: model, rows and target, method, parameters."""

    def __init__(self, panel: ExplainPanel) -> None:
        self._note = text("said")
        self._question = Question(panel, lambda: panel.view, panel.choose, before=(self._note,))
        super().__init__(list(self._question.sections.values()))
        self.add_class("wb-column")

    def apply(self, view: View) -> None:
        """Write a view to every control that differs, under the panel's lock."""
        self._note.value = note_html(view.note)
        self._question.apply(view, note=view.note)


def _in_words(view: View) -> Mapping[str, str | None]:
    """The choices in words, for the static HTML twin."""
    choices = view.choices
    if choices.data is None:
        return {}
    return {
        "model": choices.model,
        "rows": f"{choices.rows} of {choices.data}",
        "method": None if view.study is None else repr(view.study.methods[0]),
    }
