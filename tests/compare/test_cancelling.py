"""Credit that members cancel: where listing begins, how pairs oppose each other, who is left out."""

from __future__ import annotations

import pytest

from tests.compare.members_by_hand import member
from workbench.compare import disagreement


def listed(*values, weights=None):
    parts = [member(f"m{k}", [list(one)]) for k, one in enumerate(values)]
    return disagreement(parts, weights).influence.cancelling_players()


def test_a_player_is_listed_where_a_quarter_is_left_and_not_where_more_is():
    assert listed((5.0, 0.0), (-3.0, 0.0))["player"].tolist() == ["column 0"]  # 2 of 8 is a quarter
    assert listed((5.0, 0.0), (-2.5, 0.0)).empty  # 2.5 of 7.5 is a third


def test_a_player_of_which_less_is_said_than_on_average_is_not_listed():
    assert listed((1.0, 1.0), (-1.0, 1.0))["player"].tolist() == [
        "column 0"
    ]  # as much as the other
    assert listed((1.0, 2.0), (-1.0, 2.0)).empty
    assert listed((0.0, 0.0), (0.0, 0.0)).empty


def test_the_most_cancelled_come_first_and_no_more_than_asked_for():
    found = listed((1.0, 8.0, 9.0), (-1.0, -8.0, -9.0))
    assert found["player"].tolist() == ["column 2", "column 1"]  # one of them is below average
    assert found["canceled"].tolist() == pytest.approx([4.5, 4.0])  # half of each member's weight
    parts = [member("a", [[4.0, 9.0]] * 3), member("b", [[-4.0, -9.0]] * 3)]
    lines = disagreement(parts).influence.cancelling_players(2)
    assert len(lines) == 2
    assert lines["row"].tolist() == ["0", "1"]


def test_pairs_cancel_the_smaller_of_two_opposed_sizes():
    found = disagreement(
        [member("a", [[6.0, 2.0]]), member("b", [[-3.0, 3.0]]), member("mute", [[9.0, 9.0]])],
        [1, 1, 0],
    ).influence.cancelling_pairs()
    (line,) = found.to_dict("records")
    assert (line["member"], line["with"]) == ("a", "b")
    assert line["canceled"] == pytest.approx(1.5)  # of halves: 3 and -1.5 in the first column
    assert line["share"] == pytest.approx(1.5 / 2.5)  # 1 in the second could have been, but agrees
    apart = disagreement([member("a", [[1.0, 0.0]]), member("b", [[0.0, 1.0]])])
    assert apart.influence.cancelling_pairs()["share"].tolist() == [0.0]


def test_the_pair_that_cancels_most_comes_first():
    parts = [member("a", [[1.0]]), member("b", [[-0.5]]), member("c", [[-2.0]])]
    found = disagreement(parts).influence.cancelling_pairs()
    assert list(zip(found["member"], found["with"], strict=True)) == [
        ("a", "c"), ("a", "b"), ("b", "c"),
    ]  # fmt: skip
