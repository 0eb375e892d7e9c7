"""What torch modules answer: shapes that are accepted, answers that are refused, memory."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models import wrap


def mlp() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 4)).double()


def rows(n: int = 5) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(n, 6))


class Answering(nn.Module):
    """Gives whatever `make` makes of its logits."""

    def __init__(self, make) -> None:
        super().__init__()
        self.net, self.make = mlp(), make

    def forward(self, x):
        return self.make(self.net(x))


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda y: (y, y), "a tuple of 2"),
        (lambda y: {"logits": y}, r"a dict with entries \['logits'\]"),
        (lambda y: y.argmax(1), "torch.int64 numbers, which look like labels"),
        (lambda y: y[:, :, None], r"\(5, 4, 1\)"),
        (lambda y: y.sum(), r"gave \(\)"),
        (lambda y: None, "a NoneType"),
    ],
)
def test_an_answer_that_is_not_scores_is_refused_with_what_to_do(make, found):
    model = wrap(Answering(make), outputs=list("abcd"), scale="logit", shape=(None,))
    with pytest.raises(IncompatibleError, match=found):
        model.scores(rows())


@pytest.mark.parametrize(
    ("make", "output"), [(lambda y: (None, y), 1), (lambda y: {"logits": y}, "logits")]
)
def test_one_entry_of_a_composite_answer_can_be_named(make, output):
    model = wrap(Answering(make), scale="logit", output=output)
    np.testing.assert_allclose(model.scores(rows()), wrap(mlp()).scores(rows()))
    with pytest.raises(IncompatibleError, match="entry 'other'"):
        wrap(Answering(make), scale="logit", output="other")


def test_rows_of_a_wrong_width_get_a_sentence():
    with pytest.raises(ModelError, match=r"a batch of shape \(5, 7\), but failed: mat1 and mat2"):
        wrap(mlp()).scores(np.ones((5, 7)))


def test_scores_that_cannot_be_differentiated_get_a_sentence():
    model = wrap(Answering(lambda y: y.detach()), outputs=list("abcd"))
    assert model.gradient is None
    assert re.search(r"cuts the connection.*LIME", model.absent["gradient"])


def test_weights_that_are_nan_are_a_model_error_that_names_the_rows():
    broken = mlp()
    with torch.no_grad():
        broken[0].weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="5 of 5 rows got NaN"):
        wrap(broken).scores(rows())


def test_memory_that_runs_out_halves_the_batch_and_is_told():
    class Hungry(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.sizes = mlp(), []

        def forward(self, x):
            self.sizes.append(len(x))
            if len(x) > 3:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")
            return self.net(x)

    model = wrap(Hungry(), outputs=list("abcd"), shape=(None,), batch=9)
    expected = wrap(mlp()).scores(rows(12))
    assert model.remarks() == ()
    np.testing.assert_allclose(model.scores(rows(12)), expected, rtol=1e-12)
    assert model.native.sizes == [9, 4, 2, 2, 2, 2, 2, 2]
    assert "now takes 2 rows at a time" in model.remarks()[0]


def test_memory_that_one_row_does_not_fit_into_is_an_error():
    class Starving(nn.Module):
        def forward(self, x):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")

    model = wrap(Starving(), outputs=["y"], scale="raw", shape=(None,))
    with pytest.raises(ModelError, match="more memory for a single row"):
        model.scores(rows(5))


def test_a_module_without_weights_of_its_own_can_be_wrapped():
    model = wrap(nn.Flatten(), outputs=list("abcdef"), scale="raw", kind="tabular")
    np.testing.assert_allclose(model.scores(rows()), rows(), rtol=1e-6)  # float32 by default


def test_a_module_on_the_meta_device_is_refused():
    with pytest.raises(InputError, match="meta device"):
        wrap(nn.Linear(3, 2, device="meta"))
