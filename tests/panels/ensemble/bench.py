"""A bench for the Ensemble panel: members whose reasons are known, and tables read back as rows."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from workbench import methods
from workbench.core import Model, Target
from workbench.panels import EnsemblePanel

FEATURES = ("a", "b", "c", "d", "e")


def scoring(name, weights, *, scale="logit", outputs=("no", "yes")):
    """Two outputs, the second a weighted sum of the columns, the first its negative."""
    weights = np.array(weights, dtype=float)

    def predict(rows):
        return np.stack([-(rows @ weights), rows @ weights], axis=1)

    return Model(name, predict, outputs, scale, kind="tabular", features=FEATURES)


def sure(name, weights):
    """The same as probabilities."""
    inner = scoring(name, weights)

    def predict(rows):
        p = 1 / (1 + np.exp(-2 * inner.predict(rows)[:, 1]))
        return np.stack([1 - p, p], axis=1)

    return replace(inner, predict=predict, scale="probability")


def panel_of(bench, **choices):
    choices = {"rows": "0-9", "target": Target("yes"), "method": methods.ExactShapley(), **choices}
    return EnsemblePanel(bench, **choices)


def ran(bench, **choices):
    panel = panel_of(bench, **choices)
    panel.start().wait(60)
    assert panel.status.error == ""
    return panel


def lines(html, caption):
    """The table with this in its caption: {first cell: the other cells}."""
    table = next(one for one in re.findall(r"<table>.*?</table>", html, re.S) if caption in one)
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    return {first: others for first, *others in cells}


def members_table(panel):
    """{member: its cells, the remark last, "" where there is none}."""
    found = {}
    for first, cells in lines(panel.shown.parts["members"], "Members over").items():
        name, _, remark = first.partition('<div class="wb-remark">')
        found[name] = [*cells, remark.removesuffix("</div>")]
    return found
