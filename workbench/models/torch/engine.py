"""One torch module called with NumPy arrays: scores, gradients, activations, perturbed copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from workbench.core import Inputs, Weigh, clean
from workbench.core.layers import Layers
from workbench.errors import IncompatibleError, InputError, ModelError, WorkbenchError
from workbench.models.asking import (
    IMAGES_TRIED,
    TABLE_BATCH,
    TABLES_TRIED,
    Batches,
    Trial,
    failures,
    out_of_memory,
    said_by,
)
from workbench.models.split import Split
from workbench.models.torch.answers import advice, as_scores, selected
from workbench.models.torch.arguments import as_tuple, filled, in_order, in_precision, rows_taken
from workbench.models.torch.culprit import first_not_finite
from workbench.models.torch.gradient_scan import Scan, compiled, watching
from workbench.models.torch.gradient_trust import Trust
from workbench.models.torch.layers import cut, mixes_rows
from workbench.models.torch.layout import Layout
from workbench.models.torch.order import Order
from workbench.models.torch.perturbed import Perturbed
from workbench.models.torch.slopes import slopes_of
from workbench.models.torch.spatial import Spatial
from workbench.models.torch.state import as_found, device_of, dtype_of, lock_of, requires_grad

if TYPE_CHECKING:
    import torch

Preprocess = Callable[["torch.Tensor"], Any]
"""From a batch to the module's arguments: a tensor, a tuple of tensors, or a dict by argument."""

_LAST_FROM = 4  # fewer images are faster channels first: 47 ms, not 84, for one through ResNet-18


