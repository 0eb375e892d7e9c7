"""Unstructured pruning: as many zeros as said, in the weights that the rule names, and nowhere else."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import prune as torch_prune

import workbench as wb
from tests.small_nets import (
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
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError

WEIGHTS = {"0.weight": 72, "2.weight": 96, "4.weight": 24}


def zeros(model: wb.Model) -> dict[str, int]:
    state = model.native.state_dict()
    return {name: int((state[name] == 0).sum()) for name in WEIGHTS}


@pytest.mark.parametrize("by", ["magnitude", "random", "attribution"])
@pytest.mark.parametrize("sparsity", [0.25, 0.9])
def test_the_share_of_zeros_is_the_one_asked_for_over_all_layers(by, sparsity):
    copy = variants.prune(of_table(mlp()), sparsity, by=by, rows=table())
    gone = round(sparsity * sum(WEIGHTS.values()))
    assert sum(zeros(copy).values()) == gone
    size, original = copy.variant.size, copy.variant.original_size
    assert original.nonzeros == original.parameters == 72 + 96 + 24 + 12 + 8 + 3
    assert size.nonzeros == original.nonzeros - gone
    assert size.file_bytes == original.file_bytes  # zeros take the same room, and no mask is kept


@pytest.mark.parametrize("by", ["magnitude", "random", "attribution"])
def test_the_share_of_zeros_is_the_same_in_every_layer_where_that_is_asked_for(by):
    copy = variants.prune(of_table(mlp()), 0.5, by=by, scope="layer", rows=table())
    assert zeros(copy) == {name: count // 2 for name, count in WEIGHTS.items()}
    assert copy.variant.touched == copy.variant.layers == 3


def test_magnitude_takes_the_smallest_weights_of_all_layers_together():
    net = mlp()
    copy = variants.prune(of_table(net), 0.4)
    before = torch.cat([net.state_dict()[name].flatten().abs() for name in WEIGHTS])
    after = torch.cat([copy.native.state_dict()[name].flatten() for name in WEIGHTS])
    assert before[after == 0].max() < before[after != 0].min()
    assert torch.equal(before[after != 0], after[after != 0].abs())  # what stays is not touched
    for name in ("0.bias", "2.bias", "4.bias"):
        assert torch.equal(copy.native.state_dict()[name], net.state_dict()[name])


def test_random_pruning_differs_by_seed_and_repeats_with_it():
    model = of_table(mlp())
    first, again, other = (variants.prune(model, 0.5, by="random", seed=seed) for seed in (1, 1, 2))
    assert first.digest == again.digest
    assert first.digest != other.digest


def test_of_equal_weights_the_earlier_ones_go():
    net = nn.Sequential(nn.Linear(3, 2, bias=False))
    nn.init.ones_(net[0].weight)
    copy = variants.prune(wb.wrap(net, outputs=["a", "b"], scale="raw"), 0.5)
    np.testing.assert_array_equal(copy.native[0].weight.detach(), [[0, 0, 0], [1, 1, 1]])


def test_weights_that_are_zero_already_count_towards_the_share():
    net = mlp()
    with torch.no_grad():
        net[2].weight[:4] = 0.0  # 48 of 192
    copy = variants.prune(of_table(net), 0.5, by="random", seed=3)
    assert sum(zeros(copy).values()) == 96


def one_linear(weights: list[float]) -> wb.Model:
    net = nn.Sequential(nn.Linear(len(weights), 1, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([weights]))
    return wb.wrap(net, name="line", outputs=["y"], scale="raw")


def test_attribution_weighs_a_weight_by_what_it_contributes():
    """|w x| of the row is 10, 2 and 0.3; by magnitude the first weight would go."""
    rows = Inputs([[10.0, 1.0, 0.1]], kind="tabular")
    by_use = variants.prune(one_linear([1.0, 2.0, 3.0]), 1 / 3, by="attribution", rows=rows)
    by_size = variants.prune(one_linear([1.0, 2.0, 3.0]), 1 / 3, rows=rows)
    np.testing.assert_array_equal(by_use.native[0].weight.detach(), [[1.0, 2.0, 0.0]])
    np.testing.assert_array_equal(by_size.native[0].weight.detach(), [[0.0, 2.0, 3.0]])


def test_contributions_of_opposite_sign_do_not_cancel_over_rows():
    rows = Inputs([[5.0, 1.0], [-5.0, 1.0]], kind="tabular")
    copy = variants.prune(one_linear([1.0, 1.0]), 0.5, by="attribution", rows=rows)
    np.testing.assert_array_equal(copy.native[0].weight.detach(), [[1.0, 0.0]])


def test_attribution_is_that_of_each_rows_own_class():
    """The second class is predicted by both rows, so what only the first class uses goes first."""
    net = nn.Sequential(nn.Linear(2, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[9.0, 9.0], [1.0, 2.0]]))
        net[0].bias.copy_(torch.tensor([-100.0, 0.0]))
    rows = Inputs([[1.0, 1.0], [2.0, 1.0]], kind="tabular")
    model = wb.wrap(net, outputs=["a", "b"], scale="logit")
    copy = variants.prune(model, 0.5, by="attribution", rows=rows)
    np.testing.assert_array_equal(copy.native[0].weight.detach(), [[0.0, 0.0], [1.0, 2.0]])


def test_attribution_without_rows_is_refused():
    with pytest.raises(InputError, match=r"needs rows .* but none were given\. Give rows=inputs"):
        variants.prune(of_table(mlp()), 0.5, by="attribution")


def test_sparsity_zero_is_a_copy_that_says_it_changed_nothing():
    model = of_table(mlp())
    copy = variants.prune(model, 0.0)
    assert copy.variant.change == 0.0
    assert copy.variant.changed is False
    assert any("sets no weight to zero" in note for note in copy.notes)
    assert "Nothing was changed" in copy.variant.warnings[0]
    assert copy.native is not model.native
    assert copy.digest == model.digest


@pytest.mark.parametrize("sparsity", [1.0, -0.1, 1.5, float("nan")])
def test_a_share_outside_its_range_is_refused(sparsity):
    with pytest.raises(InputError, match=r"sparsity must be a share of weights from 0 to below 1"):
        variants.prune(of_table(mlp()), sparsity)


def test_unknown_words_are_refused():
    with pytest.raises(InputError, match=r"by must be one of \['magnitude'"):
        variants.prune(of_table(mlp()), 0.5, by="luck")
    with pytest.raises(InputError, match=r"scope must be one of \['global', 'layer'\], not 'all'"):
        variants.prune(of_table(mlp()), 0.5, scope="all")


@pytest.mark.parametrize("by", ["magnitude", "random", "attribution"])
def test_the_original_is_left_as_it_was_found(by):
    net = mlp().train()
    net[0].weight.requires_grad_(False)
    before = as_it_is(net)
    copy = variants.prune(of_table(net), 0.5, by=by, rows=table())
    assert same_as(before, net)
    assert as_it_is(copy.native)[1:4] == before[1:4]  # modes, hooks, what is frozen


def test_masks_of_torch_are_folded_and_the_file_is_not_doubled():
    net = mlp()
    torch_prune.random_unstructured(net[2], "weight", 0.5)
    masked = net[2].weight.detach().clone()
    model = of_table(net)
    whole = variants.size_of(of_table(mlp()))
    assert variants.size_of(model).file_bytes > whole.file_bytes + 4 * 96 - 1
    assert variants.size_of(model).nonzeros == whole.nonzeros - 48
    net(torch.ones(2, 6))  # leaves a weight that was computed, which torch refuses to copy
    copy = variants.prune(model, 0.0)
    assert torch.equal(copy.native[2].weight, masked)
    assert set(copy.native.state_dict()) == set(mlp().state_dict())
    assert copy.variant.size.file_bytes == whole.file_bytes
    assert copy.variant.change == 0.0
    assert torch_prune.is_pruned(net)


class Tied(nn.Module):
    """The second layer is the first one's weight, under a name of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.last = nn.Linear(6, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.second(torch.relu(self.first(rows)))))


