"""How often a verdict about rows like these is wrong, where the truth is known: counted over many draws."""

import pytest
from scipy.stats import binom

from tests.compare.verdict_laws import ROWS, TRUE, UNTRUE, Law, repeated, words

DRAWS = 200
ALLOWED = int(binom.ppf(0.999, DRAWS, 0.05))  # of 200 draws, where each is wrong one time in twenty


@pytest.mark.parametrize("n", ROWS)
@pytest.mark.parametrize("law", [*UNTRUE, repeated(UNTRUE[0])], ids=lambda one: one.title)
def test_preserved_is_hardly_ever_said_where_it_is_untrue(law: Law, n: int):
    assert not law.preserved
    assert words(law, n, DRAWS)["preserved"] <= ALLOWED


@pytest.mark.parametrize("n", ROWS)
@pytest.mark.parametrize("law", TRUE, ids=lambda one: one.title)
def test_changed_is_hardly_ever_said_where_it_is_untrue(law: Law, n: int):
    assert law.preserved
    found = words(law, n, DRAWS)
    assert found["changed"] + found["changed in part"] <= ALLOWED


def test_rows_enough_say_preserved_of_a_small_drift_and_changed_of_a_large_one():
    small, large = TRUE[0], UNTRUE[1]
    assert words(small, 50, DRAWS) == {"undetermined": DRAWS}  # nine more would do
    assert words(small, 100, DRAWS)["preserved"] >= 0.95 * DRAWS
    found = words(large, 200, DRAWS)
    assert found["changed"] >= 0.5 * DRAWS
