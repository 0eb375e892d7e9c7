"""Windows, cells and fills along one and three axes are those of a loop over all places."""

from itertools import product

import numpy as np
import pytest

from tests.places import signals, volumes
from workbench.coalitions.fills import fill_rows, left_as_it_was, window_fills
from workbench.coalitions.superpixels import even_cells
from workbench.coalitions.windows import Windows

SHAPES = [((7,), 3, 2), ((20,), 20, 5), ((5,), 8, 8), ((4, 6, 8), 2, 2), ((3, 5, 4), 4, 3)]


def by_hand(places, side, stride):
    starts = [sorted({*range(0, max(n - side, 0), stride), max(n - side, 0)}) for n in places]
    found = []
    for corner in product(*starts):
        under = np.zeros(places, dtype=bool)
        under[tuple(slice(at, at + side) for at in corner)] = True
        found.append(under)
    return found


@pytest.mark.parametrize(("places", "side", "stride"), SHAPES)
def test_windows_slide_along_every_axis(places, side, stride):
    windows, wanted = Windows(places, side, stride), by_hand(places, side, stride)
    every = slice(0, len(windows))
    np.testing.assert_array_equal(~windows.masks(every)[:, windows.players], wanted)
    rng = np.random.default_rng(0)
    drops, row = rng.normal(size=(len(wanted), 2)), rng.normal(size=(*places, 3))
    slow = np.einsum("w...,wt->t...", np.array(wanted, float), drops) / np.sum(wanted, axis=0)
    np.testing.assert_allclose(windows.mean_over(drops), slow, atol=1e-12)
    for under, seen in zip(wanted, windows.colors(row, every), strict=True):
        np.testing.assert_array_equal(np.sort(seen, axis=1), np.sort(row[under].T, axis=1))


@pytest.mark.parametrize(
    ("places", "most"), [((50,), 4), ((3,), 9), ((8, 8, 8), 8), ((2, 30, 30), 20), ((5, 4, 3), 1)]
)
def test_cells_are_boxes_at_most_as_many_as_asked_for(places, most):
    cells = even_cells(places, most)
    assert set(cells.ravel()) == set(range(cells.max() + 1))
    assert cells.max() < most
    for cell in range(cells.max() + 1):
        inside = np.argwhere(cells == cell)
        assert len(inside) == np.prod(np.ptp(inside, axis=0) + 1)


@pytest.mark.parametrize("rows", [signals(c=3), volumes(shape=(4, 6, 8, 2))])
def test_the_default_fill_moves_every_part_in_every_channel_by_a_quarter_of_its_range(rows):
    row = rows.values[0] * np.geomspace(1, 1e6, rows.values.shape[-1])  # channels of other units
    scaled = rows.__class__(row[None], kind=rows.kind)
    spans = np.maximum(row.reshape(-1, row.shape[-1]).max(axis=0), 0) - np.minimum(
        row.reshape(-1, row.shape[-1]).min(axis=0), 0
    )
    owners = even_cells(scaled.places, 4)
    (fill,) = fill_rows("auto", scaled, 0, owners)
    # Four means leave a gap of an eighth of the range or more; half of that may go to the colors.
    for part in range(4):
        mean = row[owners == part].mean(axis=0)
        assert (np.abs(mean - fill[owners == part][0]) >= spans / 16).all()
    assert not left_as_it_was(row, fill[None], owners).any()
    windows = Windows(scaled.places, 3, 3)
    fills = window_fills(row, windows, slice(0, len(windows)))
    for under, one in zip(by_hand(scaled.places, 3, 3), fills, strict=True):
        assert (np.abs(row[under].mean(axis=0) - one[under][0]) >= spans / 4 - 1e-9 * spans).all()


def test_a_mean_and_a_blur_are_taken_along_places_and_not_over_channels():
    rows = signals(t=30, c=2)
    np.testing.assert_allclose(
        fill_rows("mean", rows, 1)[0, 0], rows.values[1].mean(axis=0), atol=1e-15
    )
    alone = rows.__class__(rows.values[..., :1], kind="signal")
    np.testing.assert_allclose(
        fill_rows("blur", rows, 1)[0, :, 0], fill_rows("blur", alone, 1)[0, :, 0], atol=1e-15
    )


def test_a_part_that_only_a_small_channel_shows_counts_as_moved():
    row = np.array([[1e6, 0.0], [1e6, 1.0], [1e6, 0.5]])
    fill = np.array([[[1e6, 1.0], [1e6, 1.0], [1e6, 0.5]]])
    assert left_as_it_was(row, fill, np.arange(3)).tolist() == [False, True, True]
