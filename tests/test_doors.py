"""`import workbench` is light, and rooms that import on demand show what they would show at once."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAZY = sorted(
    ".".join(door.relative_to(ROOT).parent.parts)
    for door in (ROOT / "workbench").rglob("__init__.py")
    if "\n    open_door(__name__)\n" in door.read_text(encoding="utf-8")
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
    assert len(ours(modules)) <= 190
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
        assert getattr(door, name) is getattr(importlib.import_module(file), original)


def test_a_file_named_like_its_function_does_not_hide_it():
    shown = (
        "import workbench as wb, workbench.compare.drift.behavior, workbench.compare as room\n"
        "assert callable(wb.compare) and callable(wb.run) and callable(wb.plan)\n"
        "from workbench.compare import behavior\n"
        "from workbench.compare.drift import behavior as inner\n"
        "assert callable(behavior) and behavior is inner\n"
        "assert callable(workbench.compare) and room is wb.compare"
    )
    assert "workbench.compare.drift.behavior" in loaded_after(shown)


def test_a_name_that_is_not_there_is_an_attribute_error():
    import workbench

    with pytest.raises(AttributeError, match=r"'workbench' has no attribute 'explian'"):
        workbench.explian  # noqa: B018
    assert not hasattr(importlib.import_module("workbench.compare"), "explain")
