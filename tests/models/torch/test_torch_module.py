"""Torch modules as models: scores, gradients and activations against plain torch."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from workbench.core import Inputs
from workbench.errors import InputError, ModelError
from workbench.models import Normalize, small_cnn, wrap

EXACT = {"rtol": 0, "atol": 1e-6}  # float32 sums of a few hundred terms near 1


def cnn() -> nn.Module:
    """(n, 3, h, w) -> (n, 4), with batch norm, in-place ReLU and a pool at the end."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        nn.BatchNorm2d(5),
        nn.ReLU(inplace=True),
        nn.Conv2d(5, 6, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.LazyLinear(4),
    )
    net(torch.rand(8, 3, 11, 13))
    return net


def images(n: int = 7) -> np.ndarray:
    return np.random.default_rng(1).random((n, 11, 13, 3))


def mlp(k: int = 4, dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, k)).to(dtype)


def rows(n: int = 5) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(n, 6))


def wrapped_cnn(**more):
    return wrap(cnn(), outputs=list("abcd"), scale="logit", **more)


def plain(net: nn.Module, x: np.ndarray) -> torch.Tensor:
    return net.eval()(torch.tensor(x, dtype=torch.float32).permute(0, 3, 1, 2))


def test_scores_of_images_are_those_of_the_module_on_channels_first():
    expected = plain(cnn(), images()).detach().numpy()
    np.testing.assert_allclose(wrapped_cnn(batch=3).scores(images()), expected, **EXACT)


def test_gradients_are_those_of_torch_for_every_target_at_once():
    net, x = cnn().eval(), torch.tensor(images(), dtype=torch.float32, requires_grad=True)
    weights = np.random.default_rng(3).normal(size=(2, 7, 4))
    scores = net(x.permute(0, 3, 1, 2))
    expected = [
        torch.autograd.grad(
            (scores * torch.tensor(w, dtype=torch.float32)).sum(), x, retain_graph=True
        )[0]
        for w in weights
    ]
    got_scores, got = wrapped_cnn(batch=3).gradient(images(), weights)
    np.testing.assert_allclose(got_scores, scores.detach().numpy(), **EXACT)
    np.testing.assert_allclose(got, torch.stack(expected).numpy(), **EXACT)


@pytest.mark.parametrize("layer", ["0", "1", "3", "4"])
def test_activations_and_their_gradients_are_those_of_torch_even_before_an_in_place_layer(layer):
    net = cnn().eval()
    for part in net:
        if isinstance(part, nn.ReLU):
            part.inplace = False  # plain torch cannot differentiate at "0" otherwise
    cut = int(layer) + 1
    maps = net[:cut](torch.tensor(images(), dtype=torch.float32).permute(0, 3, 1, 2))
    maps = maps.detach().requires_grad_()
    scores = net[cut:](maps)
    weights = np.random.default_rng(3).normal(size=(2, 7, 4))
    expected = [
        torch.autograd.grad(
            (scores * torch.tensor(w, dtype=torch.float32)).sum(), maps, retain_graph=True
        )[0]
        for w in weights
    ]
    got_scores, got_maps, got = wrapped_cnn(batch=3).activations(images(), layer, weights)
    np.testing.assert_allclose(got_scores, scores.detach().numpy(), **EXACT)
    np.testing.assert_allclose(got_maps, maps.detach().numpy(), **EXACT)
    np.testing.assert_allclose(got, torch.stack(expected).numpy(), **EXACT)


def test_layers_come_in_order_of_execution_and_a_final_pool_is_not_one():
    layers = wrapped_cnn().layers(images())
    assert layers == {
        "0": (5, 11, 13),
        "1": (5, 11, 13),
        "2": (5, 11, 13),
        "3": (6, 5, 6),
        "4": (6, 5, 6),
    }


