"""Rows and answers that ensembles are fitted to, and small members of them."""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from workbench.core import Inputs

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(180, 5))
TWO = np.where(ROWS[:, 0] + ROWS[:, 1] * ROWS[:, 2] > 0, "yes", "no")
THREE = np.array(["low", "mid", "top"])[(ROWS[:, 0] > -0.5).astype(int) + (ROWS[:, 3] > 0.4)]
VALUE = ROWS[:, 0] * 3 + np.abs(ROWS[:, 1]) + ROWS[:, 4] * ROWS[:, 2]


def rows() -> Inputs:
    return Inputs(ROWS[:4], kind="tabular", background=ROWS[100:107])


def forest():
    return RandomForestClassifier(5, max_depth=3, random_state=0)


def pair():
    return [("forest", forest()), ("logistic", LogisticRegression())]
