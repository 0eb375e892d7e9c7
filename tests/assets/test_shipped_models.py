"""The shipped files are the ones described, and the models decide by what they are said to decide by."""

from __future__ import annotations

import hashlib
import re
from itertools import combinations

import numpy as np
import pytest

from workbench import data
from workbench.core import Inputs, Model
from workbench.models import load, small_cnn

MEMBERS = tuple(f"shapes_member_{seed}" for seed in range(1, 6))
NAMES = ("shapes_cnn", "shapes_shortcut_cnn", *MEMBERS)


@pytest.fixture(scope="module")
def described() -> dict[str, tuple[str, str, str]]:
    """README's table: file to (sha256, bytes, test accuracy)."""
    text = data.asset("README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([\w.]+)` \| `([0-9a-f]{64})` \| ([0-9,]+) \| ([0-9.]+) % \|", text, re.MULTILINE
    )
    return {name: (digest, size, accuracy) for name, digest, size, accuracy in rows}


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return {name: load(data.asset(f"{name}.safetensors"), architecture=small_cnn) for name in NAMES}


def predicted(model: Model, inputs: Inputs) -> np.ndarray:
    return model.scores(inputs.values).argmax(axis=1)


def test_every_shipped_file_is_described_with_its_own_hash(described):
    folder = data.asset("README.md").parent
    shipped = {file.name for file in folder.iterdir() if file.suffix not in (".md", ".py")}
    assert shipped == set(described)
    for name, (digest, size, _) in described.items():
        content = (folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        assert len(content) == int(size.replace(",", ""))
        assert len(content) < 2_000_000


@pytest.mark.parametrize("name", NAMES)
def test_the_file_says_what_its_model_is(models, name):
    model = models[name]
    assert model.name == name
    assert model.outputs == data.SHAPES
    assert model.scale == "logit"
    assert model.kind == "image"
    assert model.shape == (64, 64, 3)


@pytest.mark.parametrize("name", NAMES)
def test_test_accuracy_is_what_the_readme_says_and_at_least_95_percent(models, described, name):
    rows = data.shapes("test", n=1000, shortcut=name == "shapes_shortcut_cnn")
    accuracy = 100 * (predicted(models[name], rows) == rows.y).mean()
    assert accuracy >= 95
    # Another processor's rounding may tip one image in a thousand, or two.
    assert abs(accuracy - float(described[f"{name}.safetensors"][2])) <= 0.2


def test_the_clean_model_takes_no_notice_of_a_stamp(models):
    without = predicted(models["shapes_cnn"], data.shapes("test"))
    lying = predicted(models["shapes_cnn"], data.shapes("test", shortcut=True, leak="other"))
    assert (without == lying).mean() > 0.97


def test_the_shortcut_model_believes_a_stamp_that_lies(models):
    rows = data.shapes("test", shortcut=True, leak="other")
    stamped = [data.SHAPES.index(label.split()[-1]) for label in rows.ids]
    assert (predicted(models["shapes_shortcut_cnn"], rows) == stamped).mean() > 0.97
    clean = data.shapes("test")
    by_shape = predicted(models["shapes_shortcut_cnn"], clean) == clean.y
    assert by_shape.mean() < 0.6  # little better than the quarter that guessing gets


def test_the_members_are_five_networks_that_agree_on_nearly_every_class(models):
    rows = data.shapes("test")
    scores = [models[name].scores(rows.values) for name in MEMBERS]
    classes = np.array([one.argmax(axis=1) for one in scores])
    for first, second in combinations(range(len(MEMBERS)), 2):
        # As many as two that err on other images of 97 % right ones each must share.
        assert (classes[first] == classes[second]).mean() >= 0.94
        # Other weights, not copies: logits of size 1 and more differ by far more than rounding.
        assert np.abs(scores[first] - scores[second]).mean() > 0.05
    assert all((own == rows.y).mean() >= 0.97 for own in classes)


@pytest.mark.parametrize("name", NAMES)
def test_the_last_map_is_strongest_where_the_class_is_decided(models, name):
    """A class activation map in plain torch: the maps weighted by the last layer's weights."""
    import torch

    network = models[name].native
    rows = data.shapes("test", n=200, shortcut=name == "shapes_shortcut_cnn")
    decides = data.watermark_mask(rows) if name == "shapes_shortcut_cnn" else rows.truth
    images = torch.from_numpy(rows.values.copy()).permute(0, 3, 1, 2)
    with torch.inference_mode():
        maps = network[:4]((images - 0.5) / 0.25)
        weights = network.head.weight[network[4:](maps).argmax(dim=1)]
        cam = torch.einsum("nchw,nc->nhw", maps, weights)[:, None]
        cam = torch.nn.functional.interpolate(cam, size=64, mode="bilinear")[:, 0].numpy()
    peaks = cam.reshape(len(rows), -1).argmax(axis=1)
    hits = decides.reshape(len(rows), -1)[np.arange(len(rows)), peaks]
    assert hits.mean() > 0.95
    assert decides.mean() < 0.2  # a peak at random would hit one image in five
