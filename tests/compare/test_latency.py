"""Latency: who is called in which order, what follows from given times, and children that fail."""

import multiprocessing
import os
import time

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch import nn

import workbench as wb
from workbench import ensembles
from workbench.compare import latency
from workbench.compare.speed import engines
from workbench.compare.speed.latency import verdicts
from workbench.core import Inputs, Model
from workbench.errors import InputError, ModelError


def rows(n: int = 4) -> Inputs:
    return Inputs(np.arange(3.0 * n).reshape(n, 3), kind="tabular")


def writing(name: str, log) -> Model:
    """Writes its name, its process and the number of rows at every call."""

    def predict(some):
        with open(log, "a") as file:
            file.write(f"{name} {os.getpid()} {len(some)}\n")
        return some[:, :1]

    return Model(name, predict, ("y",), "raw")


def test_models_take_turns_and_each_timed_call_follows_another(tmp_path):
    log = tmp_path / "calls"
    models = [writing(name, log) for name in "abc"]
    found = latency(models, rows(), rows=2, rounds=3)
    calls = [line.split() for line in log.read_text().splitlines()]
    assert [name for name, _, _ in calls] == list("aabbcc" * 3)
    assert {count for _, _, count in calls} == {"2"}
    assert [one.model for one in found] == list("abc")
    assert all(one.seconds.shape == (3,) and one.rows == 2 for one in found)


def test_every_engine_has_a_process_of_its_own_and_this_one_computes_nothing(tmp_path):
    net = nn.Sequential(nn.Linear(3, 1))
    asked = tmp_path / "torch"
    net.register_forward_hook(lambda *_: asked.write_text(str(os.getpid())) and None)
    network = wb.wrap(net, name="net", outputs=["y"], scale="raw")
    log = tmp_path / "calls"
    one, other = writing("one", log), writing("other", log)
    line = wb.wrap(LinearRegression().fit(rows().values, np.arange(4.0)), name="line")
    asked.unlink(missing_ok=True)
    found = latency([network, one, line, other], rows(), rounds=3)
    assert [each.engine for each in found] == ["torch", "python", "sklearn", "python"]
    processes = {line.split()[1] for line in log.read_text().splitlines()}
    assert len(processes) == 1
    assert len({*processes, asked.read_text(), str(os.getpid())}) == 3
    assert all(each.note == "" for each in found)
    assert not multiprocessing.active_children()


def test_the_figures_are_those_of_the_times():
    """Quartiles by hand, and a verdict only where the middle halves lie apart."""
    seconds = np.array(
        [
            [4.0, 1.0, 5.0, 9.0],
            [5.0, 2.0, 4.0, 8.0],
            [6.0, 3.0, 7.0, 7.0],
            [7.0, 4.0, 6.0, 10.0],
            [8.0, 90.0, 8.0, 11.0],
        ]
    )
    # middle halves: 5..7, 2..4, 5..7, 8..10
    assert verdicts(seconds) == ("reference", "faster", "inconclusive", "slower")
    touching = np.array([[5.0, 2.0], [6.0, 4.0], [7.0, 5.0], [8.0, 5.5], [9.0, 7.0]])
    assert verdicts(touching) == ("reference", "faster")
    touching[:, 1] += 0.5  # its third quartile is now 6, as is the first of the reference
    assert verdicts(touching) == ("reference", "inconclusive")


def test_median_and_quartiles_come_from_the_turns(monkeypatch):
    times = iter([3.0, 10.0, 1.0, 30.0, 2.0, 20.0])
    monkeypatch.setattr(engines, "timed", lambda model, some: next(times))
    monkeypatch.setattr(engines, "_no_fork", lambda: "this is a test")
    models = [Model(name, lambda some: some[:, :1], ("y",), "raw") for name in "ab"]
    first, second = latency(models, rows(), rounds=3)
    assert (first.low, first.median, first.high) == (1.5, 2.0, 2.5)
    assert (second.low, second.median, second.high) == (15.0, 20.0, 25.0)
    assert (first.pace, second.pace) == ("reference", "slower")
    np.testing.assert_array_equal(second.seconds, [10.0, 30.0, 20.0])
    assert first.note == (
        "Measured beside the other engines, whose threads may have slowed it, because this is a test."
    )


def test_a_child_that_dies_is_reported():
    dying = Model("dying", lambda some: os._exit(7), ("y",), "raw")
    with pytest.raises(ModelError, match=r"'dying' ended without an answer \(exit code 7\)"):
        latency([dying], rows(), rounds=3)
    assert not multiprocessing.active_children()


def test_a_child_that_hangs_is_ended():
    hanging = Model("hanging", lambda some: time.sleep(600), ("y",), "raw")
    with pytest.raises(ModelError, match=r"'hanging' must answer within 0\.2 seconds"):
        latency([hanging], rows(), rounds=3, timeout=0.2)
    assert not multiprocessing.active_children()


def test_a_model_that_fails_says_why_and_its_neighbors_processes_end():
    def failing(some):
        raise ValueError("no such column")

    net = wb.wrap(nn.Sequential(nn.Linear(3, 1)), name="net", outputs=["y"], scale="raw")
    with pytest.raises(ModelError, match="'failing' could not be timed: no such column"):
        latency([net, Model("failing", failing, ("y",), "raw")], rows(), rounds=3)
    assert not multiprocessing.active_children()


def test_a_child_computes_with_one_thread(tmp_path):
    log = tmp_path / "threads"
    net = nn.Sequential(nn.Linear(3, 1))
    model = wb.wrap(net, name="net", outputs=["y"], scale="raw")
    net.register_forward_hook(lambda *_: log.write_text(str(torch.get_num_threads())) and None)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        latency([model], rows(), rounds=3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert log.read_text() == "1"


def test_a_session_of_onnx_runtime_answers_in_a_process_of_its_own():
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Relu", ["rows"], ["scores"])],
        "net",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 3])],
    )
    data = helper.make_model(
        graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)]
    ).SerializeToString()
    model = wb.wrap(data, name="relu", outputs=list("abc"), scale="raw", kind="tabular")
    model.predict(rows().values)  # a session that has run before it is forked
    net = wb.wrap(nn.Sequential(nn.Linear(3, 1)), name="net", outputs=["y"], scale="raw")
    found = latency([net, model], rows(), rounds=3, timeout=20.0)
    assert [one.engine for one in found] == ["torch", "onnxruntime"]


def test_an_ensemble_computes_with_the_engines_of_its_members():
    net = wb.wrap(nn.Sequential(nn.Linear(3, 1)), name="net", outputs=["y"], scale="raw")
    line = wb.wrap(lambda some: some[:, :1], name="line", outputs=["y"], scale="raw")
    both = ensembles.vote([net, line], like=rows())
    assert engines.engine_name(both) == "python and torch"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"rows": 0}, r"rows must lie in 1\.\.4"),
        ({"rows": 5}, r"rows must lie in 1\.\.4"),
        ({"rounds": 2}, "rounds must be at least 3"),
        ({"timeout": 0.0}, "timeout must be a number of seconds above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, said, tmp_path):
    with pytest.raises(InputError, match=said):
        latency([writing("a", tmp_path / "calls")], rows(), **settings)


def test_models_that_cannot_be_told_apart_are_refused(tmp_path):
    with pytest.raises(InputError, match="at least one model"):
        latency([], rows())
    one, other = (writing(name, tmp_path / name) for name in ("a", "b"))
    with pytest.raises(InputError, match=r"\['a'\] occur more than once"):
        latency([one, one, other], rows())
