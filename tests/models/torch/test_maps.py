"""Which layers give maps, how, and which one is read: against hooks and autograd by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import workbench as wb
from tests.models.torch.vision_nets import (
    Encoder,
    Latents,
    Mask,
    Permuted,
    Queries,
    ViT,
    Windows,
    images,
    wrapped,
)
from workbench import methods
from workbench.errors import IncompatibleError, InputError
from workbench.models.torch.places import grids


def by_hand(net, layer, rows, places):
    """Grad-CAM and HiResCAM of each row's own class, from hooks, autograd and torch's interpolation."""
    kept = []
    handle = dict(net.named_modules())[layer].register_forward_hook(
        lambda _part, _given, out: kept.append(out)
    )
    scores = net(torch.tensor(rows.values, dtype=torch.float32).permute(0, 3, 1, 2))
    handle.remove()
    own = scores[torch.arange(len(scores)), scores.argmax(1)].sum()
    slopes = places(torch.autograd.grad(own, kept[0])[0])
    maps = places(kept[0]).detach()
    cam = torch.relu((slopes.mean((2, 3), keepdim=True) * maps).sum(1, keepdim=True))
    hires = (slopes * maps).sum(1, keepdim=True)
    size = rows.values.shape[1:3]
    return [
        nn.functional.interpolate(one, size, mode="bilinear")[:, 0].numpy() for one in (cam, hires)
    ]


def as_by_hand(net, rows, layer, places, named=None):
    """Whether the workbench's two maps are those by hand; returns the result's notes."""
    model = wrapped(net, rows)
    cam, hires = by_hand(net, layer, rows, places)
    for method, expected in ((methods.GradCAM, cam), (methods.HiResCAM, hires)):
        found = wb.explain(model, rows, method(layer=named))
        assert found.values.shape == expected.shape
        assert np.abs(hires).max() > 0
        # float32 sums of a few dozen terms, of which the largest decides on the rounding
        np.testing.assert_allclose(
            found.values, expected, rtol=1e-4, atol=1e-5 * np.abs(hires).max()
        )
    return " ".join(found.notes)


def channels_last(out):
    return out.permute(0, 3, 1, 2)


@pytest.mark.parametrize("size", [(32, 32), (24, 40), (40, 24)])
@pytest.mark.parametrize(("before", "behind"), [(1, 0), (2, 0), (5, 0), (1, 3)])
def test_class_and_register_tokens_are_set_aside_and_the_rest_is_the_grid(size, before, behind):
    net, rows = ViT(size, before, behind), images(3, size)
    notes = as_by_hand(net, rows, "blocks.1.norm1", net.places)
    assert f"Layer 'blocks.1.norm1', {size[0] // 8} x {size[1] // 8} places" in notes
    assert f"{before + behind} {'is' if before + behind == 1 else 'are'} set aside" in notes
    as_by_hand(net, rows, "blocks.0.norm2", net.places, named="blocks.0.norm2")


def test_where_the_head_reads_the_class_token_the_layer_before_the_last_attention_is_read():
    net, rows = ViT(depth=3), images()
    model = wrapped(net, rows)
    assert model.layers(rows.values).chosen == "blocks.2.norm1"
    _, _, slopes = model.activations(rows.values, "norm", np.ones((1, 3, 4)))
    assert not slopes.any()  # nothing reads the patches there
    notes = " ".join(wb.explain(model, rows, methods.HiResCAM()).notes)
    assert "do not depend on the places of deeper layers such as 'norm'" in notes
    assert wb.explain(model, rows, methods.HiResCAM()).values.any()


def test_where_the_head_reads_all_tokens_the_last_norm_is_read():
    net, rows = ViT(before=0, reads="all"), images()
    notes = as_by_hand(net, rows, "norm", net.places)
    assert "do not depend" not in notes
    assert "set aside" not in notes


@pytest.mark.parametrize("batch_first", [True, False])
def test_torchs_own_encoder_is_read_whatever_axis_its_rows_are_on(batch_first):
    net, rows = Encoder(batch_first), images(5, (32, 48))

    def places(out):
        tokens = out if batch_first else out.transpose(0, 1)
        return tokens[:, 1:].transpose(1, 2).unflatten(2, (4, 6))

    notes = as_by_hand(net, rows, "encoder.layers.1.norm1", places)
    assert "Layer 'encoder.layers.1.norm1', 4 x 6 places" in notes


def test_rows_as_many_as_tokens_are_not_taken_for_tokens():
    net, rows = Encoder(batch_first=False), images(25, (32, 48))  # 24 patches and one token
    model = wrapped(net, rows)
    _, maps, _ = model.activations(rows.values, "encoder.layers.1.norm1", np.ones((1, 25, 4)))
    alone = model.feature_maps(rows.values[3:4], "encoder.layers.1.norm1")[1]
    np.testing.assert_allclose(maps[3:4], alone, rtol=0, atol=1e-5)


def test_channels_last_maps_are_turned_and_windows_and_biases_are_no_maps():
    net, rows = Windows(), images(5, (32, 48))
    as_by_hand(net, rows, "last", channels_last)
    as_by_hand(net, rows, "norm1", channels_last, named="norm1")
    model = wrapped(net, rows)
    assert model.layers(rows.values) == {
        "patch": (8, 8, 12),
        "first": (8, 8, 12),
        "norm1": (8, 8, 12),
        "merge": (16, 4, 6),
        "last": (16, 4, 6),
    }
    for layer, why in (
        ("attn.softmax", "gives 6 pieces of every row"),
        ("attn.proj", "gives 6 pieces of every row"),
        ("bias", "for any number of rows, so it is no map of a row"),
    ):
        with pytest.raises(InputError, match=rf"'{layer}'.*{why}.*'merge', 'last'"):
            wb.explain(model, rows, methods.GradCAM(layer=layer))


def test_attention_between_tokens_is_no_map():
    rows = images()
    model = wrapped(ViT(), rows)
    assert not [name for name in model.layers(rows.values) if "softmax" in name]
    with pytest.raises(InputError, match="attention between tokens instead of maps"):
        wb.explain(model, rows, methods.EigenCAM(layer="blocks.1.attn.softmax"))


def test_permuted_norms_are_turned_inside_a_block():
    net, rows = Permuted(), images(3, (32, 48))
    for layer in ("norm", "wide", "back"):
        as_by_hand(net, rows, layer, channels_last, named=layer)
    as_by_hand(net, rows, "stem", lambda out: out, named="stem")


def test_latent_tokens_have_no_places_even_where_they_are_as_many():
    rows = images()
    model = wrapped(Latents(), rows)
    assert list(model.layers(rows.values)) == ["patch"]
    notes = " ".join(wb.explain(model, rows, methods.GradCAM()).notes)
    assert "It is an early layer (a stem, or the embedding of patches)" in notes
    for layer in ("norm", "inner.layers.2.norm2"):
        with pytest.raises(InputError, match=r"no axes of it follow.*\['patch'\]"):
            wb.explain(model, rows, methods.GradCAM(layer=layer))


def test_queries_have_no_places_and_the_last_tokens_of_the_image_are_read():
    net, rows = Queries(), images()
    model = wrapped(net, rows)
    as_by_hand(net, rows, "encoder.norm2", lambda out: out.transpose(1, 2).unflatten(2, (4, 4)))
    assert not [name for name in model.layers(rows.values) if name.startswith("decoder.norm")]
    with pytest.raises(InputError, match="no axes of it follow"):
        wb.explain(model, rows, methods.GradCAM(layer="decoder.norm3"))


@pytest.mark.parametrize("classes", [1, 3])
def test_the_default_of_a_mask_is_the_deepest_layer_before_its_head_and_says_so(classes):
    net, rows = Mask(classes), images()
    notes = as_by_hand(net, rows, "mix", lambda out: out)
    assert "deepest layer before the head 'head'" in notes
    as_by_hand(net, rows, "head", lambda out: out, named="head")


def test_a_network_without_any_map_is_refused():
    rows = images(2, (8, 8))
    model = wrapped(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), rows)
    with pytest.raises(IncompatibleError, match="needs a layer with height and width"):
        wb.explain(model, rows, methods.GradCAM())


def test_layers_that_run_twice_are_given_as_the_reason_why_there_is_no_map():
    class Twins(nn.Module):
        """Two halves of an image through the same layers."""

        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU())
            self.head = nn.Linear(10, 4)

        def forward(self, x):
            pair = [self.body(half).mean((2, 3)) for half in x.chunk(2, dim=3)]
            return self.head(torch.cat(pair, 1))

    rows = images(2, (12, 16))
    with pytest.raises(IncompatibleError, match=r"has none\. .*'body\.0' with 2 runs"):
        wb.explain(wrapped(Twins(), rows), rows, methods.GradCAM())


def test_a_usual_network_is_read_as_before_without_a_word():
    torch.manual_seed(8)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
    )
    rows = images(3, (10, 12))
    net(torch.zeros(1, 3, 10, 12))
    notes = as_by_hand(net, rows, "3", lambda out: out)
    assert "early layer" not in notes
    assert "head" not in notes


def test_the_module_is_left_as_it_was_found():
    net, rows = ViT(), images()
    model = wrapped(net, rows)
    before = {name: one.clone() for name, one in net.state_dict().items()}
    net.train()
    model.layers(rows.values)
    assert all(part.training for part in net.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())
    assert all(torch.equal(one, before[name]) for name, one in net.state_dict().items())


def test_a_copy_in_eight_bits_keeps_its_layer_and_its_map():
    from workbench import variants

    net, rows = ViT(depth=2), images(6)
    model = wrapped(net, rows)
    copy = variants.quantize_weights(model, rows=rows)
    assert copy.layers(rows.values).chosen == model.layers(rows.values).chosen == "blocks.1.norm1"
    one, other = (
        wb.explain(m, rows, methods.HiResCAM(), wb.Target(0)).values for m in (model, copy)
    )
    assert (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other) > 0.99


@pytest.mark.parametrize("method", [methods.GradCAM(), methods.HiResCAM()])
@pytest.mark.parametrize(("net", "size"), [(ViT(), (32, 32)), (Windows(), (32, 48))])
def test_captum_reads_the_same_maps(method, net, size):
    rows = images(2, size)
    model = wrapped(net, rows)
    opinion = wb.cross_check(wb.explain(model, rows, method, wb.Target(1)))
    assert opinion.agrees, opinion


def test_an_ensemble_reads_the_layer_that_its_members_read():
    from workbench import ensembles

    rows = images()
    nets = [ViT(), ViT()]
    torch.manual_seed(9)
    for part in nets[1].modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=0.2)
    one, other = (
        wb.wrap(net.eval(), like=rows, name=name, scale="logit", outputs=list("abcd"))
        for net, name in zip(nets, ("one", "other"), strict=True)
    )
    pair = ensembles.vote([one, other])
    assert pair.layers(rows.values).chosen == "blocks.1.norm1"
    whole = wb.explain(pair, rows, methods.HiResCAM(), wb.Target(0))
    alone = [wb.explain(m, rows, methods.HiResCAM(), wb.Target(0)).values for m in (one, other)]
    assert np.abs(alone).max() > 0
    size = np.abs(alone).max()
    np.testing.assert_allclose(whole.values, sum(alone) / 2, rtol=0, atol=1e-5 * size)
    assert "1 is set aside" in " ".join(whole.notes)


def test_more_tokens_set_aside_than_places_are_no_class_tokens():
    """16 tokens in the order of 2 x 2 units, as Hiera has them, are not 2 x 2 places and 12 others."""
    assert (2, 2) not in {at for _, at in grids(16, (32, 32), [])}
    assert (0, (4, 4)) in set(grids(16, (32, 32), []))
    assert (12, (2, 2)) in set(grids(16, (32, 32), [(2, 2)]))  # a map before had these places
