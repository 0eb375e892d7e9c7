"""How many model rows a Shapley value takes, and whether the reported errors are right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import workbench as wb
from tests.benchmarks.cell import Settings
from tests.benchmarks.charts import Chart, Curve, Panel
from tests.benchmarks.measure import Watch, relative_error, row_errors, rows_to_reach, short
from tests.benchmarks.peers import peer
from tests.benchmarks.table import Line, at_least, at_most
from workbench import data
from workbench.methods import KernelSHAP, PermutationSHAP, TreeSHAP

WANTED, FINER = 0.05, 0.02
OURS, KERNEL, SAMPLING = "ours, PermutationSHAP", "shap Kernel, l1_reg=0", "shap Sampling"


class Counted:
    """A plain function from rows to one score each, and how many rows it was asked for."""

    def __init__(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        self.function = function
        self.rows = 0

    def __call__(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Scores `(n,)`."""
        self.rows += len(rows)
        return self.function(rows)


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows, a model as a plain function, and its exact Shapley values.

    Args:
        name: what the table calls it.
        inputs: the rows to explain over their background.
        ask: the model.
        exact: interventional Shapley values from its trees `(n, f)`.
        apart: how far shap's tree values are from these, relative to the largest.
    """

    name: str
    inputs: wb.Inputs
    ask: Callable[[NDArray[Any]], NDArray[Any]]
    exact: NDArray[np.float64]
    apart: float


def problem(name: str, n: int, depth: int = 3) -> Problem:
    """A gradient boosting model, by default of scikit-learn's own depth, on one of three tables."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    if name == "synthetic":
        rng = np.random.default_rng(7)
        rows = rng.normal(size=(1500, 60))
        truth = rows[:, :20] @ rng.normal(size=20) + 3 * rows[:, 0] * rows[:, 1]
        truth += 2 * np.sin(rows[:, 20] * rows[:, 21]) + np.abs(rows[:, 22:30]).sum(axis=1)
        grown = GradientBoostingRegressor(n_estimators=150, max_depth=4, random_state=0)
        grown.fit(rows[:1000], truth[:1000])
        inputs = wb.Inputs(rows[1000 : 1000 + n], kind="tabular", background=rows[:100], name=name)
        ask = grown.predict
    else:
        source = data.breast_cancer if name == "breast cancer" else data.digits
        train, test = source("train"), source("test")
        classes = np.asarray(train.y)
        truth = classes if name == "breast cancer" else classes == 3
        grown = GradientBoostingClassifier(max_depth=depth, random_state=0)
        grown.fit(train.values, truth)
        inputs, ask = test[:n], grown.decision_function
    model = wb.wrap(grown, scale="raw" if name == "synthetic" else "logit")
    last = len(model.outputs) - 1
    exact = wb.explain(model, inputs, TreeSHAP(), wb.Target(last)).values
    shap = peer("shap")
    masker = shap.maskers.Independent(inputs.background, max_samples=len(inputs.background))  # type: ignore[arg-type]
    theirs = shap.TreeExplainer(grown, masker).shap_values(inputs.values, check_additivity=False)
    apart = float(np.abs(theirs - exact).max() / np.abs(exact).max())
    return Problem(name, inputs, ask, exact, apart)


def rows_to_five_percent(settings: Settings) -> Iterator[Line | Chart]:
    """Error to the exact values against model rows, on breast cancer with 30 features.

    Trees of depth 3 are scikit-learn's default and nearly additive, which favors walks in antithetic
    pairs; trees of depth 6 interact more. Both are shown, and both must meet the targets.
    """
    panels = []
    for depth in (3, 6):
        watch = Watch()
        given = problem("breast cancer", settings.pick(6, 2), depth)
        seeds = range(settings.pick(3, 1))
        curves = _curves(given, seeds, settings)
        remark = (
            f"{len(given.inputs)} rows x {len(seeds)} seeds; ours is at {curves[0].y[0]:.1%} after "
        )
        remark += (
            f"its first {curves[0].x[0]:.0f} rows; shap's tree values are {given.apart:.0e} off"
        )
        wanted = {KERNEL: 8.0, SAMPLING: 3.0}
        yield from _reached(depth, curves, WANTED, wanted, watch, remark)
        yield from _reached(depth, curves, FINER, {}, watch, "")
        panels.append(Panel(f"trees of depth {depth}", tuple(curves)))
    yield Chart(
        name="error_by_rows",
        title="Error of sampled Shapley values: breast cancer, 30 features, background of 100",
        x="model rows per explained row",
        y="relative L2 error to the exact values",
        panels=tuple(panels),
        level=WANTED,
    )


def _curves(given: Problem, seeds: range, settings: Settings) -> list[Curve]:
    """Each estimator's mean error over rows and seeds against the rows it was counted to use."""
    budgets = settings.pick((9_600, 19_200, 38_400, 76_800, 153_600, 230_400), (9_600, 38_400))
    exact = np.repeat(given.exact, len(seeds), axis=0)
    curves = []
    for name, values in _contenders(given).items():
        rows, errors = [], []
        for budget in budgets:
            found = [
                values(row, budget, seed) for row in range(len(given.inputs)) for seed in seeds
            ]
            rows.append(float(np.mean([used for used, _ in found])))
            errors.append(relative_error([credit for _, credit in found], exact))
        curves.append(Curve(name, tuple(rows), tuple(errors)))
    return curves


