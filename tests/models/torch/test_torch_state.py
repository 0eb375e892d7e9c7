"""A module goes back as it was found: also after an error, also from four threads."""

import threading

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import ModelError, WorkbenchError
from workbench.models import wrap
from workbench.models.torch.state import dtype_of


class Moody(nn.Module):
    """Batch norm and dropout in training mode, one frozen part, a buffer that counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(4, 2)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("last", None)
        self.fails = False

    def forward(self, x):
        self.calls += 1
        self.last = x.mean()
        x = self.drop(self.relu(self.norm(self.conv(x))))
        torch.rand(3), np.random.rand(3)
        if self.fails:
            raise ValueError("on purpose")
        return self.head(x.mean((2, 3)))


def moody() -> Moody:
    net = Moody().train()
    net.norm.eval()
    net.head.weight.requires_grad_(False)
    net(torch.rand(4, 3, 7, 9)).sum().backward()
    return net


def snapshot(net: Moody) -> dict:
    return {
        "modes": [part.training for part in net.modules()],
        "asked": [parameter.requires_grad for parameter in net.parameters()],
        "weights": [tensor.clone() for tensor in net.parameters()],
        "slopes": [None if p.grad is None else p.grad.clone() for p in net.parameters()],
        "buffers": {name: tensor.clone() for name, tensor in net.named_buffers()},
        "identities": {name: id(tensor) for name, tensor in net.named_buffers()},
        "hooks": [len(part._forward_hooks) + len(part._backward_hooks) for part in net.modules()],
        "torch": torch.get_rng_state(),
        "numpy": [*np.random.get_state()[1].tolist(), np.random.get_state()[2]],
        "grad mode": torch.is_grad_enabled(),
    }


def same(left, right) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and torch.equal(left, right)
    return left == right


def images(n: int = 5) -> np.ndarray:
    return np.random.default_rng(1).random((n, 7, 9, 3))


CALLS = {
    "predict": lambda m: m.predict(images()),
    "gradient": lambda m: m.gradient(images(), np.ones((2, 5, 2))),
    "activations": lambda m: m.activations(images(), "conv", np.ones((2, 5, 2))),
    "layers": lambda m: m.layers(images()),
    "masked": lambda m: m.masked(
        images()[0],
        images()[1:2],
        np.zeros((7, 9), int),
        np.ones((6, 1), bool),
        np.zeros(6, int),
    ),
}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_the_module_is_left_as_it_was_found(call, fails):
    net = moody()
    model = wrap(net, outputs=["a", "b"], scale="logit", batch=2)
    net.fails = fails
    before = snapshot(net)
    if fails:
        with pytest.raises(ModelError, match="on purpose"):
            CALLS[call](model)
    else:
        CALLS[call](model)
    after = snapshot(net)
    assert {key: same(before[key], after[key]) for key in before} == dict.fromkeys(before, True)


def test_the_module_is_left_as_it_was_found_when_a_layer_is_refused():
    net = moody()
    model = wrap(net, outputs=["a", "b"], scale="logit")
    before = snapshot(net)
    with pytest.raises(WorkbenchError):
        model.activations(images(), "head", np.ones((1, 5, 2)))
    assert same(before, snapshot(net))


def test_scores_are_those_of_evaluation_mode_whatever_mode_the_module_is_in():
    net = moody()
    model = wrap(net, outputs=["a", "b"], scale="logit")
    got = model.scores(images())
    expected = net.eval()(torch.tensor(images(), dtype=torch.float32).permute(0, 3, 1, 2))
    np.testing.assert_allclose(got, expected.detach().numpy(), rtol=0, atol=1e-6)  # float32


def test_a_module_that_overrides_eval_is_still_evaluated_and_left_alone():
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.drop, self.head = nn.Dropout(0.5), nn.Linear(6, 2).double()

        def train(self, mode=True):
            raise AssertionError("the mode was changed through train()")

        def forward(self, x):
            return self.head(self.drop(x))

    model = wrap(Stubborn())
    rows = np.random.default_rng(2).normal(size=(8, 6))
    np.testing.assert_array_equal(model.scores(rows), model.scores(rows))
    assert model.native.drop.training


def test_a_module_that_changes_its_own_weights_is_refused():
    class Learning(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(6, 2)

        def forward(self, x):
            with torch.no_grad():
                self.head.bias += 1
            return self.head(x)

    with pytest.raises(ModelError, match="weights of model 'Learning' changed"):
        wrap(Learning(), outputs=["a", "b"])


def test_a_module_that_keeps_a_tensor_of_its_forward_pass_can_still_be_trained():
    class Caching(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.table = nn.Linear(6, 2), None

        def forward(self, x):
            self.table = torch.arange(1.0, 7.0) if self.table is None else self.table
            return self.head(x * self.table)

    net = Caching()
    model = wrap(net)
    with torch.inference_mode():  # the caller's mode must not leak into the table either
        model.scores(np.ones((3, 6)))
    model.gradient(np.ones((3, 6)), np.ones((1, 3, 2)))
    net(torch.ones(3, 6)).sum().backward()
    assert net.head.weight.grad is not None


def test_the_callers_autocast_does_not_change_the_scores():
    net = nn.Linear(6, 2)
    rows = np.random.default_rng(3).normal(size=(4, 6))
    exact = wrap(net).scores(rows)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(wrap(net).scores(rows), exact)


def test_four_threads_on_one_module_all_get_the_right_answers():
    net = moody()
    models = [wrap(net, outputs=["a", "b"], scale="logit", batch=2) for _ in range(2)]
    weights = np.random.default_rng(4).normal(size=(2, 5, 2))
    expected = {
        "scores": models[0].scores(images()),
        "slopes": models[0].gradient(images(), weights)[1],
        "maps": models[0].activations(images(), "conv", weights)[1],
    }
    before, wrong, failed = snapshot(net), [], []

    def work(number: int) -> None:
        model = models[number % 2]
        try:
            for _ in range(10):
                got = {
                    "scores": model.scores(images()),
                    "slopes": model.gradient(images(), weights)[1],
                    "maps": model.activations(images(), "conv", weights)[1],
                }
                wrong.extend(key for key in got if not np.array_equal(got[key], expected[key]))
        except WorkbenchError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failed
    assert not wrong
    assert same(before, snapshot(net))


def test_a_buffer_above_the_weights_does_not_decide_the_precision():
    class Centered(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("mean", torch.zeros(4, dtype=torch.float64))
            self.layer = torch.nn.Linear(4, 2)

        def forward(self, rows):
            return self.layer(rows - self.mean.to(rows.dtype))

    net = Centered()
    assert dtype_of(net) == torch.float32
    assert wrap(net, scale="logit", kind="tabular").scores(np.zeros((3, 4))).shape == (3, 2)


def test_a_weight_that_is_exchanged_meanwhile_is_put_back_and_told():
    class Restless(torch.nn.Linear):
        def forward(self, rows):
            answer = super().forward(rows)
            self.weight = torch.nn.Parameter(self.weight + 1)
            return answer

    net = Restless(3, 2)
    before = net.weight
    model = wrap(
        net, name="restless", outputs=["a", "b"], scale="raw", shape=(None,), kind="tabular"
    )
    with pytest.raises(ModelError, match="weights of model 'restless' changed"):
        model.scores(np.zeros((1, 3)))
    assert net.weight is before
