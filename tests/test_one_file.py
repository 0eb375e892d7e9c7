"""What a new compressor takes, and a new method: one file each, and nothing else is edited."""

import importlib
import sys

import numpy as np
import pytest

import workbench as wb
from tests.panels.compression_bench import network
from workbench import methods, variants
from workbench.core import Inputs
from workbench.errors import InputError
from workbench.panels import Bench, CompressionPanel

SHRINK = '''
"""Shrunken weights: every weight times a share."""

from workbench.models.torch_module import remade
from workbench.variants.layers import copied, running
from workbench.variants.record import recorded
from workbench.variants.recipes import Recipe


def shrink(model, share, *, rows=None, name=None):
    """A copy whose every weight is multiplied."""
    module = copied(model)
    for weight in module.parameters():
        weight.data.mul_(share)
    return recorded(
        remade(model, module, name=name or f"{model.name}, shrunk to {share:g}"), model,
        recipe=f"shrink(model, {share})", description="shrunk", runs_as=running(module),
        touched=2, layers=2, rows=rows,
    )


RECIPE = Recipe("shrink", "Shrunken weights", "shrink", "share of every weight", (0.9, 0.5))
'''


def rows(n=30):
    values = np.random.default_rng(3).normal(size=(n, 5))
    return Inputs(values, kind="tabular", classes=np.arange(n) % 2, name="rows", background=values)


def put(monkeypatch, room, folder, *, cached):
    """Another folder becomes a part of the room, and is forgotten again afterwards."""
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(folder)])
    known, names = set(sys.modules), set(vars(room))
    importlib.invalidate_caches()
    cached.cache_clear()
    yield room
    for name in set(sys.modules) - known:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    for name in set(vars(room)) - names:
        delattr(room, name)
    monkeypatch.undo()
    cached.cache_clear()


@pytest.fixture(params=["in the room", "in a room of the room"])
def compressor(request, monkeypatch, tmp_path):
    folder = tmp_path if request.param == "in the room" else tmp_path / "shrinking"
    folder.mkdir(exist_ok=True)
    if folder != tmp_path:
        (folder / "__init__.py").write_text('"""A room."""\n')
    (folder / "shrink.py").write_text(SHRINK)
    yield from put(monkeypatch, variants, tmp_path, cached=variants.recipes)


def test_a_new_compressor_is_one_file(compressor, tmp_path):
    recipe = variants.recipe("shrink")
    assert recipe is variants.recipes()[-1]  # it names no place, so it comes last
    assert recipe.code("model", 0.5) == "variants.shrink(model, 0.5, rows=inputs)"
    model = network()
    by_code = eval(recipe.code("model", 0.5, ""), {"variants": variants, "model": model})  # noqa: S307
    half = {name: weight / 2 for name, weight in model.native.state_dict().items()}
    for name, weight in by_code.native.state_dict().items():
        np.testing.assert_array_equal(weight, half[name])

    copies = variants.sweep(model, "shrink", rows=rows())
    assert [copy.name for copy in copies] == ["net, shrunk to 0.9", "net, shrunk to 0.5"]
    found = wb.drift(model, copies, rows(), methods=methods.IntegratedGradients(steps=4))
    assert "net, shrunk to 0.5" in repr(found.to_frame())


def test_it_stands_in_the_menu_of_the_panel(compressor):
    bench = Bench([network()], [rows()])
    panel = CompressionPanel(bench, recipes="shrink", methods=methods.IntegratedGradients(steps=4))
    assert "Shrunken weights" in [field["label"] for field in panel.view.making]
    assert "variants.sweep(" in panel.code
    assert "'shrink', [0.9, 0.5]" in panel.code
    panel.close()


def test_two_files_with_recipes_of_one_name_are_refused(compressor, tmp_path):
    (tmp_path / "other.py").write_text(SHRINK.replace("shrink(", "shrivel(").replace(
        '"Shrunken weights", "shrink"', '"Shriveled weights", "shrivel"'
    ))  # fmt: skip
    with pytest.raises(
        InputError, match=r"variants.shr\w+ and variants.shr\w+ are both called 'shrink'"
    ):
        variants.recipes.__wrapped__()


def test_what_the_room_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'shrink'"):
        variants.shrink  # noqa: B018 - asking is the test
