"""Study files are read strictly: every mistake is named, with what to write instead."""

import sys
import textwrap

import numpy as np
import pytest

from workbench.core import Target
from workbench.errors import InputError, UnsafeFileError
from workbench.lab import Budget, read_study
from workbench.methods import LIME, Occlusion, PermutationSHAP

MODELS = """
    import numpy as np
    import workbench as wb

    def rows(n=24):
        values = np.random.default_rng(0).normal(size=(n, 3))
        return wb.Inputs(values, kind="tabular", features=("a", "b", "c"), background=values[:5])

    def linear(name, *weights):
        column = np.array([weights]).T
        return wb.Model(name, lambda rows: rows @ column, ("y",), "raw")

    def reference():
        return linear("net", 1.0, 2.0, 3.0)

    def same():
        return linear("same", 1.0, 2.0, 3.0)

    def other():
        return linear("other", 3.0, 2.0, 1.0)

    def together():
        return reference(), [same(), other()], rows()

    def nothing():
        return None

    def broken():
        return 1 / 0

    number = 7
"""

GOOD = """
    [reference]
    factory = "{module}:reference"

    [[candidates]]
    factory = "{module}:same"

    [rows]
    factory = "{module}:rows"
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a module of models into the current directory, and a study beside it that names it."""
    module = f"models_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{module}.py").write_text(textwrap.dedent(MODELS), encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    def write(text, name="study.toml"):
        path = tmp_path / name
        path.write_text(textwrap.dedent(text).replace("{module}", module), encoding="utf-8")
        return path

    yield write
    sys.modules.pop(module, None)


def test_a_study_has_models_rows_methods_margins_and_a_budget(written):
    path = written(
        GOOD
        + """
        limit = 21

        [[siblings]]
        factory = "{module}:other"
        name = "again"

        [[methods]]
        name = "LIME"
        budget = 50
        seed = 3

        [[methods]]
        name = "Occlusion"

        [margins]
        cosine = 0.01

        [budget]
        flips = 0.1
        undetermined = "allow"
        drift = {cosine = 0.1}

        [run]
        seed = 5
        noise_seeds = 2
        random_weights = false
        """
    )
    before = list(sys.path)
    study, budget = read_study(path)
    assert sys.path == before
    assert (study.reference.name, [copy.name for copy in study.candidates]) == ("net", ["same"])
    assert [sibling.name for sibling in study.siblings] == ["again"]
    assert len(study.inputs) == 21
    assert study.methods == (LIME(budget=50, seed=3), Occlusion())
    assert dict(study.margins) == {"cosine": 0.01}
    assert (study.seed, study.noise_seeds, study.random_weights) == (5, 2, False)
    assert budget == Budget(undetermined="allow", flips=0.1, drift={"cosine": 0.1})
    assert study.target is None


def test_methods_and_budget_have_defaults(written):
    study, budget = read_study(written(GOOD))
    assert [type(method) for method in study.methods] == [PermutationSHAP]
    assert budget == Budget()
    assert study.fixed_target(np.ones((24, 1))) == Target((0,) * 24)


def test_one_factory_may_make_all_three(written):
    study, _ = read_study(written('factory = "{module}:together"\n[rows]\nlimit = 20'))
    assert [copy.name for copy in study.candidates] == ["same", "other"]
    assert len(study.inputs) == 20


def test_rows_may_come_from_csv_with_classes_and_background(written):
    written("a,b,c,label\n1,2,3,0\n4,5,6,1\n", "rows.csv")
    written("a,b,c,label\n0,0,0,0\n", "background.csv")
    path = written(
        GOOD.replace('factory = "{module}:rows"', 'csv = "rows.csv"\ny = "label"')
        + '\nbackground = "background.csv"'
    )
    study, _ = read_study(path)
    assert study.inputs.features == ("a", "b", "c")
    assert study.inputs.y.tolist() == [0, 1]
    assert study.inputs.background.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("reference = 1", r"A study needs \['candidates', 'rows'\]"),
        ("[referense]\nx = 1", r"The study has no key 'referense'. Did you mean 'reference'\?"),
        (GOOD + "\n[budgets]", "no key 'budgets'. Did you mean 'budget'"),
        (GOOD + "\n[budget]\nflip = 0.1", "budget has no key 'flip'. Did you mean 'flips'"),
        (GOOD + "\n[budget]\nverdict = 'best'", "budget.verdict must be one of"),
        (GOOD + "\n[run]\nseeds = 1", "run has no key 'seeds'. Did you mean 'seed'"),
        (GOOD + "\n[run]\nseed = -1", "run.seed must be a whole number from 0, not -1"),
        (GOOD + "\n[run]\nnoise_seeds = 1.5", "run.noise_seeds must be a whole number from 0"),
        (GOOD + "\n[run]\nrandom_weights = 1", "run.random_weights must be true or false"),
        (GOOD + "\nlimit = 1.5", "rows.limit must be a whole number"),
        (GOOD + "\nlimits = 5", "rows has no key 'limits'. Did you mean 'limit'"),
        (GOOD + "\narguments = 5", "rows.arguments must be a table, not 5"),
        (GOOD + "\ny = 'a'", r"rows have a factory, which decides \['y'\] itself"),
        (GOOD + "\ncsv = 'a.csv'", "rows need either factory"),
        (
            GOOD + "\n[methods]\nname = 'LIME'",
            r"methods must be a list, written as \[\[methods\]\]",
        ),
        (GOOD + "\n[[methods]]\nseed = 1", "methods need a name"),
        (GOOD + "\n[[methods]]\nname = 'GradCam'", "no key 'GradCam'. Did you mean 'GradCAM'"),
        (
            GOOD + "\n[[methods]]\nname = 'LIME'\nbudgit = 1",
            "LIME has no key 'budgit'. Did you mean 'budget'",
        ),
        (GOOD + "\n[[methods]]\nname = 'LIME'\nseed = 'x'", "LIME.seed must be of type int"),
        (GOOD + "\n[margins]\ncosine = -1", "A margin is a number from 0"),
        (GOOD.replace(":same", ":sane"), "has no function 'sane'"),
        (GOOD.replace(":same", ":number"), "has no function 'number'"),
        (GOOD.replace(":same", ":nothing"), "must give a Model, but gave a NoneType"),
        (GOOD.replace(":rows", ":nothing"), "must give Inputs, but gave a NoneType"),
        (GOOD.replace(":same", ":broken"), r"ZeroDivisionError: division by zero \(.*, line \d+\)"),
        (GOOD.replace(":same", ""), "named as 'module:function'"),
        (GOOD.replace("{module}:same", "no_such_module_here:make"), "cannot be imported"),
        (
            GOOD.replace("[[candidates]]", "[candidates]"),
            r"candidates must be a list, written as \[\[candidates\]\]",
        ),
        (GOOD.replace("[[candidates]]", "[[candidates]]\nrecipe = 'prune'"), "no key 'factory'"),
        (GOOD.replace("[[candidates]]", "[[candidates]]\nfile = 'x'"), "needs either file"),
        (
            GOOD.replace("[[candidates]]", "[[candidates]]\nscale = 'raw'"),
            r"decides \['scale'\] itself",
        ),
        ('factory = "{module}:together"\n[reference]\nfile = "x"', r"names \['reference'\] too"),
        ('factory = "{module}:together"\n[rows]\ncsv = "x"', r"names \['rows'\] too"),
        ('factory = "{module}:rows"', r"must give \(reference, candidates, inputs\)"),
        ("factory = 5", "The study.factory must be a text, not 5"),
        ("= 1", "is not valid TOML"),
    ],
)
def test_mistakes_are_named_with_what_to_write(written, text, words):
    with pytest.raises(InputError, match=words):
        read_study(written(text))


