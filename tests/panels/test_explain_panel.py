"""The Explain panel without a browser: run, cancel, fail, and say what the picture is of."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from workbench import methods
from workbench.core import Inputs, Model, Target
from workbench.errors import InputError, WorkbenchError
from workbench.panels import Bench, ExplainPanel


@pytest.fixture
def scored(linear):
    return replace(linear, scale="logit", outputs=("sick", "well"))


@pytest.fixture
def held(scored):
    """A model that answers once `open` is set, and knows when it was asked."""
    door, asked = threading.Event(), threading.Event()

    def predict(rows):
        asked.set()
        door.wait(10)
        return scored.predict(rows)

    model = replace(scored, name="held", predict=predict, gradient=None, batch=8)
    model.predict.__dict__.update(door=door, asked=asked)
    yield model
    door.set()


@pytest.fixture
def bench(scored, held, four):
    return Bench([scored, held], {"four": four})


def broken(error):
    def predict(rows):
        raise error

    return Model("broken", predict, ("y",), "raw")


def test_start_without_a_browser_gives_results_picture_and_summary(bench):
    panel = ExplainPanel(bench, rows="0, 2", target=Target("well"), method=methods.Occlusion())
    (result,) = panel.start().wait(20)
    assert panel.attributions == (result,)
    assert bench.results == (result,)
    assert result.inputs.ids == ("0", "2")
    assert result.target == Target("well")
    assert 'alt="Why' in panel.twin()
    assert panel.status.text.startswith("Done: Occlusion of linear, 2 rows in ")
    assert not panel.status.busy
    assert panel.status.done == panel.status.total
    assert panel.status.error == ""


def test_run_and_cancel_are_enabled_in_turn(bench, held):
    panel = ExplainPanel(bench, model="held", method=methods.PermutationSHAP())
    assert panel.controls.enabled("Run")
    assert not panel.controls.enabled("Cancel")
    panel.controls.click("Run")
    assert held.predict.asked.wait(5)
    time.sleep(0.15)  # the next update comes after 0.1 s at most
    held.predict.door.set()
    panel.job.wait(20)
    assert panel.controls.enabled("Run")
    assert not panel.controls.enabled("Cancel")


def test_cancel_keeps_the_rows_that_are_known_and_says_so(bench, scored):
    calls = []

    def predict(rows):
        calls.append(len(rows))
        time.sleep(0.002)
        return scored.predict(rows)

    bench.add_model(replace(scored, name="slow", predict=predict, gradient=None, batch=8))
    recipe = methods.PermutationSHAP(budget=20_000)
    panel = ExplainPanel(bench, model="slow", method=recipe, rows="0-2")
    job = panel.start()
    while job.done < 400:  # a third of the way: the first row is done
        time.sleep(0.01)
    panel.controls.click("Cancel")
    start = time.monotonic()
    (known,) = job.wait(10)
    assert time.monotonic() - start < 1  # a batch is 2 ms; drawing the picture is the rest
    assert job.state == "cancelled"
    assert not known.complete
    assert panel.status.text.startswith("Cancelled after")
    assert f"{len(known)} row" in panel.status.text
    assert "Cancelled: " in panel.shown.stale
    assert panel.shown.dimmed
    assert "<img" in panel.shown.parts["picture"]


def test_a_cancel_before_the_first_row_leaves_the_previous_picture_marked(bench, held):
    panel = ExplainPanel(bench, method=methods.Occlusion())
    panel.start().wait(20)
    before = panel.shown.parts["picture"]
    panel.controls.set(model="held")
    job = panel.start()
    held.predict.asked.wait(5)
    panel.cancel()
    assert panel.status.text == "Cancelling after this batch …"
    held.predict.door.set()
    assert job.wait(10) == ()
    assert panel.shown.parts["picture"] == before
    assert "From the previous run (Occlusion of linear)" in panel.shown.stale
    assert "no row was finished" in panel.status.text


def test_changed_choices_mark_the_picture_and_the_same_choices_unmark_it(bench):
    panel = ExplainPanel(bench, method=methods.Occlusion(), rows="0-2")
    panel.start().wait(20)
    assert panel.shown.stale == ""
    panel.controls.set(rows="1")
    assert "the choices have changed since" in panel.shown.stale
    assert "the choices have changed since" in panel.twin()
    panel.controls.set(rows="0-2")
    assert panel.shown.stale == ""
    assert not panel.shown.dimmed


def test_the_row_and_picture_shown_can_be_changed(bench):
    panel = ExplainPanel(bench, method=methods.Occlusion(), rows="0-2")
    panel.start().wait(20)
    first = panel.shown.parts["picture"]
    panel.controls.set(row=2)
    second = panel.shown.parts["picture"]
    assert second != first
    assert "Row 2" in second
    panel.controls.set(picture="waterfall")
    assert panel.shown.parts["picture"] != second
    panel.controls.set(rows="1")
    panel.start().wait(20)
    assert list(panel.controls.values("Picture")) == ["picture"]  # one row is not chosen from
    assert "Row 1" in panel.shown.parts["picture"]


def test_an_image_has_opacity_and_the_original_beside_it():
    rng = np.random.default_rng(0)
    images = Inputs(rng.uniform(size=(2, 12, 10, 3)), kind="image")
    model = Model("mean", lambda rows: rows.mean(axis=(1, 2)), ("r", "g", "b"), "raw", kind="image")
    recipe = methods.LIME(budget=64, segments=6, superpixels="grid")
    panel = ExplainPanel(Bench([model], [images]), method=recipe, target=Target("g"))
    panel.start().wait(20)
    names = list(panel.controls.values("Picture"))
    assert names == ["row", "picture", "opacity", "original"]
    before = panel.shown.parts["picture"]
    panel.controls.set(opacity=0.2)
    assert panel.shown.parts["picture"] != before
    panel.controls.set(picture="heat map", original=False)
    assert "the strongest tenth of the pixels" in panel.shown.parts["picture"]


def test_a_wrong_opacity_is_said_in_the_panel():
    images = Inputs(np.full((1, 12, 10, 3), 0.5), kind="image")
    model = Model("mean", lambda rows: rows.mean(axis=(1, 2)), ("r", "g", "b"), "raw", kind="image")
    panel = ExplainPanel(Bench([model], [images]), method=methods.Occlusion())
    panel.start().wait(20)
    panel.controls.set(opacity=7)
    assert "opacity must lie in 0 … 1" in panel.status.error


def test_an_error_of_the_workbench_is_one_sentence_in_the_panel(bench, four):
    bench.add_model(
        replace(broken(ValueError()), predict=lambda rows: np.full((len(rows), 1), np.nan))
    )
    panel = ExplainPanel(bench, model="broken", method=methods.Occlusion())
    panel.controls.click("Run")
    with pytest.raises(WorkbenchError):
        panel.job.wait(10)
    assert panel.status.error.startswith("Model 'broken' must return finite scores")
    assert "Traceback" not in panel.status.error
    assert "failed after" in panel.status.text
    assert panel.controls.enabled("Run")


def test_an_error_of_the_users_code_is_a_sentence_in_the_panel_and_the_next_run_works(bench):
    bench.add_model(broken(ZeroDivisionError("in the user's code")))
    panel = ExplainPanel(bench, model="broken", method=methods.Occlusion())
    panel.controls.click("Run")
    with pytest.raises(WorkbenchError):
        panel.job.wait(10)
    assert "Traceback" not in panel.status.error
    assert "ZeroDivisionError: in the user's code" in panel.status.error
    panel.controls.set(model="linear")
    assert panel.status.error == ""
    panel.start().wait(20)
    assert panel.attributions[0].model == "linear"


def test_nothing_to_run_is_said_and_raised():
    panel = ExplainPanel(Bench())
    assert not panel.controls.enabled("Run")
    assert "There is no model yet" in panel.status.notice
    with pytest.raises(InputError, match="There is no model yet"):
        panel.start()
    with pytest.raises(InputError, match="There is no model yet"):
        _ = panel.study
    assert panel.code == ""


def test_models_and_rows_that_come_later_appear_at_once(scored, four):
    bench = Bench()
    panel = ExplainPanel(bench)
    bench.add_model(scored)
    bench.add_inputs(four, "four")
    assert panel.status.notice == ""
    assert panel.study.models == (scored,)
    panel.close()
    bench.add_model(scored.renamed("later"))
    assert panel.controls.options("model") == ["linear"]


def test_a_second_panel_is_told_that_the_kernel_is_busy(bench, held):
    first = ExplainPanel(bench, model="held", method=methods.Occlusion())
    second = ExplainPanel(bench, model="linear", method=methods.Occlusion())
    job = first.start()
    second.controls.click("Run")
    assert "busy with Occlusion of held" in second.status.error
    assert second.job is None
    held.predict.door.set()
    job.wait(10)
    second.controls.click("Run")
    second.job.wait(20)
    assert second.status.error == ""


def test_a_method_keeps_its_form_while_others_are_tried(bench):
    panel = ExplainPanel(bench, method=methods.LIME(seed=5))
    panel.controls.set(budget=77)
    panel.controls["method"] = "Occlusion"
    assert panel.study.methods == (methods.Occlusion(),)
    panel.controls["method"] = "LIME"
    assert panel.study.methods == (methods.LIME(seed=5, budget=77),)
    assert panel.controls["budget"] == 77


def test_names_from_data_are_never_markup(scored):
    evil = "<script>alert(1)</script>"
    inputs = Inputs(
        np.eye(3, 4),
        kind="tabular",
        features=(evil, "b", "c", "d"),
        background=np.zeros((1, 4)),
        ids=(evil, "1", "2"),
    )
    model = replace(scored, name=evil, outputs=(evil, "well"), notes=(evil,))
    panel = ExplainPanel(
        Bench([model], {evil: inputs}), method=methods.Occlusion(), target=Target(0)
    )
    panel.start().wait(20)
    for html in (
        panel.twin(),
        panel.shown.parts["picture"],
        panel.shown.stale,
        panel.shown.parts["said"],
    ):
        assert "<script" not in html
    assert "&lt;script&gt;" in panel.shown.parts["picture"]


def test_the_bundle_carries_the_twin_and_a_short_repr(bench):
    panel = ExplainPanel(bench, method=methods.Occlusion())
    panel.start().wait(20)
    bundle = panel._repr_mimebundle_()
    assert bundle["text/html"] == panel.twin()
    assert bundle["text/plain"].startswith("ExplainPanel(model='linear'")
    assert "0x" not in repr(panel)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"model": "gone"}, "models are"),
        ({"data": "gone"}, "inputs are"),
        ({"target": Target("ill")}, "not 'ill'"),
        ({"method": object()}, "not 'object'"),
    ],
)
def test_a_wrong_argument_is_an_error_not_a_first_choice(bench, arguments, said):
    with pytest.raises(InputError, match=said):
        ExplainPanel(bench, **arguments)


def test_handlers_on_many_threads_leave_a_consistent_panel(bench):
    panel = ExplainPanel(bench, method=methods.PermutationSHAP(budget=3000), rows="0-2")
    job = panel.start()

    def user(seed):
        rng = np.random.default_rng(seed)
        for _ in range(15):
            panel.controls.set(rows=str(rng.integers(3)))
            panel.controls["method"] = str(rng.choice(["LIME", "Occlusion", "PermutationSHAP"]))

    users = [threading.Thread(target=user, args=(seed,)) for seed in range(4)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join(30)
    job.wait(30)
    assert panel.status.error == ""
    assert panel.controls["method"] == panel.view.choices.method
    assert panel.controls["rows"] == panel.view.choices.rows
    panel.controls["rows"] = "2"
    assert panel.view.choices.rows == "2"  # it hears again what a person does


def test_an_empty_bench_shows_no_headings_without_content():
    panel = ExplainPanel(Bench())
    assert panel.shown.sections == ("Result",)
