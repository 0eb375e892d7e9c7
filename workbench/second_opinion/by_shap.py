"""shap as the referee: Shapley values of trees and of coalition games."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import chosen_fill, fill_rows
from workbench.coalitions.game import Game
from workbench.core import Attribution, Model, clean
from workbench.methods.tree_shap import TreeSHAP
from workbench.models.scikit import final_step
from workbench.second_opinion.asking import (
    MOST_ROWS,
    Array,
    NoReferee,
    Question,
    Referee,
    credit,
    peer,
)

ENUMERATED = 12
"""Players up to which every coalition is played, where that is not much dearer than ours was."""

DRAWS = 5

_Game = tuple[Callable[[NDArray[Any]], Array], NDArray[Any], NDArray[Any]]
"""What shap calls, the background it fills from `(b, p)`, and the row it explains `(p,)`."""

_THRESHOLD = (
    "shap compares background rows in single precision and sends a value that equals its threshold the "
    "other way, so its TreeExplainer is off for rows that lie on a threshold."
)


def tree_referees(attribution: Attribution, model: Model) -> tuple[Referee, ...]:
    """shap's TreeExplainer on a copy of the native model; then shap on the model's scores.

    Raises:
        NoReferee: the game is path-dependent, and shap cannot read the trees.
    """
    shap = peer("shap")
    method: Any = attribution.method
    path = method.variant == "path_dependent"
    readable, why = _tree_call(shap, attribution, model, path=path)
    found: tuple[Referee, ...] = ()
    if readable is not None:
        explainer, columns = readable
        game = "tree_path_dependent" if path else "interventional over the same background"
        call = f"shap.TreeExplainer on a copy of the native model, {game}"
        found = (
            Referee(
                "shap",
                call,
                lambda question, _: _tree_values(explainer, columns, question),
                precision=2e-6,
                known=() if path else (_THRESHOLD,),
            ),
        )
    if path:
        if not found:
            raise NoReferee(
                f"{why} No other library here plays the path-dependent game; variant='interventional' can "
                "be checked on the model's scores."
            )
        return found
    return found + game_referees(attribution, model, known=() if found else (why,))


def game_referees(
    attribution: Attribution, _model: Model, known: tuple[str, ...] = ()
) -> tuple[Referee, ...]:
    """shap on the coalition game: all coalitions where they are few, else samples with five seeds."""
    shap = peer("shap")
    name = type(attribution.method).__name__
    counts = [len(credit(attribution, row)[0]) for row in range(len(attribution))]
    p, b = max(counts), _fills(attribution)
    budget = getattr(attribution.method, "budget", 0)
    game = "the model's scores" if _by_rows(attribution) else "the same game of players"
    over = f"{game}, {b} fill{'' if b == 1 else 's'}"
    if name == "ExactShapley" or (p <= ENUMERATED and (b << p) <= max(2 * budget, 8 * MOST_ROWS)):
        return (
            Referee(
                "shap",
                f"shap.ExactExplainer on {over}: all {1 << p:,} coalitions",
                lambda question, _: _enumerated(shap, question),
                known=known,
            ),
        )
    share = min(budget or MOST_ROWS, MOST_ROWS) // (DRAWS * b)
    if name == "KernelSHAP":
        size = max(share, 8 * p)
        call = f"shap.KernelExplainer(l1_reg=0) on {over}: mean of {DRAWS} seeds, {size:,} coalitions each"
        return (
            Referee("shap", call, lambda q, s: _regressed(shap, q, size, s), DRAWS, 1e-6, known),
        )
    walks = max(share // (2 * p + 1), 1)
    walked = f"{walks:,} permutation{'' if walks == 1 else 's'}"
    call = f"shap.PermutationExplainer on {over}: mean of {DRAWS} seeds, {walked} each, both ways"
    return (Referee("shap", call, lambda q, s: _walked(shap, q, walks, s), DRAWS, known=known),)


def _by_rows(attribution: Attribution) -> bool:
    """Whether shap can build the perturbed rows itself: every column is a player of its own."""
    inputs = attribution.inputs
    if inputs.kind != "tabular":
        return False
    return not inputs.groups or isinstance(attribution.method, TreeSHAP)


def _fill(attribution: Attribution) -> str:
    return chosen_fill(getattr(attribution.method, "fill", "background"), attribution.inputs)


def _fills(attribution: Attribution) -> int:
    background = attribution.inputs.background
    return len(background) if _fill(attribution) == "background" and background is not None else 1


def played(question: Question) -> Game:
    """The row's game over the players of ours, with the same fills."""
    inputs, attribution = question.inputs, question.attribution
    owner = np.asarray(attribution.players)
    owner = owner[question.row] if inputs.kind == "image" else owner
    image = owner if inputs.kind == "image" else None
    fills = fill_rows(_fill(attribution), inputs, question.row, image)
    names = credit(attribution, question.row)[2]
    return Game(question.model, question.values, fills, owner, names)


