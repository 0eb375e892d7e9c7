"""One training loop for fine-tuning and distillation: seeded, stopped early, best weights kept."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray

from workbench.core import Doc, Model, Range, check_parameters
from workbench.errors import IncompatibleError, InputError, ModelError
from workbench.models.torch import TorchEngine, device_of, dtype_of, module_copy
from workbench.variants.training.lesson import Lesson

if TYPE_CHECKING:
    import torch

_ENOUGH = 8
"""The fewest rows in a batch from which batch normalization learns its statistics. Fewer rows tell little
about a mean and a variance, so with smaller batches the statistics stay as they are."""

_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm")

Positions = NDArray[np.intp]
State = dict[str, Any]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train, and when to stop.

    >>> Schedule(epochs=5)
    Schedule(epochs=5, learning_rate=0.001, batch=64, seed=0, patience=5, validation=0.2)
    """

    epochs: Annotated[int, Range(1, 100_000), Doc("passes over the rows, at most")] = 20
    learning_rate: Annotated[float, Range(1e-8, 10.0, log=True), Doc("of Adam")] = 1e-3
    batch: Annotated[int, Range(1, 65_536), Doc("rows per step, at most")] = 64
    seed: Annotated[
        int, Range(0, 2**31 - 1), Doc("decides the order of rows and what is held out")
    ] = 0
    patience: Annotated[
        int, Range(1, 100_000), Doc("epochs without a better one before it stops")
    ] = 5
    validation: Annotated[
        float, Range(0.0, 0.9), Doc("share of the rows held out; with 0 the training rows decide")
    ] = 0.2

    def __post_init__(self) -> None:
        check_parameters(self)

    def split(self, n: int) -> tuple[Positions, Positions]:
        """Positions of the rows to learn from, and of those held out; at least one of each.

        Raises:
            InputError: too few rows to hold one out.
        """
        order = np.random.default_rng(self.seed).permutation(n)
        held = min(n - 1, max(1, round(self.validation * n))) if self.validation > 0 else 0
        if n < 2 and self.validation > 0:
            raise InputError(
                f"Training holds out {self.validation:.0%} of the rows to know when to stop, but has only "
                f"{n}. Give more rows, or validation=0."
            )
        return order[held:], order[:held]


