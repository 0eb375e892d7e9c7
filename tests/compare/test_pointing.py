"""Where a map points: ties, misses by a pixel, maps that point nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compare.drift_by_hand import explanation
from workbench.compare import mass_in_mask, pointing_game
from workbench.errors import InputError


def pointing(values, *inside, tolerance=0):
    """Whether a map of 4 x 5 places points into a mask of these."""
    map_, mask = np.zeros((1, 4, 5)), np.zeros((1, 4, 5), bool)
    for place, value in values.items():
        map_[0][place] = value
    for place in inside:
        mask[0][place] = True
    return bool(pointing_game(explanation(map_), mask, tolerance=tolerance)[0])


def test_the_highest_place_counts_and_no_other():
    assert pointing({(1, 2): 2.0, (3, 3): 1.0}, (1, 2))
    assert not pointing({(1, 2): 2.0, (3, 3): 1.0}, (3, 3))
    assert not pointing({(1, 2): -2.0, (3, 3): -1.0}, (3, 3), (0, 0))  # nowhere positive
    assert not pointing({}, (0, 0))
    assert not pointing({(1, 2): 2.0}, tolerance=9)  # nothing to point at


def test_a_tolerance_is_a_distance_in_the_plane():
    assert pointing({(0, 0): 1.0}, (0, 2), tolerance=2)
    assert not pointing({(0, 0): 1.0}, (0, 2), tolerance=1)
    assert not pointing({(0, 0): 1.0}, (2, 1), tolerance=2)  # the root of 5
    assert pointing({(0, 0): 1.0}, (2, 1), tolerance=3)
    assert pointing({(0, 0): 1.0}, (3, 4), (0, 1), tolerance=1)  # the nearest of them


def test_of_several_highest_places_the_one_nearest_to_their_middle_counts():
    row = {(1, 0): 1.0, (1, 1): 1.0, (1, 2): 1.0}
    assert pointing(row, (1, 1))
    assert not pointing(row, (1, 0), (1, 2))


def test_masks_of_another_shape_are_refused_and_numbers_above_zero_are_inside():
    one = explanation(np.ones((1, 4, 5)))
    with pytest.raises(InputError, match=r"shape \(1, 4, 5\), but they have \(1, 5, 4\)"):
        pointing_game(one, np.zeros((1, 5, 4)))
    with pytest.raises(InputError, match="The pointing game needs masks"):
        pointing_game(one)
    gray = np.linspace(-1, 1, 20).reshape(1, 4, 5)
    assert mass_in_mask(one, gray).tolist() == [0.5]
