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


def values(form, **changed):
    form.values = {**form.values, **changed}


def test_the_button_appears_with_a_result_and_asks_about_the_row_shown(bench):
    panel = ExplainPanel(bench, method=methods.ExactShapley(), rows="0-2")
    button = panel._second.button
    assert panel._second.layout.display == "none"
    assert button.disabled
    assert panel.twin().count("wb-opinion") == 0
    first = panel.start()
    first.wait(20)
    assert panel._second.layout.display == ""
    assert not button.disabled
    assert button.description == "Second opinion"
    assert "another library" in button.tooltip
    values(panel._looks, row=2)
    button.click()
    asked = panel.job
    asked.wait(60)
    opinion = panel._second.opinion
    assert [one.row for one in opinion.pairs] == ["2"]
    assert opinion.agrees
    assert panel.status.text == opinion.verdict
    assert "shap agrees within rounding" in panel._second._answer.value
    assert '<th scope="row">' in panel._second._answer.value
    assert "shap agrees within rounding" in panel.twin()
    assert panel.job is first  # whether the picture is stale is a question about that one
    assert panel._stale.value == ""
    assert not panel._run.disabled
    assert panel._cancel.disabled


def test_another_result_takes_the_answer_away(bench):
    panel = run(bench, methods.Occlusion(), rows="0-1")
    panel.second_opinion().wait(60)
    assert "captum agrees" in panel._second._answer.value
    panel.start().wait(20)
    assert panel._second._answer.value == ""
    assert panel._second.opinion is None


def test_without_a_result_there_is_nothing_to_ask_about(bench):
    with pytest.raises(InputError, match="Press Run first"):
        ExplainPanel(bench).second_opinion()


def test_a_result_whose_model_is_gone_is_refused_in_one_sentence(bench):
    panel = run(bench, methods.Occlusion(), rows="0")
    picture = panel._picture.value
    from_a_file = replace(panel._outcome.attribution)  # no run of this session made it
    panel._outcome = replace(panel._outcome, attribution=from_a_file)
    job = panel.second_opinion()
    with pytest.raises(InputError, match="Pass it: "):
        job.wait(30)
    assert panel.status.error.startswith("A second opinion needs the model 'linear'")
    assert "Traceback" not in panel.status.error
    assert panel.status.text.startswith("Second opinion on Occlusion of linear failed after")
    assert panel._picture.value == picture
    assert panel._stale.value == ""
    assert not panel._second.button.disabled


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
    assert not panel._cancel.disabled
    assert panel._run.disabled
    assert panel._second.button.disabled
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
    assert panel._second.opinion is None
    assert panel._stale.value == ""
    assert not panel._run.disabled
