"""Results: who has a name, and what is summed."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from tests.compare.drift_by_hand import explanation
from workbench.core import Inputs, Provenance
from workbench.errors import InputError


def of_image(**changes):
    rows = Inputs(np.zeros((1, 2, 3, 1)), kind="image")
    values = np.array([[[1.0, 1.0, 2.0], [1.0, 4.0, 2.0]]])
    return explanation(values, inputs=rows, **changes)


def test_pixels_have_no_names_and_no_players_and_say_where_to_look():
    with pytest.raises(InputError, match=r"Pixels have no names\. Use maps\(\)"):
        of_image().names  # noqa: B018 - reading it is what is asked
    with pytest.raises(InputError, match=r"credits pixels, not players\. Use maps\(\)"):
        of_image().by_player(0)
    assert not of_image().has_superpixels
    with pytest.raises(InputError, match=r"maps\(\) needs image rows, but these are tabular"):
        explanation([[1.0]]).maps()


def test_superpixels_have_names_and_those_of_a_window_are_none_worth_outlining():
    owner = np.array([[[0, 0, 1], [0, -1, 1]]])
    cut = of_image(players=owner, player_names=("superpixel 0", "superpixel 1"))
    assert cut.names == ("superpixel 0", "superpixel 1")
    assert cut.has_superpixels
    assert cut.by_player(0).tolist() == [3.0, 4.0]
    assert cut.maps().tolist() == [[[3, 3, 4], [3, 0, 4]]]  # nobody's place has no credit
    assert not replace(cut, player_names=("cell 0", "cell 1")).has_superpixels


def test_a_tables_names_are_its_groups_where_it_has_any_else_its_columns():
    columns = Inputs(np.zeros((1, 3)), kind="tabular", features=("a", "b", "c"))
    one = explanation([[1.0, 2.0, 4.0]], inputs=columns)
    assert one.names == ("a", "b", "c")
    grouped = replace(one, players=np.array([0, 1, 0]), player_names=("ac", "b"))
    assert grouped.names == ("ac", "b")
    assert grouped.by_player(0).tolist() == [5.0, 2.0]
    assert grouped.error_by_player(0) is None
    frame = grouped.to_frame()
    assert frame["player"].tolist() == ["ac", "b"]
    assert frame["value"].tolist() == [5.0, 2.0]
    assert frame["error"].isna().all()
    erring = replace(grouped, error=np.array([[0.5, 0.25, 0.5]]))
    assert erring.error_by_player(0).tolist() == [1.0, 0.25]
    assert erring.to_frame()["error"].tolist() == [1.0, 0.25]


def test_the_gap_is_output_less_base_less_all_values():
    one = explanation([[1.0, 2.0, 4.0]], output=np.array([10.0]), base=np.array([2.0]))
    assert one.gap.tolist() == [1.0]


def test_a_stopped_result_says_so_and_a_whole_one_does_not():
    assert "stopped early" not in repr(explanation([[1.0]]))
    assert "stopped early" in repr(explanation([[1.0]], complete=False))


def test_what_a_result_was_given_in_lists_and_dicts_cannot_be_changed_any_more():
    part, notes, versions = explanation([[1.0]], "part"), ["a note"], {"numpy": "2"}
    told = Provenance(notes=notes, versions=versions)
    one = explanation([[1.0]], parts=[part], provenance=told)
    assert one.parts == (part,)
    notes.clear()
    versions["numpy"] = "3"
    assert one.notes == ("a note",)
    assert one.provenance.versions == {"numpy": "2"}
    with pytest.raises(FrozenInstanceError):
        one.provenance.notes = ()
    with pytest.raises(TypeError):
        one.provenance.versions["numpy"] = "3"
    for name in ("values", "output", "base"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(one, name)[0] = 2.0
