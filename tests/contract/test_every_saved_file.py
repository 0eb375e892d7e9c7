"""Every format that is read: a file of its own library scores and explains as the live object does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pytest
import safetensors.torch
import torch
import xgboost
from torch import nn

import workbench as wb
from tests.adapters_at_hand import KINDS, ModelOutput, images, of_frame, of_x, onnx_graph, table
from tests.boosters_at_hand import FRAME, THREE, X, Z
from workbench import methods
from workbench.core import Inputs


@dataclass
class Config:
    """What a Hugging Face model is made from."""

    columns: int = 6
    hidden: int = 8
    num_labels: int = 3


class Encoder(nn.Module):
    """A part with a name of its own, as transformers nest them."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embeddings = nn.Linear(config.columns, config.hidden)
        self.norm = nn.LayerNorm(config.hidden)

    def forward(self, rows):
        return torch.tanh(self.norm(self.embeddings(rows)))


class ForClassification(nn.Module):
    """What `AutoModelForSequenceClassification` looks like: base model, classifier, a dict-like answer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.base, self.classifier = Encoder(config), nn.Linear(config.hidden, config.num_labels)

    def forward(self, rows):
        hidden = self.base(rows)
        return ModelOutput(logits=self.classifier(hidden), hidden_states=hidden)


class Block(nn.Module):
    """torchvision's BasicBlock: two convolutions, two normalizations, a sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = (
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.relu = nn.ReLU(inplace=True)
        self.conv2, self.bn2 = (
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, maps):
        inner = self.relu(self.bn1(self.conv1(maps)))
        return self.relu(self.bn2(self.conv2(inner)) + maps)


class SmallResNet(nn.Module):
    """torchvision's names: conv1, layer1.0.conv1, fc."""

    def __init__(self, blocks: list[int], num_classes: int) -> None:
        super().__init__()
        self.conv1, self.avgpool = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)
        self.layer1 = nn.Sequential(*(Block(4) for _ in range(blocks[0])))
        self.fc = nn.Linear(4, num_classes)

    def forward(self, rows):
        return self.fc(torch.flatten(self.avgpool(self.layer1(self.conv1(rows))), 1))


def dumped_by_skops(native, path):
    import skops.io

    skops.io.dump(native, path)


def small_resnet(*, num_classes: int = 2) -> SmallResNet:
    """A factory as torchvision's `resnet18`."""
    return SmallResNet([2], num_classes)


def with_statistics(module: nn.Module, batch: torch.Tensor) -> nn.Module:
    torch.manual_seed(7)
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.4)
    module.train()(batch)
    return module


@dataclass(frozen=True)
class Saved:
    """One format, as its own library writes it.

    Args:
        live: makes the object.
        save: writes it to a path.
        rows: rows for it.
        words: further arguments of `load`.
        asked: further arguments of `wrap` for the live object.
    """

    suffix: str
    live: Callable[[], Any]
    save: Callable[[Any, str], object]
    rows: Callable[[], Inputs]
    words: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Any] = field(default_factory=dict)


def _huggingface() -> nn.Module:
    return with_statistics(ForClassification(Config()), torch.randn(9, 6))


def _torchvision() -> nn.Module:
    return with_statistics(small_resnet(num_classes=4), torch.rand(5, 3, 9, 8))


_quick: dict[str, Any] = {"n_estimators": 5, "max_depth": 3, "n_jobs": 1}
_answer = {"output": "logits", "outputs": ["a", "b", "c"]}
_xgboost = partial(lambda: xgboost.XGBClassifier(**_quick).fit(X, THREE))

FORMATS = {
    "safetensors, transformers' nesting": Saved(
        ".safetensors",
        _huggingface,
        lambda live, path: safetensors.torch.save_model(live, path),
        table,
        {"architecture": lambda: ForClassification(Config()), **_answer},
        _answer,
    ),
    "safetensors, torchvision's nesting": Saved(
        ".safetensors",
        _torchvision,
        lambda live, path: safetensors.torch.save_file(live.state_dict(), path),
        images,
        {"architecture": partial(small_resnet, num_classes=4)},
    ),
    "torch state dict": Saved(
        ".pt",
        _torchvision,
        lambda live, path: torch.save(live.state_dict(), path),
        images,
        {"architecture": partial(small_resnet, num_classes=4)},
    ),
    "torch checkpoint": Saved(
        ".ckpt",
        _huggingface,
        lambda live, path: torch.save({"state_dict": live.state_dict(), "epoch": 3}, path),
        table,
        {"architecture": lambda: ForClassification(Config()), **_answer},
        _answer,
    ),
    "skops Pipeline on raw columns": Saved(
        ".skops", KINDS["Pipeline on raw columns"].make, dumped_by_skops, of_frame
    ),
    "XGBoost UBJSON": Saved(".ubj", _xgboost, lambda live, path: live.save_model(path), of_x),
    "XGBoost JSON, categories": Saved(
        ".json",
        KINDS["XGBoost, categories"].make,
        lambda live, path: live.save_model(path),
        of_frame,
    ),
    "LightGBM text": Saved(
        ".txt",
        lambda: lightgbm.LGBMRegressor(**_quick, verbose=-1).fit(FRAME, Z),
        lambda live, path: live.booster_.save_model(path),
        of_frame,
    ),
    "CatBoost cbm": Saved(
        ".cbm",
        lambda: catboost.CatBoostRegressor(
            iterations=5, depth=3, verbose=0, thread_count=1, allow_writing_files=False
        ).fit(X, Z),
        lambda live, path: live.save_model(path),
        of_x,
    ),
    "ONNX": Saved(
        ".onnx",
        onnx_graph,
        lambda live, path: Path(path).write_bytes(live.SerializeToString()),
        table,
    ),
}


@pytest.mark.parametrize("saved", FORMATS.values(), ids=FORMATS.keys())
def test_a_saved_file_predicts_and_explains_as_the_live_object_bit_by_bit(saved, tmp_path):
    live, rows, path = saved.live(), saved.rows(), tmp_path / f"model{saved.suffix}"
    saved.save(live, str(path))
    model = wb.load(path, like=rows, **saved.words)
    original = wb.wrap(live, like=rows, **saved.asked)
    scores = original.scores(rows.values)
    np.testing.assert_array_equal(model.scores(rows.values), scores)
    assert len(np.unique(scores)) > 1
    assert set(model.capabilities) == set(original.capabilities)
    assert model.digest == original.digest
    recipes = [methods.ExactShapley(segments=3)]
    recipes += [methods.TreeSHAP()] if "trees" in model.capabilities else []
    recipes += [methods.IntegratedGradients(steps=8)] if "gradient" in model.capabilities else []
    recipes += [methods.GradCAM()] if "activations" in model.capabilities else []
    for recipe in recipes:
        found = wb.explain(model, rows, recipe, wb.Target(0))
        wanted = wb.explain(original, rows, recipe, wb.Target(0))
        np.testing.assert_array_equal(found.values, wanted.values)
        assert np.abs(found.values).max() > 0


def test_every_format_that_is_read_is_saved_here():
    from tests.hostile.seeds import SUFFIX

    assert set(SUFFIX.values()) <= {saved.suffix for saved in FORMATS.values()}
