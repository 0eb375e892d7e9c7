"""CAMs over several layers, turned copies and principal components, beside the formulas in plain torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import workbench as wb
from tests.ensembles.ensembles_at_hand import small_cnns
from workbench import ensembles
from workbench.core import Inputs
from workbench.errors import IncompatibleError, InputError
from workbench.methods import (
    AblationCAM,
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    LayerCAM,
    XGradCAM,
)


def network() -> torch.nn.Sequential:
    """All channels of layer 4 are active, and maps are of the size of one."""
    torch.manual_seed(3)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 7, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(7, 5, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(5 * 8 * 6, 4),
    )
    with torch.no_grad():
        module[3].bias.add_(0.3)
        module[6].weight.mul_(30)
    return module.double().eval()


@pytest.fixture
def model():
    return wb.wrap(network(), name="images", outputs=tuple("abcd"), scale="logit")


@pytest.fixture
def images():
    return Inputs(np.random.default_rng(8).random((3, 16, 12, 3)), kind="image")


def tensor(rows):
    return torch.from_numpy(np.array(rows)).permute(0, 3, 1, 2)


def large(maps, size=(16, 12)):
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)[:, 0]


def layer_of(rows, layer, target):
    """Activations and gradients of one score, `(n, c, h, w)` each, with autograd through the whole."""
    module, kept = network(), {}
    module[layer].register_forward_hook(lambda m, i, out: kept.update(a=out))
    score = module(rows)[:, target].sum()
    return kept["a"].detach(), torch.autograd.grad(score, kept["a"])[0]


def plus_plus(a, g):
    """pytorch-grad-cam's formula, without its 1e-6."""
    second, third = g**2, g**3
    below = 2 * second + a.sum((2, 3), keepdim=True) * third
    alpha = torch.where(g != 0, second / torch.where(below != 0, below, 1.0), 0.0)
    return (F.relu(g) * alpha).sum((2, 3), keepdim=True)


def x_grad(a, g):
    total = a.sum((2, 3), keepdim=True)
    return (g * a).sum((2, 3), keepdim=True) / torch.where(total == 0, 1.0, total)


WEIGHTS = {
    GradCAM: lambda a, g: g.mean((2, 3), keepdim=True),
    HiResCAM: lambda a, g: g,
    LayerCAM: lambda a, g: F.relu(g),
    GradCAMPlusPlus: plus_plus,
    XGradCAM: x_grad,
}


def by_hand(method, rows, layer, target):
    a, g = layer_of(rows, layer, target)
    cam = (WEIGHTS[method](a, g) * a).sum(1, keepdim=True)
    return large(cam if method is HiResCAM else F.relu(cam))


def by_component(method, rows, layer, target):
    """The centered weighted channels times their first right singular vector, image by image."""
    a, g = layer_of(rows, layer, target)
    found = []
    for one in WEIGHTS[method](a, g) * a:
        flat = one.flatten(1).T.numpy()
        away = flat - flat.mean(axis=0)
        along = np.linalg.svd(away)[2][0]
        cam = away @ along
        cam = cam if cam @ flat.sum(axis=1) >= 0 else -cam
        found.append(torch.from_numpy(cam.reshape(one.shape[1:])))
    cam = torch.stack(found)[:, None]
    return large(cam if method is HiResCAM else F.relu(cam))


every = pytest.mark.parametrize("method", list(WEIGHTS))


@every
@pytest.mark.parametrize("layer", [1, 4])
@pytest.mark.parametrize("target", [0, 3])
def test_a_map_is_its_papers(model, images, method, layer, target):
    found = wb.explain(model, images, method(layer=str(layer)), wb.Target(target)).values
    wanted = by_hand(method, tensor(images.values), layer, target)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert np.abs(found).max() > 1e-3


@every
def test_several_layers_are_averaged(model, images, method):
    found = wb.explain(model, images, method(layer=("1", "4")), wb.Target(1))
    each = [wb.explain(model, images, method(layer=one), wb.Target(1)).values for one in "14"]
    np.testing.assert_allclose(found.values, np.mean(each, axis=0), atol=1e-14)
    assert found.method == method(layer="1, 4")
    assert found.evaluations == 2 * 3
    for words in ("Layer '1'", "Layer '4'", "the mean of those of 2 layers"):
        assert any(words in note for note in found.notes)