def check_schedule(schedule: object) -> None:
    """Refuses a value that is no schedule.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(schedule, Schedule):
        raise InputError(
            f"schedule says how to train and must be a Schedule, not {schedule!r}. Write "
            "schedule=variants.Schedule(epochs=20)."
        )


@dataclass(frozen=True, eq=False)
class Epoch:
    """One pass over the training rows.

    Args:
        number: from 0, which is the state before the first step.
        of: the largest number of epochs.
        loss: the mean over the training rows while they were learned; NaN at 0.
        validation: the loss of the held-out rows after this epoch; of the training rows if none are.
        best: the epoch with the lowest `validation` so far.
        model: returns the copy with the weights of the best epoch so far.
    """

    number: int
    of: int
    loss: float
    validation: float
    best: int
    model: Callable[[], Model]

    @property
    def label(self) -> str:
        """The progress of training, as a phrase.

        >>> Epoch(3, 20, 0.5, 0.25, 3, lambda: None).label
        'epoch 3 of 20, held-out loss 0.25'
        """
        return f"epoch {self.number} of {self.of}, held-out loss {self.validation:.3g}"


@dataclass(frozen=True)
class Trained:
    """The result of training, for the record: see `Epoch`."""

    state: State
    best: int
    start: float
    validation: float


def last(epochs: Iterator[Epoch]) -> Model:
    """The copy that training ends with."""
    epoch = next(epochs)
    for epoch in epochs:  # noqa: B007 - the last one is meant
        pass
    return epoch.model()


def trained(
    module: torch.nn.Module,
    engine: TorchEngine,
    lesson: Lesson,
    schedule: Schedule,
    finish: Callable[[Trained], Model],
    *,
    keep_zeros: bool,
) -> Iterator[Epoch]:
    """Trains the module in place, epoch by epoch, and yields copies of the best state so far.

    Adam on mini-batches of equal size. Between two epochs the random state is the caller's own, and the
    module is in evaluation mode.

    Args:
        module: a copy that may be changed.
        engine: computes the scores of that module.
        lesson: what the module learns.
        schedule: how to train.
        finish: from weights to a model.
        keep_zeros: whether weights that are exactly zero stay so.

    Raises:
        ModelError: the loss becomes NaN or infinite.
    """
    import torch

    learned, held = schedule.split(len(lesson.rows))
    judged = held if len(held) else learned
    wanted = _trainable(module, engine.name)
    zeros = _zeros(wanted) if keep_zeros else []
    optimizer = torch.optim.Adam(wanted, lr=schedule.learning_rate)
    order = np.random.default_rng([schedule.seed, 1])
    random_state = torch.Generator().manual_seed(schedule.seed).get_state()
    with _own_random(device_of(module), random_state, schedule.seed):
        start = _judged(engine, lesson, judged, schedule.batch)
    if not math.isfinite(start):
        raise ModelError(
            f"Training must start from a finite loss, but that of {engine.name!r} is {start:g} before the "
            "first step. Check its weights, and the unit of the rows (preprocess=Normalize(mean, std))."
        )
    best = Trained(_kept(module), 0, start, start)
    yield Epoch(0, schedule.epochs, math.nan, start, 0, _given(finish, best))
    for number in range(1, schedule.epochs + 1):
        with _own_random(device_of(module), random_state, schedule.seed + number) as after:
            with _training(module, _smallest(len(learned), schedule.batch) >= _ENOUGH):
                loss = 0.0
                for some in _batches(order.permutation(learned), schedule.batch):
                    step = _step(engine, lesson, some, optimizer)
                    with torch.no_grad():
                        for weight, mask in zeros:
                            weight.mul_(mask)
                    loss += step * len(some) / len(learned)
            found = _judged(engine, lesson, judged, schedule.batch)
        random_state = after[0]
        optimizer.zero_grad(set_to_none=True)
        if not math.isfinite(loss) or not math.isfinite(found):
            raise ModelError(
                f"Training must keep its loss finite, but in epoch {number} that of {engine.name!r} is "
                f"{loss:g} (held out: {found:g}). Lower learning_rate, which is {schedule.learning_rate:g}."
            )
        if found < best.validation:
            best = Trained(_kept(module), number, start, found)
        yield Epoch(number, schedule.epochs, loss, found, best.best, _given(finish, best))
        if number - best.best >= schedule.patience:
            return


def _step(
    engine: TorchEngine, lesson: Lesson, some: Positions, optimizer: torch.optim.Optimizer
) -> float:
    """The loss of one batch, as it was before the step that this makes."""
    optimizer.zero_grad(set_to_none=True)
    batch, scores = engine.differentiable(lesson.rows[some], leaf=lesson.slopes is not None)
    loss = lesson.loss(scores, batch, some, turned=engine.order.turns(batch.ndim))
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return float(loss.detach())


def _given(finish: Callable[[Trained], Model], best: Trained) -> Callable[[], Model]:
    return lambda: finish(best)


def own_copy(module: torch.nn.Module) -> torch.nn.Module:
    """A copy to train, in evaluation mode, that shares nothing with the module."""
    own = module_copy(module)
    for part in own.modules():
        part.training = False
    return own


def with_state(module: torch.nn.Module, state: State) -> torch.nn.Module:
    """A copy of the module that holds these weights."""
    own = own_copy(module)
    own.load_state_dict(state)
    return own


def changed_layers(before: torch.nn.Module, after: torch.nn.Module) -> tuple[int, int]:
    """How many layers with weights differ between two modules of one architecture, and of how many."""
    import torch

    touched = layers = 0
    for one, other in zip(before.modules(), after.modules(), strict=True):
        pairs = list(
            zip(one.parameters(recurse=False), other.parameters(recurse=False), strict=True)
        )
        layers += bool(pairs)
        touched += any(not torch.equal(a, b) for a, b in pairs)
    return touched, layers


def _kept(module: torch.nn.Module) -> State:
    return {name: copy.deepcopy(value) for name, value in module.state_dict().items()}


def _trainable(module: torch.nn.Module, name: str) -> list[torch.nn.Parameter]:
    """The parameters that require a gradient; all where none does, as in a model made only to predict."""
    every = [one for one in module.parameters() if one.is_floating_point()]
    wanted = [one for one in every if one.requires_grad]
    if not every:
        raise IncompatibleError(
            f"Training needs weights that are real numbers, but {name!r} has none: its weights are "
            "integers or constants. Train the model first and quantize it afterwards."
        )
    if dtype_of(module).itemsize < 4:
        raise IncompatibleError(
            f"Training needs single precision or more, but {name!r} computes in {dtype_of(module)}, where "
            "small steps are lost. Train the model it was made from and cast it afterwards."
        )
    if not wanted:
        for one in every:
            one.requires_grad_(True)
    return wanted or every


def _zeros(wanted: list[torch.nn.Parameter]) -> list[tuple[torch.nn.Parameter, torch.Tensor]]:
    """Masks of weight matrices and kernels that hold exact zeros; a zero bias does not count as pruned."""
    return [
        (one, (one.detach() != 0).to(one.dtype))
        for one in wanted
        if one.ndim > 1 and bool((one == 0).any())
    ]


def _batches(order: Positions, batch: int) -> list[Positions]:
    """Batches of equal size, so that no last one is too small for batch normalization."""
    return np.array_split(order, -(-len(order) // batch))


def _smallest(n: int, batch: int) -> int:
    return n // -(-n // batch)


def _judged(engine: TorchEngine, lesson: Lesson, rows: Positions, batch: int) -> float:
    """The mean loss of some rows, in evaluation mode."""
    import torch

    leaf = lesson.slopes is not None
    total = 0.0
    with torch.inference_mode(False), torch.set_grad_enabled(leaf):
        for some in _batches(rows, max(batch, 256)):
            given, scores = engine.differentiable(lesson.rows[some], leaf=leaf)
            turned = engine.order.turns(given.ndim)
            total += float(lesson.loss(scores, given, some, turned=turned).detach()) * len(some)
    return total / len(rows)


@contextmanager
def _training(module: torch.nn.Module, statistics: bool) -> Iterator[None]:
    """The module in training mode; batch normalization only where it may learn statistics."""
    import torch

    parts = list(module.modules())
    try:
        for part in parts:
            part.training = statistics or type(part).__name__ not in _NORMS
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for part in parts:
            part.training = False


@contextmanager
def _own_random(
    device: torch.device, state: torch.Tensor, seed: int
) -> Iterator[list[torch.Tensor]]:
    """In this context torch draws from `state`; afterwards the caller's is back. Yields the new state.

    A graphics card has a state of its own, which starts from `seed`.
    """
    import torch

    after = [state]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.set_rng_state(state)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield after
        after[0] = torch.get_rng_state()
