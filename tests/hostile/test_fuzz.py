"""Two thousand changed copies of a valid file of every format: each loads, or ends as promised."""

import pytest

from tests.hostile.fuzzing import fuzz
from tests.hostile.seeds import SUFFIX

MUTANTS = 2_000


@pytest.mark.parametrize("format", SUFFIX)
def test_a_changed_file_loads_or_is_refused_and_whatever_worse_happens_is_contained(format):
    ended = fuzz(format, 0, MUTANTS)
    assert ended.faults == []
    assert ended.mutants == MUTANTS
    # Some changes do no harm and most do, or the mutants would prove nothing.
    assert 0 < ended.counts["loaded"] < MUTANTS / 2
