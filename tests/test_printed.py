"""What `print` shows of a model, its rows and what was found is a line, whatever its arrays hold."""

import numpy as np
import pytest

import workbench as wb
from workbench import ensembles, methods
from workbench.compare import disagreement
from workbench.lab import DriftStudy

ROWS = wb.Inputs(
    np.random.default_rng(0).normal(size=(6, 3)),
    kind="tabular",
    features=("a", "b", "c"),
    background=np.zeros((2, 3)),
    name="six rows",
)
OF_ROWS = "Inputs('six rows', 6 tabular rows of 3, 2 background rows)"
RECIPE = methods.ExactShapley()


def line(name: str, weight: float) -> wb.Model:
    """A weighted sum, which also has a gradient."""
    slope = np.array([[weight], [1.0], [0.5]])
    return wb.Model(
        name,
        lambda rows: rows @ slope,
        ("y",),
        "raw",
        gradient=lambda rows, _weights: np.tile(slope.T, (len(rows), 1)),
    )


MODELS = (line("one", 3.0), line("two", 3.0), line("three", 3.0))
VOTE = ensembles.vote(MODELS)
STUDY = wb.Study(MODELS, (RECIPE,), ROWS, (wb.Target(0),))


def test_a_model_says_its_outputs_its_unit_and_what_it_can_do():
    assert str(MODELS[0]) == "Model('one', 1 output in raw, can predict, gradient)"
    three = wb.Model("net", lambda rows: rows, ("a", "b", "c"), "logit")
    assert str(three) == "Model('net', 3 outputs in logit, can predict)"
    assert str(VOTE.combination) == "Combination(weighted mean of ['one', 'two', 'three'] in raw)"


def test_what_is_to_be_computed_counts_and_names_its_rows():
    assert str(ROWS) == OF_ROWS
    assert str(STUDY) == f"Study(3 models x 1 method x 1 target, {OF_ROWS})"
    assert str(STUDY.cells[1]) == f"Cell(ExactShapley of two, 1 target, {OF_ROWS})"
    drift = DriftStudy(MODELS[0], MODELS[1:], ROWS, (RECIPE,))
    assert str(drift) == f"DriftStudy('one' against ['two', 'three'], by ExactShapley, {OF_ROWS})"


def test_an_influence_says_the_largest_shares():
    results = list(wb.run(STUDY))
    found = disagreement(results, weights={"one": 2, "two": 1, "three": 1})
    assert str(found.influence) == "Influence(6 rows: one 50%, two 25%, three 25%)"
    assert str(found.members) == "Members(3 members, 6 rows, 3 players, in raw)"


@pytest.mark.parametrize(
    "make",
    [
        lambda: wb.plan(STUDY),
        lambda: wb.explain(VOTE, ROWS, RECIPE),
        lambda: wb.compare(wb.run(STUDY), reference="one"),
        lambda: disagreement(wb.explain(VOTE, ROWS, RECIPE)),
        lambda: wb.drift(MODELS[0], MODELS[1:], ROWS, RECIPE, random_weights=False),
    ],
    ids=["plan", "attribution", "comparison", "disagreement", "drift"],
)
def test_a_result_is_one_line(make):
    printed = str(make())
    assert 20 < len(printed) <= 160
    assert len(printed.splitlines()) == 1
    assert "array(" not in printed
