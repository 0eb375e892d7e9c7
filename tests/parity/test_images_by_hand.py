"""A convolution over the numbers 1 to 16, whose attributions are read off its sums; and captum beside it.

The network is captum's basic one: two channels that each add up every square of 3 x 3 places, a relu, and
one number: the first five of the eight sums, less the last three. Of an image of 4 x 4 places

     1  2  3  4        the four sums are 54  63        so the number is 54 + 63 + 90 + 99 + 54
     5  6  7  8                          90  99        less 63 + 90 + 99: twice 54, that of the corner
     9 10 11 12
    13 14 15 16

For images of no negative numbers, then, it is twice the sum of the nine places of the upper left corner.
"""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.methods import (
    AblationCAM,
    DeepLIFT,
    ExactShapley,
    GradCAM,
    HiResCAM,
    InputXGradient,
    IntegratedGradients,
    KernelSHAP,
    LayerCAM,
    Occlusion,
    Saliency,
    SmoothGrad,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum's imports warn about their own dependencies
    import captum.attr

COUNT = np.arange(1.0, 17).reshape(1, 4, 4, 1)
CORNER = np.zeros((4, 4))
CORNER[:3, :3] = 1.0
NEAR = {"rtol": 2e-6, "atol": 1e-6}  # the modules are in float32


def one_convolution():
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1, bias=False), nn.ReLU()
    )
    with torch.no_grad():
        module[0].weight.fill_(1.0)
        module[0].bias.zero_()
        module[3].weight.copy_(torch.tensor([[1.0] * 5 + [-1.0] * 3]))
    return module.eval()


@pytest.fixture
def model():
    return wb.wrap(one_convolution(), outputs=("y",), scale="raw", kind="image")


@pytest.fixture
def count():
    return wb.Inputs(COUNT, kind="image", background=np.zeros((1, 4, 4, 1)))


def values(model, count, recipe):
    return wb.explain(model, count, recipe, wb.Target(0)).values.reshape(4, 4)


def test_slopes_and_lines_see_the_corner(model, count):
    wanted = 2 * CORNER * COUNT[0, ..., 0]
    np.testing.assert_allclose(values(model, count, Saliency()), 2 * CORNER, **NEAR)
    for recipe in (
        InputXGradient(),
        IntegratedGradients(steps=4, fill="zero"),
        DeepLIFT(fill="zero"),
    ):
        found = wb.explain(model, count, recipe, wb.Target(0))
        np.testing.assert_allclose(found.values.reshape(4, 4), wanted, **NEAR)
        np.testing.assert_allclose(found.output, [108.0], **NEAR)
    smooth = SmoothGrad("Saliency()", samples=3, noise=0.01)  # all sums stay positive
    np.testing.assert_allclose(values(model, count, smooth), 2 * CORNER, **NEAR)


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (2, 2), (3, 1), (4, 4), (3, 2)])
def test_windows_take_away_twice_what_they_cover_of_the_corner(model, count, window, stride):
    """Black windows: each loses twice the numbers of the corner under it; a place has its windows' mean."""
    found = values(model, count, Occlusion(window=window, stride=stride, fill="zero"))
    starts = sorted({*range(0, 4 - window + 1, stride), 4 - window})  # the last ends at the border
    losses = [[[] for _ in range(4)] for _ in range(4)]
    for i in starts:
        for j in starts:
            places = [(a, b) for a in range(i, i + window) for b in range(j, j + window)]
            loss = 2 * sum(4 * a + b + 1 for a, b in places if a < 3 and b < 3)
            for a, b in places:
                losses[a][b].append(loss)
    wanted = [[np.mean(one) for one in row] for row in losses]
    np.testing.assert_allclose(found, wanted, **NEAR)


