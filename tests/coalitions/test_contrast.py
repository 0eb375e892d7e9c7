"""A color that stands for what it covers differs from it; parts that a fill does not change are seen."""

import numpy as np
import pytest

from workbench.coalitions.contrast import apart
from workbench.coalitions.fills import fill_rows, left_as_it_was, window_fills
from workbench.coalitions.superpixels import even_cells
from workbench.coalitions.windows import Windows
from workbench.core import Inputs


def constant_per_window(h, c, seed=0):
    rng = np.random.default_rng(seed)
    side = max(1, h // 4)
    cells = rng.random((-(-h // side), -(-h // side), c))
    return np.kron(cells, np.ones((side, side, 1)))[:h, :h]


def checkerboard(h, c, side=1):
    rows, columns = np.indices((h, h)) // side
    return np.repeat(((rows + columns) % 2)[..., None], c, axis=2).astype(float)


def gradient(h, c):
    down = np.linspace(0, 1, h)
    return np.stack([np.add.outer(down * k, down) / (1 + k) for k in range(c)], axis=2)


IMAGES = {
    "constant per window": constant_per_window,
    "checkerboard": checkerboard,
    "checkerboard of squares": lambda h, c: checkerboard(h, c, max(1, h // 4)),
    "gradient": gradient,
    "one color": lambda h, c: np.full((h, h, c), 0.7),
    "binary": lambda h, c: np.random.default_rng(1).integers(0, 2, (h, h, c)).astype(float),
    "beyond 0 to 1": lambda h, c: np.random.default_rng(2).normal(5, 40, (h, h, c)),
    "single precision": lambda h, c: np.random.default_rng(3).random((h, h, c), np.float32),
}
every_image = pytest.mark.parametrize("name", IMAGES)


class TestTheColor:
    @pytest.mark.parametrize(
        ("colors", "means", "expected"),
        [
            ([[0.25, 0.25]], [[0.25]], 1.0),  # the far end
            ([[0.75, 0.75]], [[0.75]], 0.0),
            ([[0.5]], [[0.5]], 0.0),  # both ends are as far: the dark one
            ([[0.0, 1.0]], [[0.5]], 0.25),  # an end would leave half of the places as they were
            ([[0.0, 1.0]], [[0.0, 1.0]], 0.5),  # two parts, a color between
            # The means leave 0.25 to 1 free, and 0.625 in its middle is a color. Within half of 0.375
            # around it, 0.4375 and 0.8125 are as far from it and the other colors: the darker one.
            ([[0.0, 0.25, 0.625, 1.0]], [[0.0, 0.25, 1.0]], 0.4375),
        ],
    )
    def test_it_is_far_from_means_and_equal_to_no_color(self, colors, means, expected):
        found = apart(np.array(colors), np.array(means), 0.0, 1.0)
        assert found == pytest.approx([expected])

    def test_many_are_chosen_at_once_as_each_alone(self):
        rng = np.random.default_rng(4)
        colors, means = rng.random((20, 9)), rng.random((20, 3))
        alone = [apart(colors[i : i + 1], means[i : i + 1], 0, 1)[0] for i in range(20)]
        np.testing.assert_array_equal(apart(colors, means, 0, 1), alone)

    def test_of_many_grays_the_one_that_is_missing_is_taken(self):
        grays = (
            np.delete(np.arange(256), 30) / 255
        )  # their mean is above one half, so black is farthest
        found = apart(grays[None], grays.mean(keepdims=True)[None], 0.0, 1.0)
        assert found == pytest.approx([30 / 255])


class TestAnImage:
    @every_image
    @pytest.mark.parametrize("c", [1, 3])
    @pytest.mark.parametrize(
        ("h", "window", "stride"),
        [(8, 2, 1), (8, 4, 4), (12, 5, 2), (15, 3, 3), (16, 8, 5), (7, 1, 1), (6, 9, 4)],
    )
    def test_every_window_moves_by_a_quarter_of_the_range_and_in_each_pixel(
        self, name, c, h, window, stride
    ):
        image = IMAGES[name](h, c)
        windows = Windows((h, h), window, stride)
        every = slice(0, len(windows))
        range_ = max(image.max(), 0) - min(image.min(), 0)
        fills = window_fills(image, windows, every)
        assert fills.dtype == image.dtype
        for mask, fill in zip(windows.masks(every), fills, strict=True):
            inside = ~mask[windows.players]
            assert (fill == fill[0, 0]).all()  # one color, so nothing of what is covered shows
            moved = fill[inside] - image[inside]
            assert (np.abs(moved.mean(axis=0)) >= range_ / 4 * (1 - 1e-6)).all()
            assert (moved != 0).all()

    @every_image
    @pytest.mark.parametrize("players", [(8, 4), (12, 9), (16, 50), (13, 1)])
    def test_every_part_of_a_game_moves_and_so_does_each_pixel(self, name, players):
        h, count = players
        image = IMAGES[name](h, 3)
        parts = even_cells((h, h), count)
        (fill,) = fill_rows("auto", Inputs(image[None], kind="image"), 0, parts)
        assert (fill == fill[0, 0]).all()  # one color for all, so that no two of them show a shape
        for part in range(parts.max() + 1):
            inside = parts == part
            assert (np.abs((image - fill)[inside].mean(axis=0)) > 1e-4).all()
            assert ((image - fill)[inside] != 0).all()

    def test_a_color_does_not_depend_on_the_other_rows(self):
        two = Inputs(np.stack([gradient(8, 3), checkerboard(8, 3)]), kind="image")
        parts = even_cells((8, 8), 4)
        np.testing.assert_array_equal(
            fill_rows("auto", two, 1, parts), fill_rows("auto", two[1:], 0, parts)
        )

    def test_a_pixel_that_never_leaves_has_no_say_in_the_means(self):
        image = np.array([0.25, 0.25, 0.375, 0.375, 0.625, 1.0]).reshape(1, 2, 3, 1)
        players = np.array([[0, 0, 1], [1, -1, -1]])
        (fill,) = fill_rows("contrast", Inputs(image, kind="image"), 0, players)
        # White is 0.625 from the nearer mean, 0.375. Half as far around it, the middle of the pixels 0.625
        # and 1. Were those two a part, of mean 0.8125, black would be farthest.
        assert fill[0, 0, 0] == 0.8125


class TestWhatAFillLeaves:
    def test_a_column_is_left_where_every_background_row_has_its_value(self):
        row = np.array([1.0, 2.0, 3.0])
        fills = np.array([[1.0, 2.0, 0.0], [1.0, 5.0, 0.0]])
        left = left_as_it_was(row, fills, np.array([0, 1, 2]))
        assert left.tolist() == [True, False, False]
        assert left_as_it_was(row, fills, np.array([0, 1, 0])).tolist() == [False, False]

    def test_a_mean_that_was_rounded_on_its_way_is_the_value_still(self):
        background = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]])
        mean = background.mean(axis=0, keepdims=True)
        assert (mean != 0.2).all()  # by a bit
        row = np.array([0.2, 0.2001])
        assert left_as_it_was(row, mean, np.array([0, 1])).tolist() == [True, False]

    @pytest.mark.parametrize(("away", "expected"), [(0.009, True), (0.011, False)])
    def test_a_part_is_left_where_no_pixel_moves_by_a_hundredth_of_the_range(self, away, expected):
        image = np.zeros((2, 4, 1))
        image[:, 2:] = 1.0
        fill = np.full((1, 2, 4, 1), away)
        left = left_as_it_was(image, fill, np.array([[0, 0, 1, 1], [0, 0, 1, 1]]))
        assert left.tolist() == [expected, False]

    def test_black_on_black_is_left_and_nobody_is_asked_about_pixels_without_a_player(self):
        image = np.zeros((2, 2, 3))
        left = left_as_it_was(image, image[None], np.array([[0, -1], [0, -1]]))
        assert left.tolist() == [True]
