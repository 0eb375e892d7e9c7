"""A fill that these rows do not allow comes with one that they do, and that the method can be given."""

import re

import numpy as np
import pytest

from workbench.core import Inputs, parameters
from workbench.methods import IntegratedGradients, KernelSHAP, catalog

PLAIN = Inputs([[0.0, 1.0]], kind="tabular", features=("town", "age"), background=[[1.0, 2.0]])
TOWNS = Inputs(
    PLAIN.values,
    kind="tabular",
    features=PLAIN.features,
    background=PLAIN.background,
    categories={"town": ("Ulm", "Bonn")},
)
IMAGES = Inputs(np.random.default_rng(0).random((1, 4, 5, 3)), kind="image")
FILLS = [
    (method, choice)
    for method in catalog()
    for parameter in parameters(method)
    if parameter.name == "fill"
    for choice in parameter.choices
]


@pytest.mark.parametrize("rows", [PLAIN, TOWNS, IMAGES], ids=["table", "categories", "images"])
@pytest.mark.parametrize(("method", "fill"), FILLS)
def test_the_advice_can_be_followed(method, fill, rows):
    if rows.kind not in method.kinds or not (lack := method(fill=fill).lacks(rows)):
        return
    advised = re.findall(r"fill='(\w+)'", lack)[-1]
    assert method(fill=advised).lacks(rows) is None


def test_each_method_is_told_of_a_choice_of_its_own():
    assert KernelSHAP(fill="mean").lacks(TOWNS) == (
        "cannot average the categories of ['town']. Use fill='background'."
    )
    assert IntegratedGradients().lacks(TOWNS) == (
        "cannot average the categories of ['town']. Use fill='zero'."
    )
    assert IntegratedGradients(fill="blur").lacks(PLAIN) == "can blur only images. Use fill='mean'."
