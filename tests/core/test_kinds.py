"""What a kind of rows answers, who may join, and that nobody else decides by a kind's name."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import workbench
import workbench as wb
from workbench.core import Attribution, Inputs, kinds
from workbench.core.kinds import RowKind
from workbench.errors import InputError

ROOT = Path(workbench.__file__).parent
KINDS = {"tabular", "image", "signal", "volume", "text"}
TABLE = Inputs(np.arange(6.0).reshape(2, 3), kind="tabular", features="abc", groups={"ac": "ac"})
IMAGE = Inputs(np.zeros((2, 3, 4, 1)), kind="image")


def decided(tree):
    """The lines on which something is chosen by the name of a kind."""
    for node in ast.walk(tree):
        parts = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            parts += [one for part in parts for one in getattr(part, "elts", ())]
        elif isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        if any(isinstance(one, ast.Constant) and one.value in KINDS for one in parts):
            yield node.lineno


@pytest.mark.parametrize(
    "line",
    ['kind == "image"', '"tabular" != a.kind', 'a.kind in (None, "tabular")', '{"image": 3}[kind]',
     'kind not in ("image",)', 'match kind:\n    case "text":\n        pass'],
)  # fmt: skip
def test_a_line_that_decides_by_a_kinds_name_is_found(line):
    assert list(decided(ast.parse(line))) == [1 + line.startswith("match")]


@pytest.mark.parametrize(
    "line", ['Inputs(x, kind="image")', 'kinds: ClassVar = ("image",)', "a.kind != b.kind"]
)
def test_a_line_that_only_names_a_kind_is_not(line):
    assert not list(decided(ast.parse(line)))


def test_nobody_outside_kinds_decides_by_a_kinds_name():
    pictures = ROOT / "draw" / "picture.py"  # keeps the pictures of the kinds that come with it
    asked = sorted(set(ROOT.rglob("*.py")) - {pictures} - set((ROOT / "core" / "kinds").rglob("*")))
    assert len(asked) > 200
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in asked
        for line in decided(ast.parse(path.read_text()))
    ]
    assert found == []


def test_text_is_refused_wherever_it_is_given():
    with pytest.raises(InputError, match=r"Text cannot be explained yet: .*word counts"):
        Inputs(np.zeros((2, 3)), kind="text")
    with pytest.raises(InputError, match="Text cannot be explained yet"):
        wb.wrap(lambda rows: rows, name="words", outputs=["a"], kind="text")


def test_an_images_players_are_not_asked_of_all_rows_at_once():
    assert TABLE.players()[1] == ("ac", "b")
    with pytest.raises(InputError, match="each of these image rows has its own"):
        IMAGE.players()


def test_places_are_a_row_without_its_channels():
    assert TABLE.places == (3,)
    assert IMAGE.places == (3, 4)
    volume = RowKind("box", ("n", "d", "h", "w", "c"), lambda *_: (None, ()), spatial=3)
    assert volume.places((2, 3, 4, 1)) == (2, 3, 4)
    assert not volume.planar


def test_columns_are_labeled_with_their_cells_and_groups_are_not():
    kind = TABLE.of_kind
    assert kind.labels(TABLE, 1, ("ac", "b")) == [None, "4"]
    assert kind.where(TABLE, 1, ("ac", "b"), None) == ["group", "4"]
    assert IMAGE.of_kind.labels(IMAGE, 0, ("superpixel 0",)) == [None]
    owners = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]])
    said = IMAGE.of_kind.where(IMAGE, 0, ("superpixel 0", "superpixel 1", "superpixel 2"), owners)
    assert said == ["y 1, x 0", "y 1, x 2", ""]


@pytest.mark.parametrize(
    ("rows", "players", "owners"),
    [(TABLE, [0, 1, 0], [0, 1, 0]),
     (IMAGE, np.arange(24).reshape(2, 3, 4), [[12, 13, 14, 15], [16, 17, 18, 19], [20, 21, 22, 23]])],
)  # fmt: skip
def test_one_rows_owners_are_shared_by_a_table_and_its_own_of_an_image(rows, players, owners):
    result = Attribution(
        np.zeros(rows.values.shape), np.zeros(2), np.zeros(2), None, rows, "m", None, None,
        ("a", "a"), "raw", players=np.array(players),
    )  # fmt: skip
    np.testing.assert_array_equal(result.owners(1), owners)
    assert result.has_players
    bare = replace(result, players=None)
    assert bare.owners(1) is None
    assert bare.has_players == (rows is TABLE)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (kinds.of("tabular"), "'tabular' is one of"),
        (RowKind("", ("n", "t"), lambda *_: (None, ())), "needs a name"),
        (RowKind("bare", ("n",), lambda *_: (None, ())), "spatial=0"),
        (RowKind("deep", ("n", "t"), lambda *_: (None, ()), spatial=2), "spatial=2"),
        (
            RowKind("own", ("n", "t"), lambda *_: (None, ()), default_fill="rest"),
            r"speaks of \['rest'\]",
        ),
    ],
)
def test_a_kind_that_cannot_work_is_not_let_in(kind, said):
    before = kinds.names()
    with pytest.raises(InputError, match=said):
        kinds.add(kind)
    assert kinds.names() == before


def test_a_kind_that_came_with_the_workbench_stays():
    with pytest.raises(InputError, match="Only an added kind can be removed"):
        kinds.remove("image")
    with pytest.raises(InputError, match="Only an added kind can be removed"):
        kinds.remove("sound")
