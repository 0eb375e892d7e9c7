"""A drift study is checked before anything runs."""

from dataclasses import replace

import numpy as np
import pytest

from tests.lab.rows_by_hand import linear, network, table
from workbench.core import Inputs, Target
from workbench.errors import IncompatibleError, InputError
from workbench.lab import DriftStudy, drift
from workbench.lab.study import method_names
from workbench.methods import LIME, Occlusion


def study(**changes):
    fields = {
        "reference": network(),
        "candidates": (network("copy"),),
        "inputs": table(),
        "methods": (Occlusion(),),
    }
    return DriftStudy(**(fields | changes))


@pytest.mark.parametrize("name", ["candidates", "methods"])
def test_copies_and_methods_are_needed(name):
    with pytest.raises(InputError, match=f"at least one of its {name}"):
        study(**{name: ()})


def test_rows_are_needed():
    with pytest.raises(InputError, match="rows to explain, but the selection is empty"):
        study(inputs=table()[:0])


@pytest.mark.parametrize("method", ["GradCAM", Occlusion, None])
def test_a_method_is_a_recipe_and_neither_a_name_nor_a_class(method):
    with pytest.raises(InputError, match=r"such as methods.GradCAM\(\), not .*Call the class"):
        study(methods=(method,))


def test_what_is_no_model_is_to_be_wrapped():
    with pytest.raises(InputError, match=r"needs Models, but was given a function\. Wrap it"):
        study(candidates=(lambda rows: rows,))


def test_names_differ_also_between_copies_and_siblings():
    with pytest.raises(InputError, match=r"different names, but \['copy'\] occur more than once"):
        study(siblings=(network("copy", seed=1),))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"outputs": ("a", "c", "b")},
            r"in its order, \['a', 'b', 'c'\], but 'copy' has \['a', 'c', 'b'\]",
        ),
        ({"outputs": ("a", "b")}, r"but 'copy' has \['a', 'b'\]"),
        ({"scale": "probability"}, r"'network' is in logit, 'copy' in probability"),
    ],
)
def test_other_outputs_and_scales_are_refused(changes, words):
    with pytest.raises(IncompatibleError, match=words):
        study(candidates=(replace(network("copy"), **changes),))


def test_rows_of_another_width_are_refused():
    wide = replace(network("copy"), shape=(5,))
    with pytest.raises(InputError, match="'copy' needs rows of 5, but these are 6"):
        study(candidates=(wide,))


@pytest.mark.parametrize("margin", [-0.1, float("nan"), True, "little"])
def test_margins_are_numbers_from_zero(margin):
    with pytest.raises(InputError, match="A margin is a number from 0"):
        study(margins={"cosine": margin})


@pytest.mark.parametrize("seeds", [-1, 1.5, True])
def test_repetitions_are_counted_in_whole_numbers(seeds):
    with pytest.raises(InputError, match="noise_seeds must be a whole number from 0"):
        study(noise_seeds=seeds)


def test_the_target_is_the_references_own_prediction_whatever_a_copy_predicts():
    made = study(reference=network(), candidates=(network("copy", seed=1),))
    scores = made.reference.scores(made.inputs.values)
    assert made.fixed_target(scores) == Target(tuple(scores.argmax(axis=1).tolist()))
    other = made.candidates[0].scores(made.inputs.values)
    assert (other.argmax(axis=1) != scores.argmax(axis=1)).any()


def test_a_contrast_keeps_what_it_is_held_against():
    made = study(target=Target.predicted(against="b"))
    scores = made.reference.scores(made.inputs.values)
    assert made.fixed_target(scores) == Target(tuple(scores.argmax(axis=1).tolist()), "b")


def test_a_target_that_is_given_is_taken_as_it_is():
    target = Target("c")
    made = study(target=target)
    assert made.fixed_target(made.reference.scores(made.inputs.values)) is target
    with pytest.raises(InputError, match="needs 24 entries, but has 2"):
        study(target=Target((0, 1))).fixed_target(np.zeros((24, 3)))


def test_one_raw_output_is_explained_and_several_need_a_name():
    rows = Inputs([[1.0, 2.0], [3.0, 4.0]], kind="tabular")
    one = study(reference=linear("net", 1, 2), candidates=(linear("copy", 1, 2),), inputs=rows)
    assert one.fixed_target(one.reference.scores(rows.values)) == Target((0, 0))
    raw = replace(network(), scale="raw")
    several = study(reference=raw, candidates=(raw.renamed("copy"),))
    with pytest.raises(InputError, match="3 raw outputs whose sizes cannot be compared"):
        several.fixed_target(raw.scores(several.inputs.values))


def test_methods_of_one_class_are_numbered():
    assert method_names((LIME(seed=1), Occlusion(), LIME(seed=2))) == (
        "LIME 1",
        "Occlusion",
        "LIME 2",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"candidates": object()}, "needs Models, but was given a object"),
        ({"siblings": object()}, "needs Models, but was given a object"),
        ({"inputs": np.zeros((30, 6))}, "needs Inputs, but was given a ndarray"),
        ({"target": 0}, r"explains a Target, not 0\. Write Target\(0\)"),
        ({"seed": -1}, "seed must be a whole number from 0, not -1"),
        ({"seed": "x"}, "seed must be a whole number from 0, not 'x'"),
        ({"margins": [1]}, r"not \[1\]\. Write"),
        ({"margins": {"distanc": 0.1}}, "'distanc' is none. Metrics"),
        ({"faithfulness": True, "inputs": table(background=None)}, "has none. Add them"),
    ],
)
def test_what_is_of_another_sort_is_refused_in_words(changes, words):
    with pytest.raises(InputError, match=words):
        study(**changes)


def test_one_copy_and_one_sibling_need_no_list():
    made = study(
        candidates=network("copy"), siblings=network("sibling", seed=1), methods=Occlusion()
    )
    assert [one.name for one in (*made.candidates, *made.siblings)] == ["copy", "sibling"]


@pytest.mark.parametrize(
    ("reference", "inputs", "words"),
    [(object(), table(), "but got a object"), (network(), None, "not None")],
)
def test_defaults_are_not_chosen_for_what_is_no_model_or_no_rows(reference, inputs, words):
    with pytest.raises((InputError, IncompatibleError), match=words):
        drift(reference, network("copy"), inputs)
