"""captum as the referee for gradients at the row itself, with and without noise."""

from __future__ import annotations

from typing import Any

from workbench.core import Attribution, Model, NoReferee, Referee
from workbench.gradients.noise import noise_size
from workbench.second_opinion.asking import Array, Question, peer
from workbench.second_opinion.by_captum import (
    DRAWS,
    MOST_POINTS,
    differentiable,
    differentiated,
    order_of,
    ours,
)


def slope_referees(attribution: Attribution, model: Model) -> tuple[Referee, ...]:
    """captum's Saliency, or its InputXGradient.

    Raises:
        NoReferee: the model has no gradient.
    """
    attr = peer("captum.attr")
    module, whose, precision = differentiated(model)
    method: Any = attribution.method
    call, make, how = _slope(attr, method)

    def ask(question: Question, _: int) -> Array:
        forward, row = differentiable(question, module)
        return ours(make(forward).attribute(row, **how), order_of(question, module))

    return (Referee("captum", f"captum.{call} on {whose}", ask, precision=precision),)


def _slope(attr: Any, method: Any) -> tuple[str, Any, dict[str, Any]]:
    """captum's counterpart of a method at the row itself: its call in words, its class, its arguments."""
    if type(method).__name__ == "Saliency":
        how = {"abs": method.absolute}
        return f"Saliency(abs={method.absolute})", attr.Saliency, how
    return "InputXGradient", attr.InputXGradient, {}


def noise_referees(attribution: Attribution, model: Model) -> tuple[Referee, ...]:
    """captum's NoiseTunnel with ten seeds; every column of a table is an input of its own.

    Raises:
        NoReferee: the model has no gradient, or the method that is averaged has no counterpart here.
    """
    attr = peer("captum.attr")
    method: Any = attribution.method
    inner = method.inner
    name = type(inner).__name__
    if name not in ("Saliency", "InputXGradient"):
        raise NoReferee(
            f"captum is asked for SmoothGrad around Saliency or InputXGradient, not around {name}, whose "
            "values can be checked without noise."
        )
    module, whose, precision = differentiated(model)
    call, make, how = _slope(attr, inner)
    points = min(method.samples * 4, MOST_POINTS // DRAWS)
    told = f"captum.NoiseTunnel({method.average!r}) around {call} on {whose}, same noise: mean of "
    told += f"{DRAWS} seeds, {points} copies each"

    def sample(question: Question, seed: int) -> Array:
        import torch

        forward, row = differentiable(question, module)
        size = noise_size(question.inputs, question.row, method.noise)
        table = question.inputs.of_kind.columns
        given = torch.split(row, 1, dim=1) if table else row
        torch.manual_seed(seed)
        tunnel = attr.NoiseTunnel(
            make(lambda *parts: forward(torch.cat(parts, dim=1) if table else parts[0]))
        )
        found = tunnel.attribute(
            given,
            nt_type=method.average,
            nt_samples=points,
            stdevs=tuple(map(float, size)) if table else float(size),
            **how,
        )
        whole = torch.cat(found, dim=1) if table else found
        return ours(whole, order_of(question, module))

    return (Referee("captum", told, sample, DRAWS, precision),)


QUESTIONS = {
    "saliency": slope_referees,
    "input_x_gradient": slope_referees,
    "noise_tunnel": noise_referees,
}
"""captum's computations, by the name in a method's `referee`."""
