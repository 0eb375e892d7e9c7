"""Grad-CAM, Integrated Gradients and GradientSHAP, beside captum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

import workbench as wb
from tests.benchmarks.cell import LIMIT, OURS, Settings, lines
from tests.benchmarks.charts import Chart
from tests.benchmarks.images import photos
from tests.benchmarks.measure import Contestant, best_batch, peak, race, relative_error, short
from tests.benchmarks.networks import (
    forward,
    forward_backward,
    image_tensor,
    resnet18,
    small_cnn,
)
from tests.benchmarks.peers import peer
from tests.benchmarks.table import Goal, Line, at_least, at_most
from workbench.methods import GradCAM, GradientSHAP, IntegratedGradients

BATCHES = (2, 4, 8, 16, 32)


def grad_cam(settings: Settings) -> Iterator[Line | Chart]:
    """ResNet-18 at 224 pixels: one class, and ten as the targets of one study."""
    for n, classes in settings.pick(((1, 1), (1, 10), (4, 1), (4, 10)), ((1, 1), (1, 10))):
        yield from _grad_cam(settings, n, classes)


def _grad_cam(settings: Settings, n: int, classes: int) -> Iterator[Line | Chart]:
    net, layer = resnet18(), "7.1"
    inputs = photos(n, 224)
    model = wb.wrap(net, name="ResNet-18", like=inputs)
    ready = image_tensor(inputs.values)
    batch = best_batch(lambda b: forward(net, ready, b), [1, 2, 4][:n])
    # With random weights some maps are zero everywhere; one class alone must not be one of those.
    labels = range(10) if classes == 10 else [_speaking(net, layer, ready)]
    targets = tuple(wb.Target(label) for label in labels)
    study = wb.Study((model,), (GradCAM(),), inputs, targets)
    named = wb.Study((model,), (GradCAM(layer=layer),), inputs, targets)
    captum = peer("captum.attr").LayerGradCam(net, net.get_submodule(layer))

    def ours(study: wb.Study = study) -> NDArray[Any]:
        return np.stack([found.values for found in wb.run(study)])

    def theirs() -> NDArray[Any]:
        maps = []
        for label in labels:
            small = captum.attribute(ready, target=label, relu_attributions=True)
            large = F.interpolate(small, size=(224, 224), mode="bilinear")
            maps.append(large[:, 0].detach().numpy())
        return np.stack(maps)

    name = "captum.LayerGradCam"
    seen = race(
        [
            Contestant(LIMIT, lambda: forward(net, ready, batch)),
            Contestant(OURS, ours),
            Contestant("ours, layer named", lambda: ours(named)),
            Contestant(name, theirs),
        ],
        settings.rounds,
    )
    apart = float(np.abs(ours() - theirs()).max() / np.abs(theirs()).max())
    ratio = seen.ratio(name, OURS).median
    yield from lines(
        f"Grad-CAM, ResNet-18 at 224 px, {n} image{'s' if n > 1 else ''}, "
        f"{classes} class{'es' if classes > 1 else ''}",
        seen,
        peers=(name,),
        goals=(at_most(1.15, seen.ratio(OURS, LIMIT).median, "x forward"),),
        peer_goals={name: (at_least(9, ratio, "x faster"),)} if classes == 10 else {},
        accuracy=f"{short(apart)} from captum's, relative to the largest",
        remark=f"with the layer named {seen.ratio('ours, layer named', LIMIT)} x forward",
    )


def _speaking(net: nn.Module, layer: str, ready: torch.Tensor) -> int:
    """The class whose map has the largest value."""
    captum = peer("captum.attr").LayerGradCam(net, net.get_submodule(layer))
    tops = [
        float(captum.attribute(ready, target=label, relu_attributions=True).detach().max())
        for label in range(10)
    ]
    return int(np.argmax(tops))


def integrated_gradients(settings: Settings) -> Iterator[Line | Chart]:
    """One class; the limit is the network's own forward and backward passes in best batches."""
    steps = settings.pick(64, 32)
    for name, net, side, n in (
        ("small CNN", small_cnn(), 64, settings.pick(4, 2)),
        ("ResNet-18", resnet18(), 96, 1),
    ):
        yield from _integrated_gradients(settings, name, net, side, n, steps)