@every
def test_aug_smooth_is_the_mean_over_mirror_images_and_brightness(model, images, method):
    found = wb.explain(model, images, method(layer="4", aug_smooth=True), wb.Target(1))
    rows, maps = tensor(images.values), []
    for factor in (0.9, 1.0, 1.1):
        maps.append(by_hand(method, factor * rows, 4, 1))
        maps.append(by_hand(method, factor * rows.flip(3), 4, 1).flip(2))
    np.testing.assert_allclose(found.values, torch.stack(maps).mean(0), atol=1e-12)
    assert found.evaluations == 3 + 6 * 3
    np.testing.assert_allclose(found.output, model.scores(images.values)[:, 1])


@every
def test_eigen_smooth_is_the_first_component_of_the_weighted_channels(model, images, method):
    found = wb.explain(model, images, method(layer="4", eigen_smooth=True), wb.Target(1)).values
    wanted = by_component(method, tensor(images.values), 4, 1)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    plain = wb.explain(model, images, method(layer="4"), wb.Target(1)).values
    assert np.abs(found - plain).max() > 1e-3


def test_a_turned_copy_is_asked_about_the_rows_own_class(images):
    """The right half decides: the mirror image is predicted as the other class, yet not asked for it."""
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.Flatten()).double()
    head = torch.nn.Linear(2 * 16 * 12, 2).double()
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.weight.view(2, 2, 16, 12)[0, 0, :, :6] = 1.0
        head.weight.view(2, 2, 16, 12)[1, 0, :, 6:] = 1.0
        module[0].weight.fill_(1.0)
        module[0].bias.zero_()
    model = wb.wrap(module.append(head), name="sides", outputs=["left", "right"], scale="logit")
    values = images.values.copy()
    values[:, :, :6] *= 0.1
    rows = replace(images, values=values)
    found = wb.explain(model, rows, HiResCAM(aug_smooth=True), wb.Target.predicted())
    assert found.explained == ("right",) * 3
    named = wb.explain(model, rows, HiResCAM(aug_smooth=True), wb.Target("right"))
    np.testing.assert_array_equal(found.values, named.values)


def test_eigen_cam_is_averaged_too(model, images):
    found = wb.explain(model, images, EigenCAM("1, 4"), wb.Target(1)).values
    each = [wb.explain(model, images, EigenCAM(one), wb.Target(1)).values for one in "14"]
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-14)
    turned = replace(images, values=images.values[:, :, ::-1])
    both = [
        wb.explain(model, replace(one, values=factor * one.values), EigenCAM("4"), wb.Target(1))
        for one in (images, turned)
        for factor in (0.9, 1.0, 1.1)
    ]
    wanted = np.mean(
        [one.values if i < 3 else one.values[:, :, ::-1] for i, one in enumerate(both)], axis=0
    )
    found = wb.explain(model, images, EigenCAM("4", aug_smooth=True), wb.Target(1)).values
    np.testing.assert_allclose(found, wanted, atol=1e-13)


@pytest.mark.parametrize("layer", ["1", "4"])
@pytest.mark.parametrize("target", [0, 2])
def test_ablation_cam_weighs_each_channel_by_what_the_score_loses(model, images, layer, target):
    module, kept = network(), {}

    def without(channel):
        def hook(_module, _given, out):
            kept.setdefault("a", out.detach().clone())
            if channel is not None:
                out = out.clone()
                out[:, channel] = 0
            return out

        handle = module[int(layer)].register_forward_hook(hook)
        scores = module(tensor(images.values))[:, target].detach()
        handle.remove()
        return scores

    whole = without(None)
    loss = torch.stack([whole - without(c) for c in range(kept["a"].shape[1])], dim=1)
    cam = F.relu((loss[:, :, None, None] * kept["a"]).sum(1, keepdim=True))
    for batch in (1, 3, 50):
        found = wb.explain(
            replace(model, batch=batch), images, AblationCAM(layer), wb.Target(target)
        )
        np.testing.assert_allclose(found.values, large(cam), atol=1e-12)
    assert np.abs(found.values).max() > 1e-3
    np.testing.assert_allclose(found.output, whole, atol=1e-14)
    assert not any(part._forward_hooks for part in model.native.modules())


