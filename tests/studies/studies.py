"""The studies: tables, images, ensembles and drift, each in a few seconds.

They enter by public names alone, so that they stay as they are while files of the workbench move. Batches
have a fixed size wherever torch could choose one by the clock, as other sizes add in another order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

import workbench as wb
from workbench import data, ensembles, methods, models, variants
from workbench.compare import disagreement

BATCH = 16
WINDOWS = {"window": 16, "stride": 16}

Results = Iterator[tuple[str, Any]]
"""What a study found, by name: attributions, comparisons, drifts, interactions, disagreements."""


@dataclass(frozen=True)
class Kept:
    """A study whose results are kept.

    Args:
        run: computes it.
        single: whether single precision is part of it, as in torch.
        made_by: the libraries that train its models or cut its images: another version of one makes
            another study.
    """

    run: Callable[[], Results]
    single: bool
    made_by: tuple[str, ...] = ()


def table_by_sampling() -> Results:
    """The methods that need scores alone, on a regression forest."""
    inputs = _few(data.diabetes("test"), 3, 12)
    model = wb.wrap(_forest_of_diabetes(), name="forest")
    for method in (
        methods.KernelSHAP(budget=2400),
        methods.KernelSHAP(budget=1200, seed=7),
        methods.PermutationSHAP(budget=2400),
        methods.PermutationSHAP(),
        methods.LIME(seed=3),
        methods.ExactShapley(),
        methods.Occlusion(),
    ):
        yield title(method), wb.explain(model, inputs, method, wb.Target(0))


def trees() -> Results:
    """Exact values and interactions of a forest and of a booster."""
    inputs = _few(data.breast_cancer("test"), 4, 15)
    for name, native in _trees_of_biopsies().items():
        model = wb.wrap(native, name=name)
        last = wb.Target(len(model.outputs) - 1)
        for which, target in (("last", last), ("own", wb.Target.predicted())):
            yield f"{name}, {which} output", wb.explain(model, inputs, methods.TreeSHAP(), target)
        yield f"{name}, pairs", wb.tree_interactions(model, inputs, last)


def activation_maps() -> Results:
    """Five class activation maps of the bundled network."""
    model, inputs = _bundled("shapes_cnn"), data.shapes("test", n=3)
    for method in (
        methods.GradCAM(),
        methods.GradCAM(layer="block2"),
        methods.HiResCAM(),
        methods.LayerCAM(),
        methods.EigenCAM(),
        methods.ScoreCAM(channels=24),
    ):
        for which, target in (("first", wb.Target(0)), ("own", wb.Target.predicted())):
            yield f"{title(method)}, {which} output", wb.explain(model, inputs, method, target)


def gradients() -> Results:
    """Gradients along lines, of images and of a table."""
    chosen = (methods.IntegratedGradients(steps=8), methods.GradientSHAP(budget=64, seed=1))
    model, images = _bundled("shapes_cnn"), data.shapes("test", n=2)
    for method in chosen:
        yield f"images {title(method)}", wb.explain(model, images, method, wb.Target.predicted())
    rows = _few(data.breast_cancer("test"), 5, 9)
    net = _network_of_biopsies(rows)
    for method in chosen:
        yield f"table {title(method)}", wb.explain(net, rows, method, wb.Target(1, against=0))


def images_by_covering() -> Results:
    """Windows and superpixels of images are covered, by scores alone."""
    model, inputs = _bundled("shapes_cnn"), data.shapes("test", n=2)
    for method in (
        methods.Occlusion(**WINDOWS),
        methods.LIME(budget=150, segments=20),
        methods.KernelSHAP(budget=150, segments=20, superpixels="grid"),
        methods.PermutationSHAP(budget=150, segments=12),
    ):
        yield title(method), wb.explain(model, inputs, method, wb.Target.predicted())


def vote() -> Results:
    """A vote of three and its members, by one pass each."""
    inputs = _few(data.breast_cancer("test"), 3, 8)
    members = [wb.wrap(native, name=name) for name, native in _three_of_biopsies().items()]
    ensemble = ensembles.vote(members, [2, 1, 1])
    for method in (
        methods.TreeSHAP(),
        methods.KernelSHAP(budget=1600),
        methods.PermutationSHAP(budget=1600),
        methods.LIME(),
    ):
        found = wb.explain(ensemble, inputs, method, wb.Target(1))
        yield title(method), found
        yield f"disagreement {title(method)}", disagreement(found)


def stack() -> Results:
    """A linear meta-model over three, fitted on held-out rows, and its members."""
    from sklearn.linear_model import LogisticRegression

    held_out, inputs = data.breast_cancer("test"), _few(data.breast_cancer("test"), 3, 8)
    members = [wb.wrap(native, name=name) for name, native in _three_of_biopsies().items()]
    closely = LogisticRegression(tol=1e-13, max_iter=10_000)  # the same weights on every machine
    ensemble = ensembles.stack(members, held_out, closely)
    for method in (methods.KernelSHAP(budget=1600), methods.LIME(seed=2)):
        yield title(method), wb.explain(ensemble, inputs, method, wb.Target(0))


def comparison() -> Results:
    """Two networks held against each other, and five that may disagree."""
    inputs = data.shapes("test", n=3)
    pair = (_bundled("shapes_cnn"), _bundled("shapes_shortcut_cnn"))
    chosen = (methods.GradCAM(), methods.LIME(budget=120, segments=16))
    study = wb.Study(pair, chosen, inputs, (wb.Target(0), wb.Target(2)))
    yield "two networks", wb.compare(wb.run(study), reference=pair[0].name)
    members = [_bundled(f"shapes_member_{k}") for k in range(1, 6)]
    for method in chosen:
        found = [wb.explain(model, inputs, method, wb.Target(1)) for model in members]
        yield f"disagreement {title(method)}", disagreement(found)


def drift_of_images() -> Results:
    """A pruned copy and one in 8 bits, of the bundled network."""
    model, inputs = _bundled("shapes_cnn"), data.shapes("test", n=60)
    copies = [
        variants.prune(model, 0.6),
        variants.fake_quantize(model, data.shapes("train", n=16), activation_bits=None),
    ]
    yield (
        "copies",
        wb.drift(model, copies, inputs, (methods.GradCAM(), methods.Occlusion(**WINDOWS))),
    )


def drift_of_trees() -> Results:
    """Copies of a forest: half of its trees, and leaves of few bits; exact, and by sampling."""
    model = wb.wrap(_trees_of_biopsies()["forest"], name="forest")
    inputs = _few(data.breast_cancer("test"), 60, 10)
    copies = [
        variants.fewer_trees(model, 0.5),
        variants.quantize_leaves(model, 4),
        variants.prune_trees(model, keep=0.7),
    ]
    yield "exact", wb.drift(model, copies, inputs, methods.TreeSHAP())
    yield "sampled", wb.drift(model, copies[0], inputs[:24], methods.KernelSHAP(budget=1600))


STUDIES = {
    "table_by_sampling": Kept(table_by_sampling, single=False, made_by=("scikit-learn",)),
    "trees": Kept(trees, single=False, made_by=("scikit-learn", "xgboost-cpu")),
    "activation_maps": Kept(activation_maps, single=True),
    "gradients": Kept(gradients, single=True),
    "images_by_covering": Kept(images_by_covering, single=True, made_by=("scikit-image",)),
    "vote": Kept(vote, single=False, made_by=("scikit-learn",)),
    "stack": Kept(stack, single=False, made_by=("scikit-learn",)),
    "comparison": Kept(comparison, single=True, made_by=("scikit-image",)),
    "drift_of_images": Kept(drift_of_images, single=True),
    "drift_of_trees": Kept(drift_of_trees, single=False, made_by=("scikit-learn",)),
}


def title(method: Any) -> str:
    """What was asked of a method, and not what it has by default: those fields may get other names.

    >>> title(methods.LIME(seed=2))
    'LIME(seed=2)'
    """
    asked = [
        f"{one.name}={getattr(method, one.name)!r}"
        for one in fields(method)
        if getattr(method, one.name) != one.default
    ]
    return f"{type(method).__name__}({', '.join(asked)})"


def _few(inputs: wb.Inputs, n: int, background: int) -> wb.Inputs:
    """The first rows, over the first rows of their background."""
    return inputs[:n].with_background(np.asarray(inputs.background)[:background])


def _bundled(name: str) -> wb.Model:
    path = data.asset(f"{name}.safetensors")
    return wb.load(path, architecture=models.small_cnn, batch=BATCH)


def _forest_of_diabetes() -> Any:
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import RandomForestRegressor

    rows, truth = _training_rows(load_diabetes(scaled=False), data.diabetes("train"))
    return RandomForestRegressor(12, max_depth=4, random_state=0).fit(rows, truth)


def _trees_of_biopsies() -> dict[str, Any]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from xgboost import XGBClassifier

    rows, truth = _training_rows(load_breast_cancer(), data.breast_cancer("train"))
    return {
        "forest": RandomForestClassifier(10, max_depth=5, random_state=0).fit(rows, truth),
        "booster": XGBClassifier(n_estimators=12, max_depth=3, n_jobs=1).fit(rows, truth),
    }


def _three_of_biopsies() -> dict[str, Any]:
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    rows, truth = _training_rows(load_breast_cancer(), data.breast_cancer("train"))
    return {
        "forest": RandomForestClassifier(8, max_depth=4, random_state=0).fit(rows, truth),
        "extra trees": ExtraTreesClassifier(8, max_depth=4, random_state=1).fit(rows, truth),
        "one tree": DecisionTreeClassifier(max_depth=3, random_state=2).fit(rows, truth),
    }


def _training_rows(table: Any, inputs: wb.Inputs) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and what is known of them, by the rows' ids: places in scikit-learn's table."""
    at = [int(row) for row in inputs.ids]
    return table.data[at], table.target[at]


def _network_of_biopsies(like: wb.Inputs) -> wb.Model:
    """Two hidden layers whose weights NumPy drew: a network need not be trained to be explained."""
    import torch
    from torch import nn

    draw = np.random.default_rng(5)
    net = nn.Sequential(nn.Linear(30, 12), nn.Tanh(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 2))
    with torch.no_grad():
        for weights in net.parameters():
            size = tuple(weights.shape)
            weights.copy_(torch.from_numpy(draw.normal(0, 0.5, size) / np.sqrt(size[-1])))
        net[0].weight /= torch.tensor(np.asarray(like.background).std(axis=0) + 1.0).float()
    names = data.BREAST_CANCER
    return wb.wrap(net.eval(), name="net", outputs=names, scale="logit", like=like, batch=64)
