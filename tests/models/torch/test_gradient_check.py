"""Is the gradient real? Verdicts on nets whose derivatives are known to be right, missing or wrong."""

from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.models_in_numpy import tanh_network
from workbench import methods
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError
from workbench.models.asking.finite_differences import _sure
from workbench.models.torch.gradient_check import check_gradient
from workbench.models.torch.gradient_scan import Scan, watching


def table(n: int = 24) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(n, 30))


def pictures(n: int = 12) -> np.ndarray:
    return np.random.default_rng(4).random((n, 16, 12, 3))


def mlp() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 24), nn.ReLU(), nn.Linear(24, 4)
    )


def cnn() -> nn.Module:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 10, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(40, 4),
    ).eval()


class Branched(nn.Module):
    """A skip path and a branch of equal weight: half is missing where the branch has no derivative."""

    def __init__(self, branch=None) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.branch = nn.Sequential(nn.Linear(30, 20), nn.Tanh(), nn.Linear(20, 30))
        self.head = nn.Linear(30, 4)
        self.through = branch or (lambda branch, x: branch(x))

    def forward(self, x):
        return self.head(x + 3 * self.through(self.branch, x))


def halved() -> nn.Module:
    """The legacy int8 branch: a graph with an operator that has no derivative on one of two ways."""
    net = Branched().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.ao announces its end
        net.branch = torch.ao.quantization.quantize_dynamic(net.branch, {nn.Linear})
    return net