def test_a_weight_of_two_layers_is_pruned_once_and_stays_shared():
    copy = variants.prune(of_table(Tied()), 0.5, scope="layer")
    assert copy.native.first.weight is copy.native.second.weight
    assert int((copy.native.first.weight == 0).sum()) == 18
    assert copy.variant.layers == 2
    assert copy.variant.size.parameters == 36 + 6 + 6 + 18 + 3


def test_convolutions_are_pruned_too_and_maps_stay():
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 7 * 9, 4))
    copy = variants.prune(of_images(net), 0.5, scope="layer", rows=images())
    assert int((copy.native[0].weight == 0).sum()) == round(0.5 * 135)
    assert "activations" in copy.capabilities
    assert copy.variant.gradient.ok


def test_a_pruned_model_is_the_same_from_its_file(tmp_path):
    copy = variants.prune(of_table(mlp()), 0.7)
    again = loaded_again(copy, tmp_path)
    np.testing.assert_array_equal(again.scores(table().values), copy.scores(table().values))


def test_the_record_says_what_was_done():
    copy = variants.prune(of_table(mlp()), 0.5, name="half")
    assert copy.name == "half"
    assert copy.variant.of == "net"
    assert copy.lineage[-1] == (
        "prune(model, 0.5, by='magnitude', scope='global'): the smallest 50% of weights over all layers "
        "set to zero"
    )
    assert copy.variant.changed is True
    assert copy.variant.batch_invariant is True
    assert copy.outputs == ("a", "b", "c")


