"""Integrated Gradients, GradientSHAP, Occlusion and the CAMs beside captum and plain torch."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import workbench as wb
from workbench.core import Inputs
from workbench.gradients.cam import enlarged
from workbench.methods import (
    GradCAM,
    GradientSHAP,
    HiResCAM,
    IntegratedGradients,
    LayerCAM,
    Occlusion,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum's imports warn about their own dependencies
    import captum.attr


@pytest.fixture
def module():
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 7, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(7, 5, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(5, 4),
    ).eval()


@pytest.fixture
def model(module):
    return wb.wrap(module, name="images", outputs=tuple("abcd"), scale="logit")


@pytest.fixture
def images():
    rng = np.random.default_rng(8)
    return Inputs(
        rng.random((3, 16, 12, 3)).astype(np.float32),
        kind="image",
        background=rng.random((2, 16, 12, 3)).astype(np.float32),
    )


def tensor(rows):
    return torch.from_numpy(np.array(rows)).permute(0, 3, 1, 2)


def slow_cam(module, layer, rows, target, combine):
    """The paper's definition with autograd through the whole network, one image at a time."""
    maps = []
    for row in tensor(rows):
        kept = {}
        handle = module[layer].register_forward_hook(
            lambda m, i, out, kept=kept: kept.update(a=out)
        )
        score = module(row[None])[0, target]
        handle.remove()
        (gradient,) = torch.autograd.grad(score, kept["a"])
        cam = combine(kept["a"].detach(), gradient)
        maps.append(
            F.interpolate(cam, size=row.shape[1:], mode="bilinear", align_corners=False)[0, 0]
        )
    return torch.stack(maps).numpy()


FORMULAS = {
    GradCAM: lambda a, g: F.relu((g.mean((2, 3), keepdim=True) * a).sum(1, keepdim=True)),
    HiResCAM: lambda a, g: (g * a).sum(1, keepdim=True),
    LayerCAM: lambda a, g: F.relu((F.relu(g) * a).sum(1, keepdim=True)),
}


@pytest.mark.parametrize("method", list(FORMULAS))
@pytest.mark.parametrize("layer", [1, 4])
@pytest.mark.parametrize("target", [0, 3])
def test_a_cam_equals_its_paper_in_plain_torch(model, module, images, method, layer, target):
    ours = wb.explain(model, images, method(layer=str(layer)), wb.Target(target))
    slow = slow_cam(module, layer, images.values, target, FORMULAS[method])
    np.testing.assert_allclose(ours.values, slow, atol=1e-7, rtol=1e-5)  # float32
    assert np.abs(slow).max() > 1e-4


def test_grad_cam_takes_the_last_spatial_layer_by_itself(model, images):
    chosen = wb.explain(model, images, GradCAM(), wb.Target(1))
    named = wb.explain(model, images, GradCAM(layer="4"), wb.Target(1))
    np.testing.assert_array_equal(chosen.values, named.values)
    assert any("Layer '4', 8 x 6 places" in note for note in chosen.notes)


def test_grad_cam_agrees_with_captum(model, module, images):
    ours = wb.explain(model, images, GradCAM(layer="4"), wb.Target(2))
    peer = captum.attr.LayerGradCam(module, module[4])
    small = peer.attribute(tensor(images.values), target=2, relu_attributions=True)
    theirs = F.interpolate(small, size=(16, 12), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(ours.values, theirs.detach()[:, 0].numpy(), atol=1e-7, rtol=1e-5)


def test_integrated_gradients_agree_with_captum(model, module, images):
    ours = wb.explain(model, images, IntegratedGradients(steps=20, fill="zero"), wb.Target(1))
    theirs = captum.attr.IntegratedGradients(module).attribute(
        tensor(images.values), target=1, n_steps=20, method="gausslegendre"
    )
    np.testing.assert_allclose(
        ours.values, theirs.detach().permute(0, 2, 3, 1).numpy(), atol=1e-7, rtol=1e-4
    )


def test_gradient_shap_agrees_with_captums_within_the_errors(model, module, images):
    ours = wb.explain(model, images, GradientSHAP(budget=600), wb.Target(0))
    state = np.random.get_state()
    found = []
    for seed in range(12):
        np.random.seed(seed)
        torch.manual_seed(seed)
        theirs = captum.attr.GradientShap(module).attribute(
            tensor(images.values),
            baselines=tensor(images.background),
            n_samples=600,
            stdevs=0.0,
            target=0,
        )
        found.append(theirs.detach().permute(0, 2, 3, 1).numpy())
    np.random.set_state(state)
    # captum's points are independent, so its own error is larger: it is taken from its runs.
    theirs, spread = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    z = (ours.values - theirs) / np.maximum(np.hypot(ours.error, spread), 1e-9)
    assert (
        0.5 < np.sqrt((z**2).mean()) < 1.4
    )  # one sample moves all pixels: 1 on average, not each time


def test_occlusion_agrees_with_captum_where_windows_tile_the_image(model, module, images):
    ours = wb.explain(model, images, Occlusion(window=4, stride=4, fill="zero"), wb.Target(3))
    theirs = captum.attr.Occlusion(module).attribute(
        tensor(images.values), sliding_window_shapes=(3, 4, 4), strides=(3, 4, 4), target=3
    )
    np.testing.assert_allclose(ours.maps(), theirs[:, 0].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new"),
    [((4, 3), (16, 12)), ((5, 5), (7, 11)), ((1, 3), (4, 4)), ((8, 8), (8, 8)), ((9, 7), (4, 3))],
)
def test_maps_are_enlarged_as_torch_does(old, new):
    maps = np.random.default_rng(0).normal(size=(2, *old))
    theirs = F.interpolate(
        torch.from_numpy(maps)[None], size=new, mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(enlarged(maps, new), theirs[0].numpy(), atol=1e-12)
