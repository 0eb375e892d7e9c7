"""Signals and volumes as kinds of rows: their shape, their parts and what is said of a doubtful order."""

import numpy as np
import pytest

from tests.places import signals, volumes
from workbench.coalitions.game import Players
from workbench.coalitions.superpixels import Superpixels
from workbench.core import Inputs
from workbench.errors import InputError


def parts(rows, segments, algorithm="grid"):
    return Players(Superpixels(algorithm, segments)).of(rows, 0)


def test_a_signal_is_cut_into_equal_pieces_of_time():
    owners, names = parts(signals(t=40), 4)
    assert owners.tolist() == [0] * 10 + [1] * 10 + [2] * 10 + [3] * 10
    assert names == ("samples 0 to 9", "samples 10 to 19", "samples 20 to 29", "samples 30 to 39")


def test_a_signal_shorter_than_the_pieces_asked_for_has_a_piece_for_each_sample():
    owners, names = parts(signals(t=3), 50, "slic")
    assert owners.tolist() == [0, 1, 2]
    assert names == ("sample 0", "sample 1", "sample 2")


def test_a_volume_is_cut_into_boxes_whose_edges_are_told():
    rows = volumes(shape=(4, 4, 8, 1))
    owners, names = parts(rows, 16)
    where = rows.of_kind.where(rows, 0, names, owners)
    assert len(names) == 16
    assert where[:2] == ["z 0-1, y 0-1, x 0-1", "z 0-1, y 0-1, x 2-3"]
    assert {tuple(np.ptp(np.argwhere(owners == j), axis=0) + 1) for j in range(16)} == {(2, 2, 2)}


def test_slic_follows_what_a_volume_shows():
    values = np.zeros((1, 6, 12, 12, 1))
    values[:, :, :, 5:] = 1.0
    owners, _ = parts(Inputs(values, kind="volume"), 8, "slic")
    assert 4 <= owners.max() + 1 <= 12
    assert not set(owners[..., :5].ravel()) & set(owners[..., 5:].ravel())


@pytest.mark.parametrize(
    ("shape", "kind", "advice"),
    [((4, 1, 500), "signal", r"values\.transpose\(0, 2, 1\)"),
     ((3, 1, 16, 8, 8), "volume", r"values\.transpose\(0, 2, 3, 4, 1\)")],
)  # fmt: skip
def test_rows_that_are_clearly_channels_first_are_refused(shape, kind, advice):
    with pytest.raises(InputError, match=rf"looks like channels first\. Use {advice}"):
        Inputs(np.zeros(shape), kind=kind)


@pytest.mark.parametrize(
    ("shape", "kind", "said"),
    [((4, 12, 500), "signal", 1), ((4, 500, 12), "signal", 0), ((4, 1, 1), "signal", 0),
     ((2, 3, 16, 8, 8), "volume", 1), ((2, 16, 8, 8, 3), "volume", 0)],
)  # fmt: skip
def test_a_doubtful_order_is_said(shape, kind, said):
    rows = Inputs(np.zeros(shape), kind=kind)
    assert len(rows.of_kind.remarks(rows)) == said


@pytest.mark.parametrize(
    ("shape", "advice"),
    [((6, 2, 50), r"Signals have the shape \(n, t, c\): give kind='signal'"),
     ((3, 8, 16, 16, 1), r"Volumes have the shape \(n, d, h, w, c\): give kind='volume'")],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["tabular", "image", ""])
def test_rows_of_another_kind_are_told_the_kind_of_their_shape(shape, advice, kind):
    with pytest.raises(InputError, match=advice):
        Inputs(np.zeros(shape), kind=kind)


def test_an_empty_row_and_a_gap_are_refused():
    with pytest.raises(InputError, match="at least one sample and one channel"):
        Inputs(np.zeros((2, 0, 3)), kind="signal")
    with pytest.raises(InputError, match="at least one voxel and one channel"):
        Inputs(np.zeros((2, 4, 0, 3, 1)), kind="volume")
    with pytest.raises(InputError, match="row"):
        Inputs(np.full((2, 4, 3), np.nan), kind="signal")
