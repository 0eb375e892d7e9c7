"""captum as the referee: gradients and class activation maps of a copy of the module, and ablations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.coalitions.fills import chosen_fill, fill_rows, window_fills
from workbench.coalitions.windows import Windows
from workbench.core import Attribution, Inputs, Model, NoReferee, Referee
from workbench.gradients.cam import chosen_layer
from workbench.gradients.smoothing import FACTORS, layers_of
from workbench.models.torch import Order, TorchEngine, device_of, dtype_of, torch_engine_of
from workbench.second_opinion.asking import Array, Question, peer

if TYPE_CHECKING:
    import torch

    Forward = Callable[[torch.Tensor], torch.Tensor]

DRAWS = 10
MOST_POINTS = 2_000
"""Gradients that captum's sampled method spends on one row."""

_SINGLE = 1e-4  # gradients of a network in single precision


def grad_cam_referees(attribution: Attribution, model: Model) -> tuple[Referee, ...]:
    """captum's LayerGradCam, enlarged by captum.

    Raises:
        NoReferee: not a torch module.
    """
    return _cam_referees(attribution, model, grad_cam=True)


def layer_referees(attribution: Attribution, model: Model) -> tuple[Referee, ...]:
    """captum's LayerGradientXActivation summed over channels, enlarged by captum.

    Raises:
        NoReferee: not a torch module.
    """
    return _cam_referees(attribution, model, grad_cam=False)


def _cam_referees(attribution: Attribution, model: Model, *, grad_cam: bool) -> tuple[Referee, ...]:
    """captum's layer attributions, enlarged by captum.

    Raises:
        NoReferee: not a torch module.
    """
    attr = peer("captum.attr")
    method: Any = attribution.method
    if method.eigen_smooth:
        raise NoReferee("captum has no map of a principal component (eigen_smooth).")
    module = _copied(model)
    layers = [one or chosen_layer(model, attribution.inputs) for one in layers_of(method)]
    parts = [_showing_maps(_engine(model), module, layer, attribution) for layer in layers]
    kind = attr.LayerGradCam if grad_cam else attr.LayerGradientXActivation
    combined = "" if grad_cam else " summed over channels"
    named = ", ".join(map(repr, layers))
    turned = ", mean over mirror images and brightness" if method.aug_smooth else ""
    places = attribution.inputs.places
    mode = ("linear", "bilinear", "trilinear")[len(places) - 1]
    call = (
        f"captum.{kind.__name__}{combined} at layer {named} of a copy of the module, {mode}{turned}"
    )
    turns = [(end, f) for end in (1, -1) for f in FACTORS] if method.aug_smooth else [(1, 1.0)]

    def ask(question: Question, _: int) -> Array:
        forward, row = _native(question, module)
        total = np.zeros(places)
        for part in parts:
            for end, factor in turns:
                turned = factor * (row.flip(-1) if end < 0 else row)
                if grad_cam:
                    small = kind(forward, part).attribute(turned, relu_attributions=True)
                else:
                    small = kind(forward, part).attribute(turned).sum(dim=1, keepdim=True)
                large = attr.LayerAttribution.interpolate(small, places, interpolate_mode=mode)
                total += large[0, 0].detach().cpu().double().numpy()[..., ::end]
        return np.asarray(total / (len(parts) * len(turns))).ravel()

    return (Referee("captum", call, ask, precision=_SINGLE),)


def _showing_maps(
    engine: TorchEngine, module: torch.nn.Module, layer: str, attribution: Attribution
) -> torch.nn.Module:
    """The part of a copy at which captum reads maps `(n, c, h, w)`, as it expects them.

    Where the layer gives tokens, or channels last, its output passes a part that gives the maps alone.
    """
    from torch import nn

    part: torch.nn.Module = dict(module.named_modules())[layer]
    layout = engine.layout(layer, attribution.inputs.values[:1])
    if layout is None or layout.plain:
        return part
    maps = nn.Identity()
    part.register_forward_hook(lambda _part, _given, out: layout.put(out, maps(layout.maps(out))))
    return maps


def line_referees(attribution: Attribution, model: Model) -> tuple[Referee, ...]:
    """captum's IntegratedGradients with the same nodes.

    Raises:
        NoReferee: the model has no gradient, or values are missing.
    """
    _check_known(attribution.inputs)
    attr = peer("captum.attr")
    module, whose, precision = differentiated(model)
    method: Any = attribution.method
    call = f"captum.IntegratedGradients on {whose}, {method.steps} Gauss-Legendre nodes, same fill"

    def ask(question: Question, _: int) -> Array:
        forward, row = differentiable(question, module)
        start = fill_rows(method.fill, question.inputs, question.row)
        found = attr.IntegratedGradients(
            forward, multiply_by_inputs=method.multiply_by_inputs
        ).attribute(
            row,
            baselines=_like(row, start, order_of(question, module)),
            n_steps=method.steps,
            method="gausslegendre",
            internal_batch_size=max(method.steps, question.original.batch),
        )
        return ours(found, order_of(question, module))

    return (Referee("captum", call, ask, precision=precision),)


