"""Wrappers of torch and peft are looked through; what does more than pass arguments on is left."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench import methods, variants

IMAGES = np.random.default_rng(0).random((4, 12, 10, 3))
ROWS = wb.Inputs(IMAGES, kind="image", background=IMAGES[:1] * 0)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    ).eval()


def plain():
    return wb.wrap(net(), like=ROWS)


def compiled_in_place() -> nn.Module:
    module = net()
    module.compile(backend="eager")
    return module


WRAPPERS = {
    "DataParallel": lambda: nn.DataParallel(net()),
    "OptimizedModule": lambda: torch.compile(net(), backend="eager"),
    "AveragedModel": lambda: torch.optim.swa_utils.AveragedModel(net()),
    "DataParallel and OptimizedModule": lambda: nn.DataParallel(
        torch.compile(net(), backend="eager")
    ),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_is_looked_through_and_named(name):
    module = WRAPPERS[name]()
    model = wb.wrap(module, like=ROWS)
    assert model.name == "Sequential"
    assert [note for note in model.notes if f"inside of {name} is asked" in note]
    np.testing.assert_array_equal(model.scores(IMAGES), plain().scores(IMAGES))
    own = module(torch.tensor(IMAGES, dtype=torch.float32).permute(0, 3, 1, 2)).detach().numpy()
    np.testing.assert_array_equal(model.scores(IMAGES), own.astype(np.float64))


@pytest.mark.parametrize("make", [*WRAPPERS.values(), compiled_in_place])
def test_its_maps_gradients_and_copies_are_those_of_the_network_inside(make):
    model = wb.wrap(make(), like=ROWS)
    for method in (methods.GradCAM(), methods.IntegratedGradients(fill="zero", steps=4)):
        mine, theirs = (wb.explain(one, ROWS, method, wb.Target(1)) for one in (model, plain()))
        np.testing.assert_array_equal(mine.values, theirs.values)
    copies = [variants.prune_channels(one, 0.3, rows=ROWS) for one in (model, plain())]
    np.testing.assert_array_equal(copies[0].scores(IMAGES), copies[1].scores(IMAGES))


def test_a_wrapper_with_hooks_or_of_a_users_own_class_is_left_in_place():
    hooked = nn.DataParallel(net())
    hooked.register_forward_hook(lambda _module, _given, out: 2 * out)

    class Doubling(nn.DataParallel):
        def forward(self, rows):
            return 2 * self.module(rows)

    for module in (hooked, Doubling(net())):
        model = wb.wrap(module, like=ROWS)
        np.testing.assert_array_equal(model.scores(IMAGES), 2 * plain().scores(IMAGES))
        assert not [note for note in model.notes if "inside of" in note]


class LoraLinear(nn.Module):
    """A layer with an adapter beside it, in peft's names."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.base_layer = layer
        self.lora_A = nn.Linear(layer.in_features, 2, bias=False)
        self.lora_B = nn.Linear(2, layer.out_features, bias=False)

    def forward(self, rows):
        return self.base_layer(rows) + self.lora_B(self.lora_A(rows))


class LoraModel(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        model[5] = LoraLinear(model[5])
        self.model = model

    def forward(self, *args, **kwargs):
        return self.model(*args, **kwargs)


class PeftModel(nn.Module):
    """peft's outer class: a tuner around the network, or for prompts the network itself."""

    def __init__(self, model: nn.Module, *, prompts: bool = False) -> None:
        super().__init__()
        self.base_model = model if prompts else LoraModel(model)
        self.prompts = prompts
        self.shift = nn.Parameter(torch.tensor(0.5))

    def get_base_model(self):
        return self.base_model if self.prompts else self.base_model.model

    def forward(self, rows):
        return self.base_model(rows + self.shift) if self.prompts else self.base_model(rows)


class PeftModelForSequenceClassification(PeftModel):
    pass


@pytest.mark.parametrize("kind", [PeftModel, PeftModelForSequenceClassification])
def test_adapters_of_peft_are_looked_through_and_stay_part_of_the_model(kind):
    torch.manual_seed(1)
    module = kind(net()).eval()
    model = wb.wrap(module, like=ROWS)
    assert [note for note in model.notes if f"inside of {kind.__name__}" in note]
    own = module(torch.tensor(IMAGES, dtype=torch.float32).permute(0, 3, 1, 2)).detach().numpy()
    np.testing.assert_array_equal(model.scores(IMAGES), own.astype(np.float64))
    assert np.abs(model.scores(IMAGES) - plain().scores(IMAGES)).max() > 1e-3


class Holding(nn.Module):
    """A network that keeps its layers in `model`, as language models do."""

    def __init__(self) -> None:
        super().__init__()
        self.model = net()

    def forward(self, rows):
        return 3 * self.model(rows)


def test_prompts_of_peft_are_part_of_the_model():
    module = PeftModel(Holding(), prompts=True).eval()
    model = wb.wrap(module, like=ROWS)
    own = module(torch.tensor(IMAGES, dtype=torch.float32).permute(0, 3, 1, 2)).detach().numpy()
    np.testing.assert_array_equal(model.scores(IMAGES), own.astype(np.float64))
    assert not [note for note in model.notes if "inside of" in note]


def test_looking_through_leaves_the_wrapper_as_it_was():
    module = nn.DataParallel(net().train())
    before = copy.deepcopy(module.state_dict())
    wb.explain(wb.wrap(module, like=ROWS), ROWS, methods.GradCAM(), wb.Target(0))
    assert module.training
    assert all(part.training for part in module.modules())
    assert all(torch.equal(now, before[name]) for name, now in module.state_dict().items())
