"""An ensemble with its members in one pass, beside one explanation after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import workbench as wb
from tests.benchmarks.cell import LIMIT, OURS, Settings, lines
from tests.benchmarks.charts import Chart
from tests.benchmarks.measure import Contestant, best_batch, race, relative_error
from tests.benchmarks.networks import ask_rows, forward, mlp
from tests.benchmarks.peers import peer
from tests.benchmarks.table import Line, at_least, at_most
from tests.benchmarks.tabular import BATCHES, lime_values, rows_for
from workbench import ensembles
from workbench.methods import LIME, ExactShapley, KernelSHAP, TreeSHAP

MEMBERS = 5


def one_pass(settings: Settings) -> Iterator[Line | Chart]:
    """Five MLPs and their mean: by KernelSHAP for one row, by LIME for ten."""
    features = 30
    nets = [mlp(features, seed=seed) for seed in range(MEMBERS)]
    inputs = rows_for(features, 10, background=settings.pick(100, 50))
    members = [
        wb.wrap(net, name=f"member {i}", kind="tabular", scale="logit", like=inputs)
        for i, net in enumerate(nets)
    ]
    ensemble = ensembles.vote(members)
    each = [ask_rows(net, 0) for net in nets]

    def mean(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.mean([ask(rows) for ask in each], axis=0))

    asks = [*each, mean]
    yield from _by_kernel(settings, ensemble, nets, inputs[:1], asks)
    yield from _by_lime(settings, ensemble, nets, inputs, asks)


def _limit(nets: list[Any], features: int, rows: int) -> tuple[Contestant, int]:
    ready = torch.randn(rows, features)
    batch = best_batch(lambda size: forward(nets[0], ready[: 4 * BATCHES[-1]], size), BATCHES)

    def call() -> None:
        for net in nets:
            forward(net, ready, batch)

    return Contestant(LIMIT, call), batch


def _by_kernel(
    settings: Settings, ensemble: wb.Model, nets: list[Any], inputs: wb.Inputs, asks: list[Any]
) -> Iterator[Line | Chart]:
    coalitions = settings.pick(2048, 512)
    budget = coalitions * len(np.asarray(inputs.background))
    recipe = KernelSHAP(budget=budget)
    limit, batch = _limit(nets, inputs.values.shape[1], budget)
    explainers = [peer("shap").KernelExplainer(ask, inputs.background) for ask in asks]

    def theirs(l1_reg: str | int) -> NDArray[Any]:
        np.random.seed(0)
        options = {"nsamples": coalitions, "l1_reg": l1_reg, "silent": True}
        return np.array([one.shap_values(inputs.values, **options)[0] for one in explainers])

    def ours() -> NDArray[Any]:
        found = wb.explain(ensemble, inputs, recipe, wb.Target(0))
        return np.array([*(part.values[0] for part in found.parts), found.values[0]])

    names: dict[str, str | int] = {
        "six KernelExplainers": "num_features(10)",
        "the same, l1_reg=0": 0,
    }
    seen = race(
        [
            limit,
            Contestant(OURS, ours),
            *(Contestant(name, lambda l1=l1: theirs(l1)) for name, l1 in names.items()),  # type: ignore[misc]
        ],
        settings.rounds,
    )
    found = ours()
    gap = float(np.abs(found[:-1].mean(axis=0) - found[-1]).max())
    other = theirs(0)
    theirs_gap = float(np.abs(other[:-1].mean(axis=0) - other[-1]).max())
    yield from lines(
        f"Ensemble of {MEMBERS} MLPs and its members, KernelSHAP, {coalitions} coalitions, 1 row",
        seen,
        peers=tuple(names),
        peer_goals={
            name: (at_least(4, seen.ratio(name, OURS).median, "x faster"),) for name in names
        },
        goals=(at_most(1e-7, gap, "ensemble − mean of members"),),
        accuracy=f"ensemble is the members' mean to {gap:.0e}",
        peer_accuracy={"the same, l1_reg=0": f"to {theirs_gap:.0e}"},
        remark=f"limit: {MEMBERS} x {budget} rows, batch {batch}",
    )


def _by_lime(
    settings: Settings, ensemble: wb.Model, nets: list[Any], inputs: wb.Inputs, asks: list[Any]
) -> Iterator[Line | Chart]:
    n, features = inputs.values.shape
    limit, batch = _limit(nets, features, 5000)
    explainer = peer("lime.lime_tabular").LimeTabularExplainer(
        inputs.background, mode="regression", random_state=0
    )
    few = settings.pick(3, 1)  # every row costs lime the same

    def theirs() -> list[NDArray[Any]]:
        return [lime_values(explainer, ask, inputs[:few]) for ask in asks]

    def ours() -> wb.Attribution:
        return wb.explain(ensemble, inputs, LIME(), wb.Target(0))

    name = "lime, six models in a loop"
    seen = race(
        [limit, Contestant(OURS, ours), Contestant(name, theirs, share=few / n)], settings.rounds
    )
    found = ours()
    gap = float(np.abs(np.mean([part.values for part in found.parts], axis=0) - found.values).max())
    yield from lines(
        f"Ensemble of {MEMBERS} MLPs and its members, LIME on a table, {n} rows",
        seen,
        peers=(name,),
        peer_goals={name: (at_least(50, seen.ratio(name, OURS).median, "x faster"),)},
        goals=(at_most(1e-7, gap, "ensemble − mean of members"),),
        accuracy=f"ensemble is the members' mean to {gap:.0e}",
        remark=f"limit: {MEMBERS} x 5000 rows for all {n}, batch {batch}; lime is timed on {few} rows",
    )


def composing(settings: Settings) -> Iterator[Line | Chart]:
    """A soft vote of three forests: exact by composition, beside sampling the vote as a black box."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, VotingClassifier

    values, classes = load_breast_cancer(return_X_y=True)
    values = values[:, :10]
    trees = settings.pick(50, 10)
    voting = VotingClassifier(
        [
            ("forest", RandomForestClassifier(trees, max_depth=6, random_state=0)),
            ("extra trees", ExtraTreesClassifier(trees, max_depth=6, random_state=1)),
            ("another forest", RandomForestClassifier(trees, max_depth=6, random_state=2)),
        ],
        voting="soft",
        weights=[2, 1, 1],
    ).fit(values, classes)
    n = settings.pick(20, 4)
    inputs = wb.Inputs(values[:n], kind="tabular", background=values[100:200])
    ensemble = ensembles.unpack(voting)

    def ask(rows: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(voting.predict_proba(rows)[:, 1])

    def ours() -> NDArray[Any]:
        return np.asarray(wb.explain(ensemble, inputs, TreeSHAP(), wb.Target(1)).values)

    few = inputs[:1]
    explainer = peer("shap").KernelExplainer(ask, inputs.background)

    def theirs() -> NDArray[Any]:
        np.random.seed(0)
        return np.asarray(explainer.shap_values(few.values, nsamples=2048, l1_reg=0, silent=True))

    black_box = wb.wrap(
        lambda rows: ask(rows)[:, None], name="vote", outputs=("1",), scale="probability"
    )
    exact = wb.explain(black_box, few, ExactShapley(), wb.Target(0)).values
    name = "shap.KernelExplainer, l1_reg=0"
    seen = race(
        [Contestant(OURS, ours), Contestant(name, theirs, share=len(few) / n)], settings.rounds
    )
    wrong, other = relative_error(ours()[: len(few)], exact), relative_error(theirs(), exact)
    yield from lines(
        f"Soft vote of three forests of {trees} trees, 10 features, {n} rows, composed",
        seen,
        peers=(name,),
        peer_goals={name: (at_least(50, seen.ratio(name, OURS).median, "x faster"),)},
        goals=(
            at_most(1e-6, wrong, "relative error to enumeration"),
            at_most(1.0, wrong / max(other, 1e-300), "x the peer's error"),
        ),
        accuracy=f"{wrong:.0e} from enumeration of the vote",
        peer_accuracy={name: f"{other:.0e}"},
        remark="background 100; the peer is timed on one row",
    )
