"""Low rank: the best approximation of its rank, and smaller, or left as it is."""

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.small_nets import (
    ROUNDING,
    as_it_is,
    images,
    loaded_again,
    mlp,
    of_images,
    of_table,
    same_as,
    table,
)
from workbench import variants
from workbench.errors import IncompatibleError, InputError


def wide() -> nn.Sequential:
    torch.manual_seed(11)
    return nn.Sequential(
        nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 3)
    )


def together(pair: nn.Sequential) -> torch.Tensor:
    """The weight (out, in, *kernel) that two layers in a row compute with."""
    first, second = pair.narrow.weight.detach(), pair.wide.weight.detach()
    return (second.flatten(1) @ first.flatten(1)).reshape(len(second), *first.shape[1:])


def test_a_factored_layer_is_the_best_of_its_rank():
    """Eckart-Young: the squared distance is the sum of the squared singular values that were dropped."""
    net = wide()
    copy = variants.low_rank(of_table(net), rank=4)
    weight = net[2].weight.detach()
    dropped = torch.linalg.svdvals(weight.double())[4:].square().sum()
    distance = (together(copy.native[2]) - weight).double().square().sum()
    assert float(distance) == pytest.approx(float(dropped), rel=1e-5)  # float32 factors
    assert copy.native[2].narrow.bias is None
    assert torch.equal(copy.native[2].wide.bias, net[2].bias)


def test_layers_that_would_not_shrink_are_left_and_counted():
    net = wide()
    copy = variants.low_rank(of_table(net), rank=5)
    # 5 (6 + 40) = 230 of 240; 5 (40 + 30) = 350 of 1200; 5 (30 + 3) = 165 of 90
    assert [type(part) for part in copy.native[::2]] == [nn.Sequential, nn.Sequential, nn.Linear]
    assert copy.variant.touched == 2
    assert copy.variant.layers == 3
    assert "1 of 3 layers are left whole" in copy.notes[-1]
    bias = 40 + 30 + 3
    assert copy.variant.size.parameters == 230 + 350 + 90 + bias
    assert copy.variant.size.macs == 230 + 350 + 90
    assert copy.variant.original_size.macs == 240 + 1200 + 90


def test_energy_keeps_the_fewest_singular_values_that_hold_it():
    net = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Linear(6, 3))
    with torch.no_grad():  # squared singular values 64, 25, 9, 1, 1, 0: of 100 in all
        net[0].weight.copy_(
            torch.diag(torch.tensor([8.0, 5.0, 3.0, 1.0, 1.0, 0.0]))[:, [3, 0, 5, 1, 4, 2]]
        )
    for energy, rank in ((0.6, 1), (0.64, 1), (0.65, 2), (0.89, 2)):
        copy = variants.low_rank(of_table(net), energy=energy)
        assert copy.native[0].narrow.out_features == rank, energy
    assert (
        type(variants.low_rank(of_table(net), energy=0.98).native[0]) is nn.Linear
    )  # 3 x 12 of 36


def test_a_layer_of_low_rank_loses_nothing():
    net = wide()
    with torch.no_grad():
        net[2].weight.copy_(torch.randn(30, 3) @ torch.randn(3, 40) / 8)
    copy = variants.low_rank(of_table(net), energy=0.999999)
    assert copy.variant.touched == 1
    assert copy.variant.change <= ROUNDING


@pytest.mark.parametrize(
    "settings",
    [
        {"stride": 2, "padding": 1},
        {"dilation": 2, "bias": False},
        {"padding": "same", "padding_mode": "reflect"},
    ],
)
def test_a_convolution_becomes_two_with_the_same_places(settings):
    torch.manual_seed(12)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, **settings), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with torch.no_grad():
        low = torch.randn(16, 2) @ torch.randn(2, 27) / 4
        net[0].weight.copy_(low.reshape(16, 3, 3, 3))
    model = of_images(net, "abcdefghijklmnop")
    copy = variants.low_rank(model, rank=2, rows=images())
    assert copy.native[0].narrow.weight.shape == (2, 3, 3, 3)
    assert copy.native[0].wide.weight.shape == (16, 2, 1, 1)
    assert copy.variant.change <= ROUNDING
    rows = images().values
    assert copy.layers(rows)["0.wide"] == model.layers(rows)["0"]


def test_copies_are_the_same_from_their_file_and_the_original_is_as_it_was(tmp_path):
    net = wide().train()
    before = as_it_is(net)
    copy = variants.low_rank(of_table(net), rank=3)
    assert same_as(before, net)
    rows = table().values
    np.testing.assert_array_equal(loaded_again(copy, tmp_path).scores(rows), copy.scores(rows))
    assert "3 layers factored to rank 3" not in copy.lineage[-1]  # 3 (30 + 3) is more than 90
    assert "2 layers factored to rank 3" in copy.lineage[-1]


class Twice(nn.Module):
    """One module under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 30)
        self.left = nn.Linear(30, 30)
        self.right = self.left
        self.last = nn.Linear(30, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.last(self.right(torch.relu(self.left(self.first(rows)))))


def test_a_module_with_two_names_is_factored_once_and_stays_shared():
    copy = variants.low_rank(of_table(Twice()), rank=3)
    assert copy.native.left is copy.native.right
    assert copy.native.left.narrow.out_features == 3


def test_weights_that_others_share_or_read_are_left():
    tied = nn.Sequential(nn.Linear(6, 30), nn.Linear(30, 30), nn.Linear(30, 30), nn.Linear(30, 3))
    tied[2].weight = tied[1].weight
    copy = variants.low_rank(of_table(tied), rank=3)
    assert copy.native[1].weight is copy.native[2].weight
    torch.manual_seed(13)
    read = nn.TransformerEncoderLayer(6, 2, dim_feedforward=64, batch_first=True)
    net = nn.Sequential(nn.Unflatten(1, (1, 6)), read, nn.Flatten(), nn.Linear(6, 3))
    copy = variants.low_rank(of_table(net, shape=(6,)), rank=1)
    assert type(copy.native[1].linear1) is nn.Linear
    assert type(copy.native[3]) is nn.Sequential


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "Either rank or energy is needed"),
        ({"rank": 2, "energy": 0.5}, "Either rank or energy is needed"),
        ({"rank": 0}, "rank must be a whole number from 1 up, not 0"),
        ({"rank": 1.5}, "rank must be a whole number"),
        ({"energy": 0.0}, "energy must be a share above 0"),
        ({"energy": 1.1}, "energy must be a share above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, said):
    with pytest.raises(InputError, match=said):
        variants.low_rank(of_table(mlp()), **settings)


def test_where_no_layer_shrinks_the_copy_says_that_nothing_changed():
    copy = variants.low_rank(of_table(mlp()), energy=1.0)
    assert copy.variant.change == 0.0
    assert copy.variant.warnings[0].startswith("Nothing was changed: none of 3 layers")
    with pytest.raises(IncompatibleError, match="linear or convolution layers"):
        variants.low_rank(wb.wrap(nn.Sequential(nn.Softmax(1)), outputs=["a"], shape=(1,)), rank=1)