def test_a_recipe_makes_a_copy_for_every_level_and_an_unknown_one_is_refused(written):
    shapes = """
        [reference]
        file = "{asset}"
        architecture = "workbench.models:small_cnn"
        [[candidates]]
        recipe = "{recipe}"
        levels = [0.3, 0.6]
        [rows]
        factory = "workbench.data:shapes"
        arguments = {split = "test", n = 2}
    """
    from workbench import data

    shapes = shapes.replace("{asset}", str(data.asset("shapes_cnn.safetensors")))
    study, _ = read_study(written(shapes.replace("{recipe}", "prune")))
    assert [copy.variant.of for copy in study.candidates] == ["shapes_cnn"] * 2
    zeros = [copy.variant.size.nonzeros for copy in study.candidates]
    assert zeros[0] > zeros[1]
    with pytest.raises(InputError, match="prun"):
        read_study(written(shapes.replace("{recipe}", "prun")))
    with pytest.raises(InputError, match=r"candidates.levels must be a list"):
        read_study(written(shapes.replace("{recipe}", "prune").replace("[0.3, 0.6]", "0.3")))


def test_files_that_could_run_code_are_refused_and_no_study_file_is_large(written, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    text = GOOD.replace('factory = "{module}:same"', 'file = "model.pkl"')
    with pytest.raises(UnsafeFileError):
        read_study(written(text))
    with pytest.raises(InputError, match=r"cannot be read: No such file"):
        read_study(tmp_path / "missing.toml")
    with pytest.raises(InputError, match="at most 1,048,576 bytes of TOML"):
        read_study(written("#" * (2**20 + 1)))
    with pytest.raises(InputError, match=r"rows\.csv needs a CSV file"):
        read_study(written(GOOD.replace('factory = "{module}:rows"', 'csv = "missing.csv"')))


RECIPE = """
    [reference]
    factory = "{module}:reference"

    [[candidates]]
    recipe = "RECIPE"

    [rows]
    factory = "{module}:rows"
    limit = 20

    [run]
    faithfulness = true
"""


def test_a_copy_that_is_made_anew_takes_rows_of_its_own(written, monkeypatch):
    seen = []

    def sweep(model, recipe, levels, *, rows):
        seen.append((recipe.name, len(rows)))
        return (model.renamed("copy"),)

    monkeypatch.setattr("workbench.variants.sweep", sweep)
    own = 'rows = {factory = "{module}:rows", arguments = {n = 9}, limit = 7}'
    trained = RECIPE.replace('"RECIPE"', f'"distill_to_tree"\n    {own}')
    study, _ = read_study(written(trained))
    assert study.faithfulness
    assert len(study.inputs) == 20
    read_study(written(RECIPE.replace("RECIPE", "fake_quantize")))
    assert seen == [("distill_to_tree", 7), ("fake_quantize", 24)]
    with pytest.raises(InputError, match="'distill_to_tree' are trained, and need rows other than"):
        read_study(written(RECIPE.replace("RECIPE", "distill_to_tree")))
    with pytest.raises(InputError, match=r"run\.faithfulness must be true or false, not 1"):
        read_study(written(GOOD + "    [run]\n    faithfulness = 1\n"))
