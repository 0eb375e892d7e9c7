"""A bench for the Compression panel: a small network, rows of known class, and what a browser would do."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import torch

import workbench as wb
from workbench import methods
from workbench.core import Variant
from workbench.panels import CompressionPanel

FEATURES = ("a", "b", "c", "d", "e")
QUICK = methods.IntegratedGradients(steps=4)


class Slow(torch.nn.Module):
    """Passes rows on after a while."""

    def forward(self, rows):
        time.sleep(0.002)
        return rows


def network(name="net", seed=0, *, slow=False, outputs=("no", "yes")):
    """Five columns, eight hidden units, two classes."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(5, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)]
        module = torch.nn.Sequential(*([Slow()] if slow else []), *layers)
    return wb.wrap(
        module.eval(), name=name, outputs=outputs, scale="logit", kind="tabular",
    )  # fmt: skip


def panel_of(bench, **choices):
    choices = {"recipes": {"prune": [0.2, 0.8]}, "methods": QUICK, **choices}
    return CompressionPanel(bench, **choices)


def ran(bench, **choices):
    panel = panel_of(bench, **choices)
    panel.start().wait(60)
    assert panel.status.error == ""
    panel.settle()
    return panel


def lines(html):
    """The table: {first cell: the other cells}, remarks left out."""
    body = html.partition("<tbody>")[2]
    rows = re.findall(r'<tr(?: class="wb-has-more")?>(.*?)</tr>', body, re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    return {first: others for first, *others in cells}


def copy_by_hand(model, name, **record):
    """The same model under another name, with a record of what was done."""
    variant = Variant(model.name, "done(net)", "done by hand", "float32", **record)
    return replace(model, name=name, variant=variant)
