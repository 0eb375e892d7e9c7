"""The scale is held against the scores: corrected where it was assumed, refused where it was said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score
from torch import nn

import workbench as wb
from workbench.compare.drift import behavior
from workbench.core import Inputs
from workbench.errors import InputError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype("float32")
Y = (X[:, 0] - 0.3 * X[:, 1] > 0).astype(int)
ROWS = Inputs(X, kind="tabular", y=Y)


class With(nn.Module):
    """Logits, and what a forward makes of them."""

    def __init__(self, end, outputs: int = 1, **parts: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.line = nn.Linear(4, outputs)
        for name, part in parts.items():
            setattr(self, name, part)
        self.end = end
        with torch.no_grad():
            self.line.bias.zero_()
            self.line.weight[0] = torch.tensor([5.0, -1.5, 0.0, 0.0])

    def forward(self, x):
        return self.end(self, self.line(x), x)


def without_graph(net, z, x):
    with torch.no_grad():
        return torch.sigmoid(z)


PROBABILITIES = {
    "sigmoid in forward": (1, lambda net, z, x: torch.sigmoid(z)),
    "sigmoid in place": (1, lambda net, z, x: z.sigmoid_()),
    "sigmoid without a graph": (1, without_graph),
    "sigmoid, then one column": (1, lambda net, z, x: torch.sigmoid(z).squeeze(-1)),
    "mean of two sigmoids": (1, lambda net, z, x: (torch.sigmoid(z) + torch.sigmoid(2 * z)) / 2),
    "one minus a sigmoid": (1, lambda net, z, x: 1 - torch.sigmoid(-z)),
    "functional softmax": (3, lambda net, z, x: nn.functional.softmax(z, dim=1)),
    "second column of a softmax": (2, lambda net, z, x: torch.softmax(z, 1)[:, 1:]),
    "exp of a log-softmax": (3, lambda net, z, x: torch.log_softmax(z, 1).exp()),
    "shares by hand": (3, lambda net, z, x: z.exp() / z.exp().sum(1, keepdim=True)),
    "both classes of a sigmoid": (
        1,
        lambda net, z, x: torch.cat([1 - torch.sigmoid(z), torch.sigmoid(z)], 1),
    ),
}
LOGITS = {
    "plain": (1, {}, lambda net, z, x: z),
    "a gate that is defined last": (
        1,
        {"gate": nn.Sigmoid()},
        lambda net, z, x: net.line(x * net.gate(x)) * 3,
    ),
    "a softmax for attention, defined last": (
        2,
        {"attention": nn.Softmax(1)},
        lambda net, z, x: net.line(x * net.attention(x)),
    ),
    "log-softmax": (3, {}, lambda net, z, x: torch.log_softmax(z, 1)),
    "a gate of the scores": (1, {}, lambda net, z, x: z * torch.sigmoid(x[:, :1])),
}


def wrapped(outputs, end, *, scale=None, **parts):
    return wb.wrap(With(end, outputs, **parts).eval(), like=ROWS, name="net", scale=scale)


@pytest.mark.parametrize(("outputs", "end"), PROBABILITIES.values(), ids=PROBABILITIES)
class TestProbabilities:
    def test_are_found_without_a_word(self, outputs, end):
        model = wrapped(outputs, end)
        assert model.scale == "probability"
        assert sum("taken as probabilities, because" in note for note in model.notes) == 1

    def test_are_never_taken_for_logits_that_somebody_said(self, outputs, end):
        with pytest.raises(InputError, match=r"said to be logits, but .* scale='probability'"):
            wrapped(outputs, end, scale="logit")

    def test_are_taken_as_said(self, outputs, end):
        assert wrapped(outputs, end, scale="probability").scale == "probability"
        assert wrapped(outputs, end, scale="raw").scale == "raw"


@pytest.mark.parametrize(("outputs", "parts", "end"), LOGITS.values(), ids=LOGITS)
class TestLogits:
    def test_are_found_whatever_layer_is_defined_last(self, outputs, parts, end):
        assert wrapped(outputs, end, **parts).scale == "logit"

    def test_are_never_taken_for_probabilities_that_somebody_said(self, outputs, parts, end):
        with pytest.raises(InputError, match=r"said to be probabilities.* but one is -?\d"):
            wrapped(outputs, end, scale="probability", **parts)

    def test_are_taken_as_said(self, outputs, parts, end):
        assert wrapped(outputs, end, scale="logit", **parts).scale == "logit"


def test_accuracy_and_calibration_are_those_of_the_probabilities():
    """As logits with the threshold 0, every row of a sigmoid would be positive."""
    model = wrapped(*PROBABILITIES["sigmoid in forward"])
    scores = model.scores(X)
    found = behavior(scores, scores, model.outputs, model.scale, y=Y)
    assert found.accuracy[0] == accuracy_score(Y, scores[:, 0] > 0.5) == 1.0
    p, side = scores[:, 0], scores[:, 0] > 0.5
    sure = np.where(side, p, 1 - p)
    bins = np.minimum(np.ceil(sure * 15), 15)
    gaps = [abs((sure - (side == Y))[bins == b].sum()) for b in np.unique(bins)]
    assert found.ece[0] == pytest.approx(sum(gaps) / len(Y))


def test_a_logarithm_of_one_probability_is_neither():
    model = wrapped(1, lambda net, z, x: nn.functional.logsigmoid(z))
    assert model.scale == "raw"
    with pytest.raises(InputError, match="never above 0"):
        wrapped(1, lambda net, z, x: nn.functional.logsigmoid(z), scale="logit")


def two_sides(net, z, x):
    return torch.cat([nn.functional.logsigmoid(z), nn.functional.logsigmoid(-z)], 1)


def test_logarithms_of_labels_are_no_logits_of_classes():
    """A softmax of them gives other numbers than their own probabilities."""
    log_of_each = lambda net, z, x: nn.functional.logsigmoid(z)  # noqa: E731
    model = wrapped(3, log_of_each)
    chances = np.exp(model.scores(X))
    shares = torch.softmax(torch.as_tensor(model.scores(X)), 1).numpy()
    assert np.abs(chances - shares).max() > 0.1
    assert model.scale == "raw"
    assert any("do not sum to one" in note for note in model.notes)
    with pytest.raises(InputError, match="never above 0"):
        wrapped(3, log_of_each, scale="logit")


def test_logarithms_of_both_sides_of_one_sigmoid_are_logits():
    model = wrapped(1, two_sides)
    scores = torch.as_tensor(model.scores(X))
    assert torch.allclose(torch.softmax(scores, 1), scores.exp(), atol=1e-6)
    assert model.scale == "logit"
    assert wrapped(1, two_sides, scale="logit").scale == "logit"


def test_a_percentage_is_no_probability():
    model = wrapped(1, lambda net, z, x: 100 * torch.sigmoid(z))
    assert model.scale == "raw"
    assert any("do not lie between 0 and 1" in note for note in model.notes)


def test_logits_that_happen_to_lie_between_0_and_1_are_noted():
    for outputs in (1, 3):
        model = wrapped(outputs, lambda net, z, x: 0.5 + 0.001 * z)
        assert model.scale == "logit"
        assert any("all lie between 0 and 1" in note for note in model.notes)


def test_the_last_layer_still_speaks_where_no_row_is_known():
    net = nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.LazyLinear(2), nn.Softmax(1)).eval()
    net(torch.zeros(1, 2, 5))
    assert wb.wrap(net, outputs=["a", "b"]).scale == "probability"


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_probabilities_of_few_digits_still_sum_to_one(half):
    net = With(PROBABILITIES["shares by hand"][1], 3).to(half).eval()
    assert wb.wrap(net, like=ROWS).scale == "probability"
