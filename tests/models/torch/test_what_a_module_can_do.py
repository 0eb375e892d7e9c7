"""What a torch module can do is tried on a row when it is wrapped; its type says nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import methods, models, variants
from workbench.core import Inputs
from workbench.errors import IncompatibleError

IMAGES = Inputs(np.random.default_rng(0).random((20, 12, 10, 3)).astype("float32"), kind="image")
TABLE = Inputs(
    np.random.default_rng(1).normal(size=(20, 5)).astype("float32"),
    kind="tabular",
    background=np.zeros((1, 5)),
)


def cnn() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 3),
    ).eval()


def as_tensor(rows: Inputs) -> torch.Tensor:
    return torch.tensor(rows.values.transpose(0, 3, 1, 2).copy())


def eager() -> nn.Module:
    """Static int8 as torch.ao's eager mode makes it, with packed weights."""
    import torch.ao.quantization as tq

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end, and its observers theirs
        net = nn.Sequential(tq.QuantStub(), cnn(), tq.DeQuantStub()).eval()
        net.qconfig = tq.get_default_qconfig("x86")
        tq.prepare(net, inplace=True)
        net(as_tensor(IMAGES))
        return tq.convert(net, inplace=True)


def by_fx() -> nn.Module:
    from torch.ao.quantization import get_default_qconfig_mapping
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end, and its observers theirs
        watched = prepare_fx(cnn(), get_default_qconfig_mapping("x86"), (as_tensor(IMAGES),))
        watched(as_tensor(IMAGES))
        return convert_fx(watched)


def dynamic() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end
        return torch.ao.quantization.quantize_dynamic(cnn(), {nn.Linear})


class Around(nn.Module):
    """A network whose forward does something to its derivatives."""

    def __init__(self, forward) -> None:
        super().__init__()
        self.net, self.how = cnn(), forward

    def forward(self, x):
        return self.how(self.net, x)


class Doubled(torch.autograd.Function):
    """An operation of the user's own without a backward pass."""

    @staticmethod
    def forward(_context, x):
        return 2 * x


def without_graph(net, x):
    with torch.no_grad():
        return net(x)


def inferred(net, x):
    with torch.inference_mode():
        return net(x)


INT8 = {"eager": eager, "fx": by_fx, "dynamic": dynamic}
CUT = {
    **INT8,
    "no_grad": lambda: Around(without_graph),
    "inference_mode": lambda: Around(inferred),
    "detach": lambda: Around(lambda net, x: net(x).detach()),
    "rows that are detached": lambda: Around(lambda net, x: net(x.detach())),
    "argmax": lambda: Around(lambda net, x: nn.functional.one_hot(net(x).argmax(1), 3).float()),
    "a numpy step": lambda: Around(
        lambda net, x: torch.from_numpy(np.tanh(net(x).detach().numpy()))
    ),
}


@pytest.mark.parametrize("make", CUT.values(), ids=CUT)
def test_a_module_without_a_gradient_loses_the_methods_that_need_one_and_says_why(make):
    net = make()
    for model in (
        wb.wrap(net, like=IMAGES, name="net", scale="raw"),
        wb.wrap(net, kind="image", shape=(12, 10, 3), name="net", scale="raw"),
    ):
        assert model.gradient is None
        assert "cannot" in model.absent["gradient"]
        with pytest.raises(IncompatibleError, match=r"Methods that can explain it: .*Occlusion"):
            wb.explain(model, IMAGES[:1], methods.IntegratedGradients(fill="zero"))
        result = wb.explain(model, IMAGES[:1], methods.Occlusion(window=4, stride=4), wb.Target(0))
        assert np.isfinite(result.values).all()


def test_a_cut_before_the_maps_leaves_them_and_one_behind_them_does_not():
    before = wb.wrap(CUT["rows that are detached"](), like=IMAGES, name="net")
    assert before.gradient is None
    assert before.activations is not None
    assert np.isfinite(wb.explain(before, IMAGES[:1], methods.GradCAM()).values).all()
    behind = wb.wrap(CUT["detach"](), like=IMAGES, name="net")
    assert behind.activations is None
    assert "layer 'net.1'" in behind.absent["activations"]
    assert behind.feature_maps is not None


def test_a_function_without_a_backward_pass_is_found_with_the_first_explanation():
    net = Around(lambda net, x: Doubled.apply(net(x)))
    model = wb.wrap(net, like=IMAGES, name="net")
    with pytest.raises(IncompatibleError):
        wb.explain(model, IMAGES[:1], methods.IntegratedGradients(fill="zero"))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "make", [torch.jit.script, lambda n: torch.jit.trace(n, torch.zeros(2, 5))]
)
def test_torchscript_keeps_the_gradient_that_it_has(make):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)).eval()
    model = wb.wrap(make(net), like=TABLE, name="net")
    rows = torch.tensor(TABLE.values[:3], dtype=torch.float32).requires_grad_()
    (wanted,) = torch.autograd.grad(net(rows)[:, 0].sum(), rows)
    weights = np.zeros((1, 3, 2))
    weights[..., 0] = 1
    np.testing.assert_allclose(
        model.gradient(TABLE.values[:3], weights)[1][0], wanted, rtol=1e-6, atol=1e-7
    )


def test_ordinary_and_quantization_aware_modules_keep_everything():
    import torch.ao.quantization as tq

    plain = wb.wrap(cnn(), like=IMAGES)
    assert {"gradient", "activations"} <= set(plain.capabilities)
    assert not plain.absent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao announces its end, and its observers theirs
        net = nn.Sequential(tq.QuantStub(), cnn(), tq.DeQuantStub()).train()
        net.qconfig = tq.get_default_qat_qconfig("x86")
        tq.prepare_qat(net, inplace=True)
        net(as_tensor(IMAGES))
        observed = wb.wrap(net.eval(), like=IMAGES)
    assert {"gradient", "activations"} <= set(observed.capabilities)


@pytest.mark.parametrize("make", INT8.values(), ids=INT8)
def test_save_names_the_function_that_can(make, tmp_path):
    model = wb.wrap(make(), like=IMAGES, name="int8")
    with pytest.raises(IncompatibleError, match=r"of 'int8' is .*variants\.save_copy"):
        models.save(model, tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()


def test_save_names_it_for_torchaos_integers_too(tmp_path):
    model = variants.quantize_weights(wb.wrap(cnn(), like=IMAGES, name="net"))
    with pytest.raises(IncompatibleError, match=r"variants\.save_copy"):
        models.save(model, tmp_path / "a.safetensors")
    variants.save_copy(model, tmp_path / "a.pt")
    again = variants.load_copy(tmp_path / "a.pt", model)
    np.testing.assert_array_equal(again.scores(IMAGES.values), model.scores(IMAGES.values))