def in_whole_numbers() -> nn.Module:
    """Legacy static int8: real quantized operators from end to end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end, and its observers theirs
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        rows = torch.tensor(table(), dtype=torch.float32)
        watched = prepare_fx(mlp().eval(), get_default_qconfig_mapping("x86"), (rows,))
        watched(rows)
        return convert_fx(watched)


class Rounded(nn.Module):
    """Eight bits for what goes into every layer, with the straight-through gradient."""

    def __init__(self, net: nn.Module, rows: np.ndarray, bits: int = 8) -> None:
        super().__init__()
        self.net, self.levels, self.ranges = net.eval(), 2**bits - 1, []
        x = torch.tensor(rows, dtype=torch.float32)
        x = x.permute(0, 3, 1, 2) if rows.ndim == 4 else x
        with torch.no_grad():
            for part in net:
                low, high = min(float(x.min()), 0.0), max(float(x.max()), 0.0)
                step = (high - low) / self.levels
                self.ranges.append((step, round(-low / step)))
                x = part(x)

    def forward(self, x):
        for part, (step, zero) in zip(self.net, self.ranges, strict=True):
            if isinstance(part, nn.Linear | nn.Conv2d):
                x = torch.fake_quantize_per_tensor_affine(x, step, zero, 0, self.levels)
            x = part(x)
        return x


def pruned() -> nn.Module:
    net = cnn()
    with torch.no_grad():
        for part in net:
            if hasattr(part, "weight"):
                part.weight[part.weight.abs() < part.weight.abs().median()] = 0.0
    return net


def wrapped(net: nn.Module, kind: str = "tabular") -> Model:
    return wb.wrap(net, name="net", outputs=tuple("abcd"), scale="logit", kind=kind)


GOOD = {
    "float32 on a table": lambda: (mlp(), table()),
    "float64 on a table": lambda: (mlp().double(), table()),
    "bfloat16 on a table": lambda: (mlp().bfloat16(), table()),
    "float32 on images": lambda: (cnn(), pictures()),
    "bfloat16 on images": lambda: (cnn().bfloat16(), pictures()),
    "pruned": lambda: (pruned(), pictures()),
    "8-bit steps on a table": lambda: (Rounded(mlp(), table()), table()),
    "8-bit steps on images": lambda: (Rounded(cnn(), pictures()), pictures()),
    "two whole branches": lambda: (Branched(), table()),
}


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_gradient_that_is_the_slope_of_the_scores_passes(make, seed):
    net, rows = make()
    found = check_gradient(wrapped(net, "image" if rows.ndim == 4 else "tabular"), rows, seed=seed)
    assert found.status == "ok", found
    assert found.error is not None


BAD = {
    "whole numbers": (in_whole_numbers, "none", "no graph"),
    "a branch in whole numbers": (halved, "suspect", "one of several ways"),
    "a branch without a graph": (
        lambda: Branched(lambda branch, x: branch(x).detach()),
        "suspect",
        "off by",
    ),
    "a branch that reads no graph": (
        lambda: Branched(lambda branch, x: branch(x.detach())),
        "suspect",
        "off by",
    ),
    "rows that are cut off": (
        lambda: nn.Sequential(Cut(), mlp()),
        "disconnected",
        "does not reach the rows",
    ),
}


class Cut(nn.Module):
    def forward(self, x):
        return x.detach()


@pytest.mark.parametrize(("make", "status", "said"), BAD.values(), ids=BAD)
def test_a_missing_or_wrong_gradient_gets_its_verdict_without_a_warning(make, status, said):
    found = check_gradient(wrapped(make()), table())
    assert found.status == status
    assert said in found.detail
    assert found.ok == (status == "ok")


def test_between_two_steps_of_a_staircase_flat_differences_say_nothing_of_its_incline():
    gradient = np.full((4, 3), 2.0)
    between, across = np.full((4, 3), 1e-3), np.full((4, 3), 0.8)
    assert _sure(gradient, [between, between]) is None
    assert _sure(gradient, [across, across]) == pytest.approx(0.6)  # two against four fifths


class TestAnyModelWithAGradient:
    def test_a_gradient_in_numpy_is_tried_through_the_seam(self):
        network = tanh_network()
        rows = np.random.default_rng(7).normal(size=(6, 6))
        assert check_gradient(network, rows).ok
        wrong = Model(
            "wrong",
            network.predict,
            network.outputs,
            "logit",
            gradient=lambda x, w: (network.predict(x), 0.7 * network.gradient(x, w)[1]),
        )
        found = check_gradient(wrong, rows)
        assert found.status == "suspect"
        assert found.error == pytest.approx(0.3, abs=0.01)  # 1 - .7, and the curve of tanh

    def test_one_output_that_is_wrong_is_found_among_right_ones(self):
        network = tanh_network()

        def gradient(x, w):
            return network.gradient(x, w * [1.0, 1.0, 0.0])

        wrong = Model("wrong", network.predict, network.outputs, "logit", gradient=gradient)
        assert not check_gradient(wrong, np.random.default_rng(8).normal(size=(6, 6))).ok

    def test_columns_of_every_unit_and_rows_at_zero_are_moved_by_their_own_measure(self):
        network, rows = tanh_network(), np.random.default_rng(9).normal(size=(6, 6))
        units = np.array([1e-4, 1.0, 3e5, 20.0, 1e-2, 1.0])

        def gradient(x, w):
            scores, slopes = network.gradient(x / units, w)
            return scores, slopes / units

        model = Model(
            "raw", lambda x: network.predict(x / units), network.outputs, "logit", gradient=gradient
        )
        assert check_gradient(model, rows * units).ok
        # Moved by one measure for all, rows would be lost where tanh is flat and any gradient passes.
        wrong = replace(model, gradient=lambda x, w: (None, 0.7 * gradient(x, w)[1]))
        assert check_gradient(wrong, rows * units).error == pytest.approx(0.3, abs=0.01)
        assert check_gradient(network, np.zeros((3, 6))).ok
        assert check_gradient(network, np.zeros((1, 6))).ok
        pictures_at_zero = np.concatenate([np.zeros_like(pictures(2)), pictures(2)])
        assert check_gradient(wrapped(cnn(), "image"), pictures_at_zero).ok

    def test_a_gradient_of_zero_is_right_where_the_scores_are_flat_and_wrong_elsewhere(self):
        def nothing(x, w):
            return x[:, :1], np.zeros((len(w), *x.shape))

        steep = Model("steep", lambda x: x[:, :1], ("y",), "raw", gradient=nothing)
        flat = Model("flat", lambda x: 0 * x[:, :1] + 3, ("y",), "raw", gradient=nothing)
        assert check_gradient(steep, table(4)).status == "zero"
        assert check_gradient(flat, table(4)).ok
        assert "flat around every row" in check_gradient(flat, table(4)).detail

    @pytest.mark.parametrize("where", ["scores", "gradient"])
    def test_what_is_not_finite_is_said(self, where):
        def gradient(x, w):
            return x, np.full((1, *x.shape), np.nan if where == "gradient" else 1.0)

        def predict(x):
            return x * np.nan if where == "scores" else x

        model = Model("nan", predict, tuple("abcdef"), "raw", gradient=gradient)
        found = check_gradient(model, np.ones((3, 6)))
        assert found.status == "not finite"
        assert where in found.detail

    def test_a_model_without_a_gradient_has_none_for_its_own_reason(self):
        plain = Model("plain", lambda x: x, ("y",), "raw", absent={"gradient": "Trees have none."})
        assert check_gradient(plain, np.ones((2, 1))).detail == "Trees have none."
        with pytest.raises(InputError, match="Rows to try the gradient of 'plain' on are needed"):
            check_gradient(plain, np.ones((0, 1)))


class Missing(nn.Module):
    """At right angles to the skip path in many dimensions: along the gradient nothing is amiss."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.branch = nn.Linear(8 * 16 * 12, 24)
        self.head = nn.Linear(24, 4)

    def forward(self, x):
        seen = torch.relu(self.stem(x)).flatten(1)
        return self.head(seen[:, :24] + self.branch(seen).detach())


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_a_branch_that_hides_in_many_dimensions_is_found(seed):
    found = check_gradient(wrapped(Missing(), "image"), pictures(), seed=seed)
    assert found.status == "suspect"


