"""A readable substitute: a small decision tree or a linear model, fitted to a model's scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.core import Inputs, Model, kinds, other_codes
from workbench.errors import IncompatibleError, InputError
from workbench.models import wrap
from workbench.variants.recipes import Recipe
from workbench.variants.record import for_tables, recorded
from workbench.variants.training.fidelity import fidelity_note

_FEWEST = 10
"""With fewer rows, none can be held out to show how faithful the copy is."""


def distill_to_tree(
    model: Model,
    inputs: Inputs,
    depth: int,
    *,
    validation: float = 0.25,
    seed: int = 0,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A regression tree with the scores of a model: same outputs, same scale.

    One tree serves all outputs, by the mean of the model's scores in each leaf; so it adds up, and
    TreeSHAP explains it. Its notes give its fidelity on held-out rows.

    Args:
        model: any model that reads tables; its scores are computed once for all rows.
        inputs: the table to learn from; the true classes are not used.
        depth: levels of splits, 1 … 64.
        validation: the share of the rows that is held out, above 0 and below 1.
        seed: decides which rows are held out, and which of two equally good splits is taken.
        name: what menus and tables call the copy.
        rows: to try both models on; the rows to learn from when left out.

    Raises:
        InputError: fewer than ten rows, rows that are no table, or settings out of range.

    Source:
        Craven & Shavlik 1996, *Extracting tree-structured representations of trained networks*.
        **Differs:** an ordinary tree (CART) on the rows that are there; no further rows are drawn.
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or not 1 <= depth <= 64:
        raise InputError(f"depth is a whole number of levels, 1 … 64, not {depth!r}. Take 4.")

    def tree() -> Any:
        from sklearn.tree import DecisionTreeRegressor

        return DecisionTreeRegressor(max_depth=depth, random_state=seed)

    return _fitted(
        model,
        inputs,
        tree,
        name=name or f"{model.name}, tree of depth {depth}",
        recipe=f"distill_to_tree(model, inputs, depth={depth}, seed={seed})",
        what=lambda own: f"a tree of {own.get_n_leaves()} leaves",
        validation=validation,
        seed=seed,
        rows=rows,
        takes_missing=True,
    )


def distill_to_linear(
    model: Model,
    inputs: Inputs,
    *,
    validation: float = 0.25,
    seed: int = 0,
    name: str | None = None,
    rows: Inputs | None = None,
) -> Model:
    """A linear model with the scores of a model: same outputs, same scale, least squares.

    Its notes give its fidelity on held-out rows. Probabilities are better distilled as logits: a line does
    not stop at 0 and 1, and the notes also say where it has left them.

    Args:
        model: any model that reads tables; its scores are computed once for all rows.
        inputs: the table to learn from; the true classes are not used.
        validation: the share of the rows that is held out, above 0 and below 1.
        seed: decides which rows are held out.
        name: what menus and tables call the copy.
        rows: to try both models on; the rows to learn from when left out.

    Raises:
        InputError: fewer than ten rows, rows that are no table, or settings out of range.
    """

    def line() -> Any:
        from sklearn.linear_model import LinearRegression

        return LinearRegression()

    return _fitted(
        model,
        inputs,
        line,
        name=name or f"{model.name}, linear",
        recipe=f"distill_to_linear(model, inputs, seed={seed})",
        what=lambda own: f"a linear model of {np.shape(own.coef_)[-1]} columns",
        validation=validation,
        seed=seed,
        rows=rows,
        takes_missing=False,
    )


def _fitted(
    model: Model,
    inputs: Inputs,
    make: Callable[[], Any],
    *,
    name: str,
    recipe: str,
    what: Callable[[Any], str],
    validation: float,
    seed: int,
    rows: Inputs | None,
    takes_missing: bool,
) -> Model:
    _check(model, inputs, validation, seed)
    _check_known(inputs, takes_missing=takes_missing)
    values = np.asarray(inputs.values, dtype=np.float64)
    if other := other_codes(model.categories, inputs.categories, inputs.features):
        raise InputError(
            f"The rows must mean what {model.name!r} reads, but {other}. Read them with "
            "data.table(frame, like=...), like the rows it was wrapped for."
        )
    wanted = model.scores(inputs.values)
    order = np.random.default_rng(seed).permutation(len(values))
    held = max(2, round(validation * len(values)))
    learned, held_out = order[held:], order[:held]
    if len(learned) < 2:
        raise InputError(
            f"Fitting needs two rows at least, but validation={validation:g} leaves {len(learned)} of "
            f"{len(values)}. Lower it."
        )
    estimator = make().fit(values[learned], wanted[learned])
    # It was fitted on positions of labels, not on the labels.
    plain = replace(inputs, categories={}, columns=())
    made = wrap(estimator, name=name, outputs=model.outputs, like=plain)
    made = replace(
        made,
        scale=model.scale,
        unit=model.unit,
        lineage=model.lineage,
        categories=inputs.categories,
        columns=inputs.columns,
    )
    own = made.scores(inputs.values)
    notes = [fidelity_note(own[held_out], wanted[held_out], model.scale, model.name)]
    outside = ((own < 0) | (own > 1)).any(axis=1)
    if model.scale == "probability" and outside.any():
        notes.append(
            f"For {int(outside.sum())} of {len(own)} rows its scores lie outside 0 … 1, though they should "
            "be probabilities."
        )
    return recorded(
        made,
        model,
        recipe=recipe,
        description=f"{what(estimator)}, fitted to the scores of {model.name} on {len(learned)} rows",
        runs_as="float64, scikit-learn",
        touched=1,
        layers=1,
        rows=inputs if rows is None else rows,
        notes=tuple(notes),
    )


def _check_known(inputs: Inputs, *, takes_missing: bool) -> None:
    """Refuses values that the readable stand-in cannot take."""
    values = inputs.values
    wrong = np.isinf(values) if takes_missing else ~np.isfinite(values)
    if wrong.any():
        columns = [inputs.features[j] for j in np.flatnonzero(wrong.any(axis=0))]
        whose, held, other = "A linear model", "missing or infinite", ", or use distill_to_tree"
        if takes_missing:
            whose, held, other = "A tree of scikit-learn", "infinite", ""
        some = wrong.any(axis=1)
        raise InputError(
            f"{whose} takes no {held} values, but {int(some.sum())} of {len(values)} rows hold {held} ones "
            f"(first: row {inputs.ids[int(some.argmax())]}; in columns {columns[:10]}). Leave these rows "
            f"out{other}."
        )


def _check(model: Model, inputs: Inputs, validation: float, seed: int) -> None:
    if not isinstance(inputs, Inputs):
        raise InputError(
            f"Distillation needs rows as Inputs, not a {type(inputs).__name__}. Wrap them: "
            "workbench.Inputs(array, kind='tabular')."
        )
    if not inputs.of_kind.columns or not (model.kind is None or kinds.has_columns(model.kind)):
        raise IncompatibleError(
            f"Trees and linear models read tables, but {model.name!r} is given {inputs.kind} rows: a "
            "single pixel or word is no reason that a person can read. Distill it into a smaller network "
            "(variants.distill)."
        )
    if len(inputs) < _FEWEST:
        raise InputError(
            f"Distillation needs {_FEWEST} rows at least, some of them held out, but {inputs.name!r} has "
            f"{len(inputs)}. Give rows such as the model was trained on."
        )
    number = isinstance(validation, int | float) and not isinstance(validation, bool)
    if not number or not 0 < validation < 1:
        raise InputError(
            f"validation is the share of rows held out, above 0 and below 1, not {validation!r}."
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise InputError(f"seed is a whole number from 0 to 2147483647, not {seed!r}.")


TREE = Recipe(
    "distill_to_tree",
    "Distillation into a tree",
    "distill_to_tree",
    "depth of the tree",
    (8, 5, 3),
    parameter="depth",
    rows_as="inputs",
    needs_rows=True,
    applies=for_tables,
    order=32,
)
LINEAR = Recipe(
    "distill_to_linear",
    "Distillation into a linear model",
    "distill_to_linear",
    rows_as="inputs",
    needs_rows=True,
    applies=for_tables,
    order=33,
)
