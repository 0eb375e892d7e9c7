"""lime as the referee: its own perturbed rows and its own regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Attribution, Model, NoReferee, Referee
from workbench.methods.lime import LIME
from workbench.second_opinion.asking import Array, Question, peer
from workbench.second_opinion.by_shap import played

DRAWS = 5

_OTHER_ROWS = "lime draws perturbed rows of its own, so the two agree as far as each drew enough."


def lime_referees(attribution: Attribution, _model: Model) -> tuple[Referee, ...]:
    """lime on tables; lime's regression over coalitions of our superpixels or groups."""
    method: Any = attribution.method
    inputs = attribution.inputs
    ask: Any
    if method.num_features is not None and method.feature_selection != "none":
        raise NoReferee(
            "lime draws perturbed rows of its own, and may choose other players from them. Leave out "
            "num_features to have all coefficients checked."
        )
    columns = inputs.of_kind.columns
    if not columns or method.interpretable == "on_off":
        size = method.budget or (5000 if columns else 1000)
        module, ask = peer("lime.lime_base"), _on_off
        players = "players" if columns else "superpixels"
        what = f"lime.lime_base on the same {players} and fills, {size:,} coalitions of its own"
    elif inputs.groups:
        size = method.budget or 5000
        module, ask = peer("lime.lime_base"), _groups
        what = f"lime.lime_base over the same groups (lime has none), {size:,} other perturbed rows"
    else:
        size = method.budget or 5000
        if inputs.background is None:
            raise NoReferee("lime needs the background rows, and the attribution has none.")
        if not (np.isfinite(inputs.values).all() and np.isfinite(inputs.background).all()):
            raise NoReferee(
                "lime cannot cut columns with missing or infinite values into bins, and these rows or "
                "their background have some. Explain others to have LIME checked."
            )
        module, ask = peer("lime.lime_tabular"), _tables
        what = f"lime.LimeTabularExplainer on the same background, {method.discretizer} bins, {size:,} rows"
    call = f"{what}, all features kept: mean of {DRAWS} seeds"

    def answer(question: Question, seed: int) -> Array:
        values: Array = ask(module, question, method, size, seed)
        return values

    return (Referee("lime", call, answer, DRAWS, 1e-6, (_OTHER_ROWS,)),)


def _ridge(method: LIME, seed: int) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=method.ridge, fit_intercept=True, random_state=np.random.RandomState(seed))


def _tables(lime_tabular: Any, question: Question, method: LIME, size: int, seed: int) -> Array:
    inputs = question.inputs
    categories = [j for j, name in enumerate(inputs.features) if name in inputs.categories]
    explainer = lime_tabular.LimeTabularExplainer(
        np.asarray(inputs.background, dtype=np.float64),
        mode="regression",
        discretizer=method.discretizer,
        training_labels=_classes(question, method),
        categorical_features=categories,
        kernel_width=method.kernel_width,
        feature_selection="none",
        random_state=seed,
    )
    found = explainer.explain_instance(
        np.asarray(question.values, dtype=np.float64),
        lambda rows: question.explained(rows.astype(inputs.values.dtype)),
        num_features=len(inputs.features),
        num_samples=size,
        model_regressor=_ridge(method, seed),
    )
    return _dense(found.as_map()[1], len(inputs.features))


def _groups(lime_base: Any, question: Question, method: LIME, size: int, seed: int) -> Array:
    inputs = question.inputs
    bins = method.bins_of(question.model, inputs)
    rows, codes = bins.draw(size - 1, method.seed + 1 + seed)
    own = question.values[None]
    same = bins.same(codes, bins.codes_of(own)[0])
    design = np.concatenate([np.ones((1, bins.p)), same])
    rows = np.concatenate([own, rows.astype(inputs.values.dtype)])
    scores = question.explained(rows)
    width = method.kernel_width or 0.75 * np.sqrt(bins.p)
    distance = np.sqrt(bins.p - design.sum(axis=1))
    return _fitted(lime_base, method, (design, scores, distance), width, seed)


def _classes(question: Question, method: LIME) -> NDArray[np.intp] | None:
    """What lime's discretizer by entropy is to tell apart: the model's class of each background row."""
    if method.discretizer != "entropy":
        return None
    return method.classes_of(question.model, np.asarray(question.inputs.background))


def _on_off(lime_base: Any, question: Question, method: LIME, size: int, seed: int) -> Array:
    from sklearn.metrics import pairwise_distances

    game = played(question)
    design = np.random.RandomState(seed).randint(0, 2, (size, game.p)).astype(np.float64)
    design[0] = 1.0
    scores = np.empty(size)
    for part, answered in game.play(design > 0, np.arange(size) % len(game.fills)):
        scores[part] = answered @ question.weights
    columns = question.inputs.of_kind.columns
    metric = "euclidean" if columns else "cosine"
    distance = pairwise_distances(design, design[:1], metric=metric).ravel()
    width = method.kernel_width or (0.75 * np.sqrt(game.p) if columns else 0.25)
    return _fitted(lime_base, method, (design, scores, distance), width, seed)


def _fitted(
    lime_base: Any, method: LIME, sample: tuple[Array, Array, Array], width: float, seed: int
) -> Array:
    design, scores, distance = sample

    def kernel(d: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.sqrt(np.exp(-(d**2) / width**2)))

    base = lime_base.LimeBase(kernel, random_state=np.random.RandomState(seed))
    _, pairs, _, _ = base.explain_instance_with_data(
        design,
        scores[:, None],
        distance,
        0,
        num_features=design.shape[1],
        feature_selection="none",
        model_regressor=_ridge(method, seed),
    )
    return _dense(pairs, design.shape[1])


def _dense(pairs: Any, count: int) -> Array:
    values = np.zeros(count)
    for feature, value in pairs:
        values[int(feature)] = float(value)
    return values


QUESTIONS = {"regression": lime_referees}
"""lime's computations, by the name in a method's `referee`."""
