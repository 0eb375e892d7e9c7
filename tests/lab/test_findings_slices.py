"""Slices that are hit harder, those that chance alone makes, and those too small to say."""

import numpy as np
import pytest

from tests.lab.rows_by_hand import drift_of, explained, measured, table
from workbench.core import Inputs
from workbench.lab import findings
from workbench.lab.slices import by_chance


def slices(drift, inputs, margin=0.1):
    made = drift_of(
        measured("copy", drift, margin=margin),
        attributions=tuple(
            explained(name, np.ones(inputs.values.shape), inputs) for name in ("net", "copy")
        ),
    )
    return findings(made).slices


def of_classes(*counts):
    classes = np.repeat(np.arange(len(counts)), counts)
    n = len(classes)
    return classes, Inputs(np.zeros((n, 1)), kind="tabular", features=("a",), y=classes)


def test_chance_is_the_share_of_deals_that_put_as_much_into_a_slice():
    # Of the 15 ways to choose two of six rows one holds both that moved, and eight hold one of them.
    drift = np.array([5.0, 5.0, 0.0, 0.0, 0.0, 0.0])
    both, one = np.array([[1, 1, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0]], dtype=bool)
    for inside, chance in ((both, 1 / 15), (one, 9 / 15)):
        # Three standard errors of 999 deals.
        doubt = 3 * (chance * (1 - chance) / 999) ** 0.5
        assert by_chance(drift, inside[None])[0] == pytest.approx(chance, abs=doubt)
    # Two slices that share no row: either may hold both, so the chance that one does is twice as large.
    other = np.array([0, 0, 0, 0, 1, 1], dtype=bool)
    doubt = 3 * (2 / 15 * 13 / 15 / 999) ** 0.5
    assert by_chance(drift, np.array([both, other]))[0] == pytest.approx(2 / 15, abs=doubt)


def test_slices_of_two_sizes_stand_out_by_one_measure():
    # Rows 0 and 1 stand out by (1.5 - 1) √2 / √(4/6) = √3/2. Of the 15 ways to deal two of 3 1 1 1 0 0 to
    # them, 3 with 0 (2 ways) and 3 with 1 (3) are as far out; the four others stand out as far, by
    # (5/4 - 1) √4 / √(2/6) = √3/2, or farther, where the two hold 1 and 0 (6) or 0 and 0 (1).
    drift = np.array([3.0, 0.0, 1.0, 1.0, 1.0, 0.0])
    two = np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    doubt = 3 * (0.8 * 0.2 / 999) ** 0.5
    assert by_chance(drift, np.array([two, ~two]))[0] == pytest.approx(12 / 15, abs=doubt)


def test_a_drift_of_rounding_makes_no_slice():
    rng = np.random.default_rng(0)
    inputs = table(60, 6)
    drift = 1e-16 * rng.exponential(size=60)
    drift[inputs.values[:, 0] > 0] += 1e-15
    assert slices(drift, inputs) == ()
    assert slices(drift, inputs, margin=0.0) == ()


@pytest.mark.parametrize(("more", "named"), [(0.0099, []), (0.0101, ["class = 1"])])
def test_a_slice_is_harder_where_it_drifts_by_a_tenth_of_the_margin_more(more, named):
    classes, inputs = of_classes(30, 30)
    found = slices(0.02 + more * classes, inputs)
    assert [part.slice for part in found if part.harder] == named


def test_a_class_with_too_few_rows_is_named_with_their_number():
    classes, inputs = of_classes(20, 16, 4)
    (part,) = slices(np.where(classes == 2, 0.41, 0.02), inputs)
    assert (part.slice, part.rows, part.harder) == ("class = 2", 4, False)
    assert str(part) == ("class = 2 has 4 rows: too few to say; mean drift 0.41, of the rest 0.02")
    assert (part.p, part.low, part.high) == (None, -np.inf, np.inf)
    # Within the margin of 0.1 there is nothing to tell, and among equals neither.
    assert slices(np.where(classes == 2, 0.09, 0.02), inputs) == ()
    assert slices(np.full(40, 0.41), inputs) == ()


def test_a_category_of_a_single_row_is_named_too():
    column = np.r_[np.zeros(39), 1.0][:, None]
    cities = {"city": ("Oslo", "Rome")}
    inputs = Inputs(column, kind="tabular", features=("city",), categories=cities)
    (part,) = slices(np.r_[np.zeros(39), 0.5], inputs)
    assert str(part).startswith("city = Rome has 1 row: too few to say; mean drift 0.5")


def test_what_is_harder_comes_first_then_what_is_too_small_then_what_may_be_chance():
    rng = np.random.default_rng(1)
    classes = np.repeat([0, 1, 2], [40, 16, 4])
    values = rng.normal(size=(60, 3))
    inputs = Inputs(values, kind="tabular", features=tuple("abc"), y=classes)
    drift = 0.05 * rng.random(60) + np.array([0.0, 0.5, 0.9])[classes]
    said = [part.words for part in slices(drift, inputs)]
    assert set(said) == {"hit harder", "too few to say", "may be chance"}
    assert said == sorted(said, key=["hit harder", "too few to say", "may be chance"].index)


@pytest.mark.parametrize("end", [1, -1])
def test_five_rows_at_one_end_of_a_column_are_named(end):
    inputs = table(100, 3)
    column = end * inputs.values[:, 1]
    drift = np.where(column >= np.sort(column)[-5], 0.4, 0.0)
    first = slices(drift, inputs)[0]
    assert first.harder
    assert first.rows == 5
    assert first.slice.startswith("v from" if end > 0 else "v up to")
    assert (first.drift, first.rest) == (pytest.approx(0.4), 0.0)


LAWS = {
    "exponential": lambda rng, n: rng.exponential(0.1, size=n),
    "lognormal": lambda rng, n: 0.05 * rng.lognormal(0.0, 1.0, size=n),
    "heavy": lambda rng, n: 0.01 * rng.lognormal(0.0, 2.0, size=n),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("n", [20, 60])
def test_drifts_without_structure_have_a_harder_slice_in_a_twentieth_of_studies_at_most(law, n):
    called = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        rows = Inputs(rng.normal(size=(n, 6)), kind="tabular")
        called += any(part.harder for part in slices(LAWS[law](rng, n), rows))
    assert called <= 5


@pytest.mark.parametrize(("share", "n"), [(0.1, 100), (0.05, 100), (0.05, 200)])
def test_a_planted_tail_is_found_in_nine_studies_of_ten(share, n):
    found = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=(n, 8))
        hit = np.argsort(values[:, 4])[n - int(share * n) :]
        drift = np.abs(rng.normal(0.0, 0.01, size=n))
        drift[hit] = np.abs(rng.normal(0.43, 0.25, size=len(hit)))
        rows = Inputs(values, kind="tabular", features=tuple("abcdefgh"))
        found += any(part.harder and part.slice.startswith("e ") for part in slices(drift, rows))
    assert found >= 36
