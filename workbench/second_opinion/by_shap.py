"""shap as the referee: Shapley values of trees and of coalition games."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import chosen_fill, fill_rows
from workbench.coalitions.game import Game
from workbench.core import Attribution, Model, NoReferee, Referee, Trees, clean
from workbench.models.tabular import final_step
from workbench.second_opinion.asking import (
    MOST_ROWS,
    Array,
    Question,
    credit,
    peer,
    plays_columns,
    undisturbed,
)

ENUMERATED = 12
"""Up to so many players every coalition is played, if that costs not much more than our own run."""

DRAWS = 8

MOST_BYTES = 2**28
"""The most perturbed rows that shap may build at once: it does not split them into batches."""

_Game = tuple[Callable[[NDArray[Any]], Array], NDArray[Any], NDArray[Any]]
"""What shap calls, the background it fills from `(b, p)`, and the row it explains `(p,)`."""

_THRESHOLD = (
    "shap compares background rows in single precision and sends a value that equals its threshold the "
    "other way, so its TreeExplainer is off for rows that lie on a threshold."
)


def tree_referees(attribution: Attribution, model: Model) -> Iterator[Referee]:
    """shap's TreeExplainer on a copy of the native model, and who is asked where that differs.

    Raises:
        NoReferee: the game is path-dependent, and shap cannot read the trees.
    """
    path = getattr(attribution.method, "feature_perturbation", "") == "tree_path_dependent"
    game = "tree_path_dependent" if path else "interventional over the same background"
    call = f"shap.TreeExplainer on a copy of the native model, {game}"
    values, background = attribution.inputs.values, None if path else attribution.inputs.background
    try:
        first = _tree_referee(call, attribution, model, values, background)
    except NoReferee as reason:
        if path:
            raise NoReferee(
                f"{reason} No other library here plays the path-dependent game; "
                "feature_perturbation='interventional' can be checked on the model's scores."
            ) from None
        yield from permutation_referees(attribution, model, why=str(reason))
        return
    yield first
    trees = None if model.trees is None or background is None else model.trees()
    if trees is not None and background is not None:
        moved, moved_background = off_thresholds(trees, values), off_thresholds(trees, background)
        if _same(model, values, moved) and _same(model, background, moved_background):
            call += ", values that lie on a threshold moved off it without changing any score"
            yield _tree_referee(call, attribution, model, moved, moved_background)
        else:
            yield from permutation_referees(attribution, model)


def off_thresholds(trees: Trees, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Rows `(n, f)` whose every value is clear of all thresholds, on the same side of each.

    Trees use only which thresholds a value exceeds. One within single precision of a threshold goes
    to the middle between the thresholds around it; the others stay.

    >>> from workbench.core import Tree
    >>> stump = Tree(
    ...     *(np.array(a) for a in ([1, -1, -1], [2, -1, -1], [0, -2, -2], [4.0, 0.0, 0.0])),
    ...     missing_left=np.zeros(3, dtype=bool), values=np.zeros((3, 1)), cover=np.ones(3),
    ... )
    >>> off_thresholds(Trees((stump,), np.zeros(1)), np.array([[4.0], [3.0]]))
    array([[3.996], [3. ]])
    """
    seen = np.asarray(rows).astype(trees.dtype).astype(np.float64)
    splits = []
    for tree in trees.trees:
        inner = tree.left >= 0
        inner[list(tree.goes_left)] = False
        splits.append(np.stack([tree.feature[inner], tree.threshold[inner]]))
    features, thresholds = np.concatenate(splits, axis=1)
    for j in np.unique(features).astype(np.intp):
        cut, column = np.unique(thresholds[features == j]), seen[:, j]
        rank = np.searchsorted(cut, column, side="left")
        room = 1e-3 * np.maximum(np.abs(column), 1e-3)
        low = np.where(rank > 0, cut[np.maximum(rank - 1, 0)], column - 2 * room)
        high = np.where(rank < len(cut), cut[np.minimum(rank, len(cut) - 1)], column + 2 * room)
        near = np.minimum(column - low, high - column) <= 1e-3 * room
        seen[:, j] = np.where(near, np.clip(column, *_inside(low, high, room)), column)
    return seen


def _inside(low: Array, high: Array, room: Array) -> tuple[Array, Array]:
    """The interval without its margins, which are `room` wide, or half of it."""
    margin = np.minimum(room, (high - low) / 2)
    return low + margin, high - margin


