"""Saliency, Input x Gradient and SmoothGrad: by hand, and as captum has them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import workbench as wb
from tests.methods.test_integrated_gradients import BACK, ROW, cubes
from tests.models_in_numpy import tanh_network
from workbench.core import Inputs, Model
from workbench.errors import IncompatibleError, InputError
from workbench.methods import (
    GradCAM,
    InputXGradient,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # captum's imports warn about their own dependencies
    import captum.attr


def network() -> tuple[torch.nn.Module, Model]:
    torch.manual_seed(3)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Flatten(),
        torch.nn.Linear(4 * 5 * 6, 3),
    ).double().eval()  # fmt: skip
    return module, wb.wrap(module, name="images", outputs=tuple("abc"), scale="logit")


def images(n: int = 3) -> Inputs:
    return Inputs(np.random.default_rng(8).random((n, 5, 6, 2)), kind="image")


def tensor(rows):
    return torch.from_numpy(np.array(rows)).permute(0, 3, 1, 2)


def ours(found):
    return found.detach().permute(0, 2, 3, 1).numpy()


def test_at_a_cube_they_are_its_derivative_by_hand():
    """y0 = a^3 + 2 b at (2, 3, 6): slopes 12, 2 and 0; y1 = b^2 c: 0, 36 and 9."""
    rows = Inputs(ROW, kind="tabular")
    contrast = wb.Target("y0", against="y1")
    found = wb.explain(cubes(), rows, Saliency(absolute=False), contrast)
    np.testing.assert_array_equal(found.values, [[12, 2 - 36, -9]])
    assert np.isnan(found.base).all()
    found = wb.explain(cubes(), rows, Saliency(), contrast)
    np.testing.assert_array_equal(found.values, [[12, 34, 9]])
    found = wb.explain(cubes(), rows, InputXGradient(), contrast)
    np.testing.assert_array_equal(found.values, [[24, -34 * 3, -9 * 6]])


@pytest.mark.parametrize("target", [0, 2])
def test_they_are_captums(target):
    module, model = network()
    rows = images()
    for method, peer, how in (
        (Saliency(), captum.attr.Saliency(module), {}),  # captum's default is the size, too
        (Saliency(absolute=False), captum.attr.Saliency(module), {"abs": False}),
        (InputXGradient(), captum.attr.InputXGradient(module), {}),
        (
            IntegratedGradients(steps=6, fill="zero", multiply_by_inputs=False),
            captum.attr.IntegratedGradients(module, multiply_by_inputs=False),
            {"n_steps": 6, "method": "gausslegendre"},
        ),
    ):
        found = wb.explain(model, rows, method, wb.Target(target))
        theirs = peer.attribute(tensor(rows.values).requires_grad_(), target=target, **how)
        np.testing.assert_allclose(found.values, ours(theirs), atol=1e-12)
        assert np.abs(found.values).max() > 1e-3


def test_a_mean_slope_sums_to_nothing_and_says_so():
    rows = Inputs(ROW, kind="tabular", background=BACK)
    whole = wb.explain(cubes(), rows, IntegratedGradients(steps=5), wb.Target(0))
    mean = wb.explain(
        cubes(), rows, IntegratedGradients(steps=5, multiply_by_inputs=False), wb.Target(0)
    )
    np.testing.assert_allclose(mean.values * (ROW - 1), whole.values, atol=1e-12)
    assert not mean.method.additive
    assert whole.method.additive
    assert np.isnan(mean.base).all()
    assert np.isnan(mean.gap).all()
    assert (mean.evaluations, whole.evaluations) == (5 + 1, 5 + 1 + 1)  # without the base's score


GROUPED = {"ac": ("x0", "x2")}


@pytest.mark.parametrize("method", [IntegratedGradients(steps=5), InputXGradient()], ids=repr)
def test_a_group_is_a_player_whose_value_is_that_of_the_group_moved_as_one(method):
    """The directional derivative along a group's columns, by a model of one column for each player."""
    row, start = np.array([2.0, 3.0, 6.0]), BACK.mean(axis=0)
    start = start if isinstance(method, IntegratedGradients) else 0 * start
    rows = Inputs(ROW, kind="tabular", background=BACK, groups=GROUPED)
    found = wb.explain(cubes(), rows, method, wb.Target(1))
    assert found.names == ("ac", "x1")
    along = np.array([[1.0, 0, 1], [0, 1, 0]]) * (row - start)  # players by columns

    def predict(shares):
        return cubes().predict(start + shares @ along)

    def gradient(shares, weights):
        scores, slopes = cubes().gradient(start + shares @ along, weights)
        return scores, slopes @ along.T

    two = Model("two", predict, ("y0", "y1"), "raw", gradient=gradient)
    shares = Inputs([[1.0, 1.0]], kind="tabular", background=[[0.0, 0.0]])
    alone = wb.explain(two, shares, method, wb.Target(1))
    np.testing.assert_allclose(found.by_player(0), alone.values[0], atol=1e-12)
    assert found.by_player(0).all()