class Block(nn.Module):
    """One ReLU module used twice, as in torchvision's residual networks."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(5, 5, 3, padding=1), nn.Conv2d(5, 5, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(self.conv2(self.relu(self.conv1(x))) + x)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.stem, self.block, self.unused = nn.Conv2d(3, 5, 3), Block(), nn.Conv2d(5, 2, 1)
        self.drop, self.head = nn.Dropout2d(), nn.Linear(5, 4)

    def forward(self, x):
        return self.head(self.drop(self.block(self.stem(x))).mean((2, 3)))


def test_a_layer_that_runs_twice_is_listed_as_the_block_around_it():
    model = wrap(Residual(), outputs=list("abcd"), scale="logit")
    assert list(model.layers(images())) == ["stem", "block.conv1", "block.conv2", "block"]


def test_a_layer_that_runs_twice_or_never_or_does_not_exist_is_refused_by_name():
    model = wrap(Residual(), outputs=list("abcd"), scale="logit")
    weights = np.ones((1, 7, 4))
    listed = re.escape("['stem', 'block.conv1', 'block.conv2', 'block']")
    for layer, why in [
        ("block.relu", "runs 2 times"),
        ("unused", "does not run"),
        ("head", "instead of maps"),
        ("layer4", "no layer 'layer4'"),
        ("", "no layer ''"),
    ]:
        with pytest.raises(InputError, match=f"{why}.*{listed}"):
            model.activations(images(), layer, weights)


def test_a_layer_that_passes_its_input_on_is_cut_from_the_path_around_it():
    class Skipping(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.same, self.head = nn.Conv2d(3, 5, 3), nn.Identity(), nn.Linear(5, 4)

        def forward(self, x):
            x = self.stem(x)
            return self.head((self.same(x) + 10 * x).mean((2, 3)))

    torch.manual_seed(5)
    net = Skipping()
    weights = np.zeros((1, 7, 4))
    weights[..., 2] = 1.0
    model = wrap(net, outputs=list("abcd"), scale="logit")
    _, maps, slopes = model.activations(images(), "same", weights)
    # The mean over 9 x 11 places, and no part of the tenfold path beside the layer.
    expected = net.head.weight[2].detach().numpy()[None, :, None, None] / (9 * 11)
    np.testing.assert_allclose(slopes[0], np.broadcast_to(expected, maps.shape), rtol=1e-5)


def test_no_gradient_is_computed_for_weights_and_preprocessing_keeps_its_digits():
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp(dtype=torch.bfloat16)

        def forward(self, x):
            seen.append({parameter.requires_grad for parameter in self.parameters()})
            return self.net(x)

    def note(batch):
        seen.append(batch.dtype)
        return batch

    model = wrap(Watching(), outputs=list("abcd"), preprocess=note)
    model.gradient(rows(), np.ones((1, 5, 4)))
    assert seen == [torch.float32, {False}]
    assert all(parameter.requires_grad for parameter in model.native.parameters())


def test_masked_rows_give_the_scores_of_the_rows_built_in_numpy():
    rng = np.random.default_rng(5)
    players = rng.integers(-1, 4, size=(11, 13))
    masks, which = rng.random((9, 4)) < 0.5, rng.integers(0, 2, 9)
    row, fills = images()[0], images()[1:3]
    present = np.concatenate([masks, np.ones((9, 1), bool)], axis=1)[:, players][..., None]
    expected = wrapped_cnn().scores(np.where(present, row, fills[which]))
    got = wrapped_cnn(batch=4).masked(row, fills, players, masks, which)
    np.testing.assert_allclose(got, expected, **EXACT)


def test_masked_takes_players_per_channel_and_more_fills_than_masks():
    rng = np.random.default_rng(6)
    players = rng.integers(-1, 4, size=(11, 13, 3))
    masks, which = rng.random((3, 4)) < 0.5, np.array([5, 1, 5])
    row, fills = images()[0], images(7)
    present = np.concatenate([masks, np.ones((3, 1), bool)], axis=1)[:, players]
    expected = wrapped_cnn().scores(np.where(present, row, fills[which]))
    np.testing.assert_allclose(
        wrapped_cnn().masked(row, fills, players, masks, which), expected, **EXACT
    )


def test_masked_table_rows_give_the_scores_of_the_rows_built_in_numpy():
    rng = np.random.default_rng(7)
    players = np.array([0, 1, 1, -1, 2, 0])
    masks, which = rng.random((8, 3)) < 0.5, rng.integers(0, 4, 8)
    row, fills = rows()[0], rows()[1:]
    present = np.concatenate([masks, np.ones((8, 1), bool)], axis=1)[:, players]
    model = wrap(mlp(), scale="logit")
    np.testing.assert_allclose(
        model.masked(row, fills, players, masks, which),
        model.scores(np.where(present, row, fills[which])),
        rtol=0,
        atol=1e-12,  # float64 weights: nothing may be rounded to float32 on the way
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_module_of_any_precision_gets_its_rows_in_it_and_answers_in_float64(dtype):
    model = wrap(mlp(dtype=dtype), scale="logit")
    exact = wrap(mlp(), scale="logit")
    scores, slopes = model.gradient(rows(), np.ones((2, 5, 4)))
    assert scores.dtype == slopes.dtype == np.float64
    digits = {torch.float64: 1e-14, torch.float32: 1e-5}.get(dtype, 0.05)  # 8 bits of mantissa
    np.testing.assert_allclose(scores, exact.scores(rows()), rtol=digits, atol=digits)
    np.testing.assert_allclose(
        slopes[1], exact.gradient(rows(), np.ones((1, 5, 4)))[1][0], rtol=digits, atol=digits
    )


@pytest.mark.parametrize("shape", [(-1, 1), (-1,)])
def test_a_binary_network_with_one_logit_has_one_output(shape):
    class Binary(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp(1)

        def forward(self, x):
            return self.net(x).reshape(shape)

    model = wrap(Binary(), outputs=["ill"])
    np.testing.assert_allclose(model.scores(rows()), mlp(1)(torch.tensor(rows())).detach().numpy())
    assert (model.outputs, model.scale) == (("ill",), "logit")
    assert model.gradient(rows(), np.ones((1, 5, 1)))[1].shape == (1, 5, 6)


def test_a_network_that_squeezes_everything_works_on_one_row_too():
    class Squeezing(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp(1)

        def forward(self, x):
            return self.net(x).squeeze()

    model = wrap(Squeezing(), outputs=["ill"])
    assert model.scores(rows(1)).shape == (1, 1)


def test_the_shape_and_kind_of_a_row_are_read_from_the_first_layer():
    assert wrapped_cnn().shape == (None, None, 3)
    assert wrapped_cnn().kind == "image"
    table = wrap(mlp())
    assert (table.shape, table.kind, table.outputs) == ((6,), "tabular", ("y0", "y1", "y2", "y3"))
    assert table.capabilities == ("predict", "gradient", "masked")
    assert wrapped_cnn().capabilities == (
        "predict",
        "gradient",
        "activations",
        "feature_maps",
        "masked",
    )


def test_the_given_shape_wins_and_is_tried():
    assert wrapped_cnn(shape=(11, 13, 3)).shape == (11, 13, 3)
    with pytest.raises(ModelError, match=r"batch of shape \(1, 3, 40, 13\), but failed"):
        wrapped_cnn(shape=(40, 13, 3))


def test_the_scale_is_assumed_aloud_and_can_be_said():
    assumed = wrap(mlp())
    assert assumed.scale == "logit"
    assert "Give scale='probability' or scale='raw'" in assumed.notes[0]
    probable = wrap(nn.Sequential(mlp(), nn.Softmax(dim=1)))
    assert probable.scale == "probability"
    assert "because they come from a softmax" in probable.notes[0]
    said = wrap(mlp(), scale="raw", outputs=list("abcd"))
    assert (said.scale, said.notes) == ("raw", ())


def test_a_wrong_number_of_outputs_is_refused_when_wrapping():
    with pytest.raises(InputError, match=r"has 4 outputs, so outputs needs 4 names.*has 3"):
        wrap(mlp(), outputs=list("abc"))
    like = Inputs(images(), kind="image")
    with pytest.raises(InputError, match="has 4 outputs"):
        wrap(cnn(), outputs=list("abc"), like=like)


def test_outputs_that_nobody_can_count_must_be_named():
    with pytest.raises(InputError, match=r"outputs=\[\.\.\.\], or give like=inputs"):
        wrap(cnn())
    assert wrap(cnn(), like=Inputs(images(), kind="image")).outputs == ("y0", "y1", "y2", "y3")


def test_like_names_the_columns():
    like = Inputs(rows(), kind="tabular", features=tuple("uvwxyz"))
    assert wrap(mlp(), like=like).features == tuple("uvwxyz")


def test_preprocessing_is_part_of_the_model_and_of_its_gradient():
    normalize = Normalize(mean=[0.1, 0.2, 0.3], std=[0.5, 0.25, 2.0])
    mean, std = np.array(normalize.mean), np.array(normalize.std)
    inside = wrapped_cnn(preprocess=normalize)
    weights = np.ones((1, 7, 4))
    scores, slopes = inside.gradient(images(), weights)
    outside_scores, outside_slopes = wrapped_cnn().gradient((images() - mean) / std, weights)
    np.testing.assert_allclose(scores, outside_scores, rtol=0, atol=1e-5)  # normalized in float32
    np.testing.assert_allclose(slopes, outside_slopes / std, rtol=0, atol=1e-5)


def test_normalize_refuses_what_it_cannot_divide_by():
    with pytest.raises(InputError, match="above zero"):
        Normalize([0.5], [0.0])
    with pytest.raises(InputError, match="2 means and 1 stds"):
        Normalize([0.5, 0.5], [1.0])
    with pytest.raises(InputError, match="finite"):
        Normalize([float("nan")], [1.0])
    with pytest.raises(InputError, match="2 channels or columns, but the rows have 3"):
        wrapped_cnn(preprocess=Normalize([0.5] * 2, [1.0] * 2)).scores(images())


def test_no_rows_give_no_scores():
    assert wrapped_cnn().scores(images(0)).shape == (0, 4)


def test_the_bundled_architecture_shows_its_last_relu_as_last_layer():
    model = wrap(small_cnn(3), outputs=list("abc"), scale="logit")
    layers = model.layers(np.zeros((1, 64, 64, 3)))
    last = list(layers)[-1]
    assert last.endswith("relu")
    assert layers[last][1:] == (16, 16)


def test_two_modules_have_one_digest_only_if_they_compute_the_same():
    same, other = wrap(mlp()).digest, mlp()
    assert wrap(mlp()).digest == same
    assert wrap(mlp(dtype=torch.float32)).digest != same
    other[1] = nn.ReLU()
    assert wrap(other).digest != same
    assert wrap(mlp(), preprocess=Normalize([0.0] * 6, [1.0] * 6)).digest != same
    padded = [nn.Conv2d(3, 4, 3, padding=width) for width in (0, 1)]
    padded[1].load_state_dict(padded[0].state_dict())
    digests = {wrap(net, outputs=list("abcd"), scale="logit").digest for net in padded}
    assert len(digests) == 2
    nudged = mlp()
    with torch.no_grad():
        nudged[2].bias[1] += 1e-9
    assert wrap(nudged).digest != same
