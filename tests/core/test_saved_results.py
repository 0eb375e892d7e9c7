"""A result in a file: equal in every bit when it is read, one file of the format that others read too."""

from __future__ import annotations

import json
import os
import pickle
import tracemalloc
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest

import workbench as wb
from tests.equal_in_every_bit import assert_equal
from tests.results_by_hand import (
    HOSTILE,
    image_result,
    sampled_result,
    superpixel_result,
    table_result,
)
from workbench.core import Composition, Inputs, Interactions, Provenance, Target
from workbench.errors import InputError, UnsafeFileError


def everything():
    """A result in which every field holds something unusual."""
    rows = Inputs(
        np.array([[0.0, 1.0, -0.0], [1.0, 2.0, 1e-310]]),
        kind="tabular",
        features=("town", "體温", "a\nb"),
        background=np.array([[1, 0, 0.5]], dtype=np.float32),
        groups={"both": ("town", "a\nb")},
        categories={"town": ("Oslo", True), "體温": (1, 2.5, "x")},
        truth=np.array([True, False]),
        y=np.array(["yes", "né"]),
        ids=("first", "\u202eid"),
        name="rows of a kind",
    )
    how = Composition(("a", "b"), (0.25, 0.75), "weighted mean", "vote share", "no background",
                      True, True, False, False, True)  # fmt: skip
    told = Provenance(
        notes=("one", "two"), model_notes=("two",), digest="ab", lineage=("loaded",),
        versions={"numpy": "2"}, twin_gap=float("inf"), signed=True, ensemble=how, badge="Exact",
        facts={"share": 0.5, "names": ("x", "y"), "seen": True, "count": 3},
    )  # fmt: skip
    part = table_result(inputs=rows, model="a", provenance=told, seconds=0.1)
    one = table_result(
        inputs=rows,
        base=np.array([np.nan, -0.0]),
        error=np.array([[0.0, np.nan, 1.0], [np.inf, 2.0, 3.0]]),
        freedom=np.array([np.inf, 3.0]),
        players=np.array([0, 1, 0]),
        player_names=("both", "體温"),
        target=Target((0, "no"), against=1),
        complete=False,
        evaluations=12,
        parts=(part, replace(part, model="b", inputs=rows[[1, 0]])),
        provenance=told,
    )
    return one, part


RESULTS = {
    "table": table_result,
    "sampled": sampled_result,
    "image": image_result,
    "superpixels": superpixel_result,
    "everything": lambda: everything()[0],
    "hostile names": lambda: table_result(
        names=HOSTILE[:3], model=HOSTILE[3], explained=HOSTILE[4:6]
    ),
}


def classes(values):
    return table_result(inputs=Inputs(np.zeros((2, 3)), kind="tabular", y=values))


CLASSES = {
    "whole numbers": np.array([3, 250], dtype=np.uint8),
    "single": np.array([0.5, np.nan], dtype=np.float32),
    "other byte order": np.array([1.5, 2.0], dtype=">f8"),
    "text": np.array(["a", "longer\U0001f600"]),
    "dates": np.array(["2024-05-01", "NaT"], dtype="datetime64[D]"),
    "mixed": np.array(["a", None], dtype=object),
    "by two": np.array([["a", "b"], ["c", "d"]]),
}


def round_trip(result, folder, **how):
    result.save(folder / "result.safetensors")
    return wb.read(folder / "result.safetensors", **how)


@pytest.mark.parametrize("make", RESULTS.values(), ids=RESULTS)
def test_a_result_comes_back_equal_in_every_bit(make, tmp_path):
    result = make()
    assert_equal(result, round_trip(result, tmp_path))


@pytest.mark.parametrize("values", CLASSES.values(), ids=CLASSES)
def test_what_is_known_of_the_rows_keeps_its_sort_of_number_or_text(values, tmp_path):
    result = classes(values)
    assert_equal(result, round_trip(result, tmp_path))


def test_what_is_read_cannot_be_changed_and_draws_and_compares_as_before(tmp_path):
    from workbench import draw

    result = table_result()
    again = round_trip(result, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        again.values[0, 0] = 1.0
    assert draw.bars_text(again, 0) == draw.bars_text(result, 0)
    other = replace(again, model="other", values=-again.values)
    frame = wb.compare([result, other], reference="forest").to_frame()
    assert wb.compare([again, other], reference="forest").to_frame().equals(frame)


def test_rows_that_an_ensemble_shares_with_its_members_are_in_the_file_once(tmp_path):
    pixels = Inputs(np.random.default_rng(0).random((1, 64, 64, 3)), kind="image")
    maps = np.zeros((1, 64, 64))
    part = image_result(maps, inputs=pixels)
    parts = tuple(replace(part, model=name) for name in "abc")
    replace(part, parts=parts).save(tmp_path / "result")
    numbers = pixels.values.nbytes + 4 * maps.nbytes
    assert numbers < os.path.getsize(tmp_path / "result") < numbers + 10_000


def test_other_readers_of_the_format_find_the_same_numbers(tmp_path):
    from safetensors import safe_open

    result = everything()[0]
    result.save(tmp_path / "result.safetensors")
    with safe_open(tmp_path / "result.safetensors", "np") as file:
        assert json.loads(file.metadata()["workbench"])["of"] == "Attribution"
        np.testing.assert_array_equal(file.get_tensor("values"), result.values)
        np.testing.assert_array_equal(file.get_tensor("error"), result.error)


@dataclass(frozen=True)
class Own:
    """A method of one's own."""

    power: float = 2.0
    names: tuple[str, ...] = ()
    needs: ClassVar = ()
    kinds: ClassVar = ("tabular",)
    additive: ClassVar = False
    source: ClassVar = "none"

    def attribute(self, model, inputs, targets):
        yield None


def test_a_method_of_ones_own_is_made_of_the_class_that_is_given_and_never_looked_for(tmp_path):
    result = table_result(method=Own(3.0, ("a",)))
    with pytest.raises(InputError, match=r"'Own', which is none of .*methods="):
        round_trip(result, tmp_path)
    assert_equal(result, round_trip(result, tmp_path, methods=[Own]))
    with pytest.raises(InputError, match="must be classes of methods"):
        wb.read(tmp_path / "result.safetensors", methods=[Own()])


def test_what_no_file_can_hold_is_refused_before_anything_is_written(tmp_path):
    for wrong in (table_result(method=Own(len)), classes(np.array([1j, 2j])),
                  classes(np.array([len, print], dtype=object))):  # fmt: skip
        with pytest.raises(InputError, match="holds numbers, text"):
            wrong.save(tmp_path / "result")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="Saving this Attribution needs"):
        table_result().save(tmp_path / "none" / "result")


