"""Networks of a few whole numbers, whose attributions follow from arithmetic that a reader can do.

The networks are the ones that papers argue with, and captum's basic models; their numbers are worked out in
the docstrings. Modules are in float32: `NEAR` is a few of its roundings.
"""

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from workbench.methods import (
    DeepLIFT,
    ExactShapley,
    GradientSHAP,
    InputXGradient,
    IntegratedGradients,
    KernelSHAP,
    Occlusion,
    PermutationSHAP,
    Saliency,
    SmoothGrad,
)
from workbench.models import Split

NEAR = {"rtol": 2e-6, "atol": 1e-6}
ZERO = {"fill": "zero"}


def linear(weights, bias=None):
    """A linear layer with these weights `(out, in)`."""
    weights = torch.tensor(weights, dtype=torch.float32)
    layer = nn.Linear(*weights.shape[::-1], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weights)
        if bias is not None:
            layer.bias.copy_(torch.tensor(bias, dtype=torch.float32))
    return layer


def of_rows(module, outputs=("y",), **more):
    return wb.wrap(module, outputs=outputs, scale="raw", kind="tabular", **more)


def explained(model, rows, recipe, target=0, background=None, groups=None):
    """One row's attribution, where absent means zero unless a background is given."""
    rows = np.atleast_2d(np.asarray(rows, dtype=float))
    background = np.zeros((1, rows.shape[1])) if background is None else background
    inputs = wb.Inputs(rows, kind="tabular", background=background, groups=groups or {})
    return wb.explain(model, inputs, recipe, wb.Target(target))


def check(model, rows, recipe, wanted, **more):
    np.testing.assert_allclose(explained(model, rows, recipe, **more).values, [wanted], **NEAR)


class LateReLU(nn.Module):
    """`relu(relu(a) - 1 - relu(b))`."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, x):
        return self.last(self.first(x[:, :1]) - 1 - self.second(x[:, 1:]))


class EarlyReLU(LateReLU):
    """`relu(relu(a - 1) - relu(b))`, the same function for a and b from zero on."""

    def forward(self, x):
        return self.last(self.first(x[:, :1] - 1) - self.second(x[:, 1:]))


class Saturated(nn.Module):
    """`1 - relu(1 - x)`: x up to 1, and 1 from there on."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        return 1 - self.relu(1 - x)


