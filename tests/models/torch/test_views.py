"""Networks that flatten with `view`: every tensor reaches them with the strides of its axes in order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import methods, models
from workbench.core import Inputs


class Digits(nn.Module):
    """PyTorch's own network for digits, smaller."""

    def __init__(self, channels: int, seen: list | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(channels, 4, 3), nn.Linear(4 * 5 * 6, 2)
        self.seen = [] if seen is None else seen

    def forward(self, x):
        self.seen.append((x.shape, x.stride()))
        return self.head(torch.relu(self.conv(x)).view(-1, 4 * 5 * 6))


class Both(nn.Module):
    """A picture and a number, side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.head = nn.Conv2d(channels, 4, 3), nn.Linear(4 * 5 * 6 + 1, 2)

    def forward(self, image, age):
        maps = torch.relu(self.conv(image)).view(len(image), -1)
        return self.head(torch.cat([maps, age], 1))


@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_scores_and_gradients_are_those_of_torch(channels, n):
    net = Digits(channels)
    rows = Inputs(np.random.default_rng(0).random((n, 7, 8, channels)), kind="image")
    model = wb.wrap(net, like=rows, scale="logit", name="digits")
    given = torch.tensor(rows.values, dtype=torch.float32).permute(0, 3, 1, 2)
    given = given.clone(memory_format=torch.contiguous_format).requires_grad_()
    scores = net(given)
    (slopes,) = torch.autograd.grad(scores[:, 1].sum(), given)
    weights = np.zeros((1, n, 2))
    weights[..., 1] = 1.0
    found, gradients = model.gradient(rows.values, weights)
    np.testing.assert_allclose(found, scores.detach().numpy(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(gradients[0], slopes.permute(0, 2, 3, 1).numpy(), rtol=0, atol=1e-6)
    for method in (
        methods.IntegratedGradients(fill="zero"),
        methods.GradCAM(),
        methods.LIME(seed=0),
    ):
        assert np.isfinite(wb.explain(model, rows[:1], method, wb.Target(0)).values).all()


@pytest.mark.parametrize("n", [1, 2, 8])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("named", [True, False])
def test_a_picture_that_is_one_of_several_arguments_is_flattened_too(named, channels, n):
    rng = np.random.default_rng(1)
    pictures, ages = rng.random((n, 7, 8, channels)), rng.random((n, 1))
    shapes = {"image": (7, 8, channels), "age": 1}
    split = models.Split(shapes if named else list(shapes.values()))
    packed = split.pack({"image": pictures, "age": ages} if named else [pictures, ages])
    net = Both(channels)
    model = wb.wrap(net, preprocess=split, outputs=["a", "b"], scale="logit")
    image = torch.tensor(pictures, dtype=torch.float32).permute(0, 3, 1, 2)
    image = image.clone(memory_format=torch.contiguous_format)
    expected = net(image, torch.tensor(ages, dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(model.scores(packed), expected, rtol=0, atol=1e-6)
    rows = Inputs(
        packed, kind="tabular", groups=split.groups, background=np.zeros((1, split.width))
    )
    result = wb.explain(model, rows, methods.ExactShapley(), wb.Target(0))
    np.testing.assert_allclose(result.gap, 0, atol=1e-5)


def test_few_images_arrive_with_the_strides_of_their_axes():
    seen: list = []
    rows = np.random.default_rng(0).random((2, 7, 8, 1))
    model = wb.wrap(Digits(1, seen), shape=(7, 8, 1), kind="image", outputs=["a", "b"])
    seen.clear()
    model.scores(rows)
    assert seen == [((2, 1, 7, 8), (56, 56, 8, 1))]