@pytest.mark.parametrize(
    ("recipe", "weights"),
    [
        (GradCAM, ([1, 1, 1, 1], [-0.5, -0.5, -0.5, -0.5])),
        (HiResCAM, ([1, 1, 1, 1], [1, -1, -1, -1])),
        (LayerCAM, ([1, 1, 1, 1], [1, 0, 0, 0])),
        # Without the first channel 54 - 252 is left, so nothing; without the second 306: less than nothing.
        (AblationCAM, ([108, 108, 108, 108], [-198, -198, -198, -198])),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_maps_of_the_two_channels_are_weighed_by_the_papers_formulas(model, count, recipe, weights):
    """The first channel's slopes are 1, 1, 1, 1, and the second's 1, -1, -1, -1: means 1 and -1/2.

    A map of 2 x 2 grows to 4 x 4: each of its rows and columns p, q becomes p, (3p + q)/4, (p + 3q)/4, q.
    """
    sums = np.array([54.0, 63.0, 90.0, 99.0])
    small = (sums * weights[0] + sums * weights[1]).reshape(2, 2)
    if recipe is not HiResCAM:
        small = np.maximum(small, 0.0)
    grow = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    found = values(model, count, recipe(layer="1"))
    np.testing.assert_allclose(found, grow @ small @ grow.T, rtol=2e-6, atol=1e-4)


def test_a_sum_of_places_is_shared_among_parts_as_the_sum_is(model, count):
    """Four squares of 2 x 2 hold 1 + 2 + 5 + 6, 3 + 7, 9 + 10 and 11 of the corner, each counted twice."""
    wanted = [[28, 20], [38, 22]]
    for recipe in (
        ExactShapley(fill="zero", segments=4),
        KernelSHAP(fill="zero", superpixels="grid", segments=4),
    ):
        found = wb.explain(model, count, recipe, wb.Target(0))
        parts = found.values.reshape(2, 2, 2, 2).sum(axis=(1, 3))
        np.testing.assert_allclose(parts, wanted, **NEAR)
        np.testing.assert_allclose(found.base, [0.0], atol=1e-6)


@pytest.fixture
def deep():
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(4, 3, 2),
        nn.Softplus(),
        nn.Flatten(),
        nn.Linear(3 * 6 * 4, 3),
    ).eval()


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (3, 1), (3, 2), (5, 1), (5, 2)])
def test_odd_windows_that_overlap_agree_with_captum(deep, window, stride):
    """Where they end at the border of 7 x 5 places by themselves; captum cuts those that do not."""
    rows = np.random.default_rng(0).random((2, 7, 5, 2)).astype(np.float32)
    model = wb.wrap(deep, outputs=("a", "b", "c"), scale="raw", kind="image", shape=(7, 5, 2))
    recipe = Occlusion(window=window, stride=stride, fill="zero")
    ours = wb.explain(model, wb.Inputs(rows, kind="image"), recipe, wb.Target(2))
    theirs = captum.attr.Occlusion(deep).attribute(
        torch.from_numpy(rows).permute(0, 3, 1, 2),
        sliding_window_shapes=(2, window, window),
        strides=(2, stride, stride),
        target=2,
    )
    np.testing.assert_allclose(ours.maps(), theirs[:, 0].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("start", ["zero", "mean"])
def test_lines_from_several_starts_agree_with_captum(deep, start):
    rows = np.random.default_rng(1).random((2, 7, 5, 2)).astype(np.float32)
    model = wb.wrap(deep, outputs=("a", "b", "c"), scale="raw", kind="image", shape=(7, 5, 2))
    inputs = wb.Inputs(rows, kind="image")
    tensor = torch.from_numpy(rows).permute(0, 3, 1, 2).requires_grad_()
    # The mean of an image is its mean color: one number per channel.
    baseline = (
        tensor.mean(dim=(2, 3), keepdim=True) if start == "mean" else tensor[:, :, :1, :1] * 0
    )
    baseline = baseline.expand_as(tensor).detach()
    for recipe, peer, more in (
        (IntegratedGradients(12, start), captum.attr.IntegratedGradients, {"n_steps": 12}),
        (DeepLIFT(start), captum.attr.DeepLift, {}),
    ):
        ours = wb.explain(model, inputs, recipe, wb.Target(1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # DeepLift tells that it sets hooks
            theirs = peer(deep).attribute(tensor, baselines=baseline, target=1, **more)
        theirs = theirs.detach().permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(ours.values, theirs, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            ours.base, deep(baseline)[:, 1].detach().numpy(), rtol=1e-5, atol=1e-6
        )
