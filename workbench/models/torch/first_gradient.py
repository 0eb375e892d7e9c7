"""Whether a module has a gradient at all: tried on one row when it is wrapped, not taken from its type."""

from __future__ import annotations

import warnings

from workbench.core import Inputs, kinds
from workbench.core.inputs import Kind
from workbench.errors import WorkbenchError
from workbench.models.torch.arguments import opaque
from workbench.models.torch.engine import TorchEngine
from workbench.models.torch.gradient_scan import Scan

_INSTEAD = "Use a perturbation method such as LIME or PermutationSHAP."


def lost_gradients(engine: TorchEngine, rows: Inputs | None, kind: Kind | None) -> dict[str, str]:
    """Why a module has no gradient, or none at its layers, by the name of the capability that it lacks.

    One forward pass of the first row shows whether its graph leads from the scores to the row, and another,
    where it does not, whether it leads to the last layer with places: int8 layers, TorchScript, `detach`,
    `no_grad`, `argmax` or a step of the user's own may cut it anywhere. No backward pass is made. What such
    a graph cannot show (a branch that is left out) is found with the first explanation; see `Trust`.

    Args:
        engine: of the module.
        rows: to try; nothing is known without them.
        kind: of the rows.
    """
    if rows is None or engine.counts:
        return {}
    row = rows.values[:1]
    scan = _scanned(engine, rows, "")
    if isinstance(scan, str):
        try:
            engine.predict(row)
        except WorkbenchError:
            return {}  # a made-up row that the module does not take: the user's own will show it
    if isinstance(scan, Scan) and (scan.whole or engine.counts):
        return {}
    engine.broken = scan if isinstance(scan, Scan) else Scan(tracked=False, done=True)
    lost = {"gradient": _because(engine, "the rows", scan)}
    if kinds.has_columns(kind):
        return lost
    try:
        layers = [] if opaque(engine.module) else list(engine.layers(row))
    except WorkbenchError as error:  # inference tensors, whose layers cannot be told apart
        return lost | dict.fromkeys(("activations", "feature_maps"), str(error))
    scan = _scanned(engine, rows, layers[-1]) if layers else scan
    if not (isinstance(scan, Scan) and scan.whole):
        what = f"layer {layers[-1]!r}" if layers else "the rows"
        lost["activations"] = _because(engine, what, scan)
    return lost


def _scanned(engine: TorchEngine, rows: Inputs, layer: str) -> Scan | str:
    """The scan, or why the module does not even run where derivatives are recorded."""
    try:
        with warnings.catch_warnings():
            # Torch warns of numbers that leave the graph: the scan sees what that means.
            warnings.simplefilter("ignore", UserWarning)
            return engine.scanned(rows.values[:1], layer)
    except WorkbenchError as error:
        return str(error)


def _because(engine: TorchEngine, what: str, scan: Scan | str) -> str:
    fault = scan.fault if isinstance(scan, Scan) else scan
    if isinstance(scan, Scan) and not scan.missing:
        fault += " Something on the way (detach, no_grad, argmax, rounding) cuts the connection."
    return (
        f"A gradient method needs scores that can be differentiated with respect to {what}, which those of "
        f"model {engine.name!r} cannot: {fault} {_INSTEAD}"
    )
