"""What `wrap` accepts, what it refuses, and callables."""

import numpy as np
import pytest

from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models import wrap


def double(rows):
    return 2 * rows[:, 0]


def test_a_callable_with_outputs_and_scale_is_a_model():
    model = wrap(double, outputs=["y"], scale="raw")
    assert (model.name, model.kind, model.digest) == ("double", None, "")
    np.testing.assert_array_equal(model.scores(np.array([[3.0, 5.0]])), [[6.0]])
    assert model.capabilities == ("predict",)


def test_a_callable_needs_outputs_and_scale_said():
    with pytest.raises(InputError, match="outputs and scale are missing"):
        wrap(double)
    with pytest.raises(InputError, match="scale is missing"):
        wrap(double, outputs=["y"])


def test_a_callable_is_tried_on_like_and_takes_its_columns():
    like = Inputs([[1.0, 2.0]], kind="tabular", features=("a", "b"))
    model = wrap(double, outputs=["y"], scale="raw", like=like)
    assert (model.features, model.shape, model.kind) == (("a", "b"), (2,), "tabular")
    with pytest.raises(ModelError, match="one column per output"):
        wrap(double, outputs=["y", "z"], scale="raw", like=like)


def test_a_model_comes_back_under_another_name_only():
    model = wrap(double, outputs=["y"], scale="raw")
    assert wrap(model) is model
    assert wrap(model, name="twice").name == "twice"
    with pytest.raises(InputError, match="is a Model already"):
        wrap(model, scale="logit")


@pytest.mark.parametrize(
    ("thing", "found"),
    [
        (3, "a int"),
        (np.ones(3), "a ndarray"),
        (dict, "the class dict. Give an instance"),
        ("model.pt", "workbench.load"),
        (None, "a NoneType"),
    ],
)
def test_anything_else_is_refused_with_what_is_accepted(thing, found):
    with pytest.raises(IncompatibleError, match=rf"torch.nn.Module.*callable.*{found}"):
        wrap(thing)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"scale": "odds"}, "scale must be one of"),
        ({"kind": "sound"}, "kind must be one of"),
        ({"batch": 0}, "batch must be a whole number"),
        ({"shape": (0, 3)}, "shape must hold lengths"),
        ({"like": np.ones((2, 2))}, "like must be Inputs"),
        ({"like": Inputs(np.ones((0, 2)), kind="tabular")}, "at least one row"),
        ({"like": Inputs(np.ones((1, 2)), kind="tabular"), "kind": "image"}, "contradicts like"),
        ({"output": "logits"}, "for torch modules"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, why):
    with pytest.raises(InputError, match=why):
        wrap(double, **{"outputs": ["y"], "scale": "raw", **arguments})


def test_importing_the_adapters_imports_no_other_library():
    import subprocess
    import sys

    heavy = ["torch", "sklearn", "pandas", "scipy", "skops", "safetensors"]
    code = f"import workbench.models, sys; print([m for m in {heavy} if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
