"""Five models in one study, beside five explanations one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import workbench as wb
from tests.benchmarks.cell import LIMIT, OURS, Settings, lines
from tests.benchmarks.charts import Chart
from tests.benchmarks.measure import Contestant, best_batch, race
from tests.benchmarks.networks import forward, mlp
from tests.benchmarks.table import Line, at_most
from tests.benchmarks.tabular import BATCHES, rows_for
from workbench.methods import LIME, KernelSHAP


def study_of_five(settings: Settings) -> Iterator[Line | Chart]:
    """KernelSHAP and LIME of five MLPs: model rows counted, and time."""
    features, n = 30, settings.pick(4, 1)
    inputs = rows_for(features, n, background=settings.pick(100, 50))
    nets = [mlp(features, seed=seed) for seed in range(5)]
    members = tuple(
        wb.wrap(net, name=f"member {i}", kind="tabular", like=inputs) for i, net in enumerate(nets)
    )
    budget = settings.pick(51_200, 12_800)
    for recipe in (KernelSHAP(budget=budget), LIME()):
        name = type(recipe).__name__
        study = wb.Study(members, (recipe,), inputs, (wb.Target(0),))

        def together(study: wb.Study = study) -> list[wb.Attribution]:
            return list(wb.run(study))

        def apart(recipe: Any = recipe) -> list[wb.Attribution]:
            return [wb.explain(model, inputs, recipe, wb.Target(0)) for model in members]

        one, other = together(), apart()
        rows = [sum(found.evaluations for found in group) for group in (one, other)]
        ready = torch.randn(rows[0] // 5, features)
        batch = best_batch(lambda size, ready=ready: forward(nets[0], ready, size), BATCHES)  # type: ignore[misc]

        def limit(ready: torch.Tensor = ready, batch: int = batch) -> None:
            for net in nets:
                forward(net, ready, batch)

        seen = race(
            [
                Contestant(LIMIT, limit),
                Contestant(OURS, together),
                Contestant("five explanations", apart),
            ],
            settings.rounds,
        )
        differ = max(
            float(np.abs(a.values - b.values).max()) for a, b in zip(one, other, strict=True)
        )
        yield from lines(
            f"A study of 5 MLPs, {name}, {n} row{'s' if n > 1 else ''}",
            seen,
            peers=("five explanations",),
            goals=(
                at_most(1.0, rows[0] / rows[1], "x the model rows of five explanations"),
                at_most(1.1, 1 / seen.ratio("five explanations", OURS).median, "x their time"),
            ),
            accuracy=f"values differ from theirs by {differ:.0e}",
            rival=False,
            remark=f"{rows[0]} model rows together, {rows[1]} one by one",
        )
