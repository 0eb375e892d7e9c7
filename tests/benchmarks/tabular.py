"""LIME and KernelSHAP on tables, beside lime and shap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import workbench as wb
from tests.benchmarks.cell import LIMIT, OURS, Settings, lines
from tests.benchmarks.charts import Chart
from tests.benchmarks.measure import Contestant, best_batch, race, relative_error, short
from tests.benchmarks.networks import Ask, ask_rows, forward, mlp
from tests.benchmarks.peers import peer
from tests.benchmarks.table import Line, at_least, at_most
from workbench.coalitions import bins
from workbench.methods import LIME, KernelSHAP, PermutationSHAP

BATCHES = (256, 1024, 4096, 16384)


def rows_for(features: int, n: int, background: int) -> wb.Inputs:
    """Rows of standard normals."""
    rng = np.random.default_rng(3)
    return wb.Inputs(
        rng.normal(size=(n, features)),
        kind="tabular",
        background=rng.normal(size=(background, features)),
    )


def limit_of(net: nn.Module, features: int, rows: int) -> tuple[Contestant, int]:
    """The network's own passes over so many rows, at its best batch size."""
    ready = torch.randn(rows, features)
    batch = best_batch(lambda size: forward(net, ready[: 4 * BATCHES[-1]], size), BATCHES)
    return Contestant(LIMIT, lambda: forward(net, ready, batch)), batch


def lime_values(explainer: Any, ask: Ask, inputs: wb.Inputs, **options: Any) -> NDArray[Any]:
    """lime's coefficients `(n, f)`, zero for the features it leaves out."""
    values = np.zeros(inputs.values.shape)
    for i, row in enumerate(inputs.values):
        found = explainer.explain_instance(row, ask, **options)
        for feature, value in found.as_map()[1]:
            values[i, feature] = value
    return values


def lime_tabular(settings: Settings) -> Iterator[Line | Chart]:
    """One row at 30 and 100 features, and a hundred rows, of an MLP."""
    for features, n in ((30, 1), (100, 1), (30, settings.pick(100, 20))):
        yield from _lime_tabular(settings, features, n)


def _lime_tabular(settings: Settings, features: int, n: int) -> Iterator[Line | Chart]:
    net = mlp(features)
    inputs = rows_for(features, n, background=500)
    model = wb.wrap(net, name="mlp", kind="tabular", like=inputs)
    ask = ask_rows(net, 0)
    limit, batch = limit_of(net, features, 5000 * n)

    def explainer(seed: int = 0, **how: Any) -> Any:
        return peer("lime.lime_tabular").LimeTabularExplainer(
            inputs.background, mode="regression", random_state=seed, **how
        )

    default, tuned = explainer(), explainer(feature_selection="none")
    everything = {"num_features": features, "num_samples": 5000}
    # lime itself with twenty times the rows referees both.
    few = inputs[: settings.pick(3, 1)]
    many = {"num_features": features, "num_samples": settings.pick(100_000, 30_000)}
    referee = explainer(seed=99, feature_selection="none")
    exact = lime_values(referee, ask, few, **many)
    ours = wb.explain(model, few, LIME(), wb.Target(0)).values
    theirs = lime_values(tuned, ask, few, **everything)
    kept = lime_values(default, ask, few)
    names = ("lime, as it comes", "lime, all features")

    def first_of_its_kind() -> wb.Attribution:
        """What no earlier row of the same table has made cheaper (lime's are built beforehand)."""
        bins._drawn.clear()
        bins._bins.clear()
        return wb.explain(model, inputs, LIME(), wb.Target(0))

    cold = "ours, nothing kept"
    seen = race(
        [
            limit,
            Contestant(OURS, lambda: wb.explain(model, inputs, LIME(), wb.Target(0))),
            Contestant(cold, first_of_its_kind),
            Contestant(names[0], lambda: lime_values(default, ask, inputs)),
            Contestant(names[1], lambda: lime_values(tuned, ask, inputs, **everything)),
        ],
        settings.rounds,
    )
    goals = [at_most(4, seen.ratio(OURS, LIMIT).median, "x limit")] if n == 1 else []
    peer_goals = {}
    if n > 1:
        peer_goals = {
            name: (at_least(40, seen.ratio(name, OURS).median, "x faster"),) for name in names
        }
    referees_rows = many["num_samples"]
    yield from lines(
        f"LIME, table, {n} row{'s' if n > 1 else ''}, {features} features, MLP",
        seen,
        peers=names,
        goals=goals,
        peer_goals=peer_goals,
        accuracy=f"{relative_error(ours, exact):.1%} from lime at {referees_rows} rows",
        peer_accuracy={
            names[0]: f"{relative_error(kept, exact):.1%} (keeps 10 features)",
            names[1]: f"{relative_error(theirs, exact):.1%}",
        },
        remark=f"limit: {n} x 5000 rows, batch {batch}; for the first row of a table, whose bins and "
        f"sample are not there yet, {seen.ratio(cold, LIMIT)} x limit",
    )


def kernel_shap(settings: Settings) -> Iterator[Line | Chart]:
    """2048 coalitions of 30 features over 100 background rows."""
    features, coalitions = 30, settings.pick(2048, 512)
    net = mlp(features)
    inputs = rows_for(features, 1, background=100)
    model = wb.wrap(net, name="mlp", kind="tabular", like=inputs)
    ask = ask_rows(net, 0)
    limit, batch = limit_of(net, features, coalitions * 100)
    recipe = KernelSHAP(budget=coalitions * 100)
    long_run = PermutationSHAP(budget=settings.pick(2_400_000, 240_000), seed=9)
    exact = wb.explain(model, inputs, long_run, wb.Target(0))
    noise = float(np.sqrt((exact.error**2).sum() / (exact.values**2).sum()))  # type: ignore[operator]
    explainer = peer("shap").KernelExplainer(ask, inputs.background)

    def theirs(l1_reg: str | int) -> NDArray[Any]:
        np.random.seed(0)
        options = {"nsamples": coalitions, "l1_reg": l1_reg, "silent": True}
        return np.asarray(explainer.shap_values(inputs.values, **options))

    names: dict[str, str | int] = {
        "shap.KernelExplainer": "num_features(10)",
        "the same, l1_reg=0": 0,
    }
    seen = race(
        [
            limit,
            Contestant(OURS, lambda: wb.explain(model, inputs, recipe, wb.Target(0))),
            *(Contestant(name, lambda l1=l1: theirs(l1)) for name, l1 in names.items()),  # type: ignore[misc]
        ],
        settings.rounds,
    )
    ours = wb.explain(model, inputs, recipe, wb.Target(0)).values
    yield from lines(
        f"KernelSHAP, {coalitions} coalitions x 100 background rows, 30 features, MLP",
        seen,
        peers=tuple(names),
        goals=(
            at_most(1.3, seen.ratio(OURS, LIMIT).median, "x limit"),
            at_most(110, seen.memory[OURS], "MiB"),
        ),
        accuracy=f"{relative_error(ours, exact.values):.1%} error",
        peer_accuracy={
            name: f"{relative_error(theirs(l1), exact.values):.1%} error"
            for name, l1 in names.items()
        },
        remark=f"limit: batch {batch}; exact values known to {short(100 * noise)} %",
    )
