"""One slot, cooperative cancel, partial results, few updates, and waiting that can be interrupted."""

import asyncio
import signal
import threading
import time

import numpy as np
import pytest

from workbench.core import Step, Study, Target
from workbench.errors import InputError, WorkbenchError
from workbench.methods import PermutationSHAP
from workbench.panels.kit.jobs import UPDATE_SECONDS, Job
from workbench.study.run import run, steps


def counting(n, seconds=0.0, closed=None):
    """n steps whose partial result says how far they came."""
    try:
        for i in range(1, n + 1):
            time.sleep(seconds)
            yield Step(i, n, "counting", ("all",) if i == n else (), lambda i=i: (f"{i} of {n}",))
    finally:
        if closed is not None:
            closed.set()


def gated(gate, n=3):
    """Steps that wait for `gate` before each but the first."""
    for i in range(1, n + 1):
        yield Step(i, n, "gated", (), lambda i=i: (i,))
        gate.wait(5)


def failing(error):
    yield Step(1, 2, "failing", ("first",), tuple)
    raise error


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


def test_a_job_gives_what_the_work_gave():
    job = Job("count", counting(3)).start()
    assert job.wait(5) == ("all",)
    assert job.state == "done"
    assert (job.done, job.total) == (3, 3)


def test_a_study_gives_the_same_bits_on_the_thread(linear, four):
    study = Study((linear,), (PermutationSHAP(budget=500),), four, (Target(0),))
    (here,) = run(study)
    (there,) = Job("study", steps(study)).start().wait(20)
    np.testing.assert_array_equal(here.values, there.values)


def test_cancel_keeps_what_is_known_and_closes_the_work():
    closed = threading.Event()
    job = Job("count", counting(1000, 0.01, closed)).start()
    time.sleep(0.1)
    job.cancel()
    (known,) = job.wait(5)
    assert job.state == "cancelled"
    assert known.endswith("of 1000")
    assert 1 <= job.done < 1000
    assert closed.wait(1)


def test_cancel_takes_effect_within_one_step():
    job = Job("count", counting(1000, 0.02)).start()
    time.sleep(0.1)
    start = time.monotonic()
    job.cancel()
    job.wait(5)
    assert time.monotonic() - start < 0.5  # a step is 0.02 s; the rest is a busy machine


def test_a_cancel_after_the_last_step_changes_nothing(gate):
    job = Job("gated", gated(gate, n=1)).start()
    job.cancel()
    gate.set()
    job.wait(5)
    assert job.state == "done"


def test_a_second_job_is_refused_with_the_name_of_the_first(gate):
    first = Job("LIME of forest", gated(gate)).start()
    with pytest.raises(WorkbenchError, match="busy with LIME of forest"):
        Job("another", counting(1)).start()
    gate.set()
    first.wait(5)
    assert Job("another", counting(1)).start().wait(5) == ("all",)


def test_a_refused_job_can_be_started_later(gate):
    first, second = Job("first", gated(gate)).start(), Job("second", counting(1))
    with pytest.raises(WorkbenchError):
        second.start()
    gate.set()
    first.wait(5)
    assert second.start().wait(5) == ("all",)


def test_a_job_runs_once():
    job = Job("count", counting(1)).start()
    job.wait(5)
    with pytest.raises(WorkbenchError, match="count is done"):
        job.start()


def test_an_error_reaches_whoever_waits_and_frees_the_slot():
    job = Job("bad", failing(InputError("no rows"))).start()
    with pytest.raises(InputError, match="no rows"):
        job.wait(5)
    assert job.state == "failed"
    assert job.result == ("first",)  # what was finished before
    Job("next", counting(1)).start().wait(5)


def test_even_an_exit_of_the_work_frees_the_slot():
    job = Job("bad", failing(SystemExit(3))).start()
    with pytest.raises(SystemExit):
        job.wait(5)
    Job("next", counting(1)).start().wait(5)


def test_updates_come_at_most_ten_times_a_second_and_at_both_ends():
    told = []
    job = Job("count", counting(200, 0.002), lambda job: told.append((job.state, job.done)))
    job.start().wait(10)
    assert told[0] == ("running", 0)
    assert told[-1] == ("done", 200)
    assert len(told) <= 2 + job.seconds / UPDATE_SECONDS


def test_the_slot_is_free_when_the_last_update_says_done():
    free = []

    def another(_):
        try:
            free.append(Job("next", counting(1)).start().wait(5))
        except WorkbenchError:
            free.append("refused")

    Job("count", counting(1), another).start().wait(5)
    assert free == ["refused", ("all",)]


def test_the_remaining_time_follows_the_pace(gate):
    job = Job("gated", gated(gate, n=4))
    assert job.remaining is None
    assert job.seconds == 0.0
    job.start()
    while job.done < 1:
        time.sleep(0.01)
    assert job.remaining == pytest.approx(
        3 * job.seconds, rel=0.2
    )  # two readings of a running clock
    gate.set()
    job.wait(5)
    assert job.remaining is None
    took = job.seconds
    time.sleep(0.02)
    assert job.seconds == took


def test_a_wait_that_takes_too_long_says_so_and_leaves_the_job_running(gate):
    job = Job("gated", gated(gate)).start()
    with pytest.raises(TimeoutError, match="gated is still running"):
        job.wait(0.05)
    assert job.state == "running"
    gate.set()
    job.wait(5)


@pytest.fixture
def _interruptible():
    # A test run in a shell's background inherits SIGINT as ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupt_while_waiting_cancels():
    job = Job("count", counting(1000, 0.01)).start()
    threading.Timer(0.2, signal.raise_signal, [signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        job.wait(10)
    assert job.state == "cancelled"


def test_a_job_can_be_awaited():
    async def cell():
        return await Job("count", counting(3, 0.01)).start()

    assert asyncio.run(cell()) == ("all",)


def test_cancelling_the_awaiting_task_cancels_the_job():
    job = Job("count", counting(1000, 0.01))

    async def cell():
        async def waiting():
            return await job.start()

        task = asyncio.ensure_future(waiting())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cell())
    job.wait(5)
    assert job.state == "cancelled"
