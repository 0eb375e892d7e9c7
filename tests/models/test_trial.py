"""A model is tried once for being a function of one row; an ordinary one hears nothing of it."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.core import Inputs
from workbench.errors import ModelError
from workbench.methods import GradCAM, Occlusion

ROWS = Inputs(
    np.random.default_rng(0).normal(size=(3, 6)), kind="tabular", background=np.ones((2, 6))
)


def function(answer, **more):
    return wb.wrap(answer, name="f", outputs=["y"], scale="raw", **more)


def notes_of(model) -> str:
    return " ".join(wb.explain(model, ROWS, Occlusion(), wb.Target(0)).notes)


def test_an_ordinary_function_is_tried_with_four_rows_in_two_calls_and_only_once():
    asked = []
    model = function(lambda rows: asked.append(len(rows)) or rows.sum(axis=1))
    first = wb.explain(model, ROWS, Occlusion(), wb.Target(0))
    assert sum(asked) == first.evaluations + 4
    asked.clear()
    second = wb.explain(model, ROWS, Occlusion(), wb.Target(0))
    assert sum(asked) == second.evaluations
    assert not first.notes


OWN = np.random.default_rng(0)
RANDOM = {
    "NumPy": lambda rows: rows.sum(axis=1) + np.random.rand(),
    "Python": lambda rows: rows.sum(axis=1) + random.random(),
    "own": lambda rows: rows.sum(axis=1) + OWN.random(),
}


@pytest.mark.parametrize("kind", RANDOM)
def test_a_random_function_is_told_whichever_numbers_it_draws(kind):
    assert "something in the model is random" in notes_of(function(RANDOM[kind]))


@pytest.mark.parametrize("n", [1, 3])
def test_a_scale_that_the_batch_shares_is_told(n):
    model = function(lambda rows: (rows / np.abs(rows).max()).sum(axis=1))
    rows = ROWS[:n]
    notes = " ".join(wb.explain(model, rows, Occlusion(), wb.Target(0)).notes)
    assert "depend on the rows beside it" in notes
    assert "model rows that are not counted" in notes


def test_the_verdict_stands_on_the_model_and_its_copies_under_another_name():
    model = function(lambda rows: rows.sum(axis=1) - rows.mean())
    assert model.remarks() == ()
    notes_of(model)
    assert "depend on the rows beside it" in model.renamed("other").remarks()[0]


def test_a_module_that_centers_its_batch_is_told_as_soon_as_it_is_wrapped():
    class Centered(nn.Linear):
        def forward(self, rows):
            return super().forward(rows) - rows.mean()

    model = wb.wrap(Centered(6, 1), outputs=["y"], scale="raw", kind="tabular", shape=(6,))
    assert "depend on the rows beside it" in model.remarks()[0]


@pytest.mark.parametrize(("norm", "mixed"), [(nn.BatchNorm2d, True), (nn.InstanceNorm2d, False)])
def test_a_module_that_could_not_be_tried_when_wrapped_is_tried_where_a_layer_mixes_rows(
    norm, mixed
):
    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), norm(4, track_running_stats=False), nn.Flatten()
    net = nn.Sequential(*layers, nn.Linear(4 * 6 * 5, 1))  # of images of 8 x 7 alone
    model = wb.wrap(net, outputs=["y"], scale="raw")
    assert model.remarks() == ()
    images = Inputs(np.random.default_rng(0).random((3, 8, 7, 3)), kind="image")
    wb.explain(model, images, GradCAM(), wb.Target(0))
    assert any("depend on the rows beside it" in one for one in model.remarks()) == mixed


def test_dropout_that_never_rests_is_told_of_a_module():
    class Always(nn.Module):
        def forward(self, rows):
            return nn.functional.dropout(rows, 0.5, training=True)

    torch.manual_seed(0)
    model = wb.wrap(nn.Sequential(nn.Linear(6, 4), Always()), outputs=list("abcd"), scale="raw")
    assert "random" in " ".join(model.remarks())


def test_an_ordinary_module_is_asked_for_no_row_more_when_it_is_explained():
    class Counting(nn.Linear):
        asked: list[int] = []  # noqa: RUF012 - a number would be put back with the module

        def forward(self, rows):
            self.asked.append(len(rows))
            return super().forward(rows)

    model = wb.wrap(Counting(6, 1), outputs=["y"], scale="raw", kind="tabular", shape=(6,))
    Counting.asked.clear()
    result = wb.explain(model, ROWS, Occlusion(), wb.Target(0))
    assert sum(Counting.asked) == result.evaluations


class TestWhatAFunctionMayDo:
    def test_a_function_that_writes_to_its_rows_reads_each_of_them_unharmed(self):
        def careless(rows):
            total = rows.sum(axis=1)
            rows[:] = 0
            return total

        careful = wb.explain(
            function(lambda rows: rows.sum(axis=1)), ROWS, Occlusion(), wb.Target(0)
        )
        found = wb.explain(function(careless), ROWS, Occlusion(), wb.Target(0))
        np.testing.assert_array_equal(found.values, careful.values)

    def test_a_function_may_answer_in_one_array_that_it_fills_again(self):
        answer = np.zeros((64, 1))

        def thrifty(rows):
            answer[: len(rows), 0] = rows.sum(axis=1)
            return answer[: len(rows)]

        model = function(thrifty)
        first = model.predict(ROWS.values)
        kept = first.copy()
        model.predict(2 * ROWS.values)
        np.testing.assert_array_equal(first, kept)

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (KeyError("age"), "KeyError: 'age'."),
            (ValueError("no such row"), "but failed: no such row."),
            (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero."),
            (MemoryError(), "but failed: MemoryError."),
            (FileNotFoundError(2, "gone"), "FileNotFoundError: "),
        ],
    )
    def test_what_it_raises_is_told_as_an_error_of_the_model(self, error, said):
        def broken(rows):
            raise error

        with pytest.raises(ModelError) as told:
            function(broken).scores(ROWS.values)
        assert said in str(told.value)
        assert told.value.__cause__ is error

    @pytest.mark.parametrize(
        "answer",
        [lambda n: np.full(n, "yes"), lambda n: np.full(n, 1j), lambda n: [[1], [2, 3], [4]]],
    )
    def test_answers_that_are_no_numbers_are_refused(self, answer):
        with pytest.raises(ModelError):
            function(lambda rows: answer(len(rows))).scores(ROWS.values)
