"""Hostile names in values, pictures, reports, tables and XML: text stays text."""

import ast
import csv
import functools
import io
import re
import warnings
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.text import Text

import workbench as wb
from tests.compare.members_by_hand import map_members, member
from tests.draw.drift_by_hand import behavior, curve_by_hand, drift_by_hand, measured
from tests.hostile_names import NAMES, harmless, hidden_in, names, skeleton
from tests.results_by_hand import image_result, table_result
from workbench import cli, draw
from workbench.compare import disagreement
from workbench.core import (
    Inputs,
    Model,
    Target,
    apart,
    clean,
    csv_link,
    csv_text,
    encodable,
    escape,
    file_name,
    printable,
)
from workbench.draw.canvas import png_bytes, svg_text
from workbench.errors import InputError, MemberError, MissingDependency
from workbench.lab import Check, Checked, junit, table
from workbench.lab.junit import failed_junit
from workbench.report import report

PLACES = 16
STARTS = range(0, len(NAMES), PLACES)
every_name = pytest.mark.parametrize("name", NAMES.values(), ids=list(NAMES))
ANY = st.text(max_size=400) | st.text(alphabet="<>&\"'`$\\\x1b\u202e\x00\ud800=-@{}\n", max_size=60)


def test_a_name_is_cut_in_the_middle_so_that_names_of_one_family_stay_different():
    family = [f"a_long_name_of_one_experiment_seed_{k}" for k in range(3)]
    cut = [clean(name, limit=20) for name in family]
    assert cut == ["a_long_nam…nt_seed_0", "a_long_nam…nt_seed_1", "a_long_nam…nt_seed_2"]
    assert clean("a" * 90 + "END", limit=9) == "aaaa…aEND"
    assert clean("b" * 50_000 + "END", limit=9) == "bbbb…bEND"


def test_what_is_hidden_takes_no_room_from_what_is_seen():
    assert clean("\u200b" * 900 + "tail", limit=9) == "…tail"
    assert clean("head" + "\u200b" * 900, limit=9) == "head…"
    assert clean("\u200b" * 900, limit=9) == "(invisible)"
    assert clean("ab\u200bcd", limit=4) == "abcd"


@settings(deadline=None, derandomize=True)
@given(st.lists(st.text(alphabet="ab_\u200b", max_size=60), max_size=6, unique=True))
def test_different_names_beside_each_other_never_look_the_same(names):
    shown = apart(names, limit=12)
    assert len(set(shown)) == len(names)
    assert all(hidden_in(one) == [] for one in shown)


def test_names_that_differ_in_the_middle_alone_are_cut_about_there():
    names = [f"experiment_2024_lr_0.0{k}_with_augmentation_int8" for k in (1, 2)]
    first, second = apart(names, limit=24)
    assert "0.01" in first
    assert "0.02" in second
    assert first.endswith("int8")
    assert apart(["one", "two", "one"], limit=24) == ("one", "two", "one")


@settings(deadline=None, derandomize=True)  # the same texts in every run
@given(ANY)
def test_any_text_is_one_short_seen_line_and_its_markup_is_text(text):
    line = clean(text, limit=100)
    assert len(line) <= 100
    assert "\n" not in line
    assert hidden_in(line) == []
    assert (line == "") == (text == "")
    html = f"<b title=\"{escape(text)}\" class='{escape(text)}'>{escape(text)}</b>"
    assert [tag for tag, *_ in skeleton(html)] == ["b", "/b"]
    assert len(skeleton(html)[0]) == 3
    assert ElementTree.fromstring(html).text == (clean(text) or None)
    assert hidden_in(printable(text)) == []
    encodable(text).encode()


def test_marks_stacked_on_a_letter_stay_on_their_line_and_languages_keep_theirs():
    assert len(clean("Z" + "\u0351" * 60 + "y")) == 1 + 4 + 1
    for word in ("הַבְּרִית", "ภาษาที่", "Tiếng Việt", "निर्णय"):
        assert clean(word) == word


def test_half_characters_are_replaced_where_models_and_rows_are_named():
    half = "a\udcff"
    model = Model(half, lambda rows: rows, (half, "b"), "raw")
    rows = Inputs(
        [[1.0]], kind="tabular", features=(half,), ids=(half,), name=half, groups={half: [half]},
        categories={half: ("x", "y")},
    )  # fmt: skip
    said = [model.name, *model.outputs, rows.name, *rows.features, *rows.ids, *rows.groups]
    for text in (*said, *rows.categories):
        assert text.encode().decode() == text
    with pytest.raises(InputError, match="must differ"):
        Inputs([[1.0, 2.0]], kind="tabular", features=("a\ud800", "a\udcff"))


@functools.cache
def drawn(start):
    """Every picture and whatever shows itself as HTML, with hostile names from `start` on, or harmless."""
    given = harmless(PLACES) if start is None else names(start, PLACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw.canvas, "_saved", lambda *_, **__: b"")  # made, not rasterized
        return made_of(given)


@pytest.fixture(scope="module", autouse=True)
def _kept_for_this_module():
    yield
    drawn.cache_clear()


