"""Channels that are removed or reordered: with everything that reads them, wherever they meet."""

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.small_nets import (
    ROUNDING,
    Meeting,
    as_it_is,
    images,
    loaded_again,
    mlp,
    of_images,
    of_table,
    pixels,
    same_as,
    settled,
    table,
)
from workbench import data, variants
from workbench.core import Model
from workbench.errors import IncompatibleError, InputError
from workbench.models import small_cnn


def meeting() -> Meeting:
    torch.manual_seed(8)
    return settled(Meeting(), pixels())


def lengths(copy: Model) -> dict[str, tuple[int, ...]]:
    state = copy.native.state_dict()
    return {name: tuple(one.shape) for name, one in state.items() if name.endswith("weight")}


def kill(layer: nn.Module, which: list[int], norm: nn.Module | None = None) -> None:
    """Makes channels of a layer zero for every row."""
    with torch.no_grad():
        for one in [layer.weight, layer.bias, norm and norm.weight, norm and norm.bias]:
            if one is not None:
                one[which] = 0.0


def test_dead_channels_are_the_ones_removed_and_nothing_else_changes():
    """Half of every layer is made zero: that half is the weakest, so the scores stay as they were."""
    net = meeting()
    kill(net.stem, [0, 3, 4, 7], net.stem_norm)
    kill(net.back, [0, 3, 4, 7], net.back_norm)  # added to the stem's
    kill(net.inner, [1, 2, 5, 8, 9])
    kill(net.other, [0, 1, 5])
    kill(net.hidden, [0, 2, 4, 6, 8, 10])
    kill(net.gate[0], [1, 3])
    copy = variants.prune_channels(of_images(net), 0.5, rows=images())
    assert copy.variant.change <= ROUNDING
    assert lengths(copy) == {
        "stem.weight": (4, 3, 3, 3),
        "stem_norm.weight": (4,),
        "inner.weight": (5, 4, 3, 3),
        "back.weight": (4, 5, 1, 1),
        "back_norm.weight": (4,),
        "alone.weight": (4, 1, 3, 3),
        "gate.0.weight": (3, 4),
        "gate.2.weight": (4, 3),
        "other.weight": (3, 4, 1, 1),
        "hidden.weight": (7, 7 * 6),
        "head.weight": (4, 7),
    }
    assert copy.native.alone.groups == 4
    assert copy.native.hidden.in_features == 42
    size, original = copy.variant.size, copy.variant.original_size
    assert size.parameters == sum(one.numel() for one in copy.native.parameters())
    assert size.file_bytes < original.file_bytes / 1.5
    assert size.macs < original.macs / 2
    assert copy.variant.notes == ()


def test_the_weakest_channels_go_by_the_norm_of_their_weights():
    net = mlp()
    norms = net[0].weight.detach().norm(dim=1)
    copy = variants.prune_channels(of_table(net), 0.25)
    kept = sorted(norms.argsort()[3:].tolist())
    assert torch.equal(copy.native[0].weight, net[0].weight[kept])
    assert torch.equal(copy.native[0].bias, net[0].bias[kept])
    second = sorted(net[2].weight.detach().norm(dim=1).argsort()[2:].tolist())
    assert torch.equal(copy.native[2].weight, net[2].weight[second][:, kept])
    assert torch.equal(copy.native[4].weight, net[4].weight[:, second])
    assert copy.variant.touched == copy.variant.layers == 2


def test_every_layer_keeps_a_channel_and_the_ends_keep_all():
    copy = variants.prune_channels(of_images(meeting()), 0.99, rows=images())
    shapes = lengths(copy)
    assert shapes["stem.weight"] == (1, 3, 3, 3)
    assert shapes["head.weight"] == (4, 1)
    assert copy.scores(images().values).shape == (5, 4)


def test_a_share_that_removes_nothing_says_so():
    copy = variants.prune_channels(of_table(mlp()), 0.0)
    assert copy.variant.change == 0.0
    assert "Nothing was changed: none of 2 layers" in copy.notes[-1]


@pytest.mark.parametrize("share", [1.0, -0.5, float("nan")])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(InputError, match="share must be a share of channels from 0 to below 1"):
        variants.prune_channels(of_table(mlp()), share)


def test_the_bundled_network_loses_channels_and_keeps_its_layers_names():
    model = wb.load(data.asset("shapes_cnn.safetensors"), architecture=small_cnn)
    copy = variants.prune_channels(model, 0.5, rows=data.shapes("test")[:4])
    assert list(copy.native.state_dict()) == list(model.native.state_dict())
    assert copy.native.head.in_features == 36
    # Both ends keep their width, so less than three quarters go.
    assert copy.variant.original_size.parameters / 4 < copy.variant.size.parameters
    assert copy.variant.size.parameters < copy.variant.original_size.parameters / 3
    rows = data.shapes("test")[:2].values
    assert copy.layers(rows).keys() == model.layers(rows).keys()


@pytest.mark.parametrize(
    "compress",
    [
        lambda m, r: variants.prune_channels(m, 0.3, rows=r),
        lambda m, r: variants.reorder_channels(m, rows=r),
    ],
)
def test_copies_are_the_same_from_their_file_and_the_original_is_as_it_was(compress, tmp_path):
    net = meeting().train()
    net.back.weight.requires_grad_(False)
    model = of_images(net)
    before = as_it_is(net)
    copy = compress(model, images())
    assert same_as(before, net)
    rows = images().values
    np.testing.assert_array_equal(loaded_again(copy, tmp_path).scores(rows), copy.scores(rows))
    assert all(
        part.training for part in copy.native.modules()
    )  # as the original, asked in evaluation


