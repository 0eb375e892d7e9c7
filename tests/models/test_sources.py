"""A loaded model, its copies and ensembles of them are made again in another process, or refused."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

import workbench as wb
from tests.equal_in_every_bit import assert_equal
from workbench import ensembles, variants
from workbench.errors import IncompatibleError, InputError, UnsafeFileError
from workbench.methods import KernelSHAP, Occlusion
from workbench.models import Normalize, save


class Net(torch.nn.Sequential):
    """A network of a table with weights of its own."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        super().__init__(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


ROWS = wb.Inputs(
    np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32),
    kind="tabular",
    background=np.random.default_rng(1).normal(size=(5, 4)),
)


def again(value):
    return pickle.loads(pickle.dumps(value))


def loaded(folder, seed=0, **more):
    path = folder / f"net {seed}.safetensors"
    save(wb.wrap(Net(seed), outputs=("a", "b"), scale="logit", kind="tabular"), path)
    return wb.load(path, architecture=Net, name=f"net {seed}", **more)


def assert_same(model, copy):
    assert copy is not model
    assert (copy.name, copy.digest, copy.lineage) == (model.name, model.digest, model.lineage)
    np.testing.assert_array_equal(copy.scores(ROWS.values), model.scores(ROWS.values))


def test_a_loaded_model_is_loaded_again_with_the_same_arguments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "net.safetensors"
    save(wb.wrap(Net(), outputs=("a", "b"), scale="logit", kind="tabular"), path)
    halves = Normalize([0.5] * 4, [2.0] * 4)
    model = wb.load(
        "net.safetensors", architecture=Net(), preprocess=halves, scale="raw", like=ROWS
    )
    data = pickle.dumps(model.renamed("other"))
    monkeypatch.chdir("/")
    copy = pickle.loads(data)
    assert copy.scale == "raw"
    assert_same(model.renamed("other"), copy)


def test_a_forest_of_a_file_is_loaded_again(tmp_path):
    x = np.random.default_rng(2).normal(size=(60, 4))
    forest = RandomForestClassifier(3, random_state=0).fit(x, (x[:, 0] > 0).astype(int))
    import skops.io  # here, as it asks every module there is for all its names

    skops.io.dump(forest, tmp_path / "forest.skops")
    model = wb.load(tmp_path / "forest.skops")
    assert_same(model, again(model))
    fewer = variants.fewer_trees(model, 1, rows=ROWS)
    assert_same(fewer, again(fewer))


@pytest.mark.parametrize(
    "recipe",
    [
        lambda model: variants.prune(model, 0.5, rows=ROWS),
        lambda model: variants.fake_quantize(model, ROWS, weight_bits=4),
        lambda model: variants.fake_quantize(variants.prune(model, sparsity=0.5), ROWS),
    ],
)
def test_a_copy_is_made_again_by_its_recipe_on_the_model_it_is_of(recipe, tmp_path):
    copy = recipe(loaded(tmp_path))
    found = again(copy)
    assert_same(copy, found)
    assert found.variant.recipe == copy.variant.recipe
    assert_same(copy, again(found))


def test_an_ensemble_is_put_together_again_from_members_that_are_made_again(tmp_path):
    members = [loaded(tmp_path, seed) for seed in (0, 1)]
    members[1] = variants.prune(members[1], 0.5, name="pruned")
    ensemble = ensembles.vote(members, {"net 0": 1, "pruned": 3}, name="both")
    found = again(ensemble)
    assert_same(ensemble, found)
    assert [one.name for one in found.combination.members] == ["net 0", "pruned"]
    np.testing.assert_array_equal(found.combination.weights, [0.25, 0.75])


def test_a_file_that_was_changed_since_is_refused(tmp_path):
    data = pickle.dumps(loaded(tmp_path))
    save(wb.wrap(Net(7), outputs=("a", "b"), scale="logit"), tmp_path / "net 0.safetensors")
    with pytest.raises(UnsafeFileError, match="as it was when its model was loaded, with sha256"):
        pickle.loads(data)
    (tmp_path / "net 0.safetensors").unlink()
    with pytest.raises(InputError, match="there is none at"):
        pickle.loads(data)


def test_what_was_wrapped_trained_or_made_of_that_is_refused_with_what_to_do(tmp_path):
    live = wb.wrap(Net(), outputs=("a", "b"), scale="logit", kind="tabular", name="live")
    mixed = ensembles.vote([live, loaded(tmp_path)])
    for model in (live, variants.prune(live, 0.5), mixed):
        with pytest.raises(IncompatibleError, match=r"workbench\.load"):
            pickle.dumps(model)
    by_lambda = wb.load(tmp_path / "net 0.safetensors", architecture=lambda: Net())
    with pytest.raises(IncompatibleError, match="only this process has"):
        pickle.dumps(by_lambda)
    with pytest.raises(IncompatibleError, match="only this process has"):
        pickle.dumps(variants.prune(by_lambda, 0.5))


def test_a_spawned_process_explains_what_it_is_sent_and_sends_the_result_back(tmp_path):
    members = [loaded(tmp_path, seed) for seed in (0, 1)]
    ensemble = ensembles.vote(members, name="both")
    study = wb.Study((ensemble,), (KernelSHAP(), Occlusion()), ROWS, (wb.Target("b"),))
    here = list(wb.run(study))
    with ProcessPoolExecutor(1, get_context("spawn")) as others:
        there = others.submit(_ran, study).result(timeout=240)
    for mine, its in zip(here, there, strict=True):
        np.testing.assert_array_equal(mine.values, its.values)
        assert_equal(mine.inputs, its.inputs)
        assert_equal(mine.provenance, its.provenance)
        assert mine.method == its.method
        assert [part.model for part in its.parts] == ["net 0", "net 1"]
        assert all(not part.values.flags.writeable for part in its.parts)


def _ran(study):
    torch.set_num_threads(1)
    return list(wb.run(study))
