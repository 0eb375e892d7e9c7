"""False alarms and power, counted over many networks that a sampled method explains.

One sample of permutations serves all rows, as in the methods of this repository: then one seed's noise may
be larger than another's for all rows at once, which no statistics over rows can see.
"""

from collections import Counter

import numpy as np

from tests.compare.drift_by_hand import (
    Sampled,
    explanation,
    network,
    permutation_shapley,
    perturbed,
)
from workbench.compare import DECIDING, Lines, measure, verdict_of
from workbench.core import Inputs

DECIDES = DECIDING["tabular"]
ROWS, PLAYERS, PERMUTATIONS = 60, 6, 32


def explained(weights, inputs, seed, model="reference"):
    values = permutation_shapley(weights, inputs.values, PERMUTATIONS, seed)
    return explanation(values, model, inputs=inputs, method=Sampled(PERMUTATIONS, seed))


def verdicts(pairs, share, paired, rows=ROWS):
    """What is said of networks and themselves, their weights moved by `share`."""
    found = Counter()
    for pair in range(pairs):
        rng = np.random.default_rng(pair)
        weights = network(rng, PLAYERS)
        inputs = Inputs(rng.normal(size=(rows, PLAYERS)), kind="tabular")
        copied = perturbed(weights, share, rng) if share else weights
        seed = 3 * pair
        reference, again = (explained(weights, inputs, seed + i) for i in (0, 1))
        copy = explained(copied, inputs, seed if paired else seed + 2, "copy")
        measured = measure(
            reference, copy, lines=Lines((again,)), metrics=DECIDES, paired=paired, seed=pair
        )
        found[verdict_of(measured, DECIDES)] += 1
    return found


def test_of_200_networks_run_again_with_other_seeds_at_most_one_in_twenty_is_called_changed():
    found = verdicts(200, 0, paired=False)
    assert found.total() == 200
    assert found["changed"] <= 10


def test_without_the_line_of_noise_every_one_would_be(monkeypatch):
    """The control: the noise of unshared seeds alone lies beyond a narrow margin."""
    found = Counter()
    for pair in range(10):
        rng = np.random.default_rng(pair)
        weights = network(rng, PLAYERS)
        inputs = Inputs(rng.normal(size=(ROWS, PLAYERS)), kind="tabular")
        reference = explained(weights, inputs, 3 * pair)
        other = explanation(
            explained(weights, inputs, 3 * pair + 2).values,
            "copy",
            inputs=inputs,
            method=reference.method,  # said to share its seed
        )
        measured = measure(
            reference,
            other,
            metrics=DECIDES,
            margins={"distance": 0.03},
        )
        found[verdict_of(measured, DECIDES)] += 1
    assert found["changed"] >= 9


def test_a_tenth_of_every_weight_is_seen_in_nine_of_ten_networks_whether_or_not_seeds_are_shared():
    for paired in (True, False):
        found = verdicts(60, 0.1, paired)
        assert found["changed"] >= 54, (paired, found)


def test_shared_seeds_never_call_the_same_network_changed_and_always_preserved():
    assert verdicts(20, 0, paired=True) == {"preserved": 20}


def test_shared_seeds_see_the_same_reasons_where_a_hundredth_of_every_weight_moved():
    # One row of sixty that says little, and so drifts much, would leave the rest of them open.
    found = verdicts(20, 0.01, paired=True, rows=150)
    assert found["preserved"] >= 19


def test_shared_seeds_cut_the_variance_of_a_small_difference_a_hundredfold():
    rng = np.random.default_rng(0)
    weights = network(rng, PLAYERS)
    inputs = Inputs(rng.normal(size=(ROWS, PLAYERS)), kind="tabular")
    copied = perturbed(weights, 0.01, rng)
    shared, apart = (
        np.stack(
            [
                explained(copied, inputs, seed + shift, "copy").values
                - explained(weights, inputs, seed).values
                for seed in range(30)
            ]
        ).var(axis=0)
        for shift in (0, 100)
    )
    assert apart.mean() >= 100 * shared.mean()