@pytest.mark.parametrize(
    "method", [Saliency(), IntegratedGradients(multiply_by_inputs=False), SmoothGrad()], ids=repr
)
def test_where_values_do_not_add_up_groups_are_not_played_and_that_is_said(method):
    rows = Inputs(ROW, kind="tabular", background=BACK, groups=GROUPED)
    found = wb.explain(cubes(), rows, method, wb.Target(1))
    assert found.names == ("x0", "x1", "x2")
    assert any("groups are not played" in note for note in found.notes)
    ungrouped = wb.explain(cubes(), replace(rows, groups={}), method, wb.Target(1))
    np.testing.assert_array_equal(found.values, ungrouped.values)
    assert not any("groups" in note for note in ungrouped.notes)


@pytest.mark.parametrize("average", ["smoothgrad", "smoothgrad_sq", "vargrad"])
def test_noise_around_a_square_has_the_moments_of_its_slope(average):
    """y = x^2 at 3 with noise of 0.2 * 2: a slope of 2 (3 + e), e normal with deviation 0.4."""
    square = Model(
        "square", lambda rows: rows**2, ("y",), "raw",
        gradient=lambda rows, weights: (rows**2, 2 * rows * weights),
    )  # fmt: skip
    rows = Inputs([[3.0]], kind="tabular", background=[[-2.0], [2.0]])
    recipe = SmoothGrad(Saliency(absolute=False), average=average, samples=4096, noise=0.2)
    found = wb.explain(square, rows, recipe)
    variance = (2 * 0.4) ** 2
    truth = {"smoothgrad": 6.0, "smoothgrad_sq": 36 + variance, "vargrad": variance}[average]
    spread = {  # one draw's: of v, of v^2, of (v - mean)^2
        "smoothgrad": variance,
        "smoothgrad_sq": 2 * variance**2 + 4 * 36 * variance,
        "vargrad": 2 * variance**2,
    }[average]
    stated = np.sqrt(spread / 4096)
    assert abs(found.values[0, 0] - truth) < 4 * stated
    # A standard deviation of 4096 draws, in one case of squares of squares, is known to a tenth.
    assert found.error[0, 0] == pytest.approx(stated, rel=0.1)


@pytest.mark.parametrize("batch", [1, 3, 8, 50])
@pytest.mark.parametrize("average", ["smoothgrad", "smoothgrad_sq", "vargrad"])
def test_it_is_the_plain_average_over_the_copies_in_batches_of_any_size(batch, average):
    model = replace(tanh_network(), batch=batch)
    rng = np.random.default_rng(0)
    rows = Inputs(rng.normal(size=(2, 6)), kind="tabular", background=rng.normal(size=(9, 6)))
    recipe = SmoothGrad(InputXGradient(), average=average, samples=8, seed=5)
    found = wb.explain(model, rows, recipe, wb.Target(1))
    noise = np.random.default_rng(5).standard_normal((8, 6)) * 0.15 * rows.background.std(axis=0)
    for row in range(2):
        copies = replace(rows[[row] * 8], values=rows.values[row] + noise)
        each = wb.explain(tanh_network(), copies, InputXGradient(), wb.Target(1)).values
        wanted, spread = {
            "smoothgrad": (each.mean(axis=0), each),
            "smoothgrad_sq": ((each**2).mean(axis=0), each**2),
            "vargrad": (each.var(axis=0), (each - each.mean(axis=0)) ** 2),
        }[average]
        np.testing.assert_allclose(found.values[row], wanted, atol=1e-12)
        error = spread.std(axis=0) / np.sqrt(7)
        np.testing.assert_allclose(found.error[row], error, atol=1e-12)


