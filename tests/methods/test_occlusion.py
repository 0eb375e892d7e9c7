"""Occlusion: which windows there are, what they cost, and the loss worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs, Model
from workbench.errors import InputError
from workbench.methods import Occlusion


def picture(h: int, w: int, n: int = 1, **more) -> Inputs:
    return Inputs(1 + np.random.default_rng(0).random((n, h, w, 3)), kind="image", **more)


def total() -> Model:
    return Model("total", lambda rows: rows.sum(axis=(1, 2, 3))[:, None], ("y",), "raw")


@pytest.mark.parametrize(
    ("h", "w", "window", "stride", "windows"),
    [
        (8, 8, 4, 4, 4),
        (8, 8, 4, 2, 9),
        (9, 8, 4, 4, 6),  # the last line of windows is cut by the border
        (6, 4, 2, 1, 15),
        (3, 3, 8, 8, 1),  # one window larger than the image
        (4, 4, 8, 2, 1),
    ],
)
def test_the_plan_counts_the_windows_that_slide_over_the_image(h, w, window, stride, windows):
    recipe = Occlusion(window=window, stride=stride, fill="zero")
    assert recipe.evaluations(picture(h, w, n=2)).most == 2 * windows
    one = picture(h, w)
    found = wb.explain(total(), one, recipe)
    assert found.evaluations == windows + 1  # and the row itself
    # Hidden in black, a window costs the sum of what it hides; every place is in some window.
    if window == stride and h % window == w % window == 0:
        for i in range(0, h, window):
            for j in range(0, w, window):
                part = (0, slice(i, i + window), slice(j, j + window))
                np.testing.assert_allclose(found.maps()[part], one.values[part].sum(), rtol=1e-12)
    assert (found.maps() > 0).all()
    assert np.isnan(found.base).all()


def test_a_place_has_the_mean_loss_of_the_windows_over_it_and_corners_have_one():
    one = picture(3, 3)
    found = wb.explain(total(), one, Occlusion(window=2, stride=1, fill="zero"))
    light = one.values[0].sum(axis=2)
    lost = [[light[i : i + 2, j : j + 2].sum() for j in range(2)] for i in range(2)]
    wanted = [
        [lost[0][0], np.mean(lost[0]), lost[0][1]],
        [(lost[0][0] + lost[1][0]) / 2, np.mean(lost), (lost[0][1] + lost[1][1]) / 2],
        [lost[1][0], np.mean(lost[1]), lost[1][1]],
    ]
    np.testing.assert_allclose(found.maps()[0], wanted, rtol=1e-12)


def test_a_stride_beyond_the_window_would_miss_pixels():
    with pytest.raises(InputError, match=r"stride \(5\) must not exceed its window \(4\)"):
        Occlusion(window=4, stride=5)
    assert Occlusion(window=4, stride=4).stride == 4


def test_columns_and_groups_are_taken_away_whole_and_averaged_over_the_background():
    rows = np.array([[5.0, 7.0, 1.0]])
    away = np.array([[0.0, 1.0, 1.0], [2.0, 3.0, 1.0]])
    model = Model("product", lambda x: x[:, :1] * x[:, 1:2], ("y",), "raw")
    found = wb.explain(model, Inputs(rows, kind="tabular", background=away), Occlusion())
    np.testing.assert_allclose(found.values, [[35 - (0 + 14) / 2, 35 - (5 + 15) / 2, 0]])
    grouped = Inputs(rows, kind="tabular", background=away, groups={"both": (0, 1)})
    found = wb.explain(model, grouped, Occlusion())
    np.testing.assert_allclose(found.by_player(0), [35 - (0 + 6) / 2, 0])
    assert Occlusion().evaluations(grouped).most == 2 * 2
