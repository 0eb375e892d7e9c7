"""Games and ledgers: which copies are asked about, whose scores are averaged, whom credit goes to."""

from __future__ import annotations

import numpy as np
import pytest

import workbench as wb
from workbench.coalitions.game import Game, Players, game
from workbench.coalitions.kept import Kept
from workbench.coalitions.ledger import Ledger
from workbench.coalitions.precision import Spread
from workbench.coalitions.superpixels import Superpixels, even_cells
from workbench.core import Inputs, Model

ROW = np.array([1.0, 2.0, 4.0])
FILLS = np.array([[10.0, 20.0, 40.0], [0.0, 0.0, 0.0]])
MASKS = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [1, 0]], dtype=bool)


def asked_in(batch: int) -> tuple[Game, list[np.ndarray]]:
    seen: list[np.ndarray] = []

    def predict(rows):
        seen.append(rows)
        return np.stack([rows.sum(axis=1), rows[:, 0]], axis=1)

    model = Model("sum", predict, ("sum", "first"), "raw", batch=batch)
    return Game(model, ROW, FILLS, np.array([0, 1, 1]), ("a", "bc")), seen


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 100])
def test_a_coalition_keeps_its_players_and_takes_the_rest_from_its_own_fill(batch):
    one, seen = asked_in(batch)
    which = np.array([0, 1, 0, 0, 0])
    wanted = [[10, 20, 40], [1, 0, 0], [10, 2, 4], [1, 2, 4], [1, 20, 40]]
    parts = list(one.play(MASKS, which))
    np.testing.assert_array_equal(np.concatenate(seen), wanted)
    np.testing.assert_array_equal(
        np.concatenate([s for _, s in parts])[:, 0], np.sum(wanted, axis=1)
    )
    assert [i for part, _ in parts for i in range(5)[part]] == list(range(5))
    assert all(len(rows) <= batch for rows in seen)
    assert one.p == 2


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 100])
def test_averages_are_over_every_fill_and_those_that_are_done_are_right_at_every_step(batch):
    one, _ = asked_in(batch)
    wanted = np.array([[35, 5], [31, 1], [11, 5], [7, 1], [31, 1]])  # means over both fills
    counts = []
    for done, scores in one.play_averaged(MASKS):
        np.testing.assert_allclose(scores[:done], wanted[:done])
        counts.append(done)
    assert counts == sorted(counts)
    assert counts[-1] == 5
    np.testing.assert_array_equal(one.empty(), [[70, 10], [0, 0]])
    np.testing.assert_array_equal(one.full(), [[7, 1]])


def test_what_plays_is_a_tables_group_or_an_images_superpixel_with_its_name():
    cut = Players(Superpixels("grid", 4))
    table = Inputs(
        np.zeros((2, 3)), kind="tabular", features=("a", "b", "c"), groups={"ac": (0, 2)}
    )
    assert (cut.count(table), cut.counts(table)) == (2, (2, 2))
    image = Inputs(np.zeros((2, 4, 6, 3)), kind="image")
    assert (cut.count(image), cut.counts(image)) == (None, (4, 4))
    owner, names = cut.of(image, 0)
    assert names == ("superpixel 0", "superpixel 1", "superpixel 2", "superpixel 3")
    assert owner[0, 0] == 0
    assert owner[3, 5] == 3
    model = Model("sum", lambda rows: rows.sum(axis=(1, 2)), ("r", "g", "b"), "raw")
    assert game(model, image, 1, "zero", cut).label == "1"


def test_scores_that_are_no_numbers_name_the_row_whose_copy_gave_them():
    model = Model("bad", lambda rows: rows[:, :1] / 0 * np.nan, ("y",), "raw")
    one = Game(model, ROW, FILLS, np.array([0, 1, 1]), ("a", "bc"), label="patient 7")
    with np.errstate(all="ignore"), pytest.raises(wb.errors.ModelError, match="patient 7"):
        list(one.play(MASKS, np.zeros(5, int)))


