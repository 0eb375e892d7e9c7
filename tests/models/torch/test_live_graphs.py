"""TorchScript, exported programs and modules without weights, as live objects."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.adapters_at_hand import exported, images, mlp, scripted, small_convolution, table
from workbench import methods
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models import Split


class Cut(nn.Module):
    """(n, 6) -> (n, 3), half of it cut off from the graph of derivatives."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.open, self.closed = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.open(rows) + torch.tanh(self.closed(rows)).detach()


def traced(module: nn.Module, like: torch.Tensor) -> torch.jit.ScriptModule:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        return torch.jit.trace(module.eval(), like)


def exported_free(module: nn.Module, like: torch.Tensor):
    free = ({0: torch.export.Dim("n", min=1, max=64)},)
    return torch.export.export(module.eval(), (like,), dynamic_shapes=free)


def test_gradients_through_a_graph_are_those_of_the_module_it_was_made_from():
    rows = table()
    weights = np.ones((1, 3, 3))
    expected = wb.wrap(mlp().eval(), like=rows).gradient(rows.values, weights)[1]
    for live in (scripted(), exported(None), exported(1), exported(2)):
        found = wb.wrap(live, like=rows).gradient(rows.values, weights)[1]
        np.testing.assert_allclose(found, expected, atol=1e-6)  # float32, added in another order


@pytest.mark.parametrize("make", [traced, exported_free])
def test_a_gradient_that_a_graph_cuts_in_half_is_refused(make):
    rows = table()
    model = wb.wrap(make(Cut(), torch.ones(2, 6)), like=rows)
    with pytest.raises(IncompatibleError, match=r"is not one.*finite differences"):
        wb.explain(model, rows, methods.IntegratedGradients(steps=4), wb.Target(0))
    assert np.isfinite(wb.explain(model, rows, methods.ExactShapley()).values).all()


def test_a_graph_that_cuts_nothing_is_differentiated_and_torchscript_says_it_was_tried():
    rows = table()
    for live, remarks in ((scripted(), 1), (exported(None), 0)):
        model = wb.wrap(live, like=rows)
        result = wb.explain(model, rows, methods.IntegratedGradients(), wb.Target(0))
        np.testing.assert_allclose(result.gap, 0, atol=1e-5)  # float32, a smooth network
        tried = [one for one in model.remarks() if "its gradient was tried once" in one]
        assert len(tried) == remarks


@pytest.mark.parametrize(
    ("make", "where"), [(traced, "inside TorchScript"), (exported_free, "an exported program")]
)
def test_layers_inside_a_graph_cannot_be_seen_and_the_reason_is_told(make, where):
    rows = images()
    like = torch.tensor(rows.values).float().permute(0, 3, 1, 2)
    model = wb.wrap(make(small_convolution(), like), like=rows)
    assert (model.activations, model.feature_maps, model.layers) == (None, None, None)
    with pytest.raises(IncompatibleError, match=where):
        wb.explain(model, rows, methods.GradCAM(), wb.Target(0))
    assert where in model.absent["feature_maps"]


def test_a_graph_of_layers_shows_them():
    rows = images()
    model = wb.wrap(torch.fx.symbolic_trace(small_convolution()), like=rows)
    assert list(model.layers(rows.values[:1])) == ["0", "1"]
    assert model.absent == {}


def test_a_scripted_part_takes_no_hooks_and_the_block_around_it_is_seen():
    inner = traced(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh()), torch.ones(1, 3, 9, 8))
    around = nn.Sequential(nn.Sequential(inner), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    rows = images()
    model = wb.wrap(around, like=rows)
    assert list(model.layers(rows.values[:1])) == ["0"]
    result = wb.explain(model, rows, methods.GradCAM(), wb.Target(0))
    assert np.isfinite(result.values).all()


def test_rows_are_handed_over_in_the_number_an_exported_graph_insists_on():
    rows = table(5)
    model = wb.wrap(exported(2), like=rows)
    assert model.batch == 2
    expected = wb.wrap(mlp(), like=rows).scores(rows.values)
    np.testing.assert_allclose(model.scores(rows.values), expected, atol=1e-6)  # float32
    assert model.scores(rows.values[:0]).shape == (0, 3)
    bounded = torch.export.export(
        mlp().eval(),
        (torch.ones(3, 6),),
        dynamic_shapes=({0: torch.export.Dim("n", min=2, max=4)},),
    )
    assert wb.wrap(exported(None), like=rows).batch == 4096
    any_number = ({0: torch.export.Dim.AUTO},)
    free = torch.export.export(mlp().eval(), (torch.ones(3, 6),), dynamic_shapes=any_number)
    assert wb.wrap(free, like=rows).batch == wb.wrap(mlp(), like=rows).batch
    model = wb.wrap(bounded, like=rows)
    assert model.batch == 4
    np.testing.assert_allclose(model.scores(rows.values), expected, atol=1e-6)  # 4, then 1 of 2


def test_an_exported_program_of_two_inputs_takes_them_as_it_was_exported():
    class Sum(nn.Module):
        def forward(self, left, right):
            return left * right

    left, right = torch.ones(1, 2), torch.zeros(1, 2)
    by_place = torch.export.export(Sum(), (left, right))
    by_name = torch.export.export(Sum(), (), {"left": left, "right": right})
    rows = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    for program, parts in ((by_place, [2, 2]), (by_name, {"left": 2, "right": 2})):
        model = wb.wrap(program, preprocess=Split(parts), outputs=["a", "b"])
        assert model.scores(rows).tolist() == [[3, 8], [35, 48]]
    with pytest.raises(ModelError, match=r"by position: give them so, with Split\(\[columns"):
        wb.wrap(by_place, preprocess=Split({"left": 2, "right": 2}), outputs=["a", "b"], shape=(4,))


def test_a_module_without_weights_yet_says_which_layer():
    lazy = nn.Sequential(nn.Linear(6, 4), nn.LazyLinear(3))
    with pytest.raises(InputError, match="needs weights, but its layer '1' is lazy"):
        wb.wrap(lazy, like=table())
    lazy(torch.ones(1, 6))
    assert wb.wrap(lazy, like=table()).scores(table().values).shape == (3, 3)
    half = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 3, device="meta"))
    with pytest.raises(InputError, match="is on the meta device"):
        wb.wrap(half, like=table())
