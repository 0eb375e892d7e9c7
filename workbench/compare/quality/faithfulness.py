"""Whether the features that an explanation ranks first really change the model's output most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import Fill, fill_count, fill_rows
from workbench.coalitions.game import Game
from workbench.core import Attribution, Inputs, Model, Scale
from workbench.errors import IncompatibleError, InputError

Array = NDArray[np.float64]

_MASKS_AT_ONCE = 2**26  # bytes: with pixels as players one mask is as large as the picture


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How much sooner the explained number falls or rises in the explanation's order than in a random one.

    Args:
        deletion: area under the curve in random orders minus that in the explanation's, players removed
            `(n,)`.
        insertion: that in the explanation's order minus that in random orders, players put back `(n,)`.
        evaluations: model rows asked for.
    """

    deletion: Array
    insertion: Array
    evaluations: int


def faithfulness(
    model: Model,
    attribution: Attribution,
    *,
    steps: int = 16,
    controls: int = 4,
    fill: Fill = "auto",
    seed: int = 0,
) -> Faithfulness:
    """Gains of deletion and insertion over random orders, of a model by its own explanation, row by row.

    Players (places of an image, where it has none) leave or enter the row, largest credit first, one
    `steps`-th of them at a time, and the explained number is recorded: as a probability for logits, else in
    the model's scale. Gains are differences of areas under that curve (trapezoids, the players' axis 0 to
    1): 0 for an order that knows nothing, more for a better one. The areas themselves mislead: a model
    that is less sure of everything has a smaller one, and looks better.

    Every model is evaluated on its own explanation, with the same random orders for all.

    Args:
        model: the model that was explained.
        attribution: its explanation.
        steps: how many parts the players are removed in; at most as many as there are players.
        controls: random orders per row, at least 1; every second is the reverse of the one before, so that
            additive effects cancel between the two.
        fill: what stands in for absent players.
        seed: of the random orders.

    Raises:
        InputError: steps or controls out of range, or a fill that the rows do not allow.
        IncompatibleError: another model's explanation.

    Source: Petsiuk, Das & Saenko (2018), "RISE", for deletion and insertion. **Differs:** the gain over
    random orders, and probabilities wherever there are logits.
    """
    if attribution.model != model.name:
        raise IncompatibleError(
            f"Faithfulness asks a model about its own explanation, but {model.name!r} was given that of "
            f"{attribution.model!r}. Pass the two that belong together."
        )
    if steps < 2 or controls < 1:
        raise InputError(
            f"Faithfulness needs at least 2 steps and 1 control, but was given {steps} and {controls}. The "
            "curve needs a place between its ends, and something to be held against."
        )
    inputs = attribution.inputs
    weights = attribution.target.weights(model, model.scores(inputs.values))
    gains = np.zeros((2, len(inputs)))
    evaluations = len(inputs)
    for row in range(len(inputs)):
        players, credit = _players(attribution, row)
        cuts = _cuts(len(credit), steps)
        if not len(cuts):
            continue
        order = np.argsort(-credit, kind="stable")
        chance = _random_orders(len(credit), controls, (seed, row))
        # When c players are gone, the first p - c of the reverse order are left: one kind of set is enough.
        orders = np.stack([order, order[::-1], *chance])
        game = Game(
            model,
            inputs.values[row],
            fill_rows(fill, inputs, row, players),
            players,
            ("",) * len(credit),
        )
        curve = _explained(game, orders, cuts, weights[row])
        evaluations += len(orders) * len(cuts) * len(game.fills)
        ends = np.concatenate([[0], cuts, [len(credit)]]) / len(credit)
        widths = (
            ends[2:] - ends[:-2]
        ) / 2  # of a trapezoid's inner points; the ends are the same for all
        # Cuts are symmetric, so an area is the same in either direction.
        areas = curve @ widths
        by_chance = areas[2:].mean()
        gains[:, row] = by_chance - areas[1], areas[0] - by_chance
    return Faithfulness(gains[0], gains[1], evaluations)


def evaluations_of_faithfulness(
    attribution: Attribution, *, steps: int = 16, controls: int = 4, fill: Fill = "auto"
) -> int:
    """Model rows that `faithfulness` asks for: rows, and orders x cuts x fills of each.

    Args:
        attribution: the explanation.
        steps: as there.
        controls: as there.
        fill: as there.
    """
    fills = fill_count(fill, attribution.inputs)
    cuts = sum(
        len(_cuts(len(_players(attribution, row)[1]), steps)) for row in range(len(attribution))
    )
    return len(attribution) + (2 + controls) * cuts * fills


def _players(attribution: Attribution, row: int) -> tuple[NDArray[np.intp], Array]:
    """Each feature's player and each player's credit `(p,)`."""
    inputs: Inputs = attribution.inputs
    if not attribution.has_players:
        places = np.arange(np.prod(inputs.places)).reshape(inputs.places)
        return places.astype(np.intp), np.ravel(attribution.maps()[row])
    players = attribution.owners(row)
    if players is None:
        return np.arange(inputs.values.shape[1]), attribution.by_player(row)
    # An image may have fewer players than the image with most; its missing players have no credit.
    return players, attribution.by_player(row)[: int(players.max(initial=-1)) + 1]


def _cuts(p: int, steps: int) -> NDArray[np.intp]:
    """Numbers of players between none and all, symmetric from both ends.

    >>> [_cuts(p, steps).tolist() for p, steps in ((10, 4), (3, 16), (1, 16))]
    [[2, 5, 8], [1, 2], []]
    """
    first = (p * np.arange(1, steps // 2 + 1)) // steps
    cuts = np.unique(np.concatenate([first, p - first]))
    return cuts[(cuts > 0) & (cuts < p)]


def _random_orders(p: int, count: int, seed: tuple[int, int]) -> list[NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(p) for _ in range((count + 1) // 2)]
    return [order for one in drawn for order in (one, one[::-1])][:count]


def _explained(
    game: Game, orders: NDArray[np.intp], cuts: NDArray[np.intp], weights: Array
) -> Array:
    """The explained number with the first players of each order present `(orders, cuts)`."""
    place = np.argsort(orders, axis=1)
    b = len(game.fills)
    count = len(orders) * len(cuts) * b
    step = max(1, _MASKS_AT_ONCE // max(1, game.p))
    total = np.zeros(len(orders) * len(cuts))
    for start in range(0, count, step):
        coalition, which = np.divmod(np.arange(start, min(start + step, count)), b)
        order, cut = np.divmod(coalition, len(cuts))
        masks = place[order] < cuts[cut][:, None]
        for part, scores in game.play(masks, which):
            value = _likely(scores, game.model.scale) @ weights
            np.add.at(total, coalition[part], value / b)
    return total.reshape(len(orders), len(cuts))


def _likely(scores: Array, scale: Scale) -> Array:
    """Logits as probabilities, one column per output; other scores as they are."""
    from scipy.special import expit, softmax

    if scale != "logit":
        return scores
    return np.asarray(expit(scores) if scores.shape[1] == 1 else softmax(scores, axis=1))
