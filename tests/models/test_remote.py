"""Functions that fail for a while or cost something: called again, and never twice for a row."""

import numpy as np
import pytest
import torch

import workbench as wb
from workbench import methods
from workbench.errors import InputError, ModelError
from workbench.models.asking import Memory, waits_of

ROWS = wb.Inputs(
    np.arange(12.0).reshape(4, 3), kind="tabular", background=np.array([[-1.0] * 3, [0.5] * 3])
)


class Service:
    """A remote sum of columns that fails on the calls of these numbers, counted from 1."""

    def __init__(self, *failing, error=None):
        self.failing, self.calls, self.rows = failing, 0, 0
        self.error = ConnectionError("503 Service Unavailable") if error is None else error

    def __call__(self, rows):
        self.calls += 1
        if self.calls in self.failing:
            rows[:] = 7.0  # a function may write into what it gets, also before it fails
            raise self.error
        self.rows += len(rows)
        return rows.sum(axis=1) + rows[:, 0] * rows[:, 1]

    def wrapped(self, **options):
        return wb.wrap(self, outputs=["y"], scale="raw", batch=2, **options)


def explained(model, method=None):
    return wb.explain(model, ROWS, method or methods.ExactShapley(), wb.Target(0))


def test_a_failed_call_is_made_again_with_the_same_rows():
    service = Service(1, 5, 6)
    found = explained(service.wrapped(retries=(0, 0)))
    np.testing.assert_array_equal(found.values, explained(Service().wrapped()).values)
    assert found.complete


def test_after_the_last_retry_the_error_passes():
    service = Service(1, 2, 3)
    with pytest.raises(ModelError, match="503 Service Unavailable") as told:
        explained(service.wrapped(retries=(0, 0)))
    assert service.calls == 3
    assert told.value.__cause__ is service.error


def test_waits_double_up_to_a_minute(monkeypatch):
    waited = []
    monkeypatch.setattr("workbench.models.asking.remote.time.sleep", waited.append)
    service = Service(*range(1, 9))
    service.wrapped(retries=8).scores(ROWS.values)
    assert waited == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert service.calls == 9


def test_an_answer_of_a_wrong_shape_is_not_asked_for_again():
    calls = []

    def short(rows):
        calls.append(len(rows))
        return rows[:-1, 0]

    with pytest.raises(ModelError, match="one row of scores"):
        wb.wrap(short, outputs=["y"], scale="raw", retries=(0, 0, 0)).scores(ROWS.values)
    assert calls == [4]


@pytest.mark.parametrize("options", [{"metered": True}, {"retries": (0,)}])
@pytest.mark.parametrize(
    "method", [methods.ExactShapley(), methods.LIME(budget=50), methods.PermutationSHAP(budget=60)]
)
def test_a_run_that_failed_goes_on_and_asks_for_no_row_twice(method, options):
    seen = []

    class Remembering(Service):
        def __call__(self, rows):
            given = [row.tobytes() for row in rows]
            answer = super().__call__(rows)
            seen.extend(given)
            return answer

    whole = explained(Service().wrapped(), method)
    service = Remembering(*([4] if "metered" in options else [4, 5]))
    model = service.wrapped(**options)
    if "retries" in options:
        model.trial(ROWS)  # asks two rows twice, as it must
        seen.clear()
        service.calls = 0
    with pytest.raises(ModelError, match="503"):
        explained(model, method)
    answered = len(seen)
    assert answered > 0
    found = explained(model, method)
    np.testing.assert_array_equal(found.values, whole.values)
    assert len(seen) == len(set(seen)) > answered
    assert any("were answered from memory" in note for note in found.notes)


def test_nothing_is_asked_of_a_metered_model_beside_its_runs():
    service = Service()
    model = service.wrapped(metered=True, like=ROWS)
    assert service.calls == 0
    wb.plan(wb.Study((model,), (methods.KernelSHAP(),), ROWS))
    assert service.calls == 0
    found = explained(model, methods.Occlusion())
    rows = {row.tobytes() for row in ROWS.values}
    for row in ROWS.values:
        for column in range(3):
            for fill in ROWS.background:
                copy = row.copy()
                copy[column] = fill[column]
                rows.add(copy.tobytes())
    assert service.rows == len(rows)
    assert any("metered, so it was not tried" in note for note in found.notes)
    free = Service()
    explained(free.wrapped(), methods.Occlusion())
    assert free.rows == 4 + 4 * 3 * 2 + 4  # and four for the trial


def test_a_bare_model_that_says_so_is_not_tried_either():
    asked = []

    def predict(rows):
        asked.append(len(rows))
        return rows[:, :1]

    explained(wb.Model("paid", predict, ("y",), "raw", metered=True), methods.Occlusion())
    assert sum(asked) == 4 + 4 * 3 * 2


def test_what_is_random_is_still_found_behind_a_memory():
    rng = np.random.default_rng(0)
    model = wb.wrap(lambda rows: rng.random(len(rows)), outputs=["y"], scale="raw", retries=1)
    assert any("random" in note for note in explained(model).notes)


def test_a_memory_tells_rows_apart_by_type_shape_and_bits():
    asked = []

    def total(rows):
        asked.append(len(rows))
        return rows.reshape(len(rows), -1).sum(axis=1, keepdims=True)

    memory = Memory("total", total)
    memory(np.array([[0.0, 1.0]]))
    memory(np.array([[0.0], [1.0]]))
    memory(np.array([[0, 1]]))
    memory(np.array([[-0.0, 1.0]]))
    assert asked == [1, 2, 1, 1]
    nan = np.array([[np.nan, 1.0]])
    memory(nan)
    memory(nan)
    assert asked[4:] == [1, 1]  # an answer that is no number is no answer
    text = np.array([["a"]], dtype=object)
    Memory("text", lambda rows: np.ones((len(rows), 1)))(text)


def test_a_full_memory_forgets_the_oldest_rows():
    asked = []
    memory = Memory("m", lambda rows: (asked.append(len(rows)), rows)[1], most=2)
    for value in (1.0, 2.0, 3.0, 3.0, 1.0):
        memory(np.array([[value]]))
    assert len(asked) == 4


@pytest.mark.parametrize("retries", [-1, "3", (1, -1), 1.5, True, (float("nan"),), None])
def test_retries_that_are_none_are_refused(retries):
    with pytest.raises(InputError, match="retries must be how often"):
        waits_of(retries)


def test_a_model_of_this_process_is_not_asked_again():
    for option in ({"retries": 2}, {"metered": True}):
        with pytest.raises(InputError, match="retries and metered are for functions"):
            wb.wrap(torch.nn.Linear(3, 1), outputs=["y"], scale="raw", **option)
