"""A network of another width: every hidden layer scaled, and what cannot be is refused by name."""

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.models.small_cnn import small_cnn
from workbench.variants.training.distill_width import narrowed

IMAGES = torch.zeros((3, 3, 32, 32))


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(one.shape) for name, one in module.named_parameters()}


class Mixed(nn.Module):
    """A sum, a concatenation, a depthwise convolution, normalizations, and one layer used twice."""

    def __init__(self, *, kind=nn.ReLU):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.norm = nn.GroupNorm(2, 8)
        self.again = nn.Conv2d(8, 8, 1)
        self.act = kind()
        self.slope = nn.PReLU(8)
        self.side = nn.Conv2d(3, 4, 1)
        self.flat = nn.LayerNorm(12)
        self.first = nn.Linear(12, 20)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(20, 5, bias=False)

    def forward(self, x):
        y = self.act(self.norm(self.depthwise(self.stem(x))))
        y = self.slope(y + self.again(self.again(y)))
        y = torch.cat([y, self.side(x)], dim=1).mean(dim=(2, 3))
        return self.last(self.drop(self.act(self.first(self.flat(y)))))


def test_every_hidden_channel_is_scaled_and_rows_and_outputs_keep_theirs():
    half = narrowed(Mixed().eval(), IMAGES, 0.5, seed=0, name="mixed")
    assert half(IMAGES).shape == (3, 5)
    found = shapes(half)
    assert found["stem.weight"] == (4, 3, 3, 3)
    assert found["depthwise.weight"] == (4, 1, 3, 3)
    assert found["again.weight"] == (4, 4, 1, 1)
    assert found["slope.weight"] == (4,)
    assert found["flat.weight"] == (6,)  # 4 and 2 side by side
    assert found["first.weight"] == (10, 6)
    assert found["last.weight"] == (5, 10)
    assert half.norm.num_groups == 2
    assert half.drop.p == 0.5
    assert not any(part.training for part in half.modules())


def test_the_bundled_architecture_becomes_itself_at_another_width():
    module = small_cnn(4, width=24).eval()
    half = narrowed(module, IMAGES, 0.5, seed=0, name="cnn")
    assert shapes(half) == shapes(small_cnn(4, width=12))
    whole = narrowed(module, IMAGES, 1.0, seed=0, name="cnn")
    assert shapes(whole) == shapes(module)


def test_weights_are_new_and_the_seeds_own_and_nothing_else_moves():
    module = small_cnn(4, width=8).eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    torch.manual_seed(9)
    state = torch.get_rng_state()
    one, two, other = (
        narrowed(module, IMAGES, 1.0, seed=seed, name="cnn").state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    assert not torch.equal(one["head.weight"], before["head.weight"])
    assert all(torch.equal(module.state_dict()[key], before[key]) for key in before)


def test_at_least_one_channel_stays():
    thin = narrowed(small_cnn(4, width=8).eval(), IMAGES, 0.01, seed=0, name="cnn")
    assert thin.block1[0].out_channels == 1
    assert thin(IMAGES).shape == (3, 4)


class Fixed(nn.Module):
    """Its forward counts on its columns."""

    def __init__(self, columns=16):
        super().__init__()
        self.columns = columns
        self.first, self.last = nn.Linear(6, columns), nn.Linear(columns, 2)

    def forward(self, x):
        return self.last(self.first(x).view(-1, self.columns))


class Loose(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 2)
        self.scale = nn.Parameter(torch.ones(16))

    def forward(self, x):
        return self.last(self.first(x) * self.scale)


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 2)

    def forward(self, x):
        return self.last(self.first(x)) if x.sum() > 0 else self.last(self.first(-x))


REFUSED = {
    "a parameter of no layer": (Loose(), "'scale' is a parameter"),
    "a decision on the rows": (Branching(), "torch.fx cannot follow"),
    "a layer that is not known": (
        nn.Sequential(nn.Linear(6, 16), nn.Bilinear(16, 16, 16), nn.Linear(16, 2)),
        "Bilinear",
    ),
    "groups that do not fit": (
        nn.Sequential(nn.Linear(6, 8), nn.GroupNorm(8, 8), nn.Linear(8, 2)),
        "8 groups",
    ),
    "a shape written down": (Fixed(), "Something in its forward counts"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_built_anew_is_refused_by_name(what):
    module, words = REFUSED[what]
    rows = torch.tensor(np.ones((3, 6)), dtype=torch.float32)
    with pytest.raises(IncompatibleError, match=words):
        narrowed(module.eval(), rows, 0.7, seed=0, name="net")


def test_a_shape_written_down_that_happens_to_fit_is_found_by_the_rows_it_loses():
    rows = Inputs(np.random.default_rng(0).normal(size=(8, 6)), kind="tabular")
    model = wb.wrap(Fixed(48).eval(), name="net")
    # A third of 48 columns, times three rows, is one row of 48.
    with pytest.raises(IncompatibleError, match="counts on the old number"):
        variants.distill(model, rows, width=1 / 3, schedule=variants.Schedule(epochs=1))


def test_a_network_without_hidden_layers_has_no_width():
    with pytest.raises(InputError, match="has none between its rows"):
        narrowed(nn.Linear(6, 2).eval(), torch.ones((3, 6)), 0.5, seed=0, name="line")
    last_alone = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 2), nn.Softmax(1)).eval()
    with pytest.raises(InputError, match="has none between its rows"):
        narrowed(last_alone, torch.ones((3, 6)), 0.5, seed=0, name="line")
