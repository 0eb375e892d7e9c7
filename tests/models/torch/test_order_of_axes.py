"""In which order a module reads signals: the first layer tells, the module decides, and a note says it."""

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.places import Convolved, Recurrent, Turning, boxes, made, signals, turned, volumes
from workbench import methods, variants
from workbench.core import Inputs
from workbench.errors import InputError

FIRST, AS_THEY_ARE = "channels first, (n, c, t)", "as they are, (n, t, c)"


every_order = pytest.mark.parametrize(
    ("build", "rows"), [(Convolved, signals()), (Turning, signals()), (boxes, volumes())]
)


def notes(model, rows):
    return " ".join(wb.explain(model, rows, methods.Occlusion(), wb.Target(0)).notes)


@pytest.mark.parametrize(
    ("build", "order", "said"),
    [(Convolved, FIRST, "first layer is Conv1d"), (Recurrent, AS_THEY_ARE, "first layer is LSTM"),
     (lambda: Recurrent(nn.GRU), AS_THEY_ARE, "first layer is GRU"),
     (Turning, AS_THEY_ARE, "fails otherwise"),
     (lambda: nn.Sequential(nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(40, 3)), FIRST, "BatchNorm1d"),
     (lambda: nn.Sequential(nn.Flatten(), nn.Linear(40, 3)), AS_THEY_ARE, "Linear")],
)  # fmt: skip
def test_scores_are_the_modules_own_on_rows_in_its_order(build, order, said):
    net, rows = made(build), signals()
    model = wb.wrap(net, like=rows, scale="raw")
    given = turned(rows.values) if order == FIRST else torch.tensor(rows.values)
    np.testing.assert_array_equal(model.predict(rows.values), net(given).detach().numpy())
    assert order in notes(model, rows)
    assert said in notes(model, rows)


def test_an_order_that_fits_twice_is_that_of_the_first_layer():
    net, rows = made(Convolved), signals(t=2)
    model = wb.wrap(net, like=rows, scale="raw")
    np.testing.assert_array_equal(
        model.predict(rows.values), net(turned(rows.values)).detach().numpy()
    )


@pytest.mark.parametrize("build", [Convolved, Turning, Recurrent])
def test_channels_first_rows_are_refused_and_never_read_in_the_other_order(build):
    rows = Inputs(np.zeros((3, 2, 20)), kind="signal")
    with pytest.raises(InputError, match=r"look like channels first.*transpose\(0, 2, 1\)"):
        wb.wrap(made(build), like=rows)


@pytest.mark.parametrize(("build", "rows"), [(Convolved, signals()), (boxes, volumes())])
def test_a_convolution_tells_the_kind_and_the_channels_of_a_row(build, rows):
    net = made(build)
    places = (None,) * len(rows.places)
    for model in (
        wb.wrap(net),
        wb.wrap(net, kind=rows.kind, shape=(*places, rows.values.shape[-1])),
    ):
        assert (model.kind, model.shape) == (rows.kind, (*places, rows.values.shape[-1]))
        assert len(model.outputs) == 3
        np.testing.assert_array_equal(
            model.predict(rows.values), net(turned(rows.values)).detach().numpy()
        )


def test_a_recurrent_network_is_wrapped_by_the_width_of_its_rows():
    model = wb.wrap(made(Recurrent), kind="signal", shape=(None, 2))
    assert len(model.outputs) == 3


def test_a_convolution_over_the_columns_of_a_table_stays_a_tables():
    class OverColumns(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(1, 2, 3), nn.Linear(2, 2)

        def forward(self, x):
            return self.head(self.conv(x.reshape(len(x), 1, -1)).mean(-1))

    table = Inputs(np.random.default_rng(0).normal(size=(3, 9)), kind="tabular")
    net = made(OverColumns)
    for model in (wb.wrap(net, outputs=["a", "b"]), wb.wrap(net, like=table)):
        wanted = net(torch.tensor(table.values)).detach().numpy()
        np.testing.assert_array_equal(model.predict(table.values), wanted)
        wb.explain(model, table, methods.Occlusion(fill="zero"), wb.Target(0))


@every_order
def test_gradients_come_back_channels_last(build, rows):
    net = made(build)
    model = wb.wrap(net, like=rows, scale="raw")
    given = (
        torch.tensor(rows.values) if build is Turning else turned(rows.values)
    ).requires_grad_()
    (slope,) = torch.autograd.grad(net(given)[:, 2].sum(), given)
    wanted = slope if build is Turning else slope.movedim(1, -1)
    weights = np.zeros((1, len(rows), 3))
    weights[..., 2] = 1.0
    np.testing.assert_allclose(
        model.gradient(rows.values, weights)[1][0], wanted.numpy(), atol=1e-14
    )


def test_modules_that_flatten_with_view_read_signals_and_volumes():
    class Viewing(nn.Module):
        def __init__(self, width, norm):
            super().__init__()
            self.head, self.norm = (
                nn.Linear(width, 2),
                norm,
            )  # defined in another order than they run

        def forward(self, x):
            return self.head(self.norm(x).view(len(x), -1))

    for width, norm, rows in (
        (40, nn.BatchNorm1d(2), signals(6)),
        (192, nn.BatchNorm3d(1), volumes(6)),
    ):
        net = made(lambda width=width, norm=norm: Viewing(width, norm))
        model = wb.wrap(net, like=rows, scale="raw")
        np.testing.assert_array_equal(
            model.predict(rows.values), net(turned(rows.values)).detach().numpy()
        )


def test_tokens_of_a_transformer_have_the_places_of_the_signal():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(2, 8)
            self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.block(self.embed(x)).mean(1))

    net, rows = made(Tokens), signals()
    model = wb.wrap(net, like=rows, scale="raw")
    found = wb.explain(model, rows, methods.HiResCAM(layer="block"), wb.Target(1))
    kept = {}
    handle = net.block.register_forward_hook(lambda _m, _g, out: kept.update(out=out))
    score = net(torch.tensor(rows.values))[:, 1].sum()
    handle.remove()
    (slope,) = torch.autograd.grad(score, kept["out"])
    np.testing.assert_allclose(
        found.values, (slope * kept["out"]).sum(-1).detach().numpy(), atol=1e-12
    )


@every_order
def test_a_copy_reads_rows_in_the_order_of_its_model(build, rows):
    model = wb.wrap(made(build), like=rows, scale="raw")
    copy = variants.cast(model, "bfloat16")
    np.testing.assert_allclose(
        copy.predict(rows.values), model.predict(rows.values), rtol=0.02, atol=0.02
    )
