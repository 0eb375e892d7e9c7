"""Whatever a model or a step of it raises is one ModelError that names it."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

import workbench as wb
from workbench import data, ensembles, methods
from workbench.errors import InputError, ModelError

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(40, 2)), columns=["a", "b"])
CLASSES = (FRAME["a"] > 0).astype(int)
ROWS = data.table(FRAME[:3], background=FRAME[3:6])


class SchemaError(Exception):
    """A user's own, which derives from nothing but Exception."""


class SpeechlessError(Exception):
    """One whose own text raises an error."""

    def __str__(self) -> str:
        raise ValueError("no text")


ERRORS = [
    (KeyError("y"), "KeyError: 'y'."),
    (RuntimeError("db gone"), "db gone."),
    (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero."),
    (SchemaError("schema mismatch"), "SchemaError: schema mismatch."),
    (StopIteration(), "StopIteration."),
    (UserWarning("beware"), "UserWarning: beware."),
    (SpeechlessError(), "SpeechlessError."),
]
every_error = pytest.mark.parametrize(("error", "words"), ERRORS, ids=lambda one: str(type(one)))


class Step(TransformerMixin, BaseEstimator):
    """Passes rows on until it is armed; then it raises."""

    armed = None

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        if Step.armed is not None:
            raise Step.armed
        return X


@pytest.fixture(autouse=True)
def disarmed():
    Step.armed = None
    yield
    Step.armed = None


def raising(error):
    def function(_rows):
        raise error

    return function


@every_error
def test_a_function_at_wrapping_and_in_a_run(error, words):
    with pytest.raises(ModelError, match="Model 'function' must answer rows of shape") as told:
        wb.wrap(raising(error), like=ROWS, outputs=["p"], scale="probability")
    assert words in str(told.value)
    assert told.value.__cause__ is error
    late = wb.wrap(raising(error), outputs=["p"], scale="probability")
    with pytest.raises(ModelError, match="Model 'function'") as told:
        wb.explain(late, ROWS, methods.Occlusion(), wb.Target(0))
    assert words in str(told.value)


@every_error
def test_the_function_of_a_bare_model(error, words):
    bare = wb.Model("bare", raising(error), ("p",), "raw")
    with pytest.raises(ModelError, match="Model 'bare' must answer") as told:
        wb.explain(bare, ROWS, methods.Occlusion(), wb.Target(0))
    assert words in str(told.value)
    with pytest.raises(ModelError, match="Model 'bare' must answer"):
        wb.plan(wb.Study((bare,), (methods.ExactShapley(),), data.table(FRAME, background=FRAME)))


@every_error
def test_a_step_at_wrapping_and_in_a_run(error, words):
    pipeline = Pipeline([("look up", Step()), ("end", LogisticRegression())])
    pipeline.fit(FRAME.to_numpy(), CLASSES)
    model = wb.wrap(pipeline, like=ROWS)
    Step.armed = error
    for ask in (
        lambda: wb.wrap(pipeline, like=ROWS),
        lambda: wb.explain(model, ROWS, methods.Occlusion(), wb.Target(1)),
    ):
        with pytest.raises(ModelError, match="failed in its step 'look up'") as told:
            ask()
        assert words in str(told.value)
        assert told.value.__cause__ is error


def nested(where):
    """A Pipeline with a step at a place, and the name scikit-learn gives that place."""
    end = LogisticRegression()
    if where == "column transformer":
        inner = make_column_transformer((make_pipeline(Step()), ["a"]), remainder="passthrough")
        return make_pipeline(inner, end), "columntransformer__pipeline__step"
    if where == "union":
        inner = FeatureUnion([("same", "passthrough"), ("mine", Step())])
        return make_pipeline(inner, end), "featureunion__mine"
    if where == "pipeline in a pipeline":
        return make_pipeline(make_pipeline(Step()), end), "pipeline__step"
    if where == "behind a calibration":
        inner = make_pipeline(Step(), end).fit(FRAME.to_numpy(), CLASSES)
        return CalibratedClassifierCV(FrozenEstimator(inner)), "step"
    return make_pipeline(FunctionTransformer(Step().transform), end), "functiontransformer"


@pytest.mark.parametrize(
    "where",
    [
        "column transformer",
        "union",
        "pipeline in a pipeline",
        "behind a calibration",
        "a function's",
    ],
)
def test_the_step_is_named_wherever_it_is(where):
    pipeline, name = nested(where)
    by_name = where == "column transformer"
    pipeline.fit(FRAME if by_name else FRAME.to_numpy(), CLASSES)
    model = wb.wrap(pipeline, like=ROWS)
    Step.armed = SchemaError("late")
    with pytest.raises(ModelError, match=f"failed in its step '{name}': SchemaError: late"):
        model.scores(ROWS.values)


def test_a_step_that_fails_on_a_single_row_is_told_so():
    def spread(frame):
        if len(frame) == 1:
            raise ArithmeticError("one row has no spread")
        return frame

    pipeline = make_pipeline(FunctionTransformer(spread), LogisticRegression()).fit(FRAME, CLASSES)
    with pytest.raises(ModelError, match="That step must also take one row alone"):
        wb.wrap(pipeline, like=ROWS)


class _Net(torch.nn.Module):
    def __init__(self, error):
        super().__init__()
        self.line, self.error = torch.nn.Linear(2, 1), error

    def forward(self, rows):
        if self.error is not None:
            raise self.error
        return self.line(rows)


@pytest.mark.parametrize(("error", "words"), ERRORS[:-1], ids=lambda one: str(type(one)))
def test_a_module_at_wrapping_and_in_a_run(error, words):
    with pytest.raises(ModelError, match="Model '_Net'") as told:
        wb.wrap(_Net(error), like=ROWS, outputs=["p"], scale="raw")
    assert words in str(told.value)
    net = _Net(None)
    model = wb.wrap(net, like=ROWS, outputs=["p"], scale="raw")
    net.error = error
    for method in (methods.Occlusion(), methods.IntegratedGradients()):
        with pytest.raises(ModelError, match="Model '_Net'") as told:
            wb.explain(model, ROWS, method, wb.Target(0))
        assert words in str(told.value)


def test_a_backward_pass_of_ones_own():
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(_ctx, rows):
            return rows.sum(dim=1, keepdim=True)

        @staticmethod
        def backward(_ctx, _slope):
            raise SchemaError("no slope")

    class Net(torch.nn.Module):
        def forward(self, rows):
            return Broken.apply(rows)

    model = wb.wrap(Net(), outputs=["p"], scale="raw", kind="tabular")
    with pytest.raises(ModelError, match="SchemaError: no slope"):
        wb.explain(model, ROWS, methods.IntegratedGradients(), wb.Target(0))


def test_a_member_of_an_ensemble():
    sound = wb.wrap(lambda rows: rows[:, 0], name="sound", outputs=["p"], scale="raw")
    broken = wb.wrap(raising(SchemaError("gone")), name="broken", outputs=["p"], scale="raw")
    with pytest.raises(ModelError, match=r"Member 'broken' failed: .*SchemaError: gone") as told:
        wb.explain(ensembles.vote([sound, broken]), ROWS, methods.Occlusion(), wb.Target(0))
    assert [part.model for part in told.value.parts] == ["sound"]


def test_the_advice_fits_the_error():
    def advice(error):
        model = wb.wrap(raising(error), outputs=["p"], scale="raw")
        with pytest.raises(ModelError) as told:
            model.scores(ROWS.values)
        return str(told.value)

    for error in (
        ConnectionError("503"),
        TimeoutError(),
        RuntimeError("503 Server Error"),
        SchemaError("Rate limit reached"),
        OSError("HTTP Error 502: Bad Gateway"),
    ):
        assert "Try again later" in advice(error)
    for error in (ValueError("cannot reshape (503, 2)"), KeyError("429"), SchemaError("column b")):
        assert "Try again later" not in advice(error)
        assert "frames=True and like=inputs if it reads frames" in advice(error)
    assert "batch=" in advice(MemoryError("40 GB"))
    assert "Install the package" in advice(ModuleNotFoundError("No module named 'x'"))


def test_an_interrupt_is_no_failure():
    model = wb.wrap(raising(KeyboardInterrupt()), outputs=["p"], scale="raw")
    with pytest.raises(KeyboardInterrupt):
        model.scores(ROWS.values)


def test_errors_of_the_workbench_pass_as_they_are():
    model = wb.wrap(raising(InputError("Give other rows.")), outputs=["p"], scale="raw")
    with pytest.raises(InputError, match=r"^Give other rows\.$"):
        model.scores(ROWS.values)


def test_trees_behind_steps_are_not_parsed():
    """Known of the rows' columns: codes that are no positions, in an order that the trees never see."""
    frame = FRAME.assign(c=pd.Categorical(np.arange(40) % 3 + 5))
    one_hot = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["c"]), remainder="passthrough"
    )
    pipeline = make_pipeline(one_hot, RandomForestClassifier(3, random_state=0))
    pipeline.fit(frame, CLASSES)
    model = wb.wrap(pipeline, like=data.table(frame[:3]))
    assert model.trees is None
    assert "Its steps change the columns before the trees see them" in model.absent["trees"]
