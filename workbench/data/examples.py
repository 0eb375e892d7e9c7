"""scikit-learn's bundled tables, each with a fixed split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs
from workbench.data.photos import Split, check_split
from workbench.data.tables import background

BREAST_CANCER = ("malignant", "benign")
"""The class names of `breast_cancer`, in the order of `Inputs.y`."""

BACKGROUND = 100
"""How many training rows mean "absent" in every bundled table."""


def breast_cancer(split: Split) -> Inputs:
    """569 biopsies with 30 measured cell properties; the class is `BREAST_CANCER`'s position.

    The training rows are 70 %, drawn once; the background is 100 of them, each class with its share.

    Args:
        split: "train" or "test".

    Example:
        >>> from workbench import data
        >>> data.breast_cancer("test")
        Inputs('breast cancer (test)', 171 tabular rows of 30, 100 background rows)
    """
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    return _split(found.data, found.target, found.feature_names, split, "breast cancer", True)


def diabetes(split: Split) -> Inputs:
    """442 patients with ten baseline values in their own units; `y` is the disease's progress
    after a year, a number from 25 to 346.

    The training rows are 70 %, drawn once; the background is 100 of them.

    Args:
        split: "train" or "test".
    """
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)
    return _split(found.data, found.target, found.feature_names, split, "diabetes", False)


def digits(split: Split) -> Inputs:
    """1797 handwritten digits as a table of 64 pixels, each 0 (paper) to 16 (ink); the class is the digit.

    The training rows are 70 %, drawn once; the background is 100 of them, each digit with its share.

    Args:
        split: "train" or "test".
    """
    from sklearn.datasets import load_digits

    found = load_digits()
    return _split(found.data, found.target, found.feature_names, split, "digits", True)


def _split(
    values: NDArray[Any],
    classes: NDArray[Any],
    features: Sequence[str],
    split: Split,
    name: str,
    by_class: bool,
) -> Inputs:
    check_split(split)
    order = np.random.default_rng(0).permutation(len(values))
    cut = round(0.7 * len(values))
    train = np.sort(order[:cut])
    chosen = train if split == "train" else np.sort(order[cut:])
    absent = background(values[train], BACKGROUND, by=classes[train] if by_class else None)
    return Inputs(
        values[chosen],
        kind="tabular",
        features=tuple(features),
        background=absent,
        y=classes[chosen],
        ids=tuple(map(str, chosen)),
        name=f"{name} ({split})",
    )