def _reached(
    depth: int,
    curves: list[Curve],
    level: float,
    wanted: dict[str, float],
    watch: Watch,
    remark: str,
) -> Iterator[Line]:
    """One line per curve against the first, ours: the model rows at which each reaches the level."""
    ours, *others = (rows_to_reach(level, curve.x, curve.y) for curve in curves)
    # Fewer rows than a first budget were not tried.
    told = f"{'at most ' if curves[0].y[0] <= level else ''}{ours:.0f} rows"
    for number, (curve, rows) in enumerate(zip(curves[1:], others, strict=True)):
        never = rows != rows
        # A curve that never gets there needs more rows than its last point had.
        times = (curve.x[-1] if never else rows) / ours
        yield Line(
            job=f"Model rows to {level:.0%} error, 30 features, boosted trees of depth {depth}",
            goals=(at_least(wanted[curve.name], times, "x fewer rows"),)
            if curve.name in wanted
            else (),
            peer=curve.name,
            accuracy=told,
            peer_accuracy=f"{curve.y[-1]:.1%} at {curve.x[-1]:.0f} rows, over {short(times)} x ours"
            if never
            else f"{rows:.0f} rows, {short(times)} x ours",
            foreign=watch.foreign(),
            remark="" if number else remark,
        )


def _contenders(
    given: Problem,
) -> dict[str, Callable[[int, int, int], tuple[int, NDArray[np.float64]]]]:
    """Each estimator: row, budget in model rows, seed -> rows used, values `(f,)`."""
    shap = peer("shap")
    background = np.asarray(given.inputs.background)
    b, p = background.shape
    masker = shap.maskers.Independent(background, max_samples=b)

    def of_ours(make: Any) -> Any:
        def values(row: int, budget: int, seed: int) -> tuple[int, NDArray[np.float64]]:
            counted = Counted(given.ask)
            model = wb.wrap(counted, name="boosting", outputs=("y",), scale="raw", kind="tabular")
            found = wb.explain(model, given.inputs[row], make(budget=budget, seed=seed))
            return counted.rows, found.values[0]

        return values

    def of_shap(explain: Any) -> Any:
        def values(row: int, budget: int, seed: int) -> tuple[int, NDArray[np.float64]]:
            counted = Counted(given.ask)
            np.random.seed(seed)
            credit = explain(counted, given.inputs.values[row], budget, seed)
            return counted.rows, np.asarray(credit).ravel()

        return values

    def kernel(l1_reg: Any) -> Any:
        def explain(ask: Counted, row: NDArray[Any], budget: int, seed: int) -> Any:
            explainer = shap.KernelExplainer(ask, background)
            return explainer.shap_values(row, nsamples=budget // b, l1_reg=l1_reg, silent=True)

        return of_shap(explain)

    def permutation(ask: Counted, row: NDArray[Any], budget: int, seed: int) -> Any:
        explainer = shap.PermutationExplainer(ask, masker, seed=seed)
        evaluations = max(budget // b, 2 * p + 1)
        return explainer(row[None], max_evals=evaluations, silent=True).values

    def sampling(ask: Counted, row: NDArray[Any], budget: int, seed: int) -> Any:
        explainer = shap.SamplingExplainer(ask, background)
        return explainer.shap_values(row, nsamples=budget // 2, silent=True)  # each takes two rows

    return {
        OURS: of_ours(PermutationSHAP),
        "ours, KernelSHAP": of_ours(KernelSHAP),
        "shap Kernel, as it comes": kernel("num_features(10)"),
        KERNEL: kernel(0),
        "shap Permutation": of_shap(permutation),
        SAMPLING: of_shap(sampling),
    }


def stopping(settings: Settings) -> Iterator[Line | Chart]:
    """Whether the error reported at a tolerance of 5 % is the true one, on three tables."""
    for name, width in (("breast cancer", 30), ("digits", 64), ("synthetic", 60)):
        watch = Watch()
        given = problem(name, settings.pick(40, 10))
        recipe = PermutationSHAP(tolerance=WANTED)
        errors, told, used = [], [], []
        for row in range(len(given.inputs)):
            counted = Counted(given.ask)
            model = wb.wrap(counted, name="boosting", outputs=("y",), scale="raw", kind="tabular")
            found = wb.explain(model, given.inputs[row], recipe)
            errors.append(row_errors(found.values, given.exact[row : row + 1])[0])
            spread = np.asarray(found.error)
            told.append(np.sqrt((spread**2).sum() / (found.values**2).sum()))
            used.append(counted.rows)
        ratio = np.array(errors) / np.array(told)
        yield Line(
            job=f"Stopping at 5 %, {name}, {width} features",
            goals=(
                at_least(0.9, float((ratio <= 1.3).mean()), "of rows: true ≤ 1.3 x reported"),
                at_least(0.95, float(np.mean(np.array(errors) <= WANTED)), "of rows: true ≤ 5 %"),
                at_most(WANTED, float(np.max(told)), "reported error"),
            ),
            accuracy=f"true {np.median(errors):.1%}, reported {np.median(told):.1%} (medians); "
            f"true / reported {short(float(np.median(ratio)))}, 90th percentile "
            f"{short(float(np.quantile(ratio, 0.9)))}",
            foreign=watch.foreign(),
            remark=f"{len(used)} rows, {np.median(used):.0f} model rows each "
            f"[{min(used)}, {max(used)}]; stopped by itself",
        )
