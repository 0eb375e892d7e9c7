"""A network whose height and width are free has its outputs counted by trying, as the docs say."""

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import workbench as wb
from workbench.errors import IncompatibleError, InputError
from workbench.models import Normalize


class Block(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = nn.Conv2d(channels, out, 1, stride)

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + self.downsample(x)).relu()


class ResNet(nn.Module):
    """A residual network with adaptive pooling, in torchvision's names."""

    def __init__(self, num_classes: int = 7) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2 = Block(8, 8, 1), Block(8, 16, 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, num_classes)

    def forward(self, x):
        x = self.layer2(self.layer1(self.maxpool(self.bn1(self.conv1(x)).relu())))
        return self.fc(self.avgpool(x).flatten(1))


class FullyConvolutional(nn.Module):
    """Answers with one score per place, of which there are as many as the image has room for."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 16, 16)

    def forward(self, x):
        return self.conv(x).flatten(1)


class Shrinking(nn.Module):
    """Takes away so much that small images have nothing left."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 101), nn.Linear(4, 5)

    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))


class Fixed(nn.Module):
    """Takes images of one size alone."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 2, 4, 4), nn.Linear(2 * (size // 4) ** 2, 6)

    def forward(self, x):
        return self.head(self.conv(x).flatten(1))


@pytest.mark.parametrize(
    ("module", "outputs"),
    [(ResNet(), 7), (ResNet(2), 2), (Shrinking(), 5), (Fixed(64), 6), (Fixed(224), 6)],
)
@pytest.mark.parametrize("preprocess", [None, Normalize([0.5] * 3, [0.2] * 3)])
def test_outputs_are_counted_without_rows(module, outputs, preprocess):
    model = wb.wrap(module.eval(), preprocess=preprocess)
    assert model.outputs == tuple(f"y{k}" for k in range(outputs))
    assert model.shape == (None, None, 3)
    assert model.kind == "image"


def test_a_shape_that_is_given_in_part_is_tried_so():
    model = wb.wrap(ResNet().eval(), shape=(None, 40, 3))
    assert (len(model.outputs), model.shape) == (7, (None, 40, 3))


def test_a_number_of_outputs_that_follows_the_size_is_not_made_up():
    with pytest.raises(InputError, match="does not say how many outputs"):
        wb.wrap(FullyConvolutional().eval())


def test_a_network_of_no_size_that_is_tried_is_not_made_up_either():
    with pytest.raises(InputError, match="does not say how many outputs"):
        wb.wrap(Fixed(36).eval())
    assert len(wb.wrap(Fixed(36).eval(), shape=(36, 36, 3)).outputs) == 6


def test_answers_that_are_no_scores_are_refused_with_their_shape():
    with pytest.raises(IncompatibleError, match="64, 64"):
        wb.wrap(nn.Sequential(nn.Conv2d(3, 2, 3, padding=1)).eval())


def test_the_module_is_left_as_it_was():
    module = ResNet().train()
    wb.wrap(module)
    assert module.training
    assert int(module.bn1.num_batches_tracked) == 0


def test_weights_of_such_a_network_load_without_another_word(tmp_path):
    torch.manual_seed(0)
    module = ResNet(4).eval()
    safetensors.torch.save_file(module.state_dict(), tmp_path / "net.safetensors")
    model = wb.load(tmp_path / "net.safetensors", architecture=lambda: ResNet(num_classes=4))
    rows = np.random.default_rng(0).random((2, 30, 50, 3))
    np.testing.assert_array_equal(model.scores(rows), wb.wrap(module).scores(rows))
