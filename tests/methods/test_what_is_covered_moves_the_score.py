"""A model that reads one region alone: whatever hides the region moves its score, for every method."""

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs
from workbench.methods import LIME, ExactShapley, KernelSHAP, Occlusion, PermutationSHAP

SIZES = [8, 12, 15, 16, 28, 32, 64]


def constant_per_window(h, c):
    side = max(1, h // 4)
    cells = np.random.default_rng(h).random((-(-h // side), -(-h // side), c))
    return np.kron(cells, np.ones((side, side, 1)))[:h, :h]


def checkerboard(h, c):
    rows, columns = np.indices((h, h)) // max(1, h // 4)
    return np.repeat(((rows + columns) % 2)[..., None], c, axis=2).astype(float)


def gradient(h, c):
    return np.repeat(np.linspace(0, 1, h)[None, :, None], c, axis=2).repeat(h, axis=0)


IMAGES = {
    "constant per window": constant_per_window,
    "checkerboard": checkerboard,
    "fine checkerboard": lambda h, c: np.indices((h, h)).sum(axis=0)[..., None] % 2 * np.ones(c),
    "gradient": gradient,
    "gray": lambda h, c: np.full((h, h, c), 0.4),
}


def reader(place, channel):
    """The mean over a region in one channel, and nothing else."""
    return wb.Model(
        "reader", lambda rows: rows[(slice(None), *place, channel)].mean(axis=(1, 2))[:, None],
        ("y",), "raw", kind="image",
    )  # fmt: skip


def regions(h):
    """A corner, the middle, and a single pixel."""
    side = max(1, h // 4)
    middle = slice(h // 2 - side // 2, h // 2 - side // 2 + side)
    pixel = slice(h // 3, h // 3 + 1)
    return [(slice(0, side), slice(0, side)), (middle, middle), (pixel, pixel)]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("h", SIZES)
@pytest.mark.parametrize("c", [1, 3])
def test_occlusion_shows_the_region_for_every_window_and_stride(name, h, c):
    inputs = Inputs(IMAGES[name](h, c)[None], kind="image")
    side = max(1, h // 4)
    for window, stride in {(side, max(1, side // 2)), (side, side), (side + 1, side), (h + 3, h)}:
        for place in regions(h):
            result = wb.explain(reader(place, c - 1), inputs, Occlusion(window, stride))
            size = np.abs(result.values[0])
            # Over a region as large as itself, a window moves the mean by a quarter of the range or more.
            reach = min(1.0, size[place].size / window**2)
            assert size.max() > 0.01 * reach, (window, stride, place)
            assert not any("left" in note or "Every value" in note for note in result.notes)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("window", [1, 2, 3])
def test_stride_1_is_not_blind(name, window):
    inputs = Inputs(IMAGES[name](8, 1)[None], kind="image")
    model = reader((slice(2, 3), slice(2, 3)), 0)
    values = wb.explain(model, inputs, Occlusion(window, 1)).values[0]
    away = np.ones((8, 8), dtype=bool)
    away[max(0, 3 - window) : 2 + window, max(0, 3 - window) : 2 + window] = False
    assert (values[away] == 0).all()  # no window over these covers the pixel as well
    assert np.abs(values[~away]).max() >= 0.25 * inputs.values.max() / window**2 * (1 - 1e-9)


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize(("h", "c"), [(8, 1), (12, 3), (16, 1), (32, 3)])
@pytest.mark.parametrize(
    "method",
    [
        LIME(budget=96, superpixels="grid", segments=9),
        KernelSHAP(budget=96, superpixels="grid", segments=9),
        PermutationSHAP(budget=96, superpixels="grid", segments=9),
        ExactShapley(segments=9),
        KernelSHAP(budget=96, segments=9),
    ],
    ids=repr,
)
def test_every_superpixel_can_be_seen_by_every_game(method, name, h, c):
    inputs = Inputs(IMAGES[name](h, c)[None], kind="image")
    for place in regions(h)[:2]:
        model = reader(place, c - 1)
        result = wb.explain(model, inputs, method)
        assert np.abs(result.maps()[0][place]).max() > 1e-3
        assert not any("left" in note or "Every value" in note for note in result.notes)


def test_the_absent_superpixels_of_a_game_show_nothing_together():
    """Were each filled by a color of its own, their colors together would draw the picture again."""
    seen = []
    model = wb.Model(
        "watcher", lambda rows: seen.append(np.array(rows)) or rows.mean(axis=(1, 2)),
        ("y",), "raw", kind="image",
    )  # fmt: skip
    inputs = Inputs(checkerboard(8, 1)[None], kind="image")
    wb.explain(model, inputs, ExactShapley(segments=4))
    assert any((rows == rows[:1, :1, :1]).all(axis=(1, 2, 3)).any() for rows in seen)


def test_strides_tell_the_same_about_a_constant_image():
    """The mean loss over the windows of a place; 0.5 is gone wherever half of the range is."""
    inputs = Inputs(np.full((1, 16, 16, 1), 0.5), kind="image")
    model = wb.Model("sum", lambda rows: rows.sum(axis=(1, 2)), ("y",), "raw", kind="image")
    for stride in (1, 2, 3, 4):
        values = wb.explain(model, inputs, Occlusion(4, stride)).values
        np.testing.assert_allclose(values, 16 * 0.5, atol=1e-12)  # 16 pixels lose 0.5 each


@pytest.mark.parametrize(("window", "stride"), [(4, 4), (4, 2), (5, 3), (16, 16), (3, 1)])
@pytest.mark.parametrize("fill", ["auto", "zero", "background"])
def test_occlusion_costs_one_row_per_window_and_fill(window, stride, fill):
    asked = []
    model = wb.Model(
        "m", lambda rows: asked.append(len(rows)) or rows.mean(axis=(1, 2)),
        ("y",), "raw", kind="image", batch=7, trial=lambda _: None,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    inputs = Inputs(rng.random((2, 16, 12, 1)), kind="image", background=rng.random((3, 16, 12, 1)))
    method = Occlusion(window, stride, fill)
    result = wb.explain(model, inputs, method)
    places = [1 + -(-max(0, side - window) // stride) for side in (16, 12)]
    windows = places[0] * places[1]
    rows = 2 * windows * (3 if fill == "background" else 1)
    assert method.evaluations(inputs).fewest == rows
    assert sum(asked) == result.evaluations == rows + 2
    assert max(asked) <= 7


def test_a_module_gets_its_windows_through_the_fast_lane():
    import torch

    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.LazyLinear(2)
    )
    module(torch.zeros(1, 3, 12, 12))
    model = wb.wrap(module.eval(), outputs=("a", "b"), scale="logit", name="net")
    inputs = Inputs(np.random.default_rng(1).random((2, 12, 12, 3), np.float32), kind="image")
    slow = wb.wrap(model.scores, outputs=("a", "b"), scale="logit", name="function", kind="image")
    assert model.masked is not None
    assert slow.masked is None
    for method in (Occlusion(5, 2), Occlusion(3, 3, "mean")):
        fast = wb.explain(model, inputs, method, wb.Target(0))
        np.testing.assert_allclose(
            fast.values, wb.explain(slow, inputs, method, wb.Target(0)).values, atol=1e-5
        )
