"""The kit: a panel made of its public face alone, and what the kit promises of every such panel."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np
import pytest

from workbench.core import Study, Target, escape
from workbench.core.plan import Rows, rows_in_words
from workbench.errors import InputError
from workbench.methods import Occlusion
from workbench.panels import Bench
from workbench.panels.kit import Fields, Picturing, Result, StudyPanel, explaining
from workbench.study.plan import evaluations

# ---- a whole panel: which feature is the loudest? ------------------------------------------------


@dataclass(frozen=True)
class Choices:
    model: str | None = None
    count: int = 2


@dataclass(frozen=True, eq=False)
class View:
    choices: Choices
    fields: tuple = ()
    study: Study | None = None
    blocked: str = ""
    code: str = ""
    evaluations: Rows | None = None
    cost: str = ""

    @property
    def key(self):
        return self.blocked, self.study and self.study.models, self.choices


def resolve(bench, choices):
    if not bench.models:
        return View(choices, blocked="There is no model yet. Call bench.add_model(...).")
    name = choices.model if choices.model in bench.models else next(iter(bench.models))
    fields = (
        {"name": "model", "label": "Model", "kind": "choice", "options": [[n, n] for n in bench.models]},
        {"name": "count", "label": "Rows", "kind": "number", "integer": True, "slider": False},
    )  # fmt: skip
    rows = next(iter(bench.inputs.values()))[: choices.count]
    study = Study((bench.models[name],), (Occlusion(),), rows, (Target(0),))
    (asked,) = evaluations(study)
    code = f"loudest(bench.models[{name!r}], {choices.count})"
    return View(replace(choices, model=name), fields, study, "", code, asked, rows_in_words(asked))


def numbers(outcome, _):
    loud = np.abs(outcome.attribution.values).mean(axis=0)
    return {"loudest": f"<p>{escape(outcome.attribution.names[loud.argmax()])}</p>"}


def pictures(outcome, _):
    loud = np.abs(outcome.attribution.values).mean(axis=0)
    bars = "".join(f"<meter value={one / loud.max():.2f}></meter>" for one in loud)
    return {"chart": ((outcome,), lambda: f"<figure>{bars}</figure>")}


class LoudestPanel(StudyPanel):
    def __init__(self, bench):
        super().__init__(
            "Loudest", "Which feature moves the model most?", bench, resolve, Choices()
        )
        empty = {"loudest": "<p>Press Run.</p>"}
        shown = Picturing(None, numbers, pictures)
        self.assemble(
            Fields(self, "What", lambda view: view.fields),
            Result(self, shown, ("loudest", "chart"), drawn=("chart",), empty=empty),
            explaining,
            asked=lambda view: {"model": view.choices.model},
        )
        self.present()


# ---- what it does without another line -----------------------------------------------------------


@pytest.fixture
def bench(linear, four):
    return Bench([replace(linear, scale="logit", outputs=("sick", "well"))], {"four": four})


@pytest.fixture
def held(bench):
    """A model on the bench that answers once `open` is set."""
    door, asked = threading.Event(), threading.Event()
    known = bench.models["linear"]

    def predict(rows):
        asked.set()
        door.wait(10)
        return known.predict(rows)

    bench.add_model(replace(known, name="held", predict=predict, gradient=None, batch=2))
    yield door, asked
    door.set()


def test_it_runs_by_a_click_and_shows_numbers_then_its_picture(bench):
    panel = LoudestPanel(bench)
    assert panel.shown.parts["loudest"] == "<p>Press Run.</p>"
    assert panel.shown.sections == ("What", "Result", "As code")
    panel.controls.click("Run")
    panel.job.wait(20)
    (result,) = panel.attributions
    loud = np.abs(result.values).sum(axis=0)
    assert panel.shown.parts["loudest"] == f"<p>{result.names[int(loud.argmax())]}</p>"
    assert panel.shown.parts["chart"].count("<meter") == len(loud)
    assert panel.shown.pending == ()
    assert panel.shown.status.startswith("Done: Occlusion of linear, 2 rows in ")
    assert bench.results == (result,)


def test_its_choices_are_controls_and_another_choice_marks_the_result(bench):
    panel = LoudestPanel(bench)
    panel.start().wait(20)
    assert panel.shown.stale == ""
    panel.controls["Rows"] = 3
    assert panel.view.choices.count == 3
    assert "the choices have changed since" in panel.shown.stale
    assert panel.shown.dimmed
    panel.controls["count"] = 2
    assert panel.shown.stale == ""
    assert not panel.shown.dimmed


def test_it_says_what_a_run_costs_before_and_after_an_estimate(bench):
    panel = LoudestPanel(bench)
    assert f"Expected: {panel.view.cost}." in panel.shown.parts["expected"]
    assert panel.plan is None
    panel.estimate().wait(20)
    assert panel.plan.evaluations == panel.view.evaluations
    assert panel.shown.status.startswith("Estimate: ")
    assert panel.attributions == ()


def test_cancel_stops_it_and_says_so(bench, held):
    door, asked = held
    panel = LoudestPanel(bench)
    panel.controls.set(model="held", count=3)
    job = panel.start()
    assert asked.wait(10)
    assert not panel.controls.enabled("Run")
    panel.controls.click("Cancel")
    door.set()
    job.wait(20)
    assert job.state == "cancelled"
    assert panel.shown.status.startswith("Cancelled after")
    assert panel.controls.enabled("Run")
    assert not panel.controls.enabled("Cancel")


def test_it_follows_the_bench_until_it_is_closed(bench):
    known = bench.models["linear"]
    panel = LoudestPanel(Bench())
    assert panel.shown.notice.startswith("There is no model yet")
    assert panel.shown.sections == ("Result",)
    with pytest.raises(InputError, match="There is no model yet"):
        panel.start()
    panel = LoudestPanel(bench)
    bench.add_model(known.renamed("second"))
    assert panel.controls.options("model") == ["linear", "second"]
    panel.close()
    bench.add_model(known.renamed("third"))
    assert "third" not in [name for name, _ in panel.view.fields[0]["options"]]


def test_its_twin_and_its_code_need_no_kernel(bench):
    panel = LoudestPanel(bench)
    assert "Run the notebook" in panel.twin()
    panel.start().wait(20)
    assert "<li>model: linear</li>" in panel.twin()
    assert panel.shown.parts["chart"] in panel.twin()
    assert panel.code == panel.shown.code == "loudest(bench.models['linear'], 2)"


# ---- the surface for tests -----------------------------------------------------------------------


def test_a_control_that_is_not_there_is_named_with_those_that_are(bench):
    controls = LoudestPanel(bench).controls
    assert list(controls) == ["model", "count", "Run", "Cancel", "Estimate time"]
    with pytest.raises(InputError, match=r"'gone' is none. This panel has \['model', 'count'"):
        controls["gone"] = 1
    with pytest.raises(InputError, match="'Run' is a button"):
        controls["Run"] = 1
    with pytest.raises(InputError, match="'model' is none"):
        controls.click("model")
    with pytest.raises(InputError, match=r"'Weights' is none. This panel has \['What'\]"):
        controls.values("Weights")
    with pytest.raises(InputError, match=r"'model' offers \['linear'\], not 'gone'"):
        controls["model"] = "gone"


def test_a_button_that_a_person_could_not_press_is_not_pressed(bench):
    panel = LoudestPanel(bench)
    with pytest.raises(InputError, match="'Cancel' is disabled or hidden"):
        panel.controls.click("Cancel")
    assert panel.job is None


def test_what_was_shown_stays_as_it_was(bench):
    panel = LoudestPanel(bench)
    before = panel.shown
    panel.start().wait(20)
    assert before.parts["loudest"] == "<p>Press Run.</p>"
    assert before != panel.shown
    with pytest.raises(TypeError, match="does not support item assignment"):
        before.parts["loudest"] = ""