def background_line_referees(attribution: Attribution, model: Model) -> tuple[Referee, ...]:
    """captum's GradientShap with ten seeds.

    Raises:
        NoReferee: the model has no gradient, or values are missing.
    """
    _check_known(attribution.inputs)
    attr = peer("captum.attr")
    module, whose, precision = differentiated(model)
    method: Any = attribution.method
    points = max(4, min(method.budget, MOST_POINTS) // DRAWS)
    call = (
        f"captum.GradientShap(stdevs=0) on {whose}, same background: mean of {DRAWS} seeds, "
        f"{points} points each"
    )

    def sample(question: Question, seed: int) -> Array:
        import torch

        forward, row = differentiable(question, module)
        background = _like(row, np.asarray(question.inputs.background), order_of(question, module))
        np.random.seed(seed)
        torch.manual_seed(seed)
        found = attr.GradientShap(forward).attribute(
            row, baselines=background, n_samples=points, stdevs=0.0
        )
        return ours(found, order_of(question, module))

    return (Referee("captum", call, sample, DRAWS, precision),)


def occlusion_referees(attribution: Attribution, _model: Model) -> tuple[Referee, ...]:
    """captum's FeatureAblation on tables and of each window elsewhere, over the model's scores.

    Raises:
        NoReferee: values are missing.
    """
    _check_known(attribution.inputs)
    attr = peer("captum.attr")
    if not attribution.inputs.of_kind.windows:
        call = "captum.FeatureAblation on the model's scores, same players and fills"
        return (Referee("captum", call, lambda question, _: _ablated(attr, question)),)
    call = "captum.FeatureAblation of each window on the model's scores, same windows and fill"
    return (Referee("captum", call, lambda question, _: _slid(attr, question)),)


def _check_known(inputs: Inputs) -> None:
    """captum multiplies what is absent by zero, and a missing value times zero is missing still."""
    background = inputs.values if inputs.background is None else inputs.background
    if not (np.isfinite(inputs.values).all() and np.isfinite(background).all()):
        raise NoReferee(
            "captum cannot take missing or infinite values away, and these rows or their background have "
            "some. Explain others to have these values checked."
        )


def _ablated(attr: Any, question: Question) -> Array:
    import torch

    players = np.asarray(question.attribution.owners(question.row))
    fills = fill_rows(question.method.fill, question.inputs, question.row, players)
    rows = np.repeat(question.values[None], len(fills), axis=0)
    found = attr.FeatureAblation(_scored(question)).attribute(
        torch.tensor(rows),
        baselines=torch.tensor(np.array(fills, dtype=rows.dtype)),
        feature_mask=torch.tensor(players)[None],
    )
    mean = np.asarray(found.double().numpy()).mean(axis=0)
    first = [int(np.flatnonzero(players == player)[0]) for player in range(players.max() + 1)]
    return np.asarray(mean[first])


def _slid(attr: Any, question: Question) -> Array:
    """Each window as a feature of its own, since captum's own windows share one fill and are cut short."""
    import torch

    image, method = question.values, question.method
    windows = Windows(image.shape[:-1], method.window, method.stride)
    ablation = attr.FeatureAblation(_scored(question))
    own = chosen_fill(method.fill, question.inputs) == "contrast"
    fills = None if own else fill_rows(method.fill, question.inputs, question.row)
    drops = np.empty((len(windows), 1))
    for number in range(len(windows)):
        part = slice(number, number + 1)
        inside = torch.tensor(~windows.masks(part)[0][windows.players])
        covers = window_fills(image, windows, part) if fills is None else fills
        found = [
            ablation.attribute(
                torch.tensor(image[None]),
                baselines=torch.tensor(np.array(one[None], dtype=image.dtype)),
                feature_mask=inside.long()[None, ..., None].expand(1, *image.shape),
            )[0][inside]
            .double()
            .mean()
            for one in covers
        ]
        drops[number] = np.mean(found)
    return windows.mean_over(drops).ravel()


def _scored(question: Question) -> Forward:
    """The model's scores as a function of tensors; rows stay channels last."""
    import torch

    return lambda batch: torch.from_numpy(question.explained(batch.numpy()))


def differentiated(model: Model) -> tuple[torch.nn.Module | None, str, float]:
    """A copy of the module, None for the model's own gradient; which one in words, and its precision."""
    if torch_engine_of(model) is not None:
        return _copied(model), "a copy of the module", _SINGLE
    if model.gradient is None:
        raise NoReferee(f"captum needs gradients, and model {model.name!r} has none.")
    return None, "the model's own gradient", 1e-8


def _engine(model: Model) -> TorchEngine:
    engine = torch_engine_of(model)
    if engine is None:
        raise NoReferee(
            f"captum reads layers of torch modules, and model {model.name!r} wraps a "
            f"{type(model.native).__name__}."
        )
    return engine


def _copied(model: Model) -> torch.nn.Module:
    """A copy of the module to be asked: evaluating, its weights out of the gradient's way."""
    engine = _engine(model)
    try:
        module = copy.deepcopy(engine.module)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise NoReferee(
            f"captum is asked on a copy, so that the model stays as it is, but the module of "
            f"{model.name!r} cannot be copied ({str(error).splitlines()[0]})."
        ) from error
    for part in module.modules():
        part.training = False
        if getattr(part, "inplace", False) is True:
            vars(part)["inplace"] = (
                False  # else captum would see a map that the next layer has changed
            )
    return module.requires_grad_(False)


def _native(question: Question, module: torch.nn.Module) -> tuple[Forward, torch.Tensor]:
    """The explained number as a function of tensors of the copy, and the row as such a tensor."""
    import torch

    engine = _engine(question.original)
    wanted, device = dtype_of(module), device_of(module)
    dtype = torch.float32 if wanted in (torch.float16, torch.bfloat16) else wanted
    row = torch.tensor(np.ascontiguousarray(question.values[None]), dtype=dtype, device=device)
    row = engine.order.turned(row).contiguous()

    own = TorchEngine(engine.name, module, preprocess=engine.preprocess, output=engine.output)

    def forward(batch: torch.Tensor) -> torch.Tensor:
        question.meter.count(len(batch))
        scores = own.scores_of(batch)
        return scores @ torch.tensor(question.weights, dtype=scores.dtype, device=device)

    return forward, row


def differentiable(
    question: Question, module: torch.nn.Module | None
) -> tuple[Forward, torch.Tensor]:
    """The explained number as a function that torch can differentiate, and the row for it."""
    if module is not None:
        return _native(question, module)
    return _through_the_seam(question), _tensor(question.values[None])


def _through_the_seam(question: Question) -> Forward:
    """Scores and gradients of a model of any library, for torch's autograd."""
    import torch

    gradient: Any = question.model.gradient

    class Seam(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, batch: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(batch)
            return torch.from_numpy(question.explained(batch.detach().numpy()))

        @staticmethod
        def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
            (batch,) = ctx.saved_tensors
            rows = batch.detach().numpy()
            weights = np.broadcast_to(question.weights, (1, len(rows), len(question.weights)))
            _, slopes = gradient(rows, weights)
            return torch.from_numpy(np.asarray(slopes[0])) * slope.reshape(
                -1, *(1,) * (rows.ndim - 1)
            )

    return lambda batch: Seam.apply(batch)  # type: ignore[no-untyped-call]


def _tensor(rows: NDArray[Any]) -> torch.Tensor:
    import torch

    return torch.tensor(np.ascontiguousarray(rows, dtype=np.float64))


def order_of(question: Question, module: torch.nn.Module | None) -> Order | None:
    """How a copy of the module reads rows; None where the seam does."""
    return None if module is None else _engine(question.original).order


def _like(row: torch.Tensor, rows: NDArray[Any], order: Order | None) -> torch.Tensor:
    """Rows as tensors such as the copy reads, or as the seam does."""
    tensors = _tensor(rows)
    tensors = tensors if order is None else order.turned(tensors)
    return tensors.contiguous().to(dtype=row.dtype, device=row.device)


def ours(found: torch.Tensor, order: Order | None) -> Array:
    """One row's attributions in the order of ours `(p,)`."""
    if order is not None and order.turns(found.ndim):
        found = found.movedim(1, -1)
    return np.asarray(found.detach().cpu().double().numpy()).ravel()


QUESTIONS = {
    "layer_grad_cam": grad_cam_referees,
    "layer_gradient_x_activation": layer_referees,
    "integrated_gradients": line_referees,
    "gradient_shap": background_line_referees,
    "ablation": occlusion_referees,
}
"""captum's computations, by the name in a method's `referee`."""