def test_models_without_plain_weights_are_refused():
    with pytest.raises(
        IncompatibleError, match=r"linear or convolution layers is needed, but 'net'"
    ):
        variants.prune(of_table(nn.Sequential(nn.Softmax(1)), shape=(3,)), 0.5)
    bound = nn.Sequential(parametrizations.spectral_norm(nn.Linear(6, 3)))
    with pytest.raises(
        IncompatibleError, match=r"layer '0' of model 'net' is computed from others"
    ):
        variants.prune(of_table(bound), 0.5)
    line = wb.wrap(LinearRegression().fit(table().values, table().values[:, 0]), name="line")
    with pytest.raises(IncompatibleError, match=r"'line' wraps a LinearRegression"):
        variants.prune(line, 0.5)


def test_rows_that_hold_none_are_refused():
    with pytest.raises(InputError, match="has none"):
        variants.prune(of_table(mlp()), 0.5, rows=table()[:0])


FOURS = [[1.0, -4.0, 3.0, 2.0, 5.0, 5.0, 5.0, 0.0], [0.0, 0.0, 0.0, 1.0, -1.0, 2.0, -3.0, 4.0]]


def test_two_of_every_four_inputs_stay_and_of_equal_ones_the_earlier():
    net = nn.Sequential(nn.Linear(8, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor(FOURS))
    copy = variants.prune_2_of_4(wb.wrap(net, outputs=["a", "b"], scale="raw"))
    np.testing.assert_array_equal(
        copy.native[0].weight.detach(),
        [[0, -4, 3, 0, 5, 5, 0, 0], [0, 0, 0, 1, 0, 0, -3, 4]],
    )


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_the_four_of_a_convolution_are_input_channels_at_one_place(kind):
    torch.manual_seed(7)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 1), kind(8, 5, (2, 3)), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    copy = variants.prune_2_of_4(of_images(net, "abcde"), rows=images())
    weight = copy.native[1].weight.detach()
    weight = weight if kind is nn.Conv2d else weight.transpose(0, 1)
    kept = (weight.reshape(5, 2, 4, 2, 3) != 0).sum(2)
    assert (kept == 2).all()
    before = net[1].weight.detach()
    before = before if kind is nn.Conv2d else before.transpose(0, 1)
    fours, pruned = before.reshape(5, 2, 4, 2, 3).abs(), weight.reshape(5, 2, 4, 2, 3)
    largest = fours.topk(2, dim=2).values.sum(2)
    torch.testing.assert_close(pruned.abs().sum(2), largest, rtol=0, atol=1e-6)  # one float32 sum
    assert torch.equal(copy.native[0].weight, net[0].weight)  # 3 inputs are no multiple of 4
    assert copy.variant.touched == 1
    assert copy.variant.layers == 2
    assert "1 of 2 layers are left whole" in copy.notes[-1]


def test_a_net_whose_inputs_are_no_multiples_of_four_is_refused():
    net = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 3))
    with pytest.raises(
        IncompatibleError, match=r"multiple of 4 is needed, but model 'net' has {'0': 6"
    ):
        variants.prune_2_of_4(of_table(net))
