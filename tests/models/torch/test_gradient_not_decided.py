"""Where differences drown in the rounding of the scores, they say nothing against a gradient."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import methods, variants
from workbench.core import GradientCheck, Inputs, Model, Variant
from workbench.models.torch.gradient_check import check_gradient


def table(n: int = 24) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(n, 6)).astype("float32")


def sure(head: nn.Module, outputs: int, factor: float, shift: float = 0.0) -> nn.Module:
    """A net whose logits are `factor` times those of a fresh one: the larger, the surer it is."""
    torch.manual_seed(4)
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, outputs), head)
    with torch.no_grad():
        net[2].weight *= factor
        net[2].bias[0] += shift
    return net.eval()


def trained(seed: int, steps: int) -> nn.Module:
    """A softmax net trained until it is right and sure."""
    torch.manual_seed(seed)
    x = torch.tensor(table(200))
    y = (x[:, 0] + x[:, 1] > 0).long()
    net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(1))
    descent = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(steps):
        descent.zero_grad()
        nn.functional.nll_loss(net(x).clamp_min(1e-9).log(), y).backward()
        descent.step()
    return net.eval()


def right_in_double(net: nn.Module, rows: np.ndarray) -> bool:
    """Torch's own check, in double precision."""
    given = torch.tensor(rows[:4], dtype=torch.double).requires_grad_()
    return torch.autograd.gradcheck(copy.deepcopy(net).double(), given, atol=1e-4)


def as_inputs(rows: np.ndarray) -> Inputs:
    return Inputs(rows, kind="tabular", background=rows[-4:])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [50, 200, 400])
def test_copies_of_trained_softmax_nets_keep_their_gradient(seed, steps):
    net, rows = trained(seed, steps), as_inputs(table())
    model = wb.wrap(net, like=rows, name="net")
    for share in (0.3, 0.5):
        made = variants.prune(model, share, rows=rows)
        assert right_in_double(made.native, rows.values)
        assert made.variant.gradient.status in ("ok", "not decided")
        assert made.gradient is not None


SURE = {
    "softmax": lambda: sure(nn.Softmax(1), 3, 400.0),
    "sigmoid": lambda: sure(nn.Sigmoid(), 1, 400.0),
    "sigmoid that is exactly one": lambda: sure(nn.Sigmoid(), 1, 1.0, shift=40.0),
}


@pytest.mark.parametrize("make", SURE.values(), ids=SURE)
def test_a_model_that_is_sure_of_every_row_is_not_decided_and_not_called_wrong(make):
    net, rows = make(), table()
    found = check_gradient(wb.wrap(net, like=as_inputs(rows)), rows)
    assert found.ok
    assert right_in_double(net, rows)


def test_not_decided_keeps_the_methods_and_is_said_beside_every_result():
    net = sure(nn.Softmax(1), 3, 400.0)
    rows = as_inputs(table())
    made = variants.prune(wb.wrap(net, like=rows, name="net"), 0.3, rows=rows)
    assert made.variant.gradient.status == "not decided"
    result = wb.explain(made, rows[:2], methods.IntegratedGradients(fill="zero", steps=4))
    assert any("was not decided" in note for note in result.notes)


def test_maps_of_a_sure_network_of_images_stay():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2)
    )
    with torch.no_grad():
        net[4].weight *= 1e3
    rows = Inputs(np.random.default_rng(0).random((6, 12, 10, 3)), kind="image")
    model = wb.wrap(nn.Sequential(net, nn.Softmax(1)).eval(), like=rows, name="net")
    made = variants.prune(model, 0.2, rows=rows)
    assert np.isfinite(wb.explain(made, rows[:1], methods.GradCAM()).values).all()


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_scores_of_few_digits_that_hardly_move_decide_nothing(half):
    rows = table()
    net = sure(nn.Softmax(1), 2, 1.0, shift=5.0).to(half)
    found = check_gradient(wb.wrap(net, like=as_inputs(rows)), rows)
    assert found.ok, found
    assert right_in_double(net, rows)


class TestWhatIsWrongIsStillFound:
    def test_a_gradient_that_is_half_of_a_softmax_nets(self):
        net = sure(nn.Softmax(1), 3, 1.0)
        model = wb.wrap(net, like=as_inputs(table()))
        wrong = Model(
            "wrong",
            model.predict,
            model.outputs,
            "probability",
            gradient=lambda x, w: (model.predict(x), 0.5 * model.gradient(x, w)[1]),
        )
        found = check_gradient(wrong, table())
        assert found.status == "suspect"
        assert found.error == pytest.approx(0.5, abs=0.02)  # the wrong one is half of the right one

    @pytest.mark.parametrize("sure_rows", [1, 2, 3])
    def test_rows_that_say_nothing_do_not_outvote_one_that_does(self, sure_rows):
        def predict(x):
            return 1 / (1 + np.exp(-x[:, :1]))

        def halved(x, w):
            p = predict(x)
            slope = np.zeros((1, *x.shape))
            slope[0, :, :1] = 0.5 * w[0] * p * (1 - p)
            return p, slope

        rows = np.full((4, 2), 60.0)
        rows[sure_rows:] = [[0.5, 1.0]]
        wrong = Model("wrong", predict, ("y",), "probability", gradient=halved)
        assert check_gradient(wrong, rows).status == "suspect"

    def test_steps_of_whole_numbers_whose_gradient_is_zero(self):
        class Steps(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(0)
                self.layer = nn.Linear(6, 2)

            def forward(self, x):
                return self.layer(torch.round(x))

        found = check_gradient(wb.wrap(Steps(), scale="raw", like=as_inputs(table())), table())
        assert found.status == "zero"


def test_the_record_of_a_copy_says_what_was_not_decided():
    check = GradientCheck("not decided", "The differences drown.")
    assert check.ok
    assert Variant("net", "r", "d", "float32", gradient=check).warnings == (
        "The differences drown.",
    )