class Smaller(nn.Module):
    """`a - relu(a - b)`: the smaller of two numbers."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x):
        a, b = x[:, :1], x[:, 1:]
        return a - self.relu(a - b)


@pytest.mark.parametrize("network", [LateReLU, EarlyReLU])
def test_two_spellings_of_one_function_have_one_answer_from_all_that_ask_the_function(network):
    """At (3, 1) the output is 1. On the line (3t, t) it is relu(2t - 1): slopes (1, -1) for half of it.

    So the integral is (3/2, -1/2). Shapley: v(a) = 2, v(b) = 0, v(a, b) = 1: (2 + 1)/2 and (0 - 1)/2.
    Taking a away loses 1 - 0; taking b away, 1 - 2. The slope at the row is (1, -1).
    """
    model = of_rows(network())
    check(model, [3, 1], IntegratedGradients(steps=10, **ZERO), [1.5, -0.5])
    check(model, [3, 1], ExactShapley(), [1.5, -0.5])
    check(model, [3, 1], KernelSHAP(), [1.5, -0.5])
    check(model, [3, 1], Occlusion(), [1, -1])
    check(model, [3, 1], Saliency(), [1, 1])
    check(model, [3, 1], Saliency(absolute=False), [1, -1])
    check(model, [3, 1], InputXGradient(), [3, -1])


@pytest.mark.parametrize(("network", "wanted"), [(LateReLU, [1.5, -0.5]), (EarlyReLU, [2.0, -1.0])])
def test_deeplift_tells_the_two_spellings_apart(network, wanted):
    """Late: the last relu goes from -1 to 1 and gives 1, half its way: (3, -1)/2.

    Early: the first goes from -1 to 2 and gives 2, two thirds of its way; the last gives all: (2, -1).
    """
    found = explained(of_rows(network()), [3, 1], DeepLIFT(**ZERO))
    np.testing.assert_allclose(found.values, [wanted], **NEAR)
    np.testing.assert_allclose(found.gap, 0.0, atol=1e-6)


def test_where_an_output_is_saturated_the_slope_is_blind_and_differences_are_not():
    """At 2, and at (2, 0.5) of two outputs: the slope at 2 does not see the way up to 1."""
    model = of_rows(Saturated())
    for recipe in (Saliency(), InputXGradient()):
        check(model, [2.0], recipe, [0.0])
    for recipe in (ExactShapley(), Occlusion(), DeepLIFT(**ZERO), IntegratedGradients(10, "zero")):
        check(model, [2.0], recipe, [1.0])
    model = of_rows(Saturated(), ("p", "q"))
    for target, wanted in enumerate([[1.0, 0.0], [0.0, 0.5]]):
        check(model, [2, 0.5], IntegratedGradients(10, "zero"), wanted, target=target)
        check(model, [2, 0.5], ExactShapley(), wanted, target=target)


def test_of_the_smaller_of_two_numbers_each_method_tells_its_own_half():
    """min(10, 6): on the line from zero only the 6 has a slope; alone, neither number makes more than 0.

    min(10, 0) = 0 and min(0, 6) = 0, so both are needed for 6: 3 each. Taking either away loses all.
    """
    model = of_rows(Smaller())
    for recipe in (IntegratedGradients(10, "zero"), DeepLIFT(**ZERO), InputXGradient()):
        check(model, [10, 6], recipe, [0, 6])
    check(model, [10, 6], ExactShapley(), [3, 3])
    check(model, [10, 6], Occlusion(), [6, 6])
    # From (4, 8) the roles change on the way: 4 + 6t meets 8 - 2t at t = 1/2, where both are 7.
    # The first rises from 4 to 7 in its half, the second falls from 7 to 6 in the other.
    start = np.array([[4.0, 8.0]])
    check(model, [10, 6], IntegratedGradients(10, "mean"), [3, -1], background=start)
    # v(): 4, with 10: min(10, 8) = 8, with 6: min(4, 6) = 4, both: 6.
    check(model, [10, 6], ExactShapley(), [(4 + 2) / 2, (0 - 2) / 2], background=start)


def layered():
    """relu of the sum minus 10 and three times the sum plus 1, added up: two outputs, less 1 and more 1."""
    return nn.Sequential(
        linear(np.eye(3)),
        linear(np.ones((4, 3)), [-10.0, 1.0, 1.0, 1.0]),
        nn.ReLU(),
        linear(np.ones((2, 4)), [-1.0, 1.0]),
    )


@pytest.mark.parametrize("target", [0, 1])
def test_a_network_of_layers_at_20_50_30(target):
    """The sum 100 makes 90 + 3 * 101 = 393, 392 and 394; at zero 0 + 3 * 1 = 3, 2 and 4.

    Each number counts four times where the first unit stays on: at the row, and when one is taken away.
    """
    model = of_rows(layered(), ("low", "high"))
    found = explained(model, [20, 50, 30], Occlusion(), target)
    np.testing.assert_allclose(found.values, [[80, 200, 120]], **NEAR)
    np.testing.assert_allclose(found.output, [(392, 394)[target]], **NEAR)
    check(model, [20, 50, 30], Saliency(), [4, 4, 4], target=target)
    check(model, [20, 50, 30], InputXGradient(), [80, 200, 120], target=target)
    for recipe in (ExactShapley(), KernelSHAP()):
        # relu(s - 10): alone 10, 40, 20, in pairs 60 (the first two), 40, 70, all 90:
        # 10/3 + (60 - 40)/6 + (40 - 20)/6 + (90 - 70)/3 = 50/3 to the first, and so on; 3 * s on top.
        found = explained(model, [20, 50, 30], recipe, target)
        wanted = np.array([50, 140, 80]) / 3 + [60, 150, 90]
        np.testing.assert_allclose(found.values, [wanted], **NEAR)
        np.testing.assert_allclose(found.base, [(2, 4)[target]], **NEAR)


def test_a_network_of_layers_at_2_10_3():
    """The sum 15 makes 5 + 3 * 16. Without 2: 3 + 42; without 10: 0 + 18; without 3: 2 + 39, of 53.

    relu(s - 10): 2 with (2, 10), 3 with (10, 3), 5 with all; else 0. Shapley: 2/6 + 2/3 = 1,
    2/6 + 3/6 + 5/3 = 5/2 and 3/6 + 3/3 = 3/2; and three times each number.
    DeepLIFT: the first unit goes from -10 to 5 and gives 5, a third: each number 3 1/3 times.
    """
    model = of_rows(layered(), ("low", "high"))
    check(model, [2, 10, 3], Occlusion(), [8, 35, 12])
    for recipe in (ExactShapley(), KernelSHAP()):
        check(model, [2, 10, 3], recipe, [6 + 1, 30 + 2.5, 9 + 1.5])
    check(model, [2, 10, 3], DeepLIFT(**ZERO), np.array([2, 10, 3]) * 10 / 3)


@pytest.mark.parametrize("steps", [3, 8, 50])
def test_quadrature_knows_a_kink_as_well_as_its_points_do(steps):
    """On the line to (2, 10, 3) the first unit is on behind 2/3: for the points there, by their shares."""
    model = of_rows(layered(), ("low", "high"))
    found = explained(model, [2, 10, 3], IntegratedGradients(steps, "zero"))
    places, shares = np.polynomial.legendre.leggauss(steps)
    on = shares[(places + 1) / 2 > 2 / 3].sum() / 2
    np.testing.assert_allclose(found.values, [np.array([2, 10, 3]) * (3 + on)], **NEAR)
    np.testing.assert_allclose(found.gap, 50 - 15 * (3 + on), rtol=1e-5, atol=1e-4)


def test_groups_are_one_player_each():
    """(20, 50) together, and 30. Away: 4 * 70 and 4 * 30. relu(s - 10): 60, 20, all 90: 65 and 25."""
    model = of_rows(layered(), ("low", "high"))
    groups = {"both": (0, 1), "alone": (2,)}
    for recipe, wanted in (
        (Occlusion(), [280, 120]),
        (ExactShapley(), [65 + 210, 25 + 90]),
        (KernelSHAP(), [65 + 210, 25 + 90]),
    ):
        found = explained(model, [20, 50, 30], recipe, groups=groups)
        sums = [found.values[0, :2].sum(), found.values[0, 2]]
        np.testing.assert_allclose(sums, wanted, **NEAR)


LINEAR = [
    ExactShapley(),
    KernelSHAP(),
    PermutationSHAP(),
    IntegratedGradients(steps=5),
    GradientSHAP(),
    DeepLIFT(),
    Occlusion(),
]


@pytest.mark.parametrize("recipe", LINEAR, ids=lambda one: type(one).__name__)
def test_where_all_units_stay_on_every_method_says_four_times_the_distance(recipe):
    """Both background rows sum to more than 10; their mean is (12, 10, 14)."""
    model = of_rows(layered(), ("low", "high"))
    background = np.array([[10.0, 10.0, 10.0], [14.0, 10.0, 18.0]])
    check(model, [20, 50, 30], recipe, [4 * 8, 4 * 40, 4 * 16], background=background)
    for target, base in (0, 136), (1, 138):  # 36 - 10 and 3 * 37 are 137, less 1 and more 1
        found = explained(model, [20, 50, 30], recipe, target, background)
        if recipe.additive:
            np.testing.assert_allclose(found.base, [base], **NEAR)


def test_noise_around_a_line_changes_no_slope():
    """The slope is 4 at every copy: the mean is 4, the mean square 16, the variance 0."""
    model = of_rows(layered(), ("low", "high"))
    background = np.array([[10.0, 10.0, 10.0], [14.0, 10.0, 18.0]])
    for average, wanted in (("smoothgrad", 4), ("smoothgrad_sq", 16), ("vargrad", 0)):
        recipe = SmoothGrad("Saliency()", average=average, samples=6)
        check(model, [20, 50, 30], recipe, [wanted] * 3, background=background)
    still = SmoothGrad("InputXGradient()", samples=2, noise=0.0)
    check(model, [20, 50, 30], still, [80, 200, 120], background=background)


@pytest.mark.parametrize("squash", [nn.Sigmoid, nn.Tanh, nn.Softplus], ids=lambda s: s.__name__)
@pytest.mark.parametrize("start", [[0.0, 0.0, 0.0], [1.0, -1.0, 2.0], [-2.0, 0.5, 0.5]])
def test_a_function_of_a_sum_is_shared_as_the_sum_is(squash, start):
    """g(w x): the slope is g' times w all along the line, so each gets its share of the sum's change.

    DeepLIFT multiplies by the change of g over the change of the sum, which is the same.
    """
    w, row, start = np.array([0.5, -1.0, 0.25]), np.array([2.0, 1.0, 3.0]), np.array(start)
    model = of_rows(nn.Sequential(linear(w[None]), squash()))
    g = squash()
    at = [float(g(torch.tensor(w @ x, dtype=torch.float64))) for x in (row, start)]
    parts = w * (row - start)
    wanted = parts / parts.sum() * (at[0] - at[1])
    for recipe in (IntegratedGradients(steps=50), DeepLIFT()):
        check(model, row, recipe, wanted, background=start[None])


@pytest.mark.parametrize("recipe", [IntegratedGradients(4, "zero"), DeepLIFT(**ZERO)])
def test_of_a_pool_the_largest_takes_the_credit(recipe):
    """The largest of (1, 3, 2), (4, 0, 2) and (-1, -5, -2), then relu: 3 + 4 + 0."""
    pool = nn.Sequential(
        nn.Unflatten(1, (1, 9)), nn.MaxPool1d(3), nn.ReLU(), nn.Flatten(), linear(np.ones((1, 3)))
    )
    row = [1, 3, 2, 4, 0, 2, -1, -5, -2]
    found = explained(of_rows(pool), row, recipe)
    np.testing.assert_allclose(found.values, [[0, 3, 0, 4, 0, 0, 0, 0, 0]], **NEAR)
    np.testing.assert_allclose(found.output, 7, **NEAR)


def test_probabilities_of_two_classes_mirror_each_other():
    """softmax of (z, -z) with z = a - 2b is sigmoid(2z): shared as z is, with opposite signs."""
    model = of_rows(
        nn.Sequential(linear([[1.0, -2.0], [-1.0, 2.0]]), nn.Softmax(dim=1)), ("p", "q")
    )
    row = np.array([3.0, 1.0])  # z = 3 - 2
    change = 1 / (1 + np.exp(-2)) - 0.5
    for target, sign in (0, 1), (1, -1):
        wanted = sign * change * np.array([3.0, -2.0])
        check(model, row, IntegratedGradients(40, "zero"), wanted, target=target)
    # v(a) = sigmoid(6), v(b) = sigmoid(-4), both sigmoid(2), none 1/2
    a, b, both = (1 / (1 + np.exp(-z)) for z in (6, -4, 2))
    wanted = [(a - 0.5 + both - b) / 2, (b - 0.5 + both - a) / 2]
    check(model, row, ExactShapley(), wanted)
    check(model, row, ExactShapley(), [-one for one in wanted], target=1)


class SeveralInputs(nn.Module):
    """The layered network of the sum of three inputs, times a fourth."""

    def __init__(self):
        super().__init__()
        self.inner = layered()

    def forward(self, first, second, third, times):
        return self.inner(times * (first + second + third))


def test_several_inputs_are_columns_side_by_side_and_each_is_a_group():
    """(20, 50, 30) + (0, 100, 0) + (2, 10, 3), all units on whatever is away: four times each number.

    As groups 4 * 100, 4 * 100 and 4 * 15; with `times` 2 all of that twice.
    """
    split = Split({"first": 3, "second": 3, "third": 3, "times": 1})
    model = of_rows(SeveralInputs(), ("low", "high"), preprocess=split)
    for times in (1.0, 2.0):
        parts = {"first": [[20, 50, 30]], "second": [[0, 100, 0]], "third": [[2, 10, 3]]}
        rows = split.pack({**parts, "times": [[times]]})
        background = rows * 0
        background[:, -1] = times
        found = explained(model, rows, Occlusion(), background=background)
        wanted = 4 * times * rows[0, :-1]
        np.testing.assert_allclose(found.values[0, :-1], wanted, **NEAR)
        assert found.values[0, -1] == 0.0
        inputs = wb.Inputs(rows, kind="tabular", background=background, groups=split.groups)
        grouped = wb.explain(model, inputs, Occlusion(), wb.Target(0)).values[0]
        sums = [grouped[list(split.groups[name])].sum() for name in parts]
        np.testing.assert_allclose(sums, np.array([400, 400, 60]) * times, **NEAR)
        gradients = wb.explain(model, inputs, InputXGradient(), wb.Target(0)).values[0]
        # times * (100 + 100 + 15) counts four times as well: the slope of `times` is 4 * 215.
        np.testing.assert_allclose(gradients, [*wanted, 4 * 215 * times], **NEAR)
