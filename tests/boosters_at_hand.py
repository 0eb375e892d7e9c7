"""Rows, a frame with categories, and two referees, shared by the tests of the boosting libraries."""

from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd

from workbench.core import Inputs, Model, Target, Trees
from workbench.methods import TreeSHAP
from workbench.study.run import explain

RNG = np.random.default_rng(0)
X = np.round(RNG.normal(size=(240, 5)), 2)  # rounded: several rows share each value
Y = X[:, 0] + X[:, 1] * X[:, 2] + 0.1 * RNG.normal(size=240)
TWO, THREE = (Y > 0).astype(int), np.digitize(Y, [-0.5, 0.5])
HOLES = X.copy()
HOLES[RNG.random(X.shape) < 0.2] = np.nan

TOWNS = ["Turin", "Oslo", "Rome", "Bonn", "Lima", "Cairo", "Quito", "Nuuk"]
TOWN = RNG.integers(0, len(TOWNS), 240)
EFFECT = np.array([2.0, -1.0, 0.5, -2.0, 1.0, 0.0, 3.0, -3.0])
FRAME = pd.DataFrame(
    {
        "age": X[:, 0],
        "town": pd.Categorical.from_codes(TOWN, TOWNS),
        "dose": X[:, 1],
    }
)
Z = EFFECT[TOWN] + X[:, 0] * np.sign(X[:, 1])


def edges_of(trees: Trees, rows: np.ndarray) -> np.ndarray:
    """Copies of rows that lie on a threshold, right above it and right below it."""
    made = []
    for tree in trees.trees:
        for node in np.flatnonzero(tree.left >= 0):
            if int(node) in tree.goes_left:
                continue
            edge = trees.dtype(tree.threshold[node])
            if (
                np.abs(edge) >= np.finfo(trees.dtype).max
            ):  # beyond every number: parts missing values
                continue
            for to in (None, -np.inf, np.inf):
                row = rows[len(made) % len(rows)].copy()
                row[tree.feature[node]] = (
                    edge if to is None else np.nextafter(edge, trees.dtype(to))
                )
                made.append(row)
    return np.array(made)


def path_dependent(
    model: Model, rows: np.ndarray, output: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """TreeSHAP's values and bases of one output, where absent features follow the training rows."""
    known = {} if model.categories is None else model.categories
    inputs = Inputs(rows, kind="tabular", features=model.features, categories=known)
    result = explain(
        model, inputs, TreeSHAP(feature_perturbation="tree_path_dependent"), Target(output)
    )
    return result.values, result.base


def enumerated(trees: Trees, row: np.ndarray) -> np.ndarray:
    """Path-dependent Shapley values `(f, k)` of one row by asking every coalition: the definition."""

    def value(present: set[int]) -> np.ndarray:
        total = trees.offset.copy()
        for tree in trees.trees:
            pending = [(0, 1.0)]
            while pending:
                node, share = pending.pop()
                children = [int(tree.left[node]), int(tree.right[node])]
                feature = int(tree.feature[node])
                if children[0] < 0:
                    total += share * tree.values[node]
                elif feature in present:
                    left = tree.sends_left(node, seen[[feature]])[0]
                    pending.append((children[0] if left else children[1], share))
                else:
                    whole = tree.cover[children].sum()
                    pending += [(child, share * tree.cover[child] / whole) for child in children]
        return total

    seen = row.astype(trees.dtype).astype(np.float64)
    f = len(row)
    values = np.zeros((f, len(trees.offset)))
    for j in range(f):
        others = [i for i in range(f) if i != j]
        for size in range(f):
            for some in combinations(others, size):
                weight = factorial(size) * factorial(f - size - 1) / factorial(f)
                values[j] += weight * (value({*some, j}) - value(set(some)))
    return values