class TorchEngine:
    """The capabilities of a torch module; every public method takes and returns arrays.

    Images `(n, h, w, c)` and volumes reach the module channels first, signals as `Order` finds. Rows
    take the module's device and precision; results come back as float64.

    Args:
        name: what messages call the model.
        module: used by one thread at a time, and left as it was found.
        preprocess: applied to the batch first; as a part of the model, it passes gradients. A tuple of
            tensors is given by position, a dict by name.
        output: which entry or attribute of the module's answer holds the scores; the whole answer if "".
        batch: rows per forward pass; when left out, see `Batches`.

    Attributes:
        like: a few rows of the user's, on which copies of the module are tried; None where none are known.
        broken: the scan of the gradient, where a first row showed that there is none.
        smooth: for a twin, whose gradients pass straight through rounding, the same graph without the
            rounding steps; set by the code that makes the twin.
    """

    def __init__(
        self,
        name: str,
        module: torch.nn.Module,
        *,
        preprocess: Preprocess | None = None,
        output: str | int | None = None,
        batch: int | None = None,
    ) -> None:
        self.name = name
        self.module = module
        self.preprocess = preprocess
        self.output = output
        self.least, self.most = rows_taken(module)
        self.counts = isinstance(preprocess, Split) and bool(preprocess.whole)
        if self.most is not None and self.most < (batch or TABLE_BATCH):
            batch = self.most
        self._batches = Batches(name, batch)
        self._channels_last = True
        self.order = Order(module)
        self._spatial = Spatial(
            name,
            module,
            (self.least, self.most),
            lambda rows: self.scores_of(self._tensor(rows)),
            self._answering,
        )
        self.smooth: TorchEngine | None = None
        self.like: Inputs | None = None
        self.broken: Scan | None = None
        self.trust = Trust(self)
        self.trial = Trial(self.predict, lock_of(module))
        self._drew = False

    def remarks(self) -> tuple[str, ...]:
        """Events during the calls that the user should see beside the results."""
        order = (self.order.remark,) * bool(self.order.remark)
        return (*self._batches.remarks, *self.trust.remarks, *self.trial.remarks(), *order)

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Scores `(n, k)`."""
        with self._answering():
            parts = self._batches.over(
                len(rows),
                lambda part: (self.scores_of(self._tensor(rows[part])),),
                ("scores", *rows.shape[1:]),
                tried=self._tried(rows),
            )
        return np.concatenate([scores for (scores,) in parts])

    def gradient(
        self, rows: NDArray[Any], weights: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores `(n, k)` and gradients `(t, n, *f)` of `weights` `(t, n, k)` times scores.

        Raises:
            IncompatibleError: the scores have no gradient, or a wrong one; see `Trust`.
        """
        scan = self.trust.due("the rows")
        answer = self.slopes(rows, weights, scan)
        self.trust.settle(scan, "the rows", rows)
        return answer

    def slopes(
        self, rows: NDArray[Any], weights: NDArray[Any], scan: Scan | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same as `gradient`, without a check of the gradient."""

        def work(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
            batch = self._tensor(rows[part]).requires_grad_()
            with watching(self.module, scan):
                scores = self.scores_of(self._given(batch))
            found = self._slopes(scores, batch, weights[:, part], "the rows", scan)
            return scores, found.movedim(2, -1) if self.order.turns(rows.ndim) else found

        with as_found(self.module, self.name), requires_grad(self.module, False):
            parts = self._batches.over(
                len(rows), work, ("slopes", *rows.shape[1:]), tried=self._tried(rows)
            )
        return (
            np.concatenate([scores for scores, _ in parts]),
            np.concatenate([found for _, found in parts], axis=1),
        )

    def scanned(self, row: NDArray[Any], layer: str = "") -> Scan:
        """The scan of the graph of derivatives for one row `(1, *f)`, from the scores to it or a layer."""
        scan = Scan()
        layout = self.layout(layer, row) if layer else None
        with as_found(self.module, self.name), requires_grad(self.module, True):
            batch = self._tensor(row).requires_grad_(not layer)
            if not layer:
                with watching(self.module, scan):
                    scores = self.scores_of(self._given(batch))
                return scan.read(scores, batch)
            part = self._part(layer, row)
            with cut(part, layout) as seen, watching(self.module, scan, behind=True):
                scores = self.scores_of(batch)
            return scan.read(scores, self._only(seen, layer, row))

    def activations(
        self, rows: NDArray[Any], layer: str, weights: NDArray[Any] | Weigh
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Scores `(n, k)`, a spatial layer's maps `(n, c, *places)` and gradients `(t, n, c, *places)`."""
        weigh: Weigh = weights if callable(weights) else lambda part, _: weights[:, part]
        part_named, layout = self._part(layer, rows), self.layout(layer, rows)
        what = f"layer {layer!r}"
        scan = self.trust.due(what)

        def work(part: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            with cut(part_named, layout) as seen, watching(self.module, scan, behind=True):
                scores = self.scores_of(self._tensor(rows[part]))
            maps = self._only(seen, layer, rows)
            known = scores.detach().cpu().double().numpy()
            found = self._slopes(scores, maps, weigh(part, known), what, scan)
            return scores, maps[: len(scores)], found[:, : len(scores)]

        with as_found(self.module, self.name), requires_grad(self.module, False):
            parts = self._batches.over(
                len(rows), work, ("maps", *rows.shape[1:]), tried=self._tried(rows)
            )
        self.trust.settle(scan, what, rows)
        return (
            np.concatenate([scores for scores, _, _ in parts]),
            np.concatenate([maps for _, maps, _ in parts]),
            np.concatenate([found for _, _, found in parts], axis=1),
        )

    def feature_maps(
        self, rows: NDArray[Any], layer: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores `(n, k)` and maps `(n, c, *places)` at a spatial layer, with no gradient."""
        part_named, layout = self._part(layer, rows), self.layout(layer, rows)

        def work(part: slice) -> tuple[torch.Tensor, torch.Tensor]:
            with cut(part_named, layout, leaf=False) as seen:
                scores = self.scores_of(self._tensor(rows[part]))
            return scores, self._only(seen, layer, rows)[: len(scores)]

        with self._answering():
            parts = self._batches.over(
                len(rows), work, ("feature maps", *rows.shape[1:]), tried=self._tried(rows)
            )
        return (
            np.concatenate([scores for scores, _ in parts]),
            np.concatenate([maps for _, maps in parts]),
        )

    def differentiable(
        self, rows: NDArray[Any], *, leaf: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows as a batch on the module's device, and scores `(n, k)` with their graph: for training.

        The module's mode is used as it is; nothing is put back.

        Args:
            rows: `(n, *f)`, one batch.
            leaf: whether the batch needs a gradient.
        """
        batch = self._tensor(rows).requires_grad_(leaf)
        return batch, self.scores_of(batch)

    def try_if_odd(self, inputs: Inputs, /) -> None:
        """Makes the trial for a module that could not be tried when wrapped, if there is a reason."""
        if self._drew or mixes_rows(self.module):
            self.trial(inputs)

    def culprit(self, row: NDArray[Any]) -> str:
        """The first part of the module that gives numbers that are not finite, in a sentence."""
        with self._answering():
            batch = self._tensor(row[None])
            return first_not_finite(
                self.module,
                lambda: self._ready(batch.clone()),
                lambda: self.scores_of(batch.clone()),
            )

    def _part(self, layer: str, rows: NDArray[Any]) -> torch.nn.Module:
        part_named: torch.nn.Module | None = dict(self.module.named_modules()).get(layer)
        if part_named is None or not layer:
            raise InputError(
                f"Model {self.name!r} has no layer {layer!r}. {self._spatial.good_layers(rows)}"
            )
        return part_named

    def layout(self, layer: str, rows: NDArray[Any]) -> Layout | None:
        """How a layer's output holds maps, or None where it holds none."""
        return self._spatial.found(rows).layouts.get(layer)

    def layers(self, rows: NDArray[Any]) -> Layers:
        """Layers whose output has the rows' places: {name: (c, *places)}, in the order of execution."""
        return self._spatial.layers(rows)

    def masked(
        self,
        row: NDArray[Any],
        fills: NDArray[Any],
        players: NDArray[Any],
        masks: NDArray[Any],
        which: NDArray[Any],
        *,
        half: bool = False,
    ) -> NDArray[np.float64]:
        """Scores `(s, k)` of perturbed copies of one row, built on the module's device.

        With `half`, convolutions and matrix products are computed in bfloat16.
        """
        import torch

        if len(fills) > len(masks):
            used, which = np.unique(which, return_inverse=True)
            fills = fills[used]
        device = device_of(self.module)
        with self._answering(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            here, turned = self._tensor(row[None])[0], self.order.turns(1 + row.ndim)
            built = Perturbed(here, self._tensor(fills), players, turned=turned)

            def work(part: slice) -> tuple[torch.Tensor]:
                return (self.scores_of(built(masks[part], which[part])),)

            tried = self._tried(row[None])
            parts = self._batches.over(
                len(masks), work, ("half" if half else "scores", *row.shape), tried=tried
            )
        return np.concatenate([scores for (scores,) in parts])

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """A context in which no graph is kept.

        `inference_mode` is no faster here, and a module that caches a tensor of its forward pass (a
        table of positions, say) would be left with one that no later training step can use.
        """
        import torch

        with as_found(self.module, self.name), torch.inference_mode(False), torch.no_grad():
            before = torch.get_rng_state()
            yield
            self._drew = self._drew or not torch.equal(before, torch.get_rng_state())

    def _tried(self, rows: NDArray[Any]) -> tuple[int, ...]:
        """Batch sizes to choose from: on a CPU the best one is found by timing."""
        if device_of(self.module).type != "cpu":
            return ()
        return IMAGES_TRIED if rows.ndim > 2 else TABLES_TRIED

    def _tensor(self, rows: NDArray[Any]) -> torch.Tensor:
        """Rows on the module's device; at least float32, so that preprocessing keeps its digits."""
        import torch

        wanted = dtype_of(self.module)
        dtype = torch.float32 if wanted in (torch.float16, torch.bfloat16) else wanted
        dtype = torch.float64 if self.counts else dtype  # keeps codes beyond 2 ** 24 exact
        # A copy: one row turned around is contiguous for NumPy, and has strides torch does not take.
        batch = torch.from_numpy(np.array(rows, order="C")).to(device_of(self.module), dtype)
        if batch.ndim == 3:
            with torch.no_grad():
                self.order.settle(batch, self.scores_of)
        # Images stay channels last in memory, as they come: convolutions of batches are fastest so.
        return self.order.turned(batch)

    def prepared(self, rows: NDArray[Any]) -> torch.Tensor:
        """Rows as the module reads them: on its device, preprocessed, in its precision.

        Raises:
            IncompatibleError: the module reads several tensors.
        """
        import torch

        ready = self._ready(self._tensor(rows))
        if not isinstance(ready, torch.Tensor):
            raise IncompatibleError(
                f"This needs a module that reads one tensor, but {self.name!r} reads {len(ready)}. Wrap a "
                "small module that takes the whole row and calls it with its parts."
            )
        return ready

    def _given(self, leaf: torch.Tensor) -> torch.Tensor:
        """A leaf in a form that is safe to pass on: a first layer may write to its input.

        Compiled code gets the leaf itself: it looks for a gradient on any other tensor, which has none, and
        it writes only into copies of its own.
        """
        return leaf if compiled(self.module) else leaf.clone()

    def _ready(self, batch: torch.Tensor) -> Any:
        ready = batch if self.preprocess is None else self.preprocess(batch)
        parts = ready.values() if isinstance(ready, dict) else as_tuple(ready)
        self.counts = self.counts or not all(one.is_floating_point() for one in parts)
        return in_precision(ready, dtype_of(self.module))

    def scores_of(self, batch: torch.Tensor) -> torch.Tensor:
        """The module's scores `(n, k)` of a batch on its device, with their graph."""
        n = len(batch)
        batch = filled(batch, self.least)
        try:
            answer = self._answer(self._ready(batch))
        except WorkbenchError:
            raise
        except failures() as error:
            if out_of_memory(error):
                raise
            raise ModelError(
                f"Model {self.name!r} must accept a batch of shape {tuple(batch.shape)}, but failed: "
                f"{clean(said_by(error))} {advice(error)}"
            ) from error
        return as_scores(self.name, selected(self.name, answer, self.output), len(batch))[:n]

    def _answer(self, ready: Any) -> Any:
        """The module's answer; with channels first in memory for few images, or where it uses `view`."""
        if isinstance(ready, dict):
            return self.module(**{name: in_order(one) for name, one in ready.items()})
        if isinstance(ready, tuple):
            return self.module(*map(in_order, ready))
        if self._channels_last and ready.ndim == 4 and len(ready) >= _LAST_FROM:
            try:
                return self.module(ready)
            except RuntimeError as error:
                if in_order(ready) is ready or "view size is not compatible" not in str(error):
                    raise
                self._channels_last = False
        return self.module(in_order(ready))

    def _slopes(
        self, scores: torch.Tensor, leaf: torch.Tensor, weights: NDArray[Any], what: str, scan: Any
    ) -> torch.Tensor:
        return slopes_of(self.name, scores, leaf, weights, what, scan, counts=self.counts)

    def _only(self, seen: list[Any], layer: str, rows: NDArray[Any]) -> torch.Tensor:
        """The maps that a layer gave during a forward pass."""
        if len(seen) == 1 and self.layout(layer, rows) is not None:
            return cast("torch.Tensor", seen[0])
        raise InputError(self._spatial.refusal(layer, seen, rows))
