"""Functions and objects that only predict: what they get, what they may answer, what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

import workbench as wb
from tests.adapters_at_hand import Marginal, PredictOnly, Probable, of_frame, reads_frames, table
from tests.boosters_at_hand import FRAME
from workbench import methods
from workbench.errors import IncompatibleError, InputError, ModelError

ROWS = table(4).values
TWO = {"outputs": ["y", "z"], "scale": "raw"}
ONE = {"outputs": ["y"], "scale": "raw"}


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: rows[:, :2].tolist(),
        lambda rows: pd.DataFrame(rows[:, :2]),
        lambda rows: torch.tensor(rows[:, :2], requires_grad=True),
        lambda rows: sparse.csr_array(rows[:, :2]),
        lambda rows: np.array(rows[:, :2], dtype=object),
        lambda rows: rows[:, :2].squeeze(),
    ],
    ids=["list", "frame", "tensor", "sparse", "object", "squeezed"],
)
def test_answers_of_every_form_are_scores_of_one_and_of_many_rows(answer):
    model = wb.wrap(answer, **TWO)
    np.testing.assert_array_equal(model.scores(ROWS), ROWS[:, :2])
    np.testing.assert_array_equal(model.scores(ROWS[:1]), ROWS[:1, :2])


@pytest.mark.parametrize(
    "answer", [lambda rows: rows[:, 0], lambda rows: pd.Series(rows[:, 0]), lambda rows: rows.T[0]]
)
def test_one_score_per_row_may_come_without_a_second_axis(answer):
    np.testing.assert_array_equal(wb.wrap(answer, **ONE).scores(ROWS), ROWS[:, :1])


def test_bfloat16_tensors_are_read_digit_by_digit():
    model = wb.wrap(lambda rows: torch.tensor(rows[:, :1]).bfloat16(), **ONE)
    expected = torch.tensor(ROWS[:, :1]).bfloat16().double().numpy()
    np.testing.assert_array_equal(model.scores(ROWS), expected)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda rows: ["yes"] * len(rows), "list that cannot be read so"),
        (lambda rows: rows[:, 0] + 1j, "complex numbers"),
        (lambda rows: [None] * len(rows), "NaN"),
        (lambda rows: [{}] * len(rows), "cannot be read so"),
        (lambda rows: [[1.0], [1.0, 2.0], [3.0], [4.0]], "cannot be read so"),
        (lambda rows: rows[:3, 0], r"shape \(4, 1\).*gave \(3, 1\)"),
        (lambda rows: rows[:, :, None], r"gave \(4, 6, 1\)"),
        (lambda rows: 1.0, r"gave \(\)"),
        (lambda rows: rows[:, 0] * np.nan, "NaN"),
    ],
)
def test_answers_that_are_no_scores_are_a_model_error_that_says_so(answer, why):
    with pytest.raises(ModelError, match=why):
        wb.wrap(answer, **ONE).scores(ROWS)


@pytest.mark.parametrize(
    "error", [KeyError("k"), ZeroDivisionError("by zero"), OSError("gone"), AttributeError("a")]
)
def test_whatever_a_function_raises_is_a_model_error_with_its_name(error):
    def fails(rows):
        raise error

    with pytest.raises(ModelError, match=rf"'fails'.*{type(error).__name__}") as caught:
        wb.wrap(fails, **ONE).scores(ROWS)
    assert caught.value.__cause__ is error


def test_whoever_interrupts_a_function_is_obeyed():
    def stopped(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wb.wrap(stopped, **ONE).scores(ROWS)


def test_a_function_may_write_into_its_rows_and_keep_them():
    kept = []

    def soils(rows):
        kept.append(rows)
        rows[:] = 0
        return rows[:, :1]

    rows = table()
    wb.explain(wb.wrap(soils, **ONE, like=rows), rows, methods.ExactShapley())
    assert all((one == 0).all() for one in kept)
    np.testing.assert_array_equal(rows.values, table().values)


def test_a_function_that_needs_more_rows_at_once_says_how_to_help_it():
    def centered(rows):
        if len(rows) < 2:
            raise ValueError("more than one row expected")
        return rows[:, 0]

    assert wb.wrap(centered, **ONE).scores(ROWS).shape == (4, 1)
    with pytest.raises(ModelError, match=r"wrap a function that repeats the row\.$"):
        wb.wrap(centered, **ONE, like=table())


def test_a_function_of_frames_gets_names_and_labels_and_is_explained():
    seen = []

    def spied(frame):
        seen.append(frame)
        return reads_frames(frame)

    rows = of_frame()
    model = wb.wrap(spied, **ONE, like=rows, frames=True)
    assert list(seen[0].columns) == ["age", "town", "dose"]
    assert seen[0]["town"].tolist() == FRAME["town"][:1].tolist()
    result = wb.explain(model, rows, methods.ExactShapley(), wb.Target(0))
    np.testing.assert_allclose(result.gap, 0, atol=1e-12)  # float64
    assert result.names == ("age", "town", "dose")


@pytest.mark.parametrize(
    ("native", "words", "why"),
    [
        (reads_frames, {**ONE}, "frames=True needs like=inputs.*like is missing"),
        (torch.nn.Linear(2, 1), {"like": of_frame()}, "frames is for callables and estimators"),
        (b"onnx", {"like": of_frame()}, "frames is for callables and estimators"),
    ],
)
def test_frames_need_a_callable_and_rows_that_name_the_columns(native, words, why):
    with pytest.raises(InputError, match=why):
        wb.wrap(native, frames=True, **words)


def test_a_function_that_takes_frames_alone_gets_them_and_that_is_said():
    rows = of_frame()
    model = wb.wrap(reads_frames, **ONE, like=rows)
    np.testing.assert_array_equal(model.scores(rows.values), reads_frames(FRAME[:3]).to_numpy())
    assert "It reads pandas frames: that was found by trying." in model.notes
    with pytest.raises(ModelError, match=r"frames=True and like=inputs if it reads frames"):
        wb.wrap(reads_frames, **ONE).scores(rows.values)


def test_a_function_that_takes_labels_and_positions_must_be_told_which_it_reads():
    rows = of_frame()
    for by_label in (lambda cells: cells[:, 1] == "Rome", lambda cells: cells[:, 1] == 1):
        with pytest.raises(InputError, match=r"scores differ.*frames=True.*frames=False"):
            wb.wrap(by_label, **ONE, like=rows)
    positions = wb.wrap(lambda cells: cells[:, 1] == 1, **ONE, like=rows, frames=False)
    second = rows.categories["town"][1]
    np.testing.assert_array_equal(positions.scores(rows.values)[:, 0], FRAME["town"][:3] == second)
    assert "positions in" in positions.notes[-1]
    silent = wb.wrap(lambda cells: np.tanh(cells[:, 1]), **ONE, like=rows)  # of numbers alone
    assert "positions in" in silent.notes[-1]
    plain = wb.wrap(lambda cells: cells[:, 0] * 2, **ONE, like=rows)  # reads no labels
    assert "positions" not in " ".join(plain.notes)


def test_objects_are_asked_for_the_scores_their_methods_promise():
    model = wb.wrap(Probable())
    assert (model.outputs, model.scale) == (("no", "yes"), "probability")
    assert model.notes == ("The scores are what predict_proba gives, taken as probability.",)
    margin = wb.wrap(Marginal())
    assert (margin.outputs, margin.scale) == (("yes",), "raw")
    assert wb.wrap(Marginal(), scale="logit").scale == "logit"
    named = wb.wrap(Probable(), outputs=["sick", "well"], name="risk")
    assert (named.outputs, named.name) == (("sick", "well"), "risk")
    with pytest.raises(InputError, match=r"need different names; \['sick'\] repeat"):
        wb.wrap(Probable(), outputs=["sick", "sick"])


def test_an_object_that_only_predicts_needs_outputs_and_scale_said():
    with pytest.raises(InputError, match=r"has only predict, needs outputs.*outputs and scale are"):
        wb.wrap(PredictOnly())
    model = wb.wrap(PredictOnly(), **TWO)
    assert any("labels would not be scores" in note for note in model.notes)


def test_a_scale_that_no_method_gives_is_refused_rather_than_taken_from_labels():
    with pytest.raises(InputError, match=r"gives probabilities \(predict_proba\) and labels"):
        wb.wrap(Probable(), scale="raw")
    with pytest.raises(IncompatibleError, match="a callable from rows to scores is needed"):
        wb.wrap(object())
    with pytest.raises(IncompatibleError, match="Give an instance of it"):
        wb.wrap(PredictOnly)


def test_an_estimator_that_fails_on_a_row_is_a_model_error():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    def picky(values):
        if (np.asarray(values) < 0).any():
            raise FloatingPointError("logarithm of a negative number")
        return np.log(values)

    x = np.abs(ROWS) + 1
    fitted = make_pipeline(FunctionTransformer(picky), LogisticRegression()).fit(x, [0, 1, 0, 1])
    model = wb.wrap(fitted, name="logs")
    with pytest.raises(ModelError, match=r"'logs'.*shape \(4, 6\).*FloatingPointError.*logarithm"):
        model.scores(-x)
