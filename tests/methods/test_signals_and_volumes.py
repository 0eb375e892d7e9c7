"""Methods on signals and volumes: values against captum, hooks and enumeration."""

import numpy as np
import pytest
import torch

import workbench as wb
from tests.every_coalition import shapley_of
from tests.places import Convolved, Recurrent, boxes, made, signals, turned, volumes
from workbench import methods
from workbench.coalitions.superpixels import even_cells
from workbench.compare import drift_per_row
from workbench.errors import InputError

captum = pytest.importorskip("captum.attr")
TARGET = wb.Target(1)
CASES = {
    "signal": (Convolved, signals, "second", "linear"),
    "volume": (boxes, volumes, "2", "trilinear"),
}
both = pytest.mark.parametrize("case", CASES)


def at_hand(case):
    build, rows, layer, mode = CASES[case]
    net, rows = made(build), rows()
    return net, rows, wb.wrap(net, like=rows, scale="raw"), layer, mode


@both
def test_shapley_values_of_four_segments_are_those_of_the_enumeration(case):
    net, rows, model, *_ = at_hand(case)
    method = methods.ExactShapley(segments=4, fill="mean")
    result = wb.explain(model, rows, method, TARGET)
    owners = even_cells(rows.places, 4)
    for row in range(len(rows)):
        fill = rows.values[row].mean(axis=tuple(range(rows.values.ndim - 2)))

        def score(present, row=row, fill=fill):
            kept = present[owners][..., None]
            copy = np.where(kept, rows.values[row], fill)
            return float(net(turned(copy[None]))[0, 1].detach())

        assert result.by_player(row) == pytest.approx(shapley_of(score, 4), abs=1e-12)
        assert result.base[row] == pytest.approx(score(np.zeros(4, bool)), abs=1e-12)


@both
@pytest.mark.parametrize(
    "method",
    [methods.KernelSHAP(segments=4, budget=64), methods.PermutationSHAP(segments=4, budget=600)],
    ids=lambda one: type(one).__name__,
)
def test_sampled_values_are_the_exact_ones(case, method):
    _, rows, model, *_ = at_hand(case)
    grid = type(method)(**{**vars(method), "superpixels": "grid"})
    exact = wb.explain(model, rows, methods.ExactShapley(segments=4), TARGET)
    found = wb.explain(model, rows, grid, TARGET)
    reach = 1e-9 if found.error is None else 5 * found.error.max() + 1e-9
    np.testing.assert_allclose(found.values, exact.values, atol=reach)


@both
def test_lime_by_coins_is_the_least_squares_line_through_all_coalitions(case):
    _, rows, _, *_ = at_hand(case)
    weights = np.random.default_rng(0).normal(size=rows.values.shape[1:])
    axes = tuple(range(1, rows.values.ndim))
    model = wb.wrap(lambda x: (x * weights).sum(axis=axes), outputs=["s"], scale="raw", like=rows)
    method = methods.LIME(segments=4, superpixels="grid", budget=300, ridge=0.0, fill="zero")
    found = wb.explain(model, rows, method, wb.Target(0))
    share = (rows.values * weights).sum(axis=-1)
    owners = even_cells(rows.places, 4)
    for row in range(len(rows)):
        wanted = [share[row][owners == part].sum() for part in range(4)]
        np.testing.assert_allclose(found.by_player(row), wanted, atol=1e-6)


@both
def test_integrated_gradients_are_captums(case):
    net, rows, model, *_ = at_hand(case)
    method = methods.IntegratedGradients(steps=40, fill="zero")
    found = wb.explain(model, rows, method, TARGET)
    given = turned(rows.values)
    theirs = captum.IntegratedGradients(net).attribute(
        given, torch.zeros_like(given), target=1, n_steps=40, method="gausslegendre"
    )
    # captum keeps its nodes in single precision.
    np.testing.assert_allclose(found.values, theirs.detach().movedim(1, -1).numpy(), atol=1e-10)


@both
def test_occlusion_drops_are_captums_over_the_windows_on_each_place(case):
    net, rows, model, *_ = at_hand(case)
    found = wb.explain(model, rows, methods.Occlusion(window=2, stride=2, fill="zero"), TARGET)
    channels = rows.values.shape[-1]
    shape = (channels, *(2,) * len(rows.places))
    # Windows side by side: each place is under one, and captum gives it that window's drop.
    theirs = captum.Occlusion(net).attribute(
        turned(rows.values), sliding_window_shapes=shape, strides=shape, baselines=0.0, target=1
    )
    np.testing.assert_allclose(found.values, theirs[:, 0].detach().numpy(), atol=1e-12)


@both
def test_cams_are_those_of_hooks_enlarged_by_torch(case):
    net, rows, model, layer, mode = at_hand(case)
    kept = {}
    part = dict(net.named_modules())[layer]
    handle = part.register_forward_hook(lambda _m, _g, out: kept.update(maps=out))
    score = net(turned(rows.values))[:, 1].sum()
    handle.remove()
    (slope,) = torch.autograd.grad(score, kept["maps"])
    maps, places = kept["maps"], tuple(range(2, slope.ndim))
    alpha = slope.mean(dim=places, keepdim=True)
    wanted = {
        methods.GradCAM: torch.relu((alpha * maps).sum(1, keepdim=True)),
        methods.HiResCAM: (slope * maps).sum(1, keepdim=True),
        methods.LayerCAM: torch.relu((torch.relu(slope) * maps).sum(1, keepdim=True)),
    }
    for method, small in wanted.items():
        large = torch.nn.functional.interpolate(
            small, size=rows.places, mode=mode, align_corners=False
        )[:, 0]
        found = wb.explain(model, rows, method(layer=layer), TARGET)
        np.testing.assert_allclose(found.values, large.detach().numpy(), atol=1e-12)