def _game(question: Question) -> _Game:
    """On rows where shap can mask them itself; else on coalitions, through the same players and fills."""
    if _by_rows(question.attribution):
        fills = fill_rows(_fill(question.attribution), question.inputs, question.row)
        return question.explained, fills, question.values
    game = played(question)

    def scored(masks: NDArray[Any]) -> Array:
        *_, (_, scores) = game.play_averaged(np.asarray(masks) > 0.5)
        return np.asarray(scores @ question.weights)

    return scored, np.zeros((1, game.p)), np.ones(game.p)


def _enumerated(shap: Any, question: Question) -> Array:
    function, background, row = _game(question)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.ExactExplainer(function, masker)
    size = max(10, question.original.batch // len(background))
    answer = explainer(row[None], max_evals=1 << len(row), batch_size=size, silent=True)
    return np.asarray(answer.values[0], dtype=np.float64)


def _walked(shap: Any, question: Question, walks: int, seed: int) -> Array:
    function, background, row = _game(question)
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.PermutationExplainer(function, masker, seed=seed)
    size = max(10, question.original.batch // len(background))
    evaluations = walks * (2 * len(row) + 1)
    answer = explainer(row[None], max_evals=evaluations, batch_size=size, silent=True)
    return np.asarray(answer.values[0], dtype=np.float64)


def _regressed(shap: Any, question: Question, size: int, seed: int) -> Array:
    function, background, row = _game(question)
    np.random.seed(seed)
    explainer = shap.KernelExplainer(function, background)
    values = explainer.shap_values(row[None], nsamples=size, l1_reg=0, silent=True)
    return np.asarray(values, dtype=np.float64)[0]


def _tree_call(
    shap: Any, attribution: Attribution, model: Model, *, path: bool
) -> tuple[tuple[Any, NDArray[np.intp]] | None, str]:
    """shap's explainer of a copy of the native model and the columns it reads, or None and why not."""
    inputs = attribution.inputs
    native = copy.deepcopy(final_step(model.native)[0])  # shap writes into live trees
    fitted = getattr(native, "feature_names_in_", None)
    known = {name: j for j, name in enumerate(inputs.features)}
    names = inputs.features if fitted is None else [str(name) for name in fitted]
    columns = np.array([known.get(name, j) for j, name in enumerate(names)], dtype=np.intp)
    masker = None
    if not path:
        background = np.asarray(inputs.background)[:, columns]
        masker = shap.maskers.Independent(background, max_samples=len(background))
    game = "tree_path_dependent" if path else "interventional"
    try:
        explainer = shap.TreeExplainer(native, masker, feature_perturbation=game)
        row = inputs.values[:1]
        raw = _raw(explainer, row[:, columns])[0]
        said = np.atleast_1d(explainer.expected_value) + raw.sum(axis=0)
    except _REFUSALS as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        return None, f"shap.TreeExplainer cannot read this model: {clean(reason)}."
    scores = model.scores(row)[0]
    size = max(float(np.abs(scores).max()), float(np.abs(raw).max()))
    if said.shape != scores.shape or np.abs(said - scores).max() > 0.05 * size:
        return None, (
            f"shap.TreeExplainer explains other numbers than this model's {model.scale} scores: "
            f"{np.round(said, 4).tolist()} instead of {np.round(scores, 4).tolist()} for the first row."
        )
    return (explainer, columns), ""


_REFUSALS = (
    TypeError,
    ValueError,
    AssertionError,
    NotImplementedError,
    AttributeError,
    LookupError,
)
# What shap raises, of its own and by accident, for a model that it does not know.


def _raw(explainer: Any, rows: NDArray[Any]) -> Array:
    """shap's values `(n, f, k)`."""
    values = explainer.shap_values(rows, check_additivity=False)
    if isinstance(values, list):
        values = np.stack(values, axis=-1)
    found: Array = np.asarray(values, dtype=np.float64).reshape(*rows.shape, -1)
    return found


def _tree_values(explainer: Any, columns: NDArray[np.intp], question: Question) -> Array:
    question.meter.count(0)
    given = _raw(explainer, question.values[None, columns])[0]
    values = np.zeros(len(question.values))
    values[columns] = given @ question.weights
    return values