def made_of(given):
    features = [table_result(names=tuple(given[:3]), model=given[3])]
    inputs = replace(features[0].inputs, ids=tuple(given[4 : 4 + len(features[0])]), name=given[6])
    result = replace(features[0], inputs=inputs, explained=tuple(given[7 : 7 + len(features[0])]))
    image = image_result(model=given[9], explained=(given[10],))
    copies = [replace(result, model=given[11]), replace(result, model=given[12])]
    members = disagreement(
        [member(name, [[4.0, 3.0 - j, 0.5]]) for j, name in enumerate(given[13:16])]
    )
    maps = [replace(one, model=name) for one, name in zip(map_members(), given, strict=False)]
    three = (given[0], given[1], f"{given[3]}, {given[2]}")
    drift = drift_by_hand(
        names=three,
        reference=given[3],
        measured=tuple(measured(one, reason=given[4]) for one in three),
        behavior=tuple(behavior(one, flips_by={(given[5], given[6]): 0.1}) for one in three),
        verdicts=dict.fromkeys(three, "changed"),
        notes=(given[7],),
    )
    curve = curve_by_hand()
    curve = replace(
        curve,
        points=tuple(
            replace(one, model=name) for one, name in zip(curve.points, three, strict=False)
        ),
    )
    comparison = wb.compare([result, *copies], reference=result.model)
    figures = {
        "bars": draw.bars(result), "waterfall": draw.waterfall(result), "swarm": draw.beeswarm(result),
        "heatmap": draw.heatmap(image), "copies": draw.copy_bars(result, copies),
        "copies' maps": draw.copy_maps(image, [replace(image, model=given[11])]),
        "ensemble": draw.ensemble_bars(members), "members": draw.member_bars(members),
        "matrix": draw.similarity_matrix(members),
        "members' maps": draw.member_maps(disagreement(maps)),
        "spread": draw.spread_map(disagreement(maps)),
        "lines": draw.drift_lines(drift), "curve": draw.drift_curve(curve),
    }  # fmt: skip
    shown = {
        "result": result,
        "rows": inputs,
        "comparison": comparison,
        "drift": drift,
        "members": members,
    }
    markup = {name: value._repr_html_() for name, value in shown.items()}
    markup |= {
        "behavior": draw.behavior_html(drift), "verdicts": draw.verdict_html(drift),
        "figure": draw.figure_html(figures["bars"], given[0], given[1] or "caption"),
        "report": report([result, *copies], title=given[8], comparisons=(comparison,), rows=1),
    }  # fmt: skip
    plain = [draw.behavior_text(drift), draw.verdict_text(drift), draw.alt_text(result)]
    plain += [repr(value) for value in shown.values()]
    return figures, markup, plain


def test_hostile_names_add_no_markup_and_no_hidden_character_to_what_shows_itself():
    _, expected, _ = drawn(None)
    for start in STARTS:
        figures, markup, plain = drawn(start)
        for name, html in markup.items():
            assert skeleton(html) == skeleton(expected[name]), name
            assert hidden_in(html) == [], name
        for figure in figures.values():
            assert hidden_in(figure.words) == []
        for text in plain:
            assert hidden_in(text) == []


def test_no_text_of_a_picture_is_read_as_mathematics_nor_long_nor_hidden():
    for start in STARTS:
        for name, figure in drawn(start)[0].items():
            texts = figure.findobj(Text)
            assert len(texts) > 3, name
            for one in texts:
                assert not one.get_parse_math() or "$" not in one.get_text(), (name, one)
                assert hidden_in(one.get_text()) == [], name
                assert len(one.get_text()) < 2_000, name


@pytest.mark.parametrize("form", [png_bytes, svg_text])
def test_every_name_can_be_drawn_and_is_outlines_in_a_drawing(form):
    every = list(NAMES.values())
    for start in range(0, len(every), 12):
        given = tuple(every[start : start + 12])
        figure = draw.bars(table_result(np.arange(2.0 * len(given)).reshape(2, -1) + 1, given), 0)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error"
            )  # a letter that the font lacks is drawn as a box, in silence
            made = form(figure)
        if form is svg_text:
            root = ElementTree.fromstring(made)
            tags = {node.tag.rpartition("}")[2] for node in root.iter()}
            ours = {"svg", "g", "defs", "path", "use", "style", "clipPath", "rect", "metadata"}
            assert tags - ours <= {
                "RDF",
                "Work",
                "type",
                "format",
            }  # of the metadata: a picture in SVG
            assert "<!--" not in made
            # Links lead to this drawing's own parts, or to the names of vocabularies.
            links = re.findall(r'href="([^"]*)"', made)
            assert links
            assert all(link.startswith("#") for link in links)


