"""A form says what the annotations say, and gives the same recipe back."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest

from workbench import methods
from workbench.core import Doc, Range
from workbench.errors import InputError
from workbench.panels.kit import form, rows


@dataclass(frozen=True)
class Everything:
    size: Annotated[int, Range(1, 9), Doc("in pixels")] = 3
    budget: Annotated[int, Range(16, 65_536, log=True)] = 1024
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    share: Annotated[float, Range(0.0, 1.0)] = 0.5
    free: float = 2.0
    exact: bool = False
    mode: Literal["near_by", "far"] = "far"
    maybe: Literal[1, 2] | None = None
    layer: str | None = None
    word: str = "a"


def fields():
    return {one["name"]: one for one in form.fields(Everything, {"layer": ("conv1", "conv2")})}


def test_every_parameter_has_the_control_of_its_annotation():
    kinds = {name: one["kind"] for name, one in fields().items()}
    assert kinds == {
        "size": "number",
        "budget": "number",
        "seed": "number",
        "share": "number",
        "free": "number",
        "exact": "check",
        "mode": "choice",
        "maybe": "choice",
        "layer": "text",
        "word": "text",
    }


def test_sliders_are_for_ranges_that_a_hand_can_hit():
    found = fields()
    assert found["size"]["slider"]
    assert (found["size"]["low"], found["size"]["high"]) == (1, 9)
    assert found["budget"]["slider"]
    assert found["budget"]["log"]
    assert not found["seed"]["slider"]
    assert not found["free"]["slider"]


def test_choices_keep_their_type_and_may_be_automatic():
    assert fields()["maybe"]["options"] == [[None, "auto"], [1, "1"], [2, "2"]]
    assert fields()["mode"]["options"] == [["near_by", "near by"], ["far", "far"]]


def test_hints_and_suggestions_are_there():
    assert fields()["size"]["doc"] == "in pixels"
    assert fields()["layer"]["suggestions"] == ["conv1", "conv2"]
    assert fields()["layer"]["optional"]


@pytest.mark.parametrize("method", methods.catalog(), ids=lambda method: method.__name__)
def test_every_method_comes_back_from_its_form_as_it_went_in(method):
    assert form.recipe_from(method, form.recipe_values(method())) == method()


@pytest.mark.parametrize("method", methods.catalog(), ids=lambda method: method.__name__)
def test_every_parameter_of_every_method_has_a_hint(method):
    assert [one["name"] for one in form.fields(method) if not one["doc"]] == []


def test_a_value_outside_its_range_is_named():
    with pytest.raises(InputError, match=r"LIME.segments must lie in 2 … 500, but is 900"):
        form.recipe_from(methods.LIME, {"segments": 900})


@pytest.mark.parametrize("wrong", [None, 3.5, "4"])
def test_a_value_of_another_type_is_named(wrong):
    with pytest.raises(InputError, match=r"LIME.segments must be of type int"):
        form.recipe_from(methods.LIME, {"segments": wrong})


def test_values_that_belong_to_another_method_are_left_out():
    assert form.recipe_from(methods.TreeSHAP, {"segments": 4}) == methods.TreeSHAP()


def test_code_names_what_differs_from_the_default():
    recipe = methods.LIME(budget=200, fill="blur")
    assert form.recipe_as_code(recipe) == "methods.LIME(budget=200, fill='blur')"
    assert eval(form.recipe_as_code(recipe), {"methods": methods}) == recipe  # noqa: S307


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0-7, 12", (0, 1, 2, 3, 4, 5, 6, 7, 12)),
        ("3", (3,)),
        (" 2 – 3 ,1,, ", (2, 3, 1)),
        ("1, 0-2", (1, 0, 2)),
        ("ALL", tuple(range(20))),
    ],
)
def test_rows_are_read_in_order_of_mention(text, wanted):
    assert rows.positions(text, 20) == wanted


def test_random_rows_are_the_same_every_time_and_differ():
    assert rows.positions("5 random", 20) == rows.positions("5 random", 20)
    assert len(set(rows.positions("20 random", 20))) == 20


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "none is chosen"),
        (" , ", "none is chosen"),
        ("20", "There are 20 rows, 0 to 19, so no row 20"),
        ("0-99999999999999", "so no row 20"),
        ("7-3", "goes down"),
        ("-3", "is none of these"),
        ("one", "is none of these"),
        ("1.5", "is none of these"),
        ("30 random", "30 random ones cannot be drawn"),
        ("0 random", "none is chosen"),
    ],
)
def test_rows_that_are_not_there_or_cannot_be_read_are_named(text, said):
    with pytest.raises(InputError, match=said):
        rows.positions(text, 20)


@pytest.mark.parametrize("chosen", [(0,), (2, 3, 4), (4, 2), (0, 2)])
def test_the_code_of_rows_picks_the_same_rows(chosen, table):
    picked = eval(f"table{rows.rows_as_code(chosen)}", {"table": table})  # noqa: S307
    assert picked.ids == tuple(str(one) for one in chosen)


def test_parameters_that_matter_only_for_other_rows_are_left_out():
    def names(kind):
        return [field["name"] for field in form.fields(methods.PermutationSHAP, kind=kind)]

    assert names("tabular") == ["budget", "tolerance", "fill", "seed"]
    assert names("image") == ["budget", "tolerance", "fill", "superpixels", "segments", "seed"]
    assert names("") == names("image")