def _integrated_gradients(
    settings: Settings, name: str, net: nn.Module, side: int, n: int, steps: int
) -> Iterator[Line | Chart]:
    inputs = photos(n, side)
    model = wb.wrap(net, name=name, like=inputs)
    ready = image_tensor(np.repeat(inputs.values, steps, axis=0))
    batch = _best(net, ready)
    captum = peer("captum.attr").IntegratedGradients(net)
    rows = image_tensor(inputs.values)

    def ours(count: int = steps) -> NDArray[Any]:
        recipe = IntegratedGradients(steps=count, fill="zero")
        return wb.explain(model, inputs, recipe, wb.Target(0)).values

    def theirs(internal: int | None, count: int = steps) -> NDArray[Any]:
        found = captum.attribute(rows, target=0, n_steps=count, internal_batch_size=internal)
        return np.asarray(found.detach().permute(0, 2, 3, 1).numpy())

    names = {"captum IG, as it comes": None, f"captum IG, internal batch {batch}": batch}
    seen = race(
        [
            Contestant(LIMIT, lambda: forward_backward(net, ready, batch)),
            Contestant(OURS, ours),
            *(
                Contestant(text, lambda internal=internal: theirs(internal))  # type: ignore[misc]
                for text, internal in names.items()
            ),
        ],
        settings.rounds,
    )
    few, many = _flat(settings, ours)
    goals = [at_most(1.1, seen.ratio(OURS, LIMIT).median, "x limit")]
    remark = f"limit: batch {batch}, ours {model.batch}"
    if side == 64:
        goals.append(_flat_goal(settings, few, many))
        few_steps, many_steps = _steps(settings)
        captums = _flat(settings, lambda count: theirs(None, count))
        taken = " / ".join(map(short, captums))
        remark += f"; at {few_steps} / {many_steps} steps captum takes {taken} MiB"
    finest_steps = settings.pick(1024, 64)
    finest = theirs(batch, finest_steps)
    yield from lines(
        f"Integrated Gradients, {name} at {side} px, {n} x {steps} steps",
        seen,
        peers=tuple(names),
        goals=goals,
        accuracy=f"{relative_error(ours(), finest):.1e} from captum at {finest_steps} steps",
        peer_accuracy={
            text: f"{relative_error(theirs(internal), finest):.1e}"
            for text, internal in names.items()
        },
        remark=remark,
    )


def gradient_shap(settings: Settings) -> Iterator[Line | Chart]:
    """One class over twenty background images."""
    points = settings.pick(256, 64)
    net, side = small_cnn(), 64
    inputs = photos(1, side, background=20)
    model = wb.wrap(net, name="small CNN", like=inputs)
    ready = image_tensor(np.repeat(inputs.values, points, axis=0))
    batch = _best(net, ready)
    captum = peer("captum.attr").GradientShap(net)
    row, absent = image_tensor(inputs.values), image_tensor(np.asarray(inputs.background))

    def ours(count: int = points) -> NDArray[Any]:
        recipe = GradientSHAP(budget=count)
        return wb.explain(model, inputs, recipe, wb.Target(0)).values

    def theirs(count: int, together: int) -> NDArray[Any]:
        np.random.seed(count)
        torch.manual_seed(count)
        total = np.zeros(inputs.values.shape)
        for _ in range(count // together):
            found = captum.attribute(
                row, baselines=absent, n_samples=together, stdevs=0.0, target=0
            )
            total += found.detach().permute(0, 2, 3, 1).numpy()
        return total / (count // together)

    tuned = min(32, points)
    names = {"captum GradientShap": points, f"captum GradientShap, {tuned} at a time": tuned}
    seen = race(
        [
            Contestant(LIMIT, lambda: forward_backward(net, ready, batch)),
            Contestant(OURS, ours),
            *(
                Contestant(name, lambda together=together: theirs(points, together))  # type: ignore[misc]
                for name, together in names.items()
            ),
        ],
        settings.rounds,
    )
    few, many = _flat(settings, ours)
    exact = theirs(settings.pick(8192, 1024), 32)
    yield from lines(
        f"GradientSHAP, small CNN at {side} px, {points} points, 20 background rows",
        seen,
        peers=tuple(names),
        goals=(
            at_most(1.1, seen.ratio(OURS, LIMIT).median, "x limit"),
            _flat_goal(settings, few, many),
        ),
        accuracy=f"{relative_error(ours(), exact):.0%} from captum at {settings.pick(8192, 1024)} points",
        peer_accuracy={
            name: f"{relative_error(theirs(points, together), exact):.0%}"
            for name, together in names.items()
        },
        remark=f"limit: batch {batch}, ours {model.batch}",
    )


def _best(net: nn.Module, ready: torch.Tensor) -> int:
    return best_batch(lambda b: forward_backward(net, ready[:64], b), BATCHES)


def _steps(settings: Settings) -> tuple[int, int]:
    """A short and a long path, whose memory should be the same."""
    return settings.pick((32, 512), (32, 96))


def _flat(settings: Settings, run: Callable[[int], object]) -> tuple[float, float]:
    """Peak MiB of a short and of a long run, after a long one by which ours finds its batch size."""
    few, many = _steps(settings)
    run(many)
    return peak(lambda: run(few)), peak(lambda: run(many))


def _flat_goal(settings: Settings, few: float, many: float) -> Goal:
    """Many times the steps may take a little more memory, for the bookkeeping."""
    least, most = _steps(settings)
    text = f"memory flat: {most} steps ≤ 1.25 x {least} steps ({short(few)} MiB)"
    return Goal(text, many / max(few, 1e-9), 1.25)
