"""The benchmarks' own arithmetic: ratios, verdicts, tables, and a race whose outcome is known."""

import hashlib

import numpy as np
import pytest

from tests.benchmarks import measure
from tests.benchmarks.cell import LIMIT, OURS, lines
from tests.benchmarks.charts import Chart, Curve, Panel, save
from tests.benchmarks.measure import (
    Contestant,
    Race,
    Spread,
    Watch,
    peak,
    race,
    relative_error,
    rows_to_reach,
)
from tests.benchmarks.table import Line, at_least, at_most, markdown, plain, tally


def burn(times: int) -> None:
    """The same work so many times."""
    for _ in range(400 * times):
        hashlib.sha256(b"x" * 4096).digest()


def test_three_times_the_work_takes_about_three_times_as_long():
    one, three = Contestant("one", lambda: burn(1)), Contestant("three", lambda: burn(3))
    half = Contestant("half of three", lambda: burn(3), share=0.5)
    seen = race([one, three, half], rounds=5)
    # CPU time on a shared core: a third either way is far more than was ever seen.
    assert 2.0 < seen.ratio("three", "one").median < 4.5
    assert 4.0 < seen.ratio("half of three", "one").median < 9.0
    assert {len(seconds) for seconds in seen.seconds.values()} == {5}


def test_a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians():
    seen = Race({"a": [1.0, 10.0, 6.0], "b": [1.0, 5.0, 2.0]}, {"a": 7.5}, {}, 0.0)
    assert seen.ratio("a", "b") == Spread(2.0, 1.0, 3.0)  # of 1, 2 and 3
    assert seen.typical("a") / seen.typical("b") == 3.0
    assert seen.compiling("a") == 1.5  # the first call took 7.5, later ones 6


def test_the_peak_of_a_call_is_what_it_held_for_a_moment():
    def fills() -> int:
        return int(np.ones(8 * 2**20).sum())  # 64 MiB of doubles, gone when the call returns

    assert peak(lambda: None) < 8
    assert 60 < peak(fills) < 80


def test_the_foreign_share_is_what_neither_idled_nor_was_ours(monkeypatch):
    ticks = iter([(100.0, 1000.0), (190.0, 1200.0), (100.0, 1000.0), (100.0, 1000.0)])
    seconds = iter([5.0, 5.5, 5.0, 5.5])
    monkeypatch.setattr(measure, "_cores", lambda: next(ticks))
    monkeypatch.setattr(measure.time, "process_time", lambda: next(seconds))
    # 200 ticks passed on all cores, 90 of them busy, of which half a second, 50 ticks, was ours.
    assert Watch().foreign() == pytest.approx(40 / 200)
    assert np.isnan(Watch().foreign())  # where nothing passed, nothing can be said


def test_the_error_is_relative_to_each_row():
    # Row 1 is off by 1 of 5, row 2 by 3 of 10: their mean is 0.25.
    assert relative_error([[3.0, 5.0], [6.0, 11.0]], [[3.0, 4.0], [6.0, 8.0]]) == pytest.approx(
        0.25
    )


@pytest.mark.parametrize(
    ("rows", "errors", "wanted"),
    [
        ([100, 10_000], [0.5, 0.005], 1000.0),  # halfway on both logarithmic axes
        ([100, 200], [0.04, 0.03], 100.0),  # there from the start
        ([100, 200, 400], [0.2, 0.05, 0.02], 200.0),
    ],
)
def test_the_rows_to_reach_an_error_are_read_off_the_curve(rows, errors, wanted):
    assert rows_to_reach(0.05, rows, errors) == pytest.approx(wanted)


def test_an_error_that_is_never_reached_has_no_number_of_rows():
    assert np.isnan(rows_to_reach(0.05, [1, 2], [0.5, 0.4]))


def test_a_target_is_met_or_missed_and_nothing_measured_is_missed():
    assert at_most(1.3, 1.3, "x limit").met
    assert not at_most(1.3, 1.31, "x limit").met
    assert at_least(8, 8.0, "x fewer rows").met
    assert not at_least(8, 7.9, "x fewer rows").met
    assert not at_least(8, float("nan"), "x fewer rows").met
    assert not at_most(8, float("nan"), "x limit").met


def race_of(ours, peer):
    seconds = {LIMIT: [1.0, 1.0], OURS: [ours, ours], "peer": [peer, peer], "tuned": [2.0, 2.0]}
    return Race(seconds, {}, {OURS: 12.0, "peer": 30.0}, 0.0)


def test_the_table_says_every_target_and_where_a_peer_wins():
    seen = race_of(ours=1.5, peer=1.2)
    found = list(
        lines(
            "a job",
            seen,
            peers=("peer", "tuned"),
            goals=(at_most(1.3, 1.5, "x limit"),),
            peer_goals={"tuned": (at_least(1.2, 4 / 3, "x faster"),)},
            accuracy="1 | 2",
        )
    )
    assert [line.peer_wins for line in found] == [True, False]
    head, rule, first, second = markdown(found).splitlines()
    assert head.count("|") == rule.count("|") == 11
    assert first.startswith("| a job | 1.5 [1.5, 1.5] | ≤ 1.3 x limit | **missed** (1.5) | peer |")
    assert "0.8 [0.8, 0.8] **peer wins**" in first
    assert "1 \\| 2" in first
    assert "12 / 30" in first
    assert second.startswith("|  | 1.5 [1.5, 1.5] | ≥ 1.2 x faster | met (1.33) | tuned |")
    assert tally(found) == "1 of 2 targets met; a peer is faster in 1 of 2 lines."
    assert "PEER WINS" in plain(found[0])
    assert "PEER WINS" not in plain(found[1])


def test_our_own_code_as_a_yardstick_never_wins_as_a_peer():
    line = Line("a job", faster=Spread.of([0.9]), peer="one by one", rival=False)
    assert not line.peer_wins
    assert "peer wins" not in markdown([line])


def test_what_cannot_be_done_yet_is_a_line_without_numbers():
    seen = Race({LIMIT: [1.0], "peer": [2.0]}, {}, {}, 0.0)
    (line,) = lines("a job", seen, peers=("peer",))
    assert line.ours is None
    assert line.faster is None
    assert "| a job | – | – | – | peer | – |" in markdown([line])


def test_a_chart_is_a_png_with_every_curve_in_its_legend(tmp_path):
    curve, other = Curve("ours", (1, 10), (0.5, 0.1)), Curve("theirs", (1, 10), (0.6, 0.2))
    panels = (Panel("left", (other, curve)), Panel("right", (curve,)))
    path = save(Chart("two", "Two panels", "rows", "error", panels, level=0.3), tmp_path)
    assert path.name == "two.png"
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
