"""Four threads on one model, two hundred calls in all: every answer has the very bits of one thread's."""

from __future__ import annotations

import random
import sys
import threading
import time

import numpy as np
import pytest

import workbench as wb
from tests.faults.faulty import Fault, forest, outside, rows_of_a_table, torch_images, torch_table
from tests.faults.test_every_fault_in_every_method import rows_for
from workbench.core import Model
from workbench.methods import (
    GradCAM,
    IntegratedGradients,
    KernelSHAP,
    LayerCAM,
    Occlusion,
    TreeSHAP,
)

THREADS, CALLS = 4, 200


def with_one_desk() -> Model:
    """A function that works at one desk: two at once would mix their papers."""
    desk = np.zeros((8, 6))
    weights = np.random.default_rng(0).normal(size=(6, 3))

    def function(rows):
        found = []
        for start in range(0, len(rows), 8):
            n = len(rows[start : start + 8])
            desk[:n] = rows[start : start + 8]
            time.sleep(0)  # others may run here
            found.append(np.tanh(desk[:n]) @ weights)
        return np.concatenate(found)

    return wb.wrap(function, outputs=list("abc"), scale="logit", like=rows_of_a_table())


CASES = {
    "torch table": (
        lambda: torch_table(Fault("none")),
        (IntegratedGradients(steps=4), Occlusion()),
    ),
    "torch images": (lambda: torch_images(Fault("none")), (GradCAM(), LayerCAM())),
    "forest": (lambda: forest(Fault("none")), (TreeSHAP(), Occlusion())),
    "function": (with_one_desk, (Occlusion(), KernelSHAP(budget=5 * 64))),
}


@pytest.fixture
def _hurried():
    """Threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("case", CASES)
def test_four_threads_on_one_model_all_get_the_answers_of_one(case):
    make, methods = CASES[case]
    model, inputs = make(), rows_for(case)[:1]
    again = wb.wrap(model.native, outputs=model.outputs, scale=model.scale, like=inputs, batch=16)
    again = again if case != "function" else model.renamed("again")
    asks = [
        lambda one: one.scores(inputs.values),
        *(
            lambda one, method=method: wb.explain(one, inputs, method, wb.Target(0)).values
            for method in methods
        ),
    ]
    expected = [ask(model) for ask in asks]
    before, wrong, failed, done = outside(model), [], [], []

    def work(number: int) -> None:
        order = random.Random(number)
        try:
            for _ in range(CALLS // THREADS):
                at = order.randrange(len(asks))
                got = asks[at](order.choice((model, again)))
                (done if np.array_equal(got, expected[at]) else wrong).append(at)
        except Exception as error:  # noqa: BLE001 - whatever a thread raises is a failure of the test
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not failed
    assert not wrong
    assert len(done) == CALLS
    assert outside(model) == before
