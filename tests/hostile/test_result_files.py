"""Two thousand changed copies of results' files: each reads as a result, or ends in one of two errors."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from collections import Counter
from functools import cache

import numpy as np
import pytest

from tests.core.test_saved_results import everything
from tests.hostile.mutants import changed
from tests.results_by_hand import superpixel_result, table_result
from workbench.core.result_reading import result_in
from workbench.core.result_writing import result_bytes
from workbench.core.tensor_file import packed, sealed, unpacked
from workbench.errors import InputError, UnsafeFileError
from workbench.methods import catalog

MUTANTS = 2_000
METHODS = {method.__name__: method for method in catalog()}
_LIES = (
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 10**30, 0.5, "", "x", "\ud800", "nan", [], {}),
    *(
        [[]],
        {"float": "nan"},
        {"rows": 0},
        {"rows": -1},
        {"array": "values"},
        "TreeSHAP",
        [1, 2, 3],
    ),
)


@cache
def files():
    return tuple(map(result_bytes, (table_result(), superpixel_result(), everything()[0])))


def parts_of(data):
    """A file's header and its numbers."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(header, numbers):
    """A file with the right checksum, so that what is refused is refused for what it says."""
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        written = json.dumps(header).encode()
        return len(written).to_bytes(8, "little") + written + numbers
    return sealed(header, numbers)


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def with_a_lie(value, draw):
    """One entry replaced, taken out, doubled, or exchanged for another entry of the same value."""
    *above, last = draw.choice([path for path in places(value) if path])
    holder = value
    for key in above:
        holder = holder[key]
    sort = draw.randrange(4)
    if sort == 0:
        del holder[last]
    elif sort == 1:
        holder[last] = draw.choice(_LIES)
    elif sort == 2 and isinstance(holder, list):
        holder.append(holder[last])
    else:
        other = value
        for key in draw.choice(list(places(value))):
            other = other[key]
        holder[last] = json.loads(json.dumps(other))
    return value


def mutant(number):
    """Copy `number`: bytes changed blindly, the layout's header, or what the header says of the result."""
    data = files()[number % 3]
    sort = number // 3 % 3
    if sort == 0:
        return changed(data, np.random.default_rng(number))
    draw = random.Random(number)
    header, numbers = parts_of(data)
    if sort == 1:
        return joined(with_a_lie(header, draw), numbers)
    content = json.loads(header["__metadata__"]["workbench"])
    for _ in range(draw.randint(1, 2)):
        with_a_lie(content, draw)
    header["__metadata__"]["workbench"] = json.dumps(content)
    return joined(header, numbers)


def ending(data):
    """How reading ends; anything but the two errors comes out."""
    try:
        result = result_in(data, "file", METHODS)
    except (UnsafeFileError, InputError) as error:
        str(error)
        return type(error).__name__
    repr(result)
    result._repr_html_()
    return "read"


def test_a_changed_file_is_read_or_refused_and_nothing_else_happens():
    counts, slowest = Counter(), 0.0
    for number in range(MUTANTS):
        data, begun = mutant(number), time.perf_counter()
        counts[ending(data)] += 1
        slowest = max(slowest, time.perf_counter() - begun)
    assert counts.total() == MUTANTS
    # Some changes do no harm, most do, or the mutants would prove nothing.
    assert counts["read"] > MUTANTS / 100
    assert counts["UnsafeFileError"] > MUTANTS / 3
    assert counts["InputError"] > MUTANTS / 100
    assert slowest < 5  # seconds; each takes some milliseconds


@pytest.mark.parametrize("number", range(3))
def test_no_bit_of_a_file_can_change_in_silence(number):
    data = files()[number]
    for at in np.random.default_rng(number).choice(len(data), 150, replace=False):
        bent = bytearray(data)
        bent[at] ^= 1 << (at % 8)
        assert ending(bytes(bent)) != "read" or table_of(bent) == table_of(data)


def table_of(data):
    """What a file says, whatever the blanks between its words."""
    return parts_of(bytes(data))


def edited(change, result=None):
    """A file whose account of its result was changed."""
    header, numbers = parts_of(result_bytes(table_result() if result is None else result))
    content = json.loads(header["__metadata__"]["workbench"])
    change(content)
    header["__metadata__"]["workbench"] = json.dumps(content)
    return joined(header, numbers)


def test_unchanged_accounts_are_read_so_that_refusals_are_the_changes_doing():
    assert ending(edited(lambda content: None)) == "read"


def nested(content):
    result = content["result"]
    for _ in range(200):
        result = {"parts": [result], **{key: result[key] for key in result if key != "parts"}}
    content["result"] = result


def many(content):
    content["result"]["parts"] = [content["result"] | {"parts": []}] * 3


