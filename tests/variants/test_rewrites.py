"""Folded batch norm and static graphs: other modules, the same scores and the same gradients."""

import copy as copying
import shutil

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
from workbench import data, methods, variants
from workbench.core import Model
from workbench.errors import IncompatibleError, InputError, MissingDependency, ModelError
from workbench.models import small_cnn


def meeting() -> Meeting:
    torch.manual_seed(14)
    return settled(Meeting(), pixels())


def norms(copy: Model) -> int:
    return sum(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in copy.native.modules())


def slopes(model: Model, rows: np.ndarray) -> np.ndarray:
    weights = np.random.default_rng(15).normal(size=(1, len(rows), len(model.outputs)))
    return model.gradient(rows, weights)[1]


def test_batch_norms_of_the_bundled_network_fold_and_its_scores_stay():
    model = wb.load(data.asset("shapes_cnn.safetensors"), architecture=small_cnn)
    copy = variants.fold_batch_norm(model, rows=data.shapes("test")[:4])
    assert norms(copy) == 0
    assert copy.variant.touched == copy.variant.layers == 5
    assert copy.variant.change <= 10 * ROUNDING  # its scores reach 10
    assert copy.variant.size.parameters < copy.variant.original_size.parameters
    rows = data.shapes("test")[:2].values
    left = {name for name in model.layers(rows) if not name.endswith("norm")}
    assert set(copy.layers(rows)) == left  # a norm's place gives what the layer before it gives
    assert list(copy.layers(rows))[-1] == list(model.layers(rows))[-1]


def test_a_network_in_training_is_folded_as_it_is_asked():
    net = meeting().train()
    before = as_it_is(net)
    model = of_images(net)
    copy = variants.fold_batch_norm(model, rows=images())
    assert same_as(before, net)
    assert norms(copy) == 0
    assert copy.variant.change <= ROUNDING
    rows = images().values
    np.testing.assert_allclose(slopes(copy, rows), slopes(model, rows), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 6, 2, groups=3),
        nn.Conv2d(3, 5, 2, bias=False),
        nn.ConvTranspose2d(3, 5, 2),
    ],
    ids=["grouped", "no bias", "transposed"],
)
@pytest.mark.parametrize("affine", [True, False])
def test_every_kind_of_convolution_takes_its_norm_in(layer, affine, tmp_path):
    torch.manual_seed(16)
    layer = copying.deepcopy(layer)
    net = nn.Sequential(
        layer,
        nn.BatchNorm2d(layer.out_channels, affine=affine),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    if affine:
        settled(net, pixels())
    net.train()(pixels())
    copy = variants.fold_batch_norm(of_images(net, "abcdef"[: layer.out_channels]), rows=images())
    assert norms(copy) == 0
    assert copy.variant.change <= ROUNDING
    rows = images().values
    np.testing.assert_array_equal(loaded_again(copy, tmp_path).scores(rows), copy.scores(rows))


def test_a_linear_layer_takes_its_norm_in_and_one_before_a_layer_stays():
    batch = torch.randn(30, 6, generator=torch.Generator().manual_seed(17))
    norms_in, norms_out = nn.BatchNorm1d(6), nn.BatchNorm1d(9)
    net = nn.Sequential(norms_in, nn.Linear(6, 9), norms_out, nn.ReLU(), nn.Linear(9, 3))
    settled(net, batch)
    copy = variants.fold_batch_norm(of_table(net, shape=(6,)))
    assert [type(part) for part in copy.native[:3]] == [nn.BatchNorm1d, nn.Linear, nn.Identity]
    assert copy.variant.change <= ROUNDING
    assert copy.notes[-1].startswith("1 of 2 batch norms stay")


class Crossed(nn.Module):
    """The norm's channels are an axis of places to the linear layer before it, and as many."""

    def __init__(self) -> None:
        super().__init__()
        self.spread, self.norm, self.head = nn.Linear(1, 6), nn.BatchNorm1d(6), nn.Linear(36, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.spread(rows[:, :, None])).flatten(1))