def test_other_orders_of_channels_are_other_weights_and_the_same_function():
    model = of_images(meeting())
    rows = images()
    one, other = (variants.reorder_channels(model, seed=seed, rows=rows) for seed in (1, 2))
    assert 0 < one.variant.change <= ROUNDING  # sums in another order
    assert other.variant.change <= ROUNDING
    assert one.digest != model.digest
    assert one.digest != other.digest
    assert one.variant.size == one.variant.original_size
    for name in ("stem", "inner", "back", "alone", "other", "hidden"):
        moved = one.native.get_submodule(name).weight.detach()
        own = model.native.get_submodule(name).weight.detach()
        assert not torch.equal(moved, own), name
        assert torch.equal(moved.flatten().sort().values, own.flatten().sort().values)


def test_gradients_of_a_reordered_network_are_the_same():
    model = of_images(meeting())
    copy = variants.reorder_channels(model, rows=images())
    weights = np.random.default_rng(9).normal(size=(2, 5, 4))
    rows = images().values
    np.testing.assert_allclose(
        copy.gradient(rows, weights)[1],
        model.gradient(rows, weights)[1],
        rtol=0,
        atol=ROUNDING,
    )


class Shared(nn.Module):
    """One layer on two branches, and one that runs twice in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 10), nn.Linear(6, 10)
        self.both = nn.Linear(10, 7)
        self.again = nn.Linear(7, 7)
        self.head = nn.Linear(14, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        one = torch.relu(self.both(torch.relu(self.left(rows))))
        two = self.both(torch.tanh(self.right(rows)))
        return self.head(torch.cat([one, self.again(torch.relu(self.again(two)))], 1))


def test_a_layer_shared_between_branches_keeps_them_together():
    torch.manual_seed(10)
    net = Shared()
    kill(net.left, [1, 4, 5, 8, 9])
    kill(net.right, [1, 4, 5, 8, 9])
    kill(net.both, [0, 2, 3])
    kill(net.again, [0, 2, 3])
    copy = variants.prune_channels(of_table(net), 3 / 7, rows=table())
    assert copy.native.both.weight.shape == (4, 6)  # 3/7 of 10 is 4
    assert copy.native.again.weight.shape == (4, 4)
    assert copy.native.head.weight.shape == (3, 8)
    assert copy.variant.change <= ROUNDING
    assert variants.reorder_channels(of_table(net), rows=table()).variant.change <= ROUNDING


class Odd(nn.Module):
    """A view with a number in it, a grouped convolution and a norm over channels; one part is plain."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(3, 5, 1)
        self.first = nn.Conv2d(5, 6, 1)
        self.grouped = nn.Conv2d(6, 6, 1, groups=2)
        self.norm = nn.GroupNorm(2, 6)
        self.last = nn.Conv2d(6, 2, 1)
        self.head = nn.Linear(2 * 99, 4)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        maps = self.grouped(torch.relu(self.first(torch.relu(self.plain(maps)))))
        return self.head(self.last(self.norm(maps)).reshape(-1, 2 * 99))


def test_what_is_not_understood_keeps_its_channels_and_is_named():
    copy = variants.prune_channels(of_images(Odd()), 0.4, rows=images())
    assert lengths(copy) == {
        "plain.weight": (3, 3, 1, 1),
        "first.weight": (6, 3, 1, 1),
        "grouped.weight": (6, 3, 1, 1),
        "norm.weight": (6,),
        "last.weight": (2, 6, 1, 1),
        "head.weight": (4, 198),
    }
    assert "grouped (Conv2d), norm (GroupNorm), reshape were left as they are" in copy.notes[-1]


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        hidden = self.first(rows)
        return self.last(torch.relu(hidden) if hidden.sum() > 0 else hidden)


@pytest.mark.parametrize(
    "compress", [variants.reorder_channels, lambda model: variants.prune_channels(model, 0.5)]
)
def test_networks_without_a_graph_or_without_hidden_channels_are_refused(compress):
    with pytest.raises(
        IncompatibleError, match=r"torch\.fx can trace is needed, but that of 'net'"
    ):
        compress(of_table(Branching()))
    with pytest.raises(IncompatibleError, match="hidden channels is needed"):
        compress(of_table(nn.Sequential(nn.Linear(6, 3), nn.Tanh())))
    with pytest.raises(InputError, match=r"Give rows=inputs"):
        compress(of_table(nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 5), nn.Linear(5, 3))))


def test_one_hidden_channel_cannot_change_its_place():
    with pytest.raises(IncompatibleError, match="two hidden channels that can change places"):
        variants.reorder_channels(of_table(nn.Sequential(nn.Linear(6, 1), nn.Linear(1, 3))))


def test_a_layer_with_a_hook_is_left_alone():
    net = nn.Sequential(*mlp()[:4], nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3))
    net[2].register_forward_hook(lambda *_: None)
    copy = variants.prune_channels(of_table(net), 0.4)
    assert copy.native[0].weight.shape == (12, 6)
    assert copy.native[2].weight.shape == (8, 12)
    assert copy.native[4].weight.shape == (3, 8)
    assert "Channels that reach 2 (Linear) were left" in copy.notes[-1]