@both
def test_eigencam_is_the_first_component_and_scorecam_asks_masked_rows(case):
    net, rows, model, layer, mode = at_hand(case)
    kept = {}
    part = dict(net.named_modules())[layer]
    handle = part.register_forward_hook(lambda _m, _g, out: kept.update(maps=out.detach()))
    net(turned(rows.values))
    handle.remove()
    maps = kept["maps"]

    def large(small):
        return torch.nn.functional.interpolate(
            small, size=rows.places, mode=mode, align_corners=False
        )

    eigen = wb.explain(model, rows, methods.EigenCAM(layer=layer), TARGET).values
    for one, found in zip(maps, eigen, strict=True):
        left, sizes, _ = torch.linalg.svd(one.flatten(1).T, full_matrices=False)
        first = left[:, 0] * sizes[0]
        small = (first * torch.sign(first.sum())).reshape(1, 1, *one.shape[1:])
        np.testing.assert_allclose(found, large(small)[0, 0].numpy(), atol=1e-10)
    score = wb.explain(model, rows, methods.ScoreCAM(layer=layer, fill="zero"), TARGET).values
    for row, (one, found) in enumerate(zip(maps, score, strict=True)):
        up = large(one[:, None])
        flat = up.flatten(1)
        low, high = flat.min(1).values, flat.max(1).values
        shape = (-1, *(1,) * (up.ndim - 1))
        masks = (up - low.reshape(shape)) / (high - low).reshape(shape)
        asked = net(masks * turned(rows.values[row : row + 1]))[:, 1].detach()
        alpha = torch.softmax(asked, 0).reshape(-1, *(1,) * (one.ndim - 1))
        small = torch.relu((alpha * one).sum(0))[None, None]
        np.testing.assert_allclose(found, large(small)[0, 0].numpy(), atol=1e-12)


def test_a_recurrent_networks_values_are_captums_at_the_right_samples():
    net, rows = made(Recurrent), signals()
    model = wb.wrap(net, like=rows, scale="raw")
    found = wb.explain(model, rows, methods.IntegratedGradients(steps=60, fill="zero"), TARGET)
    given = torch.tensor(rows.values)
    theirs = captum.IntegratedGradients(net).attribute(
        given, torch.zeros_like(given), target=1, n_steps=60, method="gausslegendre"
    )
    np.testing.assert_allclose(found.values, theirs.detach().numpy(), atol=1e-10)


def test_gradient_shap_over_one_background_row_approaches_the_integral():
    _, rows, model, *_ = at_hand("signal")
    alone = rows.with_background(rows.background[:1])
    found = wb.explain(model, alone, methods.GradientSHAP(budget=2048), TARGET)
    net = made(Convolved)
    theirs = captum.IntegratedGradients(net).attribute(
        turned(rows.values), turned(rows.background[:1]), target=1, n_steps=400,
        method="gausslegendre",
    )  # fmt: skip
    off = np.abs(found.values - theirs.detach().movedim(1, -1).numpy())
    assert (off <= 5 * found.error + 1e-4).all()


@both
def test_copies_built_on_the_device_are_those_built_here(case):
    _, rows, model, *_ = at_hand(case)
    slow = wb.wrap(lambda x: model.predict(x), outputs=list("abc"), scale="raw", like=rows)
    method = methods.ExactShapley(segments=4)
    fast, other = (wb.explain(one, rows, method, TARGET) for one in (model, slow))
    assert model.masked is not None
    assert slow.masked is None
    np.testing.assert_allclose(fast.values, other.values, atol=1e-12)


@both
def test_a_result_is_saved_and_read_with_its_kind_and_its_parts(case, tmp_path):
    _, rows, model, *_ = at_hand(case)
    result = wb.explain(model, rows, methods.ExactShapley(segments=4), TARGET)
    result.save(tmp_path / "result")
    back = wb.read(tmp_path / "result")
    assert back.inputs.kind == case
    assert back.names == result.names
    np.testing.assert_array_equal(back.maps(), result.maps())


@both
def test_results_are_compared_by_the_metrics_that_places_without_a_plane_have(case):
    _, rows, model, *_ = at_hand(case)
    other = wb.wrap(made(CASES[case][0], seed=5), name="other", like=rows, scale="raw")
    study = wb.Study((model, other), (methods.Occlusion(window=2, stride=1),), rows, (TARGET,))
    first, second = wb.run(study)
    a, b = first.maps().reshape(len(rows), -1), second.maps().reshape(len(rows), -1)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(drift_per_row("cosine", first, second), 1 - cosine, atol=1e-12)
    k = -(-a.shape[1] // 20)
    tops = [[set(np.argsort(-np.abs(one), kind="stable")[:k]) for one in each] for each in (a, b)]
    wanted = [1 - len(x & y) / len(x | y) for x, y in zip(*tops, strict=True)]
    np.testing.assert_allclose(drift_per_row("top_places", first, second), wanted, atol=1e-12)
    for flat in ("ssim", "earth_mover"):
        with pytest.raises(InputError, match=flat):
            drift_per_row(flat, first, second)
