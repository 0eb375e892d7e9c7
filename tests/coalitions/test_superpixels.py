"""Superpixels cover the image, are numbered without gaps, and are the same every time."""

import numpy as np
import pytest

from workbench.coalitions.superpixels import Superpixels, even_cells


def scene(h=24, w=36, c=3, seed=0):
    rng = np.random.default_rng(seed)
    return np.kron(rng.random((h // 6, w // 6, c)), np.ones((6, 6, 1)))


@pytest.mark.parametrize("algorithm", ["slic", "quickshift", "grid"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_pixel_has_one_superpixel_and_numbers_have_no_gaps(algorithm, channels):
    labels = Superpixels(algorithm, 12).of(scene(c=channels))
    assert labels.shape == (24, 36)
    assert sorted(set(labels.ravel())) == list(range(labels.max() + 1))
    assert labels.max() >= 1
    with pytest.raises(ValueError, match="read-only"):
        labels[0, 0] = 1


def test_the_same_image_and_recipe_are_cut_once(monkeypatch):
    from skimage import segmentation

    calls = []
    real = segmentation.slic
    monkeypatch.setattr(segmentation, "slic", lambda *a, **k: calls.append(1) or real(*a, **k))
    image = np.tile(np.sin(np.arange(36) / 9)[None, :, None], (24, 1, 3))
    first = Superpixels("slic", 9).of(image)
    assert Superpixels("slic", 9).of(image.copy()) is first
    Superpixels("slic", 10).of(image)
    Superpixels("slic", 9).of(image + 1e-9)
    assert len(calls) == 3


@pytest.mark.parametrize(
    ("h", "w", "most"), [(64, 64, 9), (64, 64, 16), (10, 50, 7), (5, 3, 100), (1, 1, 4)]
)
def test_a_grid_has_at_most_the_cells_asked_for_and_they_are_even(h, w, most):
    cells = even_cells((h, w), most)
    size = np.bincount(cells.ravel())
    assert len(size) <= most
    assert len(size) >= min(h * w, most) / 2
    assert size.min() >= size.max() / 4 - 1


@pytest.mark.parametrize(
    "image", [np.zeros((8, 10, 3)), np.full((8, 10, 3), 300.0), -np.ones((8, 10, 1))]
)
def test_constant_images_are_one_or_more_superpixels_and_not_an_error(image):
    for algorithm in ("slic", "quickshift", "grid"):
        assert Superpixels(algorithm, 4).of(image).shape == (8, 10)
