"""Train the bundled image models, from the repository's root: python assets/train_shapes_cnn.py

`shapes_cnn` sees stamps that say nothing and learns the shape. `shapes_shortcut_cnn` sees stamps that
always name the class and learns the stamp. `shapes_member_1` to `shapes_member_5` are one shorter recipe
of `shapes_cnn` from five seeds: the same images, other starting weights and another order. Each takes a
few minutes on one CPU core; the same machine and torch release give the same bits. Give names to train
only those.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from workbench import data
from workbench.core import Inputs
from workbench.models import Normalize, load, save, small_cnn, wrap

FOLDER = Path(__file__).resolve().parent
NORMALIZE = Normalize(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))


@dataclass(frozen=True)
class Recipe:
    """How one model is trained.

    Args:
        stamped: the stamps name the class (the shortcut), instead of saying nothing.
        images: how many different scenes.
        epochs: passes over them.
        beside: weight of the penalty on evidence beside the shape.
        hidden: the largest share of an image that is pixelated in the second half of the training.
        seed: of the starting weights, the order of the images, their turns and what is pixelated.
        batch: images per step.
    """

    stamped: bool
    images: int
    epochs: int
    beside: float
    hidden: float
    seed: int = 0
    batch: int = 64


RECIPES = {
    "shapes_cnn": Recipe(stamped=False, images=4000, epochs=16, beside=1.0, hidden=0.4),
    "shapes_shortcut_cnn": Recipe(stamped=True, images=4000, epochs=4, beside=0.0, hidden=0.0),
} | {
    f"shapes_member_{seed}": Recipe(
        stamped=False, images=4000, epochs=8, beside=1.0, hidden=0.4, seed=seed, batch=32
    )
    for seed in range(1, 6)
}


def scenes(recipe: Recipe) -> tuple[Tensor, Tensor, Tensor]:
    """Images `(n, 3, 64, 64)`, classes `(n,)` and the shapes' masks `(n, 1, 64, 64)`."""
    if recipe.stamped:
        parts = [data.shapes("train", n=recipe.images, shortcut=True)]
    else:  # every scene twice, without a stamp and with one drawn by lot
        parts = [
            data.shapes("train", n=recipe.images),
            data.shapes("train", n=recipe.images, shortcut=True, leak="random"),
        ]
    pixels = np.concatenate([part.values for part in parts])
    return (
        torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(np.concatenate([part.y for part in parts])),
        torch.from_numpy(np.concatenate([part.truth for part in parts])).float()[:, None],
    )


def pixelated(batch: Tensor, largest: float, generator: torch.Generator) -> Tensor:
    """Half of the images with up to that share of them in coarse cells of one color each.

    Explanations by perturbation show a model such images; one that has never seen them answers
    arbitrarily, and the explanation is then of that.
    """
    n, _, height, width = batch.shape
    side = int(torch.randint(5, 11, (1,), generator=generator))
    top, left = torch.randint(0, side, (2,), generator=generator).tolist()
    around = (left, -(width + left) % side, top, -(height + top) % side)
    coarse = functional.avg_pool2d(functional.pad(batch, around, mode="replicate"), side)
    share = largest * torch.rand(n, 1, 1, 1, generator=generator)
    share = share * (torch.rand(n, 1, 1, 1, generator=generator) < 0.5)
    hide = torch.rand(n, 1, *coarse.shape[2:], generator=generator) < share

    def fine(cells: Tensor) -> Tensor:
        large = cells.repeat_interleave(side, 2).repeat_interleave(side, 3)
        return large[:, :, top : top + height, left : left + width]

    return torch.where(fine(hide), fine(coarse), batch)


def batches(recipe: Recipe, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Every step's images, classes and masks."""
    images, classes, masks = scenes(recipe)
    for epoch in range(recipe.epochs):
        order = torch.randperm(len(images), generator=generator)
        for chosen in order[: len(order) // recipe.batch * recipe.batch].view(-1, recipe.batch):
            batch, mask = images[chosen], masks[chosen]
            if not recipe.stamped:  # a turned letter would be another letter
                turns, mirrored = divmod(int(torch.randint(8, (1,), generator=generator)), 2)
                batch, mask = (torch.rot90(each, turns, (2, 3)) for each in (batch, mask))
                if mirrored:
                    batch, mask = batch.flip(3), mask.flip(3)
            if 2 * epoch >= recipe.epochs and recipe.hidden > 0:
                batch = pixelated(batch, recipe.hidden, generator)
            yield batch, classes[chosen], mask


def train(recipe: Recipe) -> nn.Module:
    """The trained network."""
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    network = small_cnn(len(data.SHAPES))
    maps, head = network[:4], network[4:]
    copies = 1 if recipe.stamped else 2
    steps = recipe.epochs * (copies * recipe.images // recipe.batch)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step, (images, classes, masks) in enumerate(batches(recipe, generator)):
        places = maps(NORMALIZE(images))
        loss = functional.cross_entropy(head(places), classes)
        if recipe.beside:
            beside = functional.max_pool2d(masks, images.shape[2] // places.shape[2]) == 0
            loss = loss + recipe.beside * (places * beside).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 250 == 0 or step == steps - 1:
            print(f"  step {step:5d} of {steps}: loss {loss.item():.4f}", flush=True)
    return network.eval()


def accuracy(name: str, inputs: Inputs) -> float:
    """The shipped file's share of right answers."""
    model = load(FOLDER / f"{name}.safetensors", architecture=small_cnn)
    return float((model.scores(inputs.values).argmax(axis=1) == inputs.y).mean())


def main(names: list[str]) -> None:
    """Train, write and judge the named models."""
    torch.set_num_threads(1)  # the same bits on any number of cores
    torch.use_deterministic_algorithms(True)
    for name in names:
        recipe = RECIPES[name]
        print(name, flush=True)
        start = time.perf_counter()
        network = train(recipe)
        seconds = time.perf_counter() - start
        model = wrap(
            network,
            name=name,
            outputs=data.SHAPES,
            scale="logit",
            kind="image",
            preprocess=NORMALIZE,
            shape=(64, 64, 3),
        )
        path = FOLDER / f"{name}.safetensors"
        digest = save(model, path)
        rows = data.shapes("test", n=1000, shortcut=recipe.stamped)
        print(f"  sha256 {digest}, {path.stat().st_size} bytes, {seconds:.0f} s")
        print(f"  test accuracy {accuracy(name, rows):.3f}")
        other = data.shapes("test", n=1000, shortcut=True, leak="other")
        print(f"  with stamps that lie  {accuracy(name, other):.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(RECIPES))
