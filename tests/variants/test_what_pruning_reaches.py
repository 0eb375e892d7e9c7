"""Half of the weights are half of the weights, in recurrent layers, attention and layers of one's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import models, variants
from workbench.core import Inputs


def zeros(module: nn.Module) -> int:
    """Zeros among the weights of two or more dimensions, counted by hand; a shared one counts once."""
    return sum(int((one == 0).sum()) for one in module.parameters() if one.ndim > 1)


def weights(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters() if one.ndim > 1)


class Recurrent(nn.Module):
    def __init__(self, layer) -> None:
        super().__init__()
        self.layer, self.head = layer(4, 16, 2, batch_first=True), nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


class Conv1D(nn.Module):
    """A linear layer as GPT-2 has it: the weight lies the other way around."""

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs) / 4)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], -1)


class Gpt(nn.Module):
    """Such layers between a table of positions and a head that shares the table of words."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30, 8), nn.Embedding(6, 8)
        self.one, self.two = Conv1D(32, 8), Conv1D(8, 32)
        self.head = nn.Linear(8, 30, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        return self.head(x + self.two(torch.relu(self.one(x))))[:, -1]


class Own(nn.Module):
    """A layer of the user's own: a matrix, a bias of one row and a token that is added."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(20, 30) / 5)
        self.shift = nn.Parameter(torch.randn(1, 30))
        self.head = nn.Linear(30, 2)

    def forward(self, x):
        return self.head(torch.relu(x @ self.matrix + self.shift))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.layer(x).mean(1))


class Experts(nn.Module):
    """Matrices in a list and in one block of three dimensions."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Parameter(torch.randn(3, 5, 6) / 3)
        self.each = nn.ParameterList([nn.Parameter(torch.randn(6, 2)) for _ in range(3)])

    def forward(self, x):
        made = torch.relu(torch.einsum("nf,efh->neh", x, self.block))
        return sum(made[:, i] @ one for i, one in enumerate(self.each))


RNG = np.random.default_rng(0)
STEPS = models.Split([(5, 4)]), RNG.normal(size=(8, 20))
REACHED = {
    "LSTM": (lambda: Recurrent(nn.LSTM), *STEPS, 3, 2),
    "GRU": (lambda: Recurrent(nn.GRU), *STEPS, 3, 2),
    "RNN": (lambda: Recurrent(nn.RNN), *STEPS, 3, 2),
    "attention": (Attention, models.Split([(5, 16)]), RNG.normal(size=(8, 80)), 0, 5),
    "experts": (Experts, None, RNG.normal(size=(8, 5)), 0, 2),
}


def wrapped(make, split, rows):
    torch.manual_seed(0)
    rows = Inputs(rows, kind="tabular")
    return wb.wrap(make().eval(), preprocess=split, like=rows, name="net", scale="raw"), rows


@pytest.mark.parametrize("by", ["magnitude", "random", "attribution"])
@pytest.mark.parametrize(("make", "split", "rows", "_", "layers"), REACHED.values(), ids=REACHED)
def test_half_of_all_weights_are_zero_and_the_others_as_they_were(make, split, rows, _, layers, by):
    model, rows = wrapped(make, split, rows)
    made = variants.prune(model, 0.5, by=by, rows=rows)
    assert zeros(made.native) == round(weights(model.native) / 2)
    for old, new in zip(model.native.parameters(), made.native.parameters(), strict=True):
        assert torch.equal(new[new != 0], old[new != 0])
    assert (made.variant.layers, made.variant.touched) == (layers, layers)
    assert made.variant.change > 0
    assert not any("left whole" in note for note in made.notes)


def test_the_smallest_go_over_all_kinds_of_layers():
    model, _ = wrapped(*REACHED["LSTM"][:3])
    every = torch.cat([one.abs().flatten() for one in model.native.parameters() if one.ndim > 1])
    limit = every.sort().values[len(every) // 2 - 1]
    for old, new in zip(
        model.native.parameters(), variants.prune(model, 0.5).native.parameters(), strict=True
    ):
        if old.ndim > 1:
            assert torch.equal(new == 0, old.abs() <= limit)


def test_layers_like_those_of_gpt_2_are_reached_and_positions_are_left_and_named():
    model, _ = wrapped(Gpt, models.Split([(6,)], whole=[0]), RNG.integers(0, 30, (8, 6)))
    made = variants.prune(model, 0.5)
    reached = 30 * 8 + 2 * 8 * 32
    assert zeros(made.native) == reached // 2
    assert torch.equal(made.native.places.weight, model.native.places.weight)
    assert made.native.head.weight is made.native.words.weight
    (note,) = [note for note in made.notes if "left whole" in note]
    assert f"reaches {reached / (reached + 48):.1%} of all weights" in note
    assert "'places' (Embedding)" in note


def test_what_is_added_in_a_layer_of_ones_own_is_left_and_said():
    model, _ = wrapped(Own, None, RNG.normal(size=(8, 20)))
    made = variants.prune(model, 0.5)
    assert zeros(made.native) == (600 + 60) // 2
    assert torch.equal(made.native.shift, model.native.shift)
    (note,) = [note for note in made.notes if "left whole" in note]
    assert f"{660 / 690:.1%}" in note


SAID = {
    "2 of 4": variants.prune_2_of_4,
    "low rank": lambda model: variants.low_rank(model, rank=1),
    "integers": variants.quantize_weights,
    "dynamic int8": variants.quantize_dynamic,
}


@pytest.mark.parametrize("copy", SAID.values(), ids=SAID)
def test_recipes_for_linear_layers_alone_say_which_share_that_is(copy):
    model, _ = wrapped(*REACHED["LSTM"][:3])
    made = copy(model)
    inside, whole = 32, weights(model.native)
    (note,) = [note for note in made.notes if "left whole: 'layer'" in note]
    assert f"reaches {inside / whole:.1%} of all weights; left whole: 'layer' (LSTM)." in note
    assert torch.equal(made.native.layer.weight_hh_l0, model.native.layer.weight_hh_l0)


def test_a_plain_network_hears_nothing_of_it():
    model, _ = wrapped(lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)), None, np.eye(8))
    for copy in SAID.values():
        assert not any("It reaches" in note for note in copy(model).notes)
