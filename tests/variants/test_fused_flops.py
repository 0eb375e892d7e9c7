"""Multiply-accumulates that torch does in one call are counted as by hand."""

import numpy as np
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

import workbench as wb
from workbench import variants
from workbench.core import Inputs, Model


class Sequence(nn.Module):
    """Six columns as steps of one number each, then a layer over them, then three scores."""

    def __init__(self, width: int, over: nn.Module, out: int):
        super().__init__()
        self.wide, self.over, self.head = nn.Linear(1, width), over, nn.Linear(out, 3)

    def forward(self, rows):
        steps = self.wide(rows[:, :, None])
        if isinstance(self.over, nn.MultiheadAttention):
            steps = self.over(steps, steps, steps, need_weights=False)[0]
        elif isinstance(self.over, nn.LSTM):
            steps = self.over(steps)[0]
        else:
            steps = self.over(steps)
        return self.head(steps.mean(1))


class Products(nn.Module):
    def forward(self, steps):
        return scaled_dot_product_attention(steps, steps, steps)


def table() -> Inputs:
    return Inputs(np.random.default_rng(0).normal(size=(5, 6)), kind="tabular")


def model_of(over: nn.Module, width: int, out: int) -> Model:
    return wb.wrap(Sequence(width, over, out).eval(), like=table(), scale="logit")


def macs(over: nn.Module, width: int, out: int) -> int | None:
    return variants.size_of(model_of(over, width, out), table()).macs - 6 * width - 3 * out


def test_a_recurrent_layer_multiplies_both_matrices_at_every_step():
    assert macs(nn.LSTM(4, 5, batch_first=True), 4, 5) == 6 * 4 * 5 * (4 + 5)
    both = nn.LSTM(4, 5, num_layers=2, bidirectional=True, batch_first=True)
    assert macs(both, 4, 10) == 2 * 6 * 4 * 5 * ((4 + 5) + (10 + 5))


def test_attention_multiplies_four_matrices_and_places_with_places():
    by_hand = 6 * 4 * 8 * 8 + 2 * 6 * 6 * 8
    assert macs(nn.MultiheadAttention(8, 2, batch_first=True), 8, 8) == by_hand
    layer = nn.TransformerEncoderLayer(8, 2, 20, dropout=0.0, batch_first=True)
    assert macs(layer, 8, 8) == by_hand + 2 * 6 * 8 * 20


def test_products_of_places_alone_are_counted():
    assert macs(Products(), 8, 8) == 2 * 6 * 6 * 8


def test_a_graph_of_attention_multiplies_as_often_as_its_original():
    model = model_of(nn.MultiheadAttention(8, 2, batch_first=True), 8, 8)
    size = variants.static_graph(model, "export", rows=table()).variant.size
    assert size.macs == variants.size_of(model, table()).macs