class Overheard(nn.Module):
    """Something else reads what the norm reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.head = nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        raw = self.first(rows)
        return self.head(self.norm(raw) + raw)


@pytest.mark.parametrize("net", [Crossed, Overheard])
def test_norms_that_a_layer_cannot_take_in_are_not_folded(net):
    with pytest.raises(IncompatibleError, match=r"none of the 1 of 'net' follows"):
        variants.fold_batch_norm(of_table(net(), shape=(6,)), rows=table())


def test_norms_that_average_over_the_batch_are_not_folded():
    norm = nn.BatchNorm2d(5, track_running_stats=False)
    net = nn.Sequential(nn.Conv2d(3, 5, 1), norm, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(IncompatibleError, match="with running statistics"):
        variants.fold_batch_norm(of_images(net, "abcde"), rows=images())


def test_a_network_without_batch_norm_is_refused():
    with pytest.raises(
        IncompatibleError, match="batch normalization is needed, but 'net' has none"
    ):
        variants.fold_batch_norm(of_table(mlp()))


class Untraced(nn.Module):
    """Has no graph; `honest` says whether its Sequential runs in the order in which it is listed."""

    def __init__(self, *, honest: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU())
        self.head = nn.Linear(6, 3)
        self.honest = honest

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        rows = rows if rows.sum() > 1e9 else rows + 0.5
        order = self.body if self.honest else reversed(self.body)
        for part in order:
            rows = part(rows)
        return self.head(rows)


def test_without_a_graph_the_order_of_a_sequential_counts_and_a_wrong_one_is_noticed():
    batch = torch.randn(30, 6, generator=torch.Generator().manual_seed(18))
    torch.manual_seed(19)
    honest = settled(Untraced(honest=True), batch)
    copy = variants.fold_batch_norm(of_table(honest), rows=table())
    assert norms(copy) == 0
    assert copy.variant.change <= ROUNDING
    wrong = settled(Untraced(honest=False), batch)
    with pytest.raises(ModelError, match="by rounding alone"):
        variants.fold_batch_norm(of_table(wrong), rows=table())


@pytest.mark.parametrize("graph", ["trace", "export"])
def test_a_static_graph_has_the_same_scores_and_gradients(graph, tmp_path):
    net = meeting().train()
    before = as_it_is(net)
    model = of_images(net)
    copy = variants.static_graph(model, graph, rows=images())
    assert same_as(before, net)
    assert copy.variant.change <= ROUNDING
    assert copy.variant.gradient.ok
    rows = images(7).values
    for some in (rows[:1], rows):
        np.testing.assert_allclose(copy.scores(some), model.scores(some), rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(slopes(copy, some), slopes(model, some), rtol=0, atol=ROUNDING)
    assert copy.variant.size == copy.variant.original_size
    assert copy.variant.runs_as == f"float32, torch, {graph}"
    assert copy.variant.warnings == ()


@pytest.mark.parametrize("graph", ["trace", "export"])
def test_a_static_graph_is_the_same_from_its_file(graph, tmp_path):
    copy = variants.static_graph(of_table(mlp()), graph)
    other = variants.static_graph(of_table(nn.Sequential(*mlp())), graph)
    with torch.no_grad():
        for one in other.native.parameters():
            one.zero_()
    from workbench.models import save

    save(copy, tmp_path / "copy.safetensors")
    state = wb.load(tmp_path / "copy.safetensors", architecture=mlp).native.state_dict()
    other.native.load_state_dict(state)
    rows = table().values
    np.testing.assert_array_equal(other.scores(rows), copy.scores(rows))


def test_maps_of_a_static_graph_are_missed_with_the_reason():
    copy = variants.static_graph(of_images(meeting()), "trace", rows=images())
    with pytest.raises(IncompatibleError, match="cannot be seen in a graph made by torch's trace"):
        wb.explain(copy, images(), methods.GradCAM(), wb.Target(0))
    result = wb.explain(copy, images(), methods.IntegratedGradients(steps=4), wb.Target(0))
    assert result.values.shape == images().values.shape


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.head(rows) if rows.sum() > 0 else self.head(-rows)


def test_graphs_that_cannot_be_taken_are_refused():
    with pytest.raises(
        IncompatibleError, match=r"torch's export can take as a graph is needed, but 'net'"
    ):
        variants.static_graph(of_table(Branching()), "export")
    with pytest.raises(InputError, match=r"graph must be one of \['trace', 'export', 'compile'\]"):
        variants.static_graph(of_table(mlp()), "onnx")


def test_compiled_code_has_the_same_scores_and_gradients(tmp_path):
    model = of_table(nn.Sequential(nn.Linear(6, 3)))
    if not any(map(shutil.which, ("g++", "c++", "clang++", "cl"))):
        with pytest.raises(MissingDependency):
            variants.static_graph(model, "compile")
        return
    copy = variants.static_graph(model, "compile")
    assert copy.variant.change <= ROUNDING
    assert copy.variant.gradient.ok
    assert copy.variant.size.macs == copy.variant.original_size.macs == 18
    rows = table().values
    np.testing.assert_allclose(slopes(copy, rows), slopes(model, rows), rtol=0, atol=ROUNDING)
    np.testing.assert_array_equal(loaded_again(copy, tmp_path).scores(rows), copy.scores(rows))


def test_compiling_without_a_compiler_is_refused(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingDependency, match=r"needs a C\+\+ compiler"):
        variants.static_graph(of_table(mlp()), "compile")
