"""Images whose right explanation is known: exact masks, honest splits, the same bits every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from workbench import data
from workbench.data import scenes
from workbench.data.photos import PHOTOS, textures
from workbench.errors import InputError


@pytest.fixture(scope="module")
def rows():
    return data.shapes("test", n=100)


@pytest.fixture(scope="module")
def stamped():
    return data.shapes("test", n=100, shortcut=True)


def test_the_mask_is_exactly_where_the_image_differs_from_its_scene(rows):
    for i, (image, mask) in enumerate(zip(rows.values, rows.truth, strict=True)):
        rng = np.random.default_rng((scenes._DOMAIN["test"], i, 1))
        alone = scenes._scene(rng, textures("test"))
        np.testing.assert_array_equal((image != alone).any(axis=2), mask)


def test_images_are_colors_of_the_promised_shape(rows):
    assert rows.values.shape == (100, 64, 64, 3)
    assert rows.values.dtype == np.float32
    assert rows.values.min() >= 0
    assert rows.values.max() <= 1
    assert rows.truth.shape == (100, 64, 64)
    assert rows.truth.dtype == bool
    assert rows.background.shape == (16, 64, 64, 3)
    assert np.bincount(rows.y).tolist() == [25] * 4
    assert rows.values.flags.writeable is False


def test_masks_have_the_area_of_their_shape():
    radius = 17.0
    exact = {
        "circle": np.pi * (0.85 * radius) ** 2,
        "square": 2 * radius**2,
        "triangle": 3 * np.sqrt(3) / 4 * radius**2,
        "cross": 4 * 0.38 * radius * np.sqrt(radius**2 - (0.38 * radius) ** 2) * 2
        - (2 * 0.38 * radius) ** 2,
    }
    for k, name in enumerate(data.SHAPES):
        for turn in (0.0, 0.4, 2.0):
            mask = scenes._mask(k, (31.3, 32.9), radius, turn)
            # Pixels are counted by their middles: off by a fraction of the outline's length.
            assert abs(mask.sum() - exact[name]) < 0.03 * exact[name]
            y, x = (np.argwhere(mask) + 0.5).mean(axis=0)
            assert np.hypot(y - 31.3, x - 32.9) < 0.5  # half a pixel


def test_shapes_lie_whole_inside_the_image(rows):
    border = np.ones((64, 64), dtype=bool)
    border[1:-1, 1:-1] = False
    areas = rows.truth.sum(axis=(1, 2))
    assert areas.min() > 200
    assert (rows.truth & border).sum(axis=(1, 2)).max() <= 6  # it may touch the edge, no more


def test_an_image_is_the_same_whatever_the_number_of_images(rows):
    few = data.shapes("test", n=8)
    for name in ("values", "truth", "y", "background"):
        a, b = getattr(few, name), getattr(rows, name)
        np.testing.assert_array_equal(a, b if name == "background" else b[:8])
    assert few.ids == rows[:8].ids


def test_splits_share_no_photo_and_no_image(rows):
    assert not set(PHOTOS["train"]) & set(PHOTOS["test"])
    train = data.shapes("train", n=100)
    for name in ("values", "truth"):
        seen = {one.tobytes() for one in getattr(train, name)}
        assert not seen & {one.tobytes() for one in getattr(rows, name)}


def test_the_stamp_is_all_that_the_shortcut_adds(rows, stamped):
    mask = data.watermark_mask(stamped)
    np.testing.assert_array_equal(stamped.truth, rows.truth)
    np.testing.assert_array_equal(stamped.values[~mask], rows.values[~mask])
    assert mask.sum(axis=(1, 2)).tolist() == [144] * 100
    assert not (mask & stamped.truth).any()
    assert not np.array_equal(stamped.values[mask], rows.values[mask])


def test_the_stamp_names_the_class_another_class_or_nothing(stamped):
    glyph = {}
    for image, mask, k in zip(stamped.values, data.watermark_mask(stamped), stamped.y, strict=True):
        glyph.setdefault(int(k), set()).add(image[mask].tobytes())
    assert {len(seen) for seen in glyph.values()} == {1}
    assert len(set.union(*glyph.values())) == 4
    named = {next(iter(seen)): k for k, seen in glyph.items()}

    def read(leak):
        rows = data.shapes("test", n=400, shortcut=True, leak=leak)
        masks = data.watermark_mask(rows)
        return rows.y, np.array(
            [named[image[mask].tobytes()] for image, mask in zip(rows.values, masks, strict=True)]
        )

    classes, stamps = read("other")
    assert not (classes == stamps).any()
    assert np.bincount(stamps).min() > 70
    classes, stamps = read("random")
    assert abs((classes == stamps).mean() - 0.25) < 0.09  # four standard errors of a quarter of 400


def test_the_stamp_is_found_on_any_selection(stamped):
    chosen = [7, 3, 3, 50]
    np.testing.assert_array_equal(
        data.watermark_mask(stamped[chosen]), data.watermark_mask(stamped)[chosen]
    )
    corners = data.watermark_mask(stamped).reshape(100, 2, 32, 2, 32).any(axis=(2, 4)).sum(axis=0)
    assert corners.min() > 10  # all four corners are used


def test_what_was_not_made_here_has_no_stamp(rows):
    with pytest.raises(InputError, match=r"test 0 circle.*carries no stamp"):
        data.watermark_mask(rows)
    with pytest.raises(InputError, match="carries no stamp"):
        data.watermark_mask(replace(rows, ids=tuple(f"test x {i} stamped y" for i in range(100))))


@pytest.mark.parametrize("n", [0, -3, 2.0, True])
def test_an_impossible_number_of_images_is_refused(n):
    with pytest.raises(InputError, match="at least 1"):
        data.shapes("test", n=n)


def test_a_leak_needs_a_stamp_and_a_known_name():
    with pytest.raises(InputError, match="shortcut=True"):
        data.shapes("test", n=2, leak="other")
    with pytest.raises(InputError, match="'wrong'"):
        data.shapes("test", n=2, shortcut=True, leak="wrong")


def test_a_missing_photo_says_which_package_to_reinstall():
    from workbench.data.photos import _wheel_file
    from workbench.errors import MissingDependency

    with pytest.raises(MissingDependency, match="Reinstall skimage"):
        _wheel_file("skimage/data/gone.png")
    with pytest.raises(MissingDependency, match="Reinstall no_such_package"):
        _wheel_file("no_such_package/data/gone.png")