def test_each_rows_own_class_is_decided_at_the_row_and_not_at_its_copies():
    """Two outputs that swap places just beside the row: half of the copies are predicted otherwise."""
    slopes = np.array([[1.0, -1.0]])
    model = Model(
        "swap", lambda rows: rows @ slopes, ("up", "down"), "logit",
        gradient=lambda rows, w: (rows @ slopes, np.einsum("tnk,fk->tnf", w, slopes)),
    )  # fmt: skip
    rows = Inputs([[1e-9]], kind="tabular", background=[[-1.0], [1.0]])
    found = wb.explain(model, rows, SmoothGrad(Saliency(absolute=False)))
    assert found.values[0, 0] == 1.0
    assert found.explained == ("up",)


def test_it_goes_around_every_gradient_method_given_as_a_recipe_a_class_or_in_words():
    recipe = SmoothGrad(IntegratedGradients(steps=20))
    assert recipe == SmoothGrad("IntegratedGradients(steps=20)")
    assert recipe.inner == IntegratedGradients(steps=20)
    assert SmoothGrad(GradCAM).inner == GradCAM()
    assert SmoothGrad(GradCAM("a, b")).inner == GradCAM("a, b")
    assert SmoothGrad(GradCAM).kinds == GradCAM.kinds
    assert SmoothGrad().linear is False
    assert SmoothGrad(InputXGradient).linear is True
    assert SmoothGrad(InputXGradient, average="vargrad").linear is False
    module, model = network()
    state = {name: one.clone() for name, one in module.state_dict().items()}
    for inner in (GradCAM(), IntegratedGradients(steps=3), Saliency()):
        still = wb.explain(model, images(), SmoothGrad(inner, noise=0.0, samples=2), wb.Target(0))
        plain = wb.explain(model, images(), inner, wb.Target(0))
        np.testing.assert_allclose(still.values, plain.values, atol=1e-14)
        np.testing.assert_allclose(still.error, 0, atol=1e-14)
    assert all(torch.equal(one, state[name]) for name, one in module.state_dict().items())


@pytest.mark.parametrize(
    "around",
    [
        "KernelSHAP()",
        "SmoothGrad()",
        "Saliency(",
        "Saliency(True)",
        "__import__('os').getcwd()",
        "",
    ],
)
def test_what_is_no_gradient_method_is_refused_with_those_that_are(around):
    with pytest.raises(InputError, match=r"around must name a gradient method, .*InputXGradient"):
        SmoothGrad(around)


def test_parameters_of_the_method_inside_are_checked_too():
    with pytest.raises(InputError, match=r"IntegratedGradients.steps must lie in 2 … 512"):
        SmoothGrad("IntegratedGradients(steps=1)")
    with pytest.raises(InputError, match=r"Saliency has the parameters \['absolute'\]"):
        SmoothGrad("Saliency(size=1)")


def test_categories_get_no_noise_and_a_table_without_background_is_refused():
    asked = []

    def gradient(rows, weights):
        asked.append(rows.copy())
        return rows.sum(axis=1, keepdims=True), np.ones((len(weights), *rows.shape))

    model = Model("sum", lambda x: x.sum(axis=1, keepdims=True), ("y",), "raw", gradient=gradient)
    rows = Inputs(
        [[1.0, 2.0]], kind="tabular", background=[[0.0, 1.0], [2.0, 5.0]], features=("town", "age"),
        categories={"town": ("Ulm", "Bonn", "Kiel")},
    )  # fmt: skip
    wb.explain(model, rows, SmoothGrad(samples=9))
    (copies,) = asked
    assert set(copies[:, 0]) == {1.0}
    assert len(set(copies[:, 1])) == 9
    with pytest.raises(IncompatibleError, match="which say how far each column varies"):
        wb.explain(model, rows.with_background(None), SmoothGrad())