def _same(model: Model, rows: NDArray[Any], moved: NDArray[Any]) -> bool:
    return np.array_equal(model.scores(rows), model.scores(moved.astype(rows.dtype)))


def coalition_referees(attribution: Attribution, _model: Model) -> tuple[Referee, ...]:
    """shap on the coalition game, every coalition."""
    return _game_referees(attribution, "every coalition")


def kernel_referees(attribution: Attribution, _model: Model) -> tuple[Referee, ...]:
    """shap on the coalition game: all coalitions where they are few, else its own regressions."""
    return _game_referees(attribution, "regressions")


def permutation_referees(
    attribution: Attribution, _model: Model, why: str = ""
) -> tuple[Referee, ...]:
    """shap on the coalition game: all coalitions where they are few, else its own permutations."""
    return _game_referees(attribution, "permutations", why)


def _game_referees(
    attribution: Attribution,
    by: Literal["every coalition", "regressions", "permutations"],
    why: str = "",
) -> tuple[Referee, ...]:
    """All coalitions where they are few or asked for, else samples with several seeds."""
    shap = peer("shap")
    counts = [len(credit(attribution, row)[0]) for row in range(len(attribution))]
    p, b = max(counts), _fills(attribution)
    budget = getattr(attribution.method, "budget", 0) or 0
    share = min(budget or MOST_ROWS, MOST_ROWS) // (DRAWS * b)
    precision = (
        2e-6 if plays_columns(attribution) else 1e-8
    )  # tree libraries add up in single precision
    draws = DRAWS
    play: Callable[..., Array]
    if by == "every coalition" or (p <= ENUMERATED and (b << p) <= max(2 * budget, 8 * MOST_ROWS)):
        draws, play, size, together = 1, _enumerated, 1 << p, 1 << p
        call, spent = "shap.ExactExplainer", f"all {size:,} coalitions"
    elif by == "regressions":
        play, size = _regressed, max(share, 8 * p)
        together, precision = size, 1e-6  # it keeps sums in single precision
        call, spent = "shap.KernelExplainer(l1_reg=0)", f"{size:,} coalitions"
    else:
        play, size, together = _walked, max(share // (2 * p + 1), 2), 2 * p + 1
        call, spent = "shap.PermutationExplainer", f"{size:,} permutations"
    if draws > 1:
        spent = f"mean of {draws} seeds, {spent} each"
    over, by_rows = _over(attribution, b, together)
    ask = partial(play, shap, size, by_rows)
    return (Referee("shap", f"{call} on {over}: {spent}", ask, draws, precision, why=why),)


def _over(attribution: Attribution, fills: int, coalitions: int) -> tuple[str, bool]:
    """What shap plays on, in words, and whether it builds the perturbed rows itself.

    It does where every column is a player of its own and all its copies fit into memory at once.
    """
    inputs = attribution.inputs
    alone = inputs.of_kind.columns and (not inputs.groups or plays_columns(attribution))
    copies = coalitions * fills * 8 * inputs.values[0].size
    by_rows = alone and copies <= MOST_BYTES
    game = "the model's scores" if by_rows else "the same game of players"
    return f"{game}, {fills} fill{'' if fills == 1 else 's'}", by_rows


def _fill(attribution: Attribution) -> str:
    return chosen_fill(getattr(attribution.method, "fill", "background"), attribution.inputs)


def _fills(attribution: Attribution) -> int:
    background = attribution.inputs.background
    return len(background) if _fill(attribution) == "background" and background is not None else 1


def played(question: Question) -> Game:
    """The row's game over the players of ours, with the same fills."""
    inputs, attribution = question.inputs, question.attribution
    if plays_columns(attribution):
        owner = np.arange(len(inputs.features))
    else:
        owner = np.asarray(attribution.owners(question.row))
    fills = fill_rows(_fill(attribution), inputs, question.row, owner)
    names = credit(attribution, question.row)[2]
    return Game(question.model, question.values, fills, owner, names)


def _game(question: Question, *, by_rows: bool) -> _Game:
    """On rows, which shap masks itself, or on coalitions, through the same players and fills."""
    if by_rows:
        fills = fill_rows(_fill(question.attribution), question.inputs, question.row)
        return question.explained, fills, question.values
    game = played(question)

    def scored(masks: NDArray[Any]) -> Array:
        *_, (_, scores) = game.play_averaged(np.asarray(masks) > 0.5)
        return np.asarray(scores @ question.weights)

    return scored, np.zeros((1, game.p)), np.ones(game.p)


def _enumerated(shap: Any, size: int, by_rows: bool, question: Question, _seed: int) -> Array:
    function, background, row = _game(question, by_rows=by_rows)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.ExactExplainer(function, masker)
    batch = max(10, question.original.batch // len(background))
    answer = explainer(row[None], max_evals=size, batch_size=batch, silent=True)
    return np.asarray(answer.values[0], dtype=np.float64)


def _walked(shap: Any, size: int, by_rows: bool, question: Question, seed: int) -> Array:
    function, background, row = _game(question, by_rows=by_rows)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.PermutationExplainer(function, masker, seed=seed)
    batch = max(10, question.original.batch // len(background))
    evaluations = size * (2 * len(row) + 1)
    answer = explainer(row[None], max_evals=evaluations, batch_size=batch, silent=True)
    return np.asarray(answer.values[0], dtype=np.float64)


def _regressed(shap: Any, size: int, by_rows: bool, question: Question, seed: int) -> Array:
    function, background, row = _game(question, by_rows=by_rows)
    np.random.seed(seed)
    explainer = shap.KernelExplainer(function, background)
    values = explainer.shap_values(row[None], nsamples=size, l1_reg=0, silent=True)
    return np.asarray(values[0], dtype=np.float64)


_REFUSALS = (
    TypeError,
    ValueError,
    AssertionError,
    NotImplementedError,
    AttributeError,
    LookupError,
)
# The errors that shap raises, on purpose or by accident, for a model that it does not know.


def _tree_referee(
    call: str,
    attribution: Attribution,
    model: Model,
    rows: NDArray[Any],
    background: NDArray[Any] | None,
) -> Referee:
    """shap's TreeExplainer of a copy of the native model, on these rows.

    Raises:
        NoReferee: shap cannot read the model, or explains another number; says why.
    """
    shap = peer("shap")
    features = attribution.inputs.features
    native = copy.deepcopy(final_step(model.native)[0])  # shap writes into arrays it is given
    fitted = getattr(native, "feature_names_in_", None)
    known = {name: j for j, name in enumerate(features)}
    names = features if fitted is None else [str(name) for name in fitted]
    columns = np.array([known.get(name, j) for j, name in enumerate(names)], dtype=np.intp)
    masker, game = None, "tree_path_dependent"
    try:
        if background is not None:
            game = "interventional"
            masker = shap.maskers.Independent(background[:, columns], max_samples=len(background))
        with undisturbed():
            explainer = shap.TreeExplainer(native, masker, feature_perturbation=game)
            first = _raw(explainer, rows[:1, columns])[0]
        explained = np.atleast_1d(explainer.expected_value) + first.sum(axis=0)
    except _REFUSALS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise NoReferee(f"shap.TreeExplainer cannot read this model: {clean(reason)}.") from error
    scores = model.scores(attribution.inputs.values[:1])[0]
    size = max(float(np.abs(scores).max()), float(np.abs(first).max()))
    if explained.shape != scores.shape or np.abs(explained - scores).max() > 0.05 * size:
        raise NoReferee(
            f"shap.TreeExplainer explains other numbers than this model's {model.scale} scores: "
            f"{np.round(explained, 4).tolist()[:5]} instead of {np.round(scores, 4).tolist()[:5]} for the "
            "first row."
        )

    def ask(question: Question, _: int) -> Array:
        question.meter.count(0)
        values = np.zeros(len(question.values))
        values[columns] = _raw(explainer, rows[question.row][None, columns])[0] @ question.weights
        return values

    known_reasons = () if background is None else (_THRESHOLD,)
    return Referee("shap", call, ask, precision=2e-6, known=known_reasons)


def _raw(explainer: Any, rows: NDArray[Any]) -> Array:
    """shap's values `(n, f, k)`."""
    values = explainer.shap_values(rows, check_additivity=False)
    if isinstance(values, list):
        values = np.stack(values, axis=-1)
    found: Array = np.reshape(np.asarray(values, dtype=np.float64), (*rows.shape, -1))
    return found


QUESTIONS = {
    "trees": tree_referees,
    "coalitions": coalition_referees,
    "kernel": kernel_referees,
    "permutations": permutation_referees,
}
"""shap's computations, by the name in a method's `referee`."""
