"""The judge of mutants must see what it is there to see: each kind of fault, made on purpose."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.hostile import fuzzing, worker
from tests.hostile.mutants import mutant
from tests.hostile.seeds import SUFFIX, seed


@pytest.mark.parametrize("format", SUFFIX)
def test_mutants_are_the_same_in_every_run_and_differ_from_each_other(format):
    data = seed(format)
    some = [mutant(data, format, number) for number in range(40)]
    assert some == [mutant(data, format, number) for number in range(40)]
    assert len(set(some)) > 35
    assert data not in some[:5]


@pytest.mark.parametrize(
    ("life", "how"),
    [
        (lambda: os._exit(0), "done"),
        (lambda: os.abort(), "crash"),
        (lambda: os._exit(1), "crash"),
        (lambda: time.sleep(60), "hang"),
    ],
)
def test_a_fork_that_dies_or_stands_still_is_seen(life, how):
    child = os.fork()
    if child == 0:
        life()
        os._exit(0)
    assert worker.wait(child, 0.5) == how


def test_another_error_than_the_two_promised_is_a_fault(monkeypatch, tmp_path):
    def broken(path, **more):
        raise KeyError("not promised")

    monkeypatch.setattr(worker, "load", broken)
    with ThreadPoolExecutor(1) as pool:
        assert worker.judge_weights(pool, tmp_path, 7)[:2] == ("wrong", 7)


@pytest.mark.parametrize(
    ("format", "said", "fault"),
    [
        ("skops", ("crash", 1, "in the library"), False),
        ("skops", ("crash", 1, "in the notebook"), True),
        ("skops", ("hang", 1, "before the library"), True),
        ("skops", ("wrong", 1, "KeyError"), True),
        ("torch zip", ("crash", 1, "in the library"), True),
        ("torch zip", ("refused", 1, "UnsafeFileError"), False),
    ],
)
def test_only_what_the_quarantine_would_contain_is_no_fault(format, said, fault):
    ended = fuzzing.Ended(format)
    ended.enter(*said)
    assert ended.mutants == 1
    assert bool(ended.faults) == fault
