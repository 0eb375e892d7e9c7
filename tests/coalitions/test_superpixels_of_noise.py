"""Images that SLIC merges into one piece are smoothed or cut into cells, and the result says so."""

import numpy as np
import pytest

import workbench as wb
from workbench import methods
from workbench.coalitions.superpixels import Superpixels, even_cells

RNG = np.random.default_rng(3)
WAVES = 0.5 + 0.3 * np.sin(np.arange(64) / 10)[None, :, None] * np.ones((64, 1, 3))
IMAGES = {
    "noise": RNG.random((64, 80, 3)),
    "noise of one channel": RNG.random((28, 28, 1)),
    "noise of two channels": RNG.random((40, 50, 2)),
    "noise of 13 bands": RNG.random((40, 50, 13)),
    "noise in 0..65535": RNG.integers(0, 65_536, (48, 48, 1)).astype(float),
    "standardized noise": RNG.normal(size=(48, 48, 3)),
    "half precision": (120_000 * RNG.random((30, 30, 3)) - 60_000).astype(np.float16),
    "a noisy scene": WAVES + RNG.normal(0, 0.1, WAVES.shape),
    "a checkerboard": np.indices((64, 64)).sum(axis=0)[..., None] % 2.0,
    "one hot pixel": np.eye(64)[..., None] * 1e6,
    "a constant": np.full((20, 30, 3), 300.0),
    "one pixel high": RNG.random((1, 100, 3)),
    "one pixel wide": RNG.random((100, 1, 1)),
    "three by three": RNG.random((3, 3, 1)),
    "a single pixel": RNG.random((1, 1, 3)),
}


@pytest.mark.parametrize("segments", [2, 3, 8, 50, 200])
@pytest.mark.parametrize("name", IMAGES)
def test_slic_gives_about_as_many_pieces_as_asked_for_whatever_the_image(name, segments):
    image = IMAGES[name]
    labels = Superpixels("slic", segments).of(image)
    h, w, _ = image.shape
    wanted = min(segments, h * w)
    assert labels.shape == (h, w)
    assert sorted(set(labels.ravel())) == list(range(labels.max() + 1))
    assert max(wanted / 2, min(wanted, 2)) <= labels.max() + 1 <= 1.5 * wanted


@pytest.mark.parametrize("name", IMAGES)
def test_quickshift_never_leaves_an_image_whole(name):
    image = IMAGES[name][:28, :28]
    labels = Superpixels("quickshift", 9).of(image)
    assert labels.shape == image.shape[:2]
    assert labels.max() >= min(1, labels.size - 1)


def test_an_image_that_slic_cuts_well_is_cut_as_skimage_does_and_nothing_is_said():
    from skimage import segmentation

    pieces = Superpixels("slic", 12).pieces(WAVES)
    unit = (WAVES - WAVES.min()) / (WAVES.max() - WAVES.min())
    theirs = segmentation.slic(unit, n_segments=12, compactness=10, start_label=0, channel_axis=-1)
    np.testing.assert_array_equal(pieces.labels, theirs)
    assert pieces.note == ""


def test_a_noisy_image_is_smoothed_no_more_than_it_needs():
    from skimage import segmentation

    image = IMAGES["a noisy scene"]
    pieces = Superpixels("slic", 50).pieces(image)
    unit = (image - image.min()) / (image.max() - image.min())
    counts = {
        blur: segmentation.slic(
            unit, n_segments=50, compactness=10, sigma=blur, start_label=0, channel_axis=-1
        )
        for blur in (0, 1)
    }
    assert counts[0].max() + 1 < 25
    np.testing.assert_array_equal(pieces.labels, counts[1])
    assert "smoothed by 1 pixels" in pieces.note


def test_where_smoothing_does_not_help_the_cells_are_even():
    pieces = Superpixels("slic", 2).pieces(IMAGES["a checkerboard"])
    np.testing.assert_array_equal(pieces.labels, even_cells((64, 64), 2))
    assert "cut into even cells" in pieces.note


def test_every_band_counts_also_where_another_has_larger_numbers():
    """Left and right differ in the last band alone, which is small beside the first."""
    image = np.zeros((24, 24, 7))
    image[..., 0] = 5000.0
    image[:12, :, 0] = 9000.0
    image[:, 12:, 6] = 0.01
    labels = Superpixels("slic", 4).of(image)
    assert len(set(labels.ravel())) == 4
    for left, right in ((labels[:12, :12], labels[:12, 12:]), (labels[12:, :12], labels[12:, 12:])):
        assert len(set(left.ravel())) == len(set(right.ravel())) == 1
        assert left[0, 0] != right[0, 0]


def _explained(method):
    images = np.stack([WAVES[:32, :32], RNG.random((32, 32, 3)), RNG.random((32, 32, 3))])
    model = wb.Model(
        "mean", lambda rows: rows.mean(axis=(1, 2, 3))[:, None], ("y",), "raw", kind="image"
    )
    inputs = wb.Inputs(images, kind="image", ids=("waves", "snow", "more snow"))
    return wb.explain(model, inputs, method, wb.Target(0))


@pytest.mark.parametrize(
    "method",
    [
        methods.PermutationSHAP(budget=200, segments=8),
        methods.KernelSHAP(budget=200, segments=8),
        methods.LIME(budget=60, segments=8),
        methods.ExactShapley(superpixels="slic", segments=6),
    ],
    ids=lambda method: type(method).__name__,
)
def test_the_result_says_which_rows_were_smoothed(method):
    result = _explained(method)
    told = [note for note in result.provenance.notes if "too noisy for SLIC" in note]
    assert told
    assert all("waves" not in note for note in told)
    assert sum("more snow" in note for note in told) == 1


def test_cells_that_were_asked_for_are_not_excused():
    result = _explained(methods.LIME(budget=60, superpixels="grid", segments=8))
    assert not [note for note in result.provenance.notes if "SLIC" in note or "cells" in note]
