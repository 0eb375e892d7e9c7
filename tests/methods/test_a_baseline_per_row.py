"""Each row has a row of its own that means "absent", as captum's users give it."""

from __future__ import annotations

import captum.attr
import numpy as np
import pytest
import torch

import workbench as wb
from workbench import methods
from workbench.core import Inputs
from workbench.errors import InputError

RNG = np.random.default_rng(0)
ROWS, BASE = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))


@pytest.fixture
def module():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)
    ).double()


def test_integrated_gradients_begin_at_each_rows_own_baseline(module):
    rows = Inputs(ROWS, baseline=BASE)
    ours = wb.explain(
        wb.wrap(module, like=rows), rows, methods.IntegratedGradients(20, fill="baseline"), 1
    )
    theirs = captum.attr.IntegratedGradients(module).attribute(
        torch.tensor(ROWS), torch.tensor(BASE), target=1, n_steps=20, method="gausslegendre"
    )
    np.testing.assert_allclose(ours.values, theirs.detach(), atol=1e-12)
    np.testing.assert_allclose(ours.base, module(torch.tensor(BASE)).detach()[:, 1], atol=1e-12)


def test_shapley_values_of_a_linear_model_are_its_weights_times_the_distance():
    model = wb.wrap(lambda rows: rows @ [1.0, 2.0, 3.0], outputs=["y"], scale="raw", kind="tabular")
    rows = Inputs(ROWS, baseline=BASE)
    for method in (
        methods.ExactShapley(fill="baseline"),
        methods.PermutationSHAP(fill="baseline"),
        methods.Occlusion(fill="baseline"),
    ):
        found = wb.explain(model, rows[[2, 0]], method)
        np.testing.assert_allclose(found.values, (ROWS - BASE)[[2, 0]] * [1, 2, 3], atol=1e-12)


def test_a_baseline_belongs_to_its_rows():
    rows = Inputs(ROWS, baseline=BASE)
    np.testing.assert_array_equal(rows[[3, 1]].baseline, BASE[[3, 1]])
    assert rows.digest != Inputs(ROWS).digest != Inputs(ROWS, baseline=BASE + 1).digest
    with pytest.raises(InputError, match="each of the 4 rows, not 2"):
        Inputs(ROWS, baseline=BASE[:2])
    with pytest.raises(
        InputError, match=r"baseline rows need the shape|Baseline rows need the shape"
    ):
        Inputs(ROWS, baseline=BASE[:, :2])
    model = wb.wrap(lambda rows: rows.sum(1), outputs=["y"], scale="raw", kind="tabular")
    with pytest.raises(wb.errors.WorkbenchError, match="baseline=rows"):
        wb.explain(model, Inputs(ROWS), methods.ExactShapley(fill="baseline"))


def test_a_saved_result_keeps_it(tmp_path):
    model = wb.wrap(lambda rows: rows.sum(1), outputs=["y"], scale="raw", kind="tabular")
    wb.explain(model, Inputs(ROWS, baseline=BASE), methods.ExactShapley(fill="baseline")).save(
        tmp_path / "a"
    )
    np.testing.assert_array_equal(wb.read(tmp_path / "a").inputs.baseline, BASE)
