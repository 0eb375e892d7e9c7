"""Models that break when they are told to, and what a model looks like from outside."""

from __future__ import annotations

import random
import time

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn

import workbench as wb
from tests.contract.test_every_method_on_every_model import images, rows_of_a_table
from workbench.core import Inputs, Model
from workbench.models.digest import object_digest


class Fault:
    """What goes wrong once it is `armed`; it counts its calls, and may break on the `last` of them."""

    def __init__(self, kind: str) -> None:
        self.kind, self.armed, self.calls, self.last = kind, False, 0, 7

    def before(self, rows):
        """The rows that the model goes on with."""
        if not self.armed:
            return rows
        self.calls += 1
        if self.kind == "raises in the middle" and self.calls == self.last:
            raise RuntimeError("in the middle")
        if self.kind == "raises KeyError":
            raise KeyError("column")
        if self.kind == "allocates":
            raise MemoryError("could not get 40 GB")
        if self.kind == "is interrupted":
            raise KeyboardInterrupt
        if self.kind == "sleeps":
            time.sleep(0.001)
        if self.kind == "mutates its input":
            kept = rows * 1
            rows *= 0
            return kept
        return rows

    def after(self, scores):
        """The scores that the model answers with; of torch or NumPy."""
        if not self.armed:
            return scores
        if self.kind == "NaN on some row":
            scores = scores * 1
            scores[-1, 0] = float("nan")
        if self.kind == "changes shape with the batch" and len(scores) > 1:
            return scores[:, :-1]
        if self.kind == "changes its number of rows":
            return scores[:-1]
        if self.kind == "answers with labels":
            return (
                scores.argmax(1)
                if isinstance(scores, torch.Tensor)
                else np.full(len(scores), "yes")
            )
        if self.kind == "depends on its batch":
            return scores - scores.mean(0)
        if self.kind == "is not repeatable":
            return scores + (
                torch.rand(()) if isinstance(scores, torch.Tensor) else np.random.rand()
            )
        return scores


class Net(nn.Module):
    """In training mode, with batch norm, dropout, an in-place layer and a user's own hook."""

    def __init__(self, body: nn.Module, fault: Fault) -> None:
        super().__init__()
        self.body, self.fault = body, fault
        self.body[0].register_forward_hook(_of_the_user)

    def forward(self, rows):
        return self.fault.after(self.body(self.fault.before(rows)))


def _of_the_user(_module, _given, _out):
    """Stays where it is."""


def torch_table(fault: Fault) -> Model:
    torch.manual_seed(0)
    layers = nn.Linear(6, 9), nn.BatchNorm1d(9), nn.ReLU(inplace=True), nn.Dropout(0.5)
    return _wrapped(nn.Sequential(*layers, nn.Linear(9, 3)), fault, rows_of_a_table())


def torch_images(fault: Fault) -> Model:
    torch.manual_seed(0)
    first = nn.Conv2d(3, 7, 3, padding=1), nn.BatchNorm2d(7), nn.ReLU(inplace=True)
    then = nn.Conv2d(7, 5, 3, stride=2), nn.ReLU(inplace=True), nn.Dropout(0.5)
    last = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3)
    return _wrapped(nn.Sequential(*first, *then, *last), fault, images())


def _wrapped(body: nn.Module, fault: Fault, like: Inputs) -> Model:
    net = Net(body, fault).train()
    sample = torch.tensor(like.values, dtype=torch.float32)
    net(sample.permute(0, 3, 1, 2) if sample.ndim == 4 else sample).sum().backward()
    return wb.wrap(net, name="net", outputs=list("abc"), scale="logit", like=like, batch=16)


def numpy_table(fault: Fault) -> Model:
    weights = np.random.default_rng(0).normal(size=(6, 3))
    return _function(lambda rows: np.tanh(rows) @ weights, fault, rows_of_a_table())


def numpy_images(fault: Fault) -> Model:
    return _function(lambda rows: np.tanh(rows.mean(axis=(1, 2))), fault, images())


def _function(answer, fault: Fault, like: Inputs) -> Model:
    def function(rows):
        return fault.after(answer(fault.before(rows)))

    return wb.wrap(function, outputs=list("abc"), scale="logit", like=like, batch=16)


def forest(fault: Fault) -> Model:
    """Its trees are read whole; its probabilities break."""
    rng = np.random.default_rng(13)
    rows = rng.normal(size=(120, 6))
    classes = (rows[:, 0] > 0).astype(int) + (rows[:, 1] > 1)
    made = RandomForestClassifier(4, max_depth=3, random_state=0).fit(rows, classes)
    sound = made.predict_proba
    made.predict_proba = lambda rows: fault.after(sound(fault.before(rows)))
    return wb.wrap(made, like=rows_of_a_table(), batch=16)


MAKERS = {
    "torch table": torch_table,
    "torch images": torch_images,
    "NumPy table": numpy_table,
    "NumPy images": numpy_images,
    "forest": forest,
}


def outside(model: Model) -> dict:
    """Everything of a model and of the session that an explanation must leave alone."""
    found = {
        "torch": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
    }
    native = model.native
    if not isinstance(native, nn.Module):
        fitted = {name: one for name, one in vars(native).items() if name != "predict_proba"}
        return {**found, "fitted": object_digest(fitted)}
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        **found,
        "parts": [(name, id(part)) for name, part in native.named_modules()],
        "modes": [part.training for part in native.modules()],
        "hooks": [list(getattr(part, name)) for part in native.modules() for name in hooks],
        "buffers": {name: one.tolist() for name, one in native.named_buffers()},
        "weights": {name: one.tolist() for name, one in native.named_parameters()},
        "slopes": {name: one.grad.tolist() for name, one in native.named_parameters()},
        "asked": [one.requires_grad for one in native.parameters()],
        "attributes": [sorted(vars(part)) for part in native.modules()],
    }
