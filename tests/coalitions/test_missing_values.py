"""Missing values and dates among what stands in for absent features, and in LIME's bins."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from workbench.coalitions.bins import background_bins
from workbench.coalitions.fills import fill_rows, left_as_it_was
from workbench.core import Inputs

NAN, INF = np.nan, np.inf
EACH = np.arange(2)


class TestWhatAFillLeaves:
    def test_a_missing_value_is_left_by_a_missing_one_alone(self):
        row = np.array([NAN, NAN])
        fills = np.array([[NAN, NAN], [NAN, 1.0]])
        assert left_as_it_was(row, fills, EACH).tolist() == [True, False]

    def test_infinity_is_left_by_infinity_alone(self):
        row = np.array([INF, INF])
        fills = np.array([[INF, 2.5], [INF, 3.5]])
        assert left_as_it_was(row, fills, EACH).tolist() == [True, False]

    def test_two_dates_a_minute_apart_differ(self):
        day = np.array(["2024-05-01", "2024-05-01"], dtype="M8[us]").astype(float)
        later = day + np.array([0.0, 60e6])  # microseconds
        assert left_as_it_was(day, later[None], EACH).tolist() == [True, False]

    def test_whole_numbers_that_are_large_and_close_differ(self):
        row = np.array([10_000_000.0, 7.0])
        assert left_as_it_was(row, row[None] + 1, EACH).tolist() == [False, False]

    def test_single_and_double_precision_of_a_number_are_the_same_number(self):
        row = np.array([0.1, 0.1], dtype=np.float32)
        assert left_as_it_was(row, np.array([[0.1, 0.11]]), EACH).tolist() == [True, False]


class TestTheMean:
    def test_it_is_that_of_the_known_values_and_a_column_nobody_knows_stays_missing(self):
        background = [[1.0, NAN, 5.0], [3.0, NAN, NAN]]
        rows = Inputs([[0.0, 0.0, 0.0]], background=background)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_array_equal(fill_rows("mean", rows, 0), [[2.0, NAN, 5.0]])

    def test_the_mean_of_equal_values_is_that_value(self):
        rows = Inputs([[0.1]], background=[[0.1]] * 3 + [[NAN]])
        assert fill_rows("mean", rows, 0)[0, 0] == 0.1

    def test_single_precision_stays(self):
        rows = Inputs(np.zeros((1, 1), np.float32), background=np.array([[1.0], [NAN]], np.float32))
        assert fill_rows("mean", rows, 0).dtype == np.float32


def bins(background, discretizer="quartile", classes=None, **more):
    background = np.asarray(background, dtype=float)
    rows = Inputs(background[:1], background=background, **more)
    return background_bins(rows, discretizer, classes)


KNOWN = np.arange(1.0, 9.0)  # quartiles 2.75, 4.5, 6.25


class TestBins:
    @pytest.mark.parametrize("beside", [NAN, INF])
    def test_edges_are_those_of_the_known_and_finite_values(self, beside):
        column = np.append(KNOWN, [beside] * 4)[:, None]
        np.testing.assert_array_equal(bins(column).edges, [[2.75, 4.5, 6.25]])

    def test_a_missing_value_has_a_bin_of_its_own_and_infinity_the_outermost(self):
        cut = bins(np.append(KNOWN, NAN)[:, None])
        asked = np.array([[NAN], [-INF], [1.0], [8.0], [INF]])
        assert cut.codes_of(asked).ravel().tolist() == [-1, 0, 0, 3, 3]

    def test_a_missing_category_is_a_category_of_its_own(self):
        cut = bins([[0.0], [1.0], [NAN]], features=("c",), categories={"c": ("u", "v")})
        assert cut.codes_of(np.array([[NAN], [0.0], [1.0]])).ravel().tolist() == [-1, 0, 1]

    def test_a_column_that_nobody_knows_has_two_states_known_and_missing(self):
        cut = bins(np.full((4, 1), NAN))
        assert cut.codes_of(np.array([[NAN], [-5.0], [5.0]])).ravel().tolist() == [-1, 0, 0]
        rows, codes = cut.draw(50, 0)
        assert np.isnan(rows).all()
        assert (codes == -1).all()

    def test_a_row_that_misses_a_value_differs_from_all_that_know_it(self):
        cut = bins(np.append(KNOWN, [NAN] * 2)[:, None])
        rows, codes = cut.draw(4000, 0)
        same = cut.same(codes, cut.codes_of(np.array([[NAN]]))[0])[:, 0]
        np.testing.assert_array_equal(same == 1, np.isnan(rows[:, 0]))
        # Two of ten background rows: 800 of 4000, standard deviation 25.
        assert abs(same.sum() - 800) < 4 * np.sqrt(4000 * 0.2 * 0.8)
        assert set(rows[same == 0, 0]) == set(KNOWN)

    def test_a_column_beside_it_is_drawn_as_if_nothing_were_missing(self):
        known = np.column_stack([KNOWN, KNOWN])
        holes = known.copy()
        holes[::3, 1] = NAN
        alone = bins(known[:, :1]).draw(64, 0)[0]
        np.testing.assert_array_equal(bins(holes).draw(64, 0)[0][:, :1], alone)

    def test_bins_by_entropy_cut_where_the_known_values_part(self):
        column = np.append(KNOWN, [NAN, NAN, INF])[:, None]
        classes = np.append(KNOWN > 5, [True, False, True]).astype(int)
        assert bins(column, "entropy", classes).edges[0].tolist() == [5.5]
        nobody = np.column_stack([column[:, 0], np.full(11, NAN)])
        assert bins(nobody, "entropy", classes).edges[1].tolist() == [INF]
