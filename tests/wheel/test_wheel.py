"""The built wheel is enough: with no repository near it explains, and brings its notebooks.

Needs the package index: the core's libraries are installed into an environment of their own.
"""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.wheel

# The second would have each command compile all libraries again.
NOT_PASSED_ON = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}

# What a table needs, from rows to a picture, and what happens where an extra is asked for.
CORE_ALONE = """
import importlib.util, json, sys
import workbench as wb
from workbench import data, draw, methods
from workbench.errors import MissingDependency

names = ("torch", "shap", "captum", "lime", "ipywidgets", "onnx", "skops", "xgboost", "pytest")
found = [name for name in names if importlib.util.find_spec(name)]
train, test = data.breast_cancer("train"), data.breast_cancer("test")[:4]
from sklearn.linear_model import LogisticRegression
model = wb.wrap(LogisticRegression(max_iter=9000).fit(train.values, train.y), name="logistic")
result = wb.explain(model, test, methods.PermutationSHAP(budget=6000), wb.Target(0))
draw.save(draw.picture(result), "picture.png")
digits = data.digits("test")[:2]
as_image = wb.Model("mean", lambda x: x.reshape(len(x), -1).mean(1, keepdims=True), ("mean",), "raw")
wb.explain(as_image, digits, methods.LIME(budget=200), wb.Target(0))

said = {}
def panels():
    from workbench import panels
def load():
    from workbench import models
    wb.load(data.asset("shapes_cnn.safetensors"), architecture=models.small_cnn)
def referee():
    wb.cross_check(result)
for ask in (panels, load, referee):
    try:
        ask()
    except MissingDependency as error:
        said[ask.__name__] = str(error)
print(json.dumps({
    "found": found, "said": said, "gap": float(abs(result.gap).max()), "home": wb.__file__,
    "shap": "shap" in sys.modules,
}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, ROOT], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def core(wheel, tmp_path_factory) -> Path:
    """The interpreter of an environment that holds the wheel and what it depends on, nothing else."""
    place = tmp_path_factory.mktemp("core")
    venv.create(place / "env")
    python = place / "env" / "bin" / "python"
    # This pip serves the other environment: there it would first have to be installed itself.
    pip = [sys.executable, "-m", "pip", "--python", python]
    run([*pip, "install", "--no-compile", wheel], place)
    return python


def run(
    command: list, folder: Path, status: int = 0, **variables: str
) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def test_assets_notebooks_and_the_license_travel_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        about = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(about).decode()
    for folder, pattern in (("assets", "*.safetensors"), ("notebooks", "*.ipynb")):
        here = {f"workbench/bundled/{folder}/{path.name}" for path in (ROOT / folder).glob(pattern)}
        assert here
        assert here <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: BSD-3-Clause" in metadata
    assert not any(name.startswith(("tests/", "docs/")) for name in names)
    assert not [name for name in names if ".ipynb_checkpoints" in name or "__pycache__" in name]


def test_the_core_alone_explains_tables_and_names_the_extra_for_the_rest(core, tmp_path):
    shown = json.loads(run([core, "-c", CORE_ALONE], tmp_path).stdout.splitlines()[-1])
    assert shown["found"] == []
    assert Path(shown["home"]).is_relative_to(core.parents[1])
    assert shown["gap"] < 1e-9
    for asked, extra in (("panels", "jupyter"), ("load", "torch"), ("referee", "referees")):
        assert f'pip install "explainability-workbench[{extra}]"' in shown["said"][asked]


def test_the_core_alone_has_a_demo_and_notebooks(core, tmp_path):
    command = core.with_name("workbench")
    printed = run([command, "demo", "--out", "out"], tmp_path).stdout
    assert "Breast cancer, 171 test rows" in printed
    assert 'pip install "explainability-workbench[torch]"' in printed
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000
    copied = run([command, "notebooks", "mine"], tmp_path).stdout
    assert 'pip install "explainability-workbench[jupyter]"' in copied
    names = [path.name for path in (tmp_path / "mine").glob("*.ipynb")]
    assert sorted(names) == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert "mine" in run([command, "notebooks", "mine"], tmp_path, status=2).stderr


def test_with_all_extras_the_demo_runs_on_the_wheels_own_networks(wheel, tmp_path):
    # The libraries are this environment's; the workbench is the wheel's.
    there = tmp_path / "there"
    run([sys.executable, "-m", "pip", "install", "--no-deps", "--target", there, wheel], tmp_path)
    path = {"PYTHONPATH": str(there), "OMP_NUM_THREADS": "1"}
    python = [sys.executable, "-P"]
    ask = "from workbench import data, panels; print(data.asset('shapes_cnn.safetensors'))"
    where = run([*python, "-c", ask], tmp_path, **path).stdout.strip()
    assert Path(where).is_relative_to(there)

    printed = run([*python, "-m", "workbench.cli", "demo", "--out", "out"], tmp_path, **path).stdout
    assert "GradCAM of shapes_shortcut_cnn points at the shape   0%, at the stamp 100%" in printed