def test_credit_is_spread_evenly_over_a_players_features_and_nobodys_have_none():
    model = Model("sum", lambda rows: rows[:, :1], ("y",), "raw")
    rows = Inputs(np.ones((2, 4)), kind="tabular", background=np.zeros((1, 4)))
    ledger = Ledger(model, rows, (wb.Target(0), wb.Target(0)))
    players = np.array([0, 1, 1, 1])
    credit = np.array([[5.0, 50.0], [9.0, 90.0]])
    spread = Spread(np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([7.0, 8.0]))
    ledger.enter(0, players, ("a", "bcd"), (credit, spread, np.array([0.5, 0.25])))
    found = ledger.estimate(("note",))
    np.testing.assert_array_equal(found.values[:, 0], [[5, 3, 3, 3], [50, 30, 30, 30]])
    np.testing.assert_array_equal(found.error[:, 0], [[1, 1, 1, 1], [2, 2, 2, 2]])
    np.testing.assert_array_equal(found.freedom[:, 0], [7, 8])
    np.testing.assert_array_equal(found.base[:, 0], [0.5, 0.25])
    np.testing.assert_array_equal(found.output, [[1, 1], [1, 1]])
    assert np.isnan(found.values[:, 1]).all()
    assert np.isnan(found.base[:, 1]).all()
    assert found.players.tolist() == [0, 1, 1, 1]
    assert (found.player_names, found.notes) == (("a", "bcd"), ("note",))
    ledger.enter(1, np.array([0, -1, 1, 1]), ("a", "cd"), (credit, None, np.zeros(2)))
    assert ledger.estimate().values[0, 1].tolist() == [5, 0, 4.5, 4.5]


def test_without_errors_an_estimate_has_none_and_a_preview_enters_what_is_known():
    model = Model("sum", lambda rows: rows[:, :1], ("y",), "raw")
    rows = Inputs(np.ones((1, 2)), kind="tabular", background=np.zeros((1, 2)))
    ledger = Ledger(model, rows, (wb.Target(0),))
    one = game(model, rows, 0, "background", Players(Superpixels()))
    assert np.isnan(ledger.preview(0, one, lambda: None)().values).all()
    entry = (np.array([[2.0], [3.0]]), None, np.zeros(1))
    look = ledger.preview(0, one, lambda: entry, ("in progress",))()
    assert (look.values.tolist(), look.error, look.notes) == ([[[2, 3]]], None, ("in progress",))


@pytest.mark.parametrize(
    ("h", "w", "most", "down", "across"),
    [(4, 4, 4, 2, 2), (2, 8, 4, 1, 4), (8, 2, 4, 4, 1), (3, 3, 100, 3, 3), (1, 9, 4, 1, 4),
     (9, 1, 4, 4, 1), (6, 6, 7, 3, 2), (5, 7, 1, 1, 1), (2, 50, 100, 2, 50)],
)  # fmt: skip
def test_even_cells_are_as_square_as_they_can_be_at_most_as_many_as_asked_for(
    h, w, most, down, across
):
    cells = even_cells((h, w), most)
    assert (len(np.unique(cells[:, 0])), len(np.unique(cells[0]))) == (down, across)
    assert sorted(np.unique(cells)) == list(range(down * across))
    assert down * across <= most
    sizes = np.bincount(cells.ravel())
    assert sizes.max() <= -(-h // down) * -(-w // across)
    assert sizes.min() >= (h // down) * (w // across)


def test_what_is_kept_is_made_once_while_there_is_room_and_the_oldest_goes_first():
    made = []

    def make(key):
        def anew():
            made.append(key)
            return np.zeros(4)

        return anew

    kept: Kept[np.ndarray] = Kept(3 * 32, lambda one: one.nbytes)
    for key in "abcab":
        kept.get(key, make(key))
    assert made == ["a", "b", "c"]
    kept.get("d", make("d"))  # c was asked for the longest ago
    kept.get("a", make("a"))
    kept.get("b", make("b"))
    assert made == ["a", "b", "c", "d"]
    kept.get("c", make("c"))
    assert made == ["a", "b", "c", "d", "c"]
