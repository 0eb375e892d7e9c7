"""The compiler has done its work before somebody waits for it."""

import subprocess
import sys

import numpy as np
import pytest

import workbench as wb
from workbench.core import Trees
from workbench.panels import Bench, ExplainPanel
from workbench.trees import warming

AFTER = """
import numpy as np
import workbench as wb
from workbench.core import Trees
from workbench.methods import TreeSHAP
from workbench.trees import kernels, warming

def compiled():
    return {name: len(one.signatures) for name, one in vars(kernels).items() if hasattr(one, "signatures")}

warming.warm()
before = compiled()
assert before["credit"] >= 2, before
for depth in (3, 30):
    trees = Trees((warming.chain(depth), warming.chain(2)), offset=np.zeros(1))
    model = wb.Model("m", trees.scores, ("y",), "raw", trees=lambda: trees)
    rows = wb.Inputs(np.zeros((3, depth)), kind="tabular", background=np.ones((4, depth)))
    for way in ("interventional", "tree_path_dependent"):
        result = wb.explain(model, rows, TreeSHAP(feature_perturbation=way))
        assert abs(result.gap).max() < 1e-9
assert compiled() == before, (before, compiled())
"""


def test_after_it_nothing_is_compiled_for_shallow_or_deep_trees_in_either_game():
    subprocess.run([sys.executable, "-c", AFTER], check=True, timeout=300)


@pytest.fixture
def started(monkeypatch):
    seen = []

    class Process:
        def __init__(self, command, **_):
            seen.append(command)

        def wait(self):
            return 0

    monkeypatch.setattr(warming.subprocess, "Popen", Process)
    monkeypatch.setattr(warming, "_started", warming.threading.Lock())
    return seen


def test_a_panel_begins_it_once_when_there_is_a_model_that_needs_it(started):
    trees = Trees((warming.chain(2),), offset=np.zeros(1))
    plain = wb.Model("plain", trees.scores, ("y",), "raw")
    rows = wb.Inputs(np.zeros((2, 2)), kind="tabular", background=np.ones((2, 2)))
    bench = Bench([plain], [rows])
    ExplainPanel(bench)
    assert started == []
    bench.add_model(wb.Model("trees", trees.scores, ("y",), "raw", trees=lambda: trees))
    ExplainPanel(bench)
    assert len(started) == 1
    assert started[0][0] == sys.executable


def test_a_panel_opens_where_no_process_can_be_started(started, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no more processes")

    monkeypatch.setattr(warming.subprocess, "Popen", refuse)
    trees = Trees((warming.chain(2),), offset=np.zeros(1))
    model = wb.Model("trees", trees.scores, ("y",), "raw", trees=lambda: trees)
    rows = wb.Inputs(np.zeros((2, 2)), kind="tabular", background=np.ones((2, 2)))
    assert ExplainPanel(Bench([model], [rows])).shown.error == ""
