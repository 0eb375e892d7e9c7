"""Nouns go to another process and come back equal, checked and read-only."""

import pickle

import numpy as np
import pytest

from tests.core.test_saved_results import RESULTS
from tests.equal_in_every_bit import assert_equal
from tests.models_in_numpy import tanh_network
from workbench.core import Cell, Inputs, Model, Source, Study, Target
from workbench.errors import IncompatibleError, InputError
from workbench.methods import KernelSHAP, Occlusion, catalog


def again(value):
    return pickle.loads(pickle.dumps(value))


def network(seed=0, scale="logit"):
    made = tanh_network(seed=seed)
    return Model(f"seed {seed}", made.predict, made.outputs, scale, kind="tabular")


@pytest.mark.parametrize("make", RESULTS.values(), ids=RESULTS)
def test_a_result_is_pickled_with_its_rows_its_members_and_read_only_arrays(make):
    result = make()
    assert_equal(result, again(result))
    assert_equal(result.inputs, again(result.inputs))


def test_rows_come_back_with_the_same_digest_also_after_it_was_asked_for():
    rows = RESULTS["everything"]().inputs
    digest = rows.digest
    assert again(rows).digest == digest
    with pytest.raises(ValueError, match="read-only"):
        again(rows).values[0] = 1.0
    with pytest.raises(TypeError):
        again(rows).groups["more"] = (0,)


@pytest.mark.parametrize("method", catalog())
def test_every_method_is_pickled(method):
    assert again(method()) == method()


@pytest.mark.parametrize(
    "target", [Target.predicted(), Target("a", against=2), Target((0, "b"), against=(1, 0))]
)
def test_every_target_is_pickled(target):
    assert again(target) == target


def test_a_study_and_its_cells_are_pickled_where_their_models_are():
    rows = Inputs(np.zeros((2, 6)), kind="tabular", background=np.ones((3, 6)))
    models = (Source(network).model(), Source(network, (1,)).model())
    study = Study(models, (Occlusion(), KernelSHAP()), rows, (Target(0),))
    copy = again(study)
    assert [one.name for one in copy.models] == ["seed 0", "seed 1"]
    assert copy.methods == study.methods
    assert copy.targets == study.targets
    assert_equal(copy.inputs, rows)
    cell = again(study.cells[-1])
    assert isinstance(cell, Cell)
    assert cell.label == "KernelSHAP of seed 1"


def test_a_model_of_a_function_is_made_again_under_its_present_name():
    model = Source(network, (3,), {"scale": "raw"}).model().renamed("other")
    copy = again(model)
    rows = np.random.default_rng(0).normal(size=(4, 6))
    np.testing.assert_array_equal(copy.scores(rows), model.scores(rows))
    assert (copy.name, copy.scale) == ("other", "raw")
    assert again(copy).name == "other"


def test_a_model_that_was_changed_after_it_was_made_is_refused():
    from dataclasses import replace

    model = Source(network).model()
    with pytest.raises(IncompatibleError, match="how 'seed 0' was made is not known"):
        pickle.dumps(replace(model, predict=lambda rows: rows))
    changed = pickle.dumps(replace(model, scale="probability"))
    with pytest.raises(InputError, match="its scale came out otherwise"):
        pickle.loads(changed)


def test_a_model_that_only_this_process_can_make_is_refused_with_what_to_do():
    with pytest.raises(IncompatibleError, match=r"not known.*workbench\.load.*Source\(make\)"):
        pickle.dumps(network())
    with pytest.raises(IncompatibleError, match=r"lambda.*only this process has"):
        pickle.dumps(Source(lambda: network()).model())
