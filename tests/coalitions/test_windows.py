"""Windows are of one size, cover every place, and go up to the border."""

import numpy as np
import pytest

from workbench.coalitions.windows import Windows

SHAPES = [
    (8, 8, 2, 1), (8, 8, 4, 4), (12, 8, 3, 3), (16, 20, 8, 5), (15, 15, 3, 1), (28, 28, 7, 3),
    (32, 33, 8, 4), (64, 64, 16, 9), (5, 9, 7, 2), (3, 3, 8, 8), (6, 6, 1, 1), (6, 7, 6, 6),
]  # fmt: skip
every_shape = pytest.mark.parametrize(("h", "w", "side", "stride"), SHAPES)


def by_hand(h, w, side, stride):
    """Every window as a map that is True under it, row by row."""
    found = []
    for top in sorted({*range(0, max(h - side, 0), stride), max(h - side, 0)}):
        for left in sorted({*range(0, max(w - side, 0), stride), max(w - side, 0)}):
            under = np.zeros((h, w), dtype=bool)
            under[top : top + side, left : left + side] = True
            found.append(under)
    return found


@every_shape
def test_every_window_covers_a_whole_square_and_every_place_is_covered(h, w, side, stride):
    windows = Windows((h, w), side, stride)
    masks = windows.masks(slice(0, len(windows)))
    maps = [~mask[windows.players] for mask in masks]
    np.testing.assert_array_equal(maps, by_hand(h, w, side, stride))
    assert {int(under.sum()) for under in maps} == {min(side, h) * min(side, w)}
    assert np.any(maps, axis=0).all()
    assert sorted(set(windows.players.ravel())) == list(range(masks.shape[1]))


@every_shape
def test_a_part_of_the_windows_is_a_part_of_all(h, w, side, stride):
    windows = Windows((h, w), side, stride)
    image = np.random.default_rng(0).random((h, w, 3))
    every = slice(0, len(windows))
    part = slice(len(windows) // 3, len(windows) // 3 + 2)
    np.testing.assert_array_equal(windows.masks(part), windows.masks(every)[part])
    np.testing.assert_array_equal(windows.colors(image, part), windows.colors(image, every)[part])


@every_shape
def test_colors_are_the_pixels_under_each_window_and_means_are_over_the_windows(h, w, side, stride):
    windows = Windows((h, w), side, stride)
    rng = np.random.default_rng(1)
    image, drops = rng.random((h, w, 2)), rng.normal(size=(len(windows), 3))
    maps = by_hand(h, w, side, stride)
    colors = windows.colors(image, slice(0, len(windows)))
    for under, found in zip(maps, colors, strict=True):
        np.testing.assert_array_equal(np.sort(found, axis=1), np.sort(image[under].T, axis=1))
    slow = np.einsum("shw,st->thw", np.array(maps, float), drops) / np.sum(maps, axis=0)
    np.testing.assert_allclose(windows.mean_over(drops), slow, atol=1e-12)
