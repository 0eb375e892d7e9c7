"""LIME on images, beside lime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

import workbench as wb
from tests.benchmarks.cell import LIMIT, OURS, Settings, lines
from tests.benchmarks.charts import Chart
from tests.benchmarks.measure import Contestant, best_batch, race, relative_error
from tests.benchmarks.networks import ask_images, forward, image_tensor, resnet18, small_cnn
from tests.benchmarks.peers import peer
from tests.benchmarks.table import Line, at_most
from workbench.coalitions.superpixels import Superpixels
from workbench.methods import LIME

BATCHES = (4, 8, 16, 32, 64)


def photos(n: int, side: int, *, background: int = 0) -> wb.Inputs:
    """Smooth random images in [0, 1], which superpixels can cut into pieces."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(5)
    blurred = gaussian_filter(rng.random((n + background, side, side, 3)), (0, 5, 5, 0))
    low, high = blurred.min(axis=(1, 2, 3)), blurred.max(axis=(1, 2, 3))
    images = (blurred - low[:, None, None, None]) / (high - low)[:, None, None, None]
    images = images.astype(np.float32)
    return wb.Inputs(images[:n], kind="image", background=images[n:] if background else None)


def lime_image(settings: Settings) -> Iterator[Line | Chart]:
    """A small CNN at 64 and 96 pixels, a ResNet-18 at 224; superpixels are known beforehand."""
    sizes = settings.pick(1000, 100)
    yield from _lime_image(settings, "small CNN", small_cnn(), 64, sizes, 1.4)
    yield from _lime_image(settings, "small CNN", small_cnn(), 96, sizes, 1.4)
    yield from _lime_image(settings, "ResNet-18", resnet18(), 224, settings.pick(128, 16), 1.1)


def _lime_image(
    settings: Settings, name: str, net: nn.Module, side: int, size: int, bound: float
) -> Iterator[Line | Chart]:
    inputs = photos(1, side)
    model = wb.wrap(net, name=name, like=inputs)
    segments = Superpixels().of(inputs.values[0])  # cached: ours finds them there
    ask = ask_images(net)
    image = inputs.values[0].astype(np.float64)
    ready = image_tensor(np.random.default_rng(0).random((size, side, side, 3)))
    batch = best_batch(lambda b: forward(net, ready[:64], b), [b for b in BATCHES if b <= size])
    module = peer("lime.lime_image")

    def theirs(samples: int, seed: int = 0, **how: Any) -> NDArray[Any]:
        found = module.LimeImageExplainer(random_state=seed).explain_instance(
            image, ask, num_samples=samples, random_seed=seed, **how
        )
        label = 0 if 0 in found.local_exp else next(iter(found.local_exp))
        credit = np.zeros(found.segments.max() + 1)
        for place, value in found.local_exp[label]:
            credit[place] = value
        return credit

    tuned: dict[str, Any] = {
        "labels": (0,),
        "top_labels": None,
        "batch_size": batch,
        "segmentation_fn": lambda _: segments,
    }
    recipe = LIME(budget=size)
    names = ("lime, as it comes", f"lime, segments given, 1 label, batch {batch}")
    seen = race(
        [
            Contestant(LIMIT, lambda: forward(net, ready, batch)),
            Contestant(OURS, lambda: wb.explain(model, inputs, recipe, wb.Target(0))),
            Contestant(names[0], lambda: theirs(size)),
            Contestant(names[1], lambda: theirs(size, **tuned)),
        ],
        settings.rounds,
    )
    long_run = settings.pick(8000 if side < 200 else 500, 200 if side < 200 else 16)
    exact = theirs(long_run, seed=99, **tuned)
    ours = wb.explain(model, inputs, recipe, wb.Target(0)).by_player(0)
    yield from lines(
        f"LIME, image, {name} at {side} px, {size} masks, {segments.max() + 1} superpixels",
        seen,
        peers=names,
        goals=(at_most(bound, seen.ratio(OURS, LIMIT).median, "x limit"),),
        accuracy=f"{relative_error(ours[None], exact[None]):.0%} from lime at {long_run} masks",
        peer_accuracy={
            names[0]: "other superpixels (quickshift)",
            names[1]: f"{relative_error(theirs(size, **tuned)[None], exact[None]):.0%}",
        },
        remark=f"limit: batch {batch}, ours {model.batch}",
    )