def test_nothing_of_a_module_is_changed_by_the_check():
    net = cnn().train()
    net[0].weight.requires_grad_(False)
    state = copy.deepcopy(net.state_dict())
    torch.manual_seed(3)
    random = torch.get_rng_state()
    check_gradient(wrapped(net, "image"), pictures())
    assert all(part.training for part in net.modules())
    assert [p.requires_grad for p in net.parameters()] == [False] + [True] * 7
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(now, state[name]) for name, now in net.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    assert torch.equal(torch.get_rng_state(), random)


class TestWhileExplaining:
    """The first pass of a gradient method is looked at; what is unusual is tried once."""

    def counting(self, net):
        seen: list[int] = []
        net.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
        return net, seen

    def inputs(self):
        return Inputs(table(3), kind="tabular", background=table(4))

    def test_an_ordinary_model_is_asked_for_no_row_more(self):
        net, seen = self.counting(mlp())
        model = wrapped(net)
        seen.clear()
        result = wb.explain(model, self.inputs(), methods.IntegratedGradients(steps=4))
        assert sum(seen) == result.evaluations
        assert not any("tried once" in note for note in result.notes)

    def test_straight_through_rounding_is_tried_once_and_the_result_says_so(self):
        net, seen = self.counting(Rounded(mlp(), table()))
        model = wrapped(net)
        seen.clear()
        first = wb.explain(model, self.inputs(), methods.IntegratedGradients(steps=4))
        extra = sum(seen) - first.evaluations
        assert extra > 0
        (note,) = [note for note in first.notes if "tried once" in note]
        assert "straight-through rounding" in note
        assert f"with {extra} model rows" in note
        seen.clear()
        again = wb.explain(model, self.inputs(), methods.IntegratedGradients(steps=4))
        assert sum(seen) == again.evaluations
        np.testing.assert_array_equal(first.values, again.values)

    @pytest.mark.parametrize("through", ["a cut branch", "a cut input"])
    def test_a_wrong_gradient_is_refused_every_time_and_tried_once(self, through):
        def cut(branch, x):
            return branch(x).detach() if through == "a cut branch" else branch(x.detach())

        net, seen = self.counting(Branched(cut))
        model = wrapped(net)
        asked = []
        for _ in range(2):
            seen.clear()
            with pytest.raises(IncompatibleError, match=r"'net' with layer 'branch.*is not one"):
                wb.explain(model, self.inputs(), methods.IntegratedGradients(steps=4))
            asked.append(sum(seen))
        # The second time: three rows' scores and the first pass of the method, which is looked at.
        assert asked[1] < 20 < asked[0]

    def test_maps_of_a_layer_before_a_wrong_branch_are_refused_too(self):
        class Late(nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(4)
                self.conv, self.a, self.b = nn.Conv2d(3, 6, 3), nn.Linear(6, 4), nn.Linear(6, 4)

            def forward(self, x):
                seen = torch.relu(self.conv(x)).mean((2, 3))
                return self.a(seen) + 2 * self.b(seen).detach()

        model = wrapped(Late(), "image")
        inputs = Inputs(pictures(2), kind="image")
        with pytest.raises(IncompatibleError, match="gradient of model 'net'"):
            wb.explain(model, inputs, methods.GradCAM(layer="conv"), wb.Target(0))

    def test_a_module_that_is_changed_in_place_is_looked_at_again(self):
        net = Branched()
        model = wrapped(net)
        wb.explain(model, self.inputs(), methods.IntegratedGradients(steps=4))
        net.branch = nn.Sequential(net.branch, Cut())
        with pytest.raises(IncompatibleError, match="is not one"):
            wb.explain(model, self.inputs(), methods.IntegratedGradients(steps=4))


def test_the_graph_is_read_and_no_backward_pass_is_made(monkeypatch):
    net = halved()
    monkeypatch.setattr(torch.autograd, "grad", lambda *_, **__: pytest.fail("a backward pass"))
    rows = torch.tensor(table(2), dtype=torch.float32).requires_grad_()
    scan = Scan()
    with watching(net, scan):
        scores = net(rows)
    scan.read(scores, rows)
    assert (scan.tracked, scan.connected, scan.missing) == (True, True, ("WarnNotImplemented",))
    assert "weights of" in scan.odd[-1] or "whole numbers" in " ".join(scan.odd)
    assert not any(part._forward_hooks for part in net.modules())
