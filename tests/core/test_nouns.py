"""The nouns check once at the edge and stay as they were made."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest

import workbench as wb
import workbench.methods
from workbench.core import (
    Attribution,
    Doc,
    Inputs,
    Model,
    Range,
    Study,
    Target,
    check_parameters,
    parameters,
)
from workbench.core.markup import clean, escape
from workbench.errors import (
    IncompatibleError,
    InputError,
    MissingDependency,
    ModelError,
    UnsafeFileError,
)
from workbench.methods import LIME, KernelSHAP, Occlusion, catalog


def test_every_error_is_a_workbench_error_and_the_builtin_a_reader_expects():
    from workbench.errors import WorkbenchError

    pairs = {
        InputError: ValueError,
        IncompatibleError: TypeError,
        ModelError: RuntimeError,
        UnsafeFileError: ValueError,
        MissingDependency: ImportError,
    }
    for error, builtin in pairs.items():
        assert issubclass(error, WorkbenchError)
        assert issubclass(error, builtin)


def test_the_public_surface_is_what_the_design_names():
    assert set(wb.__all__) == {
        "Attribution", "Cell", "Comparison", "Inputs", "Interactions", "Method", "Model", "Plan",
        "SecondOpinion", "Study", "Target", "compare", "cross_check", "drift", "explain", "load", "plan",
        "read", "run", "steps", "tree_interactions", "wrap",
    }  # fmt: skip
    assert callable(wb.run)
    assert callable(wb.compare)


def _written_methods():
    """The public class with `attribute` of each file of the folder: one, as it is written there."""
    for path in sorted(Path(workbench.methods.__file__).parent.glob("*.py")):
        if path.name == "__init__.py":
            continue
        classes = [
            one.name
            for one in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(one, ast.ClassDef) and not one.name.startswith("_")
            and any(re.match(r"(def )?attribute\b", ast.unparse(part)) for part in one.body)
        ]  # fmt: skip
        assert len(classes) == 1, f"{path.name} holds one method, not {classes}"
        yield from classes


def test_the_catalog_is_the_folder():
    names = [method.__name__ for method in catalog()]
    assert sorted(names) == sorted(_written_methods())
    assert set(names) >= {
        "TreeSHAP", "KernelSHAP", "PermutationSHAP", "ExactShapley", "LIME", "GradCAM", "HiResCAM",
        "LayerCAM", "IntegratedGradients", "GradientSHAP", "Occlusion", "EigenCAM", "ScoreCAM",
    }  # fmt: skip
    for method in catalog():
        assert method.__doc__
        assert method.source
        assert all(p.doc for p in parameters(method)), (
            f"{method.__name__} has a parameter without a Doc"
        )


def test_importing_the_workbench_is_light():
    import subprocess
    import sys

    code = (
        "import sys, workbench, workbench.data, workbench.methods; workbench.methods.catalog();"
        "heavy = {'torch','shap','lime','captum','sklearn','skimage','matplotlib','pandas','scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_inputs_are_copies_that_cannot_be_written():
    values = np.ones((2, 3))
    inputs = Inputs(values, kind="tabular", background=values)
    values[0, 0] = 7
    assert inputs.values[0, 0] == 1
    for array in (inputs.values, inputs.background):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 2


def test_a_selection_takes_everything_that_belongs_to_its_rows():
    inputs = Inputs(
        np.arange(12.0).reshape(4, 3),
        kind="tabular",
        y=[5, 6, 7, 8],
        ids=tuple("abcd"),
        background=[[0, 0, 0]],
    )
    part = inputs[[2, 0]]
    assert part.ids == ("c", "a")
    assert part.y.tolist() == [7, 5]
    np.testing.assert_array_equal(part.values, [[6, 7, 8], [0, 1, 2]])
    assert len(inputs[1]) == 1
    assert len(inputs[:0]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "sound"}, "kind of"),
        ({"features": ("a",)}, "name 3 columns, but name 1"),
        ({"features": ("a", "b", "a")}, r"\['a'\] occur more than once"),
        ({"groups": {"g": ("nope",)}}, "'nope'"),
        ({"groups": {"g": (0, 1), "h": (1,)}}, "shares a column"),
        ({"groups": {"g": (7,)}}, r"0\.\.2"),
        ({"groups": {"g": ()}}, r"0\.\.2"),
        ({"categories": {"z": ("x",)}}, r"\['z'\]"),
        ({"y": [1]}, "2 rows, 1 entries"),
        ({"ids": ("a",)}, "name 2 rows"),
        ({"values": [[1j, 2]]}, "columns of numbers"),
        ({"values": [1.0, 2.0]}, r"\(n, f\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_with_what_was_found(arguments, words):
    with pytest.raises(InputError, match=words):
        Inputs(**({"values": np.ones((2, 3)), "kind": "tabular"} | arguments))


def test_a_category_is_shown_by_its_label():
    inputs = Inputs(
        [[1.0, 2.5]],
        kind="tabular",
        features=("city", "age"),
        categories={"city": ("Rome", "Oslo")},
    )
    assert inputs.shown(0, 0) == "Oslo"
    assert inputs.shown(0, 1) == "2.5"


def test_a_model_needs_a_scale_and_outputs():
    with pytest.raises(InputError, match="scale of"):
        Model("m", lambda rows: rows, ("y",), "percent")
    with pytest.raises(InputError, match="output name"):
        Model("m", lambda rows: rows, (), "raw")


def test_a_study_needs_rows_and_models_with_different_names(network, table):
    with pytest.raises(InputError, match="different names"):
        Study((network, network), (Occlusion(),), table)
    with pytest.raises(InputError, match="at least one of its methods"):
        Study((network,), (), table)


def test_a_parameter_is_described_once_in_its_annotation():
    @dataclass(frozen=True)
    class Recipe:
        size: Annotated[int, Range(1, 9, log=True), Doc("how many")] = 3
        mode: Literal["a", "b"] = "a"
        width: Annotated[float, Range(0, 1), Doc("how far")] | None = None

    size, mode, width = parameters(Recipe)
    assert (size.type, size.default, size.range, size.doc) == (
        int,
        3,
        Range(1, 9, log=True),
        "how many",
    )
    assert (mode.type, mode.choices) == (str, ("a", "b"))
    assert (width.type, width.optional, width.range, width.doc) == (
        float,
        True,
        Range(0, 1),
        "how far",
    )
    check_parameters(Recipe(width=None))
    for wrong in (
        {"size": 10},
        {"size": "3"},
        {"mode": "c"},
        {"width": 2.0},
        {"width": "x"},
        {"size": True},
    ):
        with pytest.raises(InputError):
            check_parameters(Recipe(**wrong))


def test_a_recipe_prints_as_code_that_makes_it_again():
    for method in (KernelSHAP(budget=99), LIME(kernel_width=2)):
        assert eval(repr(method), {"KernelSHAP": KernelSHAP, "LIME": LIME}) == method  # noqa: S307


def attribution(**changes):
    inputs = Inputs(np.zeros((2, 4, 6, 3)), kind="image")
    players = np.zeros((2, 4, 6), dtype=int)
    players[:, :, 4:] = 1
    values = np.where(players == 0, 3.0 / 16, -1.0 / 8)
    fields = {
        "values": values,
        "output": np.array([5.0, 2.5]),
        "base": np.array([3.0, 0.0]),
        "error": None,
        "inputs": inputs,
        "model": "<b>m</b>",
        "method": Occlusion(),
        "target": Target(0),
        "explained": ("x", "y"),
        "scale": "logit",
        "players": players,
        "player_names": ("left", "right"),
    }
    return Attribution(**(fields | changes))


def test_gap_is_what_values_and_base_leave_unexplained():
    np.testing.assert_allclose(attribution().gap, [0.0, 0.5])


def test_credit_of_a_superpixel_is_the_sum_of_its_pixels_and_is_shown_whole_on_each():
    result = attribution()
    np.testing.assert_allclose(result.by_player(0), [3.0, -1.0])
    maps = result.maps()
    assert maps.shape == (2, 4, 6)
    assert set(np.unique(maps.round(12))) == {3.0, -1.0}


def test_maps_of_pixel_values_sum_the_channels():
    values = np.ones((2, 4, 6, 3))
    result = attribution(values=values, players=None, player_names=())
    np.testing.assert_array_equal(result.maps(), 3.0)
    with pytest.raises(InputError, match="pixels, not players"):
        result.by_player(0)


def test_a_result_shows_itself_without_markup_from_data():
    page = attribution()._repr_html_()
    assert "<b>m</b>" not in page
    assert "&lt;b&gt;m&lt;/b&gt;" in page


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a\x00b", "x\u202eevil", "n" * 5000, '" onerror="']
)
def test_no_text_becomes_markup_or_hides_a_direction_mark(name):
    text = escape(name)
    assert not set('<>"') & set(text)
    assert "\x00" not in text
    assert "\u202e" not in text
    assert len(clean(name)) <= 200


def test_targets_accept_names_positions_and_one_per_row(network, table):
    scores = network.scores(table.values)
    np.testing.assert_array_equal(Target("c").weights(network, scores)[:, 2], 1.0)
    np.testing.assert_array_equal(
        Target(np.array([0, 1, 2, 0, 1])).weights(network, scores).argmax(axis=1), [0, 1, 2, 0, 1]
    )
    assert Target((np.int64(2), np.str_("a"))) == Target((2, "a"))
    assert repr(Target(np.int64(1))) == "Target(index=1, against=None)"
    contrast = Target("a", against="b").weights(network, scores)
    np.testing.assert_array_equal(contrast, np.tile([1.0, -1.0, 0.0], (5, 1)))
    predicted = Target.predicted().weights(network, scores)
    np.testing.assert_array_equal(predicted.argmax(axis=1), scores.argmax(axis=1))


def test_the_true_class_is_a_target_only_where_it_is_known(table):
    with pytest.raises(InputError, match="has none"):
        Target.true(table)
    with pytest.raises(InputError, match="has float64"):
        Target.true(Inputs([[1.0]], kind="tabular", y=[0.5]))
