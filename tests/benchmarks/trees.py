"""Tree SHAP beside shap and the boosters' own contributions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import workbench as wb
from tests.benchmarks.cell import LIMIT, OURS, Settings, lines
from tests.benchmarks.charts import Chart, Curve, Panel
from tests.benchmarks.measure import Contestant, Race, race
from tests.benchmarks.peers import peer
from tests.benchmarks.table import Line, at_least, at_most
from workbench.errors import WorkbenchError
from workbench.methods import TreeSHAP

FEATURES = 30


@dataclass(frozen=True, eq=False)
class Forest:
    """A trained model of 200 trees (60 in a quick run).

    Args:
        name: what the table calls it.
        grown: the library's own object.
        native: the library's own contributions `(n, f + 1)`, if it has any.
    """

    name: str
    grown: Any
    native: Callable[[NDArray[Any]], Any] | None = None


def forests(settings: Settings) -> list[Forest]:
    """XGBoost of depth 6, LightGBM of 31 leaves, a random forest of depth 8."""
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(11)
    rows = rng.normal(size=(settings.pick(4000, 1500), FEATURES))
    truth = rows[:, :10].sum(axis=1) + 3 * rows[:, 0] * rows[:, 1] + np.sin(3 * rows[:, 2])
    truth += rng.normal(size=len(rows))
    trees = settings.pick(200, 60)
    xgboost, lightgbm = peer("xgboost"), peer("lightgbm")
    xgb = xgboost.XGBRegressor(n_estimators=trees, max_depth=6, n_jobs=1).fit(rows, truth)
    lgb = lightgbm.LGBMRegressor(n_estimators=trees, num_leaves=31, n_jobs=1, verbose=-1)
    lgb.fit(rows, truth)
    forest = RandomForestRegressor(trees, max_depth=8, n_jobs=1, random_state=0).fit(rows, truth)
    booster = xgb.get_booster()
    return [
        Forest(
            "XGBoost",
            xgb,
            lambda given: booster.predict(xgboost.DMatrix(given), pred_contribs=True),
        ),
        Forest("LightGBM", lgb, lambda given: lgb.booster_.predict(given, pred_contrib=True)),
        Forest("random forest", forest),
    ]


def _rows(n: int, background: int) -> wb.Inputs:
    rows, absent = np.random.default_rng(12), np.random.default_rng(13)
    return wb.Inputs(
        rows.normal(size=(n, FEATURES)),
        kind="tabular",
        background=absent.normal(size=(background, FEATURES)) if background else None,
    )


def _ours(forest: Forest, inputs: wb.Inputs, variant: Any) -> Callable[[], wb.Attribution] | None:
    """TreeSHAP through the public API, or None where these trees cannot be read yet."""
    try:
        model = wb.wrap(forest.grown, like=inputs)
        # To be removed once wrap reads the trees of every library here.
        if model.trees is None:
            return None
    except WorkbenchError:
        return None
    return lambda: wb.explain(model, inputs, TreeSHAP(variant), wb.Target(0))


def path_dependent(settings: Settings) -> Iterator[Line | Chart]:
    """1 to 5000 rows; every library's time against the number of rows."""
    panels = []
    for forest in forests(settings):
        explainer = peer("shap").TreeExplainer(forest.grown)
        curves: dict[str, list[tuple[float, float]]] = {}
        for n in settings.pick((1, 50, 500, 5000), (1, 50, 500)):
            # Each row costs shap the same, so that of many it is timed on the first ones.
            slow = 500 if forest.name == "random forest" else 1000
            timed = min(n, settings.pick(slow, 20))
            contributions = {"shap.TreeExplainer": explainer.shap_values}
            if forest.native is not None:
                contributions[f"{forest.name}'s own"] = forest.native
            seen = yield from _cell(
                settings, forest, "tree_path_dependent", n, 0, contributions, timed
            )
            for name in seen.seconds:
                if name != LIMIT:
                    shown = "own contributions" if name.endswith("own") else name
                    curves.setdefault(shown, []).append((n, seen.typical(name)))
        panels.append(
            Panel(
                forest.name,
                tuple(
                    Curve(name, tuple(x for x, _ in points), tuple(y for _, y in points))
                    for name, points in curves.items()
                ),
            )
        )
    yield Chart(
        name="tree_shap_time",
        title=f"Path-dependent tree SHAP, {settings.pick(200, 60)} trees, 30 features",
        x="rows explained",
        y="CPU time (seconds, one thread)",
        panels=tuple(panels),
    )


def interventional(settings: Settings) -> Iterator[Line | Chart]:
    """100 rows over 100 and 1000 background rows."""
    for forest in forests(settings):
        for background in settings.pick((100, 1000), (100,)):
            shap = peer("shap")
            absent = np.asarray(_rows(1, background).background)
            masker = shap.maskers.Independent(absent, max_samples=len(absent))
            explainer = shap.TreeExplainer(forest.grown, masker)

            def theirs(rows: NDArray[Any], explainer: Any = explainer) -> Any:
                return explainer.shap_values(rows, check_additivity=False)

            timed = settings.pick(100 if background == 100 else 10, 5)
            yield from _cell(
                settings,
                forest,
                "interventional",
                100,
                background,
                {"shap.TreeExplainer": theirs},
                timed,
            )


def _cell(
    settings: Settings,
    forest: Forest,
    variant: str,
    n: int,
    background: int,
    contributions: dict[str, Callable[[NDArray[Any]], Any]],
    timed: int,
) -> Any:
    """The lines of one job; returns the race."""
    inputs = _rows(n, background)
    part = inputs.values[:timed]
    ours = _ours(forest, inputs, variant)
    contestants = [Contestant(LIMIT, lambda: forest.grown.predict(inputs.values))]
    if ours is not None:
        contestants.append(Contestant(OURS, ours))
    contestants += [
        Contestant(name, lambda call=call: call(part), timed / n)  # type: ignore[misc]
        for name, call in contributions.items()
    ]
    seen: Race = race(contestants, settings.rounds)
    score = np.asarray(forest.grown.predict(part), dtype=np.float64)
    credits = {
        name: np.asarray(call(part), dtype=np.float64)[:, :FEATURES]
        for name, call in contributions.items()
    }
    goals: dict[str, tuple[Any, ...]] = {}
    told = "not read yet"
    if ours is not None:
        found = ours()
        values = found.values[:timed]
        told = f"gap {np.abs(found.gap).max() / np.abs(score).max():.0e}"
        wanted = 10.0 if variant == "tree_path_dependent" else (12.0 if background == 100 else 40.0)
        for name, credit in credits.items():
            apart = float(np.abs(credit - values).max() / np.abs(values).max())
            fast = at_least(wanted, seen.ratio(name, OURS).median, "x faster")
            near = at_most(1e-6, apart, "apart")
            goals[name] = (fast, near) if n >= 500 or background else (near,)
    yield from lines(
        f"Tree SHAP {variant.replace('_', '-')}, {forest.name}, {n} row{'s' if n > 1 else ''}"
        + (f", background {background}" if background else ""),
        seen,
        peers=tuple(contributions),
        peer_goals=goals,
        accuracy=told,
        peer_accuracy={
            name: f"values sum to score − {_constant(score - credit.sum(axis=1))}"
            for name, credit in credits.items()
        },
        remark="peers' explainers built beforehand"
        + (f"; they are timed on {timed} rows" if timed < n else ""),
    )
    return seen


def _constant(base: NDArray[np.float64]) -> str:
    """How constant what the values leave over is: its spread over the rows."""
    return f"base ± {np.ptp(base) / 2:.0e}"