def test_ablation_cam_asks_no_row_for_a_channel_that_is_silent_and_says_what_it_left_out(images):
    module = network()
    with torch.no_grad():
        module[3].weight[2] = 0.0
        module[3].bias[2] = -1.0  # a ReLU follows: channel 2 is zero everywhere
    model = wb.wrap(module, name="images", outputs=tuple("abcd"), scale="logit")
    found = wb.explain(model, images[0], AblationCAM("4"), wb.Target(0))
    assert found.evaluations == 1 + 4
    assert not any("largest activations" in note for note in found.notes)
    few = wb.explain(model, images[0], AblationCAM("4", channels=2), wb.Target(0))
    assert few.evaluations == 1 + 2
    assert any("Of 5 channels at most the 2 with the largest" in note for note in few.notes)


def test_ablation_cam_is_not_turned_around_by_a_negative_logit(images):
    """A constant on the score changes no reason: the paper's division by the score would flip the map."""
    module = network()
    model = wb.wrap(module, name="images", outputs=tuple("abcd"), scale="logit")
    found = wb.explain(model, images, AblationCAM("4"), wb.Target(0)).values
    with torch.no_grad():
        module[6].bias[0] -= 100.0
    lower = wb.wrap(module, name="images", outputs=tuple("abcd"), scale="logit")
    again = wb.explain(lower, images, AblationCAM("4"), wb.Target(0)).values
    np.testing.assert_allclose(again, found, atol=1e-11)


def test_before_a_relu_grad_cam_plus_plus_stays_of_the_size_of_its_gradients(images):
    """Where a channel sums to less than zero the paper's share has a pole; here it is at most one half."""
    module = network()[:1].append(torch.nn.Flatten()).append(torch.nn.Linear(7 * 16 * 12, 4))
    model = wb.wrap(module.double(), name="bare", outputs=tuple("abcd"), scale="logit")
    found = wb.explain(model, images, GradCAMPlusPlus("0"), wb.Target(0)).values
    _, maps, gradients = model.activations(images.values, "0", np.tile(np.eye(4)[0], (1, 3, 1)))
    assert (maps.sum(axis=(2, 3)) < 0).any()
    most = np.maximum(gradients[0], 0).sum(axis=(2, 3)) / 2
    assert (found.max(axis=(1, 2)) <= (most * np.abs(maps).max(axis=(2, 3))).sum(axis=1)).all()


@pytest.mark.parametrize("layer", ["a, a", "a,", ("a", ""), ","])
def test_layers_are_different_names(layer):
    with pytest.raises(InputError, match=r"GradCAM.layer must be of different layers' names"):
        GradCAM(layer)


def test_a_layer_that_is_not_there_is_named(model, images):
    with pytest.raises(InputError, match=r"no layer 'nine'"):
        wb.explain(model, images, GradCAM("1, nine"), wb.Target(0))


def test_what_does_not_add_up_over_members_is_refused_for_an_ensemble_before_it_runs():
    ensemble = ensembles.vote(small_cnns(), [3, 1])
    rows = Inputs(np.random.default_rng(0).random((2, 9, 11, 3)), kind="image")
    layers = list(ensemble.combination.members[0].layers(rows.values))
    several = ", ".join(layers[-2:])
    for method in (
        GradCAM(aug_smooth=True),
        GradCAM(several),
        XGradCAM(eigen_smooth=True),
        HiResCAM(eigen_smooth=True),
        GradCAMPlusPlus(),
    ):
        with pytest.raises(IncompatibleError, match="such maps do not add up"):
            wb.explain(ensemble, rows, method, wb.Target(0))
    for method in (HiResCAM(several, aug_smooth=True), XGradCAM()):
        found = wb.explain(ensemble, rows, method, wb.Target(0))
        weights = found.provenance.ensemble.weights
        total = sum(w * part.values for w, part in zip(weights, found.parts, strict=True))
        total = np.maximum(total, 0) if isinstance(method, XGradCAM) else total
        np.testing.assert_allclose(found.values, total, atol=1e-12)
        if isinstance(method, HiResCAM):  # no maximum, taken before or after the map is enlarged
            alone = wb.explain(ensemble.combination.members[0], rows, method, wb.Target(0)).values
            np.testing.assert_allclose(found.parts[0].values, alone, atol=1e-6)  # float32 networks