@dataclass(frozen=True)
class Typed(Own):
    """A method of one's own with fields of many types."""

    text: str = ""
    some: Any = None
    table: dict[str, float] = field(default_factory=dict)
    numbers: np.ndarray | None = None
    made: float = field(init=False, default=0.0)


def test_a_method_of_ones_own_may_hold_tables_arrays_and_tuples(tmp_path):
    method = Typed(some=(1, ("a", None)), table={"a": 1.0}, numbers=np.array([1, 2]))
    found = round_trip(table_result(method=method), tmp_path, methods=[Typed]).method
    np.testing.assert_array_equal(found.numbers, method.numbers)
    assert replace(found, numbers=None) == replace(method, numbers=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": Typed(text=3)},
        {"method": Typed(some={"a": 1})},
        {"provenance": Provenance(facts={"a": None})},
        {"provenance": Provenance(facts={"a": np.ones(2)})},
        {"target": Target((0, 1, 0))},
        {"draws": np.array([1, 2, 3])},
        {"explained": ("one",)},
    ],
)
def test_what_could_not_be_read_again_is_refused_before_anything_is_written(wrong, tmp_path):
    with pytest.raises(InputError, match="must be readable again"):
        table_result(**wrong).save(tmp_path / "result")
    assert not list(tmp_path.iterdir())


def test_halves_of_a_character_that_would_come_back_joined_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"method\.names\.0 is str"):
        table_result(method=Own(names=("\ud83d\ude00",))).save(tmp_path / "result")
    half = table_result(method=Own(names=("\ud83d",)))
    assert_equal(half, round_trip(half, tmp_path, methods=[Own]))


def test_no_rows_with_classes_of_text_come_back(tmp_path):
    some = classes(np.array(["a", "b"]))
    none = replace(
        some, inputs=some.inputs[[]], values=some.values[:0], output=some.output[:0],
        base=some.base[:0], explained=(),
    )  # fmt: skip
    assert_equal(none, round_trip(none, tmp_path))


def test_labels_and_classes_that_are_tuples_come_back(tmp_path):
    pairs = np.empty(2, dtype=object)
    pairs[:] = [("a", 1), ("b", 2)]
    one = classes(pairs)
    rows = replace(
        one.inputs, values=np.zeros((2, 3)), categories={one.inputs.features[0]: (("a", 1),)}
    )
    result = replace(one, inputs=rows)
    assert_equal(result, round_trip(result, tmp_path))


def test_files_of_another_sort_are_refused_with_what_to_do(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(UnsafeFileError, match=r"holds no result.*workbench\.load"):
        wb.read(tmp_path / "weights.safetensors")
    with pytest.raises(InputError, match="there is none at"):
        wb.read(tmp_path / "none")
    with pytest.raises(InputError, match="is a folder"):
        wb.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeFileError, match="a device or a pipe"):
        wb.read(tmp_path / "pipe")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(UnsafeFileError, match="promises a header"):
        wb.read(tmp_path / "empty")


def test_a_small_file_takes_little_memory(tmp_path):
    table_result().save(tmp_path / "result")
    wb.read(tmp_path / "result")
    tracemalloc.start()
    try:
        wb.read(tmp_path / "result")
        assert tracemalloc.get_traced_memory()[1] < 2**20  # bytes; the file has some thousand
    finally:
        tracemalloc.stop()


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "result"
    table_result().save(path)
    size = os.path.getsize(path)
    short = os.stat_result((*os.stat(path)[:6], size - 1, *os.stat(path)[7:]))
    monkeypatch.setattr("workbench.core.reading.os.fstat", lambda _file: short)
    with pytest.raises(InputError, match="is being written"):
        wb.read(path)


def test_interactions_come_back_equal_and_read_only_from_a_file_and_another_process(tmp_path):
    rows = Inputs(np.zeros((2, 3)), kind="tabular")
    values = np.arange(18.0).reshape(2, 3, 3)
    result = Interactions(
        values, values[:, 0, 0], np.array([0.5, np.nan]), rows, "forest", "path_dependent",
        Target(0), "raw", 0.25,
    )  # fmt: skip
    assert_equal(result, round_trip(result, tmp_path))
    assert_equal(result, pickle.loads(pickle.dumps(result)))
    with pytest.raises(ValueError, match="read-only"):
        result.values[0] = 1.0


def test_a_result_is_not_taken_for_a_model(tmp_path):
    path = tmp_path / "result.safetensors"
    table_result().save(path)
    with pytest.raises(
        UnsafeFileError, match=r"a result that Attribution\.save wrote, not a model"
    ):
        wb.load(path)
