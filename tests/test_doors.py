"""`import workbench` is light, and rooms that import on demand show what they would show at once."""

import importlib
import json
import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAZY = sorted(
    ".".join(door.relative_to(ROOT).parent.parts)
    for door in (ROOT / "workbench").rglob("__init__.py")
    if "\n    open_door(__name__" in door.read_text(encoding="utf-8")
)
HEAVY = {"IPython", "PIL", "ipywidgets", "matplotlib", "numba", "pandas", "scipy", "shap"} | {
    *("skimage", "sklearn", "torch", "onnx", "onnxruntime", "multiprocessing", "asyncio")
}


def loaded_after(code: str) -> list[str]:
    command = [sys.executable, "-c", f"{code}\nimport sys, json\nprint(json.dumps([*sys.modules]))"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return json.loads(printed)


def ours(modules: list[str]) -> list[str]:
    return [name for name in modules if name.split(".")[0] == "workbench"]


def test_importing_the_workbench_imports_its_door_alone():
    modules = loaded_after("import workbench")
    assert "workbench" in modules
    assert len(ours(modules)) <= 3
    assert not HEAVY & set(modules)


def test_asking_for_every_public_name_imports_no_heavy_library_and_few_files():
    modules = loaded_after("import workbench as wb\nfor name in wb.__all__: getattr(wb, name)")
    assert "workbench.study.run" in modules
    assert len(ours(modules)) <= 230
    assert not HEAVY & set(modules)


def test_the_nouns_need_no_engine():
    modules = ours(loaded_after("import workbench as wb\nwb.Model, wb.Inputs, wb.Study"))
    assert {name.split(".")[1] for name in modules if "." in name} == {
        *("core", "doors", "errors", "printable")
    }


@pytest.mark.parametrize("room", LAZY)
def test_a_door_shows_all_its_names_and_they_are_listed_once(room):
    door = importlib.import_module(room)
    listed = set(door.__all__) - {"__version__"}
    assert set(door._files) == listed
    assert listed <= set(dir(door))
    for name in listed:
        file, original = door._files[name]
        thing = getattr(importlib.import_module(file), original)
        assert getattr(door, name) is (
            door if (room, name) == ("workbench.compare", "compare") else thing
        )


def test_a_file_named_like_its_function_does_not_hide_it():
    shown = (
        "import workbench as wb, workbench.compare.drift.behavior\n"
        "assert callable(wb.run) and callable(wb.plan)\n"
        "from workbench.compare.drift import behavior\n"
        "assert callable(behavior) and behavior is wb.compare.behavior"
    )
    assert "workbench.compare.drift.behavior" in loaded_after(shown)


@pytest.mark.parametrize(
    "first",
    [
        "import workbench as wb; compare = wb.compare",
        "from workbench import compare",
        "import workbench.compare as compare",
        "from workbench.compare import compare",
        "import workbench.compare.drift; from workbench import compare",
        "import workbench as wb, workbench.compare.drift; compare = wb.compare",
        "import workbench.compare.agreement; from workbench.compare import compare",
    ],
)
def test_compare_is_one_thing_however_it_is_imported(first):
    loaded_after(
        f"{first}\n"
        "import inspect, sys, numpy as np, workbench, workbench as wb\n"
        "assert compare is workbench.compare is sys.modules['workbench.compare'] is compare.compare\n"
        "assert [*inspect.signature(compare).parameters] == ['attributions', 'reference']\n"
        "assert compare.pointing_game.__name__ == 'pointing_game'\n"
        "rows = wb.Inputs([[1.0, 1.0]], kind='tabular', background=[[0.0, 0.0]])\n"
        "models = [wb.Model(n, lambda x, w=w: x @ w, ('y',), 'raw') for n, w in\n"
        "          (('one', [[2.0], [1.0]]), ('two', [[2.0], [-1.0]]))]\n"
        "from workbench import methods\n"
        "results = [wb.explain(model, rows, methods.ExactShapley()) for model in models]\n"
        "summary = compare(results, reference='one').summary()\n"
        "assert summary.sign.tolist() == [0.5]"
    )


def test_a_name_that_is_not_there_is_an_attribute_error():
    import workbench

    with pytest.raises(AttributeError, match=r"'workbench' has no attribute 'explian'"):
        workbench.explian  # noqa: B018
    assert not hasattr(importlib.import_module("workbench.compare"), "explain")


def test_a_copy_that_is_bytecode_alone_says_what_it_lacks(tmp_path):
    copy = tmp_path / "workbench"
    for name in ("__init__.py", "doors.py", "printable.py"):
        source = ROOT / "workbench" / name
        py_compile.compile(str(source), cfile=str(copy / f"{source.stem}.pyc"), doraise=True)
    asked = [sys.executable, "-P", "-c", "import workbench"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
    assert ended.stderr.splitlines()[-1].startswith("ImportError: workbench reads its own source")


def test_rooms_are_names_of_the_workbench_and_stay_modules():
    loaded_after(
        "import types, workbench as wb, workbench.report\n"
        "assert 'methods' in dir(wb) and callable(wb.methods.LIME)\n"
        "from workbench import report\n"
        "assert isinstance(report, types.ModuleType) and callable(report.report)"
    )


def test_a_door_lists_what_it_hands_out_and_nothing_of_its_own_making():
    loaded_after(
        "import pickle, workbench as wb\n"
        "from workbench import variants\n"
        "assert {'wrap', 'explain', 'methods'} < set(dir(wb))\n"
        "for room in (wb, variants):\n"
        "    assert not {'TYPE_CHECKING', 'Any', 'annotations', 'open_door', 'doors'} & set(dir(room))\n"
        "assert pickle.loads(pickle.dumps(wb.compare)) is wb.compare"
    )
