"""Invented loan applicants with classes by a known rule: a mixed table with known reasons."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs
from workbench.data.examples import BACKGROUND
from workbench.data.photos import Split, check_split
from workbench.data.tables import background
from workbench.errors import InputError

CREDIT = ("repaid", "defaulted")
"""The class names of `credit`, in the order of `Inputs.y`."""

CREDIT_RULE: Mapping[str, float | Mapping[str, float]] = MappingProxyType(
    {
        "income": -0.05,
        "debt_share": 4.0,
        "years_employed": -0.08,
        "account_digit": 0.0,
        "housing": MappingProxyType({"free": 0.3, "own": -0.6, "rent": 0.5}),
        "purpose": MappingProxyType(
            {"business": 0.8, "car": 0.0, "education": 0.4, "repairs": -0.3}
        ),
        "customer": MappingProxyType({"False": 0.4, "True": -0.4}),
    }
)
"""What raises the log-odds of a default: per unit of a number, or for each label.

The log-odds are -0.5 plus the sum over the columns. Units: income in thousands a year, debt_share from
0 to 1, years_employed in years. account_digit, the last digit of an account number, has no effect.
"""

_INTERCEPT = -0.5
_DOMAIN = {"train": (0xC4ED17, 0), "test": (0xC4ED17, 1)}


def credit(split: Split, *, n: int = 1000) -> Inputs:
    """Invented applicants for a loan: four numbers and three columns of labels, classes by `CREDIT`.

    Columns are drawn independently, except that owners earn more. Defaults are drawn with the log-odds of
    `CREDIT_RULE`, so even a perfect model makes errors; `credit_effects` gives the exact reasons. The
    background is 100 training rows, each class with its share.

    Args:
        split: "train" or "test".
        n: how many applicants, at least 200; applicant i is the same whatever n is.

    Example:
        >>> from workbench import data
        >>> rows = data.credit("test")
        >>> rows.features[:4], list(rows.categories)
        (('income', 'debt_share', 'years_employed', 'account_digit'), ['housing', 'purpose', 'customer'])
        >>> rows.to_frame().housing.nunique()
        3
    """
    check_split(split)
    if type(n) is not int or n < 200:
        raise InputError(f"n must be a whole number of applicants, at least 200, not {n!r}.")
    train = _drawn("train", 1000)
    categories = {
        "housing": tuple(CREDIT_RULE["housing"]),  # type: ignore[arg-type]
        "purpose": tuple(CREDIT_RULE["purpose"]),  # type: ignore[arg-type]
        "customer": (False, True),
    }
    values, classes = _drawn(split, n)
    return Inputs(
        values,
        kind="tabular",
        features=tuple(CREDIT_RULE),
        background=background(train[0], BACKGROUND, by=train[1]),
        categories=categories,
        y=classes,
        name=f"credit ({split})",
    )


def credit_effects(inputs: Inputs) -> NDArray[np.float64]:
    """The exact Shapley values `(n, 7)` of the rule's log-odds against the rows' background.

    The rule is a sum over columns, so a column's value is its effect on the row less its mean effect
    over the background, whichever rows those are.

    Raises:
        InputError: the columns are not those of `credit`, or there is no background.

    Example:
        >>> from workbench import data
        >>> float(abs(data.credit_effects(data.credit("test"))[:, 3]).max())
        0.0
    """
    if inputs.features != tuple(CREDIT_RULE) or inputs.background is None:
        raise InputError(
            f"credit_effects needs rows of data.credit(...) with their background, but {inputs!r} has "
            f"the columns {list(inputs.features)[:8]}."
        )
    expected: NDArray[np.float64] = _effects(inputs.background).mean(axis=0)
    return _effects(inputs.values) - expected


def _effects(values: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.empty(values.shape)
    for j, effect in enumerate(CREDIT_RULE.values()):
        if isinstance(effect, Mapping):
            out[:, j] = np.array(list(effect.values()))[values[:, j].astype(int)]
        else:
            out[:, j] = effect * values[:, j]
    return out


def _drawn(split: Split, n: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    # One row of uniform draws per applicant keeps applicant i the same whatever n is.
    u = np.random.default_rng(_DOMAIN[split]).random((n, 8))
    housing = np.searchsorted((0.15, 0.6), u[:, 4])
    income = np.round(18 + 60 * u[:, 0] ** 2 + 12 * (housing == 1), 1)
    values = np.column_stack(
        [
            income,
            np.round(0.8 * u[:, 1], 2),
            np.floor(30 * u[:, 2] ** 2),
            np.floor(10 * u[:, 3]),
            housing,
            np.searchsorted((0.15, 0.55, 0.75), u[:, 5]),
            u[:, 6] < 0.5,
        ]
    ).astype(np.float64)
    logit = _INTERCEPT + _effects(values).sum(axis=1)
    return values, (u[:, 7] < 1 / (1 + np.exp(-logit))).astype(np.intp)
