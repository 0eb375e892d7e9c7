"""Every hostile file ends in a model or in one sentence: nothing runs, hangs, crashes or fills memory."""

import resource
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.hostile import paths, pickles, weights, wholes  # noqa: F401 - they fill the table
from tests.hostile.cases import CASES
from tests.hostile.seeds import COLUMNS, SUFFIX, network
from workbench.errors import InputError, UnsafeFileError
from workbench.models import Quarantine, load

GIBIBYTE = 2**30


def _peak() -> int:
    """The most memory in bytes that this process or one of its children has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def test_the_corpus_has_every_format_and_more_than_a_hundred_kinds():
    assert len(CASES) > 100
    assert sum(case.ends == "" for case in CASES.values()) >= len(SUFFIX)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_ends_in_a_model_or_in_one_sentence(name, tmp_path, tmp_path_factory):
    case = CASES[name]
    mark = tmp_path_factory.mktemp("mark") / "the payload ran"
    path = case.make(tmp_path, mark)
    before = _peak()
    limits = Quarantine(seconds=case.seconds)
    architecture = network if case.weights else None
    if case.ends:
        with pytest.raises((InputError, UnsafeFileError), match=f"(?s){case.ends}") as caught:
            load(path, architecture=architecture, quarantine=limits)
        message = str(caught.value)
        assert "\n" not in message
        assert "\u202e" not in message
        assert ".. " not in message
        assert (
            message.count(f"{Path(path).name!r} ") <= 1
        )  # one sentence is not told inside another
        assert len(message) < 2_000  # one sentence or three, however long the names in the file
    else:
        model = load(path, architecture=architecture, quarantine=limits)
        assert model.file is not None
        assert len(model.scores(np.zeros((3, COLUMNS)))) == 3
    assert not mark.exists()
    assert _peak() - before < GIBIBYTE
