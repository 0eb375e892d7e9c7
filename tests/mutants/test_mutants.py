"""The tool itself: every change is one, in the place it says, and the same seed draws the same."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.operators import mutants_of
from tests.mutants.rooms import APART, ROOMS, asked_about, sources
from tests.mutants.running import is_equivalent, listed
from tests.mutants.sampling import LEAST, sample

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("room", ROOMS)
def test_every_mutant_is_another_program_that_can_be_read(room):
    for path in sorted(sources(ROOT, room), key=lambda one: (ROOT / one).stat().st_size)[:2]:
        source = (ROOT / path).read_bytes()
        whole = ast.dump(ast.parse(source))
        for place in mutants_of(path, source):
            for one in place:
                assert ast.dump(ast.parse(one.applied(source))) != whole, one
                assert source[one.begin :].startswith(one.old.encode())


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("a = b < c", {"a = (b <= c)"}),
        ("a = 0 <= b <= 2", {"a = (0 < b <= 2)", "a = (0 <= b < 2)", "a = 1 <= b <= 2",
                             "a = 0 <= b <= 3", "a = 0 <= b <= 1"}),
        ("a = b * (c + d)", {"a = (b / (c + d))", "a = b * ((c - d))"}),
        ("a += b", {"a -= b", "pass"}),
        ("a[b] = c", {"pass"}),
        ("check(b)", {"pass"}),
        ("a = not b", {"a = (b)"}),
        ("a = b.argmax(axis=1)", {"a = (b.argmin(axis=1))", "a = b.argmax(axis=2)"}),
        ("a = min(b)", {"a = (max(b))"}),
        ("a = b[c:d]", {"a = b[(c + 1):d]", "a = b[c:(d - 1)]"}),
        ("a = [b for b in c if d]", {"a = [b for b in c if True]"}),
        ("a = 0.5", {"a = 0.25"}),
        ("a = f'{b + 1}' + 'c'", set()),
        ("raise E(b + 1)", set()),
        ("a: Annotated[int, Range(0, 1)]", set()),
        ("a = zip(b, c, strict=True)", set()),
    ],
)  # fmt: skip
def test_a_line_has_these_mutants(line, changed):
    source = line.encode()
    found = {one.applied(source).decode() for place in mutants_of("f.py", source) for one in place}
    assert found == changed


def test_letters_of_several_bytes_do_not_move_the_place():
    source = 'é = "ü"; a = b < c'.encode()
    ((one,),) = mutants_of("f.py", source)
    assert one.applied(source).decode() == 'é = "ü"; a = (b <= c)'


def test_a_seed_draws_the_same_sample_and_every_room_has_some():
    drawn = sample(ROOT, 120, 3)
    assert drawn == sample(ROOT, 120, 3)
    assert drawn != sample(ROOT, 120, 4)
    counts = Counter(room for room, _ in drawn)
    assert set(counts) == set(ROOMS)
    assert min(counts.values()) >= LEAST
    assert sum(counts.values()) == 120
    # A place is an expression: another may begin with it.
    assert len({(one.path, one.begin, one.old) for _, one in drawn}) == 120


def test_every_room_that_is_set_apart_is_there_and_no_file_of_it_is_changed():
    changed = [one for room in ROOMS for one in sources(ROOT, room)]
    for room in APART:
        assert list((ROOT / room).glob("*.py")), room
        assert not [one for one in changed if one.startswith(f"{room}/")]
    for room in ROOMS:
        inside = {path.parent for path in (ROOT / "workbench" / room).rglob("*.py")}
        reached = {(ROOT / one).parent for one in sources(ROOT, room)}
        left = {path.relative_to(ROOT).as_posix() for path in inside - reached} - set(APART)
        assert not [path for path in left if len(list((ROOT / path).glob("*.py"))) > 1]


def test_a_file_is_asked_by_its_own_examples_and_tests_first():
    asked = asked_about(ROOT, "workbench/compare/quality/faithfulness.py")
    assert asked[0] == "workbench/compare/quality/faithfulness.py"
    assert "test_faithfulness" in asked[1]
    assert all((ROOT / one).exists() for one in asked)
    assert len(set(asked)) == len(asked)


def test_every_change_that_is_listed_as_none_is_still_one_of_its_file_and_has_a_reason():
    for path, before, after, reason in listed():
        source = (ROOT / path).read_bytes()
        made = [one for place in mutants_of(path, source) for one in place]
        known = [one for one in made if one.changed_lines(source)[0] == before]
        assert known, (path, before)
        assert not after or any(one.changed_lines(source)[1] == after for one in known), (
            path,
            after,
        )
        assert any(is_equivalent(one, source) for one in known)
        assert len(reason) > 3, (path, before)