LIES = {
    "an array for two fields": lambda c: c["result"].update(output=c["result"]["base"]),
    "an array that is not there": lambda c: c["result"].update(output={"array": "none"}),
    "rows that are not there": lambda c: c["result"].update(inputs={"rows": 7}),
    "rows of nobody": lambda c: c["rows"].append(c["rows"][0]),
    "a field too many": lambda c: c["result"].update(more=1),
    "a field too few": lambda c: c["result"].pop("scale"),
    "another unit": lambda c: c["result"].update(scale="furlongs"),
    "a text for a number": lambda c: c["result"].update(seconds="long"),
    "a truth for a number": lambda c: c["result"].update(evaluations=True),
    "labels for rows that are not there": lambda c: c["result"].update(explained=["yes"]),
    "a truth for the version": lambda c: c.update(version=True),
    "a target of other rows": lambda c: c["result"].update(
        target={"index": [0] * 9, "against": None}
    ),
    "a shape that is left open": lambda c: c["rows"][0].update(
        y={"objects": ["a", "b"], "shape": [-1]}
    ),
    "a parameter out of its range": lambda c: c["result"]["method"].update(
        fields={"feature_perturbation": "wrong"}
    ),
    "another class as the method": lambda c: c["result"].update(
        method={"method": "os.system", "fields": {}}
    ),
    "members in members in members": nested,
    "members that share their arrays": many,
}


@pytest.mark.parametrize("change", LIES.values(), ids=LIES)
def test_a_lie_in_the_account_is_refused(change):
    assert ending(edited(change)) in ("UnsafeFileError", "InputError")


def layout(shape, place, dtype="F64", text="{}", size=8):
    header = {"__metadata__": {"workbench": text}}
    header["a"] = {"dtype": dtype, "shape": shape, "data_offsets": place}
    return joined(header, bytes(size))


LAYOUTS = pytest.mark.parametrize(
    "data",
    [
        layout([2**40], [0, 8]),
        layout([0, 2**61], [0, 0], size=0),
        layout([1], [0, 2**62]),
        layout([2**31, 2**31, 2], [0, 8]),  # 0 where the product is kept in 64 bits
        layout([1], [8, 16]),
        layout([1] * 17, [0, 8]),
        layout([-1], [0, 8]),
        layout([1.0], [0, 8]),
        layout([1], [0, 8], dtype="F8"),
        layout([8], [0, 8], dtype="BOOL")[:-1] + b"\x02",
        (2**63).to_bytes(8, "little") + bytes(100),
        (2**26).to_bytes(8, "little") + b"[" * 2**26,
        b"\x02\x00\x00\x00\x00\x00\x00\x00" + b"\xff\xfe",
        joined({"__metadata__": {"workbench": "[" * 100_000}}, b""),
        joined({"__metadata__": {"workbench": '{"version":1,"version":1}'}}, b""),
        joined({"__metadata__": {"workbench": '{"version":NaN}'}}, b""),
        layout([1], [0, 8])[:-1],
        layout([1], [0, 8]) + b"\x00",
    ],
)


def test_members_that_lie_too_deep_in_each_other_are_refused_for_that():
    with pytest.raises(UnsafeFileError, match="too deep"):
        result_in(edited(nested), "file", METHODS)


@LAYOUTS
def test_a_layout_that_lies_is_refused_and_takes_no_memory(data):
    tracemalloc.start()
    try:
        with pytest.raises(UnsafeFileError):
            result_in(data, "file", METHODS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * 2**20 + 4 * len(data)


def test_a_name_that_comes_twice_is_refused():
    data = layout([1], [0, 8])
    twice = data.replace(b'"a":', b'"__metadata__":{"workbench":"x"},"a":')
    length = int.from_bytes(data[:8], "little") + len(twice) - len(data)
    with pytest.raises(UnsafeFileError, match="names an entry twice"):
        unpacked(length.to_bytes(8, "little") + twice[8:], "file")


def test_a_player_far_outside_is_refused_before_memory_is_taken_for_all_below_it():
    result = superpixel_result()
    arrays, text = unpacked(result_bytes(result), "file")
    assert ending(packed(arrays, text)) == "read"
    arrays["players"] = np.full_like(arrays["players"], 2**40)
    assert ending(packed(arrays, text)) == "UnsafeFileError"


@pytest.mark.parametrize("second", [[0, 8], [8, 16], [16, 24]])
def test_arrays_must_follow_each_other_without_overlap_or_hole(second):
    header = {"__metadata__": {"workbench": "{}"}}
    header["a"] = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}
    header["b"] = {"dtype": "F64", "shape": [1], "data_offsets": second}
    data = joined(header, bytes(second[1]))
    if second == [8, 16]:
        assert set(unpacked(data, "file")[0]) == {"a", "b"}
        return
    with pytest.raises(UnsafeFileError, match="overlap or leave holes"):
        unpacked(data, "file")
