"""The Load panel without a browser: files, refusals, bundled examples, what is on the bench."""

import pickle
from pathlib import Path

import pytest

from workbench.core import Inputs, Model
from workbench.errors import InputError, UnsafeFileError, WorkbenchError
from workbench.models import save, small_cnn, wrap
from workbench.panels import Bench, ExplainPanel, LoadPanel
from workbench.panels.load.panel import Choices, examples, resolve


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A file of weights as `save` writes it."""
    import torch

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    outputs = ("circle", "square", "triangle", "cross")
    save(wrap(small_cnn(), name="tiny", outputs=outputs, scale="logit", kind="image"), path)
    return path


def test_a_file_is_loaded_and_described(network):
    bench = Bench()
    panel = LoadPanel(bench, path=str(network), architecture="small_cnn")
    panel.start().wait(30)
    model = bench.models["tiny"]
    assert model.outputs == ("circle", "square", "triangle", "cross")
    html = panel.shown.parts["added"]
    for word in ("safetensors", "sha256", model.digest, "circle, square", "logit", "gradient"):
        assert word in html
    assert "tiny" in panel.shown.parts["bench"]
    assert "tiny" in panel.twin()
    assert panel.status.text.startswith("Loading tiny.safetensors: done in")


def test_the_record_of_a_file_is_shown_as_a_table_and_its_names_stay_text(network, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.safetensors"
    path.write_bytes(network.read_bytes())
    panel = LoadPanel(Bench(), path=str(path), architecture="small_cnn")
    panel.start().wait(30)
    html = panel.shown.parts["added"]
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;.safetensors" in html
    for word in ("NaN or infinite", "none", "F32", "without holes or overlaps", "torch 2."):
        assert word in html.split('class="wb-file"')[1]
    assert 'class="wb-file"' in panel.twin()


def test_a_live_model_has_no_record_of_a_file():
    from workbench.panels.load.cards import model_html

    assert "wb-file" not in model_html(wrap(abs, outputs=["y"], scale="raw"))


def test_the_scale_is_overridden_by_choice_alone(network):
    bench = Bench()
    panel = LoadPanel(
        bench, path=str(network), architecture="small_cnn", name="raw one", scale="raw"
    )
    panel.start().wait(30)
    assert bench.models["raw one"].scale == "raw"
    assert "scale='raw'" in bench.code("models", "raw one")


def test_the_code_of_a_loaded_model_loads_it_again(network):
    import workbench as wb

    bench = Bench()
    LoadPanel(bench, path=str(network), architecture="small_cnn").start().wait(30)
    code = bench.code("models", "tiny")
    again = eval(code, {"wb": wb})  # noqa: S307 - that code can be run is the promise
    assert again.digest == bench.models["tiny"].digest


def test_an_architecture_of_the_bench_is_offered_and_used(network):
    made = []

    def mine():
        made.append(1)
        return small_cnn()

    bench = Bench(architectures={"mine": mine})
    LoadPanel(bench, path=str(network), architecture="mine").start().wait(30)
    assert made == [1]
    assert bench.code("models", "tiny") == "bench.models['tiny']"  # nobody else knows `mine`


def test_a_pickle_is_refused_with_the_sentence_and_nothing_runs(tmp_path):
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return (Path.touch, (marker,))

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Payload()))
    bench = Bench()
    panel = LoadPanel(bench, path=str(path))
    panel.controls.click("Load")
    with pytest.raises(UnsafeFileError):
        panel.job.wait(10)
    assert "is a pickle, which can run any code" in panel.status.error
    assert "Traceback" not in panel.status.error
    assert not marker.exists()
    assert not bench.models


def test_a_missing_file_is_a_sentence(tmp_path):
    panel = LoadPanel(Bench(), path=str(tmp_path / "gone.skops"))
    with pytest.raises(InputError):
        panel.start().wait(10)
    assert "gone.skops" in panel.status.error
    assert panel.controls.enabled("Load")


def test_weights_without_an_architecture_are_asked_for_it():
    panel = LoadPanel(Bench(), path="weights.pt")
    assert "choose the architecture" in panel.status.notice
    assert not panel.controls.enabled("Load")
    panel.controls.set(architecture="small_cnn")
    assert panel.status.notice == ""
    assert panel.controls.enabled("Load")


def test_no_path_is_nothing_to_load():
    panel = LoadPanel(Bench())
    assert not panel.controls.enabled("Load")
    with pytest.raises(InputError, match="Write the path"):
        panel.start()


def test_an_unknown_architecture_is_named():
    with pytest.raises(InputError, match=r"\['small_cnn'\], not 'resnet'"):
        LoadPanel(Bench(), architecture="resnet")
    assert resolve(Bench(), Choices("a.pt", "gone")).choices.architecture is None


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.label)
def test_every_example_is_one_click_away_and_its_code_makes_the_same(example):
    import workbench as wb
    from workbench import data

    bench = Bench()
    panel = LoadPanel(bench)
    panel.controls.click(example.label)
    panel.job.wait(60)
    ((name, made),) = getattr(bench, example.shelf).items()
    assert isinstance(made, Model if example.shelf == "models" else Inputs)
    assert bench.code(example.shelf, name) == example.code
    again = eval(example.code, {"wb": wb, "data": data})  # noqa: S307 - the promise again
    if isinstance(made, Inputs):
        assert again.ids == made.ids
        assert (again.values == made.values).all()
    else:
        assert again.digest == made.digest
    assert made.name in panel.shown.parts["added"].replace("&#x27;", "'")


def test_an_unknown_example_is_named():
    with pytest.raises(InputError, match="not 'Iris'"):
        LoadPanel(Bench()).add("Iris")


def test_what_is_loaded_can_be_explained_at_once(network):
    bench = Bench()
    explain, load = ExplainPanel(bench), LoadPanel(bench)
    load.add("Shapes").wait(30)
    load.controls.set(path=str(network), architecture="small_cnn")
    load.start().wait(30)
    assert explain.view.choices.model == "tiny"
    assert explain.view.choices.method == "GradCAM"
    assert explain.study.inputs.kind == "image"


def test_loading_while_a_job_runs_is_refused_in_the_panel():
    import threading

    from workbench.core import Step
    from workbench.panels.kit.jobs import Job

    gate = threading.Event()

    def work():
        gate.wait(5)
        yield Step(1, 1, "x", (), tuple)

    job = Job("a long run", work()).start()
    panel = LoadPanel(Bench())
    panel.controls.click("Credit")
    assert "busy with a long run" in panel.status.error
    with pytest.raises(WorkbenchError):
        panel.add("Digits")
    gate.set()
    job.wait(5)
    panel.add("Digits").wait(30)


def test_the_repr_is_short_and_stable():
    assert repr(LoadPanel(Bench())) == "LoadPanel(Bench(models=[], inputs=[], 0 results))"