@every_name
def test_xml_and_tables_of_a_terminal_say_names_and_obey_none(name):
    check = Check(name, name, name, name, False, name)
    checked = Checked(name, (check, replace(check, held=True)), 4, (name,))
    expected = Checked("a", (replace(check, model="b"), replace(check, held=True)), 4)
    tags = [node.tag for node in ElementTree.fromstring(junit(expected)).iter()]
    for text in (junit(checked), failed_junit(name)):
        assert hidden_in(text) == []
        ElementTree.fromstring(text)
    notes = ["system-out"] * bool(printable(name))  # the harmless study has no note
    assert [node.tag for node in ElementTree.fromstring(junit(checked)).iter()] == tags + notes
    lines = table(checked).split("\n")
    assert len(lines) == 1 + 3 + (name != "") + 1 + 1
    assert hidden_in(table(checked)) == []


def test_the_command_prints_an_error_without_what_a_terminal_obeys(tmp_path, capsys):
    study = tmp_path / "study\x1b]0;owned\x07\u202e.toml"
    assert cli.main(["check", str(study)]) == 2
    said = capsys.readouterr().err
    assert "study" in said
    assert hidden_in(said) == []


@every_name
def test_a_cell_is_never_a_formula_and_a_table_stays_a_table(name):
    text = csv_text(pd.DataFrame({name or "x": [name, "kept"], "n": [-0.5, np.nan]}))
    lines = list(csv.reader(io.StringIO(text)))
    assert [len(line) for line in lines] == [2, 2, 2]
    for cell in (lines[0][0], lines[1][0]):
        assert not cell.lstrip().startswith(("=", "+", "-", "@"))
    said = clean(name, limit=32_000)
    assert lines[1][0] in (said, f"'{said}")
    assert lines[2][0] == "kept"
    assert [line[1] for line in lines] == ["n", "-0.5", ""]
    assert hidden_in(text.replace("\r\n", "")) == []


def test_a_spreadsheet_reads_numbers_back_and_cells_of_every_kind():
    frame = pd.DataFrame(
        {"f": np.array([1 / 3, -np.inf]), "i": [1, -2], "b": [True, False], "t": ['a,b"c', "-1"]}
    )
    frame["gone"] = pd.array([3, None], dtype="Int64")
    back = pd.read_csv(io.StringIO(csv_text(frame)))
    assert back["f"].tolist() == frame["f"].tolist()
    assert back["i"].tolist() == [1, -2]
    assert back["b"].tolist() == [True, False]
    assert back["t"].tolist() == ['a,b"c', "'-1"]
    assert back["gone"].isna().tolist() == [False, True]


@every_name
def test_a_file_named_after_data_lies_in_the_folder_that_is_meant(name, tmp_path):
    made = file_name(name)
    assert re.fullmatch(r"[\w-]{1,80}", made)
    (tmp_path / f"{made}.png").write_bytes(b"x")
    assert [one.parent for one in tmp_path.iterdir()] == [tmp_path]
    html = csv_link(pd.DataFrame({"a": [1]}), name, name)
    assert [tag for tag, *_ in skeleton(html)] == ["a", "/a"]


def test_code_that_is_copied_names_outputs_as_texts():
    from workbench.panels.kit.choices import study_as_code

    for name in NAMES.values():
        model = Model("m", lambda rows: rows, (name, "other"), "raw")
        rows = Inputs([[1.0]], kind="tabular")
        code = study_as_code(wb.Study((model,), (wb.methods.Occlusion(),), rows, (Target(name),)))
        assert hidden_in(code) == []
        compile(code, "copied", "exec")
        assert f"wb.Target({name!r})" in code


MARKUP_OF_OTHERS = {
    "as_html", "save_html", "show_in_notebook", "force_plot", "initjs", "getjs",  # lime's and shap's
    "Styler", "style", "to_html", "to_csv",  # pandas': heads unescaped, cells that are formulas
    "HTMLMath", "description_allow_html", "tooltip_allow_html", "use_jsmath", "use_mathjax",
}  # fmt: skip
WRITES_MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc"
    r"|\beval\b|new Function|javascript:|setAttribute\(\s*[\"'](on|src|href|style)"
)
SOURCES = Path(wb.__file__).parent


def test_no_markup_of_other_libraries_is_shown_and_no_table_is_written_but_by_ours():
    files = sorted(SOURCES.rglob("*.py"))
    assert len(files) > 200
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = {
                ast.Attribute: lambda n: [n.attr],
                ast.Name: lambda n: [n.id],
                ast.keyword: lambda n: [n.arg],
                ast.alias: lambda n: [n.name.rpartition(".")[2]],
            }.get(type(node), lambda n: [])(node)
            assert not MARKUP_OF_OTHERS & set(names), (file, node.lineno)


def test_the_widgets_write_text_and_never_markup():
    scripts = sorted(SOURCES.rglob("*.js"))
    assert len(scripts) >= 4
    for script in scripts:
        assert WRITES_MARKUP.search(script.read_text()) is None, script
    assert WRITES_MARKUP.search("node.innerHTML = text")


@every_name
def test_an_error_says_names_that_can_be_seen_and_sent(name):
    for kind in (InputError, MemberError, MissingDependency):
        said = str(kind(f"A was needed, {name} was found. Do this."))
        assert said.startswith("A was needed, ")
        assert hidden_in(said) == []
        assert len(said) <= 20_000
        said.encode()
