"""A result as HTML: the gap with its meaning, the table, the pictures on offer."""

from dataclasses import replace

import numpy as np
import pytest

from workbench import methods
from workbench.core import Attribution, Inputs, Target
from workbench.panels.explain.picture import Look, looks, pictures_of, result_html, settled
from workbench.panels.kit.attribution import (
    TABLE_ROWS,
    facts_html,
    fill_html,
    gap_meaning,
    table_html,
)


@pytest.fixture
def result(four):
    """Three rows of four columns whose values sum to output - base."""
    values = np.array([[1.0, -4.0, 0.5, 2.0], [0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]])
    return Attribution(
        values=values,
        output=values.sum(axis=1) + 10,
        base=np.full(3, 10.0),
        error=np.full((3, 4), 0.5),
        inputs=four,
        model="m",
        method=methods.PermutationSHAP(),
        target=Target(0),
        explained=("y", "y", "z"),
        scale="logit",
        evaluations=1234,
    )


def test_no_gap_is_said_to_be_none(result):
    assert "add up to the output" in gap_meaning(result, 0)


def test_the_gap_of_an_additive_method_is_a_share_of_the_way(result):
    short = replace(result, output=result.output + np.array([0.0, 2.0, 0.0]))
    assert gap_meaning(short, 1).startswith("The values leave a gap of 2, 25% of the way")


def test_a_method_that_does_not_add_up_says_so(result):
    lime = replace(result, method=methods.LIME(), output=result.output + 1)
    assert gap_meaning(lime, 1).startswith("LIME does not promise to add up: it leaves a gap of 1")


def test_without_a_base_there_is_no_gap(result):
    bare = replace(result, base=np.full(3, np.nan), method=methods.Occlusion())
    assert "has no base" in gap_meaning(bare, 0)
    assert facts_html(bare, 0).count("<dd>none</dd>") == 2


def test_the_table_is_sorted_by_size_with_sign_value_and_error(result):
    html = table_html(result, 0)
    places = [html.index(f">{name}</th>") for name in ("b", "d", "a", "c")]
    assert places == sorted(places)
    assert "-4" in html
    assert "+2" in html
    assert "± 0.98" in html  # 1.96 x 0.5
    assert "95 % error" in html
    assert f"<td>{result.inputs.shown(0, 1)}</td>" in html


def test_without_sampling_there_is_no_error_column(result):
    assert "95 % error" not in table_html(replace(result, error=None), 0)


def test_a_long_table_is_folded():
    n = TABLE_ROWS + 8
    inputs = Inputs(np.ones((1, n)), kind="tabular")
    wide = Attribution(
        np.arange(n, dtype=float)[None],
        np.zeros(1),
        np.zeros(1),
        None,
        inputs,
        "m",
        methods.Occlusion(),
        Target(0),
        ("y",),
        "raw",
    )
    html = table_html(wide, 0)
    assert "<summary>The other 8</summary>" in html
    assert html.count('<th scope="row">') == n


def test_the_pictures_on_offer_suit_the_rows(result):
    assert pictures_of(result) == ("bars", "waterfall", "all rows")
    assert [one["name"] for one in looks(result)] == ["row", "picture"]


@pytest.mark.parametrize("picture", ["bars", "waterfall", "all rows"])
def test_every_picture_has_words_and_alternative_text(result, picture):
    html = result_html(result, Look(row=1, picture=picture))
    assert 'alt="' in html
    assert "The picture in words" in html
    assert "data:image/png;base64," in html


def test_a_look_that_no_longer_fits_becomes_one_that_does(result):
    assert settled(Look(row=9, picture="superpixels"), result) == Look(row=0, picture="bars")
    assert settled(Look(row=2, picture="waterfall"), result) == Look(row=2, picture="waterfall")


def test_a_result_that_was_stopped_says_so(result):
    assert "Stopped early" in result_html(replace(result, complete=False), Look())


def test_a_fill_that_was_left_open_says_what_it_covered_the_absent_with(result):
    image = Inputs(np.full((1, 6, 6, 3), 0.5), kind="image")
    of_image = Attribution(
        values=np.zeros((1, 6, 6)), inputs=image, model="m", method=methods.Occlusion(),
        target=Target(0), evaluations=1, output=np.ones(1), base=np.ones(1), error=None, explained=("y",),
        scale="logit",
    )  # fmt: skip
    assert "took its values in the background rows" in fill_html(result)
    assert "covered with one color that is far from its own" in fill_html(of_image)
    assert fill_html(result) in result_html(result, Look())


@pytest.mark.parametrize(
    "method",
    [
        methods.PermutationSHAP(fill="mean"),  # said by the one who chose it
        methods.LIME(),  # whose fill matters for images only
        methods.IntegratedGradients(),  # has no "auto"
    ],
)
def test_a_fill_that_was_not_left_open_is_not_mentioned(result, method):
    assert fill_html(replace(result, method=method)) == ""
