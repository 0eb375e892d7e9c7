"""The pointing game on images whose deciding pixels are known: a miss is a fault in code or model."""

import pytest

import workbench as wb
from workbench import data, models
from workbench.compare import pointing_game
from workbench.methods import LIME, GradCAM, HiResCAM, KernelSHAP, LayerCAM, Occlusion, ScoreCAM

FEW = LIME(budget=400)  # half a second per image; the default 1000 hits no less often


@pytest.fixture(scope="module")
def clean():
    return wb.load(data.asset("shapes_cnn.safetensors"), architecture=models.small_cnn)


@pytest.fixture(scope="module")
def shortcut():
    return wb.load(data.asset("shapes_shortcut_cnn.safetensors"), architecture=models.small_cnn)


CASES = [
    (GradCAM(), 100),
    (HiResCAM(), 100),
    (LayerCAM(), 100),
    (ScoreCAM(), 40),
    (FEW, 40),
    (KernelSHAP(budget=400), 20),
    (Occlusion(window=16, stride=8), 40),
]
every_case = pytest.mark.parametrize(("method", "rows"), CASES)


@every_case
@pytest.mark.parametrize("stamped", [False, True])
def test_the_clean_model_is_explained_by_the_shape(clean, method, rows, stamped):
    inputs = data.shapes("test", n=rows, shortcut=stamped)
    result = wb.explain(clean, inputs, method, wb.Target.true(inputs))
    assert pointing_game(result).mean() >= 0.9


@every_case
def test_the_shortcut_model_is_explained_by_the_stamp(shortcut, method, rows):
    inputs = data.shapes("test", n=rows, shortcut=True)
    result = wb.explain(shortcut, inputs, method, wb.Target.true(inputs))
    stamp = data.watermark_mask(inputs)
    assert pointing_game(result, stamp, tolerance=2).mean() >= 0.9
    assert pointing_game(result).mean() <= 0.1


def test_a_map_of_the_wrong_class_would_miss(clean):
    """The game can be lost: asked about a class that is not there, Grad-CAM leaves the shape."""
    inputs = data.shapes("test", n=100)
    wrong = wb.Target(tuple((inputs.y + 1) % 4))
    result = wb.explain(clean, inputs, GradCAM(), wrong)
    assert pointing_game(result).mean() < 0.9
