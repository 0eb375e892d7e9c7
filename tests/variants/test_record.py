"""The record of a copy: what was tried, what was measured, and what is no longer offered."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.small_nets import images, mlp, of_images, of_table, table
from workbench import methods, variants
from workbench.core import GradientCheck, Inputs, Model, Size
from workbench.errors import IncompatibleError
from workbench.variants.record.record import TRIED, recorded


def kept(copy: Model, original: Model, **more) -> Model:
    words = {"recipe": "made('net')", "description": "made", "runs_as": "float32"}
    return recorded(copy, original, **words, touched=1, layers=2, **more)


def test_the_largest_change_over_the_rows_is_told():
    model = of_table(mlp())
    shifts = np.linspace(0.0, 0.75, len(table()))[:, None]  # of so many rows, the last moves most
    asked = table().values

    def moved(rows):
        shift = shifts if len(rows) == len(asked) else 0.0
        return model.predict(rows) - shift

    copy = kept(replace(model, predict=moved, gradient=None), model, rows=table())
    assert copy.variant.change == pytest.approx(0.75, abs=1e-12)
    assert copy.variant.changed is True
    same = kept(model, model, rows=table())
    assert same.variant.change == 0.0
    assert same.variant.changed is False


def test_scores_that_depend_on_their_neighbors_are_found_and_told():
    model = Model("net", lambda rows: rows[:, :1], ("y",), "raw", shape=(3,))
    leaning = replace(model, predict=lambda rows: rows[:, :1] - rows.mean())
    copy = kept(leaning, model)
    assert copy.variant.batch_invariant is False
    assert any("depend on the rows beside it" in note for note in copy.notes)
    assert kept(model, model).variant.batch_invariant is True


def test_scores_that_are_drawn_anew_are_found_and_told():
    model = Model("net", lambda rows: rows[:, :1], ("y",), "raw", shape=(3,))
    draw = np.random.default_rng(0)
    shaky = replace(model, predict=lambda rows: rows[:, :1] + draw.random((len(rows), 1)))
    notes = kept(shaky, model).notes
    assert any("The same rows have other scores when asked again" in note for note in notes)
    assert kept(model, model).notes == ()


def test_no_more_rows_are_asked_than_are_needed(counted):
    model = Model("net", lambda rows: rows[:, :1], ("y",), "raw")
    many = Inputs(np.random.default_rng(0).normal(size=(100, 3)), kind="tabular")
    kept(model, counted.on(model), rows=many)
    assert counted.rows == TRIED


class Half(torch.autograd.Function):
    """The identity, with half of its slope."""

    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, slope):
        return slope / 2


class Wrong(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return Half.apply(values)


def test_a_copy_whose_gradient_is_not_the_slope_of_its_scores_has_none():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = of_images(net)
    wrong = of_images(nn.Sequential(Wrong(), *net))
    copy = kept(wrong, model, rows=images())
    assert copy.variant.gradient.status == "suspect"
    assert copy.variant.change == 0.0
    assert copy.capabilities == ("predict", "feature_maps", "masked")
    assert copy.absent["gradient"].startswith("Its gradient is not used: ")
    assert "activations" in copy.absent
    assert copy.notes[-1] == f"Its gradient is not used: {copy.variant.gradient.detail}"
    with pytest.raises(IncompatibleError, match="Its gradient is not used"):
        wb.explain(copy, images(), methods.GradCAM(), wb.Target(0))
    right = kept(model, model, rows=images())
    assert right.variant.gradient.ok
    assert right.absent == {}
    assert "gradient" in right.capabilities


def test_a_verdict_and_sizes_that_were_given_are_taken():
    model = of_table(mlp())
    size, before = Size(1, 2, 3, 4, 5), Size(6, 7, 8, 9)
    check = GradientCheck("disconnected", "It does not reach the rows.")
    copy = kept(model, model, size=size, original_size=before, gradient=check)
    assert copy.variant.size is size
    assert copy.variant.original_size is before
    assert copy.variant.gradient is check
    assert copy.gradient is None


def test_a_copy_of_a_copy_tells_both():
    first = variants.prune(of_table(mlp()), 0.5, name="half")
    second = variants.low_rank(first, rank=2)
    assert second.variant.of == "half"
    assert second.variant.original_size == first.variant.size
    assert [line.split("(")[0] for line in second.lineage] == ["prune", "low_rank"]


def test_a_copy_whose_operations_cannot_be_seen_multiplies_as_often_if_it_has_as_many_weights():
    model = of_table(mlp())
    hidden = Model("hidden", model.predict, model.outputs, "logit", shape=(6,))
    hidden = replace(hidden, predict=lambda rows: model.predict(rows), native=_Weights(215))
    seen = kept(hidden, model).variant
    assert seen.size.parameters == 215
    assert seen.size.macs == seen.original_size.macs == 192
    assert kept(replace(hidden, native=_Weights(214)), model).variant.size.macs is None


class _Weights:
    """As an estimator with so many weights looks to skops."""

    def __init__(self, count: int) -> None:
        self.coef_ = np.ones(count)

    def get_params(self, deep: bool = True) -> dict:
        return {}
