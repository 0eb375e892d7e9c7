"""The second opinion in the Explain panel, without a browser: asked, shown, stopped, refused."""

import threading
import time
from dataclasses import replace

import pytest

from workbench import methods
from workbench.core import Model, Target
from workbench.errors import InputError, WorkbenchError
from workbench.panels import Bench, ExplainPanel


@pytest.fixture
def bench(linear, four):
    return Bench([replace(linear, scale="logit", outputs=("sick", "well"))], {"four": four})


def run(bench, method, **choices):
    panel = ExplainPanel(bench, method=method, target=Target("well"), **choices)
    panel.start().wait(20)
    return panel


def test_the_button_appears_with_a_result_and_asks_about_the_row_shown(bench):
    panel = ExplainPanel(bench, method=methods.ExactShapley(), rows="0-2")
    assert not panel.controls.visible("Second opinion")
    assert not panel.controls.enabled("Second opinion")
    assert panel.twin().count("wb-opinion") == 0
    first = panel.start()
    first.wait(20)
    assert panel.controls.visible("Second opinion")
    assert panel.controls.enabled("Second opinion")
    assert "another library" in panel.controls.hint("Second opinion")
    panel.controls.set(row=2)
    panel.controls.click("Second opinion")
    asked = panel.job
    asked.wait(60)
    opinion = panel.opinion
    assert [one.row for one in opinion.pairs] == ["2"]
    assert opinion.agrees
    assert panel.status.text == opinion.verdict
    assert "shap agrees within rounding" in panel.shown.parts["opinion"]
    assert '<th scope="row">' in panel.shown.parts["opinion"]
    assert "shap agrees within rounding" in panel.twin()
    assert panel.job is first  # whether the picture is stale is a question about that one
    assert panel.shown.stale == ""
    assert panel.controls.enabled("Run")
    assert not panel.controls.enabled("Cancel")


def test_another_result_takes_the_answer_away(bench):
    panel = run(bench, methods.Occlusion(), rows="0-1")
    panel.second_opinion().wait(60)
    assert "captum agrees" in panel.shown.parts["opinion"]
    panel.start().wait(20)
    assert panel.shown.parts["opinion"] == ""
    assert panel.opinion is None


def test_without_a_result_there_is_nothing_to_ask_about(bench):
    with pytest.raises(InputError, match="Press Run first"):
        ExplainPanel(bench).second_opinion()


def test_a_result_whose_model_is_gone_is_refused_in_one_sentence(bench):
    panel = run(bench, methods.Occlusion(), rows="0")
    picture = panel.shown.parts["picture"]
    from_a_file = replace(panel.attributions[0])  # no run of this session made it
    panel.result.show(replace(panel.result.outcome, attribution=from_a_file))
    job = panel.second_opinion()
    with pytest.raises(InputError, match="Pass it: "):
        job.wait(30)
    assert panel.status.error.startswith("A second opinion needs the model 'linear'")
    assert "Traceback" not in panel.status.error
    assert panel.status.text.startswith("Second opinion on Occlusion of linear failed after")
    assert panel.shown.parts["picture"] == picture
    assert panel.shown.stale == ""
    assert panel.controls.enabled("Second opinion")


def test_cancel_stops_the_peer_in_its_own_loop(bench, four):
    door, asked = threading.Event(), threading.Event()
    slow = threading.Event()

    def predict(rows):
        if slow.is_set():
            asked.set()
            door.wait(10)
            time.sleep(0.02)
        return rows[:, :2]

    bench.add_model(Model("slow", predict, ("sick", "well"), "logit", batch=4))
    panel = run(bench, methods.ExactShapley(), model="slow", rows="0")
    slow.set()
    job = panel.second_opinion()
    assert asked.wait(10)
    assert panel.controls.enabled("Cancel")
    assert not panel.controls.enabled("Run")
    assert not panel.controls.enabled("Second opinion")
    with pytest.raises(WorkbenchError, match="One job runs at a time"):
        panel.start()
    panel.cancel()
    door.set()
    start = time.monotonic()
    job.wait(30)
    assert (
        time.monotonic() - start < 5
    )  # 16 coalitions over 5 fills would take 0.4 s more, if not stopped
    assert job.state == "cancelled"
    assert "cancelled after" in panel.status.text
    assert panel.opinion is None
    assert panel.shown.stale == ""
    assert panel.controls.enabled("Run")
