"""An adapter is one file: written into a folder of the registry, it is all that `wrap` needs."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import workbench as wb
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.models import adapters

SCALES = '''
    """A bathroom scale: an object of a library that nobody here knows."""

    import sys

    from workbench.core import Model


    class Scales:
        what = "a bathroom scale"

        def recognizes(self, native):
            return type(native).__name__ == "BathroomScale"

        def wrap(self, native, wrapping):
            return Model(
                wrapping.named("scale").name,
                predict=lambda rows: native.offset + rows.sum(axis=1, keepdims=True),
                outputs=tuple(wrapping.outputs or ("kilograms",)),
                scale="raw",
                native=native,
            )
'''


class BathroomScale:
    """It can be called, so without an adapter of its own it would be taken for a function."""

    offset = 2.0

    def __call__(self, rows):
        raise AssertionError("its adapter reads the offset instead")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """One more folder of the registry, for one test."""
    monkeypatch.setattr(adapters, "__path__", [*adapters.__path__, str(tmp_path)])
    adapters.catalog.cache_clear()
    yield tmp_path
    adapters.catalog.cache_clear()
    sys.modules.pop(f"{adapters.__name__}.scales", None)


def test_a_file_in_the_folder_is_a_new_adapter(folder):
    (folder / "scales.py").write_text(textwrap.dedent(SCALES))
    model = wb.wrap(BathroomScale())
    assert (model.name, model.outputs, model.scale) == ("scale", ("kilograms",), "raw")
    np.testing.assert_array_equal(model.scores(np.array([[1.0, 4.0]])), [[7.0]])
    assert wb.wrap(BathroomScale(), name="mine", outputs=["kg"]).outputs == ("kg",)


def test_what_a_new_adapter_recognizes_is_among_what_an_error_lists(folder):
    (folder / "scales.py").write_text(textwrap.dedent(SCALES))
    with pytest.raises(IncompatibleError, match=r"(^A|, a) bathroom scale, .*a live torch\.nn\."):
        wb.wrap(3)


def test_arguments_that_a_new_adapter_does_not_read_are_refused(folder):
    (folder / "scales.py").write_text(textwrap.dedent(SCALES))
    like = Inputs(np.ones((1, 2)), kind="tabular")
    with pytest.raises(InputError, match="preprocess and output are for torch modules"):
        wb.wrap(BathroomScale(), output=0)
    with pytest.raises(
        InputError, match="frames is for callables and estimators, but got a BathroomScale"
    ):
        wb.wrap(BathroomScale(), frames=True, like=like)


def test_all_that_is_recognized_is_said_in_one_sentence():
    with pytest.raises(IncompatibleError) as caught:
        wb.wrap(None)
    *others, last = (one.what for one in adapters.catalog())
    said = f"{', '.join(others)}, or {last} is needed, but got a NoneType."
    assert str(caught.value) == said[0].upper() + said[1:]
    assert said.endswith(
        "a live torch.nn.Module, a fitted scikit-learn estimator or Pipeline, a booster of XGBoost, "
        "LightGBM or CatBoost, an ONNX model, or a callable from rows to scores is needed, but got a "
        "NoneType."
    )


def test_to_look_through_the_adapters_imports_none_of_their_libraries():
    code = (
        "import sys; from workbench.models.adapters import catalog; catalog(); "
        "print([one for one in ('torch', 'sklearn', 'xgboost', 'lightgbm', 'catboost', 'onnx', "
        "'onnxruntime') if one in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_only_margins_are_no_probabilities():
    class Margins:
        classes_ = ("no", "yes")

        def decision_function(self, rows):
            return rows[:, 0]

    with pytest.raises(
        IncompatibleError, match=r"needs predict_proba, which 'Margins' \(Margins\)"
    ):
        wb.wrap(Margins(), scale="probability")
