"""The referee: a game asked about every coalition, and the Shapley values that follow by definition."""

from math import factorial

import numpy as np


def coalitions(f):
    """Every coalition of f players as a row of truth values `(2**f, f)`: player j is bit j.

    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**f)[:, None] >> np.arange(f)) % 2 == 1


def absent_from_background(ask, row, background):
    """The worth of every coalition `(2**f, k)`: the mean of `ask` over rows with absent values replaced."""
    present = coalitions(len(row))
    mixed = np.where(present[:, None], row, background)
    scores = np.asarray(ask(mixed.reshape(-1, len(row))), dtype=np.float64)
    return scores.reshape(len(present), len(background), -1).mean(axis=1)


def shapley_of(worth, f):
    """Shapley values `(f,)` of a game, from a function of who is present `(f,)`, truth values.

    >>> shapley_of(lambda present: present[0] + 2 * present.all(), 2).tolist()
    [2.0, 1.0]
    """
    return shapley(np.array([[worth(present)] for present in coalitions(f)], dtype=np.float64))[
        :, 0
    ]


def shapley(worth):
    """Shapley values `(f, k)` of a game `(2**f, k)`.

    >>> shapley(np.array([[0.0], [1.0], [0.0], [3.0]])).tolist()  # 1 alone, and 2 more together
    [[2.0], [1.0]]
    """
    f = len(worth).bit_length() - 1
    bits = np.arange(len(worth))
    sizes = coalitions(f).sum(axis=1)
    share = np.array([factorial(s) * factorial(f - s - 1) / factorial(f) for s in range(f)])
    values = []
    for j in range(f):
        without = bits[(bits >> j) % 2 == 0]
        gain = worth[without | (1 << j)] - worth[without]
        values.append(share[sizes[without]] @ gain)
    return np.array(values)


def interactions(worth):
    """Shapley interaction values `(f, f, k)`: halves of a pair's credit off the diagonal, own credit on it.

    >>> interactions(np.array([[0.0], [1.0], [0.0], [3.0]]))[..., 0].tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """
    f, k = len(worth).bit_length() - 1, worth.shape[1]
    bits = np.arange(len(worth))
    sizes = coalitions(f).sum(axis=1)
    share = [factorial(s) * factorial(f - s - 2) / factorial(f - 1) for s in range(f - 1)]
    found = np.zeros((f, f, k))
    for i in range(f):
        for j in range(i):
            a, b = 1 << i, 1 << j
            without = bits[(bits & (a | b)) == 0]
            both = worth[without | a | b] - worth[without | a] - worth[without | b] + worth[without]
            found[i, j] = found[j, i] = np.array(share)[sizes[without]] @ both / 2
    own = shapley(worth) - found.sum(axis=1)
    found[np.arange(f), np.arange(f)] = own
    return found
